/* Lists of bids: a row of orders[] is a statement and its key. */
#include "services/bids/bid.sql.h"
#include "services/bids/bids.h"
#include "services/caller.h"
#include "services/page.h"

#include <string.h>

enum { BIDS_DEFAULT = 12, TOTAL_MAX = 1000 };

typedef enum { BY_TIME, BY_AMOUNT, BY_RATING } key_type;

static const struct order {
    const char *name;
    const struct db_query *query;
    key_type key;
} orders[] = {
    {"", &bids_newest_first, BY_TIME},
    {"-create_time", &bids_newest_first, BY_TIME},
    {"create_time", &bids_oldest_first, BY_TIME},
    {"amount", &bids_cheapest_first, BY_AMOUNT},
    {"-amount", &bids_dearest_first, BY_AMOUNT},
    {"rating", &bids_best_rated_first, BY_RATING},
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

static const char *last_key(struct rpc_call *call, key_type key,
                            const Bid *last)
{
    if (key == BY_AMOUNT)
        return arena_printf(call->arena, "%lld",
                            (long long)last->amount->amount_minor);
    if (key == BY_RATING) /* stored with two digits */
        return arena_printf(call->arena, "%.2f", last->provider->rating_avg);
    return page_time_key(call, last->create_time);
}

/* What lists and counts start with: bid_filter's arguments. */
enum { FILTER_ARGS = 4, LIST_ARGS = FILTER_ARGS + 3 };

static rpc_status count_bids(struct rpc_call *call, db_arg args[LIST_ARGS],
                             int64_t *total)
{
    BidCountRow *row;
    args[FILTER_ARGS] = db_int(TOTAL_MAX);
    TRY(db_one_args(call->db, &bids_count, &row, args, FILTER_ARGS + 1));
    *total = row->total;
    return RPC_SUCCESS;
}

static rpc_status read_page(struct rpc_call *call, const struct order *order,
                            const struct page *page, db_arg args[LIST_ARGS],
                            ListBidsResponse *res)
{
    args[FILTER_ARGS] =
        order->key == BY_TIME ? page_time(page, 0) : page_text(page, 0);
    args[FILTER_ARGS + 1] = page_text(page, 1);
    args[FILTER_ARGS + 2] = page_limit(page);
    TRY(db_many_args(call->db, order->query, &res->n_bids, &res->bids, args,
                     LIST_ARGS));
    if (page_cut(page, &res->n_bids)) {
        const Bid *last = res->bids[res->n_bids - 1];
        res->next_page_token = page_next(
            call, page, last_key(call, order->key, last), last->bid_id);
    }
    return RPC_SUCCESS;
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
    db_arg args[LIST_ARGS] = {
        db_text(call->caller.id),
        db_bool(as_provider),
        db_text_or_null(req->service_id),
        db_enums_or_all(call->arena, BID_STATUS_DESCRIPTOR, req->statuses,
                        req->n_statuses),
    };
    TRY(count_bids(call, args, &res->total_size));
    return read_page(call, order, &page, args, res);
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
