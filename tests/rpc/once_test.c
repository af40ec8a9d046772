/* The hook that runs methods marked (prbal.idempotent). */
#include "prbal/options.rpc.h"
#include "tests/rpc/here.h"

static struct {
    int runs;
    bool answers_itself;
} hook;

static rpc_status let_all_in(struct rpc_call *call, const char *token)
{
    call->caller.id = token;
    call->caller.roles = 1u << ROLE_ANY;
    return RPC_SUCCESS;
}

static rpc_status once(struct rpc_call *call, const void *request,
                       void *response)
{
    hook.runs++;
    if (!hook.answers_itself)
        return call->method->unary(call, request, response);
    ((NoteResponse *)response)->text = "as before";
    rpc_set_header(call, "x-seen", "true", 4);
    return RPC_SUCCESS;
}

static int setup(void **state)
{
    memset(&hook, 0, sizeof hook);
    *state = here_start((struct rpc_server_options){
        .hooks = {.authenticate = let_all_in, .once = once}});
    return 0;
}

static int setup_without(void **state)
{
    *state = here_start(
        (struct rpc_server_options){.hooks = {.authenticate = let_all_in}});
    return 0;
}

static struct rpc_reply note(fixture *t, const char *text)
{
    static const struct rpc_header headers[] = {{"authorization", "Bearer me"},
                                                {NULL, NULL}};
    NoteRequest req = NOTE_REQUEST_INIT;
    req.text = text;
    return here_call(t, TEST_NOTE, headers, &req);
}

static const char *text_of(struct rpc_reply reply)
{
    assert_code(reply, RPC_OK);
    return ((const NoteResponse *)reply.message)->text;
}

static void it_runs_the_handlers_of_marked_methods(void **state)
{
    fixture *t = *state;
    assert_string_equal(text_of(note(t, "once")), "once");
    assert_int_equal(hook.runs, 1);
    assert_code(here_echo(t, "not marked"), RPC_OK);
    assert_int_equal(hook.runs, 1);
}

static void it_may_answer_without_the_handler(void **state)
{
    fixture *t = *state;
    hook.answers_itself = true;
    struct rpc_reply reply = note(t, "twice");
    assert_string_equal(text_of(reply), "as before");
    assert_string_equal(here_header(reply.headers, "x-seen"), "true");
}

static void it_does_not_see_what_is_not_valid(void **state)
{
    fixture *t = *state;
    assert_code(note(t, "longer than ten"), RPC_INVALID_ARGUMENT);
    assert_int_equal(hook.runs, 0);
}

static void without_it_a_marked_method_runs_like_any_other(void **state)
{
    fixture *t = *state;
    assert_string_equal(text_of(note(t, "plain")), "plain");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, here_stop)
    const struct CMUnitTest tests[] = {
        TEST(it_runs_the_handlers_of_marked_methods),
        TEST(it_may_answer_without_the_handler),
        TEST(it_does_not_see_what_is_not_valid),
        cmocka_unit_test_setup_teardown(
            without_it_a_marked_method_runs_like_any_other, setup_without,
            here_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
