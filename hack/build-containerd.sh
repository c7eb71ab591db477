#!/usr/bin/env bash
# Makes build/containerd/{containerd,containerd-shim-runc-v2}, for measurements beside Berth's (hack/fill-node.mjs),
# unless they are there. The Go module proxy in use is the machine's own (GOPROXY).
set -euo pipefail
cd "$(dirname "$0")/.."
version=v2.4.2
out=$PWD/build/containerd
if [ -x "$out/containerd-shim-runc-v2" ] && "$out/containerd" --version | grep -qF " $version "; then
  exit
fi

go=$(command -v go || ls /usr/local/go/bin/go 2>/dev/null || true)
if [ -z "$go" ]; then
  echo "hack/build-containerd.sh: Go is needed to build containerd. Install it from https://go.dev/dl so that \`go\` is in" \
    "PATH or in /usr/local/go." >&2
  exit 1
fi
echo "building containerd $version (some minutes)"
mkdir -p "$out"
rm -f "$out"/containerd*
module=github.com/containerd/containerd/v2
CGO_ENABLED=0 GOBIN=$out "$go" install -trimpath "-ldflags=-s -w -X $module/version.Version=$version" \
  $module/cmd/{containerd-shim-runc-v2,containerd}@$version
