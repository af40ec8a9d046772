#ifndef PRBAL_TESTS_RPC_BADSERVER_H
#define PRBAL_TESTS_RPC_BADSERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A server that says what a test wants, right or wrong: HTTP/2 frames by hand,
 * on a thread of its own, one connection at a time.
 *
 * The script runs once for each connection, after the client's preface was read
 * and empty SETTINGS were sent.  When it returns the connection is closed.
 * Waiting longer than BAD_PATIENCE_MS ends the script's wait with false. */
enum { BAD_PATIENCE_MS = 10000 };

struct bad_server;
struct bad; /* a connection */

struct bad_server *bad_server_start(void (*script)(struct bad *bad));
/* The same without a word: not even SETTINGS. */
struct bad_server *bad_server_start_mute(void (*script)(struct bad *bad));
int bad_server_port(const struct bad_server *server);
/* Joins the thread. */
void bad_server_stop(struct bad_server *server);

/* How many connections came before this one. */
int bad_index(const struct bad *bad);

void bad_send(struct bad *bad, const void *bytes, size_t size);
void bad_frame(struct bad *bad, uint8_t type, uint8_t flags, uint32_t stream,
               const void *payload, size_t size);

/* A header block of names and values, ending with NULL. */
void bad_headers(struct bad *bad, uint32_t stream, bool is_last,
                 const char *const *fields);
/* ":status 200", gRPC's content type. */
void bad_open(struct bad *bad, uint32_t stream);
/* grpc-status. */
void bad_trailers(struct bad *bad, uint32_t stream, const char *status);
/* One gRPC message: EchoResponse{text}. */
void bad_message(struct bad *bad, uint32_t stream, const char *text);
/* All three. */
void bad_answer(struct bad *bad, uint32_t stream, const char *text);
void bad_reset(struct bad *bad, uint32_t stream, uint32_t code);
void bad_goaway(struct bad *bad, uint32_t last_stream, uint32_t code,
                const char *text);

/* Until a frame of this type came that has these flags; acknowledges what must
 * be.  False when the client is gone. */
struct bad_frame {
    uint8_t type, flags;
    uint32_t stream;
    size_t size;
    uint8_t payload[64]; /* its beginning */
};
bool bad_wait(struct bad *bad, uint8_t type, uint8_t flags,
              struct bad_frame *frame);
/* Until the end of a request came: its stream, or 0.  In the order of arrival,
 * also of those that came while something else was waited for. */
uint32_t bad_request(struct bad *bad);
/* Whether one is there already. */
bool bad_has_request(const struct bad *bad);
/* Until the client has closed. */
void bad_wait_closed(struct bad *bad);

#endif
