#include "services/mail/mail.h"

#include "rpc/log.h"
#include "rpc/server.h"
#include "services/app.h"

#include <stdlib.h>
#include <string.h>

static const struct mail_adapter *adapter(void)
{
    switch (app_config()->mail) {
    case MAIL_OUTBOX:
    default:
        return &mail_outbox;
    }
}

/* A mail that outlives the call that wanted it. */
struct letter {
    struct mail mail;
    char bytes[];
};

static struct letter *letter_create(const struct mail *mail)
{
    const char *const texts[] = {mail->to, mail->subject, mail->text};
    size_t sizes[3], total = 0;
    for (int i = 0; i < 3; i++)
        total += sizes[i] = strlen(texts[i]) + 1;
    struct letter *letter = malloc(sizeof *letter + total);
    if (letter == NULL)
        abort();
    char *to = letter->bytes;
    letter->mail.to = memcpy(to, texts[0], sizes[0]);
    letter->mail.subject = memcpy(to += sizes[0], texts[1], sizes[1]);
    letter->mail.text = memcpy(to + sizes[1], texts[2], sizes[2]);
    return letter;
}

static void deliver(struct rpc_call *call, void *argument)
{
    struct letter *letter = argument;
    rpc_status status = adapter()->send(call, &letter->mail);
    if (status.code != RPC_OK)
        log_text(LOG_ERROR, "mail", "%s: a mail was not sent: %s",
                 adapter()->name, status.message);
    free(letter);
}

static void post(struct rpc_call *call, void *argument)
{
    struct letter *letter = letter_create(argument);
    if (rpc_task(call->server, call->loop, deliver, letter) != NULL)
        return;
    log_text(LOG_ERROR, "mail", "no coroutine to send a mail with");
    free(letter);
}

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 127)
            return false;
    return true;
}

void mail_send(struct db *tx, const struct mail *mail)
{
    if (!is_printable(mail->to) || !is_printable(mail->subject))
        return;
    struct arena *arena = db_call(tx)->arena;
    struct mail *copy = ARENA_NEW(arena, struct mail);
    *copy = (struct mail){
        .to = arena_strdup(arena, mail->to),
        .subject = arena_strdup(arena, mail->subject),
        .text = arena_strdup(arena, mail->text),
    };
    db_after_commit(tx, post, copy);
}
