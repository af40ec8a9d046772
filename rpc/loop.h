#ifndef PRBAL_RPC_LOOP_H
#define PRBAL_RPC_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/* One event loop per thread (libuv).  A pass of the loop is
 *
 *   poll -> callbacks -> { ready coroutines -> flush hooks } until none ready
 *
 * so everything that became writable in a pass leaves in one write per
 * connection, whether to a client or to PostgreSQL. */
struct loop;
typedef struct uv_loop_s uv_loop_t;

struct loop *loop_create(void);
void loop_destroy(struct loop *loop); /* after loop_run() returned */

/* The loop of this thread, or NULL. */
struct loop *loop_current(void);

uv_loop_t *loop_uv(struct loop *loop);

/* For rpc/co.c. */
struct co_pool;
struct co_pool *loop_co_pool(struct loop *loop);

/* How long a pass takes of late, in microseconds: what everyone who comes now
 * will wait at least.  From any thread. */
int64_t loop_lag_us(const struct loop *loop);

/* Passes so far.  On the loop's thread. */
uint64_t loop_passes(const struct loop *loop);

/* Runs until loop_stop().  loop_stop() may be called from any thread. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Runs on the calling thread until *done is true; for tests and start-up. */
void loop_run_until(struct loop *loop, const bool *done);

/* Runs `fn(argument)` on `loop`'s thread, in the order of the posts of one
 * sender.  From any thread.  Never fails. */
void loop_post(struct loop *loop, void (*fn)(void *argument), void *argument);

/* Runs on this thread what was posted and never ran, since loop_run() has
 * returned; else what the arguments own would be lost.  False when there was
 * nothing. */
bool loop_run_posts(struct loop *loop);

/* Called once per pass after the coroutines ran, in the order of their
 * addition.  Belongs to whoever added it until loop_remove_flush(). */
struct loop_flush {
    void (*fn)(struct loop_flush *flush);
    struct loop_flush *next;
};
void loop_add_flush(struct loop *loop, struct loop_flush *flush);
void loop_remove_flush(struct loop *loop, struct loop_flush *flush);

/* A one-shot timer, embedded in its owner.  loop_timer_start() on a running
 * timer moves it.  Cheap to start and stop: one per call is fine. */
struct loop_timer {
    void (*fn)(struct loop_timer *timer);
    int64_t due_us;
    int heap_index; /* -1 when not running */
    struct loop *loop;
};
void loop_timer_init(struct loop_timer *timer,
                     void (*fn)(struct loop_timer *timer));
void loop_timer_start(struct loop *loop, struct loop_timer *timer,
                      int64_t after_ms);
void loop_timer_stop(struct loop_timer *timer);

/* Monotonic microseconds, read once per pass: good for deadlines and phases,
 * not for ordering across loops. */
int64_t loop_now_us(const struct loop *loop);

/* A place for what other layers keep per loop (the database pool, the event
 * hub).  Slots are numbered by loop_slot(), once per process and layer. */
enum { LOOP_SLOTS_MAX = 16 };
int loop_slot(void);
void loop_set(struct loop *loop, int slot, void *value);
void *loop_get(const struct loop *loop, int slot);

#endif
