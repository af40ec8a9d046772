#ifndef PRBAL_TESTS_LEDGERKIT_H
#define PRBAL_TESTS_LEDGERKIT_H

#include "services/ledger/ledger.h"
#include "tests/testkit/dbkit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One question to the ledger, as a task of its own in a transaction of its own.
 * Asserts belong on the test's stack, so the task only notes what it heard. */
struct ask {
    rpc_status (*post)(struct db *tx, const struct ledger_transfer *transfer);
    rpc_status (*end)(struct db *tx, const struct ledger_end *end);
    struct ledger_transfer transfer;
    struct ledger_end ending;
};

static rpc_status ask_task(struct rpc_call *call, void *argument)
{
    const struct ask *ask = argument;
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    TRY(ask->post != NULL ? ask->post(tx, &ask->transfer)
                          : ask->end(tx, &ask->ending));
    return db_commit(tx);
}

struct open {
    struct dbkit *kit;
    LedgerAccountKind kind;
    const char *owner, *currency, *account_id;
};

static rpc_status open_task(struct rpc_call *call, void *argument)
{
    struct open *open = argument;
    const char *id;
    TRY(ledger_account(call->db, open->kind, open->owner, open->currency, &id));
    open->account_id = arena_strdup(open->kit->arena, id);
    return RPC_SUCCESS;
}

static inline const char *account_in(struct dbkit *t, LedgerAccountKind kind,
                                     const char *owner, const char *currency)
{
    struct open open = {t, kind, owner, currency, NULL};
    assert_ok(dbkit_run(t, open_task, &open));
    return open.account_id;
}

static inline const char *account(struct dbkit *t, LedgerAccountKind kind,
                                  const char *owner)
{
    return account_in(t, kind, owner, "USD");
}

/* "00000000-0000-7000-8000-000000000007" for 7: ids that tests can name. */
static inline const char *id_of(struct dbkit *t, int number)
{
    return arena_printf(t->arena, "00000000-0000-7000-8000-%012d", number);
}

static inline struct ledger_leg leg(const char *debit, const char *credit,
                                    int64_t amount_minor)
{
    return (struct ledger_leg){debit, credit, amount_minor};
}

static inline rpc_status transfer(struct dbkit *t, int id,
                                  const struct ledger_leg *legs, size_t count)
{
    struct ask ask = {.post = ledger_post,
                      .transfer = {.transfer_id = id_of(t, id),
                                   .reason = LEDGER_REASON_CHARGE,
                                   .legs = legs,
                                   .leg_count = count}};
    return dbkit_run(t, ask_task, &ask);
}

static inline rpc_status move(struct dbkit *t, int id, const char *debit,
                              const char *credit, int64_t amount_minor)
{
    struct ledger_leg one = leg(debit, credit, amount_minor);
    return transfer(t, id, &one, 1);
}

static inline rpc_status hold(struct dbkit *t, int id,
                              const struct ledger_leg *legs, size_t count,
                              int32_t timeout_s)
{
    struct ask ask = {.post = ledger_hold,
                      .transfer = {.transfer_id = id_of(t, id),
                                   .reason = LEDGER_REASON_PAYOUT,
                                   .legs = legs,
                                   .leg_count = count,
                                   .timeout_s = timeout_s}};
    return dbkit_run(t, ask_task, &ask);
}

static inline rpc_status end_by(
    struct dbkit *t, rpc_status (*by)(struct db *, const struct ledger_end *),
    int id, int target, const int64_t *amounts, size_t count)
{
    struct ask ask = {.end = by,
                      .ending = {.transfer_id = id_of(t, id),
                                 .target_id = id_of(t, target),
                                 .reason = LEDGER_REASON_PAYOUT,
                                 .amounts_minor = amounts,
                                 .amount_count = count}};
    return dbkit_run(t, ask_task, &ask);
}

struct look {
    struct dbkit *kit;
    const char *account_id;
    int64_t balance, held;
    size_t problems;
    char first_problem[512];
};

static rpc_status balance_task(struct rpc_call *call, void *argument)
{
    struct look *look = argument;
    LedgerBalanceRow *row;
    TRY(ledger_balance(call->db, look->account_id, &row));
    look->balance = row->balance_minor;
    look->held = row->held_minor;
    return RPC_SUCCESS;
}

static rpc_status check_task(struct rpc_call *call, void *argument)
{
    struct look *look = argument;
    LedgerProblemRow **rows;
    TRY(ledger_check(call->db, &look->problems, &rows));
    if (look->problems > 0)
        snprintf(look->first_problem, sizeof look->first_problem, "%s: %s: %s",
                 rows[0]->rule, rows[0]->subject, rows[0]->detail);
    return RPC_SUCCESS;
}

static inline int64_t balance(struct dbkit *t, const char *account_id)
{
    struct look look = {.account_id = account_id};
    assert_ok(dbkit_run(t, balance_task, &look));
    return look.balance;
}

static inline int64_t held(struct dbkit *t, const char *account_id)
{
    struct look look = {.account_id = account_id};
    assert_ok(dbkit_run(t, balance_task, &look));
    return look.held;
}

/* Every rule of the ledger. */
static inline void assert_sound(struct dbkit *t)
{
    struct look look = {.problems = 0};
    assert_ok(dbkit_run(t, check_task, &look));
    if (look.problems > 0)
        fail_msg("%zu problems: %s", look.problems, look.first_problem);
}

/* The rule that is broken, or "". */
static inline const char *broken_rule(struct dbkit *t)
{
    struct look look = {.problems = 0};
    assert_ok(dbkit_run(t, check_task, &look));
    look.first_problem[strcspn(look.first_problem, ":")] = '\0';
    return arena_strdup(t->arena, look.first_problem);
}

/* A statement that PostgreSQL must refuse. */
static inline bool is_refused(struct dbkit *t, const char *statement)
{
    PGresult *r = PQexec(t->pg, statement);
    bool refused = PQresultStatus(r) == PGRES_FATAL_ERROR;
    PQclear(r);
    return refused;
}

#define REFUSED(status, expected, sentence)                          \
    do {                                                             \
        rpc_status refused_ = (status);                              \
        assert_code(refused_, expected);                             \
        if (strstr(refused_.message, (sentence)) == NULL)            \
            fail_msg("\"%s\" is not about \"%s\"", refused_.message, \
                     (sentence));                                    \
    } while (0)

#endif
