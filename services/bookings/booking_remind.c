/* Reminders, a day and an hour before a booking starts.  Whether that is still
 * ahead is for the database's clock to say: both are planned, and one whose
 * time was over when the booking was confirmed finds nothing to say. */
#include "services/bookings/booking.sql.h"
#include "services/bookings/bookings.h"
#include "services/jobs/handlers.h"
#include "services/notifications/notify.h"

#define HOUR_US (3600 * INT64_C(1000000))

static const int hours_before[] = {24, 1};

static int64_t wall_us(const Google__Protobuf__Timestamp *time)
{
    return time->seconds * 1000000 + time->nanos / 1000;
}

static void plan(struct db *tx, const BookingReminder *reminder)
{
    int64_t start_us = wall_us(reminder->start_time);
    int hours = reminder->hours_before;
    const char *key =
        arena_printf(db_call(tx)->arena, "%s %lld -%dh", reminder->booking_id,
                     (long long)start_us, hours);
    job_enqueue(tx, &(struct job){.kind = JOB_BOOKING_REMIND,
                                  .arguments = &reminder->base,
                                  .unique_key = key,
                                  .run_at_us = start_us - hours * HOUR_US});
}

void booking_plan_reminders(struct db *tx, const BookingStateRow *booking)
{
    if (booking->start_time == NULL)
        return;
    BookingReminder reminder = BOOKING_REMINDER_INIT;
    reminder.booking_id = booking->booking_id;
    reminder.start_time = booking->start_time;
    for (size_t i = 0; i < sizeof hours_before / sizeof *hours_before; i++) {
        reminder.hours_before = hours_before[i];
        plan(tx, &reminder);
    }
}

static rpc_status remind(struct db *tx, const BookingReminderRow *booking,
                         const char *recipient_id)
{
    struct arena *arena = db_call(tx)->arena;
    return notify(tx, &(struct notice){
                          .recipient_id = recipient_id,
                          .type = NOTIFICATION_TYPE_TASK_REMINDER,
                          .subject = booking->service_title,
                          .text = arena_printf(arena, "it starts on %s",
                                               booking->start_text),
                          .object_type = "Booking",
                          .object_id = booking->booking_id,
                          .service_id = booking->service_id,
                          .bid_id = booking->bid_id,
                      });
}

rpc_status booking_remind(struct db *tx, struct job_run *run)
{
    const BookingReminder *reminder = run->arguments;
    BookingReminderRow *booking;
    TRY(db_find(tx, &booking_to_remind, &booking, db_text(reminder->booking_id),
                db_time(reminder->start_time), db_int(reminder->hours_before)));
    if (booking == NULL)
        return RPC_SUCCESS;
    TRY(remind(tx, booking, booking->seeker_id));
    return remind(tx, booking, booking->provider_id);
}
