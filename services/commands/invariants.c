#include "services/commands/invariants.h"

#include "services/commands/invariant.sql.h"

#include <stdlib.h>

const struct invariant invariants[] = {
    {"no provider is booked twice at a time", &invariant_calendar},
    {"each accepted bid has its booking", &invariant_bid_bookings},
    {"no service has two accepted bids", &invariant_one_winner},
    {"each booking's timeline begins with its creation", &invariant_timelines},
    {"each user's event log has no gap", &invariant_event_logs},
    {"each room's messages are numbered without a gap", &invariant_rooms},
    {"nobody has read what was not written", &invariant_read_marks},
    {"no refresh token succeeds itself", &invariant_sign_ins},
    {NULL, NULL},
};

static int check_all(struct db_admin *link,
                     void (*tell)(const char *sentence, long long broken),
                     char *error, size_t error_size)
{
    int broken = 0;
    for (const struct invariant *i = invariants; i->sentence != NULL; i++) {
        char count[32];
        if (!db_admin_text(link, i->query->sql, NULL, count, sizeof count,
                           error, error_size))
            return -1;
        long long found = atoll(count);
        tell(i->sentence, found);
        broken += found != 0;
    }
    return broken;
}

int invariants_check(struct db_admin *link,
                     void (*tell)(const char *sentence, long long broken),
                     char *error, size_t error_size)
{
    if (!db_admin_run(link, "begin isolation level repeatable read read only",
                      error, error_size))
        return -1;
    int broken = check_all(link, tell, error, error_size);
    if (broken >= 0 && !db_admin_run(link, "commit", error, error_size))
        return -1;
    return broken;
}
