#ifndef PRBAL_RPC_COMPRESS_H
#define PRBAL_RPC_COMPRESS_H

#include <stddef.h>
#include <stdint.h>

/* gzip for one thread: zlib's states and one output buffer, made when first
 * needed and used again. */
struct gzip;

struct gzip *gzip_create(void);
void gzip_destroy(struct gzip *gzip); /* accepts NULL */

typedef enum {
    GZIP_DONE,
    GZIP_BROKEN,    /* not gzip, cut short, or followed by something else */
    GZIP_TOO_LARGE, /* more than bytes_max, or a bomb by its ratio */
    GZIP_NO_MEMORY,
} gzip_result;

/* Above this size an output may be at most GZIP_RATIO_MAX times its input. */
enum { GZIP_RATIO_FREE_BYTES = 64 * 1024, GZIP_RATIO_MAX = 100 };

/* On GZIP_DONE *out points at *out_size bytes that stay valid until the next
 * call with the same gzip or gzip_trim(). */
gzip_result gzip_inflate(struct gzip *gzip, const void *bytes, size_t size,
                         size_t bytes_max, const uint8_t **out,
                         size_t *out_size);

/* GZIP_TOO_LARGE when the result would not be smaller than the input. */
gzip_result gzip_deflate(struct gzip *gzip, const void *bytes, size_t size,
                         const uint8_t **out, size_t *out_size);

/* Gives back an output buffer that has become large. */
void gzip_trim(struct gzip *gzip);

#endif
