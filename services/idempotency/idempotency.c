/*
 *   find --> known ---------------------------------------------> replay
 *    ^        |
 *    |       new --> handler: begin, claim ... keep, commit ----> answer
 *    |                            |
 *    +-- pause <-- a twin has it -+
 */
#include "services/idempotency/idempotency.h"

#include "db/db.h"
#include "rpc/codec.h"
#include "rpc/log.h"
#include "rpc/metrics.h"
#include "services/app.h"
#include "services/idempotency/idempotency.sql.h"
#include "services/idempotency/idempotency_row.rpc.h"
#include "services/idempotency/key.h"
#include "services/idempotency/twins.h"

#include <assert.h>
#include <string.h>

enum {
    PAUSE_MIN_MS = 5, /* doubling, while a twin elsewhere is at work */
    PAUSE_MAX_MS = 200,
    PATIENCE_MS = 3000, /* all pauses; then it is the client's to try again */
    RETRY_MS = 1000,
};

/* One call of a marked method; `key` is NULL when it has none. */
struct attempt {
    struct rpc_call *call;
    const ProtobufCMessage *request;
    ProtobufCMessage *response;
    const char *key;
    uint8_t hash[REQUEST_HASH_BYTES];
    struct twin twin;
    struct db *tx;     /* the last one that began */
    bool is_elsewhere; /* it found a twin's claim */
    bool is_committed; /* one did */
    bool is_kept;
    ProtobufCBinaryData kept; /* the response when it was about to commit */
};

static void count(const char *label)
{
    metrics_add(metrics_rare_counter(
                    "idempotency_total",
                    "Calls with an idempotency-key, by what came of it", label),
                1);
}

static bool is_development(void)
{
    return app_config()->environment == ENVIRONMENT_DEVELOPMENT;
}

/* --------------------------------------------------------- the transaction */

static rpc_status in_flight(struct rpc_call *call)
{
    rpc_status status = rpc_fail_reason(
        call, RPC_ABORTED, "REQUEST_IN_FLIGHT",
        "the same request is being worked on; ask again for its answer");
    rpc_add_retry(call, RETRY_MS);
    return status;
}

static rpc_status claim(struct attempt *a)
{
    const struct rpc_call *call = a->call;
    IdempotentClaimRow *row;
    TRY(db_one(a->tx, &idempotent_reply_claim, &row, db_text(call->caller.id),
               db_text(call->method->path), db_text(a->key),
               db_bytes(a->hash, sizeof a->hash),
               db_int(idempotency_name_number(a->twin.name))));
    a->is_elsewhere = !row->is_new;
    return row->is_new ? RPC_SUCCESS : in_flight(a->call);
}

static rpc_status keep(struct db *tx, void *argument)
{
    struct attempt *a = argument;
    const struct rpc_call *call = a->call;
    a->kept.data = codec_pack(call->arena, a->response, &a->kept.len);
    a->is_kept = true;
    if (a->key == NULL)
        return RPC_SUCCESS;
    return db_exec(tx, &idempotent_reply_keep, NULL, db_text(call->caller.id),
                   db_text(call->method->path), db_text(a->key),
                   db_bytes(a->kept.data, a->kept.len));
}

static void note_commit(struct rpc_call *call, void *argument)
{
    struct attempt *a = argument;
    (void)call;
    a->is_committed = true;
}

static rpc_status on_begin(struct db *tx, void *argument)
{
    struct attempt *a = argument;
    if (a->is_committed)
        return rpc_fail(a->call, RPC_INTERNAL, "%s begins a second transaction",
                        a->call->method->path);
    a->tx = tx;
    if (a->key != NULL)
        TRY(claim(a));
    if (a->key != NULL || is_development())
        db_before_commit(tx, keep, a);
    db_after_commit(tx, note_commit, a);
    return RPC_SUCCESS;
}

/* ------------------------------------------------------------- the handler */

static rpc_status run_handler(struct rpc_call *call, void *argument)
{
    struct attempt *a = argument;
    const ProtobufCMessageDescriptor *type = call->method->response;
    memset(a->response, 0, type->sizeof_message);
    codec_init(type, a->response);
    return call->method->unary(call, a->request, a->response);
}

/* Puts bytes that were kept where the handler's response would be. */
static rpc_status take_reply(struct attempt *a, ProtobufCBinaryData reply)
{
    const ProtobufCMessageDescriptor *type = a->call->method->response;
    struct codec_error error;
    const ProtobufCMessage *message =
        codec_decode(a->call->arena, type, reply.data, reply.len, &error);
    if (message == NULL)
        return rpc_fail(a->call, RPC_INTERNAL, "a reply that was kept: %s",
                        error.text);
    memcpy(a->response, message, type->sizeof_message);
    return RPC_SUCCESS;
}

/* What is sent is what was kept, or a retry would get something else. */
static rpc_status check_reply(struct attempt *a)
{
    size_t size;
    const uint8_t *bytes = codec_pack(a->call->arena, a->response, &size);
    if (size == a->kept.len &&
        (size == 0 || memcmp(bytes, a->kept.data, size) == 0))
        return RPC_SUCCESS;
    log_text(LOG_ERROR, "idempotency",
             "%s changed its response after the commit", a->call->method->path);
    assert(!is_development());
    return take_reply(a, a->kept);
}

/* A failure after the commit would be an OK at the next try. */
static rpc_status check_failure(const struct attempt *a, rpc_status status)
{
    if (!a->is_committed || rpc_alive(a->call).code != RPC_OK)
        return status;
    log_text(LOG_ERROR, "idempotency", "%s failed after its commit: %s",
             a->call->method->path, status.message);
    assert(!is_development());
    return status;
}

/* Runs the handler, with all that it wrote and its reply kept. */
static rpc_status run_and_keep(struct attempt *a)
{
    struct rpc_call *call = a->call;
    db_on_begin(call->db, on_begin, a);
    rpc_status status = db_retry(call, run_handler, a);
    if (status.code != RPC_OK)
        return check_failure(a, status);
    if (a->is_committed)
        return a->is_kept ? check_reply(a) : RPC_SUCCESS;
    if (a->key == NULL)
        return RPC_SUCCESS;
    struct db *tx;
    if (a->tx != NULL)
        db_rollback(a->tx);
    TRY(db_begin(call->db, &tx));
    return db_commit(tx);
}

/* ----------------------------------------------------------------- the key */

/* Of `hash` and `reply`: what the twin that came first asked and got. */
static rpc_status replay(struct attempt *a)
{
    if (memcmp(a->twin.hash, a->hash, sizeof a->hash) != 0) {
        count("result=\"reused\"");
        return rpc_fail_reason(a->call, RPC_INVALID_ARGUMENT,
                               "IDEMPOTENCY_KEY_REUSED",
                               "this idempotency-key was sent with another "
                               "request before; make a new one for each");
    }
    TRY(take_reply(a, a->twin.reply));
    TRY(db_exec(a->call->db, &idempotent_reply_seen, NULL, DB_NONE));
    rpc_set_header(a->call, "idempotency-replayed", "true", 4);
    count("result=\"replayed\"");
    return RPC_SUCCESS;
}

static rpc_status find(struct attempt *a, bool *is_known)
{
    const struct rpc_call *call = a->call;
    IdempotentReplyRow *row;
    TRY(db_find(call->db, &idempotent_reply_find, &row,
                db_text(call->caller.id), db_text(call->method->path),
                db_text(a->key)));
    *is_known = row != NULL;
    if (row != NULL) {
        assert(row->request_hash.len == TWIN_HASH_BYTES);
        a->twin.hash = row->request_hash.data;
        a->twin.reply = row->reply;
    }
    return RPC_SUCCESS;
}

/* Nothing is left open for a twin to stumble over. */
static rpc_status run_new(struct attempt *a)
{
    rpc_status status = run_and_keep(a);
    db_on_begin(a->call->db, NULL, NULL);
    if (a->tx != NULL)
        db_rollback(a->tx);
    if (status.code != RPC_OK)
        return status;
    a->twin.hash = a->hash;
    a->twin.reply = a->kept;
    count("result=\"kept\"");
    return RPC_SUCCESS;
}

static rpc_status find_or_run(struct attempt *a)
{
    int64_t waited_ms = 0, pause_ms = PAUSE_MIN_MS;
    for (;;) {
        bool is_known;
        TRY(find(a, &is_known));
        if (is_known)
            return replay(a);
        rpc_status status = run_new(a);
        if (!a->is_elsewhere || waited_ms >= PATIENCE_MS)
            return status;
        a->is_elsewhere = false;
        TRY(rpc_sleep(a->call, pause_ms));
        waited_ms += pause_ms;
        pause_ms = 2 * pause_ms < PAUSE_MAX_MS ? 2 * pause_ms : PAUSE_MAX_MS;
    }
}

static rpc_status run_as_twin(struct attempt *a)
{
    rpc_status status = find_or_run(a);
    twin_turn told = TWIN_RUN;
    if (a->twin.hash != NULL)
        told = TWIN_ANSWERED;
    else if (a->is_elsewhere)
        told = TWIN_BUSY;
    twin_leave(&a->twin, told);
    return status;
}

static rpc_status run_with_key(struct attempt *a)
{
    idempotency_request_hash(a->call, a->request, a->hash);
    a->twin.call = a->call;
    a->twin.name = idempotency_name(a->call, a->key);
    twin_turn turn;
    TRY(twin_enter(&a->twin, &turn));
    if (turn == TWIN_ANSWERED)
        return replay(a);
    rpc_status status = turn == TWIN_RUN ? run_as_twin(a) : in_flight(a->call);
    if (a->is_elsewhere || turn == TWIN_BUSY)
        count("result=\"in_flight\"");
    return status;
}

rpc_status idempotency_run(struct rpc_call *call, const void *request,
                           void *response)
{
    struct attempt *a = ARENA_NEW(call->arena, struct attempt);
    a->call = call;
    a->request = request;
    a->response = response;
    TRY(idempotency_key_read(call, &a->key));
    return a->key == NULL ? run_and_keep(a) : run_with_key(a);
}

void idempotency_loop_start(struct loop *loop)
{
    twins_loop_start(loop);
}

void idempotency_loop_stop(struct loop *loop)
{
    twins_loop_stop(loop);
}
