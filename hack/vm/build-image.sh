#!/usr/bin/env bash
# Makes build/vm/{root.img,vmlinuz,initrd.img}, a Debian 13 node for hack/vm/boot.sh: systemd, cgroup v2, AppArmor, crun,
# runc, conmon, CNI plugins and a registry. Does nothing where they are there and this script has not changed. Wants
# root, mmdebstrap and mke2fs; some four minutes.
# usage: hack/vm/build-image.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$PWD/build/vm
stamp=$(sha256sum <hack/vm/build-image.sh)
if [ -e "$out/root.img" ] && [ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ]; then
  exit
fi

echo "building the virtual machine's image (some minutes)"
rm -f "$out/stamp"
mkdir -p "$out"
work=$(mktemp -d "$out/work.XXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
# The machine's own mirror, where it is a Debian.
mirror=$(awk '/^URIs:/ {print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)
packages=(apparmor busybox-static conmon containernetworking-plugins crun dbus docker-registry iproute2 iptables kmod
  linux-image-amd64 procps runc sudo systemd systemd-sysv udev)
root=$work/root
# What it mounts there goes with its namespace, however it ends.
if ! unshare --mount mmdebstrap --quiet --variant=apt --include="$(IFS=,; echo "${packages[*]}")" trixie "$root" \
  "${mirror:-http://deb.debian.org/debian}" >"$out/build.log" 2>&1 </dev/null; then
  cat "$out/build.log" >&2
  exit 1
fi

units=$root/etc/systemd/system
mkdir -p "$units/multi-user.target.wants"
cat >"$units/job.service" <<'UNIT'
[Unit]
Description=run.sh of the shared directory, and then the end
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'mkdir -p /mnt/share && mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 share /mnt/share && cd /mnt/share && bash ./run.sh >out.log 2>&1; echo $? >rc; sync; systemctl poweroff --force'
UNIT
ln -s ../job.service "$units/multi-user.target.wants/job.service"
for unit in apt-daily.timer apt-daily-upgrade.timer docker-registry.service; do
  ln -sf /dev/null "$units/$unit"
done
echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
echo berth-vm >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 berth-vm\n' >"$root/etc/hosts" # else sudo, which critest calls, complains
mv "$root"/boot/vmlinuz-* "$out/vmlinuz"
mv "$root"/boot/initrd.img-* "$out/initrd.img"
rm -f "$out/root.img"
mke2fs -q -t ext4 -d "$root" "$out/root.img" 12G
echo "$stamp" >"$out/stamp"
