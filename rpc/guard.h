#ifndef PRBAL_RPC_GUARD_H
#define PRBAL_RPC_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Watches what a client sends, frame by frame, before nghttp2 sees it.
 *
 * HTTP/2 lets a client make a server work at no cost of its own: open and reset
 * streams, ping, send empty frames.  nghttp2 bounds some of that and leaves the
 * rest to its user.  The guard reads only the 9-byte frame headers (and the pad
 * length of DATA, and whom PRIORITY depends on) and keeps counters; it has no
 * I/O, no clock and no memory but the struct, and it does not judge what
 * nghttp2 judges well.
 *
 *   preface(24) -> header(9) -> [pad length(1), dependency(4)] -> payload ->
 * ...
 *
 * Any of these may be split anywhere over the calls of guard_feed(). */

/* How much of each a well-behaved client may need; the defaults, with where
 * they come from, are in rpc/guard.c.  A rate is a bucket: `burst` at once,
 * then `per_second` more. */
struct guard_rate {
    uint32_t burst;
    uint32_t per_second;
};

struct guard_limits {
    struct guard_rate resets_received;
    struct guard_rate resets_sent;
    struct guard_rate pings;
    uint32_t pings_saved;
    struct guard_rate settings;
    struct guard_rate odd_frames;
    uint32_t odd_frames_per_stream;
    uint32_t ping_interval_ms;
    uint32_t ping_strikes;
    uint32_t empty_data_frames;
    uint32_t tiny_data_bytes;
    uint32_t tiny_data_debt;
    uint32_t window_updates;
    uint32_t window_updates_per_data;
    uint32_t window_updates_per_stream;
    uint32_t continuations;
    uint32_t frame_bytes;
};

extern const struct guard_limits guard_limits_default;

/* What to do with the connection: nothing while `reason` is NULL, else GOAWAY
 * with this HTTP/2 error code and close.  The reason is a literal, fit for a
 * log line and as a metric's label. */
struct guard_verdict {
    uint32_t error_code;
    const char *reason;
};

/* Streams the client itself has ended, by identifier: a direct-mapped cache.
 * Gaps are identifiers that were jumped over and may never be used. */
enum { GUARD_ENDED_SLOTS = 64, GUARD_GAP_SLOTS = 8 };

struct guard_gap {
    uint32_t first;
    uint32_t last;
};

/* The fields belong to rpc/guard.c. */
struct guard {
    const struct guard_limits *limits;

    uint8_t stage;
    uint8_t have; /* bytes of the preface or header so far */
    uint8_t header[9];
    uint32_t payload_left;
    uint32_t priority_stream; /* whose PRIORITY frame is being read */

    /* A bucket is the time at which it is empty again. */
    int64_t resets_received_us;
    int64_t resets_sent_us;
    int64_t pings_us;
    int64_t settings_us;
    int64_t odd_frames_us;

    int64_t last_ping_us;
    uint32_t ping_strikes;
    uint32_t ping_credit; /* one for each DATA frame sent, not used yet */
    uint32_t ping_answers_due;
    uint32_t settings_answers_due;
    uint32_t empty_data_frames;
    uint32_t tiny_data_debt;
    uint32_t continuations;
    bool settings_seen;
    uint64_t window_updates;
    uint64_t data_frames_sent;
    uint64_t streams_opened;
    uint64_t late_headers;
    uint64_t odd_frames_credit;

    uint32_t highest_stream;
    uint32_t ended[GUARD_ENDED_SLOTS];
    struct guard_gap gaps[GUARD_GAP_SLOTS];
    uint32_t gap_count;
};

/* `limits` must outlive the guard; NULL takes the defaults. */
void guard_init(struct guard *guard, const struct guard_limits *limits);

/* The next bytes from the client.  After a verdict with a reason the guard must
 * not be fed any more.  `now_us` never goes back. */
struct guard_verdict guard_feed(struct guard *guard, const uint8_t *bytes,
                                size_t size, int64_t now_us);

/* True once the preface and a SETTINGS frame's header have come. */
bool guard_is_greeted(const struct guard *guard);

/* We reset a stream because of what the client did on it. */
struct guard_verdict guard_reset_sent(struct guard *guard, int64_t now_us);

/* The fullest bucket, 0 to 1 (then the next one of its kind ends the
 * connection), and a literal that says of what; "" while all are empty. */
double guard_fullness(const struct guard *guard, int64_t now_us,
                      const char **what);

/* We sent a HEADERS or DATA frame: pings that follow may be measurements. */
void guard_headers_sent(struct guard *guard);
void guard_data_sent(struct guard *guard);

/* We sent a PING or SETTINGS, not as an answer: theirs is awaited. */
void guard_ping_sent(struct guard *guard);
void guard_settings_sent(struct guard *guard);

/* What the client sent so far made up a whole message. */
void guard_message_received(struct guard *guard);

#endif
