#!/usr/bin/env bash
# Installs what is missing, builds Berth, and shows a pod: see hack/quickstart.mjs.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ]; then
  echo "hack/quickstart.sh: a container runtime needs root: sudo npm run quickstart" >&2
  exit 1
fi
hack/setup.sh run
export PATH="$PWD/node_modules/.bin:$PATH"
npm run --silent build
exec node hack/quickstart.mjs
