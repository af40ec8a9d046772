# shellcheck shell=bash
# What the scripts of tests/wire stand on. Sourced with PRBALD naming the
# program; each test is a function whose name is its promise:
#
#   an_unknown_command_is_refused() {
#       run sreve
#       expect_status 2
#       expect_error 'there is no command "sreve"'
#   }
#   run_tests an_unknown_command_is_refused ...

set -uo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PRBALD=${PRBALD:-$ROOT/build/dev/prbald}
GRPCURL=$ROOT/.tools/bin/grpcurl
[ -x "$GRPCURL" ] || GRPCURL=$(command -v grpcurl) || {
    echo "grpcurl is not here: scripts/tools grpcurl fetches it"
    exit 1
}

# The data folder has to be reachable by the user postgres, and short enough for
# a socket.
FOLDER=$(mktemp -d /tmp/prbal-wire-XXXXXX)
chmod 711 "$FOLDER"
export PRBAL_DATA=$FOLDER/data
unset PRBAL_CONFIG PRBAL_DATABASE_URL
SERVER=

clean_up() {
    stop_server KILL
    # The last PostgreSQL may still be going down.
    for _ in $(seq 100); do
        rm -rf "$FOLDER" 2>/dev/null && break
        sleep 0.1
    done
}
trap clean_up EXIT

failures=0

broken() {
    echo "    $1"
    failures=$((failures + 1))
}

# Runs prbald to its end; its output goes to $FOLDER/out and $FOLDER/err.
run() {
    timeout 60 "$PRBALD" "$@" >"$FOLDER/out" 2>"$FOLDER/err" </dev/null
    STATUS=$?
}

expect_status() {
    [ "$STATUS" = "$1" ] || broken "exit status $STATUS, not $1: $(head -c 300 "$FOLDER/err")"
}

expect_output() {
    grep -qF -- "$1" "$FOLDER/out" || broken "no \"$1\" in: $(head -c 600 "$FOLDER/out")"
}

# The one sentence of a refusal.
expect_error() {
    grep -qF -- "$1" "$FOLDER/err" || broken "no \"$1\" in: $(head -c 600 "$FOLDER/err")"
    [ "$(wc -l <"$FOLDER/err")" -le 2 ] || broken "more than a sentence: $(cat "$FOLDER/err")"
}

expect() { # WHAT COMMAND...
    local what=$1
    shift
    "$@" || broken "$what"
}

# Starts `prbald serve` and waits until it says that it is ready. Sets SERVER,
# its process, and PORT.
start_server() { # ARGUMENT...
    PORT=$(free_port)
    : >"$FOLDER/server"
    "$PRBALD" serve --listen "127.0.0.1:$PORT" --edge-listen "" "$@" \
        >"$FOLDER/server" 2>&1 </dev/null &
    SERVER=$!
    local waited
    for waited in $(seq 600); do
        grep -q '^ready ' "$FOLDER/server" && return 0
        kill -0 "$SERVER" 2>/dev/null || break
        sleep 0.1
    done
    SERVER=
    broken "the server did not start ($waited): $(tail -5 "$FOLDER/server")"
    return 1
}

# Sets STATUS to the server's exit status.
stop_server() { # SIGNAL
    [ -n "$SERVER" ] || return 0
    kill -"${1:-TERM}" "$SERVER" 2>/dev/null
    wait "$SERVER" 2>/dev/null
    STATUS=$?
    SERVER=
}

# Below the range from which the kernel gives ports to clients.  Suites that run
# at a time have a thousand each, so that none takes what another has just found.
free_port() {
    local port first=${PRBAL_FIRST_PORT:-20000} count=12000
    [ -z "${PRBAL_FIRST_PORT:-}" ] || count=1000
    while :; do
        port=$((first + RANDOM % count))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# Calls a method with JSON; the answer is in $FOLDER/out, an error in
# $FOLDER/err.
call() { # METHOD JSON [GRPCURL-ARGUMENT]...
    local method=$1 json=$2
    shift 2
    timeout 30 "$GRPCURL" -cacert "$PRBAL_DATA/tls/cert.pem" "$@" -d "$json" \
        "localhost:$PORT" "$method" >"$FOLDER/out" 2>"$FOLDER/err" </dev/null
    STATUS=$?
}

# The first value of a field in the last answer: `field accessToken`.
field() {
    sed -nE "s/^ *\"$1\": \"?([^\",]*)\"?,?\$/\1/p" "$FOLDER/out" | head -1
}

# The code mailed to an address, a moment after the call has answered.
mailed_code() { # EMAIL
    local mail
    for _ in $(seq 300); do
        mail=$(grep -l "^To: .*$1" "$PRBAL_DATA"/outbox/*.eml 2>/dev/null | sort | tail -1)
        [ -z "$mail" ] || break
        sleep 0.1
    done
    sed -nE 's/^Subject: .*\b([0-9]{6})\b.*/\1/p' "$mail" | head -1
}

# Sets USER_ID, TOKEN, and REFRESH.
# shellcheck disable=SC2034 # the tests read them
sign_up() { # EMAIL TYPE
    call prbal.v1.AuthService/Register "{\"email\":\"$1\",\"password\":\"Quince-jam-77\",\"full_name\":\"Some One\",\"user_type\":\"$2\"}"
    USER_ID=$(field userId)
    TOKEN=$(field accessToken)
    REFRESH=$(field refreshToken)
    call prbal.v1.AuthService/SendEmailOtp "{\"email\":\"$1\",\"purpose\":\"OTP_PURPOSE_VERIFY_EMAIL\"}"
    call prbal.v1.AuthService/VerifyEmailOtp "{\"email\":\"$1\",\"code\":\"$(mailed_code "$1")\"}" \
        -H "authorization: Bearer $TOKEN"
    TOKEN=$(field accessToken)
    [ -n "$TOKEN" ] || broken "no token for $1: $(cat "$FOLDER/err")"
}

# A line for the run's summary (scripts/test): how much of a suite holds.
suite() { # NAME HELD COUNT [REMARK]
    echo "suite: $1: $2 of $3${4:+, $4}"
}

await() { # FILE PATTERN
    for _ in $(seq 600); do
        ! grep -q -- "$2" "$1" || return 0
        sleep 0.1
    done
    broken "no $2 came: $(cat "$1")"
}

run_tests() {
    local test passed=0 failed=0
    for test in "$@"; do
        failures=0
        "$test"
        if [ "$failures" = 0 ]; then
            passed=$((passed + 1))
            echo "ok      $test"
        else
            failed=$((failed + 1))
            grep -sE -A20 "Sanitizer: |runtime error: " "$FOLDER/server"
            echo "FAILED  $test"
        fi
    done
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}
