#!/usr/bin/env bash
# Tries Berth as a new operator would, on a Debian 13 with systemd and nothing of Berth's: makes a release, a kubelet and a
# virtual machine, and runs hack/vm/install-trial.sh in it. Leaves build/install-vm/out.log. Some ten minutes once
# everything is built. Wants root, as the machine's image does.
# usage: hack/install-vm.sh
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ]; then
  echo "hack/install-vm.sh: making the machine's image needs root: sudo npm run install:vm" >&2
  exit 1
fi
hack/setup.sh vm
export PATH="$PWD/node_modules/.bin:$PATH"
share=build/install-vm
rm -rf $share
mkdir -p $share
node hack/generate-api.mjs
node hack/release/release.mjs --out $share amd64
hack/vm/build-image.sh
hack/build-kubernetes.sh
cp build/kubernetes/kubelet build/tools/crictl $share
node hack/make-busybox-archive.mjs $share/busybox.tar
cp hack/vm/install-trial.sh $share/run.sh
status=0
hack/vm/boot.sh $share 1200 || status=$?
cat $share/out.log
exit $status
