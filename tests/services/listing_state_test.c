/* Off the market and back: deleting, cancelling and reopening a service. */
#include "tests/testkit/listings.h"
#include "tests/testkit/market.h"

#define CANCEL "/prbal.v1.ListingService/CancelService"
#define REOPEN "/prbal.v1.ListingService/ReopenService"

/* ---------------------------------------------------------------- delete */

static void a_deleted_service_is_gone_for_all_but_its_owner(void **state)
{
    fixture *t = *state;
    struct person provider = person(t, USER_TYPE_PROVIDER);
    struct person seeker = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    const char *id = create_service(t, &provider, &req)->service_id;
    assert_ok(try_delete_service(t, &provider, id));
    assert_ok(try_delete_service(t, &provider, id)); /* twice is once */

    assert_code(try_get_service(t, &seeker, id), RPC_NOT_FOUND);
    assert_false(read_service(t, &provider, id)->is_active);
    assert_code(try_delete_service(t, &provider, NOBODY), RPC_NOT_FOUND);
    assert_field_violation(try_delete_service(t, &provider, "1"), "service_id");
}

static void deleting_rejects_the_bids_with_notice(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    const Service *service = create_service(t, &seeker, &req);
    struct person bidder = bidder_on(t, service);
    assert_ok(try_delete_service(t, &seeker, service->service_id));

    assert_string_equal(text(t,
                             "select status from bid where service_id = '%s'",
                             service->service_id),
                        "REJECTED");
    assert_int_equal(notices(t, &bidder, "BID_REJECTED"), 1);
}

static void a_confirmed_booking_keeps_the_service(void **state)
{
    fixture *t = *state;
    struct person provider = person(t, USER_TYPE_PROVIDER);
    struct person seeker = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    const Service *service = create_service(t, &provider, &req);
    book_service(t, service, &seeker, "CONFIRMED");
    assert_reason(try_delete_service(t, &provider, service->service_id),
                  RPC_FAILED_PRECONDITION, "SERVICE_HAS_BOOKINGS");
    assert_true(read_service(t, &provider, service->service_id)->is_active);

    sql(t, "update booking set status = 'PENDING' where service_id = '%s'",
        service->service_id);
    assert_ok(try_delete_service(t, &provider, service->service_id));
    assert_string_equal(
        text(t, "select status from booking where service_id = '%s'",
             service->service_id),
        "DECLINED");
}

/* ------------------------------------------------------ cancel and reopen */

static struct rpc_reply cancel_it(fixture *t, const struct person *who,
                                  const char *service_id, const char *reason)
{
    CancelServiceRequest req = CANCEL_SERVICE_REQUEST_INIT;
    req.service_id = service_id;
    req.reason = reason;
    return call_as(t, who, CANCEL, &req);
}

static struct rpc_reply reopen_it(fixture *t, const struct person *who,
                                  const char *service_id)
{
    ReopenServiceRequest req = REOPEN_SERVICE_REQUEST_INIT;
    req.service_id = service_id;
    return call_as(t, who, REOPEN, &req);
}

static void every_move_off_the_market_and_back_is_on_record_once(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    const char *id = create_service(t, &seeker, &req)->service_id;
    for (int i = 0; i < 2; i++)
        assert_ok(cancel_it(t, &seeker, id, ""));
    for (int i = 0; i < 2; i++)
        assert_ok(reopen_it(t, &seeker, id));
    for (int i = 0; i < 2; i++)
        assert_ok(try_delete_service(t, &seeker, id));
    assert_string_equal(
        text(t,
             "select string_agg(action, ' ' order by created_at) from "
             "audit_log where object_id = '%s' and actor_id = '%s'",
             id, seeker.user_id),
        "service.cancelled service.reopened service.deleted");
}

static void a_cancelled_service_can_be_opened_again(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    const Service *service = create_service(t, &seeker, &req);
    struct person bidder = bidder_on(t, service);
    for (int i = 0; i < 2; i++) { /* twice is once */
        const Service *cancelled =
            ANSWER(CancelServiceResponse,
                   cancel_it(t, &seeker, service->service_id, "It stopped"))
                ->service;
        assert_int_equal(cancelled->status, SERVICE_STATUS_CANCELLED);
        assert_true(cancelled->is_active);
    }
    assert_int_equal(notices(t, &bidder, "BID_REJECTED"), 1);
    assert_string_equal(text(t,
                             "select status || ': ' || reject_reason from bid"
                             " where service_id = '%s'",
                             service->service_id),
                        "REJECTED: It stopped");

    for (int i = 0; i < 2; i++)
        assert_int_equal(ANSWER(ReopenServiceResponse,
                                reopen_it(t, &seeker, service->service_id))
                             ->service->status,
                         SERVICE_STATUS_OPEN);
    assert_string_equal(text(t,
                             "select status from bid where service_id = '%s'",
                             service->service_id),
                        "REJECTED");
}

static void a_service_moves_only_from_the_states_that_allow_it(void **state)
{
    fixture *t = *state;
    static const struct {
        const char *set;
        const char *cancel, *reopen; /* NULL is OK */
    } cases[] = {
        {"status = 'OPEN'", NULL, NULL},
        {"status = 'IN_PROGRESS'", "SERVICE_IN_PROGRESS",
         "SERVICE_NOT_CANCELLED"},
        {"status = 'COMPLETED'", "SERVICE_NOT_OPEN", "SERVICE_NOT_CANCELLED"},
        {"status = 'CANCELLED'", NULL, NULL},
        {"status = 'CANCELLED', deadline = now() - interval '1 s'", NULL,
         "DEADLINE_PASSED"},
        {"is_active = false", "SERVICE_NOT_ACTIVE", "SERVICE_NOT_ACTIVE"},
    };
    struct person seeker = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *id = create_service(t, &seeker, &req)->service_id;
        sql(t, "update service set %s where service_id = '%s'", cases[i].set,
            id);
        struct rpc_reply reopened = reopen_it(t, &seeker, id);
        if (cases[i].reopen != NULL)
            assert_reason(reopened, RPC_FAILED_PRECONDITION, cases[i].reopen);
        else
            assert_ok(reopened);
        struct rpc_reply cancelled = cancel_it(t, &seeker, id, "");
        if (cases[i].cancel != NULL)
            assert_reason(cancelled, RPC_FAILED_PRECONDITION, cases[i].cancel);
        else
            assert_ok(cancelled);
    }
}

static void only_the_owner_cancels_and_reopens(void **state)
{
    fixture *t = *state;
    struct person owner = person(t, USER_TYPE_PROVIDER);
    struct person other = person(t, USER_TYPE_PROVIDER);
    struct person seeker = person(t, USER_TYPE_SEEKER);
    CreateServiceRequest req = leaking_tap(t);
    const Service *service = create_service(t, &owner, &req);
    assert_code(cancel_it(t, &other, service->service_id, ""), RPC_NOT_FOUND);
    assert_code(reopen_it(t, &other, service->service_id), RPC_NOT_FOUND);
    assert_field_violation(cancel_it(t, &owner, "1", ""), "service_id");
    book_service(t, service, &seeker, "CONFIRMED");
    assert_reason(cancel_it(t, &owner, service->service_id, ""),
                  RPC_FAILED_PRECONDITION, "SERVICE_HAS_BOOKINGS");
    assert_int_equal(read_service(t, &owner, service->service_id)->status,
                     SERVICE_STATUS_OPEN);
}

TEST_MAIN("listing_state",
          TEST(a_deleted_service_is_gone_for_all_but_its_owner),
          TEST(deleting_rejects_the_bids_with_notice),
          TEST(a_confirmed_booking_keeps_the_service),
          TEST(every_move_off_the_market_and_back_is_on_record_once),
          TEST(a_cancelled_service_can_be_opened_again),
          TEST(a_service_moves_only_from_the_states_that_allow_it),
          TEST(only_the_owner_cancels_and_reopens))
