/* Bids that nobody decided on in time. */
#include "services/bids/bid.sql.h"
#include "services/bids/bids.h"
#include "services/jobs/handlers.h"
#include "services/notifications/notify.h"

enum { BIDS_A_BITE = 100, PAUSE_MS = 50 };

static rpc_status tell_expired(struct db *tx, const BidPartyRow *bid)
{
    bid_announce(tx, bid, BID_STATUS_EXPIRED);
    return notify(tx, &(struct notice){.recipient_id = bid->provider_id,
                                       .type = NOTIFICATION_TYPE_BID_EXPIRED,
                                       .subject = bid->service_title,
                                       .object_type = "Bid",
                                       .object_id = bid->bid_id,
                                       .service_id = bid->service_id,
                                       .bid_id = bid->bid_id});
}

rpc_status bid_expire_overdue(struct db *tx, struct job_run *run)
{
    size_t count;
    BidPartyRow **bids;
    TRY(db_many(tx, &bids_expire, &count, &bids, db_int(BIDS_A_BITE)));
    for (size_t i = 0; i < count; i++)
        TRY(tell_expired(tx, bids[i]));
    if (count >= BIDS_A_BITE)
        run->again_after_ms = PAUSE_MS;
    return RPC_SUCCESS;
}
