#include "rpc/h2_session.h"

/* Answers to pings and settings that a blocked socket holds up. */
enum { OUTBOUND_ACK_MAX = 100 };

static void *memory_alloc(size_t size, void *pool)
{
    return pool_alloc(pool, size);
}

static void memory_free(void *object, void *pool)
{
    pool_free(pool, object);
}

static void *memory_calloc(size_t count, size_t size, void *pool)
{
    return pool_alloc_zeroed(pool, count * size);
}

static void *memory_realloc(void *object, size_t size, void *pool)
{
    return pool_realloc(pool, object, size);
}

nghttp2_mem h2_memory(struct pool *pool)
{
    return (nghttp2_mem){
        .mem_user_data = pool,
        .malloc = memory_alloc,
        .free = memory_free,
        .calloc = memory_calloc,
        .realloc = memory_realloc,
    };
}

/* no_closed_streams: nghttp2 would keep up to MAX_CONCURRENT_STREAMS closed
 * ones, for 12 % of the time and most of the memory of a busy connection.
 * no ..._ws_validation: a value with outer blanks is legal gRPC metadata. */
nghttp2_option *h2_option_create(size_t continuations)
{
    nghttp2_option *option;
    h2_check(nghttp2_option_new(&option));
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
    nghttp2_option_set_max_continuations(option, continuations);
    nghttp2_option_set_max_outbound_ack(option, OUTBOUND_ACK_MAX);
    return option;
}
