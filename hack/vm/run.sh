#!/usr/bin/env bash
# The job of the virtual machine, run in its /mnt/share: brings the project into /opt/berth, as a node has it, and goes on
# with hack/vm/guest.mjs. The npm packages are used where they are (9p), for they are many.
set -euo pipefail
mount_directory() { # by its tag
  mkdir -p "$2"
  mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose "$1" "$2"
}
mkdir -p /opt/berth/build
cd /mnt/project
cp -a api bin cni cri dist hack images manifests oci sys test jest.config.cjs package.json tsconfig.json /opt/berth
cp -a build/tools /opt/berth/build
mount_directory modules /opt/berth/node_modules
cd /opt/berth
export PATH=$PWD/node_modules/.bin:$PATH
exec node hack/vm/guest.mjs /mnt/share "$@"
