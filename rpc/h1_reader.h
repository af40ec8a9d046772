#ifndef PRBAL_RPC_H1_READER_H
#define PRBAL_RPC_H1_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads HTTP/1.1 requests (RFC 9112), and only those whose end every other
 * reader sees at the same byte: what two readers understand differently is how
 * requests are smuggled past a proxy.
 *
 *   REQUEST LINE -> FIELDS -> [ LENGTH | CHUNK SIZE -> CHUNK -> CHUNK END ]
 *                                            ^                     |
 *                                            +---------------------+
 *                -> [ TRAILERS ] -> ENDED
 *
 * Where RFC 9112 lets a recipient be lenient, this one refuses: a line ends
 * with CR LF, a field is not folded, there is no blank before a colon, one
 * Host, one Content-Length of digits or "chunked" and never both, no chunk
 * extension, no HTTP/1.0, no absolute target, no empty line before a request.
 *
 * It has no I/O, no clock and no memory but the struct. */

typedef enum {
    H1_MORE,    /* the rest is no whole line; come again with it and more */
    H1_REQUEST, /* name = method, value = target */
    H1_FIELD,   /* name in lower case, value without outer blanks */
    H1_HEAD,    /* the last field was read: see the struct for what they said */
    H1_BODY,    /* value = a piece of the body */
    H1_END,     /* the request is complete; what follows is the next one */
    H1_REFUSED, /* reader->refusal says why; nothing more can be read */
} h1_event;

/* What to answer before closing.  Literals. */
struct h1_refusal {
    const char *status;   /* "400 Bad Request"; NULL: no answer */
    const char *reason;   /* for the metrics: "http1_bare_line_feed" */
    const char *sentence; /* for a person */
};

/* Points into the bytes that were read. */
struct h1_piece {
    size_t used; /* so many bytes are done with */
    char *name;
    size_t name_size;
    char *value;
    size_t value_size;
};

enum {
    /* With the three of the request line; and as many trailers. */
    H1_FIELDS_MAX = 200,
    H1_LINE_FIELDS = 3,
    /* A field costs this besides its text, as in RFC 9113 6.5.2, so that both
     * HTTP versions have one limit. */
    H1_FIELD_OVERHEAD_BYTES = 32,
    /* The largest chunk is 4 GiB - 1: its window bounds what is read. */
    H1_CHUNK_DIGITS_MAX = 8,
    /* No request of 10^18 bytes is meant. */
    H1_LENGTH_DIGITS_MAX = 18,
};

typedef enum {
    H1_READ_REQUEST_LINE,
    H1_READ_FIELDS,
    H1_READ_LENGTH,
    H1_READ_CHUNK_SIZE,
    H1_READ_CHUNK,
    H1_READ_CHUNK_END,
    H1_READ_TRAILERS,
    H1_READ_ENDED,
} h1_stage;

struct h1_reader {
    h1_stage stage;
    uint32_t header_bytes_max;
    uint32_t header_bytes; /* so far, with the overhead of each field */
    uint32_t field_count;
    uint64_t body_left; /* of Content-Length, or of the chunk */
    const struct h1_refusal *refusal;
    bool is_options;
    bool has_host;
    bool has_length;
    bool is_chunked;
    bool expects_continue; /* Expect: 100-continue */
    bool wants_close;      /* Connection: close */
};

/* For the next request.  A line, and all fields together, have at most
 * `header_bytes_max`. */
void h1_reader_init(struct h1_reader *reader, uint32_t header_bytes_max);

/* The next thing in bytes[size], which it may change (names become lower case).
 * To be called again with what is behind piece->used, until it answers H1_MORE,
 * H1_END or H1_REFUSED. */
h1_event h1_read(struct h1_reader *reader, char *bytes, size_t size,
                 struct h1_piece *piece);

/* Whether the head is complete, and whether all of the request is. */
static inline bool h1_reader_has_head(const struct h1_reader *reader)
{
    return reader->stage > H1_READ_FIELDS;
}

static inline bool h1_reader_has_ended(const struct h1_reader *reader)
{
    return reader->stage == H1_READ_ENDED;
}

/* Whether the head announced a body. */
static inline bool h1_reader_expects_body(const struct h1_reader *reader)
{
    return reader->is_chunked || reader->body_left > 0;
}

/* Whether a connection option or another field of the hop only: it is of no
 * concern to whom the request is for (RFC 9110 7.6.1). */
bool h1_is_hop_by_hop(const char *name, size_t size);

#endif
