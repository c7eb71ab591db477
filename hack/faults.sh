#!/usr/bin/env bash
# Every step of eight RPCs fails, hangs and is the daemon's last, several times over, and the daemon is killed again and
# again while pods come and go. Prints how many faults were tried and what was lost or left: the tests expect nothing.
# usage: hack/faults.sh [ROUNDS of all steps, 3] [KILLS in bursts of pods, 40]
set -euo pipefail
cd "$(dirname "$0")/.."
hack/setup.sh test
export PATH="$PWD/node_modules/.bin:$PATH"
npm run --silent build
export FAULT_ROUNDS=${1:-3} KILL_ROUNDS=${2:-40}
exec jest --selectProjects integration --runInBand --silent=false \
  --testPathPatterns 'integration/(fault-points|kill-under-load|calls-at-once)'
