#!/usr/bin/env bash
# Sets up, builds, and runs hack/bench.mjs, whose arguments these are.
set -euo pipefail
cd "$(dirname "$0")/.."
hack/setup.sh test
export PATH="$PWD/node_modules/.bin:$PATH"
npm run --silent build
exec node hack/bench.mjs "$@"
