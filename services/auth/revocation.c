#include "services/auth/revocation.h"

#include "db/db.h"
#include "rpc/loop.h"
#include "services/auth/auth_row.rpc.h"
#include "services/auth/id_set.h"
#include "services/auth/revocation.sql.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    POLL_MS = 500,   /* with a slow answer, still within the promised second */
    START_MS = 2000, /* for which calls wait for the first poll */
    STEP_MS = 5,
    PAGE_ROWS = 1000,
    LISTENERS_MAX = 8,
    ID_BYTES = 37,
};
/* One hour more than the longest life of an access token, by a clock that never
 * jumps: what was forgotten with the clock ahead would be good again when it is
 * put back. */
#define REMEMBER_US (25 * 3600 * INT64_C(1000000))

/* What one loop knows. */
struct revocations {
    struct rpc_server *server;
    struct loop *loop;
    struct loop_timer timer;
    struct id_set *sessions;
    struct id_set *accounts;
    char horizon[24]; /* all transactions below were read */
    bool is_current;  /* what ended before the start is known */
    bool is_cut_off;  /* the last poll failed */
};

static revocation_fn *listeners[LISTENERS_MAX];
static int listener_count;

static int slot;
static pthread_once_t slot_once = PTHREAD_ONCE_INIT;

static void take_slot(void)
{
    slot = loop_slot();
}

static struct revocations *revocations_of(const struct loop *loop)
{
    pthread_once(&slot_once, take_slot);
    return loop_get(loop, slot);
}

void auth_on_session_end(revocation_fn *fn)
{
    assert(listener_count < LISTENERS_MAX);
    listeners[listener_count++] = fn;
}

/* -- what is known ------------------------------------------------------- */

static void tell_listeners(struct revocations *r, const char *user_id,
                           const char *session_id)
{
    for (int i = 0; i < listener_count; i++)
        listeners[i](r->loop, user_id, session_id);
}

static void end_session(struct revocations *r, const char *user_id,
                        const char *session_id)
{
    int64_t now_us = loop_now_us(r->loop);
    if (id_set_add(r->sessions, session_id, now_us + REMEMBER_US, now_us))
        tell_listeners(r, user_id, session_id);
}

static void close_account(struct revocations *r, const char *user_id)
{
    int64_t now_us = loop_now_us(r->loop);
    if (id_set_add(r->accounts, user_id, now_us + REMEMBER_US, now_us))
        tell_listeners(r, user_id, NULL);
}

bool revocation_has_session(struct loop *loop, const char *session_id)
{
    const struct revocations *r = revocations_of(loop);
    return r != NULL && id_set_has(r->sessions, session_id, loop_now_us(loop));
}

bool revocation_has_account(struct loop *loop, const char *user_id)
{
    const struct revocations *r = revocations_of(loop);
    return r != NULL && id_set_has(r->accounts, user_id, loop_now_us(loop));
}

rpc_status revocation_await(struct rpc_call *call)
{
    const struct revocations *r = revocations_of(call->loop);
    for (int waited_ms = 0; r != NULL && !r->is_current; waited_ms += STEP_MS) {
        if (r->is_cut_off || waited_ms >= START_MS)
            return rpc_fail_retry(call, RPC_UNAVAILABLE, POLL_MS,
                                  "the server has just started and cannot tell "
                                  "yet who is signed in");
        TRY(rpc_sleep(call, STEP_MS));
        r = revocations_of(call->loop);
    }
    return RPC_SUCCESS;
}

/* -- from this process --------------------------------------------------- */

struct note {
    struct loop *loop;
    bool is_session;
    char user_id[ID_BYTES];
    char session_id[ID_BYTES];
};

static void hear(struct revocations *r, const char *user_id,
                 const char *session_id)
{
    if (r == NULL)
        return; /* the loop has stopped */
    if (session_id != NULL)
        end_session(r, user_id, session_id);
    else
        close_account(r, user_id);
}

static void take_note(void *argument)
{
    struct note *note = argument;
    hear(revocations_of(note->loop), note->user_id,
         note->is_session ? note->session_id : NULL);
    free(note);
}

static void post_note(struct loop *loop, const char *user_id,
                      const char *session_id)
{
    struct note *note = calloc(1, sizeof *note);
    if (note == NULL)
        abort();
    note->loop = loop;
    note->is_session = session_id != NULL;
    snprintf(note->user_id, ID_BYTES, "%s", user_id);
    snprintf(note->session_id, ID_BYTES, "%s",
             session_id != NULL ? session_id : "");
    loop_post(loop, take_note, note);
}

void revocation_tell(struct rpc_call *call, const char *user_id,
                     const char *session_id)
{
    hear(revocations_of(call->loop), user_id, session_id);
    for (int i = 0; i < rpc_server_loop_count(call->server); i++) {
        struct loop *loop = rpc_server_loop(call->server, i);
        if (loop != call->loop)
            post_note(loop, user_id, session_id);
    }
}

/* -- from the database --------------------------------------------------- */

static void read_row(struct revocations *r, const RevocationRow *row)
{
    if (*row->session_id != '\0')
        end_session(r, row->user_id, row->session_id);
    else if (row->account_is_closed)
        close_account(r, row->user_id);
    else
        id_set_remove(r->accounts, row->user_id);
}

/* Reads page after page.  The horizon of the first page's snapshot is where the
 * next poll begins: what had not committed by then is at or above it, so rows
 * may be read twice, but none is missed. */
static rpc_status read_feed(struct rpc_call *call, struct revocations *r)
{
    const char *writer = r->horizon;
    const char *id = "00000000-0000-0000-0000-000000000000";
    const char *horizon = NULL;
    size_t count = PAGE_ROWS;
    while (count == PAGE_ROWS) {
        RevocationRow **rows;
        TRY(db_many(call->db, &revocation_feed, &count, &rows, db_text(writer),
                    db_text(id), db_int(PAGE_ROWS)));
        for (size_t i = 0; i < count; i++)
            read_row(r, rows[i]);
        if (count == 0)
            break;
        if (horizon == NULL)
            horizon = rows[0]->horizon;
        writer = rows[count - 1]->written_by;
        id = rows[count - 1]->revocation_id;
    }
    if (horizon != NULL)
        snprintf(r->horizon, sizeof r->horizon, "%s", horizon);
    return RPC_SUCCESS;
}

static void poll_feed(struct rpc_call *call, void *argument)
{
    struct revocations *r = argument;
    /* A failure is the pool's to report; the next poll reads the same. */
    r->is_cut_off = read_feed(call, r).code != RPC_OK;
    r->is_current |= !r->is_cut_off;
    loop_timer_start(r->loop, &r->timer, POLL_MS);
}

static void on_timer(struct loop_timer *timer)
{
    struct revocations *r =
        (struct revocations *)((char *)timer -
                               offsetof(struct revocations, timer));
    if (rpc_task(r->server, r->loop, poll_feed, r) == NULL)
        loop_timer_start(r->loop, timer, POLL_MS);
}

void revocation_loop_start(struct rpc_server *server, struct loop *loop)
{
    assert(revocations_of(loop) == NULL);
    struct revocations *r = calloc(1, sizeof *r);
    if (r == NULL)
        abort();
    r->server = server;
    r->loop = loop;
    r->sessions = id_set_create();
    r->accounts = id_set_create();
    strcpy(r->horizon, "0");
    loop_timer_init(&r->timer, on_timer);
    loop_set(loop, slot, r);
    loop_timer_start(loop, &r->timer, 0);
}

void revocation_loop_stop(struct loop *loop)
{
    struct revocations *r = revocations_of(loop);
    if (r == NULL)
        return;
    loop_timer_stop(&r->timer);
    loop_set(loop, slot, NULL);
    id_set_destroy(r->sessions);
    id_set_destroy(r->accounts);
    free(r);
}
