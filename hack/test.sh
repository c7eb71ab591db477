#!/usr/bin/env bash
# Everything that is tested, cheap checks first: lint, types, the arrows between the rooms, dependencies, unit tests, the
# build, and integration tests on the real parts. Goes on after a failure, to tell of all; exits non-zero if there was
# one. Leaves build/test-results/*.json, which hack/test-summary.mjs reads.
# usage: hack/test.sh [a part: lint types arrows dependencies unit build integration]...
set -euo pipefail
cd "$(dirname "$0")/.."
hack/setup.sh test
export PATH="$PWD/node_modules/.bin:$PATH"
results=build/test-results
mkdir -p $results
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(lint types arrows dependencies unit build integration)

node hack/generate-api.mjs # types and tests want it

colours=()
[ -t 1 ] || colours=(--colors=off) # biome colours its output in CI, letter by letter
failed=()
for part in "${parts[@]}"; do
  rm -f "$results/$part.json"
  case $part in
  lint) command=(biome ci --error-on-warnings --diagnostic-level=warn "${colours[@]}" .) ;;
  types) command=(npm run --silent typecheck) ;;
  arrows) command=(depcruise api sys cni images oci cri) ;;
  dependencies) command=(node hack/check-dependencies.mjs) ;;
  unit) command=(jest --selectProjects unit) ;;
  build) command=(npm run --silent build) ;;
  # One at a time: two cores, and what one leaves behind is then that one's.
  integration) command=(jest --selectProjects integration --runInBand) ;;
  *)
    echo "hack/test.sh: no such part: $part" >&2
    exit 2
    ;;
  esac
  echo "== $part"
  if [ "${command[0]}" = jest ]; then
    command+=(--json --outputFile "$results/$part.json" --passWithNoTests)
    # The JSON goes to the file; what people read is on the standard error.
    "${command[@]}" >/dev/null || failed+=("$part")
  elif "${command[@]}"; then
    echo '{"numPassedTests":1,"numFailedTests":0}' >"$results/$part.json"
  else
    echo '{"numPassedTests":0,"numFailedTests":1}' >"$results/$part.json"
    failed+=("$part")
  fi
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi
