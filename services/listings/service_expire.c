/* Work that was needed by a day that has long passed. */
#include "services/audit.h"
#include "services/bids/bids.h"
#include "services/jobs/handlers.h"
#include "services/listings/service_lifecycle.sql.h"
#include "services/listings/service_row.rpc.h"
#include "services/notifications/notify.h"

enum { SERVICES_A_BITE = 20, PAUSE_MS = 50 };

static const char reason[] = "The deadline has passed.";

static rpc_status close_service(struct db *tx, const ServiceExpiredRow *service)
{
    struct arena *arena = db_call(tx)->arena;
    const char *message = arena_printf(
        arena, "%s is closed: its deadline has passed, and no bid was accepted",
        service->title);
    TRY(bids_reject_all(tx, service->service_id, service->title, reason));
    TRY(notify(tx, &(struct notice){.recipient_id = service->owner_id,
                                    .type = NOTIFICATION_TYPE_TASK_CANCELLED,
                                    .message = message,
                                    .object_type = "Service",
                                    .object_id = service->service_id,
                                    .service_id = service->service_id}));
    return audit(tx, "service.expired", "Service", service->service_id, NULL);
}

rpc_status listing_expire_overdue(struct db *tx, struct job_run *run)
{
    size_t count;
    ServiceExpiredRow **services;
    TRY(db_many(tx, &services_expire, &count, &services,
                db_int(SERVICES_A_BITE)));
    for (size_t i = 0; i < count; i++)
        TRY(close_service(tx, services[i]));
    if (count == SERVICES_A_BITE)
        run->again_after_ms = PAUSE_MS;
    return RPC_SUCCESS;
}
