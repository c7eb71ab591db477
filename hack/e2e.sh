#!/usr/bin/env bash
# Sets up, builds, and runs test/e2e: first the kubelet alone, then a whole cluster, each on a Berth of its own.
# usage: hack/e2e.sh [--kill-berth] [jest's arguments]
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
jest=(jest --selectProjects e2e --runInBand)
node hack/cluster.mjs --standalone -- "${jest[@]}" --testPathPatterns standalone
exec node hack/cluster.mjs -- "${jest[@]}" --testPathIgnorePatterns standalone "$@"
