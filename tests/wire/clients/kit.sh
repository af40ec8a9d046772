# shellcheck shell=bash
# Sourced by each client's build. Sets HERE, ROOT, OUT (what is made goes there)
# and PROTOS, and ends the build when nothing has changed since the last one.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../../../.." && pwd)
OUT=$ROOT/.tools/clients/$(basename "$HERE")
export PROTO_PATH=$ROOT/proto
cd "$PROTO_PATH"
# shellcheck disable=SC2034 # the builds read it
PROTOS=(prbal/options.proto prbal/v1/*.proto buf/validate/*.proto)
STAMP=$(find "$HERE" prbal buf google grpc/health -type f -print0 | sort -z |
    xargs -0 sha256sum | sha256sum)
cd "$HERE"
[ "$(cat "$OUT/stamp" 2>/dev/null)" != "$STAMP" ] || exit 0
mkdir -p "$OUT"
echo "Building the client $(basename "$HERE")"

built() {
    echo "$STAMP" >"$OUT/stamp"
}
