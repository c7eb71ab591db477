#!/usr/bin/env bash
# Makes build/kubernetes/{kubelet,kube-apiserver,kube-controller-manager,kube-scheduler,kube-proxy,kubectl,agnhost} at the
# version that hack/kubernetes/go.mod pins, and coredns at that of hack/kubernetes/coredns/go.mod, unless they are there.
# The first time takes some 15 minutes on two cores, and 6 GB for Go's caches. The Go module proxy in use is the
# machine's own (GOPROXY).
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/build/kubernetes
programs=(kubelet kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubectl agnhost coredns)
stamp=$(cat hack/kubernetes/go.* hack/kubernetes/coredns/* hack/build-kubernetes.sh | sha256sum)
there=true
for program in "${programs[@]}"; do [ -x "$out/$program" ] || there=false; done
if $there && [ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ]; then
  exit
fi

go=$(command -v go || ls /usr/local/go/bin/go 2>/dev/null || true)
if [ -z "$go" ]; then
  echo "hack/build-kubernetes.sh: Go is needed to build Kubernetes. Install it from https://go.dev/dl so that \`go\` is in" \
    "PATH or in /usr/local/go." >&2
  exit 1
fi
echo "building Kubernetes (some 15 minutes the first time)"
mkdir -p "$out"
rm -f "$out/stamp"
version=$(cd hack/kubernetes && "$go" list -m -f '{{.Version}}' k8s.io/kubernetes)
IFS=. read -r major minor _ <<<"${version#v}"
link="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  link+=" -X $package.gitVersion=$version -X $package.gitMajor=$major -X $package.gitMinor=$minor"
  link+=" -X $package.gitTreeState=clean"
done
# Static, so that agnhost and coredns run in images that hold nothing else.
export CGO_ENABLED=0
(cd hack/kubernetes && "$go" build -trimpath -ldflags "$link" -o "$out/" tool)
(cd hack/kubernetes/coredns && "$go" build -trimpath -ldflags "-s -w" -o "$out/coredns" .)
echo "$stamp" >"$out/stamp"
