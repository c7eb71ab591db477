#!/usr/bin/env bash
# Sets up, builds, and runs test/e2e: first the kubelet alone, then a whole cluster, each on a Berth of its own.
# Leaves build/test-results/e2e*.json, which hack/test-summary.mjs reads.
# usage: hack/e2e.sh [--kill-berth] [jest's arguments, such as the name of a file: then the cluster alone]
#   --kill-berth   kills berthd with SIGKILL before each file of tests, while the cluster's pods run
set -euo pipefail
cd "$(dirname "$0")/.."
export BERTH_E2E_KILL=0
if [ "${1-}" = --kill-berth ]; then
  export BERTH_E2E_KILL=1
  shift
fi
hack/setup.sh cluster
export PATH="$PWD/node_modules/.bin:$PATH"
npm run --silent build
results=build/test-results
mkdir -p $results
rm -f $results/e2e*.json
# The JSON goes to the file; what people read is on the standard error.
options=(--selectProjects e2e --runInBand --json --outputFile)
status=0
if [ $# -eq 0 ]; then
  node hack/cluster.mjs --standalone -- jest standalone "${options[@]}" $results/e2e-standalone.json >/dev/null || status=1
fi
node hack/cluster.mjs -- jest "$@" --testPathIgnorePatterns standalone "${options[@]}" $results/e2e.json >/dev/null ||
  status=1
exit $status
