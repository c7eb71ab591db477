#!/usr/bin/env bash
# In the virtual machine: does by hand what docs/install.md tells a new operator, on a node whose kubelet has no runtime
# yet, from the tarball to the last trace's removal; then the Debian package. Says "ok" of each thing that it has looked
# at, and ends at the first that is wrong. Its directory has the release, crictl, kubelet and busybox.tar.
set -euo pipefail
. ./trial-support.sh

# What is on the machine, a line each. The kubelet's own directories and slices are not Berth's to remove; nor are the
# journal, what systemd and the caches of other programs keep.
survey() {
  find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /mnt -o -path /run/systemd -o -path /run/udev \
    -o -path /run/log -o -path /run/credentials -o -path /var/log -o -path /var/cache -o -path /var/lib/systemd \
    -o -path /var/lib/kubelet -o -path /usr/libexec/kubernetes -o -path /var/lib/dpkg -o -path /root -o -path /tmp \) -prune -o -print
  find /run -xdev \( -path /run/systemd -o -path /run/udev -o -path /run/log -o -path /run/credentials \) -prune -o -print
  awk '{print "mount", $5}' /proc/self/mountinfo
  ps -eo comm= | grep -E '^(conmon|crun|runc|node|berth|busybox|sh|sleep)' | sed 's/^/process /' || true
  find /sys/fs/cgroup -type d | grep -vE 'kubepods|user.slice|systemd-|\.timer|init.scope|apt-daily|dpkg' | sed 's/^/cgroup /'
  ls /sys/class/net | sed 's/^/link /'
  for each in iptables ip6tables; do $each-save | grep -E '^(-A|:(CNI|KUBE))' | grep -v KUBE- | sed "s/^/$each /; s/ \[.*//" || true; done
  find /etc/systemd/system -name '*berth*'
}

for program in node npm; do ! command -v $program >/dev/null || wrong "$program is here: this is no clean machine"; done
ok "no Node.js and no npm on the machine"

# A node with its kubelet, as kubeadm's packages lay it out, that has no runtime yet.
install -m 755 kubelet /usr/bin/kubelet
install -m 755 crictl /usr/local/bin/crictl
mkdir -p /var/lib/kubelet /etc/kubernetes/manifests /etc/cni/net.d /opt
cat >/var/lib/kubelet/config.yaml <<'YAML'
# a kubelet without a cluster
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: { anonymous: { enabled: true }, webhook: { enabled: false } }
authorization: { mode: AlwaysAllow }
cgroupDriver: systemd
staticPodPath: /etc/kubernetes/manifests
YAML
cat >/etc/systemd/system/kubelet.service <<'UNIT'
[Service]
ExecStart=/usr/bin/kubelet --config=/var/lib/kubelet/config.yaml
Restart=always
RestartSec=5
[Install]
WantedBy=multi-user.target
UNIT
mkdir -p /etc/systemd/system/kubelet.service.d
cat >/etc/kubernetes/manifests/web.yaml <<'YAML'
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: default }
spec:
  terminationGracePeriodSeconds: 2
  containers:
    - name: web
      image: docker.io/library/busybox:latest
      imagePullPolicy: Never
      command: [sh, -c, "trap 'exit 0' TERM; mkdir /www; echo it works > /www/index.html; httpd -p 80 -h /www; while :; do sleep 1; done"]
    - name: privileged
      image: docker.io/library/busybox:latest
      imagePullPolicy: Never
      securityContext: { privileged: true }
      command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 1; done"]
YAML
systemctl daemon-reload
mkdir -p /var/lib/cni /run/lock # they stay, whoever comes first
survey | sort -u >/tmp/before

# docs/install.md, "From the tarball"
sha256sum --check --quiet berth-*.tar.gz.sha256
tar -C /opt -xzf berth-*.tar.gz
ln -sfn "$(basename /opt/berth-*)" /opt/berth
ln -sf /opt/berth/bin/berth /usr/local/bin/berth
mkdir -p /etc/berth
berth config default >/etc/berth/config.toml
cp /opt/berth/manifests/cni/10-berth.conflist /etc/cni/net.d/
cp /opt/berth/manifests/systemd/berth.service /etc/systemd/system/
systemctl daemon-reload
systemctl enable --now berth 2>/dev/null || wrong "systemctl enable --now berth"
ok "systemctl start returned: $(systemctl show --value --property StatusText berth)"
cp /opt/berth/manifests/crictl.yaml /etc/crictl.yaml
crictl version | grep -q 'RuntimeName:  berth' || wrong "crictl version"
ok "crictl version: $(crictl version | awk '/RuntimeVersion/ {print $2}')"
berth import busybox.tar >/dev/null
ok "an image is imported"

# "Point the kubelet at it"
berth node install --dry-run >dry-run.diff
grep -q '^+containerRuntimeEndpoint: unix:///run/berth/berth.sock' dry-run.diff || wrong "no endpoint in the dry run"
! grep -q containerRuntimeEndpoint /var/lib/kubelet/config.yaml || wrong "a dry run has changed a file"
berth node install
ok "berth node install"
running() { [ "$(crictl ps --quiet --state Running | wc -l)" = 2 ]; }
wait_for 120 "the static pod's containers run" running
berth node install | tee again
! grep -q written again || wrong "a second install writes files"
berth node verify || wrong "berth node verify"
grep -q '^# a kubelet without a cluster' /var/lib/kubelet/config.yaml || wrong "a comment is lost"

pod=$(crictl pods --quiet --name web)
web=$(crictl ps --quiet --name '^web$')
privileged=$(crictl ps --quiet --name privileged)
address=$(crictl inspectp --output go-template --template '{{.status.network.ip}}' "$pod")
wait_for 30 "the pod answers on $address" sh -c "busybox wget -qO- http://$address/ | grep -q 'it works'"
pid_of() { crictl inspect --output go-template --template '{{.info.pid}}' "$web"; }
pid=$(pid_of)

# The unit's sandbox: nothing of it in the pods, and what it forbids is forbidden.
crictl exec "$privileged" grep -q '^CapBnd:.*1ffffffffff' /proc/1/status || wrong "a privileged container lacks capabilities"
crictl exec "$privileged" sh -c 'grep -q "^NoNewPrivs:.0" /proc/1/status && grep -q "^Seccomp:.0" /proc/1/status' ||
  wrong "the unit's restrictions reach into a privileged container"
crictl exec "$privileged" dd if=/dev/vda of=/dev/null bs=512 count=1 2>/dev/null || wrong "a privileged container can't read a disk"
sh -c 'echo $$ >/sys/fs/cgroup/system.slice/berth.service/cgroup.procs && exec dd if=/dev/vda of=/dev/null bs=512 count=1' \
  2>/dev/null && wrong "in the daemon's cgroup a disk can be read"
ok "a privileged container reads a disk; a process in the daemon's cgroup may not"

main_pid() { systemctl show --value --property MainPID berth; }
same_pod() {
  [ "$(crictl pods --quiet --name web --state Ready)" = "$pod" ] && [ "$(pid_of)" = "$pid" ] && running
}
before=$(main_pid)
sed -i '/^\[log\]/a level = "debug"' /etc/berth/config.toml
systemctl reload berth
wait_for 30 "systemctl reload berth: the log tells what was taken over" sh -c "journalctl --unit berth | grep -q 'log.level'"
[ "$(main_pid)" = "$before" ] || wrong "a reload has ended the daemon"
systemctl restart berth
wait_for 60 "systemctl restart berth: the same pod runs, process $pid" same_pod
systemctl kill --signal KILL --kill-whom main berth
wait_for 90 "killed, started again by systemd: the same pod runs" same_pod
old=$(main_pid)
mkdir -p /run/systemd/system/berth.service.d
printf '[Service]\nWatchdogSec=20\n' >/run/systemd/system/berth.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart berth
old=$(main_pid)
sleep 45
[ "$(main_pid)" = "$old" ] || wrong "the watchdog ended a daemon that is well"
kill -STOP "$old"
replaced() { [ "$(main_pid)" != "$old" ] && [ "$(main_pid)" != 0 ] && same_pod; }
wait_for 150 "a daemon that hangs is replaced by the watchdog, a well one is not: the same pod runs" replaced
rm -r /run/systemd/system/berth.service.d
systemctl daemon-reload

# "Uninstall"
berth node uninstall --purge
ok "berth node uninstall --purge"
[ "$(systemctl is-active kubelet)" = inactive ] || wrong "the kubelet did not run before, and does now"
ip link delete berth0
rm -r /var/lib/cni/networks/berth /etc/cni/net.d/10-berth.conflist
rmdir --ignore-fail-on-non-empty /var/lib/cni/networks
rm -r /opt/berth /opt/berth-* /usr/local/bin/berth /etc/berth
survey | sort -u >/tmp/after
if ! diff /tmp/before /tmp/after; then wrong "something is left (>) or gone (<)"; fi
ok "nothing is left: files, mounts, processes, cgroups, links, rules, units"

# "From the Debian package"
dpkg --install berth_*.deb >/dev/null
systemctl enable --now berth 2>/dev/null || wrong "the package's unit does not start"
crictl --runtime-endpoint unix:///run/berth/berth.sock version >/dev/null || wrong "the package's daemon does not answer"
ok "the Debian package's unit serves the CRI"
/usr/bin/berth node install --dry-run >deb.diff # by its path: the shell remembers the tarball's
grep -q '^+++ /etc/systemd/system/kubelet.service.d/20-berth.conf' deb.diff || wrong "the package's berth node install"
dpkg --purge berth >/dev/null 2>&1
[ "$(systemctl is-active berth)" != active ] && [ ! -e /usr/lib/berth ] && [ ! -e /etc/berth ] || wrong "the package is not gone"
ok "the Debian package is gone"
echo "the trial has passed"
