#ifndef PRBAL_TESTS_TESTKIT_H
#define PRBAL_TESTS_TESTKIT_H

#include "prbal/v1/common.rpc.h"
#include "rpc/local.h"

#include <google/protobuf/timestamp.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What tests of services stand on: the real server in this process (all hooks,
 * gate, codec, validation), on a real PostgreSQL with a migrated database of
 * the test program's own.
 *
 *     static void a_seeker_cannot_bid(void **state)
 *     {
 *         fixture *t = *state;
 *         struct person seeker = person(t, USER_TYPE_SEEKER);
 *         CreateBidRequest req = CREATE_BID_REQUEST_INIT;
 *         ...
 *         assert_code(call_as(t, &seeker, CREATE_BID, &req),
 *                     RPC_PERMISSION_DENIED);
 *     }
 *
 *     TEST_MAIN("bid", TEST(a_seeker_cannot_bid), ...)
 *
 * Asserts belong on the test's own stack, never into a coroutine: cmocka jumps
 * out of them. */
typedef struct fixture {
    struct rpc_server *server;
    struct arena *arena; /* emptied after each test */
    const char *url;     /* of the test's database */
    int people;
} fixture;

/* Somebody with an account.  Texts live in the fixture's arena. */
struct person {
    const char *user_id;
    const char *session_id;
    const char *full_name;
    const char *email;
    const char *token;
};

/* An ACTIVE account with profile and preferences, signed in. */
struct person person(fixture *t, UserType type);
/* The same, INACTIVE: signed in with a pending token. */
struct person pending_person(fixture *t, UserType type);

/* Calls a unary method through everything that a call meets.  `who` may be
 * NULL: no token.  The reply lives in the fixture's arena. */
struct rpc_reply call_as(fixture *t, const struct person *who, const char *path,
                         const void *request);

/* With headers of the test's own; ends with a row of NULLs. */
struct rpc_reply call_with(fixture *t, const struct rpc_header *headers,
                           const char *path, const void *request);

/* Opens a server stream and sends the request. */
struct rpc_local *stream_as(fixture *t, const struct person *who,
                            const char *path, const void *request);

/* The answer of a call that must have succeeded:
 * const Bid *bid = ANSWER(CreateBidResponse, call_as(...))->bid; */
#define ANSWER(type, reply) \
    ((const type *)kit_answer((reply), __FILE__, __LINE__))
const ProtobufCMessage *kit_answer(struct rpc_reply reply, const char *file,
                                   int line);

/* Runs SQL beside the server; a printf format, for trusted texts of tests. */
void sql(fixture *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The one number, or the one text (in the fixture's arena; NULL for null), that
 * a query answers. */
int64_t number(fixture *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const char *text(fixture *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Lets the server work until `*done`, or for a while. */
void run_for(fixture *t, int64_t ms);

/* A Timestamp in the fixture's arena, so far from now. */
Google__Protobuf__Timestamp *in_minutes(fixture *t, int64_t minutes);

/* Macros, so that a failure names the line in the test. */
#define assert_code(reply, want) \
    kit_assert_code((reply), (want), __FILE__, __LINE__)
#define assert_ok(reply) assert_code((reply), RPC_OK)
/* ErrorInfo.reason in the details. */
#define assert_reason(reply, want_code, want_reason) \
    kit_assert_reason((reply), (want_code), (want_reason), __FILE__, __LINE__)
/* INVALID_ARGUMENT with a violation of this field among the details. */
#define assert_field_violation(reply, field) \
    kit_assert_field((reply), (field), __FILE__, __LINE__)

void kit_assert_code(struct rpc_reply reply, rpc_code want, const char *file,
                     int line);
void kit_assert_reason(struct rpc_reply reply, rpc_code want_code,
                       const char *want_reason, const char *file, int line);
void kit_assert_field(struct rpc_reply reply, const char *field,
                      const char *file, int line);

/* Whether the details have a violation of this field. */
bool reply_violates(fixture *t, struct rpc_reply reply, const char *field);

/* "" when the details have no ErrorInfo, or no such key in its metadata. */
const char *reply_reason(fixture *t, struct rpc_reply reply);
const char *reply_metadata(fixture *t, struct rpc_reply reply, const char *key);

int kit_start(void **state);
int kit_stop(void **state);
int kit_after(void **state);

#define TEST(f) cmocka_unit_test_teardown(f, kit_after)
#define TEST_MAIN(name, ...)                                                  \
    int main(void)                                                            \
    {                                                                         \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                      \
        return cmocka_run_group_tests_name(name, tests, kit_start, kit_stop); \
    }

#endif
