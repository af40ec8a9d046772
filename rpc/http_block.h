#ifndef PRBAL_RPC_HTTP_BLOCK_H
#define PRBAL_RPC_HTTP_BLOCK_H

#include "rpc/http.h"

/* Header fields of a response, with the texts they point at, as one object of
 * the loop's pool: pool_free() it after it was sent.  Whoever builds one counts
 * first; no field needs an allocation of its own. */
struct http_block {
    size_t count;
    size_t capacity;
    size_t list_bytes; /* as RFC 9113 6.5.2 counts */
    char *text;        /* where the next text goes */
    struct http_header fields[];
};

/* Adds what these will take as header fields to *count and *bytes: the name
 * with a prefix of so many bytes, and the value, "-bin" in base64. */
void http_block_measure(const struct rpc_field *fields, size_t prefix_size,
                        size_t *count, size_t *bytes);

struct http_block *http_block_create(struct pool *pool, size_t count,
                                     size_t bytes);

/* The texts outlive the block. */
void http_block_add(struct http_block *block, struct http_header field);

/* The value is the `value_size` bytes that were written at block->text; `name`
 * outlives the block. */
void http_block_add_text(struct http_block *block, const char *name,
                         size_t name_size, size_t value_size, uint8_t flags);

/* Metadata, each name behind the prefix. */
void http_block_add_metadata(struct http_block *block,
                             const struct rpc_field *fields,
                             const char *prefix);

#endif
