#ifndef PRBAL_DB_LINK_H
#define PRBAL_DB_LINK_H

#include "db/statement.h"
#include "rpc/loop.h"

/* One connection to PostgreSQL, in libpq's pipeline mode, that never blocks its
 * loop.
 *
 *   closed -> connecting -> up -> closed
 *                |                  ^
 *                +--- waiting ------+   (back-off; only when it `keeps` up)
 */
struct link;

typedef enum {
    LINK_CLOSED,
    LINK_CONNECTING,
    LINK_UP,
    LINK_WAITING, /* the last attempt failed; the next one comes by itself */
} link_state;

struct link_options {
    struct loop *loop;
    const char *url;
    const char *settings; /* "-c name=value ..." for the server, or NULL */
    const char *name;     /* application_name */
    /* Longer than the server may work on a statement: one that has said nothing
     * for that long is not there any more, and the link is lost.  0 = never. */
    int64_t answer_ms;
    bool prepare; /* statements get names and are kept */
    bool keeps;   /* comes back by itself when it is lost */
    void (*changed)(struct link *link); /* came up, or was lost */
    /* Takes what is done in place of statement_finish(); may be NULL. */
    void (*finished)(struct link *link, struct statement *s,
                     statement_outcome outcome);
    void *owner;
};

/* The texts of `options` must outlive the link. */
struct link *link_create(const struct link_options *options);
/* What is on its way becomes LOST.  Accepts NULL. */
void link_destroy(struct link *link);

void link_open(struct link *link);  /* harmless unless closed */
void link_close(struct link *link); /* what is on its way becomes LOST */
void link_hurry(struct link *link); /* one that waits is tried at once */
link_state link_state_of(const struct link *link);
void *link_owner(const struct link *link);

/* Why the last attempt failed; "" when it did not. */
const char *link_error(const struct link *link);

/* Puts a statement into the link's buffer; link_sync() ends the implicit
 * transaction and lets everything before it leave.  The link must be up. */
void link_send(struct link *link, struct statement *statement);
void link_sync(struct link *link);

/* Behind a statement that wants_position: asks for it, for another link_sync()
 * to let it leave.  False when the server is known not to tell. */
bool link_send_position(struct link *link, struct statement *statement);

/* Statements that were sent and are not done. */
size_t link_in_flight(const struct link *link);

/* How long nothing has been answered although something is on its way. */
int64_t link_age_us(const struct link *link);

bool link_in_transaction(const struct link *link);

/* What PQcancel() needs; to be freed with PQfreeCancel(). */
PGcancel *link_cancel_key(const struct link *link);

#endif
