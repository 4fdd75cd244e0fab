#!/bin/bash
# Builds and tests the program.   usage: ./test.sh [--all]
# --all (and CI=true): the sanitizer build, the clang build and the build without vector kernels as well.
# Larger public models are tested where DSPERSE_TEST_DATA names their folder; tests without their data are skipped and counted.
# The last line is "N passed, N failed".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
exec </dev/null
all=
if [ "${1:-}" = --all ] || [ "${CI:-}" = true ]; then all=--all; fi

if [ -z "${DSPERSE_TEST_DATA:-}" ] && [ -d ../shared ]; then
  DSPERSE_TEST_DATA=$(cd ../shared && pwd)
  export DSPERSE_TEST_DATA
fi

tools/setup.sh $all
presets=(release)
if [ -n "$all" ]; then presets+=(asan portable clang); fi

passed=0 failed=0 skipped=0
mkdir -p build
for p in "${presets[@]}"; do
  printf '== %s\n' "$p"
  start=$SECONDS
  log=build/test-$p.log
  if ! { cmake --preset "$p" && cmake --build --preset "$p"; } >"$log" 2>&1; then
    tail -n 60 "$log"
    printf '%s does not build (%s)\n' "$p" "$log"
    failed=$((failed + 1))
    continue
  fi
  printf '%s\n' "built in $((SECONDS - start)) s"
  # Exit status is taken from the summary below.
  ctest --preset "$p" -j "$(nproc)" 2>&1 | tee "$log" || true
  total=$(sed -n 's/^[0-9]*% tests passed, [0-9]* tests failed out of \([0-9]*\).*/\1/p' "$log")
  bad=$(sed -n 's/^[0-9]*% tests passed, \([0-9]*\) tests failed out of .*/\1/p' "$log")
  if [ -z "$total" ]; then
    printf '%s: no test ran\n' "$p"
    failed=$((failed + 1))
    continue
  fi
  left_out=$(grep -c 'Test *#[0-9]*:.*\*\*\*Skipped' "$log" || true)
  passed=$((passed + total - bad - left_out))
  failed=$((failed + bad))
  skipped=$((skipped + left_out))
  printf '%s: %s s\n' "$p" "$((SECONDS - start))"
done
if [ "$skipped" -gt 0 ]; then printf '%s skipped\n' "$skipped"; fi
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
