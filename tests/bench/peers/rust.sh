# shellcheck shell=bash
# Sourced by the build of each peer in Rust. Cargo sees by itself what has changed.
set -euo pipefail
# shellcheck source=tests/bench/peers/kit.sh
source "$(dirname "${BASH_SOURCE[0]}")/kit.sh"
export CARGO_HOME=$ROOT/.tools/cargo CARGO_TARGET_DIR=$OUT/target

pinned() { # CRATE
    grep -A1 "^name = \"$1\"" "$HERE/Cargo.lock" | sed -n 's/^version = "\(.*\)"/\1/p'
}

cargo_serve() {
    cargo build --release --locked --quiet
    cp --update --remove-destination "$OUT/target/release/serve" "$OUT/serve"
}

version() { # TEXT
    echo "$1, Rust $(rustc --version | cut -d' ' -f2)" >"$OUT/version"
}
