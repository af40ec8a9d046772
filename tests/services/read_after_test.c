/* prbal-read-after: what a call that wrote tells its client. */
#include "db/db.h"
#include "prbal/v1/auth.rpc.h"
#include "prbal/v1/bid.rpc.h"
#include "prbal/v1/listing.rpc.h"
#include "prbal/v1/user.rpc.h"
#include "tests/testkit/listings.h"
#include "tests/testkit/market.h"

#define NAME "prbal-read-after"

static const char *header(const struct rpc_header *headers)
{
    for (; headers != NULL && headers->name != NULL; headers++)
        if (strcmp(headers->name, NAME) == 0)
            return headers->value;
    return NULL;
}

static const char *token_of(struct rpc_reply reply)
{
    const char *token = header(reply.headers);
    return token != NULL ? token : header(reply.trailers);
}

static void a_write_tells_and_later_ones_tell_more(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    const char *last = "";
    for (int i = 0; i < 5; i++) {
        struct rpc_reply reply =
            call_as(t, &seeker, "/prbal.v1.ListingService/CreateService", &req);
        assert_ok(reply);
        const char *token = header(reply.headers);
        assert_non_null(token);
        assert_int_equal(strlen(token), DB_READ_AFTER_BYTES);
        assert_true(strcmp(token, last) > 0);
        last = token;
    }
}

/* Its first answer may have been lost. */
static void a_repeated_write_tells_as_well(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    const struct rpc_header headers[] = {
        {"authorization", arena_printf(t->arena, "Bearer %s", seeker.token)},
        {"idempotency-key", "b1946ac9-2f0e-4f5c-9a51-6b1f0c1d2e3f"},
        {NULL, NULL}};
    const char *first = NULL;
    for (int i = 0; i < 2; i++) {
        struct rpc_reply reply = call_with(
            t, headers, "/prbal.v1.ListingService/CreateService", &req);
        assert_ok(reply);
        const char *token = header(reply.headers);
        assert_non_null(token);
        assert_true(first == NULL || strcmp(token, first) >= 0);
        first = token;
    }
}

static void a_read_tells_nothing(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    GetMeRequest req = GET_ME_REQUEST_INIT;
    struct rpc_reply reply =
        call_as(t, &seeker, "/prbal.v1.UserService/GetMe", &req);
    assert_ok(reply);
    assert_null(token_of(reply));
}

static void a_refused_write_tells_nothing(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    CreateBidRequest req = CREATE_BID_REQUEST_INIT;
    req.service_id = NOBODY;
    struct rpc_reply reply =
        call_as(t, &seeker, "/prbal.v1.BidService/CreateBid", &req);
    assert_code(reply, RPC_PERMISSION_DENIED);
    assert_null(token_of(reply));
}

/* The wrong try was counted, and that is a write. */
static void a_failure_that_wrote_tells(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    LoginRequest req = LOGIN_REQUEST_INIT;
    req.identifier = seeker.email;
    req.password = "not the password";
    struct rpc_reply reply =
        call_as(t, NULL, "/prbal.v1.AuthService/Login", &req);
    assert_code(reply, RPC_UNAUTHENTICATED);
    assert_non_null(token_of(reply));
}

/* Without replicas it changes nothing, whatever it is. */
static void any_token_is_taken(void **state)
{
    static const char *const values[] = {
        "", "nonsense", "ffffffffffffffffffffffffffffffffffffffff"};
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    const char *bearer = arena_printf(t->arena, "Bearer %s", seeker.token);
    GetMeRequest req = GET_ME_REQUEST_INIT;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const struct rpc_header headers[] = {
            {"authorization", bearer}, {NAME, values[i]}, {NULL, NULL}};
        assert_ok(call_with(t, headers, "/prbal.v1.UserService/GetMe", &req));
    }
}

TEST_MAIN("read_after", TEST(a_write_tells_and_later_ones_tell_more),
          TEST(a_repeated_write_tells_as_well), TEST(a_read_tells_nothing),
          TEST(a_refused_write_tells_nothing), TEST(a_failure_that_wrote_tells),
          TEST(any_token_is_taken))
