#!/usr/bin/env bash
# In the installer's container: puts the release on the host and runs `berth node install` there as a transient service,
# for the pods of this node, this one among them, end while the runtime is switched. Sleeps where all is done.
# NODE is the node's name, HOST where the host's filesystem is mounted, RELEASE where the image has berth-* and kubectl.
set -euo pipefail
HOST=${HOST:-/host}
RELEASE=${RELEASE:-/release}
on_host() { nsenter --target 1 --mount --uts --ipc --net --pid -- "$@"; }

release=$(basename "$RELEASE"/berth-*)
if [ ! -d "$HOST/opt/$release" ]; then
  # whole or not at all: it gets its name last
  rm -rf "$HOST/opt/.$release.partial"
  cp -a "$RELEASE/$release" "$HOST/opt/.$release.partial"
  mkdir -p "$HOST/opt/.$release.partial/libexec"
  cp "$RELEASE/kubectl" "$HOST/opt/.$release.partial/libexec/kubectl"
  mv "$HOST/opt/.$release.partial" "$HOST/opt/$release"
fi
ln -sfn "$release" "$HOST/opt/berth"

if on_host env PATH="/opt/berth/libexec:$PATH" /opt/berth/bin/berth node verify --node "$NODE"; then
  exec sleep infinity
fi
on_host systemd-run --collect --unit=berth-node-install --setenv=PATH="/opt/berth/libexec:$PATH" \
  /opt/berth/bin/berth node install --node "$NODE" || true # it runs already
# The service ends this pod; the kubelet starts it again on Berth, and then verify succeeds.
sleep 600
exit 1
