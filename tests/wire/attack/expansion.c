/* Small on the wire, large in memory or long to look at: lists, maps of texts,
 * patterns.  All of them to methods that are open to everybody. */
#include "tests/wire/attack/attack.h"

enum { BODY_BYTES = 4 * 1024 * 1024 };

/* Field numbers of ListCategoriesRequest, ListServicesRequest and what is in
 * them. */
enum {
    CATEGORIES_READ_MASK = 4,
    MASK_PATHS = 1,
    SERVICES_FILTER = 2,
    FILTER_CATEGORY_IDS = 2,
    FILTER_MIN_PRICE = 8,
    FILTER_DELIVERY_METHODS = 11,
    MONEY_CURRENCY = 2,
};

static uint8_t *body_buffer(void)
{
    static uint8_t *body;
    if (body == NULL)
        body = malloc(BODY_BYTES + 64);
    assert_non_null(body);
    return body;
}

/* A field with a length in front; what it holds follows. */
static size_t field(uint8_t *out, int number, size_t size)
{
    size_t at = 0;
    out[at++] = (uint8_t)(number << 3 | 2);
    for (; size >= 0x80; size >>= 7)
        out[at++] = (uint8_t)(size | 0x80);
    out[at++] = (uint8_t)size;
    return at;
}

enum { HEAD_BYTES = 24 };

/* outer{ inner{ content } } around what lies HEAD_BYTES into the buffer; inner
 * 0 is none. */
static void send_within(const char *path, int outer, int inner, size_t size,
                        int status)
{
    uint8_t *body = body_buffer(), head[HEAD_BYTES], front[HEAD_BYTES];
    size_t inner_size = inner == 0 ? 0 : field(head, inner, size);
    size_t at = field(front, outer, inner_size + size);
    memcpy(front + at, head, inner_size);
    at += inner_size;
    uint8_t *begin = body + HEAD_BYTES - at - 5;
    memcpy(begin + 5, front, at);
    client_frame(begin, 0, begin + 5, at + size);
    attack_assert_answer(path, NULL, begin, at + size + 5, status);
}

static void repeat(size_t size, const char *piece, size_t piece_size)
{
    uint8_t *at = body_buffer() + HEAD_BYTES;
    for (size_t i = 0; i + piece_size <= size; i += piece_size)
        memcpy(at + i, piece, piece_size);
}

/* Two bytes on the wire, a pointer and a text in memory. */
static void empty_texts(void)
{
    enum { SIZE = 240 * 1024 };
    repeat(SIZE, "\x0a\0", 2);
    send_within(CATEGORIES, CATEGORIES_READ_MASK, 0, SIZE, INVALID_ARGUMENT);
    repeat(SIZE, "\x12\0", 2);
    send_within(SERVICES, SERVICES_FILTER, 0, SIZE, INVALID_ARGUMENT);
}

/* The same with all that a message may have: what is taken is sixteen times
 * that at most, and given back. */
static void four_megabytes_of_texts(void)
{
    enum { SIZE = BODY_BYTES - 2 * HEAD_BYTES };
    repeat(SIZE, "\x0a\0", 2);
    send_within(CATEGORIES, CATEGORIES_READ_MASK, 0, SIZE, INVALID_ARGUMENT);
}

static void packed_enums(void)
{
    enum { SIZE = 1024 * 1024 };
    repeat(SIZE, "\1", 1);
    send_within(SERVICES, SERVICES_FILTER, FILTER_DELIVERY_METHODS, SIZE,
                INVALID_ARGUMENT);
}

/* A message that comes again and again is merged, in linear time. */
static void merged_messages(void)
{
    enum { SIZE = 1024 * 1024 };
    repeat(SIZE, "\x42\0", 2);
    send_within(SERVICES, SERVICES_FILTER, 0, SIZE, INVALID_ARGUMENT);
}

static void json_lists(void)
{
    enum { SIZE = 240 * 1024 };
    static const struct rpc_header json[] = {
        {"content-type", "application/json"}, {0}};
    static const struct {
        const char *path, *before, *piece, *after;
    } rows[] = {
        {SERVICES, "{\"filter\":{\"categoryIds\":[\"\"", ",\"\"", "]}}"},
        {SERVICES, "{\"filter\":{\"deliveryMethods\":[1", ",1", "]}}"},
        {CATEGORIES, "{\"readMask\":\"a", ",a", "\"}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *text = (char *)body_buffer();
        size_t size = (size_t)sprintf(text, "%s", rows[i].before);
        while (size < SIZE)
            size += (size_t)sprintf(text + size, "%s", rows[i].piece);
        size += (size_t)sprintf(text + size, "%s", rows[i].after);
        struct client *client = attack_connected();
        struct client_response *r =
            client_request(client, rows[i].path, json, text, size, true);
        client_wait(client, r);
        if (r->http_status != 400)
            fail_msg("row %zu: %d", i, r->http_status);
        client_close(client);
    }
}

/* `^[A-Z]{3}$`, on what would match for ever, or nearly. */
static void patterns(void)
{
    enum { SIZE = 1024 * 1024 };
    static const char *const pieces[] = {"A", "AAA", "AA\xc3\xa9", "AAA\n"};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        size_t size = SIZE - SIZE % strlen(pieces[i]);
        uint8_t head[HEAD_BYTES];
        size_t at = field(head, MONEY_CURRENCY, size);
        repeat(size + at, pieces[i], strlen(pieces[i]));
        memmove(body_buffer() + HEAD_BYTES + at, body_buffer() + HEAD_BYTES,
                size);
        memcpy(body_buffer() + HEAD_BYTES, head, at);
        send_within(SERVICES, SERVICES_FILTER, FILTER_MIN_PRICE, size + at,
                    INVALID_ARGUMENT);
    }
}

const struct attack attacks_by_expansion[] = {
    {"lists_of_nothing_are_refused", empty_texts, ATTACK_ONCE},
    {"a_message_takes_sixteen_times_its_size_at_most", four_megabytes_of_texts,
     ATTACK_ONCE, .grown_mb_max = 32},
    {"packed_lists_are_refused", packed_enums, ATTACK_ONCE},
    {"what_comes_again_is_merged_in_linear_time", merged_messages, ATTACK_ONCE},
    {"lists_in_json_are_refused", json_lists, ATTACK_ONCE},
    {"patterns_take_linear_time", patterns, ATTACK_ONCE},
    {0},
};
