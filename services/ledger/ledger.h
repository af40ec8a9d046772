#ifndef PRBAL_SERVICES_LEDGER_LEDGER_H
#define PRBAL_SERVICES_LEDGER_LEDGER_H

#include "db/db.h"
#include "services/ledger/ledger_row.rpc.h"

/* The ledger: money as double entry.  What is written is never changed; a
 * mistake is corrected by another transfer.
 *
 * A balance is what the platform owes the account's owner.  A gateway's account
 * is below zero by what the gateway has taken for us, so that all accounts of a
 * currency add up to zero, always.  Amounts are integers of the currency's
 * smallest unit (services/money.h).
 *
 *     const struct ledger_leg legs[] = {
 *         {.debit = clearing, .credit = held, .amount_minor = 9000},
 *         {.debit = clearing, .credit = fee, .amount_minor = 1000},
 *     };
 *     TRY(ledger_post(tx, &(struct ledger_transfer){
 *                             .transfer_id = operation_id,
 *                             .reason = LEDGER_REASON_CHARGE,
 *                             .payment_id = payment_id,
 *                             .legs = legs,
 *                             .leg_count = 2}));
 *
 * Each function posts in the caller's transaction, by one statement, and
 * suspends.  The ids of transfers are the caller's, made and stored before the
 * first attempt: an id is applied at most once, the same request again is OK
 * and changes nothing, and another request with the id of an earlier one is
 * ALREADY_EXISTS (TRANSFER_ID_TAKEN).  A refusal changes nothing, leaves the
 * transaction usable, and its id may be tried again.
 *
 * Locks are taken in the order of the accounts' ids, so single postings never
 * deadlock.  A transaction with several, over the same users' accounts in
 * different orders, can: run it by db_retry(). */

/* One amount from one account to another of the same currency. */
struct ledger_leg {
    const char *debit;    /* account_id that pays */
    const char *credit;   /* account_id that is paid */
    int64_t amount_minor; /* 1 .. LEDGER_AMOUNT_MAX */
};
enum { LEDGER_LEGS_MAX = 64 };
#define LEDGER_AMOUNT_MAX INT64_C(1000000000000000)

struct ledger_transfer {
    const char *transfer_id;
    LedgerReason reason;
    const char *booking_id, *payment_id; /* what it is about, or NULL */
    /* All of them or none: only what an account is left with counts. */
    const struct ledger_leg *legs;
    size_t leg_count;  /* 1 .. LEDGER_LEGS_MAX */
    int32_t timeout_s; /* of ledger_hold(); 0: until it is ended */
};

/* The end of a hold, or the reversal of a transfer. */
struct ledger_end {
    const char *transfer_id; /* its own */
    const char *target_id;   /* the hold, or what is reversed */
    LedgerReason reason;
    const char *booking_id, *payment_id;
    /* ledger_post_pending(): how much of each leg, in the hold's order, 0 for
     * none; what is left is free again.  NULL is all of it. */
    const int64_t *amounts_minor;
    size_t amount_count;
};

/* The id of the account of this kind, owner and currency, opened if it is not
 * there.  `owner` is a user_id, a gateway's name, or "" for the platform.
 * INVALID_ARGUMENT for a currency that is none. */
rpc_status ledger_account(struct db *db, LedgerAccountKind kind,
                          const char *owner, const char *currency,
                          const char **account_id);

/* Moves money.  FAILED_PRECONDITION with reason INSUFFICIENT_FUNDS when an
 * account would go under its floor; INVALID_ARGUMENT with ACCOUNT_UNFIT (not
 * there, or of another currency) or AMOUNT_OUT_OF_RANGE. */
rpc_status ledger_post(struct db *tx, const struct ledger_transfer *transfer);

/* Reserves money of the debit accounts: it stays, and cannot be spent, until
 * the hold is posted, voided or, after timeout_s, expired.  Fails as
 * ledger_post(). */
rpc_status ledger_hold(struct db *tx, const struct ledger_transfer *transfer);

/* Each ends a hold, once: the second one is FAILED_PRECONDITION with reason
 * HOLD_ENDED.  After its time a hold is HOLD_EXPIRED, before it HOLD_NOT_DUE.
 * More than was held is INVALID_ARGUMENT (EXCEEDS_HOLD); NOT_FOUND when there
 * is no such hold. */
rpc_status ledger_post_pending(struct db *tx, const struct ledger_end *end);
rpc_status ledger_void(struct db *tx, const struct ledger_end *end);
rpc_status ledger_expire(struct db *tx, const struct ledger_end *end);

/* Moves all of a posted transfer back, once: then ALREADY_EXISTS (REVERSED).
 * A part of it goes back by a transfer of its own. */
rpc_status ledger_reverse(struct db *tx, const struct ledger_end *end);

/* What ledger_post() would say, and each account's balance after it; one row an
 * account.  Nothing is locked or written, so it may be different a moment
 * later. */
rpc_status ledger_preview(struct db *db, const struct ledger_transfer *transfer,
                          size_t *count, LedgerPreviewRow ***rows);

/* The balance, and what of it is held: what can be spent is the difference.
 * NOT_FOUND when there is no such account. */
rpc_status ledger_balance(struct db *db, const char *account_id,
                          LedgerBalanceRow **balance);

/* The balance as it was at `wall_us`.  Final once every transaction of that
 * moment has ended. */
rpc_status ledger_balance_at(struct db *db, const char *account_id,
                             int64_t wall_us, int64_t *amount_minor);

/* Up to `limit` legs of an account, newest first, each with the balance after
 * it; on from `before_leg_id`, or from the newest when that is 0. */
rpc_status ledger_history(struct db *db, const char *account_id,
                          int64_t before_leg_id, int limit, size_t *count,
                          LedgerHistoryRow ***rows);

rpc_status ledger_hold_read(struct db *db, const char *hold_id,
                            LedgerHoldRow **hold);

/* Housekeeping, done each minute by a job, and by any number of processes at
 * once.  The first expires up to `limit` holds whose time is over, each in a
 * transaction of its own, and tells how many; the second adds up to `limit`
 * deltas to the rows of hot accounts, and tells how many accounts. */
rpc_status ledger_expire_due(struct rpc_call *call, int limit, int64_t *count);
rpc_status ledger_roll_up(struct db *db, int limit, int64_t *count);

/* What must hold at every commit.  Each rule is one statement over the whole
 * ledger, in one snapshot of its own; its rows (LedgerProblemRow) are what
 * breaks it. */
struct ledger_rule {
    const char *name;
    const struct db_query *query;
};
extern const struct ledger_rule ledger_rules[]; /* to name == NULL */

/* What breaks a rule: no row is good news. */
rpc_status ledger_check(struct db *db, size_t *count,
                        LedgerProblemRow ***problems);

#endif
