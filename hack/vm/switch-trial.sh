#!/usr/bin/env bash
# In the virtual machine: a cluster's node that runs on containerd is put on Berth by `berth node install`, with a pod and
# a registry's mirror that both runtimes read, and back by `berth node uninstall`; an installation that fails goes back by
# itself. Its directory has the release, crictl, kubelet, kubectl, kube-apiserver, etcd, containerd with its shim, a
# registry's data, and a key for service accounts.
set -euo pipefail
. ./trial-support.sh
NODE=$(hostname)
BERTH=unix:///run/berth/berth.sock
CONTAINERD=unix:///run/containerd/containerd.sock

# An address of its own, which a kubelet in a cluster insists on.
ip link add eth0 type dummy
ip address add 192.0.2.2/24 dev eth0
ip link set eth0 up
ip route add default via 192.0.2.1

# The control plane, in memory.
for each in kubelet kubectl kube-apiserver etcd; do install -m 755 $each /usr/bin/$each; done
install -m 755 crictl containerd containerd-shim-runc-v2 /usr/local/bin/
mkdir -p /etc/kubernetes /var/lib/kubelet /etc/cni/net.d /opt /run/control
install -m 600 sa.key /run/control/sa.key
printf '%s\n' 'admin,admin,1,"system:masters"' "node,system:node:$NODE,2,\"system:nodes\"" >/run/control/tokens.csv
systemd-run --quiet --unit=etcd etcd --data-dir=/run/control/etcd --unsafe-no-fsync
systemd-run --quiet --unit=kube-apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 --bind-address=127.0.0.1 \
  --cert-dir=/run/control --service-cluster-ip-range=10.96.0.0/16 --authorization-mode=Node,RBAC --allow-privileged=true \
  --service-account-issuer=https://kubernetes.default.svc --token-auth-file=/run/control/tokens.csv \
  --service-account-key-file=/run/control/sa.key --service-account-signing-key-file=/run/control/sa.key \
  --enable-admission-plugins=NodeRestriction --disable-admission-plugins=ServiceAccount
for user in admin:admin kubelet:node; do
  cat >/etc/kubernetes/${user%:*}.conf <<YAML
apiVersion: v1
kind: Config
clusters: [{ name: vm, cluster: { server: "https://127.0.0.1:6443", insecure-skip-tls-verify: true } }]
users: [{ name: vm, user: { token: ${user#*:} } }]
contexts: [{ name: vm, context: { cluster: vm, user: vm } }]
current-context: vm
YAML
done
export KUBECONFIG=/etc/kubernetes/admin.conf

# A registry for both runtimes, by the directory that containerd's users have.
address=127.0.0.1:5000
printf '{"version": 0.1, "storage": {"filesystem": {"rootdirectory": "%s"}}, "http": {"addr": "%s"}}' \
  "$PWD/registry/data" $address >/run/control/registry.yml
systemd-run --quiet --unit=registry docker-registry serve /run/control/registry.yml
mkdir -p /etc/containerd/certs.d/_default
printf 'server = "http://%s"\n[host."http://%s"]\ncapabilities = ["pull", "resolve"]\n' "$address" "$address" \
  >/etc/containerd/certs.d/_default/hosts.toml

# The node on containerd, as kubeadm leaves it.
cat >/etc/containerd/config.toml <<'TOML'
version = 3
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "registry.k8s.io/pause:3.10"
[plugins."io.containerd.cri.v1.images".registry]
config_path = "/etc/containerd/certs.d"
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["/opt/cni/bin", "/usr/lib/cni"]
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = true
TOML
printf '[Service]\nType=notify\nExecStart=/usr/local/bin/containerd\nDelegate=yes\nKillMode=process\n' \
  >/etc/systemd/system/containerd.service
cat >/var/lib/kubelet/config.yaml <<'YAML'
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: { anonymous: { enabled: true }, webhook: { enabled: false } }
authorization: { mode: AlwaysAllow }
cgroupDriver: systemd
nodeStatusUpdateFrequency: 2s
YAML
echo "KUBELET_KUBEADM_ARGS=\"--container-runtime-endpoint=$CONTAINERD --node-ip=192.0.2.2 --hostname-override=$NODE\"" \
  >/var/lib/kubelet/kubeadm-flags.env
cat >/etc/systemd/system/kubelet.service <<'UNIT'
[Service]
EnvironmentFile=/var/lib/kubelet/kubeadm-flags.env
ExecStart=/usr/bin/kubelet --config=/var/lib/kubelet/config.yaml --kubeconfig=/etc/kubernetes/kubelet.conf $KUBELET_KUBEADM_ARGS
Restart=always
RestartSec=5
UNIT
printf 'runtime-endpoint: %s\n' $CONTAINERD >/etc/crictl.yaml
tar -C /opt -xzf berth-*.tar.gz
ln -sfn "$(basename /opt/berth-*)" /opt/berth
ln -sf /opt/berth/bin/berth /usr/local/bin/berth
cp /opt/berth/manifests/cni/10-berth.conflist /etc/cni/net.d/
systemctl daemon-reload
wait_for 600 "the API server is ready" kubectl get --raw /readyz
systemctl start containerd kubelet

runtime() { kubectl get node "$NODE" --output 'jsonpath={.status.nodeInfo.containerRuntimeVersion}'; }
ready() { [ "$(kubectl get node "$NODE" --output 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ]; }
running() { [ "$(kubectl get pod web --output 'jsonpath={.status.containerStatuses[0].state.running.startedAt}')" != "" ]; }
# The pod runs in one runtime, and in the other there is none. usage: runs_in ENDPOINT OTHER
runs_in() {
  running && [ "$(crictl --runtime-endpoint "$1" ps --quiet --state Running | wc -l)" = 1 ] || return 1
  ! crictl --runtime-endpoint "$2" version >/dev/null 2>&1 || [ -z "$(crictl --runtime-endpoint "$2" pods --quiet)" ]
}
wait_for 400 "the node is Ready" ready
kubectl annotate node "$NODE" kubeadm.alpha.kubernetes.io/cri-socket=$CONTAINERD >/dev/null
kubectl taint node "$NODE" node.kubernetes.io/not-ready- >/dev/null 2>&1 || true # there is no controller manager
kubectl create --filename - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: default }
spec:
  nodeName: $NODE
  automountServiceAccountToken: false
  enableServiceLinks: false
  containers:
    - { name: web, image: busybox, command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 1; done"] }
YAML
wait_for 400 "$(runtime): a pod runs" runs_in $CONTAINERD $BERTH
# What there is of an installation, on the node and in the cluster.
state() {
  cat /var/lib/kubelet/kubeadm-flags.env /var/lib/kubelet/config.yaml /etc/crictl.yaml
  find /etc/systemd/system /etc/berth -name '*berth*' 2>/dev/null || true
  kubectl get node "$NODE" --output 'jsonpath={.spec.unschedulable} {.metadata.annotations.kubeadm\.alpha\.kubernetes\.io/cri-socket}'
  kubectl get runtimeclass --output name
}
state >/tmp/before

! berth node install --timeout 1 || wrong "an installation whose node is not ready within a second has succeeded"
wait_for 400 "after an installation that failed: the pod runs in containerd" runs_in $CONTAINERD $BERTH
wait_for 200 "the node is Ready" ready
on_containerd() { runtime | grep -q ^containerd:; }
wait_for 60 "the node says that its runtime is containerd" on_containerd
state >/tmp/after
diff /tmp/before /tmp/after || wrong "something is left of the installation that failed"
[ "$(systemctl is-active berth)" != active ] || wrong "Berth runs still"

berth node install
ok "berth node install: $(runtime)"
wait_for 400 "the pod runs in Berth, containerd has none" runs_in $BERTH $CONTAINERD
berth node verify || wrong "berth node verify"
[ "$(kubectl get runtimeclass --output name | wc -l)" = 2 ] || wrong "the RuntimeClasses are not there"

berth node uninstall --purge
ok "berth node uninstall: $(runtime)"
wait_for 400 "the pod runs in containerd again" runs_in $CONTAINERD $BERTH
state >/tmp/after
diff /tmp/before /tmp/after || wrong "the way back has left something"
for each in /run/berth /var/lib/berth /etc/berth/before/install.json; do [ ! -e $each ] || wrong "$each is left"; done
echo "the trial has passed"
