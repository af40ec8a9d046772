#include "services/commands/review.h"

#include "services/app.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

__attribute__((format(printf, 3, 4))) static bool fail(char *error,
                                                       size_t error_size,
                                                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, error_size, format, args);
    va_end(args);
    return false;
}

static bool is_private_address(const char *address)
{
    return strncmp(address, "127.", 4) == 0 ||
           strncmp(address, "localhost:", 10) == 0 ||
           strncmp(address, "[::1]:", 6) == 0 ||
           strncmp(address, "unix:", 5) == 0;
}

static bool certificate_is_given(char *error, size_t error_size)
{
    const struct app_config *config = app_config();
    if (config->listen_mode == LISTEN_MODE_H2C)
        return true;
    if (*config->tls_cert == '\0' || *config->tls_key == '\0')
        return fail(error, error_size,
                    "PRBAL_TLS_CERT and PRBAL_TLS_KEY have to name a "
                    "certificate and its key.");
    return true;
}

static bool key_is_private(char *error, size_t error_size)
{
    struct stat info;
    const char *path = app_config()->tls_key;
    if (*path == '\0' || stat(path, &info) != 0)
        return true; /* another rule's */
    if ((info.st_mode & 007) != 0)
        return fail(error, error_size,
                    "The key %s can be read by every user: chmod o= it.", path);
    return true;
}

static bool clear_text_stays_inside(char *error, size_t error_size)
{
    const struct app_config *config = app_config();
    if (config->listen_mode != LISTEN_MODE_TLS &&
        !is_private_address(config->listen))
        return fail(error, error_size,
                    "PRBAL_LISTEN_MODE %s is clear text and %s can be reached "
                    "from outside: listen on 127.0.0.1 behind a proxy, or use "
                    "tls.",
                    config_text(app_config_table(), "listen_mode"),
                    config->listen);
    return true;
}

static bool edge_stays_inside(char *error, size_t error_size)
{
    const char *edge = app_config()->edge_listen;
    if (*edge != '\0' && !is_private_address(edge))
        return fail(error, error_size,
                    "PRBAL_EDGE_LISTEN %s is clear text with metrics and can "
                    "be reached from outside: listen on 127.0.0.1 behind a "
                    "proxy.",
                    edge);
    return true;
}

static bool services_show_certificates(char *error, size_t error_size)
{
    const struct app_config *config = app_config();
    if (*config->service_identities != '\0' &&
        config->tls_client_auth == RPC_CLIENT_AUTH_OFF)
        return fail(error, error_size,
                    "PRBAL_SERVICE_IDENTITIES names certificates, and "
                    "PRBAL_TLS_CLIENT_AUTH off asks for none.");
    return true;
}

static bool reflection_is_off(char *error, size_t error_size)
{
    if (app_config()->reflection == SWITCH_ON)
        return fail(error, error_size,
                    "PRBAL_REFLECTION is on: it shows the whole API to "
                    "everybody.");
    return true;
}

static bool faults_are_off(char *error, size_t error_size)
{
    if (*app_config()->faults != '\0')
        return fail(error, error_size,
                    "PRBAL_FAULTS makes calls fail on purpose.");
    return true;
}

static bool log_is_quiet(char *error, size_t error_size)
{
    if (app_config()->log_level == LOG_LEVEL_DEBUG)
        return fail(error, error_size,
                    "PRBAL_LOG_LEVEL is debug: it may write what people send.");
    return true;
}

/* A host other than this one needs TLS that checks who answers. */
static bool database_is_encrypted(char *error, size_t error_size)
{
    const char *url = app_config()->database_url;
    bool local = *url == '\0' || strstr(url, "@localhost") != NULL ||
                 strstr(url, "@127.") != NULL ||
                 strstr(url, "host=/") != NULL ||
                 strstr(url, "host='/") != NULL || strstr(url, "@/") != NULL;
    if (local || strstr(url, "sslmode=verify-") != NULL)
        return true;
    return fail(error, error_size,
                "PRBAL_DATABASE_URL goes to another machine without "
                "sslmode=verify-full.");
}

static bool user_is_not_root(char *error, size_t error_size)
{
    if (geteuid() == 0)
        return fail(error, error_size,
                    "prbald runs as root: give it a user of its own.");
    return true;
}

static bool contacts_are_verified(char *error, size_t error_size)
{
    if (!app_config()->require_verified_contact)
        return fail(error, error_size,
                    "PRBAL_REQUIRE_VERIFIED_CONTACT is false: anybody could "
                    "take anybody's address.");
    return true;
}

static bool methods_are_limited(char *error, size_t error_size)
{
    if (!app_config()->rate_methods)
        return fail(error, error_size,
                    "PRBAL_RATE_METHODS is false: nothing slows down who "
                    "guesses or floods.");
    return true;
}

const struct review_rule review_rules[] = {
    {"certificate", certificate_is_given},
    {"key file", key_is_private},
    {"clear text", clear_text_stays_inside},
    {"edge", edge_stays_inside},
    {"reflection", reflection_is_off},
    {"faults", faults_are_off},
    {"log level", log_is_quiet},
    {"database link", database_is_encrypted},
    {"user", user_is_not_root},
    {"contacts", contacts_are_verified},
    {"method limits", methods_are_limited},
    {"services", services_show_certificates},
    {NULL, NULL},
};

bool review_settings(char *error, size_t error_size)
{
    for (const struct review_rule *rule = review_rules; rule->name != NULL;
         rule++)
        if (!rule->is_fine(error, error_size))
            return false;
    return true;
}
