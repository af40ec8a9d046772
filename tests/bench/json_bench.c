/* json_bench [SECONDS] -- one message as bytes and as JSON, both ways, beside
 * jansson's parser on the same text: microseconds of CPU for each, and how many
 * times the binary codec's.  Build with the release preset; compare rows of one
 * run only. */
#include "rpc/codec.h"
#include "tests/rpc/json_kit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHILDREN = 100, ROUNDS_AT_ONCE = 20 };

struct bench {
    struct arena *arena; /* emptied after each round */
    struct json_types *types;
    const ProtobufCMessage *message;
    const uint8_t *bytes;
    const char *text;
    size_t bytes_size, text_size;
};

/* A list as an answer has it: ids, names, money, times, a few flags. */
static ProtobufCMessage *make_list(struct arena *arena)
{
    Everything *list = (Everything *)codec_new(arena, EVERYTHING_DESCRIPTOR);
    list->n_children = CHILDREN;
    list->children = arena_array(arena, CHILDREN, sizeof *list->children);
    for (int i = 0; i < CHILDREN; i++) {
        Everything *e = (Everything *)codec_new(arena, EVERYTHING_DESCRIPTOR);
        e->text = arena_printf(arena, "service-%08d", i * 7919);
        e->pick_case = EVERYTHING_PICK_TEXT_CASE;
        e->pick_text = "Somebody who comes on Tuesdays and mends what leaks, "
                       "drips or does not close";
        e->i64 = 1700000000000000 + i * 12345;
        e->i32 = i * 250;
        e->u64 = (uint64_t)i << 40;
        e->wide_real = 52.37 + i * 0.0123;
        e->yes = i % 2 == 0;
        e->colour = COLOUR_RED;
        list->children[i] = e;
    }
    return &list->base;
}

static void decode_bytes(struct bench *b)
{
    struct codec_error error;
    codec_decode(b->arena, EVERYTHING_DESCRIPTOR, b->bytes, b->bytes_size,
                 &error);
}

static void encode_bytes(struct bench *b)
{
    size_t size;
    codec_pack(b->arena, b->message, &size);
}

static void decode_json(struct bench *b)
{
    struct json_error error;
    ProtobufCMessage *message;
    if (!json_decode(b->arena, b->types, EVERYTHING_DESCRIPTOR, b->text,
                     b->text_size, &message, &error))
        abort();
}

static void encode_json(struct bench *b)
{
    char *text;
    size_t size;
    if (!json_encode(b->arena, b->types, b->message, &text, &size))
        abort();
}

static void decode_jansson(struct bench *b)
{
    json_decref(json_loadb(b->text, b->text_size, 0, NULL));
}

/* Of this process, because others may be running. */
static double cpu_us(void)
{
    struct timespec spent;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (double)spent.tv_sec * 1e6 + (double)spent.tv_nsec / 1e3;
}

/* Microseconds for one. */
static double measure(struct bench *b, void (*run)(struct bench *b),
                      double seconds)
{
    double start_us = cpu_us(), now_us = start_us;
    double rounds = 0;
    while (now_us - start_us < seconds * 1e6) {
        for (int i = 0; i < ROUNDS_AT_ONCE; i++, rounds++) {
            run(b);
            arena_reset(b->arena);
        }
        now_us = cpu_us();
    }
    return (now_us - start_us) / rounds;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct bench *b);
    } rows[] = {{"decode bytes", decode_bytes},
                {"encode bytes", encode_bytes},
                {"decode JSON", decode_json},
                {"encode JSON", encode_json},
                {"jansson's parser", decode_jansson}};
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    struct arena *kept = arena_create();
    struct bench b = {.arena = arena_create(),
                      .types = json_kit_types(),
                      .message = make_list(kept)};
    char *text;
    b.bytes = codec_pack(kept, b.message, &b.bytes_size);
    if (!json_encode(kept, b.types, b.message, &text, &b.text_size))
        abort();
    b.text = text;
    printf("%zu bytes, or %zu of JSON\n", b.bytes_size, b.text_size);
    double base_us[2] = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double us = measure(&b, rows[i].run, seconds);
        if (i < 2)
            base_us[i] = us;
        printf("%-16s %8.1f us %6.1f x %7.0f MB/s\n", rows[i].name, us,
               us / base_us[i == 4 ? 0 : i % 2],
               (double)(i < 2 ? b.bytes_size : b.text_size) / us);
    }
    arena_destroy(b.arena);
    arena_destroy(kept);
    json_types_destroy(b.types);
    return 0;
}
