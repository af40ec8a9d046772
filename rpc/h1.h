#ifndef PRBAL_RPC_H1_H
#define PRBAL_RPC_H1_H

#include "rpc/h1_reader.h"
#include "rpc/http.h"

/* HTTP/1.1 on a connection, as its files see it:
 *
 *   rpc/h1_reader.c    bytes into requests; strict, and pure
 *   rpc/h1.c           one request after another, and the time limits
 *   rpc/h1_response.c  what goes out
 *
 * One request at a time: what the client sends before its answer is out waits
 * in the socket, and of it at most one read's worth here.  An idle connection
 * owns this struct and no buffer. */
struct h1 {
    struct h1_reader reader;
    struct http_stream *stream; /* NULL between requests */
    /* Read, but not used: a part of a line, or of the next request. */
    char *rest;
    size_t rest_size;
    size_t charged_bytes; /* for it, of the worker's memory budget */
    size_t window_bytes;  /* so much of the body may still come */
    int64_t head_us;      /* when the first byte of this head came */

    /* The response's head until it is sent. */
    char *head;
    size_t head_size, head_sent;
    bool is_head_complete; /* the fields that end it were added */
    bool has_length;       /* of the body, even when that is 0 */
    bool is_chunked;
    bool is_for_head; /* the method: nothing may follow the head */

    bool owes_continue; /* the client waits for "100 Continue" */
    bool closes;        /* after this answer */
    bool is_over;       /* nothing more is sent but what waits */
};

/* Bytes of a body that nobody wants any more are read up to this, so that the
 * connection can go on; a client with more is cut off. */
enum { H1_DISCARD_BYTES_MAX = 64 * 1024 };

extern const struct http_ops h1_ops;

/* The exchange is over, on our side: lets go of the stream, and makes ready
 * for the next request. */
void h1_end_exchange(struct conn *conn);

/* Whether what is left of the request is little enough to be read for nothing.
 */
bool h1_can_discard(const struct h1 *h1);

/* Puts the answer that ends the connection before everything else. */
void h1_put_refusal(struct conn *conn, const struct h1_refusal *refusal);

size_t h1_fill(struct conn *conn, uint8_t *bytes, size_t size);

#endif
