#ifndef PRBAL_SERVICES_APP_H
#define PRBAL_SERVICES_APP_H

#include "rpc/config.h"
#include "rpc/server.h"

/* What all domains share: the settings, and the hooks that join the runtime,
 * the database and the marketplace. */

enum { ENVIRONMENT_DEVELOPMENT, ENVIRONMENT_PRODUCTION };
enum { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum { LISTEN_MODE_TLS, LISTEN_MODE_H2C, LISTEN_MODE_BOTH };
enum { SWITCH_AUTO, SWITCH_ON, SWITCH_OFF };
enum { MAIL_OUTBOX };
enum { PAYMENTS_OFF };

/* One field for each line of services/config.def. */
struct app_config {
#define SECTION(heading)
#define TEXT(name, ...) const char *name;
#define SECRET(name, ...) const char *name;
#define BOOL(name, ...) bool name;
#define INT(name, ...) int64_t name;
#define DURATION(name, ...) int64_t name##_ms;
#define SIZE(name, ...) int64_t name##_bytes;
#define ENUM(name, ...) int name;
#include "services/config.def"
#undef SECTION
#undef TEXT
#undef SECRET
#undef BOOL
#undef INT
#undef DURATION
#undef SIZE
#undef ENUM
};

/* The settings.  Defaults until app_configure() has read others; from then on,
 * and that is before any loop runs, nothing changes them. */
const struct app_config *app_config(void);

/* Reads the file named by PRBAL_CONFIG, the environment and `pairs`
 * ("name=value", NULL-terminated; may be NULL; they are read again later).
 * False with a sentence in error[error_size].  Main thread, before the server
 * starts. */
bool app_configure(const char *const *pairs, char *error, size_t error_size);

/* Reads all of that once more, into `fresh`, beside the settings in use: for
 * what can change while the server runs.  NULL with a sentence in
 * error[error_size]; else the caller's, to be destroyed before `fresh`. */
struct config *app_config_reread(struct app_config *fresh, char *error,
                                 size_t error_size);

/* Changes one setting, as `--set` does.  For tests, between calls. */
bool app_config_set(const char *name, const char *value, char *error,
                    size_t error_size);

/* The settings with their origins, for printing. */
const struct config *app_config_table(void);

/* The data folder, the default filled in; no file needs to exist there. */
const char *app_data_folder(void);

/* "unix:PATH" of the operator's socket. */
void app_admin_address(char *address, size_t size);

/* What the hooks need to know; it outlives the server. */
struct app {
    const char *database_url; /* libpq connection string */
};

/* How prbald serves: the API's methods, the limits of the settings, and hooks
 * for who a token is, what database a call sees, and when the server is ready.
 * `app` outlives the server. */
struct rpc_server_options app_server_options(struct app *app);

/* The limits of rpc/limits.def that these settings name. */
void app_limits(const struct config *settings,
                struct rpc_server_options *options);
struct rpc_hooks app_hooks(void);

#endif
