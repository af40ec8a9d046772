#ifndef PRBAL_SERVICES_MAIL_MAIL_H
#define PRBAL_SERVICES_MAIL_MAIL_H

#include "db/db.h"

/* Mail to one person, in plain text. */
struct mail {
    const char *to; /* an address; one with control characters is dropped */
    const char *subject;
    const char *text; /* UTF-8, lines end with \n */
};

/* The way out of the house.  `send` runs on a task of its own and may suspend;
 * what it answers is logged, and ends there. */
struct mail_adapter {
    const char *name;
    rpc_status (*send)(struct rpc_call *call, const struct mail *mail);
};

/* Writes each mail into a file of its own, DATA/outbox/ID.eml, whose names sort
 * by time and which appear whole. */
extern const struct mail_adapter mail_outbox;

/* Sends the mail once `tx` is committed, beside the call: neither a slow nor a
 * dead mail server is noticed by it.  Copies.  Does not suspend.  A process
 * that dies in between sends nothing: whoever waits for a code asks again. */
void mail_send(struct db *tx, const struct mail *mail);

/* RFC 5322 text of a mail, with CRLF line ends, in `arena`. */
char *mail_format(struct arena *arena, const char *from,
                  const struct mail *mail, const char *message_id,
                  int64_t wall_us);

#endif
