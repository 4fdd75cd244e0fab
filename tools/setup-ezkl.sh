#!/bin/bash
# Installs the ezkl Python package, version and hash pinned in tools/ezkl.txt, into a virtual environment of its own, deps/ezkl.
# There already: no network, nothing changed.   usage: tools/setup-ezkl.sh
# Ends with the interpreter's path on stdout. Optional: everything but the backend "ezkl" works without it.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dir=$root/deps/ezkl
version=$(sed -n 's/^ezkl==\([0-9.]*\).*/\1/p' "$root/tools/ezkl.txt")

say() { printf 'setup-ezkl: %s\n' "$*" >&2; }

installed() {
  [ "$("$dir/bin/python" -c 'import ezkl; print(ezkl.__version__)' 2>/dev/null)" = "$version" ]
}

python_with_pip() {
  local p
  for p in python3 /usr/bin/python3; do
    if "$p" -m pip --version >/dev/null 2>&1; then printf '%s\n' "$p"; return; fi
  done
}

if ! installed; then
  machine=$(uname -m)
  if [ "$machine" != x86_64 ]; then
    say "no hash is pinned for a wheel of ezkl $version on $machine"
    exit 1
  fi
  python=$(python_with_pip)
  if [ -z "$python" ]; then
    as_root=
    if [ "$(id -u)" -ne 0 ]; then as_root=sudo; fi
    if ! command -v apt-get >/dev/null || { [ -n "$as_root" ] && ! { command -v sudo && sudo -n true; } >/dev/null 2>&1; }; then
      say "an administrator must run:  apt-get update && apt-get install -y --no-install-recommends python3 python3-pip ca-certificates"
      exit 1
    fi
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update </dev/null >&2
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends python3 python3-pip ca-certificates </dev/null >&2
    python=$(python_with_pip)
  fi
  if [ -z "$python" ]; then
    say "no Python 3 with pip was found"
    exit 1
  fi
  say "installing ezkl $version into deps/ezkl"
  # Without pip of its own the environment needs no further Debian package; the outer pip fills it.
  mkdir -p "$root/deps"
  new=$dir.new.$$
  trap 'rm -rf "$new"' EXIT
  "$python" -m venv --without-pip "$new"
  site=$("$new/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  PIP_ROOT_USER_ACTION=ignore "$python" -m pip --disable-pip-version-check --no-input install --quiet --no-deps --no-compile --require-hashes --only-binary=:all: \
    --target "$site" -r "$root/tools/ezkl.txt" </dev/null >&2
  rm -rf "$dir"
  mv "$new" "$dir"
  if ! installed; then
    say "ezkl $version was installed and cannot be imported"
    exit 1
  fi
fi
say "ready: ezkl $version"
printf '%s\n' "$dir/bin/python"
