#!/usr/bin/env bash
# Sets up, builds, and runs critest against Berth. The arguments are hack/conformance.mjs's.
set -euo pipefail
cd "$(dirname "$0")/.."
hack/setup.sh conformance
export PATH="$PWD/node_modules/.bin:$PATH"
npm run --silent build
exec node hack/conformance.mjs "$@"
