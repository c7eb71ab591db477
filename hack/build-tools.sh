#!/usr/bin/env bash
# Makes build/tools/crictl and build/tools/critest at the version that hack/tools/go.mod pins, unless they are there.
# The Go module proxy in use is the machine's own (GOPROXY).
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/build/tools
stamp=$(cat hack/tools/go.mod hack/tools/go.sum hack/build-tools.sh hack/images/critest.mjs hack/images/image.cjs hack/images/tar.cjs | sha256sum)
if [ -x "$out/crictl" ] && [ -x "$out/critest" ] && [ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ]; then
  exit
fi

wanted=$(sed -n 's/^go //p' hack/tools/go.mod)
go=$(command -v go || ls /usr/local/go/bin/go 2>/dev/null || true)
if [ -z "$go" ]; then
  echo "hack/build-tools.sh: Go $wanted or later is needed to build crictl and critest, and Debian 12's golang (1.19) is" \
    "too old. Install it from https://go.dev/dl so that \`go\` is in PATH or in /usr/local/go." >&2
  exit 1
fi
have=$("$go" env GOVERSION | sed 's/^go//')
# From 1.21 on, Go fetches the newer toolchain that a module asks for, where the machine lets it.
oldest=$([ "$("$go" env GOTOOLCHAIN)" = local ] && echo "$wanted" || echo 1.21)
if [ "$(printf '%s\n' "$oldest" "$have" | sort -V | head -n1)" != "$oldest" ]; then
  echo "hack/build-tools.sh: Go $wanted or later is needed to build crictl and critest; $go is $have" >&2
  exit 1
fi

echo "building crictl and critest (some minutes the first time)"
mkdir -p "$out"
rm -f "$out/stamp"
version=$(sed -n 's#.*sigs.k8s.io/cri-tools \(v[^ ]*\).*#\1#p' hack/tools/go.mod)
cd hack/tools
# Static, so that they also run in a machine of the tests that has another libc. critest is a test binary: its package
# holds no other files.
export CGO_ENABLED=0
flags=(-trimpath "-ldflags=-s -w -X sigs.k8s.io/cri-tools/pkg/version.Version=$version")
"$go" build "${flags[@]}" -o "$out/crictl" sigs.k8s.io/cri-tools/cmd/crictl
# One spec pulls an image by the digest that it has in a public registry, and nobody else can make an image of that
# digest. The digest of our own takes its place; nothing else of critest is changed.
public=9700f9a2f5bf2c45f2f605a0bd3bce7cf37420ec9d3ed50ac2758413308766bf
own=$(node --input-type=module -e 'import { digestImage } from "../images/critest.mjs"; console.log(digestImage().digest.slice(7))')
source=$out/cri-tools
rm -rf "$source"
cp -r "$("$go" list -m -f '{{.Dir}}' sigs.k8s.io/cri-tools)" "$source"
chmod -R u+w "$source"
grep -q "$public" "$source/pkg/validate/consts.go" || {
  echo "hack/build-tools.sh: critest pulls another digest now" >&2
  exit 1
}
sed -i "s/$public/$own/" "$source/pkg/validate/consts.go"
cp go.mod go.sum "$out"
"$go" mod edit -replace "sigs.k8s.io/cri-tools=$source" "$out/go.mod"
"$go" test -c "${flags[@]}" -modfile "$out/go.mod" -o "$out/critest" sigs.k8s.io/cri-tools/cmd/critest
rm -rf "$source" "$out/go.mod" "$out/go.sum"
echo "$stamp" >"$out/stamp"
