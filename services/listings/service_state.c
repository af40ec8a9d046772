/* Services off the market and back:
 *
 *     OPEN  <-- cancel, reopen -->  CANCELLED
 *
 * and out of sight for good by DeleteService, in either state.  The moves to
 * IN_PROGRESS and COMPLETED belong to bids and bookings
 * (service_lifecycle.sql). */
#include "services/audit.h"
#include "services/bids/bids.h"
#include "services/bookings/bookings.h"
#include "services/caller.h"
#include "services/listings/service.h"
#include "services/listings/service.sql.h"

static const char default_reason[] = "The service was taken back.";

static rpc_status check_no_booking_is_live(struct db *tx,
                                           const char *service_id)
{
    bool any;
    TRY(bookings_any_live(tx, service_id, &any));
    if (!any)
        return RPC_SUCCESS;
    return rpc_fail_reason(db_call(tx), RPC_FAILED_PRECONDITION,
                           "SERVICE_HAS_BOOKINGS",
                           "a confirmed booking of the service is not over "
                           "yet: complete or cancel it first");
}

/* Nobody is left waiting for an answer on what is not there any more. */
static rpc_status turn_all_down(struct db *tx, const ServiceLockRow *row,
                                const char *reason)
{
    TRY(check_no_booking_is_live(tx, row->service_id));
    TRY(bids_reject_all(tx, row->service_id, row->title, reason));
    return bookings_decline_pending(tx, row->service_id, reason);
}

static rpc_status set_state(struct db *tx, const struct db_query *move,
                            const ServiceLockRow *row)
{
    const struct rpc_call *call = db_call(tx);
    return db_exec(tx, move, NULL, db_text(call->caller.id),
                   db_text(row->service_id), db_bool(caller_is_admin(call)));
}

rpc_status listing_delete_service(struct rpc_call *call,
                                  const DeleteServiceRequest *req,
                                  DeleteServiceResponse *res)
{
    struct db *tx;
    ServiceLockRow *row;
    (void)res;
    TRY(db_begin(call->db, &tx));
    TRY(listing_lock(tx, req->service_id, &row));
    if (!row->is_active)
        return db_commit(tx);
    TRY(turn_all_down(tx, row, default_reason));
    TRY(set_state(tx, &service_deactivate, row));
    TRY(audit(tx, "service.deleted", "Service", row->service_id, NULL));
    return db_commit(tx);
}

static rpc_status check_may_cancel(struct rpc_call *call,
                                   const ServiceLockRow *row)
{
    TRY(listing_check_active(call, row));
    if (row->status == SERVICE_STATUS_IN_PROGRESS)
        return rpc_fail_reason(call, RPC_FAILED_PRECONDITION,
                               "SERVICE_IN_PROGRESS",
                               "work is under way: cancel its booking first");
    if (row->status == SERVICE_STATUS_COMPLETED)
        return rpc_fail_reason(call, RPC_FAILED_PRECONDITION,
                               "SERVICE_NOT_OPEN", "the service is over");
    return RPC_SUCCESS;
}

rpc_status listing_cancel_service(struct rpc_call *call,
                                  const CancelServiceRequest *req,
                                  CancelServiceResponse *res)
{
    const char *reason = req->reason[0] != '\0' ? req->reason : default_reason;
    struct db *tx;
    ServiceLockRow *row;
    TRY(db_begin(call->db, &tx));
    TRY(listing_lock(tx, req->service_id, &row));
    TRY(check_may_cancel(call, row));
    if (row->status == SERVICE_STATUS_OPEN) {
        TRY(turn_all_down(tx, row, reason));
        TRY(set_state(tx, &service_cancel, row));
        TRY(audit(tx, "service.cancelled", "Service", row->service_id, NULL));
    }
    TRY(listing_read(tx, req->service_id, &res->service));
    return db_commit(tx);
}

static rpc_status check_may_reopen(struct rpc_call *call,
                                   const ServiceLockRow *row)
{
    TRY(listing_check_active(call, row));
    if (row->status == SERVICE_STATUS_OPEN)
        return RPC_SUCCESS;
    if (row->status != SERVICE_STATUS_CANCELLED)
        return rpc_fail_reason(call, RPC_FAILED_PRECONDITION,
                               "SERVICE_NOT_CANCELLED",
                               "only a cancelled service can be opened again");
    if (row->deadline_passed)
        return rpc_fail_reason(call, RPC_FAILED_PRECONDITION, "DEADLINE_PASSED",
                               "the deadline of the service has passed");
    return RPC_SUCCESS;
}

rpc_status listing_reopen_service(struct rpc_call *call,
                                  const ReopenServiceRequest *req,
                                  ReopenServiceResponse *res)
{
    struct db *tx;
    ServiceLockRow *row;
    TRY(db_begin(call->db, &tx));
    TRY(listing_lock(tx, req->service_id, &row));
    TRY(check_may_reopen(call, row));
    if (row->status == SERVICE_STATUS_CANCELLED) {
        TRY(set_state(tx, &service_open_again, row));
        TRY(audit(tx, "service.reopened", "Service", row->service_id, NULL));
    }
    TRY(listing_read(tx, req->service_id, &res->service));
    return db_commit(tx);
}
