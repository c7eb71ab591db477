#!/usr/bin/env bash
# Boots the image of hack/vm/build-image.sh, runs SHARE/run.sh in it as root, and powers off. What the machine changes on
# its own disk is thrown away. In software it is some ten times slower than the machine outside, and takes a minute to
# boot; with VM_ACCEL=kvm it is not, where there is a KVM that works.
#
# usage: hack/vm/boot.sh SHARE SECONDS [TAG=DIRECTORY]...
#   SHARE           a directory, mounted read-write at /mnt/share
#   SECONDS         how long all of it may take
#   TAG=DIRECTORY   another one, which run.sh can mount read-only (9p, by the tag)
# Leaves SHARE/out.log, what run.sh printed, SHARE/rc, its exit status, which is this script's too, and SHARE/console.log.
set -euo pipefail
cd "$(dirname "$0")/../.."
image=$PWD/build/vm
share=$(realpath "$1")
seconds=$2
shift 2

accel=tcg,thread=multi
[ "${VM_ACCEL:-tcg}" = tcg ] || accel=$VM_ACCEL
machine=(-accel "$accel" -cpu max -smp 2 -m 6144 -nographic -no-reboot -nic none)
disk=(-snapshot -drive "file=$image/root.img,if=virtio,format=raw")
kernel=(-kernel "$image/vmlinuz" -initrd "$image/initrd.img"
  -append 'console=ttyS0 root=/dev/vda rw quiet systemd.show_status=0 apparmor=1 security=apparmor psi=1')
shares=()
for each in "share=$share" "$@"; do
  options=path=$(realpath "${each#*=}"),mount_tag=${each%%=*},security_model=none,multidevs=remap
  [ "${each%%=*}" = share ] || options+=,readonly=on
  shares+=(-virtfs "local,$options")
done

rm -f "$share/rc" "$share/out.log"
timeout --foreground "$seconds" qemu-system-x86_64 "${machine[@]}" "${disk[@]}" "${kernel[@]}" "${shares[@]}" \
  </dev/null >"$share/console.log" 2>&1 || true
if [ ! -s "$share/rc" ]; then
  echo "hack/vm/boot.sh: run.sh did not come to its end within $seconds s; $share/console.log may tell why" >&2
  exit 124
fi
exit "$(cat "$share/rc")"
