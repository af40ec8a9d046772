#include "rpc/guard.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

/* Every limit with its origin.  "Frames" are frames of one connection. */
const struct guard_limits guard_limits_default = {
    /* Rapid reset (CVE-2023-44487).  nghttp2 allows 1,000 and 33 a second, h2
     * 50 remembered a second; a person's client that leaves a screen cancels
     * a handful. */
    .resets_received = {.burst = 100, .per_second = 20},
    /* MadeYouReset (CVE-2025-8671): the client provokes the reset.  nghttp2
     * before 1.67 has no limit at all; a correct client never causes one. */
    .resets_sent = {.burst = 50, .per_second = 1},
    /* CVE-2019-9512.  Besides these a client may ping once for each DATA frame
     * that it got, of which it saves up some: the bandwidth probes of gRPC
     * clients do, thousands a second where the network is fast. */
    .pings = {.burst = 20, .per_second = 10},
    .pings_saved = 100,
    /* CVE-2019-9515.  The first frame is free. */
    .settings = {.burst = 5, .per_second = 5},
    /* PRIORITY (CVE-2019-9513), GOAWAY and unknown types.  Browsers send one
     * PRIORITY_UPDATE a request, older ones five PRIORITY at the start. */
    .odd_frames = {.burst = 100, .per_second = 10},
    .odd_frames_per_stream = 2,
    /* gRFC A8, but 10 s where that has 5 min: mobile clients keep their
     * network address translation alive every 25 s.  Pings without calls are
     * allowed. */
    .ping_interval_ms = 10000,
    .ping_strikes = 2,
    /* CVE-2019-9518, the number of h2. */
    .empty_data_frames = 100,
    /* CVE-2026-84304, the numbers of h2: a non-final frame below 256 bytes
     * costs what it lacks. */
    .tiny_data_bytes = 256,
    .tiny_data_debt = 25600,
    /* Envoy's ratio; the per-stream part is for clients that widen the window
     * of each stream they open. */
    .window_updates = 10,
    .window_updates_per_data = 10,
    .window_updates_per_stream = 2,
    /* CVE-2024-28182.  With the 16 KiB of a frame that is 80 KiB compressed,
     * ten times the header list that we announce. */
    .continuations = 4,
    /* SETTINGS_MAX_FRAME_SIZE, which we leave at its default. */
    .frame_bytes = 16384,
};

enum { PREFACE, HEADER, PAD_LENGTH, LAST_PAD_LENGTH, DEPENDENCY, PAYLOAD };

static const char preface[] = NGHTTP2_CLIENT_MAGIC;
enum {
    PREFACE_BYTES = sizeof preface - 1,
    HEADER_BYTES = 9,
    DEPENDENCY_BYTES = 4,
};

struct frame {
    uint32_t length;
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    int64_t now_us;
};

static const struct guard_verdict fine = {0, NULL};

static struct guard_verdict refuse(uint32_t error_code, const char *reason)
{
    return (struct guard_verdict){error_code, reason};
}

static struct guard_verdict calm_down(const char *reason)
{
    return refuse(NGHTTP2_ENHANCE_YOUR_CALM, reason);
}

/* The generic cell rate algorithm: one number a bucket.  *empty_us is when
 * everything taken so far is paid off. */
static bool take(int64_t *empty_us, struct guard_rate rate, int64_t now_us)
{
    int64_t cost_us = 1000000 / rate.per_second;
    if (*empty_us < now_us)
        *empty_us = now_us;
    *empty_us += cost_us;
    return *empty_us - now_us <= cost_us * rate.burst;
}

void guard_init(struct guard *guard, const struct guard_limits *limits)
{
    *guard = (struct guard){
        .limits = limits != NULL ? limits : &guard_limits_default,
        .last_ping_us = INT64_MIN / 2,
    };
}

bool guard_is_greeted(const struct guard *guard)
{
    return guard->settings_seen;
}

/* The client said that it sends nothing more on this stream. */
static void stream_ended(struct guard *guard, uint32_t stream)
{
    guard->ended[stream / 2 % GUARD_ENDED_SLOTS] = stream;
}

/* The connection, stream 0, does not end: its frames are nghttp2's to judge. */
static bool has_ended(const struct guard *guard, uint32_t stream)
{
    return stream != 0 &&
           guard->ended[stream / 2 % GUARD_ENDED_SLOTS] == stream;
}

static void stream_opened(struct guard *guard, uint32_t stream)
{
    if (stream > guard->highest_stream + 2) {
        uint32_t slot = guard->gap_count++ % GUARD_GAP_SLOTS;
        guard->gaps[slot] = (struct guard_gap){
            .first = guard->highest_stream + 1,
            .last = stream - 1,
        };
    }
    guard->highest_stream = stream;
    guard->streams_opened++;
    guard->odd_frames_credit += guard->limits->odd_frames_per_stream;
}

static bool was_jumped_over(const struct guard *guard, uint32_t stream)
{
    for (int i = 0; i < GUARD_GAP_SLOTS; i++)
        if (stream >= guard->gaps[i].first && stream <= guard->gaps[i].last)
            return true;
    return false;
}

/* A full frame's worth pays for as many tiny ones as it would have been. */
static void repay_debt(struct guard *guard, uint32_t bytes)
{
    if (guard->tiny_data_debt > bytes)
        guard->tiny_data_debt -= bytes;
    else
        guard->tiny_data_debt = 0;
}

/* `length` is without the padding. */
static struct guard_verdict count_data(struct guard *guard, uint32_t length)
{
    const struct guard_limits *limits = guard->limits;
    if (length > 0)
        guard->empty_data_frames = 0;
    else if (++guard->empty_data_frames > limits->empty_data_frames)
        return calm_down("empty_data_flood");

    if (length >= limits->tiny_data_bytes) {
        repay_debt(guard, length);
        return fine;
    }
    guard->tiny_data_debt += limits->tiny_data_bytes - length;
    if (guard->tiny_data_debt > limits->tiny_data_debt)
        return calm_down("tiny_data_flood");
    return fine;
}

/* nghttp2 forgets closed streams, as it is told to, and then ignores what comes
 * on them; but what a client sends after its own END_STREAM or RST_STREAM
 * cannot have crossed anything of ours (RFC 9113 5.1). */
static struct guard_verdict on_data(struct guard *guard,
                                    const struct frame *frame)
{
    if (has_ended(guard, frame->stream))
        return refuse(NGHTTP2_STREAM_CLOSED, "data_after_end");
    bool is_last = (frame->flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (is_last)
        stream_ended(guard, frame->stream);
    if (frame->flags & NGHTTP2_FLAG_PADDED) {
        if (frame->length == 0)
            return refuse(NGHTTP2_FRAME_SIZE_ERROR, "padding");
        guard->stage = is_last ? LAST_PAD_LENGTH : PAD_LENGTH;
        return fine;
    }
    return is_last ? fine : count_data(guard, frame->length);
}

/* HEADERS on a stream that is not new are trailers, which end it and of which
 * there is one a stream; or the identifier was never opened, which nghttp2 lets
 * pass (RFC 9113 5.1.1). */
static struct guard_verdict on_late_headers(struct guard *guard,
                                            const struct frame *frame)
{
    if (was_jumped_over(guard, frame->stream))
        return refuse(NGHTTP2_PROTOCOL_ERROR, "stream_identifier_order");
    if (has_ended(guard, frame->stream))
        return refuse(NGHTTP2_STREAM_CLOSED, "headers_after_end");
    if (!(frame->flags & NGHTTP2_FLAG_END_STREAM))
        return refuse(NGHTTP2_PROTOCOL_ERROR, "headers_without_end");
    if (++guard->late_headers > guard->streams_opened)
        return calm_down("headers_flood");
    return fine;
}

static struct guard_verdict on_headers(struct guard *guard,
                                       const struct frame *frame)
{
    guard->continuations = 0;
    if (frame->stream % 2 == 0)
        return fine; /* a connection error, by nghttp2 */
    struct guard_verdict verdict = fine;
    if (frame->stream > guard->highest_stream)
        stream_opened(guard, frame->stream);
    else
        verdict = on_late_headers(guard, frame);
    if (frame->flags & NGHTTP2_FLAG_END_STREAM)
        stream_ended(guard, frame->stream);
    return verdict;
}

static struct guard_verdict on_continuation(struct guard *guard,
                                            const struct frame *frame)
{
    (void)frame;
    if (++guard->continuations > guard->limits->continuations)
        return calm_down("continuation_flood");
    return fine;
}

static struct guard_verdict on_rst_stream(struct guard *guard,
                                          const struct frame *frame)
{
    if (frame->stream <= guard->highest_stream)
        stream_ended(guard, frame->stream);
    if (!take(&guard->resets_received_us, guard->limits->resets_received,
              frame->now_us))
        return calm_down("rapid_reset");
    return fine;
}

/* An answer that was asked for is free. */
static bool is_due(const struct frame *frame, uint32_t *answers_due)
{
    if (!(frame->flags & NGHTTP2_FLAG_ACK) || *answers_due == 0)
        return false;
    (*answers_due)--;
    return true;
}

static struct guard_verdict on_settings(struct guard *guard,
                                        const struct frame *frame)
{
    if (guard->settings_seen && is_due(frame, &guard->settings_answers_due))
        return fine;
    if (!guard->settings_seen) {
        guard->settings_seen = true;
        return fine;
    }
    if (!take(&guard->settings_us, guard->limits->settings, frame->now_us))
        return calm_down("settings_flood");
    return fine;
}

/* gRFC A8: too many pings that come too early, with nothing sent in between. */
static struct guard_verdict count_strike(struct guard *guard, int64_t now_us)
{
    int64_t waited_us = now_us - guard->last_ping_us;
    guard->last_ping_us = now_us;
    if (waited_us >= (int64_t)guard->limits->ping_interval_ms * 1000)
        return fine;
    if (++guard->ping_strikes > guard->limits->ping_strikes)
        return calm_down("too_many_pings");
    return fine;
}

static struct guard_verdict on_ping(struct guard *guard,
                                    const struct frame *frame)
{
    if (is_due(frame, &guard->ping_answers_due))
        return fine;
    if (guard->ping_credit > 0)
        guard->ping_credit--;
    else if (!take(&guard->pings_us, guard->limits->pings, frame->now_us))
        return calm_down("ping_flood");
    if (frame->flags & NGHTTP2_FLAG_ACK)
        return fine;
    return count_strike(guard, frame->now_us);
}

static struct guard_verdict on_window_update(struct guard *guard,
                                             const struct frame *frame)
{
    (void)frame;
    const struct guard_limits *limits = guard->limits;
    uint64_t allowed =
        limits->window_updates +
        limits->window_updates_per_data * guard->data_frames_sent +
        limits->window_updates_per_stream * guard->streams_opened;
    if (++guard->window_updates > allowed)
        return calm_down("window_update_flood");
    return fine;
}

/* PRIORITY, GOAWAY and the types that we do not know. */
static struct guard_verdict on_odd_frame(struct guard *guard,
                                         const struct frame *frame)
{
    if (guard->odd_frames_credit > 0) {
        guard->odd_frames_credit--;
        return fine;
    }
    if (!take(&guard->odd_frames_us, guard->limits->odd_frames, frame->now_us))
        return calm_down("odd_frame_flood");
    return fine;
}

/* nghttp2 does not look at PRIORITY once priorities are declined, but two
 * mistakes stay errors (RFC 9113 6.3, RFC 7540 5.3.1). */
static struct guard_verdict on_priority(struct guard *guard,
                                        const struct frame *frame)
{
    if (frame->stream == 0)
        return refuse(NGHTTP2_PROTOCOL_ERROR, "priority_of_connection");
    if (frame->length >= DEPENDENCY_BYTES) {
        guard->stage = DEPENDENCY;
        guard->priority_stream = frame->stream;
    }
    return on_odd_frame(guard, frame);
}

static struct guard_verdict (*const on_frame[])(struct guard *,
                                                const struct frame *) = {
    [NGHTTP2_DATA] = on_data,
    [NGHTTP2_HEADERS] = on_headers,
    [NGHTTP2_PRIORITY] = on_priority,
    [NGHTTP2_RST_STREAM] = on_rst_stream,
    [NGHTTP2_SETTINGS] = on_settings,
    [NGHTTP2_PUSH_PROMISE] = on_odd_frame, /* nghttp2 ends the connection */
    [NGHTTP2_PING] = on_ping,
    [NGHTTP2_GOAWAY] = on_odd_frame,
    [NGHTTP2_WINDOW_UPDATE] = on_window_update,
    [NGHTTP2_CONTINUATION] = on_continuation,
};
enum { KNOWN_TYPES = sizeof on_frame / sizeof on_frame[0] };

/* Without the reserved bit. */
static uint32_t stream_in(const uint8_t bytes[4])
{
    return (uint32_t)(bytes[0] & 0x7f) << 24 | bytes[1] << 16 | bytes[2] << 8 |
           bytes[3];
}

static struct guard_verdict begin_frame(struct guard *guard,
                                        const uint8_t header[9], int64_t now_us)
{
    struct frame frame = {
        .length = (uint32_t)header[0] << 16 | header[1] << 8 | header[2],
        .type = header[3],
        .flags = header[4],
        .stream = stream_in(header + 5),
        .now_us = now_us,
    };
    if (frame.length > guard->limits->frame_bytes)
        return refuse(NGHTTP2_FRAME_SIZE_ERROR, "frame_size");
    guard->payload_left = frame.length;
    guard->stage = frame.length > 0 ? PAYLOAD : HEADER;
    if (frame.type >= KNOWN_TYPES)
        return on_odd_frame(guard, &frame);
    return on_frame[frame.type](guard, &frame);
}

static void use_payload(struct guard *guard, size_t used)
{
    guard->payload_left -= (uint32_t)used;
    if (guard->payload_left == 0)
        guard->stage = HEADER;
}

/* Takes one byte of a PADDED DATA frame. */
static struct guard_verdict feed_pad_length(struct guard *guard, uint8_t pad)
{
    bool is_last = guard->stage == LAST_PAD_LENGTH;
    guard->stage = PAYLOAD;
    use_payload(guard, 1);
    if (pad > guard->payload_left)
        return refuse(NGHTTP2_PROTOCOL_ERROR, "padding");
    return is_last ? fine : count_data(guard, guard->payload_left - pad);
}

/* Each feed_ function takes from the front of `bytes` and says in *used how
 * much. */
static struct guard_verdict feed_preface(struct guard *guard,
                                         const uint8_t *bytes, size_t size,
                                         size_t *used)
{
    size_t left = PREFACE_BYTES - guard->have;
    *used = size < left ? size : left;
    if (memcmp(preface + guard->have, bytes, *used) != 0)
        return refuse(NGHTTP2_PROTOCOL_ERROR, "preface");
    guard->have += *used;
    if (guard->have == PREFACE_BYTES) {
        guard->stage = HEADER;
        guard->have = 0;
    }
    return fine;
}

static struct guard_verdict feed_header(struct guard *guard,
                                        const uint8_t *bytes, size_t size,
                                        int64_t now_us, size_t *used)
{
    if (guard->have == 0 && size >= HEADER_BYTES) {
        *used = HEADER_BYTES;
        return begin_frame(guard, bytes, now_us);
    }
    size_t left = HEADER_BYTES - guard->have;
    *used = size < left ? size : left;
    memcpy(guard->header + guard->have, bytes, *used);
    guard->have += *used;
    if (guard->have < HEADER_BYTES)
        return fine;
    guard->have = 0;
    return begin_frame(guard, guard->header, now_us);
}

/* The stream that a PRIORITY frame names; the header is not needed any more. */
static struct guard_verdict feed_dependency(struct guard *guard,
                                            const uint8_t *bytes, size_t size,
                                            size_t *used)
{
    size_t left = DEPENDENCY_BYTES - guard->have;
    *used = size < left ? size : left;
    memcpy(guard->header + guard->have, bytes, *used);
    guard->have += *used;
    if (guard->have == DEPENDENCY_BYTES)
        guard->stage = PAYLOAD;
    use_payload(guard, *used);
    if (guard->have < DEPENDENCY_BYTES)
        return fine;
    guard->have = 0;
    if (stream_in(guard->header) == guard->priority_stream)
        return refuse(NGHTTP2_PROTOCOL_ERROR, "priority_of_itself");
    return fine;
}

static struct guard_verdict feed_some(struct guard *guard, const uint8_t *bytes,
                                      size_t size, int64_t now_us, size_t *used)
{
    switch (guard->stage) {
    case PREFACE:
        return feed_preface(guard, bytes, size, used);
    case HEADER:
        return feed_header(guard, bytes, size, now_us, used);
    case PAD_LENGTH:
    case LAST_PAD_LENGTH:
        *used = 1;
        return feed_pad_length(guard, bytes[0]);
    case DEPENDENCY:
        return feed_dependency(guard, bytes, size, used);
    default:
        *used = size < guard->payload_left ? size : guard->payload_left;
        use_payload(guard, *used);
        return fine;
    }
}

struct guard_verdict guard_feed(struct guard *guard, const uint8_t *bytes,
                                size_t size, int64_t now_us)
{
    while (size > 0) {
        size_t used;
        struct guard_verdict verdict =
            feed_some(guard, bytes, size, now_us, &used);
        if (verdict.reason != NULL)
            return verdict;
        bytes += used;
        size -= used;
    }
    return fine;
}

struct guard_verdict guard_reset_sent(struct guard *guard, int64_t now_us)
{
    if (!take(&guard->resets_sent_us, guard->limits->resets_sent, now_us))
        return calm_down("provoked_resets");
    return fine;
}

void guard_headers_sent(struct guard *guard)
{
    guard->ping_strikes = 0;
}

void guard_data_sent(struct guard *guard)
{
    guard->data_frames_sent++;
    guard->ping_strikes = 0;
    if (guard->ping_credit < guard->limits->pings_saved)
        guard->ping_credit++;
}

void guard_ping_sent(struct guard *guard)
{
    guard->ping_answers_due++;
}

void guard_settings_sent(struct guard *guard)
{
    guard->settings_answers_due++;
}

/* Streams of small messages are honest, though each travels in a tiny frame or
 * in two (prefix and message): a message pays for both. */
void guard_message_received(struct guard *guard)
{
    repay_debt(guard, 2 * guard->limits->tiny_data_bytes);
}

double guard_fullness(const struct guard *guard, int64_t now_us,
                      const char **what)
{
    const struct guard_limits *limits = guard->limits;
    const struct {
        const char *what;
        struct guard_rate rate;
        int64_t empty_us;
    } buckets[] = {
        {"resets received", limits->resets_received, guard->resets_received_us},
        {"resets sent", limits->resets_sent, guard->resets_sent_us},
        {"pings", limits->pings, guard->pings_us},
        {"settings", limits->settings, guard->settings_us},
        {"odd frames", limits->odd_frames, guard->odd_frames_us},
    };
    double fullest = 0;
    *what = "";
    for (size_t i = 0; i < sizeof buckets / sizeof buckets[0]; i++) {
        double room_us =
            1e6 / buckets[i].rate.per_second * buckets[i].rate.burst;
        double fullness = (double)(buckets[i].empty_us - now_us) / room_us;
        if (fullness > fullest) {
            fullest = fullness;
            *what = buckets[i].what;
        }
    }
    return fullest < 1 ? fullest : 1;
}
