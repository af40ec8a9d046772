/* Joins the runtime, the database and the marketplace: what happens around
 * every call is in this file. */
#include "services/app.h"

#include "db/pool.h"
#include "rpc/loop.h"
#include "services/auth/authenticate.h"
#include "services/events/hub.h"

static void begin(struct rpc_call *call)
{
    call->db = db_open(call);
}

static rpc_status on_loop_start(struct rpc_server *server, struct loop *loop)
{
    const struct app *app = rpc_server_application(server);
    const struct app_config *config = app_config();
    const struct db_pool_options options = {
        .url = app->database_url,
        .leases_max = (int)config->db_leases,
        .lease_queue_max = (int)config->db_lease_queue,
        .statement_timeout_ms = (int)config->db_statement_timeout_ms,
        .idle_transaction_ms = (int)config->db_idle_transaction_ms,
        .prepare = config->db_prepare != SWITCH_OFF,
    };
    db_pool_create(loop, &options);
    authenticate_loop_start(server, loop);
    hub_start(server, loop, app->database_url);
    return RPC_SUCCESS;
}

static void on_loop_stop(struct rpc_server *server, struct loop *loop)
{
    (void)server;
    hub_stop(loop);
    authenticate_loop_stop(loop);
    db_pool_destroy(db_pool_of(loop));
}

/* Asked on the first loop, also before it runs. */
static bool ready(struct rpc_server *server)
{
    const struct db_pool *pool = db_pool_of(rpc_server_loop(server, 0));
    return pool != NULL && db_pool_is_up(pool);
}

struct rpc_hooks app_hooks(void)
{
    hub_register();
    return (struct rpc_hooks){
        .authenticate = authenticate,
        .begin = begin,
        .loop_start = on_loop_start,
        .loop_stop = on_loop_stop,
        .ready = ready,
    };
}
