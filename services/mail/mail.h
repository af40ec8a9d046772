#ifndef PRBAL_SERVICES_MAIL_MAIL_H
#define PRBAL_SERVICES_MAIL_MAIL_H

#include "db/db.h"

/* Mail to one person, in plain text. */
struct mail {
    const char *to; /* an address; one with control characters is dropped */
    const char *subject;
    const char *text; /* UTF-8, lines end with \n */
};

/* The way out of the house.  `send` runs in a job and may suspend; a failure is
 * tried again later, with the same `id`, and so is a success that the process
 * did not live to record. */
struct mail_adapter {
    const char *name;
    rpc_status (*send)(struct rpc_call *call, const char *id,
                       const struct mail *mail);
};

/* Writes each mail into a file of its own, DATA/outbox/ID.eml, whose names sort
 * by time and which appear whole, and once. */
extern const struct mail_adapter mail_outbox;

/* Makes sending the mail a job of `tx` (services/jobs/jobs.h): when that has
 * committed, the mail is sent, however often processes die meanwhile; neither a
 * slow nor a dead mail server is noticed by the call.  Copies.  Does not
 * suspend. */
void mail_send(struct db *tx, const struct mail *mail);

/* RFC 5322 text of a mail, with CRLF line ends, in `arena`. */
char *mail_format(struct arena *arena, const char *from,
                  const struct mail *mail, const char *message_id,
                  int64_t wall_us);

#endif
