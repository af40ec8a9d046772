/* Which RPCs honour an idempotency-key, and why the others need none: no RPC
 * that changes something is forgotten. */
#include "prbal/v1/registry.rpc.h"
#include "rpc/method.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* RPCs of ours that neither say NO_SIDE_EFFECTS nor are (prbal.idempotent). */
static const struct {
    const char *method;
    const char *reason;
} excused[] = {
    {"AuthService/Register", "nobody is signed in; its answer is secret"},
    {"AuthService/Login", "nobody is signed in; its answer is secret"},
    {"AuthService/SendEmailOtp", "nobody is signed in; once in 60 seconds"},
    {"AuthService/VerifyEmailOtp", "its answer is secret; a code works once"},
    {"AuthService/RefreshToken", "its answer is secret; ten seconds' grace"},
    {"AuthService/Logout", "the token that would name the caller ends"},
    {"AuthService/ChangePassword", "a hash of its request gives it away"},
    {"AuthService/RequestPasswordReset", "as SendEmailOtp"},
    {"AuthService/ConfirmPasswordReset", "nobody is signed in; a code"},
    {"ChatService/SetTyping", "a hint of a few seconds that nothing keeps"},
    {"EventService/Subscribe", "a stream that only reads"},
};

static const char *reason_of(const struct rpc_method *method)
{
    for (size_t i = 0; i < sizeof excused / sizeof *excused; i++)
        if (strcmp(method->path + strlen("/prbal.v1."), excused[i].method) == 0)
            return excused[i].reason;
    return NULL;
}

typedef void visit(const struct rpc_method *method);

static void each_method_of_ours(visit *fn)
{
    for (size_t s = 0; s < prbal_registry.service_count; s++) {
        const struct rpc_service *service = prbal_registry.services[s];
        for (size_t m = 0; m < service->method_count; m++)
            if (strncmp(service->name, "prbal.v1.", 9) == 0)
                fn(&service->methods[m]);
    }
}

static void check_said(const struct rpc_method *method)
{
    bool is_free = method->has_no_side_effects || method->is_idempotent;
    if (!is_free && reason_of(method) == NULL)
        fail_msg("%s: mark it (prbal.idempotent), or say here why not",
                 method->path);
    if (is_free && reason_of(method) != NULL)
        fail_msg("%s needs no excuse", method->path);
}

static void each_rpc_says_what_a_retry_is(void **state)
{
    (void)state;
    each_method_of_ours(check_said);
}

static size_t found;

static void count_excused(const struct rpc_method *method)
{
    found += reason_of(method) != NULL;
}

static void each_excuse_is_for_an_rpc(void **state)
{
    (void)state;
    found = 0;
    each_method_of_ours(count_excused);
    assert_int_equal(found, sizeof excused / sizeof *excused);
}

/* protobuf-c shows a map as repeated messages of key and value. */
static bool is_map_entry(const ProtobufCMessageDescriptor *type)
{
    size_t length = strlen(type->short_name);
    return length > 5 && strcmp(type->short_name + length - 5, "Entry") == 0 &&
           type->n_fields == 2 && strcmp(type->fields[0].name, "key") == 0 &&
           strcmp(type->fields[1].name, "value") == 0;
}

/* Types are nested a few deep, and none of a request holds itself. */
enum { DEPTH_MAX = 10 };

static bool has_map(const ProtobufCMessageDescriptor *type, int depth)
{
    if (is_map_entry(type))
        return true;
    assert_true(depth < DEPTH_MAX);
    for (unsigned i = 0; i < type->n_fields; i++)
        if (type->fields[i].type == PROTOBUF_C_TYPE_MESSAGE &&
            has_map(type->fields[i].descriptor, depth + 1))
            return true;
    return false;
}

static void check_request(const struct rpc_method *method)
{
    if (method->is_idempotent && has_map(method->request, 0))
        fail_msg("the request of %s has a map", method->path);
}

/* Clients send the entries of a map in any order, so that a retry would hash
 * differently. */
static void no_request_that_is_hashed_has_a_map(void **state)
{
    (void)state;
    each_method_of_ours(check_request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rpc_says_what_a_retry_is),
        cmocka_unit_test(each_excuse_is_for_an_rpc),
        cmocka_unit_test(no_request_that_is_hashed_has_a_map),
    };
    return cmocka_run_group_tests_name("idempotency rules", tests, NULL, NULL);
}
