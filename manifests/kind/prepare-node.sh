#!/usr/bin/env bash
# Makes a kind node's filesystem one of Berth's: links, units, crictl's and the kubelet's configuration; containerd stays
# installed, for kind's entrypoint edits its configuration, and does not start.
# usage: prepare-node.sh FILES ROOT     FILES has berth-images.service; ROOT is / in the image
set -euo pipefail
files=$1
root=${2%/}
units=$root/etc/systemd/system
kubelet=$root/etc/default/kubelet

release=$(cd "$root/opt" && ls -d berth-[0-9]*)
ln -sfn "$release" "$root/opt/berth"
ln -sf /opt/berth/bin/berth "$root/usr/local/bin/berth"
manifests=$root/opt/$release/manifests
install -D -m 644 "$manifests/crictl.yaml" "$root/etc/crictl.yaml"
install -D -m 644 "$manifests/systemd/berth.service" "$units/berth.service"
install -D -m 644 "$manifests/systemd/kubelet-after-berth.conf" "$units/kubelet.service.d/20-berth.conf"
install -D -m 644 "$files/berth-images.service" "$units/berth-images.service"

# The kubelet measures its runtime's cgroup by this flag.
sed -i 's|/system.slice/containerd.service|/system.slice/berth.service|' "$kubelet"
grep -q -- '--runtime-cgroups=/system.slice/berth.service' "$kubelet" || {
  echo "prepare-node.sh: $kubelet is not as kind's images have it" >&2
  exit 1
}

# What systemctl enable and disable do, for a system that does not run.
mkdir -p "$units/multi-user.target.wants"
ln -sf ../berth.service ../berth-images.service "$units/multi-user.target.wants/"
rm -f "$units/multi-user.target.wants/containerd.service"
