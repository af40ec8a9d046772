/* Bids: made, read, changed and withdrawn.  Deciding on one is in
 * bid_decision.c, lists are in bid_list.c. */
#include "prbal/v1/listing.rpc.h"
#include "rpc/codec.h"
#include "rpc/enum_name.h"
#include "rpc/read_mask.h"
#include "services/audit.h"
#include "services/bids/bid.sql.h"
#include "services/bids/bid_state.h"
#include "services/bids/bids.h"
#include "services/caller.h"
#include "services/events/events.h"
#include "services/listings/service.sql.h"
#include "services/listings/service_lifecycle.sql.h"
#include "services/money.h"
#include "services/notifications/notify.h"
#include "services/patch.h"

#include <string.h>

void bid_announce(struct db *tx, const BidPartyRow *bid, BidStatus status)
{
    event_bid_updated(tx, bid->seeker_id, bid->bid_id, bid->service_id, status);
    event_bid_updated(tx, bid->provider_id, bid->bid_id, bid->service_id,
                      status);
}

static void announce_bid(struct db *tx, const Bid *bid)
{
    const BidPartyRow party = {.bid_id = bid->bid_id,
                               .service_id = bid->service_id,
                               .seeker_id = bid->seeker->user_id,
                               .provider_id = bid->provider->user_id};
    bid_announce(tx, &party, bid->status);
}

static rpc_status not_open(struct rpc_call *call)
{
    return rpc_fail_reason(call, RPC_FAILED_PRECONDITION, "SERVICE_NOT_OPEN",
                           "the service does not take bids any more");
}

static rpc_status check_target(struct rpc_call *call, const BidTargetRow *t,
                               const Money *amount)
{
    if (t == NULL)
        return rpc_fail(call, RPC_NOT_FOUND, "service not found");
    if (strcmp(t->owner_id, call->caller.id) == 0)
        return rpc_fail_reason(call, RPC_PERMISSION_DENIED, "OWN_SERVICE",
                               "you cannot bid on your own service");
    if (t->kind != SERVICE_KIND_NEEDED)
        return rpc_fail_reason(call, RPC_FAILED_PRECONDITION,
                               "SERVICE_NOT_NEEDED",
                               "this service is an offer: book it instead");
    if (t->status != SERVICE_STATUS_OPEN)
        return not_open(call);
    if (t->deadline_passed)
        return rpc_fail_reason(call, RPC_FAILED_PRECONDITION, "DEADLINE_PASSED",
                               "the deadline of the service has passed");
    if (t->rejected_before)
        return rpc_fail_reason(call, RPC_ALREADY_EXISTS, "BID_REJECTED_BEFORE",
                               "your bid on this service was rejected");
    if (strcmp(t->currency, amount->currency) != 0)
        return rpc_fail_reason(call, RPC_FAILED_PRECONDITION,
                               "CURRENCY_MISMATCH", "bid in %s, not %s",
                               t->currency, amount->currency);
    return RPC_SUCCESS;
}

static rpc_status check_amount(struct rpc_call *call, const Money *amount)
{
    if (amount == NULL)
        return RPC_SUCCESS;
    if (amount->amount_minor <= 0)
        return rpc_fail_field(call, "amount.amount_minor",
                              "must be more than 0");
    return money_check(call, "amount", amount);
}

/* The seeker hears of a new bid. */
static rpc_status tell_seeker(struct db *tx, const BidTargetRow *target,
                              const Bid *bid)
{
    struct rpc_call *call = db_call(tx);
    announce_bid(tx, bid);
    return notify(
        tx, &(struct notice){.recipient_id = target->owner_id,
                             .type = NOTIFICATION_TYPE_NEW_BID,
                             .name = bid->provider->full_name,
                             .subject = target->title,
                             .text = money_format(call->arena, bid->amount),
                             .object_type = "Bid",
                             .object_id = bid->bid_id,
                             .service_id = bid->service_id,
                             .bid_id = bid->bid_id,
                             .sender_id = call->caller.id});
}

/* The service's row is counted up first: its lock puts a bid and a rival's
 * acceptance in order, so no bid is left PENDING on work that is given away. */
rpc_status bid_create_bid(struct rpc_call *call, const CreateBidRequest *req,
                          CreateBidResponse *res)
{
    TRY(check_amount(call, req->amount));
    BidTargetRow *target;
    TRY(db_find(call->db, &bid_target, &target, db_text(req->service_id),
                db_text(call->caller.id)));
    TRY(check_target(call, target, req->amount));

    struct db *tx;
    TRY(db_begin(call->db, &tx));
    int64_t counted;
    TRY(db_exec(tx, &service_count_bid, &counted, db_text(req->service_id),
                db_int(1)));
    if (counted == 0)
        return not_open(call);
    BidIdRow *id;
    TRY(db_one(tx, &bid_insert, &id, db_text(req->service_id),
               db_text(call->caller.id), db_int(req->amount->amount_minor),
               db_text(req->amount->currency), db_text(req->duration),
               db_time(req->scheduled_time), db_int(req->duration_minutes),
               db_text(req->message), db_text(req->cover_letter),
               db_text_or_null(req->full_name), db_text(req->linkedin_url)));
    TRY(db_one(tx, &bid_by_id, &res->bid, db_text(id->bid_id),
               db_text(call->caller.id), db_bool(false)));
    TRY(tell_seeker(tx, target, res->bid));
    return db_commit(tx);
}

rpc_status bid_get_bid(struct rpc_call *call, const GetBidRequest *req,
                       GetBidResponse *res)
{
    TRY(db_one(call->db, &bid_by_id, &res->bid, db_text(req->bid_id),
               db_text(call->caller.id), db_bool(caller_is_admin(call))));
    if (!read_mask_wants(req->read_mask, "service"))
        return RPC_SUCCESS;
    return db_find(call->db, &service_by_id, &res->service,
                   db_text(call->caller.id), db_bool(caller_is_admin(call)),
                   db_text(res->bid->service_id));
}

/* Why there was nothing to update. */
static rpc_status why_not(struct rpc_call *call, const char *bid_id)
{
    Bid *bid;
    TRY(db_one(call->db, &bid_by_id, &bid, db_text(bid_id),
               db_text(call->caller.id), db_bool(caller_is_admin(call))));
    if (strcmp(bid->provider->user_id, call->caller.id) != 0)
        return rpc_fail_reason(call, RPC_PERMISSION_DENIED, "NOT_THE_PROVIDER",
                               "only the provider of a bid can update it");
    return rpc_fail_reason(call, RPC_FAILED_PRECONDITION, "WRONG_STATE",
                           "cannot update a bid that is %s",
                           enum_name(BID_STATUS_DESCRIPTOR, bid->status));
}

/* Whether a bid may be like this, after an update of `before`. */
static rpc_status check_terms(struct rpc_call *call, const Bid *before,
                              const Bid *after)
{
    if (after->amount == NULL)
        return rpc_fail_field(call, "amount", "is required");
    if (after->message[0] == '\0')
        return rpc_fail_field(call, "message", "is required");
    if (strcmp(before->amount->currency, after->amount->currency) == 0)
        return RPC_SUCCESS;
    return rpc_fail_reason(call, RPC_FAILED_PRECONDITION, "CURRENCY_MISMATCH",
                           "bid in %s, not %s", before->amount->currency,
                           after->amount->currency);
}

/* The terms as they were are kept as a revision. */
static rpc_status write_terms(struct db *tx, const Bid *bid)
{
    db_arg id = db_text(bid->bid_id);
    db_arg provider = db_text(db_call(tx)->caller.id);
    TRY(db_exec(tx, &bid_keep_revision, NULL, id, provider));
    return db_exec(tx, &bid_update, NULL, id, provider,
                   db_int(bid->amount->amount_minor), db_text(bid->duration),
                   db_text(bid->message), db_time(bid->scheduled_time),
                   db_int(bid->duration_minutes), db_text(bid->cover_letter));
}

rpc_status bid_update_bid(struct rpc_call *call, const UpdateBidRequest *req,
                          UpdateBidResponse *res)
{
    const struct patch patch = {&req->base, req->update_mask};
    TRY(patch_check(call, patch));
    TRY(check_amount(call, req->amount));

    struct db *tx;
    Bid *bid;
    TRY(db_begin(call->db, &tx));
    TRY(db_find(tx, &bid_lock, &bid, db_text(req->bid_id),
                db_text(call->caller.id)));
    if (bid == NULL) {
        db_rollback(tx);
        return why_not(call, req->bid_id);
    }
    Bid after = *bid;
    patch_apply(patch, &after.base);
    TRY(check_terms(call, bid, &after));
    after.status = BID_STATUS_PENDING;
    if (codec_is_equal(call->arena, &bid->base, &after.base)) {
        res->bid = bid; /* a retry, say */
        return db_commit(tx);
    }
    TRY(write_terms(tx, &after));
    TRY(db_one(tx, &bid_by_id, &res->bid, db_text(req->bid_id),
               db_text(call->caller.id), db_bool(false)));
    announce_bid(tx, res->bid);
    return db_commit(tx);
}
