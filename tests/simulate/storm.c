#include "tests/simulate/storm.h"

#include <stdio.h>
#include <stdlib.h>

uint64_t draw(struct dice64 *dice, uint64_t sides)
{
    uint64_t z = dice->state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % sides;
}

/* ----------------------------------------------------------------- accounts */

struct opening {
    struct storm *storm;
    int lane;
    struct accounts *accounts;
};

static rpc_status open_one(struct rpc_call *call, struct opening *o, int at,
                           LedgerAccountKind kind, const char *owner)
{
    const char *id;
    TRY(ledger_account(call->db, kind, owner, "USD", &id));
    o->accounts->ids[at] = arena_strdup(o->storm->kit->arena, id);
    return RPC_SUCCESS;
}

static rpc_status open_all(struct rpc_call *call, void *argument)
{
    struct opening *o = argument;
    TRY(open_one(call, o, 1, LEDGER_ACCOUNT_KIND_GATEWAY_CLEARING, "storm"));
    TRY(open_one(call, o, 2, LEDGER_ACCOUNT_KIND_PLATFORM_FEE, ""));
    for (int i = 3; i < ACCOUNT_COUNT; i++)
        TRY(open_one(call, o, i,
                     i == ACCOUNT_COUNT - 1
                         ? LEDGER_ACCOUNT_KIND_USER_DEBT
                         : LEDGER_ACCOUNT_KIND_USER_AVAILABLE,
                     arena_printf(call->arena, "run %u lane %d account %d",
                                  o->storm->run, o->lane, i)));
    return RPC_SUCCESS;
}

bool storm_open(struct storm *storm, int lane, struct accounts *accounts)
{
    struct opening opening = {storm, lane, accounts};
    rpc_status status = dbkit_run(storm->kit, open_all, &opening);
    if (status.code != RPC_OK)
        printf("accounts cannot be opened: %s\n", status.message);
    return status.code == RPC_OK;
}

/* -------------------------------------------------------------------- drawing
 */

static struct model_leg draw_leg(struct dice64 *dice)
{
    struct model_leg leg;
    /* often from outside, or soon nobody has anything */
    leg.debit = draw(dice, 3) == 0 ? 1 : 1 + (int)draw(dice, ACCOUNT_COUNT - 1);
    leg.credit = 1 + (int)draw(dice, ACCOUNT_COUNT - 2);
    leg.credit += leg.credit >= leg.debit;
    leg.amount = 1 + (int64_t)draw(dice, draw(dice, 8) == 0 ? 100000 : 500);
    return leg;
}

static void draw_legs(struct dice64 *dice, struct model_request *r)
{
    r->leg_count = 1 + (int)draw(dice, draw(dice, 2) == 0 ? 1 : MODEL_LEGS);
    for (int i = 0; i < r->leg_count; i++)
        r->legs[i] = draw_leg(dice);
    r->timeout = r->kind == LEDGER_KIND_HOLD && draw(dice, 2) == 0 ? 1000 : 0;
}

/* One of the last ones, mostly: those are still open. */
static uint32_t draw_earlier(struct dice64 *dice, uint32_t id)
{
    uint32_t near = id < 12 ? id : 12;
    return draw(dice, 16) == 0 ? 1 + (uint32_t)draw(dice, id)
                               : id - (uint32_t)draw(dice, near);
}

static const LedgerKind kinds[] = {
    LEDGER_KIND_TRANSFER, LEDGER_KIND_TRANSFER, LEDGER_KIND_TRANSFER,
    LEDGER_KIND_TRANSFER, LEDGER_KIND_HOLD,     LEDGER_KIND_HOLD,
    LEDGER_KIND_HOLD,     LEDGER_KIND_POST,     LEDGER_KIND_POST,
    LEDGER_KIND_VOID,     LEDGER_KIND_EXPIRE,   LEDGER_KIND_REVERSAL,
};

struct storm_step storm_draw(struct dice64 *dice, uint32_t id,
                             const struct storm_step *steps)
{
    struct storm_step step = {.request = {.id = id}};
    struct model_request *r = &step.request;
    unsigned what = (unsigned)draw(dice, 16);
    if (what == 0 && id > 1) /* once more */
        return steps[draw_earlier(dice, id - 1)];
    if (what == 1 && id > 1) /* something else by an id that is taken */
        r->id = steps[draw_earlier(dice, id - 1)].request.id;
    r->kind = kinds[draw(dice, sizeof kinds / sizeof kinds[0])];
    if (r->kind == LEDGER_KIND_TRANSFER || r->kind == LEDGER_KIND_HOLD) {
        draw_legs(dice, r);
        return step;
    }
    r->target = draw_earlier(dice, id);
    r->in_part = draw(dice, 2) == 0;
    for (int i = 0; i < MODEL_LEGS; i++)
        r->amounts[i] = (int64_t)draw(dice, 300) - (draw(dice, 40) == 0);
    step.is_due = r->kind == LEDGER_KIND_EXPIRE && draw(dice, 2) == 0;
    return step;
}

/* --------------------------------------------------------------------- asking
 */

char *storm_id(struct arena *arena, const struct storm *storm, int lane,
               uint32_t id)
{
    return arena_printf(arena, "%08x-%04x-7000-8000-%012u", storm->run,
                        (unsigned)lane, id);
}

static rpc_status ask_legs(struct db *db, const struct accounts *accounts,
                           const struct model_request *r, char *id)
{
    struct ledger_leg legs[MODEL_LEGS];
    for (int i = 0; i < r->leg_count; i++)
        legs[i] = (struct ledger_leg){accounts->ids[r->legs[i].debit],
                                      accounts->ids[r->legs[i].credit],
                                      r->legs[i].amount};
    const struct ledger_transfer transfer = {
        .transfer_id = id,
        .reason = LEDGER_REASON_ADJUSTMENT,
        .legs = legs,
        .leg_count = (size_t)r->leg_count,
        .timeout_s = r->timeout,
    };
    return r->kind == LEDGER_KIND_HOLD ? ledger_hold(db, &transfer)
                                       : ledger_post(db, &transfer);
}

/* How many legs a hold has is known to who holds it; here it is looked up. */
static size_t hold_legs(const struct storm *storm, const char *hold_id)
{
    const char *values[] = {hold_id};
    PGresult *result = PQexecParams(
        storm->kit->pg,
        "select count(*) from ledger_leg where transfer_id = $1 and pending", 1,
        NULL, values, NULL, NULL, 0);
    size_t count = strtoul(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return count;
}

rpc_status storm_ask(struct db *db, const struct storm *storm, int lane,
                     const struct accounts *accounts,
                     const struct model_request *r)
{
    struct arena *arena = db_call(db)->arena;
    char *id = storm_id(arena, storm, lane, r->id);
    if (r->kind == LEDGER_KIND_TRANSFER || r->kind == LEDGER_KIND_HOLD)
        return ask_legs(db, accounts, r, id);
    struct ledger_end end = {
        .transfer_id = id,
        .target_id = storm_id(arena, storm, lane, r->target),
        .reason = LEDGER_REASON_ADJUSTMENT,
    };
    switch (r->kind) {
    case LEDGER_KIND_POST:
        end.amounts_minor = r->in_part ? r->amounts : NULL;
        end.amount_count = r->in_part ? hold_legs(storm, end.target_id) : 0;
        return ledger_post_pending(db, &end);
    case LEDGER_KIND_VOID:
        return ledger_void(db, &end);
    case LEDGER_KIND_EXPIRE:
        return ledger_expire(db, &end);
    default:
        return ledger_reverse(db, &end);
    }
}

/* ------------------------------------------------------------------- soundness
 */

static rpc_status check_all(struct rpc_call *call, void *argument)
{
    size_t *count = argument;
    LedgerProblemRow **rows;
    TRY(ledger_check(call->db, count, &rows));
    for (size_t i = 0; i < *count && i < 10; i++)
        printf("BROKEN: %s: %s: %s\n", rows[i]->rule, rows[i]->subject,
               rows[i]->detail);
    return RPC_SUCCESS;
}

bool storm_is_sound(struct storm *storm)
{
    size_t count = 0;
    rpc_status status = RPC_SUCCESS;
    /* after a killed connection the first attempt may fail */
    for (int i = 0; i < 20; i++) {
        status = dbkit_run(storm->kit, check_all, &count);
        if (status.code == RPC_OK)
            return count == 0;
        dbkit_idle(storm->kit, 100);
    }
    printf("the ledger cannot be checked: %s\n", status.message);
    return false;
}
