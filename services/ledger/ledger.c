/* Postings.  The statements decide (ledger.sql): an outcome comes back as a row
 * and becomes a status here. */
#include "services/ledger/ledger.h"

#include "services/ledger/ledger.sql.h"
#include "services/ledger/ledger_state.h"
#include "services/money.h"
#include "services/uuid.h"

#include <string.h>
#include <strings.h>

/* What an outcome that changed nothing is to the caller. */
static const struct refusal {
    LedgerOutcome outcome;
    rpc_code code;
    const char *reason;
    const char *sentence;
} refusals[] = {
    {LEDGER_OUTCOME_ACCOUNT_UNFIT, RPC_INVALID_ARGUMENT, "ACCOUNT_UNFIT",
     "an account of the transfer does not exist, or has another currency"},
    {LEDGER_OUTCOME_BELOW_FLOOR, RPC_FAILED_PRECONDITION, "INSUFFICIENT_FUNDS",
     "there is not enough money for this"},
    {LEDGER_OUTCOME_OUT_OF_RANGE, RPC_INVALID_ARGUMENT, "AMOUNT_OUT_OF_RANGE",
     "a balance would be greater than can be counted"},
    {LEDGER_OUTCOME_HOLD_UNKNOWN, RPC_NOT_FOUND, "HOLD_UNKNOWN",
     "there is no such hold"},
    {LEDGER_OUTCOME_HOLD_ENDED, RPC_FAILED_PRECONDITION, "HOLD_ENDED",
     "the hold has ended already"},
    {LEDGER_OUTCOME_HOLD_EXPIRED, RPC_FAILED_PRECONDITION, "HOLD_EXPIRED",
     "the hold's time is over"},
    {LEDGER_OUTCOME_HOLD_NOT_DUE, RPC_FAILED_PRECONDITION, "HOLD_NOT_DUE",
     "the hold's time is not over"},
    {LEDGER_OUTCOME_EXCEEDS_HOLD, RPC_INVALID_ARGUMENT, "EXCEEDS_HOLD",
     "a posting is between nothing and all of what is held"},
    {LEDGER_OUTCOME_NOT_REVERSIBLE, RPC_FAILED_PRECONDITION, "NOT_REVERSIBLE",
     "only a posted transfer can be reversed"},
    {LEDGER_OUTCOME_TAKEN, RPC_ALREADY_EXISTS, "REVERSED",
     "this has been reversed already"},
};

static rpc_status refuse(struct rpc_call *call, LedgerOutcome outcome)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        if (refusals[i].outcome == outcome)
            return rpc_fail_reason(call, refusals[i].code, refusals[i].reason,
                                   "%s", refusals[i].sentence);
    return rpc_fail(call, RPC_INTERNAL, "the ledger answered %d", (int)outcome);
}

/* Nothing was posted: because it had been, or for the reason that the statement
 * gave.  A twin may have committed while the statement waited for its locks,
 * and have spent the very money that is missing now, so the transfer is looked
 * for after every refusal, in a snapshot of its own. */
static rpc_status settle(struct db *tx, const char *transfer_id,
                         const LedgerOutcomeRow *row)
{
    if (row->outcome == LEDGER_OUTCOME_POSTED)
        return RPC_SUCCESS;
    LedgerContentRow *twin;
    TRY(db_find(tx, &ledger_transfer_content, &twin, db_text(transfer_id)));
    if (twin == NULL)
        return refuse(db_call(tx), row->outcome);
    if (twin->content.len == row->content.len &&
        memcmp(twin->content.data, row->content.data, row->content.len) == 0)
        return RPC_SUCCESS;
    return rpc_fail_reason(db_call(tx), RPC_ALREADY_EXISTS, "TRANSFER_ID_TAKEN",
                           "the id is another transfer's");
}

/* ------------------------------------------------------------ what is asked */

/* Legs, and what they come to for each account, as the columns that the
 * statements take. */
struct columns {
    const char *debits[LEDGER_LEGS_MAX], *credits[LEDGER_LEGS_MAX];
    int64_t amounts[LEDGER_LEGS_MAX];
    size_t count;

    const char *accounts[2 * LEDGER_LEGS_MAX];
    int64_t gains[2 * LEDGER_LEGS_MAX], held[2 * LEDGER_LEGS_MAX];
    size_t account_count;
};

static rpc_status check_leg(struct rpc_call *call, const struct ledger_leg *leg)
{
    if (leg->amount_minor < 1 || leg->amount_minor > LEDGER_AMOUNT_MAX)
        return refuse(call, LEDGER_OUTCOME_OUT_OF_RANGE);
    uint8_t bytes[UUID_BYTES];
    if (!uuid_parse(leg->debit, bytes) || !uuid_parse(leg->credit, bytes))
        return refuse(call, LEDGER_OUTCOME_ACCOUNT_UNFIT);
    if (strcasecmp(leg->debit, leg->credit) == 0)
        return rpc_fail_reason(call, RPC_INVALID_ARGUMENT, "SAME_ACCOUNT",
                               "a leg goes from one account to another");
    return RPC_SUCCESS;
}

static size_t place_of(struct columns *c, const char *account_id)
{
    size_t i = 0;
    while (i < c->account_count && strcasecmp(c->accounts[i], account_id) != 0)
        i++;
    if (i == c->account_count)
        c->accounts[c->account_count++] = account_id;
    return i;
}

static void add_leg(struct columns *c, const struct ledger_leg *leg,
                    bool pending)
{
    c->debits[c->count] = leg->debit;
    c->credits[c->count] = leg->credit;
    c->amounts[c->count++] = leg->amount_minor;
    size_t debit = place_of(c, leg->debit), credit = place_of(c, leg->credit);
    c->held[debit] += pending ? leg->amount_minor : 0;
    c->gains[debit] -= pending ? 0 : leg->amount_minor;
    c->gains[credit] += pending ? 0 : leg->amount_minor;
}

static rpc_status read_legs(struct rpc_call *call,
                            const struct ledger_transfer *transfer,
                            bool pending, struct columns **columns)
{
    if (transfer->leg_count < 1 || transfer->leg_count > LEDGER_LEGS_MAX)
        return rpc_fail_reason(call, RPC_INVALID_ARGUMENT, "LEG_COUNT",
                               "a transfer has 1 to %d legs", LEDGER_LEGS_MAX);
    struct columns *c = ARENA_NEW(call->arena, struct columns);
    for (size_t i = 0; i < transfer->leg_count; i++) {
        TRY(check_leg(call, &transfer->legs[i]));
        add_leg(c, &transfer->legs[i], pending);
    }
    *columns = c;
    return RPC_SUCCESS;
}

/* In the statements' order. */
#define COLUMNS(c)                                                         \
    db_texts((c)->debits, (c)->count), db_texts((c)->credits, (c)->count), \
        db_ints((c)->amounts, (c)->count),                                 \
        db_texts((c)->accounts, (c)->account_count),                       \
        db_ints((c)->gains, (c)->account_count),                           \
        db_ints((c)->held, (c)->account_count)

static db_arg reason_arg(LedgerReason reason)
{
    return db_enum(LEDGER_REASON_DESCRIPTOR, (int)reason);
}

static db_arg timeout_arg(int32_t timeout_s)
{
    return timeout_s > 0 ? db_int(timeout_s) : db_null();
}

/* ----------------------------------------------------------------- accounts */

rpc_status ledger_account(struct db *db, LedgerAccountKind kind,
                          const char *owner, const char *currency,
                          const char **account_id)
{
    if (money_exponent(currency) < 0)
        return rpc_fail_reason(
            db_call(db), RPC_INVALID_ARGUMENT, "CURRENCY_UNKNOWN",
            "\"%s\" is no currency of ISO 4217 in use", currency);
    const struct ledger_account_rule *rule = ledger_account_rule(kind);
    db_arg name = db_enum(LEDGER_ACCOUNT_KIND_DESCRIPTOR, (int)kind);
    LedgerAccountRow *account;
    TRY(db_find(db, &ledger_account_find, &account, name, db_text(owner),
                db_text(currency)));
    /* Somebody else may open it now; then this statement's snapshot does not
     * see theirs, and the next one does. */
    if (account == NULL)
        TRY(db_find(db, &ledger_account_open, &account, name, db_text(owner),
                    db_text(currency), rule->has_floor ? db_int(0) : db_null(),
                    db_bool(rule->is_hot)));
    if (account == NULL)
        TRY(db_one(db, &ledger_account_find, &account, name, db_text(owner),
                   db_text(currency)));
    *account_id = account->account_id;
    return RPC_SUCCESS;
}

/* ----------------------------------------------------------------- postings */

rpc_status ledger_post(struct db *tx, const struct ledger_transfer *transfer)
{
    struct columns *legs;
    TRY(read_legs(db_call(tx), transfer, false, &legs));
    LedgerOutcomeRow *row;
    TRY(db_one(tx, &ledger_transfer_post, &row, db_text(transfer->transfer_id),
               reason_arg(transfer->reason), db_text(transfer->booking_id),
               db_text(transfer->payment_id), COLUMNS(legs)));
    return settle(tx, transfer->transfer_id, row);
}

rpc_status ledger_hold(struct db *tx, const struct ledger_transfer *transfer)
{
    struct columns *legs;
    TRY(read_legs(db_call(tx), transfer, true, &legs));
    LedgerOutcomeRow *row;
    TRY(db_one(tx, &ledger_transfer_hold, &row, db_text(transfer->transfer_id),
               reason_arg(transfer->reason), db_text(transfer->booking_id),
               db_text(transfer->payment_id), COLUMNS(legs),
               timeout_arg(transfer->timeout_s)));
    return settle(tx, transfer->transfer_id, row);
}

static rpc_status end_hold(struct db *tx, const struct ledger_end *end,
                           LedgerKind kind)
{
    bool whole = kind != LEDGER_KIND_POST || end->amounts_minor == NULL;
    LedgerOutcomeRow *row;
    TRY(db_one(tx, &ledger_transfer_end, &row, db_text(end->transfer_id),
               reason_arg(end->reason), db_text(end->booking_id),
               db_text(end->payment_id), db_text(end->target_id),
               db_enum(LEDGER_KIND_DESCRIPTOR, (int)kind),
               whole ? db_null()
                     : db_ints(end->amounts_minor, end->amount_count)));
    /* Taken by somebody who ended it since the statement began. */
    if (row->outcome == LEDGER_OUTCOME_TAKEN)
        row->outcome = LEDGER_OUTCOME_HOLD_ENDED;
    return settle(tx, end->transfer_id, row);
}

rpc_status ledger_post_pending(struct db *tx, const struct ledger_end *end)
{
    return end_hold(tx, end, LEDGER_KIND_POST);
}

rpc_status ledger_void(struct db *tx, const struct ledger_end *end)
{
    return end_hold(tx, end, LEDGER_KIND_VOID);
}

rpc_status ledger_expire(struct db *tx, const struct ledger_end *end)
{
    return end_hold(tx, end, LEDGER_KIND_EXPIRE);
}

rpc_status ledger_reverse(struct db *tx, const struct ledger_end *end)
{
    LedgerOutcomeRow *row;
    TRY(db_one(tx, &ledger_transfer_reverse, &row, db_text(end->transfer_id),
               reason_arg(end->reason), db_text(end->booking_id),
               db_text(end->payment_id), db_text(end->target_id)));
    return settle(tx, end->transfer_id, row);
}

rpc_status ledger_preview(struct db *db, const struct ledger_transfer *transfer,
                          size_t *count, LedgerPreviewRow ***rows)
{
    struct columns *legs;
    TRY(read_legs(db_call(db), transfer, false, &legs));
    return db_many(db, &ledger_transfer_preview, count, rows, COLUMNS(legs));
}
