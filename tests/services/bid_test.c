/* Bids until one of them is accepted: who makes, sees and changes them. */
#include "prbal/v1/listing.rpc.h"
#include "tests/testkit/deals.h"
#include "tests/testkit/market.h"

#define BIDS "/prbal.v1.BidService/"

static void a_bid_reaches_the_seeker(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = needed_service(t, &seeker, "Paint the fence");

    const Bid *bid = bid_on(t, &provider, service, 12500);

    assert_string_equal(bid->service_id, service);
    assert_string_equal(bid->service_title, "Paint the fence");
    assert_string_equal(bid->seeker->user_id, seeker.user_id);
    assert_string_equal(bid->provider->full_name, provider.full_name);
    assert_int_equal(bid->amount->amount_minor, 12500);
    assert_string_equal(bid->amount->currency, "USD");
    assert_int_equal(bid->status, BID_STATUS_PENDING);
    assert_string_equal(bid->full_name, provider.full_name);
    assert_string_equal(bid->booking_id, "");
    assert_int_equal(
        number(t, "select bids_count from service where service_id = '%s'",
               service),
        1);
    assert_int_equal(number(t,
                            "select count(*) from notification where "
                            "recipient_id = '%s' and type = 'NEW_BID'",
                            seeker.user_id),
                     1);
    /* the bid's own event and the notification's */
    assert_int_equal(
        number(t, "select last_seq from user_event_cursor where user_id = '%s'",
               seeker.user_id),
        2);
}

static void a_bid_is_seen_by_its_parties_alone(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    struct person stranger = person(t, USER_TYPE_BOTH);
    struct person admin = person(t, USER_TYPE_ADMIN);
    const Bid *bid =
        bid_on(t, &provider, needed_service(t, &seeker, "Fix the roof"), 99900);

    assert_ok(try_get_bid(t, &seeker, bid->bid_id));
    assert_ok(try_get_bid(t, &provider, bid->bid_id));
    assert_ok(try_get_bid(t, &admin, bid->bid_id));
    assert_code(try_get_bid(t, &stranger, bid->bid_id), RPC_NOT_FOUND);
    assert_code(try_accept_bid(t, &stranger, bid->bid_id), RPC_NOT_FOUND);
    assert_code(try_reject_bid(t, &stranger, bid->bid_id, ""), RPC_NOT_FOUND);
    assert_code(try_withdraw_bid(t, &stranger, bid->bid_id), RPC_NOT_FOUND);
    assert_code(try_get_bid(t, &seeker, NOBODY), RPC_NOT_FOUND);
}

static void a_second_live_bid_is_refused(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = needed_service(t, &seeker, "Mow the lawn");
    const Bid *bid = bid_on(t, &provider, service, 3000);

    assert_reason(try_bid(t, &provider, service, 2000), RPC_ALREADY_EXISTS,
                  "BID_EXISTS");
    assert_int_equal(
        number(t, "select bids_count from service where service_id = '%s'",
               service),
        1);

    assert_ok(try_withdraw_bid(t, &provider, bid->bid_id));
    assert_int_equal(
        number(t, "select bids_count from service where service_id = '%s'",
               service),
        0);
    assert_ok(try_bid(t, &provider, service, 2500));
}

static void a_rejected_provider_cannot_bid_again(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = needed_service(t, &seeker, "Wash the car");
    const Bid *bid = bid_on(t, &provider, service, 1500);

    const Bid *rejected =
        ANSWER(RejectBidResponse,
               try_reject_bid(t, &seeker, bid->bid_id, "too dear"))
            ->bid;

    assert_int_equal(rejected->status, BID_STATUS_REJECTED);
    assert_string_equal(rejected->reject_reason, "too dear");
    assert_non_null(rejected->reject_time);
    assert_reason(try_bid(t, &provider, service, 1000), RPC_ALREADY_EXISTS,
                  "BID_REJECTED_BEFORE");
    assert_ok(try_reject_bid(t, &seeker, bid->bid_id, "again"));
    assert_string_equal(text(t,
                             "select reject_reason from bid where bid_id = "
                             "'%s'",
                             bid->bid_id),
                        "too dear");
}

static void bids_that_cannot_be_are_refused(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_BOTH);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *open = needed_service(t, &seeker, "Clean the windows");
    const char *offered = offered_service(t, &seeker, "Piano lessons");
    const char *closed = needed_service(t, &seeker, "Closed already");
    const char *late = needed_service(t, &seeker, "Much too late");
    const char *hidden = needed_service(t, &seeker, "Taken down");
    sql(t, "update service set status = 'CANCELLED' where service_id = '%s'",
        closed);
    sql(t,
        "update service set deadline = now() - interval '1 hour' "
        "where service_id = '%s'",
        late);
    sql(t, "update service set is_active = false where service_id = '%s'",
        hidden);

    assert_reason(try_bid(t, &seeker, open, 1000), RPC_PERMISSION_DENIED,
                  "OWN_SERVICE");
    assert_reason(try_bid(t, &provider, offered, 1000), RPC_FAILED_PRECONDITION,
                  "SERVICE_NOT_NEEDED");
    assert_reason(try_bid(t, &provider, closed, 1000), RPC_FAILED_PRECONDITION,
                  "SERVICE_NOT_OPEN");
    assert_reason(try_bid(t, &provider, late, 1000), RPC_FAILED_PRECONDITION,
                  "DEADLINE_PASSED");
    assert_code(try_bid(t, &provider, hidden, 1000), RPC_NOT_FOUND);
    assert_code(try_bid(t, &provider, NOBODY, 1000), RPC_NOT_FOUND);
    assert_int_equal(number(t,
                            "select count(*) from bid where provider_id in "
                            "('%s', '%s')",
                            seeker.user_id, provider.user_id),
                     0);
}

static void work_of_a_suspended_seeker_takes_no_bids(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = needed_service(t, &seeker, "Never mind");
    sql(t,
        "update account set account_status = 'SUSPENDED' where user_id = '%s'",
        seeker.user_id);
    assert_code(try_bid(t, &provider, service, 1000), RPC_NOT_FOUND);
}

static void malformed_bids_name_the_field(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = needed_service(t, &seeker, "Walk the dog");
    char long_text[5002];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';

    Money amount = usd(1000), zero = usd(0), strange = usd(1000);
    strange.currency = "usd";
    Money other = usd(1000);
    other.currency = "EUR";
    CreateBidRequest req = bid_request("not-a-uuid", &amount);
    assert_field_violation(call_as(t, &provider, BIDS "CreateBid", &req),
                           "service_id");
    req = bid_request(service, NULL);
    assert_field_violation(call_as(t, &provider, BIDS "CreateBid", &req),
                           "amount");
    req = bid_request(service, &zero);
    assert_field_violation(call_as(t, &provider, BIDS "CreateBid", &req),
                           "amount.amount_minor");
    req = bid_request(service, &strange);
    assert_field_violation(call_as(t, &provider, BIDS "CreateBid", &req),
                           "amount.currency");
    req = bid_request(service, &other);
    assert_reason(call_as(t, &provider, BIDS "CreateBid", &req),
                  RPC_FAILED_PRECONDITION, "CURRENCY_MISMATCH");
    req = bid_request(service, &amount);
    req.message = "";
    assert_field_violation(call_as(t, &provider, BIDS "CreateBid", &req),
                           "message");
    req.message = long_text;
    assert_field_violation(call_as(t, &provider, BIDS "CreateBid", &req),
                           "message");
    req = bid_request(service, &amount);
    req.scheduled_time = in_minutes(t, -5);
    assert_field_violation(call_as(t, &provider, BIDS "CreateBid", &req),
                           "scheduled_time");
    req = bid_request(service, &amount);
    req.linkedin_url = "not a url";
    assert_field_violation(call_as(t, &provider, BIDS "CreateBid", &req),
                           "linkedin_url");
    assert_int_equal(number(t,
                            "select count(*) from bid where service_id = "
                            "'%s'",
                            service),
                     0);
}

static void only_providers_bid(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person other = person(t, USER_TYPE_SEEKER);
    struct person pending = pending_person(t, USER_TYPE_PROVIDER);
    const char *service = needed_service(t, &seeker, "Carry the sofa");

    assert_code(try_bid(t, NULL, service, 1000), RPC_UNAUTHENTICATED);
    assert_code(try_bid(t, &other, service, 1000), RPC_PERMISSION_DENIED);
    assert_code(try_bid(t, &pending, service, 1000), RPC_PERMISSION_DENIED);
}

static void an_update_keeps_the_old_terms(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const Bid *bid =
        bid_on(t, &provider, needed_service(t, &seeker, "Dig a pond"), 30000);

    Money amount = usd(28000);
    const char *paths[] = {"amount", "message"};
    Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
    mask.n_paths = 2;
    mask.paths = paths;
    UpdateBidRequest req = UPDATE_BID_REQUEST_INIT;
    req.bid_id = bid->bid_id;
    req.amount = &amount;
    req._message_case = UPDATE_BID_REQUEST_MESSAGE_CASE;
    req.message = "A little less.";
    req._duration_case = UPDATE_BID_REQUEST_DURATION_CASE;
    req.duration = "not in the mask";
    req.update_mask = &mask;
    const Bid *updated =
        ANSWER(UpdateBidResponse, call_as(t, &provider, BIDS "UpdateBid", &req))
            ->bid;

    assert_int_equal(updated->amount->amount_minor, 28000);
    assert_string_equal(updated->message, "A little less.");
    assert_string_equal(updated->duration, "");
    assert_int_equal(number(t,
                            "select amount_minor from bid_revision where "
                            "bid_id = '%s'",
                            bid->bid_id),
                     30000);

    paths[0] = "status";
    assert_field_violation(call_as(t, &provider, BIDS "UpdateBid", &req),
                           "update_mask");
    paths[0] = "amount";
    assert_ok(try_accept_bid(t, &seeker, bid->bid_id));
    assert_reason(call_as(t, &provider, BIDS "UpdateBid", &req),
                  RPC_FAILED_PRECONDITION, "WRONG_STATE");
}

static void an_update_that_changes_nothing_leaves_no_revision(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const Bid *bid =
        bid_on(t, &provider, needed_service(t, &seeker, "Dig a pond"), 30000);
    Money amount = usd(29000);
    UpdateBidRequest req = UPDATE_BID_REQUEST_INIT;
    req.bid_id = bid->bid_id;
    req.amount = &amount;
    for (int i = 0; i < 2; i++)
        assert_int_equal(ANSWER(UpdateBidResponse,
                                call_as(t, &provider, BIDS "UpdateBid", &req))
                             ->bid->amount->amount_minor,
                         29000);
    assert_int_equal(
        number(t, "select count(*) from bid_revision where bid_id = '%s'",
               bid->bid_id),
        1);
}

static void terms_that_a_bid_needs_cannot_be_emptied(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const Bid *bid =
        bid_on(t, &provider, needed_service(t, &seeker, "Prune a tree"), 30000);
    const char *paths[] = {"amount", "message"};
    for (size_t i = 0; i < 2; i++) {
        Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
        mask.n_paths = 1;
        mask.paths = &paths[i];
        UpdateBidRequest req = UPDATE_BID_REQUEST_INIT;
        req.bid_id = bid->bid_id;
        req.update_mask = &mask;
        assert_field_violation(call_as(t, &provider, BIDS "UpdateBid", &req),
                               paths[i]);
    }
}

static void only_the_provider_updates_a_bid(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_BOTH);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    struct person admin = person(t, USER_TYPE_ADMIN);
    const char *service = needed_service(t, &seeker, "Oil a gate");
    UpdateBidRequest req = UPDATE_BID_REQUEST_INIT;
    req.bid_id = bid_on(t, &provider, service, 30000)->bid_id;
    req.message = "For nothing.";
    req._message_case = UPDATE_BID_REQUEST_MESSAGE_CASE;
    assert_reason(call_as(t, &seeker, BIDS "UpdateBid", &req),
                  RPC_PERMISSION_DENIED, "NOT_THE_PROVIDER");
    assert_reason(call_as(t, &admin, BIDS "UpdateBid", &req),
                  RPC_PERMISSION_DENIED, "NOT_THE_PROVIDER");
    assert_ok(call_as(t, &provider, BIDS "UpdateBid", &req));
}

/* A start is not dropped in silence. */
static void a_bid_comes_with_its_service(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *service = needed_service(t, &seeker, "Mend a roof");
    const Bid *bid = bid_on(t, &provider, service, 30000);
    const GetBidResponse *seen =
        ANSWER(GetBidResponse, try_get_bid(t, &provider, bid->bid_id));
    assert_string_equal(seen->service->service_id, service);
    assert_string_equal(seen->service->description, "As the title says.");

    sql(t, "update service set is_active = false where service_id = '%s'",
        service);
    seen = ANSWER(GetBidResponse, try_get_bid(t, &provider, bid->bid_id));
    assert_null(seen->service);
    assert_string_equal(seen->bid->bid_id, bid->bid_id);
}

static const char *own_bid_on(fixture *t, const struct person *who,
                              const char *service)
{
    GetServiceRequest req = GET_SERVICE_REQUEST_INIT;
    req.service_id = service;
    return ANSWER(GetServiceResponse,
                  call_as(t, who, "/prbal.v1.ListingService/GetService", &req))
        ->own_bid_id;
}

static void a_service_tells_each_provider_of_the_own_bid(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    struct person rival = person(t, USER_TYPE_PROVIDER);
    const char *service = needed_service(t, &seeker, "Sweep a chimney");
    const char *first = bid_on(t, &provider, service, 30000)->bid_id;
    assert_string_equal(own_bid_on(t, &provider, service), first);
    assert_string_equal(own_bid_on(t, &rival, service), "");
    assert_string_equal(own_bid_on(t, &seeker, service), "");
    assert_ok(try_withdraw_bid(t, &provider, first));
    assert_string_equal(own_bid_on(t, &provider, service), first);
    const char *second = bid_on(t, &provider, service, 20000)->bid_id;
    assert_string_equal(own_bid_on(t, &provider, service), second);
}

static void the_best_rated_provider_can_come_first(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    const char *service = needed_service(t, &seeker, "Tile a bath");
    static const char *const ratings[] = {"3.25", "null", "4.5"};
    static const char *const want[] = {"4.5", "3.25", "null"};
    const char *providers[3];
    for (int i = 0; i < 3; i++) {
        struct person provider = person(t, USER_TYPE_PROVIDER);
        providers[i] = provider.user_id;
        bid_on(t, &provider, service, 1000);
        sql(t, "update profile set rating_avg = %s where user_id = '%s'",
            ratings[i], provider.user_id);
    }
    ListBidsRequest req = LIST_BIDS_REQUEST_INIT;
    req.order_by = "rating";
    req.page_size = 1;
    for (int i = 0; i < 3; i++) {
        const ListBidsResponse *page = ANSWER(
            ListBidsResponse, call_as(t, &seeker, BIDS "ListBids", &req));
        assert_int_equal(page->total_size, 3);
        assert_int_equal(page->n_bids, 1);
        for (int k = 0; k < 3; k++)
            if (strcmp(ratings[k], want[i]) == 0)
                assert_string_equal(page->bids[0]->provider->user_id,
                                    providers[k]);
        req.page_token = page->next_page_token;
    }
    assert_string_equal(req.page_token, "");
}

static void revisions_tell_both_parties_the_earlier_terms(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    struct person stranger = person(t, USER_TYPE_BOTH);
    const Bid *bid = bid_on(
        t, &provider, needed_service(t, &seeker, "Lay the bricks"), 30000);
    Money amount = usd(0);
    UpdateBidRequest update = UPDATE_BID_REQUEST_INIT;
    update.bid_id = bid->bid_id;
    update.amount = &amount;
    for (amount.amount_minor = 29000; amount.amount_minor >= 28000;
         amount.amount_minor -= 1000)
        assert_ok(call_as(t, &provider, BIDS "UpdateBid", &update));

    ListBidRevisionsRequest req = LIST_BID_REVISIONS_REQUEST_INIT;
    req.bid_id = bid->bid_id;
    const ListBidRevisionsResponse *res =
        ANSWER(ListBidRevisionsResponse,
               call_as(t, &seeker, BIDS "ListBidRevisions", &req));

    assert_int_equal(res->n_revisions, 2);
    assert_int_equal(res->revisions[0]->amount->amount_minor, 29000);
    assert_int_equal(res->revisions[1]->amount->amount_minor, 30000);
    assert_string_equal(res->revisions[0]->author_id, provider.user_id);
    assert_ok(call_as(t, &provider, BIDS "ListBidRevisions", &req));
    assert_code(call_as(t, &stranger, BIDS "ListBidRevisions", &req),
                RPC_NOT_FOUND);
}

static void lists_show_each_side_its_bids(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    struct person both = person(t, USER_TYPE_BOTH);
    const char *service = needed_service(t, &seeker, "Knit a scarf");
    bid_on(t, &provider, service, 4000);
    bid_on(t, &both, service, 3000);

    ListBidsRequest req = LIST_BIDS_REQUEST_INIT;
    req.order_by = "amount";
    const ListBidsResponse *received =
        ANSWER(ListBidsResponse, call_as(t, &seeker, BIDS "ListBids", &req));
    assert_int_equal(received->n_bids, 2);
    assert_int_equal(received->bids[0]->amount->amount_minor, 3000);
    assert_int_equal(received->bids[1]->amount->amount_minor, 4000);

    const ListBidsResponse *made =
        ANSWER(ListBidsResponse, call_as(t, &provider, BIDS "ListBids", &req));
    assert_int_equal(made->n_bids, 1);
    assert_string_equal(made->bids[0]->provider->user_id, provider.user_id);

    assert_field_violation(call_as(t, &both, BIDS "ListBids", &req), "role");
    req.role = BID_ROLE_PROVIDER;
    assert_int_equal(
        ANSWER(ListBidsResponse, call_as(t, &both, BIDS "ListBids", &req))
            ->n_bids,
        1);

    BidStatus accepted[] = {BID_STATUS_ACCEPTED};
    req.role = BID_ROLE_UNSPECIFIED;
    req.n_statuses = 1;
    req.statuses = accepted;
    assert_int_equal(
        ANSWER(ListBidsResponse, call_as(t, &seeker, BIDS "ListBids", &req))
            ->n_bids,
        0);
    req.order_by = "price";
    assert_field_violation(call_as(t, &seeker, BIDS "ListBids", &req),
                           "order_by");
}

static void pages_show_every_bid_once(void **state)
{
    static const char *const orders[] = {"", "create_time", "amount", "-amount",
                                         "rating"};
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    const char *service = needed_service(t, &seeker, "Count to seven");
    for (int i = 0; i < 7; i++) {
        struct person provider = person(t, USER_TYPE_PROVIDER);
        bid_on(t, &provider, service, 1000 + i / 3); /* equal keys */
    }
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
        ListBidsRequest req = LIST_BIDS_REQUEST_INIT;
        req.order_by = orders[o];
        req.page_size = 2;
        char seen[7 * 40] = "";
        int count = 0, pages = 0;
        do {
            const ListBidsResponse *page = ANSWER(
                ListBidsResponse, call_as(t, &seeker, BIDS "ListBids", &req));
            for (size_t i = 0; i < page->n_bids; i++, count++) {
                assert_null(strstr(seen, page->bids[i]->bid_id));
                strcat(seen, page->bids[i]->bid_id);
            }
            req.page_token = page->next_page_token;
            pages++;
        } while (req.page_token[0] != '\0');
        assert_int_equal(count, 7);
        assert_int_equal(pages, 4);
    }
}

TEST_MAIN("bid", TEST(a_bid_reaches_the_seeker),
          TEST(a_bid_is_seen_by_its_parties_alone),
          TEST(a_second_live_bid_is_refused),
          TEST(a_rejected_provider_cannot_bid_again),
          TEST(bids_that_cannot_be_are_refused),
          TEST(work_of_a_suspended_seeker_takes_no_bids),
          TEST(malformed_bids_name_the_field), TEST(only_providers_bid),
          TEST(an_update_keeps_the_old_terms),
          TEST(only_the_provider_updates_a_bid),
          TEST(an_update_that_changes_nothing_leaves_no_revision),
          TEST(terms_that_a_bid_needs_cannot_be_emptied),
          TEST(a_bid_comes_with_its_service),
          TEST(a_service_tells_each_provider_of_the_own_bid),
          TEST(the_best_rated_provider_can_come_first),
          TEST(revisions_tell_both_parties_the_earlier_terms),
          TEST(lists_show_each_side_its_bids), TEST(pages_show_every_bid_once))
