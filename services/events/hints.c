/* Hints between processes: "PROCESS ID ID ID ...", or "PROCESS *" when there
 * are too many to name. */
#include "db/listener.h"
#include "rpc/loop.h"
#include "services/events/users.h"
#include "services/events/wake.h"

#include <assert.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HINT_EVERY_MS = 20,
    HINT_SIZE = 7900, /* PostgreSQL takes 7,999 bytes */
    PROCESS_SIZE = 17,
    HEARD_MAX = HINT_SIZE / USER_ID_SIZE + 1,
};

struct hints {
    struct rpc_server *server;
    struct loop *loop;
    struct db_listener *listener;
    struct loop_timer timer;
    char process[PROCESS_SIZE]; /* knows our own hints when they come back */
    bool is_everybody;          /* too many users to name */
    size_t size;                /* of `text`, without its NUL */
    char text[HINT_SIZE + 1];
};

static void begin_hint(struct hints *hints)
{
    hints->is_everybody = false;
    hints->size =
        (size_t)snprintf(hints->text, sizeof hints->text, "%s", hints->process);
}

static bool has_begun(const struct hints *hints)
{
    return hints->is_everybody || hints->size >= PROCESS_SIZE;
}

static void on_timer(struct loop_timer *timer)
{
    struct hints *hints =
        (struct hints *)((char *)timer - offsetof(struct hints, timer));
    char everybody[PROCESS_SIZE + 2];
    snprintf(everybody, sizeof everybody, "%s *", hints->process);
    if (db_listener_notify(hints->listener,
                           hints->is_everybody ? everybody : hints->text))
        begin_hint(hints);
    else /* busy or away: what comes meanwhile joins the same hint */
        loop_timer_start(hints->loop, timer, HINT_EVERY_MS);
}

void hints_add(struct hints *hints, const char *user_id)
{
    if (!has_begun(hints))
        loop_timer_start(hints->loop, &hints->timer, HINT_EVERY_MS);
    if (hints->is_everybody || strstr(hints->text, user_id) != NULL)
        return;
    if (hints->size + 1 + strlen(user_id) > HINT_SIZE) {
        hints->is_everybody = true;
        return;
    }
    hints->size +=
        (size_t)snprintf(hints->text + hints->size,
                         sizeof hints->text - hints->size, " %s", user_id);
}

static void wake_named(struct hints *hints, char *names)
{
    const char *user_ids[HEARD_MAX];
    size_t count = 0;
    char *rest = NULL;
    for (char *name = strtok_r(names, " ", &rest);
         name != NULL && count < HEARD_MAX; name = strtok_r(NULL, " ", &rest))
        user_ids[count++] = name;
    wake_here(hints->server, user_ids, count);
}

static void on_heard(const char *payload, void *owner)
{
    struct hints *hints = owner;
    if (payload == NULL) { /* the connection was away */
        wake_everybody(hints->server);
        return;
    }
    size_t length = strlen(payload);
    if (length < PROCESS_SIZE || length > HINT_SIZE ||
        payload[PROCESS_SIZE - 1] != ' ' ||
        strncmp(payload, hints->process, PROCESS_SIZE - 1) == 0)
        return;
    if (strcmp(payload + PROCESS_SIZE, "*") == 0) {
        wake_everybody(hints->server);
        return;
    }
    char *names = strdup(payload + PROCESS_SIZE);
    assert(names != NULL);
    wake_named(hints, names);
    free(names);
}

struct hints *hints_create(struct rpc_server *server, struct loop *loop,
                           const char *database_url)
{
    struct hints *hints = calloc(1, sizeof *hints);
    assert(hints != NULL);
    hints->server = server;
    hints->loop = loop;
    unsigned char random[(PROCESS_SIZE - 1) / 2];
    int is_random = RAND_bytes(random, sizeof random);
    assert(is_random == 1);
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(hints->process + 2 * i, 3, "%02x", random[i]);
    begin_hint(hints);
    loop_timer_init(&hints->timer, on_timer);
    hints->listener =
        db_listener_create(loop, database_url, "prbal_event", on_heard, hints);
    return hints;
}

void hints_destroy(struct hints *hints)
{
    if (hints == NULL)
        return;
    loop_timer_stop(&hints->timer);
    db_listener_destroy(hints->listener);
    free(hints);
}
