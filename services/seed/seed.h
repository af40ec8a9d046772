#ifndef PRBAL_SERVICES_SEED_SEED_H
#define PRBAL_SERVICES_SEED_SEED_H

#include <stdbool.h>
#include <stddef.h>

/* Demo data for development: 101 people around Cairo, Alexandria, Giza and
 * Aswan, 200 services, bids, bookings, rooms and notifications
 * (services/seed/sets/demo.sql).  What every installation needs, such as the
 * categories, comes with the migrations.
 *
 * It can be repeated: what is there stays as it is.  The same number gives the
 * same people, prices and places; times are relative to today. */
enum { SEED_NUMBER = 42 };

/* All demo accounts have this password; their addresses are
 * {seeker,provider,both}N@demo.prbal.test and admin@demo.prbal.test. */
#define SEED_DEMO_PASSWORD "prbal-demo-42"
#define SEED_DEMO_EMAIL "seeker1@demo.prbal.test"

struct seed_result {
    int account_count, service_count, bid_count, booking_count, message_count;
};

/* Blocking; for start-up and `prbald seed`.  False with a sentence in
 * error[error_size]; nothing is half done then. */
bool seed_demo(const char *url, int number, struct seed_result *result,
               char *error, size_t error_size);

/* The same when no account exists yet, else nothing and a result of zeros. */
bool seed_demo_if_empty(const char *url, struct seed_result *result,
                        char *error, size_t error_size);

#endif
