#include "tests/wire/attack/attack.h"

static void rapid_reset(void)
{
    struct raw *raw = attack_greeted();
    for (uint32_t stream = 1; stream < 20000; stream += 2) {
        attack_request(raw, stream, 0);
        raw_frame(raw, NGHTTP2_RST_STREAM, 0, stream, "\0\0\0\x8", 4);
        if (stream % 64 == 1 && !raw_read_available(raw))
            break;
    }
    attack_assert_refused(raw, NGHTTP2_ENHANCE_YOUR_CALM, "rapid_reset");
}

static const struct {
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    size_t size;
    const char *reason;
} floods[] = {
    {NGHTTP2_PING, 0, 0, 8, "too_many_pings"},
    {NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, 8, "ping_flood"},
    {NGHTTP2_SETTINGS, 0, 0, 6, "settings_flood"},
    {NGHTTP2_PRIORITY, 0, 3, 5, "odd_frame_flood"},
    {0x77, 0, 0, 2000, "odd_frame_flood"},
    {NGHTTP2_WINDOW_UPDATE, 0, 0, 4, "window_update_flood"},
    {NGHTTP2_DATA, 0, 1, 0, "empty_data_flood"},
    {NGHTTP2_DATA, 0, 1, 1, "tiny_data_flood"},
    {NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, 1, "empty_data_flood"},
};

static void flood(void)
{
    static const uint8_t zeros[2000] = {0, 0, 0, 1};
    for (size_t i = 0; i < COUNT(floods); i++) {
        struct raw *raw = attack_greeted();
        attack_request(raw, 1, 0);
        for (int n = 0; n < 10000 && raw_read_available(raw); n++)
            raw_frame(raw, floods[i].type, floods[i].flags, floods[i].stream,
                      zeros, floods[i].size);
        attack_assert_refused(raw, NGHTTP2_ENHANCE_YOUR_CALM, floods[i].reason);
    }
}

static void continuations(void)
{
    struct raw *raw = attack_greeted();
    uint8_t block[512];
    size_t size = raw_headers(raw, block, sizeof block, HEALTH, NULL, NULL);
    raw_frame(raw, NGHTTP2_HEADERS, 0, 1, block, size);
    for (int n = 0; n < 10000 && raw_read_available(raw); n++)
        raw_frame(raw, NGHTTP2_CONTINUATION, 0, 1, "\0\1x\1y", 5);
    attack_assert_refused(raw, NGHTTP2_ENHANCE_YOUR_CALM, "continuation_flood");
}

/* MadeYouReset: the client makes the server reset its streams.  Each door sends
 * a request, and then what makes it malformed. */
static void overflow_the_window(struct raw *raw, uint32_t stream)
{
    attack_request(raw, stream, 0);
    raw_frame(raw, NGHTTP2_WINDOW_UPDATE, 0, stream, "\x7f\xff\xff\xff", 4);
}

static void belie_the_content_length(struct raw *raw, uint32_t stream)
{
    uint8_t block[1024];
    size_t size =
        raw_headers(raw, block, sizeof block, HEALTH, "content-length", "10");
    raw_frame(raw, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, stream, block,
              size);
    raw_frame(raw, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, "\0\0\0\0",
              5);
}

static void end_in_pseudo_trailers(struct raw *raw, uint32_t stream)
{
    attack_request(raw, stream, 0);
    raw_frame(raw, NGHTTP2_HEADERS,
              NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, stream,
              "\x84", 1); /* :path: / */
}

static void (*const doors[])(struct raw *raw, uint32_t stream) = {
    overflow_the_window, belie_the_content_length, end_in_pseudo_trailers};

static void provoke(void (*door)(struct raw *raw, uint32_t stream))
{
    struct raw *raw = attack_greeted();
    int resets = 0;
    for (uint32_t stream = 1; resets < 200; stream += 2) {
        door(raw, stream);
        if (!raw_wait_frames(raw, NGHTTP2_RST_STREAM, ++resets))
            break;
    }
    assert_true(resets < 100);
    attack_assert_refused(raw, NGHTTP2_ENHANCE_YOUR_CALM, "provoked_resets");
}

static void provoke_resets(void)
{
    for (size_t i = 0; i < COUNT(doors); i++)
        provoke(doors[i]);
}

/* What goes on behind the server's GOAWAY must not be looked at. */
static void talk_on(void)
{
    struct raw *raw = attack_greeted();
    raw_frame(raw, NGHTTP2_SETTINGS, 0, 0, "\0", 1);
    for (uint32_t stream = 1; stream < 100; stream += 2) {
        attack_request(raw, stream, NGHTTP2_FLAG_END_STREAM);
        raw_frame(raw, NGHTTP2_RST_STREAM, 0, stream, "\0\0\0\x8", 4);
        raw_frame(raw, NGHTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
    }
    attack_assert_refused(raw, NGHTTP2_FRAME_SIZE_ERROR, "");
}

/* The size of a table that only the client pays for if the server is asked to
 * keep four gigabytes. */
static void ask_for_a_huge_table(void)
{
    struct raw *raw = attack_greeted();
    raw_frame(raw, NGHTTP2_SETTINGS, 0, 0, "\0\1\xff\xff\xff\xff", 6);
    for (uint32_t stream = 1; stream < 100; stream += 2)
        attack_request(raw, stream, NGHTTP2_FLAG_END_STREAM);
    assert_true(raw_wait_frames(raw, NGHTTP2_HEADERS, 50));
    raw_close(raw);
}

/* HPACK: a table larger than the 4 KiB that were offered. */
static void take_a_huge_table(void)
{
    struct raw *raw = attack_greeted();
    raw_frame(raw, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1,
              "\x3f\xe1\xff\xff\x07", 5);
    struct raw_end end = raw_wait_closed(raw);
    assert_int_equal(end.goaway_code, NGHTTP2_COMPRESSION_ERROR);
    raw_close(raw);
}

const struct attack attacks_by_frames[] = {
    {"ten_thousand_resets_end_the_connection", rapid_reset, ATTACK_QUICK},
    {"resets_provoked_through_any_door_end_the_connection", provoke_resets,
     ATTACK_QUICK},
    {"floods_end_the_connection_with_a_reason", flood, ATTACK_QUICK},
    {"a_header_block_has_an_end", continuations, ATTACK_QUICK},
    {"nothing_is_heard_behind_the_goaway", talk_on, ATTACK_QUICK},
    {"the_servers_header_table_stays_small", ask_for_a_huge_table,
     ATTACK_QUICK},
    {"the_clients_header_table_stays_small", take_a_huge_table, ATTACK_QUICK},
    {0},
};
