#ifndef PRBAL_SERVICES_SEED_SEED_H
#define PRBAL_SERVICES_SEED_SEED_H

#include <stdbool.h>
#include <stddef.h>

/* Data to begin with.
 *
 *   base  categories; every installation needs them
 *   demo  people, services, bids, bookings, rooms and messages around Cairo,
 *         Alexandria, Giza and Aswan, for development
 *
 * Both can be repeated: what is there stays as it is.  The same number gives
 * the same people, prices and places. */
enum { SEED_NUMBER = 42 };

/* All demo accounts have this password. */
#define SEED_DEMO_PASSWORD "prbal-demo-2024"
#define SEED_DEMO_EMAIL "seeker1@demo.prbal.test"

struct seed_result {
    int account_count, service_count, bid_count, booking_count, message_count;
};

/* Blocking; for start-up and `prbald seed`.  Without `demo` only the base set.
 * False with a sentence in error[error_size]; nothing is half done then. */
bool seed(const char *url, int number, bool demo, struct seed_result *result,
          char *error, size_t error_size);

/* Both sets when no account exists yet, else nothing and a result of zeros. */
bool seed_if_empty(const char *url, struct seed_result *result, char *error,
                   size_t error_size);

#endif
