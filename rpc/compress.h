#ifndef PRBAL_RPC_COMPRESS_H
#define PRBAL_RPC_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How messages may be packed, by the names that grpc-encoding, HTTP's
 * content-encoding and Connect use. */
typedef enum {
    ENCODING_IDENTITY,
    ENCODING_GZIP, /* RFC 1952 */
    ENCODING_ZSTD, /* RFC 8878 */
    ENCODING_COUNT,
} encoding;

/* All of them, for the accept headers. */
#define ENCODINGS_ACCEPTED "identity,gzip,zstd"

const char *encoding_name(encoding which);

/* False when there is none of that name. */
bool encoding_find(const char *name, size_t name_size, encoding *found);

/* What to answer with: the first of a list, separated by commas, that we can
 * make and that makes messages smaller; IDENTITY when there is none.  Clients
 * name first what they like best.  Weights are not compared, but ";q=0" takes
 * a name out of the list (RFC 9110 12.5.3). */
encoding encoding_choose(const char *accepted);

/* The states of all encodings and one output buffer, for one thread: made when
 * first needed and used again. */
struct compress;

struct compress *compress_create(void);
void compress_destroy(struct compress *compress); /* accepts NULL */

/* For a client, who has asked for what comes: bytes_max alone bounds it. */
void compress_take_any_ratio(struct compress *compress);

typedef enum {
    COMPRESS_DONE,
    COMPRESS_BROKEN,    /* cut short, something else, or a window too wide */
    COMPRESS_TOO_LARGE, /* more than bytes_max */
    COMPRESS_BOMB,      /* out of proportion to its input */
    COMPRESS_NO_MEMORY,
} compress_result;

enum {
    /* Above this size an output may be at most COMPRESS_RATIO_MAX times its
     * input.  Below, honest messages compress better than that: 200 KB of
     * zeros are 30 bytes of zstd. */
    COMPRESS_RATIO_FREE_BYTES = 1024 * 1024,
    COMPRESS_RATIO_MAX = 100,
    /* Smaller messages do not shrink enough to pay for the time. */
    COMPRESS_BYTES_MIN = 1024,
    /* What a zstd frame may ask us to remember: 8 MiB, which RFC 8878
     * 3.1.1.1.2 recommends every decoder to support. */
    COMPRESS_WINDOW_LOG_MAX = 23,
};

/* Whether `size` is out of proportion to what it came from. */
static inline bool compress_is_bomb(size_t packed_size, size_t size)
{
    return size > COMPRESS_RATIO_FREE_BYTES &&
           size / COMPRESS_RATIO_MAX > packed_size;
}

/* On COMPRESS_DONE *out points at *out_size bytes that stay valid until the
 * next call with the same struct compress.  `which` is not IDENTITY. */
compress_result compress_inflate(struct compress *compress, encoding which,
                                 const void *bytes, size_t size,
                                 size_t bytes_max, const uint8_t **out,
                                 size_t *out_size);

/* COMPRESS_TOO_LARGE when the result would not be smaller than the input. */
compress_result compress_deflate(struct compress *compress, encoding which,
                                 const void *bytes, size_t size,
                                 const uint8_t **out, size_t *out_size);

/* Gives back buffers that have become large. */
void compress_trim(struct compress *compress);

#endif
