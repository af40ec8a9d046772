#include "services/events/presence.h"

#include "db/db.h"
#include "rpc/loop.h"
#include "services/app.h"
#include "services/events/presence.sql.h"
#include "services/events/presence_row.rpc.h"
#include "services/events/users.h"
#include "services/events/wake.h"
#include "services/uuid.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOK_EVERY_MS = 250,
    AWAY_AFTER_US = 750 * 1000,
    RETRY_AFTER_US = 1000 * 1000,
    RENEWALS_A_LEASE = 4,
    RENEWALS_TO_REAP = 3,
    USERS_AT_ONCE = 500,
};

/* A user who has, or had, streams in this process. */
struct present {
    struct user_entry entry; /* first */
    bool is_here;
    bool is_held; /* in the database */
    int64_t left_us;
    /* In the list of those for whom the two differ, or did. */
    bool is_queued;
    struct present *next;
};

struct presence {
    struct rpc_server *server;
    struct loop *loop;
    struct loop_timer timer; /* runs while there are users */
    struct user_table users;
    struct present *queue;
    char holder_id[USER_ID_SIZE]; /* "" before the first renewal */
    int64_t renew_us;             /* when the lease is due again */
    int64_t pause_us;             /* nothing before, after a failure */
    int renewals;                 /* in a row, each in time */
    bool is_writing;
};

static void enqueue(struct presence *presence, struct present *user)
{
    if (user->is_queued)
        return;
    user->is_queued = true;
    user->next = presence->queue;
    presence->queue = user;
}

static struct present *user_of(struct presence *presence, const char *user_id)
{
    struct present *user =
        (struct present *)user_find(&presence->users, user_id);
    if (user != NULL)
        return user;
    user = calloc(1, sizeof *user);
    assert(user != NULL);
    user_insert(&presence->users, &user->entry, user_id);
    return user;
}

void presence_set(struct presence *presence, const char *user_id, bool is_here)
{
    if (presence->users.count == 0)
        loop_timer_start(presence->loop, &presence->timer, LOOK_EVERY_MS);
    struct present *user = user_of(presence, user_id);
    user->is_here = is_here;
    if (!is_here)
        user->left_us = loop_now_us(presence->loop);
    enqueue(presence, user);
}

/* Takes those off the queue of whom the database knows. */
static void settle(struct presence *presence)
{
    struct present **at = &presence->queue, *user;
    while ((user = *at) != NULL) {
        if (user->is_here != user->is_held) {
            at = &user->next;
            continue;
        }
        *at = user->next;
        user->is_queued = false;
        if (user->is_here)
            continue;
        user_remove(&presence->users, &user->entry);
        free(user);
    }
}

static bool is_ripe(const struct presence *presence, const struct present *user)
{
    if (user->is_here == user->is_held)
        return false;
    return user->is_here ||
           loop_now_us(presence->loop) - user->left_us >= AWAY_AFTER_US;
}

/* ---- What is written.  Users stay in memory while they are queued, so a batch
 * may point to them over the waits. */

struct batch {
    size_t count;
    struct present *users[USERS_AT_ONCE];
    const char *user_ids[USERS_AT_ONCE];
    int64_t here[USERS_AT_ONCE];
};

static struct batch *take_batch(const struct presence *presence,
                                struct arena *arena)
{
    struct batch *batch = ARENA_NEW(arena, struct batch);
    for (struct present *user = presence->queue;
         user != NULL && batch->count < USERS_AT_ONCE; user = user->next) {
        if (!is_ripe(presence, user))
            continue;
        size_t i = batch->count++;
        batch->users[i] = user;
        batch->user_ids[i] = user->entry.user_id;
        batch->here[i] = user->is_here;
    }
    return batch;
}

static void wake_watchers(struct rpc_call *call)
{
    wake_users(call, (const char *const[]){WAKE_PRESENCE}, 1);
}

static rpc_status write_batch(const struct presence *presence,
                              struct rpc_call *call, const struct batch *batch)
{
    TRY(db_exec(call->db, &presence_write, NULL, db_text(presence->holder_id),
                db_texts(batch->user_ids, batch->count),
                db_ints(batch->here, batch->count)));
    wake_watchers(call);
    return RPC_SUCCESS;
}

/* After a failure nobody knows what was written: under a new holder everything
 * is written again, and the old one runs out. */
static rpc_status write_changes(struct presence *presence,
                                struct rpc_call *call)
{
    const struct batch *batch = take_batch(presence, call->arena);
    if (batch->count == 0)
        return RPC_SUCCESS;
    rpc_status status = write_batch(presence, call, batch);
    if (status.code != RPC_OK) {
        presence->holder_id[0] = '\0';
        return status;
    }
    for (size_t i = 0; i < batch->count; i++)
        batch->users[i]->is_held = batch->here[i] != 0;
    return RPC_SUCCESS;
}

/* ---- The lease. */

static db_arg lease_seconds(void)
{
    return db_double((double)app_config()->presence_lease_ms / 1000);
}

/* The lease had run out, and whoever noticed may have told that all are away.
 */
static void hold_all_again(struct presence *presence)
{
    for (size_t i = 0; i < presence->users.bucket_count; i++)
        for (struct user_entry *e = presence->users.buckets[i]; e;
             e = e->next) {
            ((struct present *)e)->is_held = false;
            enqueue(presence, (struct present *)e);
        }
}

static rpc_status begin_lease(struct presence *presence, struct rpc_call *call)
{
    snprintf(presence->holder_id, sizeof presence->holder_id, "%s",
             uuid_create(call->arena));
    hold_all_again(presence);
    return db_exec(call->db, &presence_register, NULL,
                   db_text(presence->holder_id), lease_seconds());
}

static rpc_status reap(struct rpc_call *call)
{
    TRY(db_exec(call->db, &presence_reap, NULL, lease_seconds()));
    wake_watchers(call);
    return RPC_SUCCESS;
}

static rpc_status renew_lease(struct presence *presence, struct rpc_call *call)
{
    int64_t now_us = loop_now_us(presence->loop);
    PresenceLeaseRow *lease = &(PresenceLeaseRow)PRESENCE_LEASE_ROW_INIT;
    if (presence->holder_id[0] != '\0')
        TRY(db_one(call->db, &presence_renew, &lease,
                   db_text(presence->holder_id), lease_seconds()));
    if (!lease->is_kept) {
        presence->renewals = 0;
        TRY(begin_lease(presence, call));
    }
    presence->renew_us =
        now_us + app_config()->presence_lease_ms * 1000 / RENEWALS_A_LEASE;
    presence->renewals++;
    if (lease->has_dead && presence->renewals > RENEWALS_TO_REAP)
        return reap(call);
    return RPC_SUCCESS;
}

/* ---- The task. */

static rpc_status keep_up(struct presence *presence, struct rpc_call *call)
{
    if (loop_now_us(presence->loop) >= presence->renew_us)
        TRY(renew_lease(presence, call));
    return write_changes(presence, call);
}

static void keep_up_task(struct rpc_call *call, void *argument)
{
    struct presence *presence = argument;
    rpc_status status = keep_up(presence, call);
    if (status.code != RPC_OK) {
        presence->renewals = 0;
        presence->renew_us = 0;
        presence->pause_us = loop_now_us(presence->loop) + RETRY_AFTER_US;
    }
    settle(presence);
    presence->is_writing = false;
}

static bool has_work(const struct presence *presence)
{
    int64_t now_us = loop_now_us(presence->loop);
    if (presence->is_writing || now_us < presence->pause_us)
        return false;
    if (now_us >= presence->renew_us)
        return true;
    for (const struct present *u = presence->queue; u != NULL; u = u->next)
        if (is_ripe(presence, u))
            return true;
    return false;
}

static void on_timer(struct loop_timer *timer)
{
    struct presence *presence =
        (struct presence *)((char *)timer - offsetof(struct presence, timer));
    if (!presence->is_writing)
        settle(presence);
    if (presence->users.count == 0)
        return;
    if (has_work(presence))
        presence->is_writing = rpc_task(presence->server, presence->loop,
                                        keep_up_task, presence) != NULL;
    loop_timer_start(presence->loop, timer, LOOK_EVERY_MS);
}

/* ---- Life. */

struct presence *presence_create(struct rpc_server *server, struct loop *loop)
{
    struct presence *presence = calloc(1, sizeof *presence);
    assert(presence != NULL);
    presence->server = server;
    presence->loop = loop;
    loop_timer_init(&presence->timer, on_timer);
    return presence;
}

void presence_destroy(struct presence *presence)
{
    if (presence == NULL)
        return;
    loop_timer_stop(&presence->timer);
    for (size_t i = 0; i < presence->users.bucket_count; i++) {
        struct user_entry *entry = presence->users.buckets[i], *next;
        for (; entry != NULL; entry = next) {
            next = entry->next;
            free(entry);
        }
    }
    user_table_finish(&presence->users);
    free(presence);
}
