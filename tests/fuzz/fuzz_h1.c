/* The reader of HTTP/1.1: whatever comes, cut anywhere, it tells the same, and
 * only of bytes that came.  What it accepted it accepts again, written anew.
 *
 *   first byte: how the rest is cut */
#include "rpc/h1_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { HEADER_BYTES_MAX = 4096, TOLD_BYTES = 128 * 1024 };

/* What a reader told, written as a plain request. */
struct told {
    char head[TOLD_BYTES];
    char body[TOLD_BYTES];
    size_t head_size, body_size;
    size_t used;
    h1_event last;
    const struct h1_refusal *refusal;
    bool has_head;
};

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void add(char *to, size_t *used, const char *text, size_t size)
{
    demand(*used + size <= TOLD_BYTES);
    memcpy(to + *used, text, size);
    *used += size;
}

static void add_head(struct told *told, const char *text, size_t size)
{
    add(told->head, &told->head_size, text, size);
}

static bool has_line_break(const char *text, size_t size)
{
    return memchr(text, '\r', size) != NULL ||
           memchr(text, '\n', size) != NULL || memchr(text, 0, size) != NULL;
}

static void note_pair(struct told *told, const struct h1_piece *piece,
                      const char *between, const char *end)
{
    demand(piece->name_size > 0);
    demand(!has_line_break(piece->name, piece->name_size));
    demand(!has_line_break(piece->value, piece->value_size));
    add_head(told, piece->name, piece->name_size);
    add_head(told, between, strlen(between));
    add_head(told, piece->value, piece->value_size);
    add_head(told, end, strlen(end));
}

static void note(struct told *told, h1_event event,
                 const struct h1_piece *piece)
{
    if (event == H1_REQUEST)
        note_pair(told, piece, " ", " HTTP/1.1\r\n");
    else if (event == H1_FIELD)
        note_pair(told, piece, ": ", "\r\n");
    else if (event == H1_HEAD)
        told->has_head = true;
    else if (event == H1_BODY)
        add(told->body, &told->body_size, piece->value, piece->value_size);
}

/* One request, of bytes that come `cut` at a time. */
static void read_request(struct told *told, const char *bytes, size_t size,
                         size_t cut)
{
    struct h1_reader reader;
    h1_reader_init(&reader, HEADER_BYTES_MAX);
    told->head_size = told->body_size = told->used = 0;
    told->has_head = false;
    told->last = H1_MORE;
    /* Of the exact size, so that a byte too far is seen. */
    char *copy = malloc(size > 0 ? size : 1);
    demand(copy != NULL);
    memcpy(copy, bytes, size);
    for (size_t have = 0; told->last == H1_MORE && have < size;) {
        have = size - have < cut ? size : have + cut;
        do {
            struct h1_piece piece;
            char *at = copy + told->used;
            told->last = h1_read(&reader, at, have - told->used, &piece);
            demand(piece.used <= have - told->used);
            demand(piece.value == NULL ||
                   (piece.value >= copy &&
                    piece.value + piece.value_size <= copy + have));
            told->used += piece.used;
            note(told, told->last, &piece);
        } while (told->last != H1_MORE && told->last != H1_END &&
                 told->last != H1_REFUSED);
    }
    told->refusal = told->last == H1_REFUSED ? reader.refusal : NULL;
    free(copy);
}

static void demand_same(const struct told *a, const struct told *b)
{
    demand(a->last == b->last && a->refusal == b->refusal);
    demand(a->has_head == b->has_head && a->head_size == b->head_size &&
           a->body_size == b->body_size);
    demand(memcmp(a->head, b->head, a->head_size) == 0);
    demand(memcmp(a->body, b->body, a->body_size) == 0);
    if (a->last == H1_END)
        demand(a->used == b->used);
}

static bool is_chunked(const struct told *told)
{
    return memmem(told->head, told->head_size, "\r\ntransfer-encoding: ", 21) !=
           NULL;
}

/* As one chunk, where it was chunked. */
static void read_again(const struct told *told, struct told *again)
{
    static char text[2 * TOLD_BYTES + 64];
    size_t size = 0;
    memcpy(text, told->head, told->head_size);
    size = told->head_size;
    size += (size_t)sprintf(text + size, "\r\n");
    if (is_chunked(told) && told->body_size > 0)
        size += (size_t)sprintf(text + size, "%zx\r\n", told->body_size);
    memcpy(text + size, told->body, told->body_size);
    size += told->body_size;
    if (is_chunked(told))
        size += (size_t)sprintf(text + size, "%s0\r\n\r\n",
                                told->body_size > 0 ? "\r\n" : "");
    read_request(again, text, size, size);
    demand(again->used == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct told whole, cut, again;
    if (size < 2 || size > TOLD_BYTES / 8)
        return 0;
    const char *text = (const char *)bytes + 1;
    read_request(&whole, text, size - 1, size);
    read_request(&cut, text, size - 1, bytes[0] % 64 + 1);
    demand_same(&whole, &cut);
    if (whole.last != H1_END)
        return 0;
    read_again(&whole, &again);
    demand(again.last == H1_END && again.body_size == whole.body_size);
    demand(again.head_size == whole.head_size &&
           memcmp(again.head, whole.head, whole.head_size) == 0);
    return 0;
}
