#include "db/lookup.h"

#include "rpc/loop.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct lookup {
    uv_getaddrinfo_t request;
    void (*found)(const char *address, void *owner); /* NULL: cancelled */
    void *owner;
};

static const char *option_of(const PQconninfoOption *options, const char *name)
{
    for (; options != NULL && options->keyword != NULL; options++)
        if (strcmp(options->keyword, name) == 0)
            return options->val == NULL ? "" : options->val;
    return "";
}

static bool is_address(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 ||
           inet_pton(AF_INET6, host, bytes) == 1;
}

static bool is_name(const char *host)
{
    return *host != '\0' && *host != '/' && *host != '@' &&
           strchr(host, ',') == NULL && !is_address(host);
}

/* False when there is no name to look up. */
static bool host_of(const char *url, char *host, size_t size)
{
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    int used = snprintf(host, size, "%s", option_of(options, "host"));
    bool has_address = *option_of(options, "hostaddr") != '\0';
    PQconninfoFree(options);
    return !has_address && used > 0 && (size_t)used < size && is_name(host);
}

static void on_found(uv_getaddrinfo_t *request, int status,
                     struct addrinfo *list)
{
    struct lookup *lookup = (struct lookup *)request;
    char address[NI_MAXHOST];
    bool known = status == 0 && list != NULL &&
                 getnameinfo(list->ai_addr, list->ai_addrlen, address,
                             sizeof address, NULL, 0, NI_NUMERICHOST) == 0;
    if (lookup->found != NULL)
        lookup->found(known ? address : NULL, lookup->owner);
    uv_freeaddrinfo(list);
    free(lookup);
}

struct lookup *lookup_start(struct loop *loop, const char *url,
                            void (*found)(const char *address, void *owner),
                            void *owner)
{
    char host[NI_MAXHOST];
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_ADDRCONFIG};
    if (!host_of(url, host, sizeof host))
        return NULL;
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL)
        abort();
    lookup->found = found;
    lookup->owner = owner;
    if (uv_getaddrinfo(loop_uv(loop), &lookup->request, on_found, host, NULL,
                       &hints) != 0)
        abort();
    return lookup;
}

void lookup_cancel(struct lookup *lookup)
{
    if (lookup == NULL)
        return;
    lookup->found = NULL;
    uv_cancel((uv_req_t *)&lookup->request);
}

/* Our settings follow those of the URL, whose own `options` would otherwise
 * replace them. */
PGconn *lookup_connect(const char *url, const char *address,
                       const char *application, const char *settings)
{
    char all_settings[512];
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    int size = snprintf(all_settings, sizeof all_settings, "%s %s",
                        option_of(options, "options"),
                        settings == NULL ? "" : settings);
    PQconninfoFree(options);
    if (size < 0 || (size_t)size >= sizeof all_settings)
        return NULL;
    const struct {
        const char *name, *value;
    } pairs[] = {
        {"dbname", url},
        {"fallback_application_name", application},
        {"client_encoding", "UTF8"},
        {"keepalives_idle", "10"},
        {"keepalives_interval", "5"},
        {"keepalives_count", "3"},
        {"tcp_user_timeout", "15000"},
        {"options", all_settings},
        {address == NULL ? NULL : "hostaddr", address},
        {NULL, NULL},
    };
    const char *names[sizeof pairs / sizeof *pairs];
    const char *values[sizeof pairs / sizeof *pairs];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        names[i] = pairs[i].name;
        values[i] = pairs[i].value;
    }
    return PQconnectStartParams(names, values, 1);
}
