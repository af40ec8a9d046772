#include "services/events/wake.h"

#include "rpc/loop.h"
#include "services/events/hub.h"
#include "services/events/users.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLEEPERS_MAX = 4 };

/* Who is woken besides the hubs. */
static struct sleeper {
    const char *name;
    void (*fn)(struct loop *loop);
} sleepers[SLEEPERS_MAX];
static int sleeper_count;

void wake_register(const char *name, void (*fn)(struct loop *loop))
{
    for (int i = 0; i < sleeper_count; i++)
        if (strcmp(sleepers[i].name, name) == 0)
            return;
    assert(sleeper_count < SLEEPERS_MAX && strlen(name) < USER_ID_SIZE);
    sleepers[sleeper_count++] = (struct sleeper){name, fn};
}

static void wake_name(struct hub *hub, const char *name)
{
    for (int i = 0; i < sleeper_count; i++) {
        if (strcmp(sleepers[i].name, name) == 0) {
            sleepers[i].fn(loop_current());
            return;
        }
    }
    hub_wake(hub, name);
}

/* What is posted to each loop; the receiver frees it. */
struct wake {
    bool is_for_others; /* other processes are to hear of it, too */
    size_t count;
    char user_ids[][USER_ID_SIZE];
};

static void on_wake(void *argument)
{
    struct wake *wake = argument;
    struct hub *hub = hub_of(loop_current());
    struct hints *hints = hub == NULL ? NULL : hub_hints(hub);
    for (size_t i = 0; hub != NULL && i < wake->count; i++) {
        wake_name(hub, wake->user_ids[i]);
        if (wake->is_for_others && hints != NULL)
            hints_add(hints, wake->user_ids[i]);
    }
    free(wake);
}

static void post_wake(struct loop *loop, bool is_for_others,
                      const char *const *user_ids, size_t count)
{
    struct wake *wake = malloc(sizeof *wake + count * USER_ID_SIZE);
    assert(wake != NULL);
    wake->is_for_others = is_for_others;
    wake->count = count;
    for (size_t i = 0; i < count; i++)
        snprintf(wake->user_ids[i], USER_ID_SIZE, "%s", user_ids[i]);
    loop_post(loop, on_wake, wake);
}

static void wake_loops(struct rpc_server *server, bool is_for_others,
                       const char *const *user_ids, size_t count)
{
    for (int i = 0; i < rpc_server_loop_count(server); i++)
        post_wake(rpc_server_loop(server, i), is_for_others, user_ids, count);
}

void wake_users(struct rpc_call *call, const char *const *user_ids,
                size_t count)
{
    if (call->server != NULL) /* else the safety poll will find them */
        wake_loops(call->server, true, user_ids, count);
}

void wake_here(struct rpc_server *server, const char *const *user_ids,
               size_t count)
{
    wake_loops(server, false, user_ids, count);
}

static void on_wake_everybody(void *argument)
{
    (void)argument;
    struct hub *hub = hub_of(loop_current());
    if (hub == NULL)
        return;
    hub_wake_all(hub);
    for (int i = 0; i < sleeper_count; i++)
        sleepers[i].fn(loop_current());
}

void wake_everybody(struct rpc_server *server)
{
    for (int i = 0; i < rpc_server_loop_count(server); i++)
        loop_post(rpc_server_loop(server, i), on_wake_everybody, NULL);
}
