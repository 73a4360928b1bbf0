#!/usr/bin/env bash
# Kernel tests, sanitizers, benchmarks and training on this machine: `bash run.sh help`. Needs bash and coreutils.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
base=${FTWT_UNPACK:-$here}
[[ $base == /* ]] || base=$PWD/$base
unpacked=$base/unpacked-@ID@

fail() {
  echo "run.sh: $1" >&2
  exit 1
}

# The unpacked libraries serve where the system lacks them.
start_node() {
  "$unpacked/node" --version >/dev/null 2>&1 ||
    export LD_LIBRARY_PATH="$unpacked/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  "$unpacked/node" --version >/dev/null ||
    fail "Node does not start here: expected x86-64 Linux with glibc >= @GLIBC@"
}

decompress() {
  LD_LIBRARY_PATH=$here/lib "$here/xz" -dc "$1" >"$2.$$" || {
    rm -f "$2.$$"
    fail "$1 cannot be unpacked: expected x86-64 Linux with glibc >= @GLIBC@, and 200 MB of room in $unpacked"
  }
  chmod +x "$2.$$"
  mv "$2.$$" "$2"
}

if [[ ! -d $unpacked/app ]]; then
  echo "run.sh: unpacking, once" >&2
  mkdir -p "$unpacked/lib" 2>/dev/null ||
    fail "$unpacked cannot be made: set FTWT_UNPACK to a folder that can be written, with 200 MB of room"
  for archive in "$here"/lib/*.xz "$here/node.xz"; do
    name=${archive#"$here/"}
    decompress "$archive" "$unpacked/${name%.xz}"
  done
  start_node
  "$unpacked/node" "$here/unpack.mjs" "$here/app.xz" "$unpacked/app" || fail "unpacking failed"
else
  start_node
fi

export FTWT_BUNDLE=$here FTWT_UNPACKED=$unpacked
exec "$unpacked/node" "$unpacked/app/scripts/gpu/host/main.mjs" "$@"
