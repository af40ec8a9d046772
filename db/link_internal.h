#ifndef PRBAL_DB_LINK_INTERNAL_H
#define PRBAL_DB_LINK_INTERNAL_H

#include "db/link.h"

#include <uv.h>

/* What the two halves of a link share: db/link.c has the connection,
 * db/link_steps.c what travels on it. */

typedef enum {
    STEP_BEGIN,
    STEP_PREPARE,
    STEP_DESCRIBE,
    STEP_RUN,
    STEP_PREPARE_POSITION,
    STEP_POSITION,
    STEP_SYNC,
} step_kind;

struct step {
    step_kind kind;
    /* NULL for a sync, and when nobody waits for a position any more. */
    struct statement *statement;
};

struct link {
    struct link_options options;
    link_state state;
    PGconn *conn;
    struct lookup *lookup; /* of the host's address, on its way */
    uv_poll_t *poll; /* freed when closed, which takes a pass of the loop */
    int events;      /* what `poll` waits for */
    /* Connect timeout, back-off, or the wait for an answer. */
    struct loop_timer timer;
    int attempts; /* failed ones in a row */
    char error[256];
    bool doomed; /* something was answered that means: connect anew */

    struct step *ring;
    size_t ring_size, ring_start, ring_count;
    struct statement_list settled; /* wait for their sync only */
    size_t in_flight;
    int64_t progress_us; /* when something was last answered, or sent to idle */

    int *prepared; /* by query id: the number of its prepared statement, or 0 */
    size_t prepared_size;
    int prepared_count;

    uint64_t cluster;        /* that it leads to; 0 = not asked yet */
    bool knows_position;     /* the statement that asks for it is prepared */
    bool is_position_denied; /* the server does not tell */
};

/* Waits for these of libuv's events. */
void link_watch(struct link *link, int events);

/* Ends the connection because of what libpq says, or for a reason of ours; one
 * that keeps up is tried again. */
void link_lose(struct link *link);
void link_lose_because(struct link *link, const char *reason);

/* Writes what libpq has buffered. */
void steps_flush(struct link *link);

/* Takes what has come and hands back what is done.  May lose the link. */
void steps_read(struct link *link);

/* Ends everything that is on its way. */
void steps_lose(struct link *link);

void steps_finish(struct link *link); /* frees */

#endif
