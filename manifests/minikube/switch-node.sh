#!/usr/bin/env bash
# Starts a minikube node with containerd and makes Berth its runtime. Not tried with minikube yet.
# usage: switch-node.sh TARBALL [PROFILE]
set -euo pipefail
tarball=$1
profile=${2:-minikube}
run() { minikube --profile "$profile" ssh -- "$@"; }

minikube start --profile "$profile" --container-runtime=containerd
minikube --profile "$profile" cp "$tarball" /tmp/berth.tar.gz
run 'sudo tar -C /opt -xzf /tmp/berth.tar.gz && sudo ln -sfn "$(ls -d /opt/berth-[0-9]*)" /opt/berth && rm /tmp/berth.tar.gz'
run "sudo env PATH=\"\$(ls -d /var/lib/minikube/binaries/v*):\$PATH\" /opt/berth/bin/berth node install \
  --kubeconfig /var/lib/minikube/kubeconfig --node $profile"
echo "from now on: minikube start --profile $profile --cri-socket=/run/berth/berth.sock"
