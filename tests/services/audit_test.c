/* The record of who did what. */
#include "rpc/loop.h"
#include "services/audit.h"
#include "tests/testkit/testkit.h"

struct act {
    const char *actor_id, *object_id;
    bool commit, done;
};

static void run(struct rpc_call *call, void *argument)
{
    struct act *act = argument;
    struct db *tx;
    call->caller.id = act->actor_id;
    if (db_begin(call->db, &tx).code == RPC_OK) {
        audit(tx, "test.acted", "Thing", act->object_id, "{\"size\": 3}");
        if (act->commit)
            db_commit(tx);
        else
            db_rollback(tx);
    }
    act->done = true;
}

static void perform(fixture *t, struct act *act)
{
    struct loop *loop = rpc_server_loop(t->server, 0);
    assert_non_null(rpc_task(t->server, loop, run, act));
    loop_run_until(loop, &act->done);
}

static void an_act_is_recorded_with_its_actor_and_request(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    struct act act = {who.user_id, "one", .commit = true};
    perform(t, &act);
    assert_int_equal(
        number(t,
               "select count(*) from audit_log where actor_id = '%s' and"
               " action = 'test.acted' and object_type = 'Thing' and"
               " object_id = 'one' and detail = '{\"size\": 3}' and"
               " request_id <> '' and ip_address is null",
               who.user_id),
        1);
}

static void what_is_rolled_back_did_not_happen(void **state)
{
    fixture *t = *state;
    struct act act = {NULL, "two", .commit = false};
    perform(t, &act);
    assert_int_equal(
        number(t, "select count(*) from audit_log where object_id = 'two'"), 0);
}

static void the_record_cannot_be_rewritten(void **state)
{
    fixture *t = *state;
    struct act act = {NULL, "three", .commit = true};
    perform(t, &act);
    sql(t, "do $$ begin"
           "  update audit_log set action = 'other' where object_id = 'three';"
           "  raise exception 'rewritten';"
           " exception when raise_exception then"
           "  if sqlerrm = 'rewritten' then raise; end if;"
           " end $$");
    assert_string_equal(
        text(t, "select action from audit_log where object_id = 'three'"),
        "test.acted");
}

TEST_MAIN("audit", TEST(an_act_is_recorded_with_its_actor_and_request),
          TEST(what_is_rolled_back_did_not_happen),
          TEST(the_record_cannot_be_rewritten))
