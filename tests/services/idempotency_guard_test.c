/* Handlers that break what (prbal.idempotent) asks of them, and what becomes of
 * it in production.  In development the last two end the process. */
#include "db/db.h"
#include "prbal/v1/notification.rpc.h"
#include "rpc/loop.h"
#include "rpc/transport.h"
#include "services/app.h"
#include "services/idempotency/idempotency.h"
#include "services/notifications/notification.sql.h"
#include "tests/testkit/testkit.h"

static rpc_status write_something(struct db *db)
{
    return db_exec(db, &notifications_mark_all_read, NULL,
                   db_text(db_call(db)->caller.id));
}

static rpc_status commit_once(struct rpc_call *call)
{
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    TRY(write_something(tx));
    return db_commit(tx);
}

static rpc_status writes_beside(struct rpc_call *call, const void *req,
                                void *res)
{
    (void)req;
    (void)res;
    return write_something(call->db);
}

static rpc_status commits_twice(struct rpc_call *call, const void *req,
                                void *res)
{
    (void)req;
    (void)res;
    TRY(commit_once(call));
    return commit_once(call);
}

static rpc_status answers_late(struct rpc_call *call, const void *req,
                               void *res)
{
    (void)req;
    TRY(commit_once(call));
    ((MarkAllReadResponse *)res)->marked_count = 7;
    return RPC_SUCCESS;
}

static rpc_status fails_late(struct rpc_call *call, const void *req, void *res)
{
    (void)req;
    (void)res;
    TRY(commit_once(call));
    return rpc_fail(call, RPC_FAILED_PRECONDITION, "too late");
}

/* A call of such a handler, on a task that is dressed as one. */
struct work {
    const char *user_id;
    rpc_status (*handler)(struct rpc_call *call, const void *req, void *res);
    rpc_code code;
    int64_t marked_count;
    bool done;
};

static void run(struct rpc_call *call, void *argument)
{
    struct work *work = argument;
    const struct rpc_method method = {
        .path = "/test/Handler",
        .is_idempotent = true,
        .request = MARK_ALL_READ_REQUEST_DESCRIPTOR,
        .response = MARK_ALL_READ_RESPONSE_DESCRIPTOR,
        .unary = work->handler};
    struct rpc_transport transport = {.call = call};
    rpc_transport_add_metadata(&transport, "idempotency-key", 15, "k", 1);
    MarkAllReadRequest req = MARK_ALL_READ_REQUEST_INIT;
    MarkAllReadResponse res = MARK_ALL_READ_RESPONSE_INIT;
    call->method = &method;
    call->caller.id = work->user_id;
    work->code = idempotency_run(call, &req, &res).code;
    work->marked_count = res.marked_count;
    call->method = NULL;
    work->done = true;
}

static struct work call_handler(fixture *t, const struct person *who,
                                rpc_status (*handler)(struct rpc_call *call,
                                                      const void *req,
                                                      void *res))
{
    struct work work = {.user_id = who->user_id, .handler = handler};
    struct loop *loop = rpc_server_loop(t->server, 0);
    assert_non_null(rpc_task(t->server, loop, run, &work));
    loop_run_until(loop, &work.done);
    return work;
}

static void what_is_written_beside_is_refused(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    for (int i = 0; i < 2; i++)
        assert_int_equal(call_handler(t, &who, writes_beside).code,
                         RPC_INTERNAL);
}

static void a_second_transaction_is_refused(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    assert_int_equal(call_handler(t, &who, commits_twice).code, RPC_INTERNAL);
    /* The first one was committed with its answer, which is all there is. */
    assert_int_equal(call_handler(t, &who, commits_twice).code, RPC_OK);
}

static void an_answer_that_changes_late_is_not_given(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    for (int i = 0; i < 2; i++) {
        struct work work = call_handler(t, &who, answers_late);
        assert_int_equal(work.code, RPC_OK);
        assert_int_equal(work.marked_count, 0);
    }
}

static void a_failure_after_the_commit_is_an_answer_next_time(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    assert_int_equal(call_handler(t, &who, fails_late).code,
                     RPC_FAILED_PRECONDITION);
    assert_int_equal(call_handler(t, &who, fails_late).code, RPC_OK);
}

static int in_production(void **state)
{
    char error[256];
    return kit_start(state) != 0 ||
           !app_config_set("environment", "production", error, sizeof error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_beside_is_refused),
        TEST(a_second_transaction_is_refused),
        TEST(an_answer_that_changes_late_is_not_given),
        TEST(a_failure_after_the_commit_is_an_answer_next_time),
    };
    return cmocka_run_group_tests_name("idempotency guard", tests,
                                       in_production, kit_stop);
}
