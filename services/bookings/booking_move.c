/* Bookings on their way: accepted, declined, started, completed, cancelled.
 * Every move is a row of booking_moves[] (booking_state.c) and goes through
 * move_booking(). */
#include "rpc/enum_name.h"
#include "services/audit.h"
#include "services/bids/bids.h"
#include "services/bookings/booking.sql.h"
#include "services/bookings/booking_state.h"
#include "services/bookings/bookings.h"
#include "services/caller.h"
#include "services/events/events.h"
#include "services/jobs/handlers.h"
#include "services/listings/service_lifecycle.sql.h"
#include "services/notifications/notify.h"
#include "services/users/profile_counters.sql.h"

#include <assert.h>
#include <string.h>

rpc_status booking_record(struct db *tx, const BookingStateRow *booking,
                          BookingStatus status, const char *timeline_type,
                          const char *note)
{
    struct rpc_call *call = db_call(tx);
    event_booking_updated(tx, booking->seeker_id, booking->booking_id,
                          booking->service_id, status);
    event_booking_updated(tx, booking->provider_id, booking->booking_id,
                          booking->service_id, status);
    if (status == BOOKING_STATUS_CONFIRMED)
        booking_plan_reminders(tx, booking);
    return db_exec(tx, &timeline_append, NULL, db_text(booking->booking_id),
                   db_text(timeline_type), db_text(call->caller.id),
                   db_text_or_null(note));
}

/* What a move is called, and whom it is news to. */
struct step {
    BookingStatus to;
    booking_actor by; /* PROVIDER or EITHER */
    const char *verb;
    const char *timeline_type;
    const char *audit_action;
    NotificationType notice;
};

static const struct step accept_step = {BOOKING_STATUS_CONFIRMED,
                                        BOOKING_BY_PROVIDER,
                                        "accept",
                                        "ACCEPTED",
                                        "booking.accepted",
                                        NOTIFICATION_TYPE_BOOKING_ACCEPTED};
static const struct step decline_step = {BOOKING_STATUS_DECLINED,
                                         BOOKING_BY_PROVIDER,
                                         "decline",
                                         "DECLINED",
                                         "booking.declined",
                                         NOTIFICATION_TYPE_BOOKING_DECLINED};
static const struct step start_step = {
    BOOKING_STATUS_IN_PROGRESS,
    BOOKING_BY_PROVIDER,
    "start",
    "STARTED",
    "booking.started",
    NOTIFICATION_TYPE_BOOKING_STATUS_CHANGED};
static const struct step complete_step = {BOOKING_STATUS_COMPLETED,
                                          BOOKING_BY_PROVIDER,
                                          "complete",
                                          "COMPLETED",
                                          "booking.completed",
                                          NOTIFICATION_TYPE_TASK_COMPLETED};
static const struct step cancel_step = {BOOKING_STATUS_CANCELLED,
                                        BOOKING_BY_EITHER,
                                        "cancel",
                                        "CANCELLED",
                                        "booking.cancelled",
                                        NOTIFICATION_TYPE_TASK_CANCELLED};
/* By the clock. */
static const struct step expire_step = {BOOKING_STATUS_CANCELLED,
                                        BOOKING_BY_SYSTEM,
                                        "expire",
                                        "CANCELLED",
                                        "booking.expired",
                                        NOTIFICATION_TYPE_TASK_CANCELLED};

static bool caller_is_provider(const struct rpc_call *call,
                               const BookingStateRow *booking)
{
    return strcmp(booking->provider_id, call->caller.id) == 0;
}

/* Whether the caller may take this step at all, whatever the state is. */
static rpc_status check_actor(struct rpc_call *call,
                              const BookingStateRow *booking,
                              const struct step *step)
{
    if (step->by == BOOKING_BY_EITHER || caller_is_admin(call) ||
        caller_is_provider(call, booking))
        return RPC_SUCCESS;
    return rpc_fail_reason(call, RPC_PERMISSION_DENIED, "NOT_THE_PROVIDER",
                           "only the provider can %s this booking", step->verb);
}

static rpc_status check_state(struct rpc_call *call,
                              const BookingStateRow *booking,
                              const struct step *step)
{
    if (!booking_can_move(booking->status, step->to, booking->origin, step->by))
        return rpc_fail_reason(
            call, RPC_FAILED_PRECONDITION, "WRONG_STATE",
            "cannot %s a booking that is %s: it would "
            "become %s",
            step->verb, enum_name(BOOKING_STATUS_DESCRIPTOR, booking->status),
            enum_name(BOOKING_STATUS_DESCRIPTOR, step->to));
    bool must_be_paid = step->to == BOOKING_STATUS_IN_PROGRESS &&
                        booking->payment_policy == PAYMENT_POLICY_PREPAY;
    bool is_paid = booking->payment_status == PAYMENT_STATUS_HELD ||
                   booking->payment_status == PAYMENT_STATUS_PAID;
    if (must_be_paid && !is_paid)
        return rpc_fail_reason(call, RPC_FAILED_PRECONDITION,
                               "PAYMENT_REQUIRED",
                               "this booking is paid in advance: it can start "
                               "once it is paid");
    return RPC_SUCCESS;
}

/* A learner is told what comes next: groups are filled by hand. */
static const char *message_of(struct arena *arena,
                              const BookingStateRow *booking,
                              const struct step *step)
{
    if (step != &accept_step || booking->origin != BOOKING_ORIGIN_COURSE)
        return NULL;
    return arena_printf(arena,
                        "Your booking for %s has been confirmed. The teacher "
                        "will add you to the course's group",
                        booking->service_title);
}

/* Everybody but the one who moved it hears of it. */
static rpc_status tell_others(struct db *tx, const BookingStateRow *booking,
                              const struct step *step)
{
    const struct rpc_call *call = db_call(tx);
    const char *people[] = {booking->seeker_id, booking->provider_id};
    for (size_t i = 0; i < 2; i++)
        TRY(notify(tx,
                   &(struct notice){
                       .recipient_id = people[i],
                       .type = step->notice,
                       .message = message_of(call->arena, booking, step),
                       .subject = booking->service_title,
                       .text = enum_name(BOOKING_STATUS_DESCRIPTOR, step->to),
                       .object_type = "Booking",
                       .object_id = booking->booking_id,
                       .service_id = booking->service_id,
                       .bid_id = booking->bid_id,
                       .sender_id = call->caller.id}));
    return RPC_SUCCESS;
}

/* The bid and the NEEDED service that a booking came from end with it. */
static rpc_status finish_origin(struct db *tx, const BookingStateRow *booking,
                                BookingStatus to)
{
    if (to == BOOKING_STATUS_COMPLETED)
        TRY(db_exec(tx, &profile_count_booking, NULL,
                    db_text(booking->provider_id)));
    if (booking->origin != BOOKING_ORIGIN_BID)
        return RPC_SUCCESS;
    if (to == BOOKING_STATUS_COMPLETED) {
        TRY(db_exec(tx, &service_complete, NULL, db_text(booking->service_id)));
        return bid_end(tx, booking->bid_id, BID_STATUS_COMPLETED);
    }
    TRY(db_exec(tx, &service_reopen, NULL, db_text(booking->service_id)));
    return bid_end(tx, booking->bid_id, BID_STATUS_CANCELLED);
}

static rpc_status write_move(struct db *tx, const BookingStateRow *booking,
                             BookingStatus to, const char *note)
{
    int64_t moved;
    TRY(db_exec(tx, &booking_move, &moved, db_text(booking->booking_id),
                db_enum(BOOKING_STATUS_DESCRIPTOR, (int)booking->status),
                db_enum(BOOKING_STATUS_DESCRIPTOR, (int)to),
                db_text(db_call(tx)->caller.id), db_text(note)));
    assert(moved == 1); /* its row is locked */
    return RPC_SUCCESS;
}

/* A move that is allowed, with all that follows from it. */
static rpc_status take_step(struct db *tx, const BookingStateRow *booking,
                            const struct step *step, const char *note)
{
    TRY(write_move(tx, booking, step->to, note));
    TRY(booking_record(tx, booking, step->to, step->timeline_type, note));
    if (booking_is_final(step->to))
        TRY(finish_origin(tx, booking, step->to));
    TRY(tell_others(tx, booking, step));
    return audit(tx, step->audit_action, "Booking", booking->booking_id, NULL);
}

/* What is locked ahead of the booking, because others do so, too. */
static rpc_status lock_ahead(struct db *tx, const char *booking_id,
                             BookingStatus to)
{
    const struct rpc_call *call = db_call(tx);
    const struct db_query *lock = NULL;
    if (to == BOOKING_STATUS_CONFIRMED)
        lock = &calendar_lock_of_booking;
    else if (booking_is_final(to))
        lock = &booking_lock_service;
    if (lock == NULL)
        return RPC_SUCCESS;
    return db_exec(tx, lock, NULL, db_text(booking_id),
                   db_text(call->caller.id), db_bool(caller_is_admin(call)));
}

/* The one way in which a booking changes its state.  The row is locked and the
 * update compares and sets, so of two moves at once the second sees the first.
 */
static rpc_status move_booking(struct rpc_call *call, const char *booking_id,
                               const struct step *step, const char *note,
                               Booking **result)
{
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    TRY(lock_ahead(tx, booking_id, step->to));
    BookingStateRow *booking;
    TRY(db_one(tx, &booking_lock, &booking, db_text(booking_id),
               db_text(call->caller.id), db_bool(caller_is_admin(call))));
    TRY(check_actor(call, booking, step));
    if (booking->status != step->to) {
        TRY(check_state(call, booking, step));
        TRY(take_step(tx, booking, step, note));
    }
    TRY(db_one(tx, &booking_by_id, result, db_text(booking_id),
               db_text(call->caller.id), db_bool(caller_is_admin(call))));
    return db_commit(tx);
}

rpc_status booking_accept_booking(struct rpc_call *call,
                                  const AcceptBookingRequest *req,
                                  AcceptBookingResponse *res)
{
    return move_booking(call, req->booking_id, &accept_step, "", &res->booking);
}

rpc_status booking_decline_booking(struct rpc_call *call,
                                   const DeclineBookingRequest *req,
                                   DeclineBookingResponse *res)
{
    return move_booking(call, req->booking_id, &decline_step, req->reason,
                        &res->booking);
}

rpc_status booking_start_booking(struct rpc_call *call,
                                 const StartBookingRequest *req,
                                 StartBookingResponse *res)
{
    return move_booking(call, req->booking_id, &start_step, "", &res->booking);
}

rpc_status booking_complete_booking(struct rpc_call *call,
                                    const CompleteBookingRequest *req,
                                    CompleteBookingResponse *res)
{
    return move_booking(call, req->booking_id, &complete_step, req->note,
                        &res->booking);
}

rpc_status booking_cancel_booking(struct rpc_call *call,
                                  const CancelBookingRequest *req,
                                  CancelBookingResponse *res)
{
    return move_booking(call, req->booking_id, &cancel_step, req->reason,
                        &res->booking);
}

/* ---- for other domains ---- */

rpc_status bookings_any_live(struct db *db, const char *service_id, bool *any)
{
    CountRow *live;
    TRY(db_one(db, &booking_count_live_of_service, &live, db_text(service_id)));
    *any = live->count > 0;
    return RPC_SUCCESS;
}

rpc_status bookings_decline_pending(struct db *tx, const char *service_id,
                                    const char *reason)
{
    size_t count;
    BookingStateRow **pending;
    TRY(db_many(tx, &bookings_lock_pending_of_service, &count, &pending,
                db_text(service_id)));
    for (size_t i = 0; i < count; i++)
        TRY(take_step(tx, pending[i], &decline_step, reason));
    return RPC_SUCCESS;
}

/* ---- by the clock ---- */

rpc_status booking_expire_overdue(struct db *tx, struct job_run *run)
{
    enum { BOOKINGS_A_BITE = 50, PAUSE_MS = 50 };
    size_t count;
    BookingStateRow **overdue;
    TRY(db_many(tx, &bookings_lock_overdue, &count, &overdue,
                db_int(BOOKINGS_A_BITE)));
    for (size_t i = 0; i < count; i++)
        TRY(take_step(tx, overdue[i], &expire_step,
                      "It was not confirmed in time."));
    if (count == BOOKINGS_A_BITE)
        run->again_after_ms = PAUSE_MS;
    return RPC_SUCCESS;
}
