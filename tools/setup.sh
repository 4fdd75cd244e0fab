#!/bin/bash
# Installs what building and running need, and only what is missing:
#   - Debian packages (the list is debian/control's Build-Depends),
#   - the ONNX Runtime library, from its wheel of pinned version and hash, into deps/onnxruntime.
# Needs root or a working sudo only when packages are missing; without either it prints the command for an administrator.
# Nothing missing: no network, nothing changed.   usage: tools/setup.sh [--all]   (--all: clang as well)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf 'setup: %s\n' "$*" >&2; }

have_package() {
  case $1 in
    build-essential)     command -v cc && command -v make && printf '#include <stdlib.h>\nint main(void){return 0;}\n' | cc -x c -o /dev/null - ;;
    cmake)               command -v cmake ;;
    ninja-build)         command -v ninja ;;
    pkg-config)          command -v pkg-config ;;
    libjansson-dev)      pkg-config --exists 'jansson >= 2.13' ;;
    libssl-dev)          pkg-config --exists 'libcrypto >= 3.0' ;;
    libprotobuf-c-dev)   pkg-config --exists 'libprotobuf-c >= 1.3' ;;
    libcmocka-dev)       pkg-config --exists cmocka ;;
    protobuf-c-compiler) command -v protoc-c ;;
    python3)             command -v python3 ;;
    python3-pip)         ort_library >/dev/null || [ -n "$(python_with_pip)" ] ;;
    ca-certificates)     ort_library >/dev/null || [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -n "${SSL_CERT_FILE:-}" ] ;;
    clang)               command -v clang ;;
    *)                   dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed' ;;
  esac >/dev/null 2>&1
}

python_with_pip() {
  local p
  for p in /usr/bin/python3 python3; do
    if "$p" -m pip --version >/dev/null 2>&1; then printf '%s\n' "$p"; return; fi
  done
}

ort_version=$(sed -n 's/^onnxruntime==\([0-9.]*\).*/\1/p' "$root/tools/onnxruntime.txt")
ort_dir=$root/deps/onnxruntime
ort_library() {
  local f
  for f in "${DSPERSE_ORT:-}" "$ort_dir/onnxruntime/capi/libonnxruntime.so.$ort_version"; do
    if [ -n "$f" ] && [ -e "$f" ]; then printf '%s\n' "$f"; return 0; fi
  done
  return 1
}

packages() {
  sed -n '/^Build-Depends:/,/^[^ B]/p' "$root/debian/control" | sed -e 's/^Build-Depends://' -e '/^[^ ]/d' -e 's/([^)]*)//g' -e 's/<[^>]*>//g' |
    tr ',' '\n' | tr -d ' \t' | sed '/^$/d'
  if [ "${1:-}" = --all ]; then printf 'clang\n'; fi
}

missing=()
for p in $(packages "${1:-}"); do
  have_package "$p" || missing+=("$p")
done

if [ ${#missing[@]} -gt 0 ]; then
  as_root=
  if [ "$(id -u)" -ne 0 ]; then as_root=sudo; fi
  say "missing packages: ${missing[*]}"
  if ! command -v apt-get >/dev/null || { [ -n "$as_root" ] && ! { command -v sudo && sudo -n true; } >/dev/null 2>&1; }; then
    say "an administrator must run:  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
    exit 1
  fi
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update </dev/null >&2
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}" </dev/null >&2
fi

if ! ort_library >/dev/null; then
  machine=$(uname -m)
  case $machine in
    x86_64 | aarch64) ;;
    *) say "no ONNX Runtime wheel for $machine: install the library and point DSPERSE_ORT at it"; exit 1 ;;
  esac
  python=$(python_with_pip)
  say "installing the ONNX Runtime $ort_version library into deps/onnxruntime"
  new=$ort_dir.new.$$
  trap 'rm -rf "$new"' EXIT
  # The wheel is used for its shared library alone, so the version of the Python that unpacks it does not matter.
  "$python" -m pip --disable-pip-version-check --no-input install --quiet --no-deps --no-compile --require-hashes --only-binary=:all: \
    --python-version 3.11 --implementation cp --abi cp311 --platform "manylinux_2_28_$machine" \
    --target "$new" -r "$root/tools/onnxruntime.txt" </dev/null >&2 ||
    { say "the ONNX Runtime wheel cannot be installed: it needs the network (pip's index), or point DSPERSE_ORT at the library, version $ort_version"; exit 1; }
  # Keep the library and its licences.
  mkdir -p "$new/keep/onnxruntime/capi"
  mv "$new/onnxruntime/capi/libonnxruntime.so.$ort_version" "$new/keep/onnxruntime/capi/"
  for f in LICENSE ThirdPartyNotices.txt; do
    if [ -e "$new/onnxruntime/$f" ]; then mv "$new/onnxruntime/$f" "$new/keep/onnxruntime/"; fi
  done
  ln -s "onnxruntime/capi/libonnxruntime.so.$ort_version" "$new/keep/libonnxruntime.so"
  rm -rf "$ort_dir"
  mv "$new/keep" "$ort_dir"
fi
say "ready"
