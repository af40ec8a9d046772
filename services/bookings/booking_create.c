/* How bookings come to be: directly, or from an accepted bid. */
#include "services/app.h"
#include "services/audit.h"
#include "services/bids/bid.sql.h"
#include "services/bookings/booking.sql.h"
#include "services/bookings/bookings.h"
#include "services/caller.h"
#include "services/chat/chat.h"
#include "services/events/events.h"
#include "services/listings/service_lifecycle.sql.h"
#include "services/notifications/notify.h"
#include "services/time_text.h"

#include <string.h>

enum { BOOKING_MINUTES_MAX = 31 * 24 * 60 };

static db_arg minutes_before(void)
{
    return db_int(app_config()->booking_buffer_before_ms / 60000);
}

static db_arg minutes_after(void)
{
    return db_int(app_config()->booking_buffer_after_ms / 60000);
}

/* Without a gateway nobody can pay in advance: the two people see to it. */
static db_arg policy_override(void)
{
    return app_config()->payments == PAYMENTS_OFF ? db_text("OFFLINE")
                                                  : db_null();
}

static rpc_status read_booking(struct db *db, const char *booking_id,
                               Booking **booking)
{
    const struct rpc_call *call = db_call(db);
    return db_one(db, &booking_by_id, booking, db_text(booking_id),
                  db_text(call->caller.id), db_bool(caller_is_admin(call)));
}

/* The other side hears of a new booking: the provider of a direct one, both of
 * one that came from a bid, which nobody has to answer any more. */
static rpc_status tell_created(struct db *tx, const Booking *booking,
                               const UserSummary *to, const UserSummary *from)
{
    bool is_agreed = booking->origin == BOOKING_ORIGIN_BID;
    const char *agreed =
        arena_printf(db_call(tx)->arena, "You and %s have a booking for %s",
                     from->full_name, booking->service_title);
    return notify(tx,
                  &(struct notice){.recipient_id = to->user_id,
                                   .type = NOTIFICATION_TYPE_BOOKING_CREATED,
                                   .title = is_agreed ? "New booking" : NULL,
                                   .message = is_agreed ? agreed : NULL,
                                   .name = from->full_name,
                                   .sender_id = from->user_id,
                                   .subject = booking->service_title,
                                   .object_type = "Booking",
                                   .object_id = booking->booking_id,
                                   .service_id = booking->service_id,
                                   .bid_id = booking->bid_id});
}

static rpc_status open_room(struct db *tx, const Booking *booking)
{
    const char *bid_id = booking->bid_id;
    return chat_open_context_room(
        tx,
        &(struct chat_context){.title = booking->service_title,
                               .person_id = booking->seeker->user_id,
                               .other_id = booking->provider->user_id,
                               .service_id = booking->service_id,
                               .bid_id = bid_id[0] != '\0' ? bid_id : NULL,
                               .booking_id = booking->booking_id},
        NULL);
}

static rpc_status record_created(struct db *tx, const Booking *booking)
{
    const BookingStateRow row = {.booking_id = booking->booking_id,
                                 .service_id = booking->service_id,
                                 .seeker_id = booking->seeker->user_id,
                                 .provider_id = booking->provider->user_id,
                                 .start_time = booking->start_time};
    TRY(booking_record(tx, &row, booking->status, "CREATED", NULL));
    return open_room(tx, booking);
}

/* The time is gone: says so, with the provider's next free starts. */
static rpc_status slot_taken(struct rpc_call *call, const char *provider_id,
                             const Google__Protobuf__Timestamp *start,
                             int64_t minutes)
{
    size_t count = 0;
    FreeStartRow **free_starts;
    if (start != NULL)
        TRY(db_many(call->db, &booking_free_starts, &count, &free_starts,
                    db_text(provider_id), db_time(start), db_int(minutes),
                    minutes_before(), minutes_after()));
    rpc_status failed = rpc_fail_reason(
        call, RPC_ABORTED, "SLOT_TAKEN",
        "the provider is already booked at that time; choose another");
    for (size_t i = 0; i < count; i++)
        rpc_add_metadata(
            call, arena_printf(call->arena, "next_free_start_%zu", i + 1),
            time_text(call->arena, free_starts[i]->start_time));
    return failed;
}

/* Whether an insert failed on booking_slot_is_free; nothing else here makes
 * ABORTED that is not worth a retry. */
static bool lost_the_slot(struct rpc_call *call, rpc_status made)
{
    return made.code == RPC_ABORTED && !db_is_retryable(call, made);
}

/* ---- from a bid ---- */

rpc_status booking_create_from_bid(struct db *tx, const AcceptBidRequest *req,
                                   const BidPartyRow *bid, Booking **booking)
{
    struct rpc_call *call = db_call(tx);
    Bid *terms;
    TRY(db_one(tx, &bid_by_id, &terms, db_text(bid->bid_id),
               db_text(bid->seeker_id), db_bool(false)));
    if (req->start_time != NULL && terms->duration_minutes == 0)
        return rpc_fail_field(call, "start_time",
                              "the bid does not say how long the work takes: "
                              "agree on a time with its provider");

    BookingIdRow *id;
    rpc_status made =
        db_one(tx, &booking_insert_from_bid, &id, db_text(bid->bid_id),
               db_time(req->start_time), db_text(req->address),
               minutes_before(), db_int(app_config()->platform_fee_bps),
               minutes_after(), policy_override());
    if (lost_the_slot(call, made)) {
        db_rollback(tx);
        return slot_taken(call, bid->provider_id,
                          req->start_time != NULL ? req->start_time
                                                  : terms->scheduled_time,
                          terms->duration_minutes);
    }
    TRY(made);
    TRY(db_one(tx, &booking_by_id, booking, db_text(id->booking_id),
               db_text(bid->seeker_id), db_bool(false)));
    TRY(record_created(tx, *booking));
    TRY(tell_created(tx, *booking, (*booking)->provider, (*booking)->seeker));
    return tell_created(tx, *booking, (*booking)->seeker, (*booking)->provider);
}

rpc_status booking_read_of_bid(struct rpc_call *call, const char *bid_id,
                               Booking **booking)
{
    return db_one(call->db, &booking_of_bid, booking, db_text(bid_id),
                  db_text(call->caller.id), db_bool(caller_is_admin(call)));
}

/* ---- directly ---- */

static rpc_status not_open(struct rpc_call *call)
{
    return rpc_fail_reason(call, RPC_FAILED_PRECONDITION, "SERVICE_NOT_OPEN",
                           "the service is not open for bookings");
}

static rpc_status check_role(struct rpc_call *call, const BookingTargetRow *t)
{
    if (strcmp(t->owner_id, call->caller.id) == 0)
        return rpc_fail_reason(call, RPC_PERMISSION_DENIED, "OWN_SERVICE",
                               "you cannot book your own service");
    if (t->kind == SERVICE_KIND_NEEDED)
        return rpc_fail_reason(call, RPC_FAILED_PRECONDITION, "USE_BID",
                               "this service is asked for, not offered: bid "
                               "on it instead");
    if (t->is_course && !caller_is(call, ROLE_LEARNER))
        return rpc_fail_reason(call, RPC_PERMISSION_DENIED, "WRONG_ROLE",
                               "only learners can book courses");
    if (!t->is_course && !caller_is(call, ROLE_SEEKER))
        return rpc_fail_reason(call, RPC_PERMISSION_DENIED, "WRONG_ROLE",
                               "only seekers can book an offered service");
    return t->status == SERVICE_STATUS_OPEN ? RPC_SUCCESS : not_open(call);
}

static rpc_status check_hours(struct rpc_call *call, const BookingTargetRow *t,
                              int64_t minutes)
{
    if (t->min_hours > 0 && minutes < t->min_hours * 60L)
        return rpc_fail_field(call, "end_time",
                              "must be at least %d hours after start_time",
                              t->min_hours);
    if (t->max_hours > 0 && minutes > t->max_hours * 60L)
        return rpc_fail_field(call, "end_time",
                              "must be at most %d hours after start_time",
                              t->max_hours);
    return RPC_SUCCESS;
}

static rpc_status check_times(struct rpc_call *call,
                              const CreateBookingRequest *req,
                              const BookingTargetRow *target, int64_t *minutes)
{
    *minutes = 0;
    if (req->start_time == NULL && req->end_time == NULL)
        return RPC_SUCCESS;
    if (req->start_time == NULL || req->end_time == NULL)
        return rpc_fail_field(
            call, req->start_time == NULL ? "start_time" : "end_time",
            "start_time and end_time come together");
    int64_t seconds = req->end_time->seconds - req->start_time->seconds;
    *minutes = seconds / 60;
    if (seconds <= 0)
        return rpc_fail_field(call, "end_time", "must be after start_time");
    if (*minutes > BOOKING_MINUTES_MAX)
        return rpc_fail_field(call, "end_time",
                              "must be within 31 days of start_time");
    return check_hours(call, target, *minutes);
}

/* A booking that waits takes no time yet, but one that could not be accepted
 * need not be asked for. */
static rpc_status check_slot(struct rpc_call *call, struct db *db,
                             const CreateBookingRequest *req,
                             const BookingTargetRow *target, int64_t minutes)
{
    if (req->start_time == NULL)
        return RPC_SUCCESS;
    CountRow *taken;
    TRY(db_one(db, &booking_count_overlaps, &taken, db_text(target->owner_id),
               db_time(req->start_time), db_time(req->end_time),
               minutes_before(), minutes_after()));
    if (taken->count == 0)
        return RPC_SUCCESS;
    return slot_taken(call, target->owner_id, req->start_time, minutes);
}

static rpc_status insert_direct(struct db *tx, const CreateBookingRequest *req,
                                const BookingTargetRow *target,
                                BookingIdRow **id)
{
    const LatLng *at = req->coordinates;
    return db_find(tx, &booking_insert, id, db_text(req->service_id),
                   db_text(db_call(tx)->caller.id),
                   db_text(target->instant_book ? "CONFIRMED" : "PENDING"),
                   db_time(req->start_time), db_time(req->end_time),
                   minutes_before(), db_text_or_null(req->timezone),
                   db_text(req->full_name), db_text(req->linkedin_url),
                   db_text(req->notes), db_text(req->address),
                   at != NULL ? db_double(at->longitude) : db_null(),
                   at != NULL ? db_double(at->latitude) : db_null(),
                   db_int(app_config()->platform_fee_bps), minutes_after(),
                   policy_override(), db_text(req->pricing_option),
                   db_text_or_null(req->request_id));
}

/* What the first call with this request_id made; NULL when this is the first.
 */
static rpc_status find_twin(struct db *db, const CreateBookingRequest *req,
                            Booking **twin)
{
    *twin = NULL;
    if (req->request_id[0] == '\0')
        return RPC_SUCCESS;
    return db_find(db, &booking_of_request, twin,
                   db_text(db_call(db)->caller.id), db_text(req->request_id));
}

/* Nothing was inserted: a twin was faster, or the owner was. */
static rpc_status twin_or_closed(struct db *tx, const CreateBookingRequest *req,
                                 CreateBookingResponse *res)
{
    TRY(find_twin(tx, req, &res->booking));
    return res->booking != NULL ? db_commit(tx) : not_open(db_call(tx));
}

static rpc_status check_booking(struct rpc_call *call,
                                const CreateBookingRequest *req,
                                BookingTargetRow **target, int64_t *minutes)
{
    TRY(db_find(call->db, &booking_target, target, db_text(req->service_id),
                db_text(req->pricing_option)));
    if (*target == NULL)
        return rpc_fail(call, RPC_NOT_FOUND, "service not found");
    TRY(check_role(call, *target));
    if (!(*target)->has_option)
        return rpc_fail_field(call, "pricing_option",
                              "the service has no package \"%s\"",
                              req->pricing_option);
    TRY(check_times(call, req, *target, minutes));
    return check_slot(call, call->db, req, *target, *minutes);
}

rpc_status booking_create_booking(struct rpc_call *call,
                                  const CreateBookingRequest *req,
                                  CreateBookingResponse *res)
{
    BookingTargetRow *target;
    int64_t minutes = 0;
    TRY(find_twin(call->db, req, &res->booking));
    if (res->booking != NULL)
        return RPC_SUCCESS;
    TRY(check_booking(call, req, &target, &minutes));

    struct db *tx;
    TRY(db_begin(call->db, &tx));
    if (target->instant_book && req->start_time != NULL)
        TRY(db_exec(tx, &calendar_lock, NULL, db_text(target->owner_id)));
    BookingIdRow *id;
    rpc_status made = insert_direct(tx, req, target, &id);
    if (lost_the_slot(call, made)) {
        db_rollback(tx);
        return slot_taken(call, target->owner_id, req->start_time, minutes);
    }
    TRY(made);
    if (id == NULL)
        return twin_or_closed(tx, req, res);
    TRY(db_exec(tx, &service_count_booking, NULL, db_text(req->service_id)));
    TRY(read_booking(tx, id->booking_id, &res->booking));
    TRY(record_created(tx, res->booking));
    TRY(tell_created(tx, res->booking, res->booking->provider,
                     res->booking->seeker));
    TRY(audit(tx, "booking.created", "Booking", id->booking_id, NULL));
    return db_commit(tx);
}
