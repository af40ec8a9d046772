# shellcheck shell=bash
# Sourced by the build of a Python peer, after kit.sh.
#
#   python_version NAME...   "grpcio 1.85.1, Python 3.11.2", of requirements.txt
#   python_venv              OUT/venv has what requirements.txt pins; an unchanged
#                            one is kept
#   python_serve             OUT/app is the peer's code with python/, which all of
#                            them share; OUT/serve starts serve.py
SHARED+=("$HERE/../python.sh" "$HERE/../python")

python_version() {
    local name text=
    for name in "$@"; do
        text+="$name $(sed -nE "s/^$name(\[.*\])?==//p" "$HERE/requirements.txt"), "
    done
    echo "$text$(python3 --version)"
}

python_venv() {
    local wanted
    wanted=$({ python3 --version && cat "$HERE/requirements.txt"; } | sha256sum)
    [ "$(cat "$OUT/venv/stamp" 2>/dev/null)" != "$wanted" ] || return 0
    rm -rf "$OUT/venv"
    python3 -m venv "$OUT/venv"
    "$OUT/venv/bin/pip" install --quiet --disable-pip-version-check \
        --only-binary :all: -r "$HERE/requirements.txt"
    echo "$wanted" >"$OUT/venv/stamp"
}

python_serve() {
    mkdir -p "$OUT/app"
    tar -C "$HERE/../python" -c --exclude=__pycache__ . | tar -C "$OUT/app" -x
    tar -C "$HERE" -c --exclude=__pycache__ --exclude=build . | tar -C "$OUT/app" -x
    "$OUT/venv/bin/python" -m compileall -q "$OUT/app"
    # shellcheck disable=SC2016 # expanded when it runs
    printf '#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\nexec "$here/venv/bin/python" "$here/app/serve.py" "$@"\n' \
        >"$OUT/serve"
    chmod +x "$OUT/serve"
}
