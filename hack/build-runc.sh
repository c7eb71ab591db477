#!/usr/bin/env bash
# Makes build/tools/runc for the tests of user namespaces, unless it is there or the machine's own crun or runc can map
# the IDs of mounts (runc from 1.2 on, crun from 1.9 on): Debian 12 has older ones. Berth itself takes what the machine
# has. The Go module proxy in use is the machine's own (GOPROXY).
set -euo pipefail
cd "$(dirname "$0")/.."
version=v1.5.2
out=$PWD/build/tools

maps_ids() {
  command -v "$1" >/dev/null && "$1" features 2>/dev/null | tr -d '[:space:]' | grep -q '"idmap":{"enabled":true'
}

for runtime in crun runc; do
  if maps_ids "$runtime"; then
    rm -f "$out/runc"
    exit
  fi
done
if [ -x "$out/runc" ] && "$out/runc" --version | grep -qx "runc version ${version#v}"; then
  exit
fi

go=$(command -v go || ls /usr/local/go/bin/go 2>/dev/null || true)
if [ -z "$go" ]; then
  echo "hack/build-runc.sh: Go is needed to build runc. Install it from https://go.dev/dl so that \`go\` is in PATH or in" \
    "/usr/local/go." >&2
  exit 1
fi
echo "building runc $version, for the machine's own runtimes cannot map the IDs of mounts"
mkdir -p "$out"
rm -f "$out/runc"
# Part of runc is C, and libseccomp is linked. Under go install it says no version but the module's.
CGO_ENABLED=1 GOBIN=$out "$go" install -trimpath -tags seccomp "-ldflags=-s -w" "github.com/opencontainers/runc@$version"
