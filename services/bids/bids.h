#ifndef PRBAL_SERVICES_BIDS_BIDS_H
#define PRBAL_SERVICES_BIDS_BIDS_H

#include "db/db.h"
#include "prbal/v1/bid.rpc.h"
#include "services/bids/bid_row.rpc.h"

/* What other domains ask of bids. */

/* Rejects every live bid on a service that is being taken back, and tells
 * their providers.  Suspends. */
rpc_status bids_reject_all(struct db *tx, const char *service_id,
                           const char *service_title, const char *reason);

/* Ends an accepted bid with its booking: `status` is BID_STATUS_COMPLETED or
 * BID_STATUS_CANCELLED.  Suspends. */
rpc_status bid_end(struct db *tx, const char *bid_id, BidStatus status);

/* For use inside the domain: a BID_UPDATED event to both parties. */
void bid_announce(struct db *tx, const BidPartyRow *bid, BidStatus status);

#endif
