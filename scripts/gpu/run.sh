#!/usr/bin/env bash
# Kernel tests, sanitizers, benchmarks and training on this machine: `bash run.sh help`. Needs bash and coreutils.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
unpacked=${FTWT_UNPACK:-$here}/unpacked-@ID@

fail() {
  echo "run.sh: $1" >&2
  exit 1
}

# The libraries beside this script serve where the system lacks them.
start_node() {
  "$unpacked/node" --version >/dev/null 2>&1 ||
    export LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  "$unpacked/node" --version >/dev/null ||
    fail "Node does not start here: expected x86-64 Linux with glibc >= @GLIBC@"
}

if [[ ! -d $unpacked/app ]]; then
  echo "run.sh: unpacking, once" >&2
  mkdir -p "$unpacked" 2>/dev/null ||
    fail "$unpacked cannot be made: set FTWT_UNPACK to a folder that can be written, with 200 MB of room"
  LD_LIBRARY_PATH=$here/lib "$here/xz" -dc "$here/node.xz" >"$unpacked/node.$$" || {
    rm -f "$unpacked/node.$$"
    fail "node.xz cannot be unpacked: expected x86-64 Linux with glibc >= @GLIBC@, and 200 MB of room in $unpacked"
  }
  chmod +x "$unpacked/node.$$"
  mv "$unpacked/node.$$" "$unpacked/node"
  start_node
  "$unpacked/node" "$here/unpack.mjs" "$here/app.xz" "$unpacked/app" || fail "unpacking failed"
else
  start_node
fi

export FTWT_BUNDLE=$here FTWT_UNPACKED=$unpacked
exec "$unpacked/node" "$unpacked/app/scripts/gpu/host/main.mjs" "$@"
