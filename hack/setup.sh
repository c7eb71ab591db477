#!/usr/bin/env bash
# Installs what is missing, for one purpose:
#   run          to build Berth and run pods
#   test         to run all tests, conformance included
#   conformance  to run critest
#   vm           to run critest in a virtual machine
#   cluster      to run a Kubernetes cluster on it
# Wants Node.js 20 or later with npm, and apt with Debian's packages within reach. Does nothing, in silence, where all
# is there.
# usage: hack/setup.sh [run|test|conformance|vm|cluster]
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:-run}

say() { echo "hack/setup.sh: $*" >&2; }

# Runs a command, and shows what it said only if it failed.
quietly() {
  local log
  log=$(mktemp)
  if ! "$@" >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    say "root is needed to run: $*"
    exit 1
  fi
}

packages=(busybox-static conmon containernetworking-plugins crun iproute2 iptables runc)
case $purpose in
run) ;;
test | conformance | vm)
  packages+=(bzip2 docker-registry dpkg-dev gcc libc6-dev libseccomp-dev make nginx-light patch pkg-config
    xz-utils)
  [ "$purpose" != test ] || packages+=(attr chromium skopeo umoci)
  [ "$purpose" != vm ] || packages+=(debian-archive-keyring e2fsprogs mmdebstrap qemu-system-x86)
  ;;
cluster)
  packages+=(dbus docker-registry etcd-server gcc libc6-dev libseccomp-dev openssl pkg-config python3-dbus python3-gi)
  ;;
*)
  say "no such purpose: $purpose; there are run, test, conformance, vm and cluster"
  exit 2
  ;;
esac

# Whether each package of the lock file is there at its version, and no other is.
in_step() {
  node -e '
    const want = require("./package-lock.json").packages;
    const have = require("./node_modules/.package-lock.json").packages;
    delete want[""];
    const differs = (name) => have[name] ? have[name].version !== want[name].version : !want[name].optional;
    process.exit(Object.keys(want).some(differs) || Object.keys(have).some((name) => !want[name]) ? 1 : 0);
  ' 2>/dev/null
}

if ! command -v npm >/dev/null; then
  say "npm is missing; install Node.js 20 or later with npm"
  exit 1
fi
# Not `npm ci`: it insists on packages of other platforms (optional parts of biome and jest), which not every registry has.
# `install --no-save` takes the versions and hashes of the lock file too, and leaves it as it is.
if ! in_step; then
  say "installing npm packages"
  quietly npm install --no-save --ignore-scripts --no-audit --no-fund
fi

# The packages of a registry and a web server would start their services; only their binaries are wanted.
install_packages() {
  local policy=/usr/sbin/policy-rc.d status=0
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@")
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod +x $policy
  else
    policy=
  fi
  # The package lists may be old or absent; fetching them again is the second try.
  { quietly as_root "${install[@]}" 2>/dev/null || { quietly as_root apt-get update && quietly as_root "${install[@]}"; }; } ||
    status=$?
  [ -z "$policy" ] || as_root rm -f $policy
  return $status
}

missing=()
for package in "${packages[@]}"; do
  case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
  *" installed") ;;
  *) missing+=("$package") ;;
  esac
done
if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    say "missing, and there is no apt-get to install them: ${missing[*]}"
    exit 1
  fi
  say "installing Debian packages: ${missing[*]}"
  install_packages "${missing[@]}"
fi

# crun refuses a machine whose controllers are partly on cgroup v1 and partly on v2 (hybrid); hugetlb is the one that is
# often left on v2. The tests want both runtimes, so it goes to the others. A mount outlives us, so `run` leaves the
# machine alone: there Berth falls back to runc.
mount_hugetlb() {
  [ "$(stat -f -c %T /sys/fs/cgroup)" = tmpfs ] || return 0
  grep -qsw hugetlb /sys/fs/cgroup/unified/cgroup.controllers || return 0
  as_root mkdir -p /sys/fs/cgroup/hugetlb
  as_root mount -t cgroup -o hugetlb cgroup /sys/fs/cgroup/hugetlb
}

[ "$purpose" = run ] || hack/build-tools.sh
case $purpose in
test | conformance)
  mount_hugetlb
  hack/build-runc.sh
  ;;
cluster)
  mount_hugetlb
  hack/build-runc.sh
  hack/build-kubernetes.sh
  ;;
esac
