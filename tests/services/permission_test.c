/* Who may call what: every RPC of the API against every kind of caller.
 *
 * The rows are written by hand, apart from the .proto files whose access
 * options the server obeys: a rule that is loosened by mistake differs from its
 * row, and an RPC without a row fails. */
#include "prbal/v1/registry.rpc.h"
#include "rpc/codec.h"
#include "rpc/method.h"
#include "tests/testkit/testkit.h"

#include <stdio.h>

enum { SEEKER = 2, PROVIDER = 3, BOTH = 6, CALLER_COUNT = 7 };

static const char *const caller_names[CALLER_COUNT] = {
    "nobody",
    "a pending seeker",
    "a seeker",
    "a provider",
    "a learner",
    "an administrator",
    "a seeker and provider",
};

/* Callers in the order of caller_names; Y gets past the gate.  Who is both
 * seeker and provider may do what either may. */
static const struct row {
    const char *method;
    const char *allowed;
} rows[] = {
    {"AdminService/ListJobs", "- - - - - Y"},
    {"AdminService/GetJob", "- - - - - Y"},
    {"AdminService/RetryJob", "- - - - - Y"},
    {"AdminService/CancelJob", "- - - - - Y"},
    {"AdminService/PauseQueue", "- - - - - Y"},
    {"AuthService/Register", "Y Y Y Y Y Y"},
    {"AuthService/Login", "Y Y Y Y Y Y"},
    {"AuthService/SendEmailOtp", "Y Y Y Y Y Y"},
    {"AuthService/VerifyEmailOtp", "Y Y Y Y Y Y"},
    {"AuthService/RefreshToken", "Y Y Y Y Y Y"},
    {"AuthService/Logout", "- Y Y Y Y Y"},
    {"AuthService/ChangePassword", "- - Y Y Y Y"},
    {"AuthService/RequestPasswordReset", "Y Y Y Y Y Y"},
    {"AuthService/ConfirmPasswordReset", "Y Y Y Y Y Y"},
    {"AuthService/ListSessions", "- - Y Y Y Y"},
    {"AuthService/RevokeSession", "- - Y Y Y Y"},
    {"BidService/CreateBid", "- - - Y - Y"},
    {"BidService/GetBid", "- - Y Y Y Y"},
    {"BidService/ListBids", "- - Y Y Y Y"},
    {"BidService/ListBidRevisions", "- - Y Y Y Y"},
    {"BidService/UpdateBid", "- - - Y - Y"},
    {"BidService/AcceptBid", "- - Y - - Y"},
    {"BidService/RejectBid", "- - Y - - Y"},
    {"BidService/WithdrawBid", "- - - Y - Y"},
    {"BookingService/CreateBooking", "- - Y - Y Y"},
    {"BookingService/GetBooking", "- - Y Y Y Y"},
    {"BookingService/ListBookings", "- - Y Y Y Y"},
    {"BookingService/AcceptBooking", "- - - Y - Y"},
    {"BookingService/DeclineBooking", "- - - Y - Y"},
    {"BookingService/StartBooking", "- - - Y - Y"},
    {"BookingService/CompleteBooking", "- - - Y - Y"},
    {"BookingService/CancelBooking", "- - Y Y Y Y"},
    {"BookingService/ListTimelineEvents", "- - Y Y Y Y"},
    {"CatalogService/ListCategories", "Y Y Y Y Y Y"},
    {"CatalogService/GetCategory", "Y Y Y Y Y Y"},
    {"ChatService/OpenDirectRoom", "- - Y Y Y Y"},
    {"ChatService/ListRooms", "- - Y Y Y Y"},
    {"ChatService/SendMessage", "- - Y Y Y Y"},
    {"ChatService/ListMessages", "- - Y Y Y Y"},
    {"ChatService/MarkRoomRead", "- - Y Y Y Y"},
    {"ChatService/GetUnreadCount", "- - Y Y Y Y"},
    {"ChatService/GetPresence", "- - Y Y Y Y"},
    {"ChatService/SetTyping", "- - Y Y Y Y"},
    {"EventService/Subscribe", "- - Y Y Y Y"},
    {"ListingService/CreateService", "- - Y Y - Y"},
    {"ListingService/GetService", "Y Y Y Y Y Y"},
    {"ListingService/UpdateService", "- - Y Y - Y"},
    {"ListingService/DeleteService", "- - Y Y - Y"},
    {"ListingService/CancelService", "- - Y Y - Y"},
    {"ListingService/ReopenService", "- - Y Y - Y"},
    {"ListingService/ListServices", "Y Y Y Y Y Y"},
    {"ListingService/BrowseServices", "- - Y Y Y Y"},
    {"ListingService/ListMyServices", "- - Y Y Y Y"},
    {"ListingService/ListNearbyServices", "Y Y Y Y Y Y"},
    {"NotificationService/ListNotifications", "- - Y Y Y Y"},
    {"NotificationService/GetUnreadCount", "- - Y Y Y Y"},
    {"NotificationService/MarkRead", "- - Y Y Y Y"},
    {"NotificationService/MarkAllRead", "- - Y Y Y Y"},
    {"SystemService/GetServerInfo", "Y Y Y Y Y Y"},
    {"UserService/GetMe", "- Y Y Y Y Y"},
    {"UserService/UpdateMe", "- - Y Y Y Y"},
    {"UserService/GetUser", "Y Y Y Y Y Y"},
};

static const struct row *row_of(const char *path)
{
    const char *name = path + strlen("/prbal.v1.");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].method, name) == 0)
            return &rows[i];
    return NULL;
}

static size_t method_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < prbal_registry.service_count; i++)
        count += prbal_registry.services[i]->method_count;
    return count;
}

static void every_rpc_has_a_row_and_every_row_an_rpc(void **state)
{
    (void)state;
    for (size_t s = 0; s < prbal_registry.service_count; s++) {
        const struct rpc_service *service = prbal_registry.services[s];
        for (size_t m = 0; m < service->method_count; m++)
            if (row_of(service->methods[m].path) == NULL)
                fail_msg("%s has no row: who may call it?",
                         service->methods[m].path);
    }
    assert_int_equal(method_count(), sizeof rows / sizeof *rows);
}

/* The reason for which the gate refused; "" when the call got past it, whatever
 * happened then. */
static const char *refusal_in(fixture *t, struct rpc_reply reply)
{
    static const char *const refusals[] = {
        "TOKEN_MISSING", "ACCOUNT_NOT_VERIFIED", "ROLE_REQUIRED"};
    if (reply.status.code != RPC_UNAUTHENTICATED &&
        reply.status.code != RPC_PERMISSION_DENIED)
        return "";
    const char *reason = reply_reason(t, reply);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (strcmp(reason, refusals[i]) == 0)
            return refusals[i];
    return "";
}

/* What the gate says to a call with an empty request. */
static const char *gate_says(fixture *t, const struct rpc_method *method,
                             const struct person *who)
{
    ProtobufCMessage *request = codec_new(t->arena, method->request);
    if (method->kind == RPC_UNARY)
        return refusal_in(t, call_as(t, who, method->path, request));
    struct rpc_local *stream = stream_as(t, who, method->path, request);
    (void)rpc_local_next(stream, t->arena, 2000);
    const char *refusal =
        rpc_local_is_open(stream) ? "" : refusal_in(t, rpc_local_reply(stream));
    rpc_local_free(stream);
    return refusal;
}

static bool is_allowed(const struct row *row, int caller)
{
    if (caller == BOTH)
        return is_allowed(row, SEEKER) || is_allowed(row, PROVIDER);
    return row->allowed[2 * caller] == 'Y';
}

static const char *expected(const struct row *row, int caller)
{
    if (is_allowed(row, caller))
        return "";
    if (caller == 0)
        return "TOKEN_MISSING";
    return caller == 1 ? "ACCOUNT_NOT_VERIFIED" : "ROLE_REQUIRED";
}

static void check_method(fixture *t, const struct rpc_method *method,
                         const struct person *callers)
{
    const struct row *row = row_of(method->path);
    assert_non_null(row);
    for (int i = 0; i < CALLER_COUNT; i++) {
        const struct person *who = i == 0 ? NULL : &callers[i];
        const char *said = gate_says(t, method, who);
        if (strcmp(said, expected(row, i)) != 0)
            fail_msg("%s called by %s: got \"%s\", want \"%s\"", method->path,
                     caller_names[i], said, expected(row, i));
    }
}

static void every_rpc_lets_in_whom_its_row_says(void **state)
{
    fixture *t = *state;
    for (size_t s = 0; s < prbal_registry.service_count; s++) {
        const struct rpc_service *service = prbal_registry.services[s];
        for (size_t m = 0; m < service->method_count; m++) {
            /* new people for each, since some calls end their session */
            const struct person callers[CALLER_COUNT] = {
                {0},
                pending_person(t, USER_TYPE_SEEKER),
                person(t, USER_TYPE_SEEKER),
                person(t, USER_TYPE_PROVIDER),
                person(t, USER_TYPE_LEARNER),
                person(t, USER_TYPE_ADMIN),
                person(t, USER_TYPE_BOTH),
            };
            check_method(t, &service->methods[m], callers);
        }
    }
}

/* A token that is no good is refused wherever a token is read at all. */
static void a_bad_token_is_refused_wherever_tokens_are_read(void **state)
{
    fixture *t = *state;
    static const struct rpc_header headers[] = {
        {"authorization", "Bearer not.a.token"}, {0}};
    for (size_t s = 0; s < prbal_registry.service_count; s++) {
        const struct rpc_service *service = prbal_registry.services[s];
        for (size_t m = 0; m < service->method_count; m++) {
            const struct rpc_method *method = &service->methods[m];
            if (method->kind != RPC_UNARY ||
                (method->access & RPC_ACCESS_OPEN) != 0)
                continue;
            assert_reason(call_with(t, headers, method->path,
                                    codec_new(t->arena, method->request)),
                          RPC_UNAUTHENTICATED, "TOKEN_INVALID");
        }
    }
}

TEST_MAIN("permission", TEST(every_rpc_has_a_row_and_every_row_an_rpc),
          TEST(every_rpc_lets_in_whom_its_row_says),
          TEST(a_bad_token_is_refused_wherever_tokens_are_read))
