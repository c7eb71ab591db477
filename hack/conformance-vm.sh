#!/usr/bin/env bash
# Sets up, builds, makes a virtual machine, and runs critest against Berth in it. The arguments are
# hack/conformance-vm.mjs's.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ]; then
  echo "hack/conformance-vm.sh: making the machine's image needs root: sudo npm run conformance:vm" >&2
  exit 1
fi
hack/setup.sh vm
export PATH="$PWD/node_modules/.bin:$PATH"
npm run --silent build
hack/vm/build-image.sh
exec node hack/conformance-vm.mjs "$@"
