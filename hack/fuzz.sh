#!/usr/bin/env bash
# Sets up and runs hack/fuzz.mjs, whose arguments these are: [--seconds N] [--seed N] [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
hack/setup.sh
export PATH="$PWD/node_modules/.bin:$PATH"
node hack/generate-api.mjs
exec node hack/fuzz.mjs "$@"
