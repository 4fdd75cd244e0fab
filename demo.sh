#!/bin/bash
# Sets up, builds, then slices, compiles, runs, proves and verifies models/net, and prints what each slice took.
# usage: ./demo.sh [MODEL_DIR]     The work happens in a copy, build/demo/<model>, made afresh every time.
set -euo pipefail
caller=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"
root=$PWD
exec </dev/null
model=$root/models/net
if [ $# -gt 0 ]; then model=$(cd "$caller" && cd "$1" && pwd); fi

tools/setup.sh
mkdir -p build/demo
printf 'building\n' >&2
if ! { cmake --preset release && cmake --build --preset release --target dsperse; } >build/demo/build.log 2>&1; then
  tail -n 40 build/demo/build.log >&2
  exit 1
fi
work=build/demo/$(basename "$model")
rm -rf "$work"
mkdir -p "$work"
cp "$model"/model.onnx "$model"/input.json "$work"/
build/dsperse full-run -m "$work" --yes
