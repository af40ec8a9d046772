# shellcheck shell=bash
# Sourced by a peer's `build OUT`. Sets HERE (the peer's folder), ROOT (of the
# repository), OUT and PROTOC (protoc and where it finds every .proto file).
#
#   begin VERSION    ends the build if nothing has changed since the last one
#   built VERSION    notes what has been built
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../../../.." && pwd)
[ $# = 1 ] || {
    echo "usage: $0 OUT" >&2
    exit 2
}
mkdir -p "$1"
OUT=$(cd "$1" && pwd)
cd "$HERE"
# shellcheck disable=SC2034 # the builds read it
PROTOC=(protoc -I "$ROOT/proto" -I "$ROOT/tests/rpc")

# What the build is made of besides the peer's folder and the .proto files.
SHARED=("$HERE/../kit.sh")

# The version is part of it: a newer runtime of the machine is built for anew.
stamp() { # VERSION
    {
        echo "$1"
        find "$HERE" "${SHARED[@]}" "$ROOT/tests/rpc/testservice.proto" \
            "$ROOT/proto" -type f -print0 | sort -z | xargs -0 sha256sum
    } | sha256sum
}

begin() { # VERSION
    [ "$(cat "$OUT/stamp" 2>/dev/null)" != "$(stamp "$1")" ] || exit 0
    rm -f "$OUT/stamp"
}

built() { # VERSION
    echo "$1" >"$OUT/version"
    stamp "$1" >"$OUT/stamp"
}
