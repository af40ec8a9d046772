#include "services/events/seats.h"

#include "rpc/loop.h"
#include "services/events/hub.h"
#include "services/events/presence.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct seat_count {
    struct user_entry entry; /* first */
    int64_t taken;
};

/* A question to the loop that counts.  It travels there and back; whoever sees
 * it last frees it. */
struct question {
    struct rpc_call *call; /* NULL once nobody waits for the answer */
    struct rpc_server *server;
    struct loop *asker;
    char user_id[USER_ID_SIZE];
    int64_t most;
    bool is_granted;
    bool is_answered;
};

static struct loop *home_of(struct rpc_server *server, const char *user_id)
{
    uint32_t count = (uint32_t)rpc_server_loop_count(server);
    return rpc_server_loop(server, (int)(user_hash(user_id) % count));
}

static bool take(struct hub *hub, const char *user_id, int64_t most)
{
    struct seats *seats = hub_seats(hub);
    struct seat_count *count =
        (struct seat_count *)user_find(&seats->users, user_id);
    if (count == NULL) {
        count = calloc(1, sizeof *count);
        assert(count != NULL);
        user_insert(&seats->users, &count->entry, user_id);
    }
    if (count->taken >= most)
        return false;
    if (count->taken++ == 0)
        presence_set(hub_presence(hub), user_id, true);
    return true;
}

static void leave(struct hub *hub, const char *user_id)
{
    struct seats *seats = hub_seats(hub);
    struct seat_count *count =
        (struct seat_count *)user_find(&seats->users, user_id);
    if (count == NULL || --count->taken > 0)
        return;
    user_remove(&seats->users, &count->entry);
    free(count);
    presence_set(hub_presence(hub), user_id, false);
}

static void on_answer(void *argument)
{
    struct question *question = argument;
    if (question->call != NULL) {
        question->is_answered = true;
        rpc_wake(question->call);
        return;
    }
    if (question->is_granted)
        seat_leave(question->server, question->user_id);
    free(question);
}

static void on_question(void *argument)
{
    struct question *question = argument;
    struct hub *hub = hub_of(loop_current());
    question->is_granted =
        hub != NULL && take(hub, question->user_id, question->most);
    loop_post(question->asker, on_answer, question);
}

rpc_status seat_take(struct rpc_call *call, const char *user_id, int64_t most)
{
    struct question *question = calloc(1, sizeof *question);
    assert(question != NULL);
    question->call = call;
    question->server = call->server;
    question->asker = call->loop;
    question->most = most;
    snprintf(question->user_id, sizeof question->user_id, "%s", user_id);
    loop_post(home_of(call->server, user_id), on_question, question);

    rpc_status status = rpc_wait(call, &question->is_answered);
    if (!question->is_answered) {
        question->call = NULL; /* the answer will find nobody */
        return status;
    }
    bool is_granted = question->is_granted;
    free(question);
    if (is_granted)
        return RPC_SUCCESS;
    return rpc_fail_reason(call, RPC_RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS",
                           "at most %lld event streams can be open at a time",
                           (long long)most);
}

static void on_leave(void *argument)
{
    struct hub *hub = hub_of(loop_current());
    if (hub != NULL)
        leave(hub, argument);
    free(argument);
}

void seat_leave(struct rpc_server *server, const char *user_id)
{
    char *copy = strdup(user_id);
    assert(copy != NULL);
    loop_post(home_of(server, user_id), on_leave, copy);
}

void seats_finish(struct seats *seats)
{
    for (size_t i = 0; i < seats->users.bucket_count; i++) {
        struct user_entry *entry = seats->users.buckets[i], *next;
        for (; entry != NULL; entry = next) {
            next = entry->next;
            free(entry);
        }
    }
    user_table_finish(&seats->users);
}
