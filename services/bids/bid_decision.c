/* What happens to a bid at the end: accepted, rejected, withdrawn, or finished
 * with its booking. */
#include "rpc/enum_name.h"
#include "services/audit.h"
#include "services/bids/bid.sql.h"
#include "services/bids/bid_state.h"
#include "services/bids/bids.h"
#include "services/bookings/booking.sql.h"
#include "services/bookings/bookings.h"
#include "services/caller.h"
#include "services/events/events.h"
#include "services/listings/service_lifecycle.sql.h"
#include "services/notifications/notify.h"

#include <string.h>

static rpc_status tell_provider(struct db *tx, const BidPartyRow *bid,
                                NotificationType type,
                                const char *service_title, const char *text)
{
    return notify(tx, &(struct notice){.recipient_id = bid->provider_id,
                                       .type = type,
                                       .subject = service_title,
                                       .text = text,
                                       .object_type = "Bid",
                                       .object_id = bid->bid_id,
                                       .service_id = bid->service_id,
                                       .bid_id = bid->bid_id,
                                       .sender_id = bid->seeker_id});
}

static rpc_status tell_rejected(struct db *tx, BidPartyRow *const *bids,
                                size_t count, const char *service_title,
                                const char *reason)
{
    for (size_t i = 0; i < count; i++) {
        bid_announce(tx, bids[i], BID_STATUS_REJECTED);
        TRY(tell_provider(tx, bids[i], NOTIFICATION_TYPE_BID_REJECTED,
                          service_title, reason));
    }
    return RPC_SUCCESS;
}

static rpc_status read_bid(struct rpc_call *call, struct db *db,
                           const char *bid_id, Bid **bid)
{
    return db_one(db, &bid_by_id, bid, db_text(bid_id),
                  db_text(call->caller.id), db_bool(caller_is_admin(call)));
}

/* Nothing was there to accept.  An acceptance that is repeated answers what
 * the first one did; everything else says why not. */
static rpc_status accepted_or_why(struct rpc_call *call, struct db *tx,
                                  const AcceptBidRequest *req,
                                  AcceptBidResponse *res)
{
    db_rollback(tx);
    TRY(read_bid(call, call->db, req->bid_id, &res->bid));
    bool is_decider = strcmp(res->bid->seeker->user_id, call->caller.id) == 0 ||
                      caller_is_admin(call);
    if (!is_decider)
        return rpc_fail_reason(call, RPC_PERMISSION_DENIED, "NOT_THE_SEEKER",
                               "only the seeker of a bid can accept it");
    if (res->bid->status == BID_STATUS_ACCEPTED)
        return booking_read_of_bid(call, req->bid_id, &res->booking);
    if (res->bid->status == BID_STATUS_PENDING)
        return rpc_fail_reason(call, RPC_FAILED_PRECONDITION,
                               "SERVICE_NOT_OPEN",
                               "the service of this bid is not open any more");
    return rpc_fail_reason(call, RPC_FAILED_PRECONDITION, "WRONG_STATE",
                           "cannot accept a bid that is %s",
                           enum_name(BID_STATUS_DESCRIPTOR, res->bid->status));
}

static rpc_status tell_winner_and_losers(struct db *tx, const BidPartyRow *bid,
                                         const char *service_title)
{
    bid_announce(tx, bid, BID_STATUS_ACCEPTED);
    TRY(tell_provider(tx, bid, NOTIFICATION_TYPE_BID_ACCEPTED, service_title,
                      NULL));
    size_t count;
    BidPartyRow **losers;
    TRY(db_many(tx, &bids_reject_rivals, &count, &losers,
                db_text(bid->service_id), db_text(bid->bid_id)));
    return tell_rejected(tx, losers, count, service_title,
                         "another offer was accepted");
}

/* The provider's calendar is taken first, as by everybody who books; then the
 * service: rival acceptances queue on its row, and the one that comes second
 * finds nothing left to accept. */
rpc_status bid_accept_bid(struct rpc_call *call, const AcceptBidRequest *req,
                          AcceptBidResponse *res)
{
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    TRY(db_exec(tx, &calendar_lock_of_bid, NULL, db_text(req->bid_id),
                db_text(call->caller.id), db_bool(caller_is_admin(call))));
    int64_t taken;
    TRY(db_exec(tx, &service_assign, &taken, db_text(req->bid_id),
                db_text(call->caller.id), db_bool(caller_is_admin(call))));
    BidPartyRow *bid = NULL;
    if (taken == 1)
        TRY(db_find(tx, &bid_accept, &bid, db_text(req->bid_id),
                    db_text(call->caller.id), db_bool(caller_is_admin(call))));
    if (bid == NULL)
        return accepted_or_why(call, tx, req, res);

    TRY(booking_create_from_bid(tx, req, bid, &res->booking));
    TRY(tell_winner_and_losers(tx, bid, res->booking->service_title));
    TRY(audit(tx, "bid.accepted", "Bid", bid->bid_id, NULL));
    TRY(read_bid(call, tx, req->bid_id, &res->bid));
    return db_commit(tx);
}

/* A bid that is not where the caller wants it to go from: NOT_FOUND, already
 * there (OK), somebody else's to decide, or in the wrong state. */
static rpc_status done_or_why(struct rpc_call *call, const char *bid_id,
                              bool by_provider, BidStatus wanted,
                              const char *verb, Bid **bid)
{
    TRY(read_bid(call, call->db, bid_id, bid));
    const UserSummary *decider =
        by_provider ? (*bid)->provider : (*bid)->seeker;
    if (strcmp(decider->user_id, call->caller.id) != 0 &&
        !caller_is_admin(call))
        return rpc_fail_reason(call, RPC_PERMISSION_DENIED,
                               by_provider ? "NOT_THE_PROVIDER"
                                           : "NOT_THE_SEEKER",
                               "only the %s of a bid can %s it",
                               by_provider ? "provider" : "seeker", verb);
    if ((*bid)->status == wanted)
        return RPC_SUCCESS;
    return rpc_fail_reason(call, RPC_FAILED_PRECONDITION, "WRONG_STATE",
                           "cannot %s a bid that is %s", verb,
                           enum_name(BID_STATUS_DESCRIPTOR, (*bid)->status));
}

rpc_status bid_reject_bid(struct rpc_call *call, const RejectBidRequest *req,
                          RejectBidResponse *res)
{
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    BidPartyRow *bid;
    TRY(db_find(tx, &bid_reject, &bid, db_text(req->bid_id),
                db_text(call->caller.id), db_bool(caller_is_admin(call)),
                db_text(req->reason)));
    if (bid == NULL) {
        db_rollback(tx);
        return done_or_why(call, req->bid_id, false, BID_STATUS_REJECTED,
                           "reject", &res->bid);
    }
    TRY(read_bid(call, tx, req->bid_id, &res->bid));
    TRY(tell_rejected(tx, &bid, 1, res->bid->service_title, req->reason));
    return db_commit(tx);
}

rpc_status bid_withdraw_bid(struct rpc_call *call,
                            const WithdrawBidRequest *req,
                            WithdrawBidResponse *res)
{
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    int64_t counted;
    TRY(db_exec(tx, &service_uncount_bid, &counted, db_text(req->bid_id),
                db_text(call->caller.id), db_bool(caller_is_admin(call))));
    BidPartyRow *bid = NULL;
    if (counted == 1)
        TRY(db_find(tx, &bid_withdraw, &bid, db_text(req->bid_id),
                    db_text(call->caller.id), db_bool(caller_is_admin(call))));
    if (bid == NULL) {
        db_rollback(tx);
        return done_or_why(call, req->bid_id, true, BID_STATUS_WITHDRAWN,
                           "withdraw", &res->bid);
    }
    TRY(read_bid(call, tx, req->bid_id, &res->bid));
    bid_announce(tx, bid, BID_STATUS_WITHDRAWN);
    TRY(notify(tx, &(struct notice){.recipient_id = bid->seeker_id,
                                    .type = NOTIFICATION_TYPE_BID_WITHDRAWN,
                                    .name = res->bid->provider->full_name,
                                    .subject = res->bid->service_title,
                                    .object_type = "Bid",
                                    .object_id = bid->bid_id,
                                    .service_id = bid->service_id,
                                    .bid_id = bid->bid_id,
                                    .sender_id = bid->provider_id}));
    return db_commit(tx);
}

rpc_status bids_reject_all(struct db *tx, const char *service_id,
                           const char *service_title, const char *reason)
{
    size_t count;
    BidPartyRow **bids;
    TRY(db_many(tx, &bids_reject_all_of_service, &count, &bids,
                db_text(service_id), db_text(reason)));
    return tell_rejected(tx, bids, count, service_title, reason);
}

rpc_status bid_end(struct db *tx, const char *bid_id, BidStatus status)
{
    BidPartyRow *bid;
    TRY(db_find(tx, &bid_finish, &bid, db_text(bid_id),
                db_enum(BID_STATUS_DESCRIPTOR, (int)status)));
    if (bid != NULL)
        bid_announce(tx, bid, status);
    return RPC_SUCCESS;
}
