#!/usr/bin/env bash
# Every fault at its full size: each step of eight RPCs fails, hangs and is the daemon's last, several times over; the
# daemon is killed again and again while pods come and go; the power fails at hundreds of moments of a pull; layers that
# are bombs; 500 pods at once; a long log; hostile requests of every kind, other ones each time. Prints how many faults
# were tried and what was lost or left: the tests expect nothing. An hour on two cores with nothing else to do.
# usage: hack/faults.sh [ROUNDS of all steps, 3] [KILLS in bursts of pods, 40]
set -euo pipefail
cd "$(dirname "$0")/.."
hack/setup.sh test
export PATH="$PWD/node_modules/.bin:$PATH"
npm run --silent build
export FAULT_ROUNDS=${1:-3} KILL_ROUNDS=${2:-40}
export BERTH_FULL=1 BERTH_TEST_PODS=500 BERTH_TEST_LOG_MB=300 HOSTILE_SEED=random HOSTILE_SECONDS=250
exec jest --selectProjects integration --runInBand --silent=false \
  --testPathPatterns 'integration/(fault-points|kill-under-load|calls-at-once|power-loss|bombs|limits|restart|hostile-requests)'
