#!/usr/bin/env bash
# Tries Berth as an operator would, on a Debian 13 with systemd in a virtual machine: makes a release, the programs of
# Kubernetes and the machine, and runs hack/vm/install-trial.sh in it (from nothing to a static pod and back to nothing),
# then hack/vm/switch-trial.sh (a cluster's node from containerd to Berth and back). Leaves build/install-vm/*/out.log.
# Some 25 minutes once everything is built. Wants root, as the machine's image does, and etcd-server.
# usage: hack/install-vm.sh [install|switch]...
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ]; then
  echo "hack/install-vm.sh: making the machine's image needs root: sudo npm run install:vm" >&2
  exit 1
fi
hack/setup.sh vm
export PATH="$PWD/node_modules/.bin:$PATH"
trials=("$@")
[ ${#trials[@]} -gt 0 ] || trials=(install switch)
node hack/generate-api.mjs
node hack/release/release.mjs --out build/install-vm/release amd64
hack/vm/build-image.sh
hack/build-kubernetes.sh

status=0
for trial in "${trials[@]}"; do
  share=build/install-vm/$trial
  rm -rf "$share"
  mkdir -p "$share"
  cp build/install-vm/release/* build/tools/crictl build/kubernetes/kubelet hack/vm/trial-support.sh "$share"
  cp "hack/vm/$trial-trial.sh" "$share/run.sh"
  case $trial in
  install) node hack/make-busybox-archive.mjs "$share/busybox.tar" ;;
  switch)
    hack/build-containerd.sh
    cp build/containerd/* build/kubernetes/{kubectl,kube-apiserver} "$(command -v etcd)" "$share"
    node hack/vm/fill-registry.mjs "$share/registry"
    openssl genrsa -out "$share/sa.key" 2048 2>/dev/null
    ;;
  esac
  echo "== $trial"
  hack/vm/boot.sh "$share" 1800 || status=$?
  cat "$share/out.log"
done
exit $status
