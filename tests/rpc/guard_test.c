#include "rpc/guard.h"

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { SECOND = 1000000 };

/* A client that writes frames straight into a guard. */
struct client {
    struct guard guard;
    struct guard_verdict verdict;
    int64_t now_us;
};

static void feed(struct client *c, const void *bytes, size_t size)
{
    if (c->verdict.reason == NULL)
        c->verdict = guard_feed(&c->guard, bytes, size, c->now_us);
}

static void frame_padded(struct client *c, uint8_t type, uint8_t flags,
                         uint32_t stream, uint32_t length, uint8_t pad)
{
    static uint8_t zeros[20000];
    assert_true(length <= sizeof zeros);
    uint8_t header[9] = {length >> 16, length >> 8,  length,      type,  flags,
                         stream >> 24, stream >> 16, stream >> 8, stream};
    feed(c, header, sizeof header);
    if (length == 0)
        return;
    feed(c, &pad, 1);
    if (length > 1)
        feed(c, zeros, length - 1);
}

static void frame(struct client *c, uint8_t type, uint8_t flags,
                  uint32_t stream, uint32_t length)
{
    frame_padded(c, type, flags, stream, length, 0);
}

static struct client greeted(void)
{
    struct client c = {.now_us = 1000 * SECOND};
    guard_init(&c.guard, NULL);
    feed(&c, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
    frame(&c, NGHTTP2_SETTINGS, 0, 0, 0);
    assert_null(c.verdict.reason);
    return c;
}

static void assert_refused(const struct client *c, uint32_t code,
                           const char *reason)
{
    assert_non_null(c->verdict.reason);
    assert_string_equal(c->verdict.reason, reason);
    assert_int_equal(c->verdict.error_code, code);
}

static void assert_fine(const struct client *c)
{
    if (c->verdict.reason != NULL)
        fail_msg("refused: %s", c->verdict.reason);
}

/* How many of a frame pass at one moment. */
static int count_until_refused(struct client *c, uint8_t type, uint8_t flags,
                               uint32_t stream, uint32_t length)
{
    int passed = 0;
    while (passed < 100000) {
        frame(c, type, flags, stream, length);
        if (c->verdict.reason != NULL)
            return passed;
        passed++;
    }
    fail_msg("%s", "never refused");
    return -1;
}

static void a_greeting_is_known_by_its_settings(void **state)
{
    (void)state;
    struct client c = {.now_us = 1};
    guard_init(&c.guard, NULL);
    feed(&c, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
    assert_false(guard_is_greeted(&c.guard));
    frame(&c, NGHTTP2_SETTINGS, 0, 0, 6);
    assert_true(guard_is_greeted(&c.guard));
    assert_fine(&c);
}

static void another_preface_is_refused_at_its_first_wrong_byte(void **state)
{
    (void)state;
    struct client c = {.now_us = 1};
    guard_init(&c.guard, NULL);
    feed(&c, "PRI * HTTP/2.0\r\n\r\nSM", 20);
    assert_fine(&c);
    feed(&c, "X", 1);
    assert_refused(&c, NGHTTP2_PROTOCOL_ERROR, "preface");
}

/* The same conversation, with a refusal at its last byte, cut in two at every
 * place and also byte by byte. */
static void cuts_do_not_change_the_verdict(void **state)
{
    (void)state;
    static const uint8_t talk[] = NGHTTP2_CLIENT_MAGIC
        "\0\0\0\4\0\0\0\0\0"        /* SETTINGS */
        "\0\0\2\1\4\0\0\0\5ab"      /* HEADERS, stream 5 */
        "\0\0\3\0\x8\0\0\0\5\2\0\0" /* DATA, all padding */
        "\0\0\1\0\1\0\0\0\5z"       /* DATA, the end of stream 5 */
        "\0\0\0\1\4\0\0\0\3";       /* HEADERS, stream 3 */
    size_t size = sizeof talk - 1;
    for (size_t cut = 0; cut <= size; cut++) {
        struct client c = {.now_us = 1};
        guard_init(&c.guard, NULL);
        feed(&c, talk, cut);
        if (cut < size)
            assert_fine(&c);
        feed(&c, talk + cut, size - cut);
        assert_refused(&c, NGHTTP2_PROTOCOL_ERROR, "stream_identifier_order");
    }
    struct client c = {.now_us = 1};
    guard_init(&c.guard, NULL);
    for (size_t i = 0; i + 1 < size; i++)
        feed(&c, talk + i, 1);
    assert_fine(&c);
    feed(&c, talk + size - 1, 1);
    assert_refused(&c, NGHTTP2_PROTOCOL_ERROR, "stream_identifier_order");
}

static void an_oversized_frame_is_refused_by_its_header(void **state)
{
    (void)state;
    struct client c = greeted();
    frame(&c, NGHTTP2_DATA, 0, 1, 16384);
    assert_fine(&c);
    feed(&c, "\0\x40\1\0\0\0\0\0\1", 9);
    assert_refused(&c, NGHTTP2_FRAME_SIZE_ERROR, "frame_size");
}

/* Frames that anyone may send, and how many of them at one moment. */
static const struct {
    const char *reason;
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    uint32_t length;
    int passed;
} floods[] = {
    {"rapid_reset", NGHTTP2_RST_STREAM, 0, 1, 4, 100},
    {"settings_flood", NGHTTP2_SETTINGS, 0, 0, 0, 5},
    {"ping_flood", NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, 8, 20},
    {"odd_frame_flood", NGHTTP2_PRIORITY, 0, 1, 5, 100},
    {"odd_frame_flood", NGHTTP2_GOAWAY, 0, 0, 8, 100},
    {"odd_frame_flood", 0x42, 0, 7, 0, 100},
    {"window_update_flood", NGHTTP2_WINDOW_UPDATE, 0, 0, 4, 10},
    {"empty_data_flood", NGHTTP2_DATA, 0, 1, 0, 100},
    {"tiny_data_flood", NGHTTP2_DATA, 0, 1, 1, 100},
    {"continuation_flood", NGHTTP2_CONTINUATION, 0, 1, 0, 4},
};

static void each_flood_is_stopped_at_its_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof floods / sizeof floods[0]; i++) {
        struct client c = greeted();
        assert_int_equal(count_until_refused(&c, floods[i].type,
                                             floods[i].flags, floods[i].stream,
                                             floods[i].length),
                         floods[i].passed);
        assert_refused(&c, NGHTTP2_ENHANCE_YOUR_CALM, floods[i].reason);
    }
}

static void padding_does_not_hide_empty_data(void **state)
{
    (void)state;
    struct client c = greeted();
    for (int i = 0; i < 100; i++)
        frame_padded(&c, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, 256, 255);
    assert_fine(&c);
    frame_padded(&c, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, 256, 255);
    assert_refused(&c, NGHTTP2_ENHANCE_YOUR_CALM, "empty_data_flood");
}

static void padding_longer_than_its_frame_is_refused(void **state)
{
    (void)state;
    for (uint8_t flags = NGHTTP2_FLAG_PADDED;
         flags <= (NGHTTP2_FLAG_PADDED | NGHTTP2_FLAG_END_STREAM); flags++) {
        struct client c = greeted();
        frame_padded(&c, NGHTTP2_DATA, flags, 1, 10, 9);
        assert_fine(&c);
        c = greeted();
        frame_padded(&c, NGHTTP2_DATA, flags, 1, 10, 10);
        assert_refused(&c, NGHTTP2_PROTOCOL_ERROR, "padding");
        c = greeted();
        frame(&c, NGHTTP2_DATA, flags, 1, 0);
        assert_refused(&c, NGHTTP2_FRAME_SIZE_ERROR, "padding");
    }
}

static void a_priority_needs_a_stream_that_is_not_itself(void **state)
{
    (void)state;
    struct client c = greeted();
    frame(&c, NGHTTP2_PRIORITY, 0, 0, 5);
    assert_refused(&c, NGHTTP2_PROTOCOL_ERROR, "priority_of_connection");
    c = greeted();
    feed(&c, "\0\0\5\2\0\0\0\1\7\0\0\1\5\x10", 14);
    feed(&c, "\0\0\5\2\0\0\0\1\7\x80\0", 11);
    feed(&c, "\1", 1);
    assert_fine(&c);
    feed(&c, "\7", 1);
    assert_refused(&c, NGHTTP2_PROTOCOL_ERROR, "priority_of_itself");
}

static void a_bucket_refills_with_time(void **state)
{
    (void)state;
    struct client c = greeted();
    for (int i = 0; i < 100; i++)
        frame(&c, NGHTTP2_RST_STREAM, 0, 1, 4);
    c.now_us += SECOND;
    for (int i = 0; i < 20; i++)
        frame(&c, NGHTTP2_RST_STREAM, 0, 1, 4);
    assert_fine(&c);
    frame(&c, NGHTTP2_RST_STREAM, 0, 1, 4);
    assert_refused(&c, NGHTTP2_ENHANCE_YOUR_CALM, "rapid_reset");
}

static void resets_at_the_allowed_rate_go_on_for_ever(void **state)
{
    (void)state;
    struct client c = greeted();
    for (int i = 0; i < 10000; i++) {
        frame(&c, NGHTTP2_RST_STREAM, 0, 1, 4);
        c.now_us += SECOND / 20;
    }
    assert_fine(&c);
}

static void provoked_resets_are_counted(void **state)
{
    (void)state;
    struct client c = greeted();
    for (int i = 0; i < 50; i++)
        assert_null(guard_reset_sent(&c.guard, c.now_us).reason);
    c.verdict = guard_reset_sent(&c.guard, c.now_us);
    assert_refused(&c, NGHTTP2_ENHANCE_YOUR_CALM, "provoked_resets");
}

static void pings_that_come_too_early_are_struck_out(void **state)
{
    (void)state;
    struct client c = greeted();
    for (int i = 0; i < 3; i++) {
        frame(&c, NGHTTP2_PING, 0, 0, 8);
        c.now_us += 9 * SECOND;
    }
    assert_fine(&c);
    frame(&c, NGHTTP2_PING, 0, 0, 8);
    assert_refused(&c, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
}

static void pings_every_ten_seconds_are_welcome(void **state)
{
    (void)state;
    struct client c = greeted();
    for (int i = 0; i < 1000; i++) {
        frame(&c, NGHTTP2_PING, 0, 0, 8);
        c.now_us += 10 * SECOND;
    }
    assert_fine(&c);
}

/* As gRPC clients do to learn the bandwidth: one for each answer, at any rate.
 */
static void pings_that_measure_our_data_are_welcome(void **state)
{
    (void)state;
    struct client c = greeted();
    for (int i = 0; i < 10000; i++) {
        guard_data_sent(&c.guard);
        frame(&c, NGHTTP2_PING, 0, 0, 8);
        c.now_us += 100;
    }
    assert_fine(&c);
}

/* What we ask is answered without a price, and only that. */
static void answers_that_were_asked_for_are_free(void **state)
{
    (void)state;
    struct client c = greeted();
    for (int i = 0; i < 1000; i++) {
        guard_ping_sent(&c.guard);
        guard_settings_sent(&c.guard);
        frame(&c, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, 8);
        frame(&c, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, 0);
    }
    assert_null(c.verdict.reason);
    assert_int_equal(
        count_until_refused(&c, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, 8), 20);
    assert_refused(&c, NGHTTP2_ENHANCE_YOUR_CALM, "ping_flood");
}

static void pings_for_data_are_saved_up_to_a_limit(void **state)
{
    (void)state;
    struct client c = greeted();
    for (int i = 0; i < 10000; i++)
        guard_data_sent(&c.guard);
    assert_int_equal(
        count_until_refused(&c, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, 8), 120);
    assert_refused(&c, NGHTTP2_ENHANCE_YOUR_CALM, "ping_flood");
}

static void sent_data_and_streams_allow_window_updates(void **state)
{
    (void)state;
    struct client c = greeted();
    for (int i = 0; i < 3; i++)
        guard_data_sent(&c.guard);
    frame(&c, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, 1);
    assert_int_equal(count_until_refused(&c, NGHTTP2_WINDOW_UPDATE, 0, 0, 4),
                     42);
}

static void small_messages_are_not_tiny_data(void **state)
{
    (void)state;
    struct client c = greeted();
    for (int i = 0; i < 10000; i++) {
        frame(&c, NGHTTP2_DATA, 0, 1, 5);
        frame(&c, NGHTTP2_DATA, 0, 1, 20);
        guard_message_received(&c.guard);
    }
    assert_fine(&c);
}

static void large_data_repays_tiny_data(void **state)
{
    (void)state;
    struct client c = greeted();
    for (int i = 0; i < 1000; i++) {
        for (int tiny = 0; tiny < 60; tiny++)
            frame(&c, NGHTTP2_DATA, 0, 1, 1);
        frame(&c, NGHTTP2_DATA, 0, 1, 16384);
    }
    assert_fine(&c);
}

static void the_last_data_of_a_stream_may_be_empty(void **state)
{
    (void)state;
    struct client c = greeted();
    for (uint32_t stream = 1; stream < 20000; stream += 2) {
        frame(&c, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, stream, 9);
        frame(&c, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, 0);
    }
    assert_fine(&c);
}

static void a_stream_that_was_jumped_over_stays_closed(void **state)
{
    (void)state;
    struct client c = greeted();
    frame(&c, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 9, 1);
    frame(&c, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 7, 1);
    assert_refused(&c, NGHTTP2_PROTOCOL_ERROR, "stream_identifier_order");
}

static void trailers_are_allowed_once(void **state)
{
    (void)state;
    struct client c = greeted();
    frame(&c, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, 1);
    frame(&c, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 3, 1);
    frame(&c, NGHTTP2_DATA, 0, 1, 300);
    frame(&c, NGHTTP2_HEADERS,
          NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, 1);
    assert_fine(&c);
    frame(&c, NGHTTP2_HEADERS,
          NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, 1);
    assert_refused(&c, NGHTTP2_STREAM_CLOSED, "headers_after_end");
}

static void nothing_follows_what_the_client_ended(void **state)
{
    (void)state;
    struct client c = greeted();
    frame(&c, NGHTTP2_HEADERS,
          NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, 1);
    frame(&c, NGHTTP2_DATA, 0, 1, 1);
    assert_refused(&c, NGHTTP2_STREAM_CLOSED, "data_after_end");

    c = greeted();
    frame(&c, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, 1);
    frame(&c, NGHTTP2_RST_STREAM, 0, 1, 4);
    frame(&c, NGHTTP2_DATA, 0, 1, 1);
    assert_refused(&c, NGHTTP2_STREAM_CLOSED, "data_after_end");
}

static void trailers_end_their_stream(void **state)
{
    (void)state;
    struct client c = greeted();
    frame(&c, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, 1);
    frame(&c, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, 1);
    assert_refused(&c, NGHTTP2_PROTOCOL_ERROR, "headers_without_end");
}

/* The guard remembers the last streams that ended, not all of them. */
static void trailers_cannot_outnumber_streams(void **state)
{
    (void)state;
    struct client c = greeted();
    const uint8_t last = NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM;
    for (uint32_t stream = 1; stream < 400; stream += 2)
        frame(&c, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, stream, 1);
    /* 1 and 129 share a place in its memory: each forgets the other. */
    for (int i = 0; i < 100; i++) {
        frame(&c, NGHTTP2_HEADERS, last, 1, 1);
        frame(&c, NGHTTP2_HEADERS, last, 129, 1);
    }
    assert_fine(&c);
    frame(&c, NGHTTP2_HEADERS, last, 1, 1);
    assert_refused(&c, NGHTTP2_ENHANCE_YOUR_CALM, "headers_flood");
}

static void a_busy_honest_client_is_never_refused(void **state)
{
    (void)state;
    struct client c = greeted();
    for (uint32_t stream = 1; stream < 200000; stream += 2) {
        frame(&c, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, stream, 60);
        frame(&c, NGHTTP2_WINDOW_UPDATE, 0, stream, 4);
        frame(&c, NGHTTP2_DATA, 0, stream, 45);
        guard_message_received(&c.guard);
        frame(&c, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, 0);
        guard_headers_sent(&c.guard);
        guard_data_sent(&c.guard);
        frame(&c, NGHTTP2_WINDOW_UPDATE, 0, 0, 4);
        c.now_us += 20;
    }
    assert_fine(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_greeting_is_known_by_its_settings),
        cmocka_unit_test(another_preface_is_refused_at_its_first_wrong_byte),
        cmocka_unit_test(cuts_do_not_change_the_verdict),
        cmocka_unit_test(an_oversized_frame_is_refused_by_its_header),
        cmocka_unit_test(each_flood_is_stopped_at_its_limit),
        cmocka_unit_test(padding_does_not_hide_empty_data),
        cmocka_unit_test(padding_longer_than_its_frame_is_refused),
        cmocka_unit_test(a_priority_needs_a_stream_that_is_not_itself),
        cmocka_unit_test(a_bucket_refills_with_time),
        cmocka_unit_test(resets_at_the_allowed_rate_go_on_for_ever),
        cmocka_unit_test(provoked_resets_are_counted),
        cmocka_unit_test(pings_that_come_too_early_are_struck_out),
        cmocka_unit_test(pings_every_ten_seconds_are_welcome),
        cmocka_unit_test(pings_that_measure_our_data_are_welcome),
        cmocka_unit_test(answers_that_were_asked_for_are_free),
        cmocka_unit_test(pings_for_data_are_saved_up_to_a_limit),
        cmocka_unit_test(sent_data_and_streams_allow_window_updates),
        cmocka_unit_test(small_messages_are_not_tiny_data),
        cmocka_unit_test(large_data_repays_tiny_data),
        cmocka_unit_test(the_last_data_of_a_stream_may_be_empty),
        cmocka_unit_test(a_stream_that_was_jumped_over_stays_closed),
        cmocka_unit_test(trailers_are_allowed_once),
        cmocka_unit_test(nothing_follows_what_the_client_ended),
        cmocka_unit_test(trailers_end_their_stream),
        cmocka_unit_test(trailers_cannot_outnumber_streams),
        cmocka_unit_test(a_busy_honest_client_is_never_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
