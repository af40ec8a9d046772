#include "services/commands/serve_start.h"
#include "db/folder.h"
#include "db/migrate.h"
#include "rpc/fault.h"
#include "rpc/inherited.h"
#include "rpc/log.h"
#include "rpc/server.h"
#include "services/commands/review.h"
#include "services/keys.h"
#include "services/probes.h"
#include "services/seed/seed.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    PATH_BYTES = 1024,
    OPEN_FILES_WANTED = 65536,
    LARGE_BUFFER_BYTES = 256 * 1024,
};

void serve_say(const char *what, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("%-12s ", what);
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

bool serve_is_development(void)
{
    return app_config()->environment == ENVIRONMENT_DEVELOPMENT;
}

/* Each connection is a file; the soft limit is often 1024. */
static bool raise_file_limit(struct serving *s)
{
    (void)s;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return true;
    rlim_t wanted = OPEN_FILES_WANTED;
    if (limit.rlim_max < wanted)
        wanted = limit.rlim_max;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return true;
}

/* A large message has a mapping of its own: it grows without being copied, and
 * goes back to the system when its call ends.  malloc() would learn from the
 * first one to keep all others on its heap. */
static bool map_large_buffers(struct serving *s)
{
    (void)s;
    mallopt(M_MMAP_THRESHOLD, LARGE_BUFFER_BYTES);
    return true;
}

static bool open_log(struct serving *s)
{
    const struct app_config *config = app_config();
    const struct log_options options = {
        .path = *config->log_file != '\0' ? config->log_file : NULL,
        .level = (log_level)config->log_level,
        .without_calls = !config->log_calls,
    };
    return log_open(&options, s->error, sizeof s->error);
}

static bool check_settings(struct serving *s)
{
    return serve_is_development() || review_settings(s->error, sizeof s->error);
}

static bool adopt_database(struct serving *s)
{
    if (!database_take_over(&s->database, &s->gift.database, s->error,
                            sizeof s->error))
        return false;
    serve_say("database", "PostgreSQL goes on (process %d)",
              embedded_pid(s->database.embedded));
    s->app.database_url = s->database.url;
    return true;
}

static bool open_database(struct serving *s)
{
    bool private = *app_config()->database_url == '\0';
    if (!folder_make(app_data_folder(), s->error, sizeof s->error))
        return false;
    if (s->gift.has_database)
        return adopt_database(s);
    if (private)
        serve_say("database", "starting a private PostgreSQL in %s",
                  app_data_folder());
    if (!database_open(&s->database, false, s->error, sizeof s->error))
        return false;
    if (private)
        serve_say("database",
                  "PostgreSQL is up (process %d); `prbald psql` opens it",
                  embedded_pid(s->database.embedded));
    else
        serve_say("database", "PostgreSQL of PRBAL_DATABASE_URL");
    s->app.database_url = s->database.url;
    return true;
}

static bool migrate(struct serving *s)
{
    int applied = db_migrate(s->database.url, true, s->error, sizeof s->error);
    if (applied > 0)
        serve_say("migrations", "%d applied", applied);
    return applied >= 0;
}

static bool seed_once(struct serving *s)
{
    if (!serve_is_development())
        return true;
    struct seed_result result;
    if (!seed_demo_if_empty(s->database.url, &result, s->error,
                            sizeof s->error))
        return false;
    if (result.account_count > 0)
        serve_say(
            "seed",
            "%d demo accounts, %d services; sign in as %s with password %s",
            result.account_count, result.service_count, SEED_DEMO_EMAIL,
            SEED_DEMO_PASSWORD);
    return true;
}

static bool load_keys(struct serving *s)
{
    char folder[PATH_BYTES];
    snprintf(folder, sizeof folder, "%s/keys", app_data_folder());
    return keys_load(folder, s->error, sizeof s->error);
}

static bool find_certificate(struct serving *s)
{
    return tls_files_find(&s->tls, s->error, sizeof s->error);
}

static bool create_server(struct serving *s)
{
    struct rpc_server_options options = app_server_options(&s->app);
    char why[200];
    s->faults = rpc_faults_parse(app_config()->faults, why, sizeof why);
    if (s->faults == NULL) {
        snprintf(s->error, sizeof s->error, "PRBAL_FAULTS: %s", why);
        return false;
    }
    options.faults = s->faults;
    s->server = rpc_server_create(&options);
    return true;
}

static bool listen_for_calls(struct serving *s)
{
    static const rpc_listen_mode modes[] = {
        [LISTEN_MODE_TLS] = RPC_LISTEN_TLS,
        [LISTEN_MODE_H2C] = RPC_LISTEN_H2C,
        [LISTEN_MODE_BOTH] = RPC_LISTEN_BOTH,
    };
    const struct app_config *config = app_config();
    if (!tls_files_use(&s->tls, s->server, s->error, sizeof s->error))
        return false;
    int port =
        rpc_server_listen(s->server, config->listen, modes[config->listen_mode],
                          s->error, sizeof s->error);
    if (port < 0)
        return false;
    serve_say("listening", "%s, %s", config->listen,
              config->listen_mode == LISTEN_MODE_TLS   ? "TLS"
              : config->listen_mode == LISTEN_MODE_H2C ? "clear text"
                                                       : "TLS and clear text");
    return true;
}

/* Two servers may share a data folder, and a folder's name may be too long for
 * a socket: a default that cannot be had stops nobody from serving. */
static bool listen_for_operator(struct serving *s)
{
    char address[PATH_BYTES];
    app_admin_address(address, sizeof address);
    if (rpc_server_listen(s->server, address, RPC_LISTEN_OPERATOR, s->error,
                          sizeof s->error) >= 0)
        return true;
    if (*app_config()->admin_socket != '\0')
        return false;
    serve_say("operator", "%s; set PRBAL_ADMIN_SOCKET for `prbald top`",
              s->error);
    return true;
}

/* What nobody has asked for would keep clients waiting for ever. */
static bool drop_other_sockets(struct serving *s)
{
    (void)s;
    int count = inherited_close_rest();
    if (count > 0)
        serve_say("listening", "%d inherited sockets are no setting's; closed",
                  count);
    return true;
}

static bool start_server(struct serving *s)
{
    rpc_status status = rpc_server_start(s->server);
    if (status.code == RPC_OK)
        return true;
    snprintf(s->error, sizeof s->error, "%s", status.message);
    return false;
}

static bool start_edge(struct serving *s)
{
    const char *address = app_config()->edge_listen;
    if (*address == '\0')
        return true;
    s->edge = probes_start(address, s->server, s->error, sizeof s->error);
    if (s->edge != NULL)
        serve_say("listening", "%s, HTTP: /healthz /readyz /metrics", address);
    return s->edge != NULL;
}

typedef bool (*step)(struct serving *s);

static const step steps[] = {
    map_large_buffers, raise_file_limit,   check_settings,
    open_log,          open_database,      migrate,
    seed_once,         load_keys,          find_certificate,
    create_server,     listen_for_calls,   listen_for_operator,
    start_edge,        drop_other_sockets, start_server,
};

bool serve_start(struct serving *s)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (!steps[i](s))
            return false;
    return true;
}
