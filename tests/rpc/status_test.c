/* Statuses with details, as they travel: rpc/status.c and rpc/details.c. */
#include "tests/rpc/here.h"

#include "rpc/details.h"

static int setup(void **state)
{
    *state = here_start((struct rpc_server_options){0});
    return 0;
}

static void every_code_has_its_name(void **state)
{
    (void)state;
    assert_string_equal(rpc_code_name(RPC_OK), "OK");
    assert_string_equal(rpc_code_name(RPC_NOT_FOUND), "NOT_FOUND");
    assert_string_equal(rpc_code_name(RPC_UNAUTHENTICATED), "UNAUTHENTICATED");
    assert_string_equal(rpc_code_name((rpc_code)17), "UNKNOWN");
    assert_string_equal(rpc_code_name((rpc_code)-1), "UNKNOWN");
}

static void all_details_arrive_with_their_status(void **state)
{
    fixture *t = *state;
    FailRequest req = FAIL_REQUEST_INIT;
    req.code = RPC_INVALID_ARGUMENT;
    req.message = "all at once";
    req.reason = "SOME_REASON";
    req.field = "address.city";
    req.retry_ms = 1500;
    struct rpc_reply reply = here_call(t, TEST_FAIL, NULL, &req);
    assert_code(reply, RPC_INVALID_ARGUMENT);

    struct codec_error error;
    const Google__Rpc__Status *status = (Google__Rpc__Status *)codec_decode(
        t->arena, &google__rpc__status__descriptor, reply.details,
        reply.details_size, &error);
    assert_int_equal(status->code, RPC_INVALID_ARGUMENT);
    assert_string_equal(status->message, "all at once");
    assert_int_equal(status->n_details, 3);

    const Google__Rpc__ErrorInfo *info =
        here_detail(t, reply, &google__rpc__error_info__descriptor);
    assert_string_equal(info->reason, "SOME_REASON");
    assert_string_equal(info->domain, "prbal");
    const Google__Rpc__BadRequest *bad =
        here_detail(t, reply, &google__rpc__bad_request__descriptor);
    assert_int_equal(bad->n_field_violations, 1);
    assert_string_equal(bad->field_violations[0]->field, "address.city");
    assert_string_equal(bad->field_violations[0]->description, "all at once");
    const Google__Rpc__RetryInfo *retry =
        here_detail(t, reply, &google__rpc__retry_info__descriptor);
    assert_int_equal(retry->retry_delay->seconds, 1);
    assert_int_equal(retry->retry_delay->nanos, 500000000);
}

static void a_plain_status_has_no_details(void **state)
{
    fixture *t = *state;
    FailRequest req = FAIL_REQUEST_INIT;
    req.code = RPC_NOT_FOUND;
    req.message = "gone";
    struct rpc_reply reply = here_call(t, TEST_FAIL, NULL, &req);
    assert_string_equal(reply.status.message, "gone");
    assert_int_equal(reply.details_size, 0);
}

/* The next tests make statuses in a call that is not sent anywhere. */
static struct rpc_call *bare_call(fixture *t)
{
    struct rpc_call *call = ARENA_NEW(t->arena, struct rpc_call);
    call->arena = t->arena;
    return call;
}

static void any_message_may_be_a_detail_and_comes_last(void **state)
{
    fixture *t = *state;
    struct rpc_call *call = bare_call(t);
    EchoRequest own = ECHO_REQUEST_INIT;
    own.text = "mine";
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    any.type_url = "example.com/some.Type";
    any.value = (ProtobufCBinaryData){2, (uint8_t *)"\x08\x01"};
    rpc_status status = rpc_fail_reason(call, RPC_ABORTED, "WHY", "no");
    rpc_add_detail(call, &own);
    rpc_add_detail(call, &any);

    size_t size;
    struct codec_error error;
    const uint8_t *bytes = rpc_details_encode(call, status, &size);
    const Google__Rpc__Status *sent = (Google__Rpc__Status *)codec_decode(
        t->arena, &google__rpc__status__descriptor, bytes, size, &error);
    assert_int_equal(sent->n_details, 3);
    assert_string_equal(sent->details[0]->type_url,
                        "type.googleapis.com/google.rpc.ErrorInfo");
    assert_string_equal(sent->details[1]->type_url,
                        "type.googleapis.com/prbal.test.EchoRequest");
    assert_memory_equal(sent->details[1]->value.data, "\x0a\x04mine", 6);
    assert_string_equal(sent->details[2]->type_url, "example.com/some.Type");
    assert_memory_equal(sent->details[2]->value.data, "\x08\x01", 2);
}

static void a_replaced_status_takes_its_details_with_it(void **state)
{
    fixture *t = *state;
    struct rpc_call *call = bare_call(t);
    size_t size;
    rpc_status first = rpc_fail_reason(call, RPC_ABORTED, "FIRST", "the first");
    rpc_status second = rpc_fail(call, RPC_ABORTED, "the first");
    assert_null(rpc_details_encode(call, second, &size));
    assert_non_null(rpc_details_encode(call, first, &size));
    assert_true(size > 0);
}

static void violations_keep_their_order(void **state)
{
    fixture *t = *state;
    struct rpc_call *call = bare_call(t);
    rpc_status status = rpc_fail_field(call, "a", "first %d", 1);
    assert_string_equal(status.message, "a: first 1");
    rpc_add_field_violation(call, "b", "second");
    struct rpc_reply reply = {.status = status};
    reply.details = rpc_details_encode(call, status, &reply.details_size);
    const Google__Rpc__BadRequest *bad =
        here_detail(t, reply, &google__rpc__bad_request__descriptor);
    assert_int_equal(bad->n_field_violations, 2);
    assert_string_equal(bad->field_violations[0]->field, "a");
    assert_string_equal(bad->field_violations[0]->description, "first 1");
    assert_string_equal(bad->field_violations[1]->field, "b");
}

static void metadata_travels_in_the_error_info(void **state)
{
    fixture *t = *state;
    struct rpc_call *call = bare_call(t);
    rpc_status status = rpc_fail_reason(call, RPC_ABORTED, "TAKEN", "taken");
    rpc_add_metadata(call, "next_free", "2030-01-01");
    struct rpc_reply reply = {.status = status};
    reply.details = rpc_details_encode(call, status, &reply.details_size);
    const Google__Rpc__ErrorInfo *info =
        here_detail(t, reply, &google__rpc__error_info__descriptor);
    assert_int_equal(info->n_metadata, 1);
    assert_string_equal(info->metadata[0]->key, "next_free");
    assert_string_equal(info->metadata[0]->value, "2030-01-01");
}

/* Trailers above the client's limit would cost it the status itself. */
static void details_that_are_too_large_are_left_out(void **state)
{
    fixture *t = *state;
    struct rpc_call *call = bare_call(t);
    static char text[RPC_DETAILS_BYTES_MAX];
    memset(text, 'x', sizeof text - 1);
    rpc_status status = rpc_fail_field(call, "a", "%s", text);
    size_t size = 1;
    assert_null(rpc_details_encode(call, status, &size));
    assert_int_equal(size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, here_stop)
        cmocka_unit_test(every_code_has_its_name),
        CASE(all_details_arrive_with_their_status),
        CASE(a_plain_status_has_no_details),
        CASE(any_message_may_be_a_detail_and_comes_last),
        CASE(a_replaced_status_takes_its_details_with_it),
        CASE(violations_keep_their_order),
        CASE(metadata_travels_in_the_error_info),
        CASE(details_that_are_too_large_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
