#ifndef PRBAL_TESTS_WIRE_CLIENT_H
#define PRBAL_TESTS_WIRE_CLIENT_H

#include "rpc/local.h"

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A client for tests of the wire, on a blocking socket of the calling thread.
 * Nothing of rpc/ is in it.  Any wait that lasts CLIENT_PATIENCE_MS ends the
 * test. */
enum { CLIENT_PATIENCE_MS = 10000, CLIENT_NO_RESET = -1 };

struct client;

struct client_options {
    int port;
    const char *unix_path; /* instead of the port */
    const char *from;      /* an address of the loopback network; or NULL */
    bool tls;
    const char *certificate_path; /* that it shows, with its key; or NULL */
    const char *key_path;
    uint32_t window_bytes;     /* of a stream; 0 = 64 KiB */
    uint32_t header_bytes_max; /* announced; 0 = nothing is announced */
};

struct client *client_open(struct client_options options);
struct client *client_connect(int port);
void client_close(struct client *client);

/* What came back on one stream; owned by the client. */
struct client_field {
    char *name;
    char *value;
    bool is_trailer;
    bool is_unindexed; /* kept out of the compression table */
};

struct client_response {
    int32_t id;
    int http_status;
    struct client_field fields[32];
    int field_count;
    int header_blocks;
    uint8_t *body;
    size_t body_size;
    bool is_closed;
    int64_t reset_code; /* CLIENT_NO_RESET, or of the server's RST_STREAM */
};

/* Opens a stream with these bytes as (the beginning of) its body.  `headers`
 * ends with a row of NULLs, or is NULL; "content-type", ":method" and "te" in
 * it replace the usual ones. */
struct client_response *client_request(struct client *client, const char *path,
                                       const struct rpc_header *headers,
                                       const void *body, size_t size,
                                       bool end_stream);
void client_send(struct client *client, struct client_response *response,
                 const void *body, size_t size, bool end_stream);
/* Until the windows have let all of it go. */
void client_wait_sent(struct client *client, struct client_response *response);
void client_reset(struct client *client, struct client_response *response,
                  uint32_t code);

/* Frees a response that is closed, for who makes many requests. */
void client_forget(struct client *client, struct client_response *response);

/* Lets the peer send as much again; only needed with a window_bytes. */
void client_grant(struct client *client, struct client_response *response,
                  int32_t bytes);

/* Talk until the stream is closed, or its body has so many bytes. */
void client_wait(struct client *client, struct client_response *response);
void client_wait_body(struct client *client, struct client_response *response,
                      size_t size);
/* Until the server has closed the connection. */
void client_wait_closed(struct client *client);
/* Until a PING is answered: what was sent before has been seen. */
void client_ping(struct client *client);

/* What the server says that a stream may send ahead. */
uint32_t client_peer_window(const struct client *client);
/* Until it says so. */
void client_wait_window(struct client *client, uint32_t bytes);
/* PINGs of the server so far. */
int client_pings(const struct client *client);
/* Until the server has sent so many PINGs, which are answered. */
void client_wait_pings(struct client *client, int count);

bool client_is_open(const struct client *client);
/* The last GOAWAY's error code; -1 before there is one. */
int64_t client_goaway_code(const struct client *client);
int32_t client_goaway_last_stream(const struct client *client);
int client_goaway_count(const struct client *client);
const char *client_goaway_text(const struct client *client);

/* NULL when there is none. */
const char *client_field(const struct client_response *response,
                         const char *name);
/* grpc-status; -1 when there is none. */
int client_status(const struct client_response *response);

/* Whether the server showed this certificate. */
bool client_sees_certificate(const struct client *client, const char *path);

/* gRPC's framing around a message. */
size_t client_frame(uint8_t *out, int flag, const void *message, size_t size);

/* --- bytes instead of a session --- */

struct raw;

struct raw *raw_connect(int port);
/* From an address of the loopback network; NULL takes the usual one. */
struct raw *raw_connect_from(int port, const char *from);
struct raw *raw_connect_tls(int port);
/* Over TLS, if so, with http/1.1 agreed upon. */
struct raw *raw_connect_http1(int port, bool tls);
void raw_close(struct raw *raw);
void raw_send(struct raw *raw, const void *bytes, size_t size);
/* The preface, SETTINGS and the acknowledgement of the server's. */
void raw_greet(struct raw *raw);
void raw_frame(struct raw *raw, uint8_t type, uint8_t flags, uint32_t stream,
               const void *payload, size_t size);
/* A gRPC request's header block, with one more field unless `name` is NULL. */
size_t raw_headers(struct raw *raw, uint8_t *out, size_t room, const char *path,
                   const char *name, const char *value);

/* What the server sent until it closed: the counts of its frames by type, and
 * its last GOAWAY. */
struct raw_end {
    int frames[16];
    int64_t goaway_code; /* -1 = none */
    char goaway_text[64];
};
struct raw_end raw_wait_closed(struct raw *raw);
/* What it sent until it closed or the room is full, as text; its size. */
size_t raw_wait_text(struct raw *raw, char *text, size_t room);
/* Until so many frames of a type have come; false when it was closed first. */
bool raw_wait_frames(struct raw *raw, uint8_t type, int count);
/* How many of a type have been read. */
int raw_frames(const struct raw *raw, uint8_t type);
/* Frames that came so far are read and counted; false once it is closed. */
bool raw_read_available(struct raw *raw);

#endif
