#ifndef PRBAL_TESTS_SIMULATE_STORM_H
#define PRBAL_TESTS_SIMULATE_STORM_H

#include "services/ledger/ledger.h"
#include "tests/simulate/ledger_model.h"
#include "tests/testkit/dbkit.h"

/* What the storms over the real ledger share: random requests, and how one is
 * put to it. */
enum {
    STORM_LANES = 16,
    GUARDED = 8,                         /* accounts of a lane with a floor */
    ACCOUNT_COUNT = 1 + 2 + GUARDED + 1, /* from 1: two hot ones, one in debt */
};

struct storm {
    struct dbkit *kit;
    uint64_t seed;
    unsigned run; /* no two runs share accounts or ids */
};

/* Accounts of the model, and their ids in the ledger. */
struct accounts {
    const char *ids[ACCOUNT_COUNT];
};

/* One step: a request, or that a hold's time is over. */
struct storm_step {
    bool is_due;
    struct model_request request;
};

struct dice64 {
    uint64_t state;
};
uint64_t draw(struct dice64 *dice, uint64_t sides);

/* Opens the accounts of a lane; the two hot ones are everybody's. */
bool storm_open(struct storm *storm, int lane, struct accounts *accounts);

/* The next step of somebody whose `id`th it is; it may repeat or name any of
 * those before, which are in `steps`. */
struct storm_step storm_draw(struct dice64 *dice, uint32_t id,
                             const struct storm_step *steps);

/* Puts a request to the ledger on `db`, a transaction or not. */
rpc_status storm_ask(struct db *db, const struct storm *storm, int lane,
                     const struct accounts *accounts,
                     const struct model_request *request);

/* The id of a transfer of a lane. */
char *storm_id(struct arena *arena, const struct storm *storm, int lane,
               uint32_t id);

/* Every rule of the ledger; prints what is broken. */
bool storm_is_sound(struct storm *storm);

/* Compares `count` operations with the model, 16 lanes at once; shrinks and
 * prints the first difference.  `mistake` is planted in the model, or "". */
bool storm_against_model(struct storm *storm, uint32_t count,
                         const char *mistake);

/* 16 workers over the same accounts, in `batches` of `count` operations each,
 * while connections are killed. */
bool storm_with_kills(struct storm *storm, int batches, uint32_t count);

#endif
