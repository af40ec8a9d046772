#ifndef PRBAL_DB_REPLICA_H
#define PRBAL_DB_REPLICA_H

#include "db/lane.h"
#include "db/position.h"
#include "rpc/loop.h"

/* The standbys that reads of this loop may go to.
 *
 *   primary   ----- where is your log? ----->  marks: position and when
 *   replica   ----- how far have you got? -->  replayed
 *
 * Both are asked again and again, so that a replica's age is known by our own
 * clock alone: it has everything that the primary had when the last mark that
 * the replica has replayed was made.
 *
 * Which server answers is decided once for each call, at its first read:
 *
 *   no token        a replica, where the pool allows it, else the primary
 *   a token         a replica that has replayed that; else one that comes to it
 *                   within REPLICA_WAIT_MS; else the primary
 *   has written     the primary
 *
 * and a replica that is further behind than the pool allows, is down, is busy
 * or is not a standby any more serves nobody.  Whatever fails on a replica is
 * done again by the primary.  Only single reads of methods without side effects
 * come here: nothing that decides a write or who may do something. */
enum {
    REPLICAS_MAX = 4,
    REPLICA_WAIT_MS = 20,
    REPLICA_MARKS_MAX = 64,
};

struct replica {
    struct replicas *all;
    struct lane lane;
    struct position replayed; /* not known: serves nobody */
    int64_t fresh_us;         /* it has all that the primary had then */
    int64_t behind_us;        /* and lacks something that is at least so old */
    struct statement *probe;  /* on its way */
};

struct replica_mark {
    struct position position;
    int64_t at_us;
};

struct replicas {
    struct db_pool *pool;
    char *urls; /* the setting, cut into texts */
    struct replica each[REPLICAS_MAX];
    int count;                                    /* 0: none of this happens */
    struct replica_mark marks[REPLICA_MARKS_MAX]; /* a ring */
    uint64_t mark_count;                          /* ever made */
    struct statement *probe; /* of the primary, on its way */
    int64_t probe_us;        /* when it left */
    struct replica_waiter *waiters;
    struct loop_timer timer;
    int64_t round_us; /* when all were last asked */
};

void replicas_init(struct replicas *replicas, struct db_pool *pool);
void replicas_finish(struct replicas *replicas);

/* Where this read of the call goes: NULL is the primary.  May suspend, at the
 * call's first read only. */
struct replica *replica_for(struct db *db, const struct db_query *query);

/* It has failed a statement: the rest of the call is the primary's. */
void replica_leave(struct db *db);

/* How many can serve now. */
int replicas_serving(const struct replicas *replicas);

#endif
