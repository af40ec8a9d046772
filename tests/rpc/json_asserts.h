#ifndef PRBAL_TESTS_RPC_JSON_ASSERTS_H
#define PRBAL_TESTS_RPC_JSON_ASSERTS_H

/* What tests of JSON share: texts and what becomes of them, by tables. */

#include "rpc/codec.h"
#include "tests/rpc/json_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    struct arena *arena;
    struct json_types *types;
} fixture;

static inline int start(void **state)
{
    fixture *t = calloc(1, sizeof *t);
    t->arena = arena_create();
    t->types = json_kit_types();
    *state = t;
    return 0;
}

static inline int end(void **state)
{
    fixture *t = *state;
    json_types_destroy(t->types);
    arena_destroy(t->arena);
    free(t);
    return 0;
}

/* The text lies alone at the end of a block, so that the sanitizer sees a read
 * beyond it. */
static inline ProtobufCMessage *decode(fixture *t,
                                       const ProtobufCMessageDescriptor *type,
                                       const char *text, size_t size,
                                       struct json_error *error)
{
    ProtobufCMessage *message;
    char *copy = malloc(size + 1);
    memcpy(copy + 1, text, size);
    bool done =
        json_decode(t->arena, t->types, type, copy + 1, size, &message, error);
    free(copy);
    return done ? message : NULL;
}

static inline const char *encode(fixture *t, const ProtobufCMessage *message)
{
    char *text;
    size_t size;
    if (!json_encode(t->arena, t->types, message, &text, &size))
        fail_msg("not encoded: %s", text);
    assert_int_equal(strlen(text), size);
    return text;
}

/* What is read, written canonically; also by way of the wire. */
static inline void assert_reads(fixture *t,
                                const ProtobufCMessageDescriptor *type,
                                const char *text, const char *canonical)
{
    struct json_error error;
    struct codec_error codec_error;
    size_t size;
    ProtobufCMessage *message = decode(t, type, text, strlen(text), &error);
    if (message == NULL)
        fail_msg("%s is refused: %s", text, error.text);
    if (strcmp(encode(t, message), canonical) != 0)
        fail_msg("%s is written as %s, not as %s", text, encode(t, message),
                 canonical);
    uint8_t *bytes = codec_pack(t->arena, message, &size);
    message = codec_decode(t->arena, type, bytes, size, &codec_error);
    assert_non_null(message);
    assert_string_equal(encode(t, message), canonical);
}

static inline void assert_refused(fixture *t,
                                  const ProtobufCMessageDescriptor *type,
                                  const char *text, size_t size,
                                  const char *because)
{
    struct json_error error;
    if (decode(t, type, text, size, &error) != NULL)
        fail_msg("%s is accepted", text);
    if (strstr(error.text, because) == NULL)
        fail_msg("%s is refused with \"%s\", not \"%s\"", text, error.text,
                 because);
}

struct row {
    const char *text, *expected;
};

#define ASSERT_ALL_READ(t, type, rows)                          \
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows)[0]; i++) \
    assert_reads((t), (type), (rows)[i].text, (rows)[i].expected)

#define ASSERT_ALL_REFUSED(t, type, rows)                               \
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows)[0]; i++)         \
    assert_refused((t), (type), (rows)[i].text, strlen((rows)[i].text), \
                   (rows)[i].expected)

/* `count` times `open`, then `middle`, then `count` times `close`. */
static inline char *nested(fixture *t, int count, const char *open,
                           const char *middle, const char *close)
{
    char *text =
        arena_alloc(t->arena, (size_t)count * (strlen(open) + strlen(close)) +
                                  strlen(middle) + 1);
    char *at = text;
    for (int i = 0; i < count; i++)
        at = stpcpy(at, open);
    at = stpcpy(at, middle);
    for (int i = 0; i < count; i++)
        at = stpcpy(at, close);
    return text;
}

static inline const char *why_not(fixture *t, const void *message)
{
    char *text;
    size_t size;
    assert_false(json_encode(t->arena, t->types, message, &text, &size));
    assert_int_equal(strlen(text), size);
    return text;
}

#endif
