#ifndef PRBAL_TESTS_SIMULATE_LEDGER_MODEL_H
#define PRBAL_TESTS_SIMULATE_LEDGER_MODEL_H

#include "services/ledger/ledger_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the ledger does, said in the shortest way there is, in memory: the
 * simulator runs on it, and the real one is compared with it.  Accounts and
 * transfers are small numbers, from 1; all accounts have one currency. */
enum { MODEL_ACCOUNTS = 64, MODEL_LEGS = 4 };

struct model_leg {
    int debit, credit;
    int64_t amount;
};

/* Something asked of the ledger. */
struct model_request {
    uint32_t id;
    LedgerKind kind;
    uint32_t target; /* the hold, or what is reversed */
    int leg_count;   /* of TRANSFER and HOLD */
    struct model_leg legs[MODEL_LEGS];
    bool in_part; /* POST: amounts[], else all of it */
    int64_t amounts[MODEL_LEGS];
    int32_t timeout; /* of a HOLD; 0: none */
};

struct model_transfer {
    LedgerKind kind; /* 0: there is no such transfer */
    uint32_t target;
    int32_t timeout;
    int leg_count;
    struct model_leg legs[MODEL_LEGS];
    int numbers[MODEL_LEGS]; /* the hold's leg that each was */
    LedgerHoldStatus hold;
    int64_t expires_at; /* 0: never */
    bool reversed;
};

struct model {
    int64_t balance[MODEL_ACCOUNTS], held[MODEL_ACCOUNTS];
    bool exists[MODEL_ACCOUNTS], has_floor[MODEL_ACCOUNTS];
    struct model_transfer *transfers; /* by id */
    size_t transfer_room;
    /* Mistakes that tests plant. */
    bool forgets_floors, forgets_ids, ends_holds_twice;
};

void model_open(struct model *model, int account, bool has_floor);
void model_finish(struct model *model);

/* POSTED and REPEATED are yes; every other outcome changes nothing. */
LedgerOutcome model_apply(struct model *model,
                          const struct model_request *request, int64_t now);

/* The transfer, or NULL. */
const struct model_transfer *model_find(const struct model *model, uint32_t id);

/* A rule of the ledger that does not hold, or NULL. */
const char *model_broken_rule(const struct model *model);

#endif
