/* Hints between processes: "PROCESS ID ID ID ...", or "PROCESS *" when there
 * are too many to name; and whispers, "PROCESS ~ WORD WORD ...". */
#include "db/listener.h"
#include "rpc/loop.h"
#include "services/events/users.h"
#include "services/events/wake.h"
#include "services/events/whisper.h"

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

/* What the next notification of a kind will say. */
struct hint {
    size_t word_count;
    size_t size; /* of `text`, without its NUL */
    char text[HINT_SIZE + 1];
};

struct hints {
    struct rpc_server *server;
    struct loop *loop;
    struct db_listener *listener;
    struct loop_timer timer;
    char process[PROCESS_SIZE]; /* knows our own hints when they come back */
    bool is_everybody;          /* too many users to name */
    struct hint users;
    struct hint whispers;
};

/* ---- Out. */

static void begin_hint(const struct hints *hints, struct hint *hint,
                       const char *kind)
{
    hint->word_count = 0;
    hint->size = (size_t)snprintf(hint->text, sizeof hint->text, "%s%s",
                                  hints->process, kind);
}

static void begin_users(struct hints *hints)
{
    hints->is_everybody = false;
    begin_hint(hints, &hints->users, "");
}

static void begin_whispers(struct hints *hints)
{
    begin_hint(hints, &hints->whispers, " ~");
}

/* False when there is no room for it. */
static bool add_word(struct hint *hint, const char *word)
{
    if (hint->size + 1 + strlen(word) > HINT_SIZE)
        return false;
    hint->size += (size_t)snprintf(hint->text + hint->size,
                                   sizeof hint->text - hint->size, " %s", word);
    hint->word_count++;
    return true;
}

static bool send_users(struct hints *hints)
{
    char everybody[PROCESS_SIZE + 2];
    snprintf(everybody, sizeof everybody, "%s *", hints->process);
    return db_listener_notify(
        hints->listener, hints->is_everybody ? everybody : hints->users.text);
}

/* One at a time.  What comes while the listener is busy or away joins the same
 * hint; whispers that had to wait for it are old. */
static void on_timer(struct loop_timer *timer)
{
    struct hints *hints =
        (struct hints *)((char *)timer - offsetof(struct hints, timer));
    if (hints->users.word_count > 0) {
        if (send_users(hints))
            begin_users(hints);
    } else {
        db_listener_notify(hints->listener, hints->whispers.text);
        begin_whispers(hints);
    }
    if (hints->users.word_count + hints->whispers.word_count > 0)
        loop_timer_start(hints->loop, timer, HINT_EVERY_MS);
}

static void start_timer(struct hints *hints)
{
    if (hints->users.word_count + hints->whispers.word_count == 0)
        loop_timer_start(hints->loop, &hints->timer, HINT_EVERY_MS);
}

void hints_add(struct hints *hints, const char *user_id)
{
    start_timer(hints);
    if (!hints->is_everybody && strstr(hints->users.text, user_id) == NULL)
        hints->is_everybody = !add_word(&hints->users, user_id);
}

void hints_add_whisper(struct hints *hints, const struct whisper *whisper)
{
    char word[WHISPER_WORD_SIZE];
    whisper_write(whisper, word);
    start_timer(hints);
    add_word(&hints->whispers, word);
}

/* ---- In. */

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

static void hear_whispers(struct hints *hints, char *words)
{
    char *rest = NULL;
    for (char *word = strtok_r(words, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        struct whisper whisper;
        if (whisper_read(&whisper, word))
            whisper_here(hints->server, &whisper);
    }
}

static void hear(struct hints *hints, const char *said)
{
    if (strcmp(said, "*") == 0) {
        wake_everybody(hints->server);
        return;
    }
    char *words = strdup(said);
    assert(words != NULL);
    if (words[0] == '~')
        hear_whispers(hints, words + 1);
    else
        wake_named(hints, words);
    free(words);
}

static void on_heard(const char *payload, void *owner)
{
    struct hints *hints = owner;
    if (payload == NULL) { /* the connection was away */
        wake_everybody(hints->server);
        return;
    }
    size_t length = strlen(payload);
    bool is_hint = length >= PROCESS_SIZE && length <= HINT_SIZE &&
                   payload[PROCESS_SIZE - 1] == ' ';
    if (is_hint && strncmp(payload, hints->process, PROCESS_SIZE - 1) != 0)
        hear(hints, payload + PROCESS_SIZE);
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
    begin_users(hints);
    begin_whispers(hints);
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
