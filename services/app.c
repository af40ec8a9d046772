/* Joins the runtime, the database and the marketplace: what happens around
 * every call is in this file. */
#include "services/app.h"

#include "db/pool.h"
#include "prbal/options.rpc.h"
#include "prbal/v1/registry.rpc.h"
#include "rpc/limits.h"
#include "rpc/loop.h"
#include "services/auth/authenticate.h"
#include "services/events/hub.h"
#include "services/idempotency/idempotency.h"
#include "services/jobs/worker.h"

static void begin(struct rpc_call *call)
{
    call->db = db_open(call);
}

/* Up to where the call has written, for the caller's next reads. */
static void leave(struct rpc_call *call, rpc_set_metadata *set)
{
    char token[DB_READ_AFTER_BYTES];
    if (db_read_after_news(call, token))
        set(call, "prbal-read-after", token, sizeof token);
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
        .replica_urls = config->replica_url,
        .replica_lag_ms = (int)config->replica_lag_ms,
        .replica_without_token = config->replica_without_token,
    };
    db_pool_create(loop, &options);
    authenticate_loop_start(server, loop);
    idempotency_loop_start(loop);
    hub_start(server, loop, app->database_url);
    jobs_start(server, loop);
    return RPC_SUCCESS;
}

static void on_loop_stop(struct rpc_server *server, struct loop *loop)
{
    (void)server;
    jobs_stop(loop);
    hub_stop(loop);
    idempotency_loop_stop(loop);
    authenticate_loop_stop(loop);
    db_pool_destroy(db_pool_of(loop));
}

/* Asked on the first loop, also before it runs. */
static bool ready(struct rpc_server *server)
{
    const struct db_pool *pool = db_pool_of(rpc_server_loop(server, 0));
    return pool != NULL && db_pool_is_up(pool);
}

/* Links to PostgreSQL: those that calls lease are what can run out. */
static size_t pools(struct loop *loop, struct rpc_pool *to, size_t room)
{
    const struct db_pool *pool = db_pool_of(loop);
    if (pool == NULL || room < 1)
        return 0;
    struct db_pool_stats stats = db_pool_stats(pool);
    to[0] = (struct rpc_pool){
        .name = "database leases",
        .used = (uint32_t)stats.leases_used,
        .idle = (uint32_t)(stats.leases_up - stats.leases_used),
        .waiting = (uint32_t)stats.leases_waiting,
        .max = (uint32_t)app_config()->db_leases,
        .is_up = db_pool_is_up(pool),
    };
    return 1;
}

struct rpc_hooks app_hooks(void)
{
    hub_register();
    jobs_register();
    return (struct rpc_hooks){
        .authenticate = authenticate,
        .begin = begin,
        .confirm = authenticate_confirm,
        .leave = leave,
        .once = idempotency_run,
        .loop_start = on_loop_start,
        .loop_stop = on_loop_stop,
        .busy = jobs_are_busy,
        .ready = ready,
        .pools = pools,
    };
}

/* For "only ... may do this". */
static const char *const role_names[32] = {
    [ROLE_SEEKER] = "seekers",       [ROLE_PROVIDER] = "providers",
    [ROLE_LEARNER] = "learners",     [ROLE_ADMIN] = "administrators",
    [ROLE_SUPERUSER] = "superusers", [ROLE_SERVICE] = "services",
};

/* Somebody who develops against the server restarts the client all day: there
 * the hourly limits hold only when they were asked for. */
static uint32_t hourly(const char *name, int64_t limit)
{
    bool untouched =
        config_origin_of(app_config_table(), name) == CONFIG_FROM_DEFAULT;
    if (app_config()->environment == ENVIRONMENT_DEVELOPMENT && untouched)
        return 0;
    return (uint32_t)limit;
}

static bool has_reflection(const struct app_config *config)
{
    if (config->reflection == SWITCH_AUTO)
        return config->environment == ENVIRONMENT_DEVELOPMENT;
    return config->reflection == SWITCH_ON;
}

/* Behind proxies all connections come from few addresses. */
void app_limits(const struct config *settings,
                struct rpc_server_options *options)
{
    int64_t value;
    for (size_t i = 0; i < rpc_limit_count; i++)
        if (config_number(settings, rpc_limits[i].name, &value))
            rpc_limit_set(options, &rpc_limits[i], (uint64_t)value);
    if (config_number(settings, "proxies", &value) && value > 0) {
        options->proxies = (uint32_t)value;
        options->connections_per_ip_max = 0;
    }
}

struct rpc_server_options app_server_options(struct app *app)
{
    static const struct rpc_registry *const registries[] = {&prbal_registry,
                                                            NULL};
    const struct app_config *config = app_config();
    struct rpc_server_options options = {
        .registries = registries,
        .hooks = app_hooks(),
        .application = app,
        .version = PRBAL_VERSION,
        .error_domain = "prbal",
        .loop_count = (int)config->loops,
        .reflection = has_reflection(config),
        .admin_services = true,
        .load_reports = (rpc_reports)config->load_reports,
        .compress_bytes_min = (uint32_t)config->compress_from_bytes,
        .proxies = (uint32_t)config->proxies,
        .client_auth = (rpc_client_auth)config->tls_client_auth,
        .client_ca = config->tls_client_ca,
        .client_crl = config->tls_client_crl,
        .tickets = (uint32_t)config->tls_tickets,
        .web_origins = config->web_origins,
        .admission_delay_ms = config->admission_delay_ms == 0
                                  ? RPC_ADMISSION_OFF
                                  : (uint32_t)config->admission_delay_ms,
        /* 0 would mean the default. */
        .drain_ms = config->drain_ms > 0 ? (uint32_t)config->drain_ms : 1,
        .drain_notice_ms = (uint32_t)config->drain_notice_ms,
        .signed_in_per_hour = hourly("rate_signed_in", config->rate_signed_in),
        .anonymous_per_hour = hourly("rate_anonymous", config->rate_anonymous),
        .without_method_limits = !config->rate_methods,
        .role_names = role_names,
    };
    app_limits(app_config_table(), &options);
    return options;
}
