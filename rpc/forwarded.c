#include "rpc/forwarded.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

struct element {
    const char *text;
    size_t size;
};

/* The last elements of the list, in a ring. */
struct elements {
    struct element last[FORWARDED_PROXIES_MAX];
    uint32_t count;
};

static struct element trimmed(const char *text, size_t size)
{
    while (size > 0 && (text[0] == ' ' || text[0] == '\t'))
        text++, size--;
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
        size--;
    return (struct element){text, size};
}

static void split(struct elements *elements, const char *text, size_t size)
{
    for (;;) {
        const char *comma = memchr(text, ',', size);
        size_t part = comma == NULL ? size : (size_t)(comma - text);
        elements->last[elements->count++ % FORWARDED_PROXIES_MAX] =
            trimmed(text, part);
        if (comma == NULL)
            return;
        text = comma + 1;
        size -= part + 1;
    }
}

/* Some proxies write a port behind the address. */
static void drop_port(char *text)
{
    char *bracket = strchr(text, ']');
    char *colon = strchr(text, ':');
    if (bracket != NULL)
        *bracket = '\0';
    else if (colon != NULL && strchr(colon + 1, ':') == NULL)
        *colon = '\0';
}

static bool parse(struct element element, struct sockaddr_storage *peer)
{
    char text[64];
    if (element.size == 0 || element.size >= sizeof text)
        return false;
    memcpy(text, element.text, element.size);
    text[element.size] = '\0';
    drop_port(text);

    memset(peer, 0, sizeof *peer);
    struct sockaddr_in *v4 = (struct sockaddr_in *)peer;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)peer;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        peer->ss_family = AF_INET;
        return true;
    }
    const char *host = text[0] == '[' ? text + 1 : text;
    peer->ss_family = AF_INET6;
    return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1;
}

bool forwarded_peer(const struct rpc_field *metadata, uint32_t proxies,
                    struct sockaddr_storage *peer)
{
    static const char name[] = "x-forwarded-for";
    struct elements elements = {.count = 0};
    for (const struct rpc_field *f = metadata; f != NULL; f = f->next)
        if (f->name_size == sizeof name - 1 &&
            memcmp(f->name, name, sizeof name - 1) == 0)
            split(&elements, f->value, f->value_size);
    if (proxies == 0 || proxies > FORWARDED_PROXIES_MAX ||
        elements.count < proxies)
        return false;
    return parse(
        elements.last[(elements.count - proxies) % FORWARDED_PROXIES_MAX],
        peer);
}
