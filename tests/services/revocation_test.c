/* An end of a session on one loop is known on all of them. */
#include "prbal/v1/registry.rpc.h"
#include "rpc/loop.h"
#include "services/app.h"
#include "services/auth/revocation.h"
#include "services/uuid.h"
#include "tests/testkit/testkit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { LOOPS = 3 };

/* Written by the loops, read by the test. */
static atomic_int told[LOOPS];
static atomic_int wrong_thread;
static struct loop *loops[LOOPS];
static char ended[40];

static void hear(struct loop *loop, const char *user_id, const char *session_id)
{
    (void)user_id;
    if (loop != loop_current())
        atomic_fetch_add(&wrong_thread, 1);
    for (int i = 0; i < LOOPS; i++)
        if (loop == loops[i] && session_id != NULL &&
            strcmp(session_id, ended) == 0)
            atomic_fetch_add(&told[i], 1);
}

static void tell(struct rpc_call *call, void *argument)
{
    (void)argument;
    revocation_tell(call, "01890000-0000-7000-8000-000000000001", ended);
    /* The own loop knows it before this returns. */
    if (!revocation_has_session(call->loop, ended))
        atomic_fetch_add(&wrong_thread, 1);
}

static void start_telling(void *server)
{
    rpc_task(server, loop_current(), tell, NULL);
}

static int total(void)
{
    int sum = 0;
    for (int i = 0; i < LOOPS; i++)
        sum += atomic_load(&told[i]);
    return sum;
}

static void every_loop_is_told_once(void **state)
{
    fixture *t = *state;
    struct app app = {.database_url = t->url};
    struct rpc_server *server = rpc_server_create(&(struct rpc_server_options){
        .registries =
            (const struct rpc_registry *const[]){&prbal_registry, NULL},
        .hooks = app_hooks(),
        .application = &app,
        .error_domain = "prbal",
        .loop_count = LOOPS,
    });
    snprintf(ended, sizeof ended, "%s", uuid_create(t->arena));
    assert_int_equal(rpc_server_start(server).code, RPC_OK);
    for (int i = 0; i < LOOPS; i++)
        loops[i] = rpc_server_loop(server, i);

    loop_post(loops[1], start_telling, server);
    for (int i = 0; total() < LOOPS && i < 500; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    rpc_server_stop(server);
    rpc_server_destroy(server);
    for (int i = 0; i < LOOPS; i++)
        assert_int_equal(atomic_load(&told[i]), 1);
    assert_int_equal(atomic_load(&wrong_thread), 0);
}

static int start(void **state)
{
    auth_on_session_end(hear);
    return kit_start(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(every_loop_is_told_once)};
    return cmocka_run_group_tests_name("revocation", tests, start, kit_stop);
}
