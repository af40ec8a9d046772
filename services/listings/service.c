/* Services: posted, read and changed.  Their states are in service_state.c,
 * lists in service_list.c. */
#include "services/listings/service.h"

#include "rpc/codec.h"
#include "services/app.h"
#include "services/audit.h"
#include "services/bids/bid.sql.h"
#include "services/bids/bid_row.rpc.h"
#include "services/caller.h"
#include "services/listings/draft.h"
#include "services/listings/service.sql.h"
#include "services/listings/views.h"
#include "services/notifications/notify.h"
#include "services/patch.h"

#include <string.h>

rpc_status listing_check_reader(struct rpc_call *call)
{
    if (call->caller.id != NULL || app_config()->public_browse)
        return RPC_SUCCESS;
    return rpc_fail_reason(call, RPC_UNAUTHENTICATED, "TOKEN_MISSING",
                           "sign in to see services");
}

rpc_status listing_read(struct db *db, const char *service_id,
                        Service **service)
{
    const struct rpc_call *call = db_call(db);
    return db_one(db, &service_by_id, service, db_text(call->caller.id),
                  db_bool(caller_is_admin(call)), db_text(service_id));
}

/* The kind that the caller asks for, or the only one they can post. */
static rpc_status pick_kind(struct rpc_call *call, ServiceKind *kind)
{
    bool seeks = caller_is(call, ROLE_SEEKER);
    bool provides = caller_is(call, ROLE_PROVIDER);
    if (*kind == SERVICE_KIND_UNSPECIFIED && seeks && provides)
        return rpc_fail_field(call, "kind",
                              "must be named by an account that both seeks "
                              "and provides");
    if (*kind == SERVICE_KIND_UNSPECIFIED)
        *kind = provides ? SERVICE_KIND_OFFERED : SERVICE_KIND_NEEDED;
    if (*kind == SERVICE_KIND_OFFERED ? provides : seeks)
        return RPC_SUCCESS;
    return rpc_fail_reason(call, RPC_PERMISSION_DENIED, "WRONG_KIND",
                           provides ? "your account only offers services"
                                    : "your account only needs services");
}

static rpc_status make_draft(struct rpc_call *call,
                             const CreateServiceRequest *req, Service **draft)
{
    *draft = (Service *)codec_new(call->arena, SERVICE_DESCRIPTOR);
    patch_fill(&req->base, &(*draft)->base);
    TRY(pick_kind(call, &(*draft)->kind));
    if (req->is_course && !caller_is(call, ROLE_PROVIDER))
        return rpc_fail_reason(call, RPC_PERMISSION_DENIED, "WRONG_KIND",
                               "only providers offer courses");
    draft_set_defaults(*draft);
    return draft_check(call, *draft);
}

/* Leaves *id at NULL when the caller has used this request_id before: then
 * another call has made, or is about to have made, this very service. */
static rpc_status insert_draft(struct db *tx, const CreateServiceRequest *req,
                               const Service *draft, const char *categories,
                               ServiceIdRow **id)
{
    struct rpc_call *call = db_call(tx);
    db_arg args[DRAFT_ARGS] = {
        db_text(call->caller.id),
        db_text_or_null(req->request_id),
        db_enum(SERVICE_KIND_DESCRIPTOR, draft->kind),
        db_bool(draft->is_course),
    };
    draft_args(call, draft, categories, args);
    return db_find_args(tx, &service_insert, id, args, DRAFT_ARGS);
}

static rpc_status link_categories(struct db *tx, const char *service_id,
                                  const Service *draft)
{
    return db_exec(tx, &service_link_categories, NULL,
                   db_text(db_call(tx)->caller.id), db_text(service_id),
                   db_texts(draft->category_ids, draft->n_category_ids));
}

rpc_status listing_create_service(struct rpc_call *call,
                                  const CreateServiceRequest *req,
                                  CreateServiceResponse *res)
{
    Service *draft;
    const char *categories;
    TRY(make_draft(call, req, &draft));
    TRY(draft_name_categories(call->db, draft, &categories));

    struct db *tx;
    ServiceIdRow *id;
    TRY(db_begin(call->db, &tx));
    TRY(insert_draft(tx, req, draft, categories, &id));
    if (id == NULL)
        TRY(db_one(tx, &service_by_request, &id, db_text(call->caller.id),
                   db_text(req->request_id)));
    else
        TRY(link_categories(tx, id->service_id, draft));
    TRY(listing_read(tx, id->service_id, &res->service));
    return db_commit(tx);
}

static rpc_status find_own_bid(struct rpc_call *call, const Service *service,
                               const char **bid_id)
{
    BidIdRow *bid;
    if (service->kind != SERVICE_KIND_NEEDED || !caller_is(call, ROLE_PROVIDER))
        return RPC_SUCCESS;
    TRY(db_find(call->db, &bid_last_of_provider, &bid,
                db_text(service->service_id), db_text(call->caller.id)));
    if (bid != NULL)
        *bid_id = bid->bid_id;
    return RPC_SUCCESS;
}

rpc_status listing_get_service(struct rpc_call *call,
                               const GetServiceRequest *req,
                               GetServiceResponse *res)
{
    TRY(listing_check_reader(call));
    TRY(listing_read(call->db, req->service_id, &res->service));
    if (call->caller.id == NULL ||
        strcmp(call->caller.id, res->service->owner->user_id) == 0)
        return RPC_SUCCESS;
    views_add(call, req->service_id);
    return find_own_bid(call, res->service, &res->own_bid_id);
}

rpc_status listing_lock(struct db *tx, const char *service_id,
                        ServiceLockRow **row)
{
    struct rpc_call *call = db_call(tx);
    TRY(db_find(tx, &service_lock, row, db_text(call->caller.id),
                db_text(service_id), db_bool(caller_is_admin(call))));
    if (*row == NULL)
        return rpc_fail(call, RPC_NOT_FOUND, "service not found");
    return RPC_SUCCESS;
}

rpc_status listing_check_active(struct rpc_call *call,
                                const ServiceLockRow *row)
{
    if (row->is_active)
        return RPC_SUCCESS;
    return rpc_fail_reason(call, RPC_FAILED_PRECONDITION, "SERVICE_NOT_ACTIVE",
                           "the service was deleted");
}

static rpc_status check_may_change(struct rpc_call *call,
                                   const ServiceLockRow *row,
                                   struct patch patch)
{
    if (!row->is_active)
        return rpc_fail_reason(call, RPC_FAILED_PRECONDITION,
                               "SERVICE_NOT_ACTIVE", "the service was deleted");
    if (row->status == SERVICE_STATUS_OPEN)
        return RPC_SUCCESS;
    if (row->status == SERVICE_STATUS_IN_PROGRESS &&
        patch_touches_only(patch, "description"))
        return RPC_SUCCESS;
    return rpc_fail_reason(call, RPC_FAILED_PRECONDITION, "SERVICE_NOT_OPEN",
                           row->status == SERVICE_STATUS_IN_PROGRESS
                               ? "while work is under way only the "
                                 "description can change"
                               : "the service is over");
}

static rpc_status write_draft(struct db *tx, const ServiceLockRow *row,
                              const Service *draft)
{
    struct rpc_call *call = db_call(tx);
    const char *categories;
    TRY(draft_check(call, draft));
    TRY(draft_name_categories(tx, draft, &categories));
    db_arg args[DRAFT_ARGS] = {
        db_text(call->caller.id),
        db_text(row->service_id),
        db_bool(caller_is_admin(call)),
        db_enum(SERVICE_KIND_DESCRIPTOR, row->kind),
    };
    draft_args(call, draft, categories, args);
    TRY(db_exec_args(tx, &service_update, NULL, args, DRAFT_ARGS));
    return link_categories(tx, row->service_id, draft);
}

/* Those who bid on other terms hear of it and may withdraw. */
static rpc_status tell_bidders(struct db *tx, const ServiceLockRow *row)
{
    struct rpc_call *call = db_call(tx);
    size_t count;
    ServiceBidderRow **bidders;
    if (row->kind != SERVICE_KIND_NEEDED)
        return RPC_SUCCESS;
    TRY(db_many(tx, &service_bidders, &count, &bidders,
                db_text(call->caller.id), db_text(row->service_id),
                db_bool(caller_is_admin(call))));
    for (size_t i = 0; i < count; i++)
        TRY(notify(tx, &(struct notice){.recipient_id = bidders[i]->provider_id,
                                        .type = NOTIFICATION_TYPE_TASK_UPDATE,
                                        .subject = row->title,
                                        .object_type = "Service",
                                        .object_id = row->service_id,
                                        .service_id = row->service_id,
                                        .sender_id = call->caller.id}));
    return RPC_SUCCESS;
}

/* An administrator's hand on somebody else's service is on record. */
static rpc_status record_update(struct db *tx, const ServiceLockRow *row)
{
    if (strcmp(row->owner_id, db_call(tx)->caller.id) == 0)
        return RPC_SUCCESS;
    return audit(tx, "service.updated", "Service", row->service_id, NULL);
}

rpc_status listing_update_service(struct rpc_call *call,
                                  const UpdateServiceRequest *req,
                                  UpdateServiceResponse *res)
{
    struct patch patch = {&req->base, req->update_mask};
    struct db *tx;
    ServiceLockRow *row;
    Service *service;
    TRY(patch_check(call, patch));
    TRY(db_begin(call->db, &tx));
    TRY(listing_lock(tx, req->service_id, &row));
    TRY(check_may_change(call, row, patch));
    TRY(listing_read(tx, req->service_id, &service));

    Service draft = *service;
    patch_apply(patch, &draft.base);
    draft_set_defaults(&draft);
    if (!codec_is_equal(call->arena, &service->base, &draft.base)) {
        TRY(write_draft(tx, row, &draft));
        TRY(tell_bidders(tx, row));
        TRY(record_update(tx, row));
    }
    TRY(listing_read(tx, req->service_id, &res->service));
    return db_commit(tx);
}
