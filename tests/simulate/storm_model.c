/* The real ledger against the model, operation by operation: lanes of their own
 * accounts run side by side, half of them in transactions, half as single
 * statements that share a pipelined link. */
#include "rpc/clock.h"
#include "tests/simulate/storm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 100, REPLAYS_MAX = 400, NOW = 1 };

struct lane {
    struct storm *storm;
    int number;
    struct accounts accounts;
    struct model model;
    struct dice64 dice;
    struct storm_step *steps; /* [0] is none */
    uint32_t done, until;
    bool from_trace; /* steps are there already */
    uint32_t posted, repeated, refused;
    char difference[512];
};

/* What the ledger says for each outcome of the model. */
static const struct {
    LedgerOutcome outcome;
    rpc_code code;
    const char *words;
} sayings[] = {
    {LEDGER_OUTCOME_POSTED, RPC_OK, ""},
    {LEDGER_OUTCOME_REPEATED, RPC_OK, ""},
    {LEDGER_OUTCOME_TAKEN, RPC_ALREADY_EXISTS, ""},
    {LEDGER_OUTCOME_BELOW_FLOOR, RPC_FAILED_PRECONDITION, "not enough money"},
    {LEDGER_OUTCOME_HOLD_UNKNOWN, RPC_NOT_FOUND, "no such hold"},
    {LEDGER_OUTCOME_HOLD_ENDED, RPC_FAILED_PRECONDITION, "ended already"},
    {LEDGER_OUTCOME_HOLD_EXPIRED, RPC_FAILED_PRECONDITION, "time is over"},
    {LEDGER_OUTCOME_HOLD_NOT_DUE, RPC_FAILED_PRECONDITION, "is not over"},
    {LEDGER_OUTCOME_EXCEEDS_HOLD, RPC_INVALID_ARGUMENT, "between nothing"},
    {LEDGER_OUTCOME_NOT_REVERSIBLE, RPC_FAILED_PRECONDITION, "only a posted"},
};

static bool agrees(LedgerOutcome outcome, rpc_status status)
{
    for (size_t i = 0; i < sizeof sayings / sizeof sayings[0]; i++)
        if (sayings[i].outcome == outcome)
            return sayings[i].code == status.code &&
                   (status.message == NULL ||
                    strstr(status.message, sayings[i].words) != NULL);
    return false;
}

static void describe(const struct model_request *r, char *text, size_t size)
{
    const ProtobufCEnumValue *kind =
        protobuf_c_enum_descriptor_get_value(LEDGER_KIND_DESCRIPTOR, r->kind);
    int n = snprintf(text, size, "%u %s", r->id,
                     kind->name + strlen("LEDGER_KIND_"));
    if (r->leg_count == 0)
        n += snprintf(text + n, size - (size_t)n, " of %u", r->target);
    for (int i = 0; i < r->leg_count; i++)
        n += snprintf(text + n, size - (size_t)n, " %d>%d:%" PRId64,
                      r->legs[i].debit, r->legs[i].credit, r->legs[i].amount);
    if (r->kind == LEDGER_KIND_POST && r->in_part)
        snprintf(text + n, size - (size_t)n, " %" PRId64 ",%" PRId64 "...",
                 r->amounts[0], r->amounts[1]);
}

/* ------------------------------------------------------------------- one step
 */

static void make_due(struct lane *lane, uint32_t hold)
{
    const struct model_transfer *t = model_find(&lane->model, hold);
    if (t == NULL || t->hold != LEDGER_HOLD_STATUS_PENDING)
        return;
    lane->model.transfers[hold].expires_at = NOW;
    struct arena *arena = arena_create();
    const char *values[] = {storm_id(arena, lane->storm, lane->number, hold)};
    PQclear(PQexecParams(lane->storm->kit->pg,
                         "update ledger_hold set expires_at ="
                         " now() - interval '1 second' where transfer_id = $1",
                         1, NULL, values, NULL, NULL, 0));
    arena_destroy(arena);
}

static rpc_status ask(struct rpc_call *call, struct lane *lane,
                      const struct model_request *r)
{
    if (lane->number % 2 == 0)
        return storm_ask(call->db, lane->storm, lane->number, &lane->accounts,
                         r);
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    rpc_status status =
        storm_ask(tx, lane->storm, lane->number, &lane->accounts, r);
    TRY(db_commit(tx));
    return status;
}

static void step(struct rpc_call *call, struct lane *lane, uint32_t id)
{
    if (!lane->from_trace)
        lane->steps[id] = storm_draw(&lane->dice, id, lane->steps);
    const struct storm_step *s = &lane->steps[id];
    if (s->is_due)
        make_due(lane, s->request.target);
    LedgerOutcome outcome = model_apply(&lane->model, &s->request, NOW);
    rpc_status status = ask(call, lane, &s->request);
    lane->posted += outcome == LEDGER_OUTCOME_POSTED;
    lane->repeated += outcome == LEDGER_OUTCOME_REPEATED;
    lane->refused += status.code != RPC_OK;
    if (agrees(outcome, status))
        return;
    char what[200];
    describe(&s->request, what, sizeof what);
    snprintf(lane->difference, sizeof lane->difference,
             "%s: the model says %d, the ledger %s: %s", what, (int)outcome,
             rpc_code_name(status.code),
             status.message == NULL ? "" : status.message);
}

static rpc_status run_chunk(struct rpc_call *call, void *argument)
{
    struct lane *lane = argument;
    uint32_t end =
        lane->done + CHUNK < lane->until ? lane->done + CHUNK : lane->until;
    while (lane->done < end && lane->difference[0] == '\0')
        step(call, lane, ++lane->done);
    return RPC_SUCCESS;
}

/* Balances, too, are what the model says. */
static void compare_balances(struct lane *lane)
{
    for (int a = 3; a < ACCOUNT_COUNT && lane->difference[0] == '\0'; a++) {
        const char *values[] = {lane->accounts.ids[a]};
        PGresult *r =
            PQexecParams(lane->storm->kit->pg,
                         "select balance_minor, held_minor from ledger_account"
                         " where account_id = $1",
                         1, NULL, values, NULL, NULL, 0);
        int64_t balance = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
        int64_t held = strtoll(PQgetvalue(r, 0, 1), NULL, 10);
        PQclear(r);
        if (balance != lane->model.balance[a] || held != lane->model.held[a])
            snprintf(lane->difference, sizeof lane->difference,
                     "account %d: the model has %" PRId64 " and holds %" PRId64
                     ", the ledger %" PRId64 " and %" PRId64,
                     a, lane->model.balance[a], lane->model.held[a], balance,
                     held);
    }
}

/* ---------------------------------------------------------------------- lanes
 */

static void plant(struct model *model, const char *mistake)
{
    model->forgets_floors = strcmp(mistake, "floors") == 0;
    model->forgets_ids = strcmp(mistake, "ids") == 0;
    model->ends_holds_twice = strcmp(mistake, "holds") == 0;
}

static bool lane_open(struct lane *lane, struct storm *storm, int number,
                      uint32_t until, const char *mistake)
{
    *lane = (struct lane){
        .storm = storm,
        .number = number,
        .until = until,
        .dice = {storm->seed * 1000003u + (uint64_t)number},
    };
    for (int a = 1; a < ACCOUNT_COUNT; a++)
        model_open(&lane->model, a, a >= 3 && a < ACCOUNT_COUNT - 1);
    plant(&lane->model, mistake);
    lane->steps = calloc((size_t)until + 1, sizeof *lane->steps);
    if (lane->steps == NULL)
        abort();
    return storm_open(storm, number, &lane->accounts);
}

static void lane_close(struct lane *lane)
{
    model_finish(&lane->model);
    free(lane->steps);
}

static struct lane *first_difference(struct lane *lanes)
{
    for (int i = 0; i < STORM_LANES; i++)
        if (lanes[i].difference[0] != '\0')
            return &lanes[i];
    return NULL;
}

static struct lane *run_lanes(struct storm *storm, struct lane *lanes)
{
    static struct dbkit_task tasks[STORM_LANES];
    while (lanes[0].done < lanes[0].until && first_difference(lanes) == NULL) {
        for (int i = 0; i < STORM_LANES; i++)
            dbkit_start(storm->kit, &tasks[i], run_chunk, &lanes[i]);
        for (int i = 0; i < STORM_LANES; i++)
            dbkit_wait(&tasks[i]);
        for (int i = 0; i < STORM_LANES; i++)
            compare_balances(&lanes[i]);
    }
    return first_difference(lanes);
}

/* --------------------------------------------------------------------
 * shrinking */

/* Whether these steps, on new accounts, differ as well; then `found` is how. */
static bool differs(struct storm *storm, const struct lane *lane,
                    const struct storm_step *steps, uint32_t count, char *found,
                    size_t size, const char *mistake)
{
    struct lane again;
    storm->run++;
    if (!lane_open(&again, storm, lane->number, count, mistake))
        return false;
    again.from_trace = true;
    for (uint32_t i = 1; i <= count; i++)
        again.steps[i] = steps[i];
    while (again.done < again.until && again.difference[0] == '\0')
        dbkit_run(storm->kit, run_chunk, &again);
    compare_balances(&again);
    snprintf(found, size, "%s", again.difference);
    lane_close(&again);
    return found[0] != '\0';
}

static void shrink(struct storm *storm, struct lane *lane, const char *mistake)
{
    uint32_t count = lane->done;
    struct storm_step *rest = calloc((size_t)count + 1, sizeof *rest);
    char found[512];
    int replays = 0;
    for (uint32_t chunk = count / 2; chunk > 0; chunk /= 2)
        for (uint32_t at = 1; at <= count && replays < REPLAYS_MAX;) {
            uint32_t gone = chunk < count + 1 - at ? chunk : count + 1 - at;
            memcpy(rest, lane->steps, at * sizeof *rest);
            memcpy(rest + at, lane->steps + at + gone,
                   (count + 1 - at - gone) * sizeof *rest);
            replays++;
            if (count > gone && differs(storm, lane, rest, count - gone, found,
                                        sizeof found, mistake)) {
                count -= gone;
                memcpy(lane->steps, rest, (count + 1) * sizeof *rest);
                snprintf(lane->difference, sizeof lane->difference, "%s",
                         found);
            } else {
                at += chunk;
            }
        }
    free(rest);
    printf("%u operations are enough (%d replays):\n", count, replays);
    for (uint32_t i = 1; i <= count; i++) {
        char what[200];
        describe(&lane->steps[i].request, what, sizeof what);
        printf("  %s%s\n", lane->steps[i].is_due ? "(due) " : "", what);
    }
    printf("BROKEN: %s\n", lane->difference);
}

bool storm_against_model(struct storm *storm, uint32_t count,
                         const char *mistake)
{
    static struct lane lanes[STORM_LANES];
    storm->run++;
    for (int i = 0; i < STORM_LANES; i++)
        if (!lane_open(&lanes[i], storm, i, count / STORM_LANES, mistake))
            return false;
    int64_t start_us = clock_monotonic_us();
    struct lane *different = run_lanes(storm, lanes);
    double seconds = (double)(clock_monotonic_us() - start_us) / 1e6;
    uint64_t done = 0, posted = 0, repeated = 0, refused = 0;
    for (int i = 0; i < STORM_LANES; i++) {
        done += lanes[i].done;
        posted += lanes[i].posted;
        repeated += lanes[i].repeated;
        refused += lanes[i].refused;
    }
    if (different != NULL)
        shrink(storm, different, mistake);
    bool sound = different == NULL && storm_is_sound(storm);
    printf("model: %" PRIu64 " operations, %" PRIu64 " posted, %" PRIu64
           " repeated, %" PRIu64 " refused, %.0f a second; %s\n",
           done, posted, repeated, refused, (double)done / seconds,
           sound ? "the ledger did as the model" : "BROKEN");
    for (int i = 0; i < STORM_LANES; i++)
        lane_close(&lanes[i]);
    return sound;
}
