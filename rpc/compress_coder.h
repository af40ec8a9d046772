#ifndef PRBAL_RPC_COMPRESS_CODER_H
#define PRBAL_RPC_COMPRESS_CODER_H

#include "rpc/compress.h"

/* What rpc/compress.c asks of one encoding. */

typedef enum {
    CODER_MORE, /* the room was used up, or a part of the input ended */
    CODER_END,  /* the input is complete */
    CODER_BROKEN,
    CODER_NO_MEMORY,
} coder_step;

struct coder_input {
    const uint8_t *bytes;
    size_t size, used;
};

struct coder {
    const char *name;
    void *(*create)(void); /* NULL when memory is short */
    void (*destroy)(void *state);
    /* Forgets what came before. */
    bool (*begin)(void *state);
    /* Inflates until the input or the room ends, and adds to *made. */
    coder_step (*inflate)(void *state, struct coder_input *input, uint8_t *out,
                          size_t room, size_t *made);
    /* The size of the result; 0 when it does not fit into `room`. */
    size_t (*deflate)(void *state, const uint8_t *bytes, size_t size,
                      uint8_t *out, size_t room);
    void (*trim)(void *state); /* NULL: its state does not grow */
};

extern const struct coder gzip_coder; /* rpc/compress_gzip.c */
extern const struct coder zstd_coder; /* rpc/compress_zstd.c */

#endif
