/* Lists of bids: a row of orders[] is a statement and its key. */
#include "services/bids/bid.sql.h"
#include "services/bids/bids.h"
#include "services/caller.h"
#include "services/page.h"

#include <string.h>

enum { BIDS_DEFAULT = 12 };

static const struct order {
    const char *name;
    const struct db_query *query;
    bool by_amount; /* else by creation time */
} orders[] = {
    {"", &bids_newest_first, false},
    {"-create_time", &bids_newest_first, false},
    {"create_time", &bids_oldest_first, false},
    {"amount", &bids_cheapest_first, true},
    {"-amount", &bids_dearest_first, true},
};

/* NULL for an order that the .proto does not let through. */
static const struct order *find_order(const char *name)
{
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        if (strcmp(orders[i].name, name) == 0)
            return &orders[i];
    return NULL;
}

/* The side that is asked for; the only one that the caller can be on when none
 * is named. */
static rpc_status find_role(struct rpc_call *call, BidRole asked,
                            bool *as_provider)
{
    bool provides = caller_is(call, ROLE_PROVIDER);
    bool seeks = caller_is(call, ROLE_SEEKER);
    if (asked == BID_ROLE_UNSPECIFIED && provides && seeks)
        return rpc_fail_field(call, "role",
                              "must be named by an account that both seeks "
                              "and provides");
    *as_provider = asked == BID_ROLE_PROVIDER ||
                   (asked == BID_ROLE_UNSPECIFIED && provides);
    return RPC_SUCCESS;
}

static const char *last_key(struct rpc_call *call, const struct order *order,
                            const Bid *last)
{
    if (!order->by_amount)
        return page_time_key(call, last->create_time);
    return arena_printf(call->arena, "%lld",
                        (long long)last->amount->amount_minor);
}

rpc_status bid_list_bids(struct rpc_call *call, const ListBidsRequest *req,
                         ListBidsResponse *res)
{
    bool as_provider = false;
    TRY(find_role(call, req->role, &as_provider));
    struct page page;
    TRY(page_open(call, &req->base, BIDS_DEFAULT, &page));
    const struct order *order = find_order(req->order_by);
    if (order == NULL)
        return rpc_fail_field(call, "order_by", "\"%s\" is not an order",
                              req->order_by);

    TRY(db_many(call->db, order->query, &res->n_bids, &res->bids,
                db_text(call->caller.id), db_bool(as_provider),
                db_text_or_null(req->service_id),
                db_enums_or_all(call->arena, BID_STATUS_DESCRIPTOR,
                                req->statuses, req->n_statuses),
                order->by_amount ? page_text(&page, 0) : page_time(&page, 0),
                page_text(&page, 1), page_limit(&page)));
    if (page_cut(&page, &res->n_bids)) {
        const Bid *last = res->bids[res->n_bids - 1];
        res->next_page_token =
            page_next(call, &page, last_key(call, order, last), last->bid_id);
    }
    return RPC_SUCCESS;
}

rpc_status bid_list_bid_revisions(struct rpc_call *call,
                                  const ListBidRevisionsRequest *req,
                                  ListBidRevisionsResponse *res)
{
    Bid *bid; /* a foreign one is NOT_FOUND, not an empty list */
    TRY(db_one(call->db, &bid_by_id, &bid, db_text(req->bid_id),
               db_text(call->caller.id), db_bool(caller_is_admin(call))));
    return db_many(call->db, &bid_revisions, &res->n_revisions, &res->revisions,
                   db_text(req->bid_id), db_text(call->caller.id),
                   db_bool(caller_is_admin(call)));
}
