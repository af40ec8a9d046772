/* Bookings as their participants read them. */
#include "rpc/read_mask.h"
#include "services/bookings/booking.sql.h"
#include "services/bookings/bookings.h"
#include "services/caller.h"
#include "services/listings/service.sql.h"
#include "services/page.h"
#include "services/users/user.sql.h"

#include <string.h>

enum {
    BOOKINGS_DEFAULT = 20,
    TIMELINE_DEFAULT = 20,
    TIMELINE_SHOWN_MAX = 100, /* by GetBooking */
    TOTAL_MAX = 1000,
};

/* The service may be gone, or the people: they are left out then. */
static rpc_status read_surroundings(struct rpc_call *call,
                                    const GetBookingRequest *req,
                                    GetBookingResponse *res)
{
    const Google__Protobuf__FieldMask *mask = req->read_mask;
    if (read_mask_wants(mask, "seeker"))
        TRY(db_find(call->db, &user_public, &res->seeker,
                    db_text(res->booking->seeker->user_id)));
    if (read_mask_wants(mask, "provider"))
        TRY(db_find(call->db, &user_public, &res->provider,
                    db_text(res->booking->provider->user_id)));
    if (read_mask_wants(mask, "service"))
        TRY(db_find(call->db, &service_by_id, &res->service,
                    db_text(call->caller.id), db_bool(caller_is_admin(call)),
                    db_text_or_null(res->booking->service_id)));
    return RPC_SUCCESS;
}

rpc_status booking_get_booking(struct rpc_call *call,
                               const GetBookingRequest *req,
                               GetBookingResponse *res)
{
    db_arg id = db_text(req->booking_id), me = db_text(call->caller.id);
    db_arg is_admin = db_bool(caller_is_admin(call));
    TRY(db_one(call->db, &booking_by_id, &res->booking, id, me, is_admin));
    TRY(read_surroundings(call, req, res));
    if (read_mask_wants(req->read_mask, "timeline"))
        TRY(db_many(call->db, &timeline_list, &res->n_timeline, &res->timeline,
                    id, me, is_admin, db_null(), db_null(),
                    db_int(TIMELINE_SHOWN_MAX)));
    if (read_mask_wants(req->read_mask, "other_side"))
        TRY(db_find(call->db, &booking_contact, &res->other_side, id, me));
    return RPC_SUCCESS;
}

/* A booking without a time sorts behind all others; the statements say the
 * same of it. */
static Google__Protobuf__Timestamp far_future = {
    .base = PROTOBUF_C_MESSAGE_INIT(&google__protobuf__timestamp__descriptor),
    .seconds = 253402214400, /* 9999-12-31 */
};
static Google__Protobuf__Timestamp long_past = {
    .base = PROTOBUF_C_MESSAGE_INIT(&google__protobuf__timestamp__descriptor),
    .seconds = 0, /* 1970-01-01 */
};

static const struct order {
    const char *name;
    const struct db_query *query;
    const Google__Protobuf__Timestamp *untimed; /* NULL: by creation time */
} orders[] = {
    {"", &bookings_newest_first, NULL},
    {"-create_time", &bookings_newest_first, NULL},
    {"create_time", &bookings_oldest_first, NULL},
    {"start_time", &bookings_soonest_first, &far_future},
    {"-start_time", &bookings_latest_first, &long_past},
};

/* NULL for an order that the .proto does not let through. */
static const struct order *find_order(const char *name)
{
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        if (strcmp(orders[i].name, name) == 0)
            return &orders[i];
    return NULL;
}

static const char *last_key(struct rpc_call *call, const struct order *order,
                            const Booking *last)
{
    if (order->untimed == NULL)
        return page_time_key(call, last->create_time);
    return page_time_key(call, last->start_time != NULL ? last->start_time
                                                        : order->untimed);
}

/* What lists and counts start with: booking_filter's arguments. */
enum { FILTER_ARGS = 8, LIST_ARGS = FILTER_ARGS + 3 };

static void filter_args(struct rpc_call *call, const ListBookingsRequest *req,
                        db_arg args[FILTER_ARGS])
{
    const db_arg filter[FILTER_ARGS] = {
        db_text(call->caller.id),
        db_bool(req->role != BOOKING_ROLE_SEEKER),
        db_bool(req->role != BOOKING_ROLE_PROVIDER),
        db_enums_or_all(call->arena, BOOKING_STATUS_DESCRIPTOR, req->statuses,
                        req->n_statuses),
        db_text_or_null(req->service_id),
        req->_is_course_case != 0 ? db_bool(req->is_course) : db_null(),
        db_time(req->from_time),
        db_time(req->to_time),
    };
    memcpy(args, filter, sizeof filter);
}

static rpc_status count_bookings(struct rpc_call *call, db_arg args[LIST_ARGS],
                                 int64_t *total)
{
    CountRow *row;
    args[FILTER_ARGS] = db_int(TOTAL_MAX);
    TRY(db_one_args(call->db, &bookings_count, &row, args, FILTER_ARGS + 1));
    *total = row->count;
    return RPC_SUCCESS;
}

rpc_status booking_list_bookings(struct rpc_call *call,
                                 const ListBookingsRequest *req,
                                 ListBookingsResponse *res)
{
    struct page page;
    TRY(page_open(call, &req->base, BOOKINGS_DEFAULT, &page));
    const struct order *order = find_order(req->order_by);
    if (order == NULL)
        return rpc_fail_field(call, "order_by", "\"%s\" is not an order",
                              req->order_by);
    db_arg args[LIST_ARGS];
    filter_args(call, req, args);
    TRY(count_bookings(call, args, &res->total_size));

    args[FILTER_ARGS] = page_time(&page, 0);
    args[FILTER_ARGS + 1] = page_text(&page, 1);
    args[FILTER_ARGS + 2] = page_limit(&page);
    TRY(db_many_args(call->db, order->query, &res->n_bookings, &res->bookings,
                     args, LIST_ARGS));
    if (page_cut(&page, &res->n_bookings)) {
        const Booking *last = res->bookings[res->n_bookings - 1];
        res->next_page_token = page_next(
            call, &page, last_key(call, order, last), last->booking_id);
    }
    return RPC_SUCCESS;
}

rpc_status booking_list_timeline_events(struct rpc_call *call,
                                        const ListTimelineEventsRequest *req,
                                        ListTimelineEventsResponse *res)
{
    struct page page;
    TRY(page_open(call, &req->base, TIMELINE_DEFAULT, &page));
    Booking *booking; /* a foreign one is NOT_FOUND, not an empty list */
    TRY(db_one(call->db, &booking_by_id, &booking, db_text(req->booking_id),
               db_text(call->caller.id), db_bool(caller_is_admin(call))));

    TRY(db_many(call->db, &timeline_list, &res->n_events, &res->events,
                db_text(req->booking_id), db_text(call->caller.id),
                db_bool(caller_is_admin(call)), page_time(&page, 0),
                page_text(&page, 1), page_limit(&page)));
    if (page_cut(&page, &res->n_events)) {
        const TimelineEvent *last = res->events[res->n_events - 1];
        res->next_page_token =
            page_next(call, &page, page_time_key(call, last->create_time),
                      last->timeline_event_id);
    }
    return RPC_SUCCESS;
}
