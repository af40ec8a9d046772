# shellcheck shell=bash
# Sourced by the build of each peer in Go: go_module copies the peer's own files
# beside the stubs of the .proto files, which its go.mod replaces prbal.test/api
# with, so that nothing is generated into the source tree.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../../../.." && pwd)
mkdir -p "$1"
OUT=$(cd "$1" && pwd)
GO=$("$ROOT/scripts/tools" go | tail -1)
# An older Go fetches from the proxy the one that go.mod names.
export GOFLAGS=-modcacherw GOTOOLCHAIN=auto
cd "$ROOT"

go_stubs() {
    scripts/go-stubs prbal.test/api "$OUT/api" tests/rpc/testservice.proto \
        tests/bench/peers/streams.proto
}

go_module() {
    rm -rf "$OUT/module"
    mkdir -p "$OUT/module"
    cp "$HERE"/go.* "$HERE"/*.go "$OUT/module"
    [ ! -d "$HERE/sql" ] || cp -r "$HERE/sql" "$OUT/module"
}

go_serve() { # NAME MODULE
    "$GO" -C "$OUT/module" build -o "$OUT/serve" .
    "$GO" -C "$OUT/module" version -m "$OUT/serve" |
        awk -v name="$1" -v module="$2" '
            NR == 1 { language = substr($2, 3) }
            $1 == "dep" && $2 == module { library = substr($3, 2) }
            END { printf "%s %s, Go %s\n", name, library, language }' >"$OUT/version"
}
