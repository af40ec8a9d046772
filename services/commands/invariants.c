#include "services/commands/invariants.h"

#include "services/commands/check_ledger.h"
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

size_t invariants_count(void)
{
    size_t count = 0;
    while (invariants[count].sentence != NULL)
        count++;
    for (const struct ledger_rule *r = ledger_rules; r->name != NULL; r++)
        count++;
    return count;
}

/* What a look needs, and what it has found. */
struct look {
    struct db_admin *link;
    void (*tell)(const char *sentence, long long broken);
    char *error;
    size_t error_size;
    int broken;
};

static bool check_one(struct look *look, const char *sentence, const char *sql)
{
    char count[32];
    if (!db_admin_text(look->link, sql, NULL, count, sizeof count, look->error,
                       look->error_size))
        return false;
    long long found = atoll(count);
    look->tell(sentence, found);
    look->broken += found != 0;
    return true;
}

static bool check_all(struct look *look)
{
    static char sql[8192]; /* more than a frame takes */
    for (const struct invariant *i = invariants; i->sentence != NULL; i++)
        if (!check_one(look, i->sentence, i->query->sql))
            return false;
    for (const struct ledger_rule *r = ledger_rules; r->name != NULL; r++) {
        ledger_rule_sql(r, "count(*)", sql, sizeof sql);
        if (!check_one(look, r->name, sql))
            return false;
    }
    return true;
}

int invariants_check(struct db_admin *link,
                     void (*tell)(const char *sentence, long long broken),
                     char *error, size_t error_size)
{
    if (!db_admin_run(link, "begin isolation level repeatable read read only",
                      error, error_size))
        return -1;
    struct look look = {link, tell, error, error_size, 0};
    if (!check_all(&look) || !db_admin_run(link, "commit", error, error_size))
        return -1;
    return look.broken;
}
