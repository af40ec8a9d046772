#ifndef PRBAL_TESTS_RPC_CODEC_BYTES_H
#define PRBAL_TESTS_RPC_CODEC_BYTES_H

#include "rpc/codec.h"
#include "tests/rpc/codec.rpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Wire bytes written out in a test: decode(t, "\x08\x01") without counting. */
#define DECODE(arena, literal) \
    ((Everything *)decode_bytes((arena), (literal), sizeof(literal) - 1))

static inline ProtobufCMessage *decode_bytes(struct arena *arena,
                                             const void *bytes, size_t size)
{
    struct codec_error error;
    return codec_decode(arena, EVERYTHING_DESCRIPTOR, bytes, size, &error);
}

static int start_arena(void **state)
{
    *state = arena_create();
    return 0;
}

static int end_arena(void **state)
{
    arena_destroy(*state);
    return 0;
}

#endif
