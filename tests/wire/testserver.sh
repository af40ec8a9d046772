# shellcheck shell=bash
# For scripts whose clients call the test services: start_testserver sets PORT
# and SERVER and leaves the certificate in $FOLDER/cert.pem. Sourced after
# kit.sh.
TESTSERVER=$(dirname "$PRBALD")/testserver

start_testserver() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
        -keyout "$FOLDER/key.pem" -out "$FOLDER/cert.pem" 2>/dev/null
    PORT=$(free_port)
    "$TESTSERVER" "127.0.0.1:$PORT" --tls "$FOLDER/cert.pem" "$FOLDER/key.pem" \
        >"$FOLDER/server" 2>&1 </dev/null &
    SERVER=$!
    for _ in $(seq 100); do
        grep -qx "$PORT" "$FOLDER/server" && return
        sleep 0.1
    done
    broken "the server did not start: $(cat "$FOLDER/server")"
}
