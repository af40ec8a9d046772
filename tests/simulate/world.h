#ifndef PRBAL_TESTS_SIMULATE_WORLD_H
#define PRBAL_TESTS_SIMULATE_WORLD_H

#include "services/bids/bid_state.h"
#include "services/bookings/booking_state.h"
#include "services/payments/payment_state.h"
#include "tests/simulate/ledger_model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A small marketplace in memory, made of the server's own state machines and
 * the model of the ledger, with a gateway that loses answers, repeats itself
 * and speaks out of order.  A step is one random number; the same numbers make
 * the same world.  No clock, no file, no other process. */
enum {
    SEEKERS = 4,
    PROVIDERS = 3,
    SERVICES = 12,
    BIDS = 24,
    BOOKINGS = 16,
    OPERATIONS = 48,
    MAILS = 48,
    PAYOUTS = 8,
    SLOTS = 16,
    NOTE_CHARS = 160,
};

/* Accounts of the ledger. */
enum {
    CLEARING = 1,
    FEE = 2,
    PAYOUT = 3,
    KEPT = 4, /* + provider: protected money */
    AVAILABLE = KEPT + PROVIDERS,
};

/* What is asked of the machines.  Tests plant a mistake by replacing one. */
struct rules {
    bool (*bid_can_move)(BidStatus, BidStatus, bid_actor);
    bool (*booking_can_move)(BookingStatus, BookingStatus, BookingOrigin,
                             booking_actor);
    bool (*booking_holds_slot)(BookingStatus);
    bool (*operation_can_move)(OperationState, OperationState);
    bool (*start_refund)(struct payment *, int64_t, payment_actor);
    bool (*release)(struct payment *, payment_actor);
    bool (*cancel)(struct payment *, payment_actor);
    bool silence_is_failure;
    bool gateway_key_changes; /* a retry is another request to the gateway */
};
extern const struct rules sound_rules;

struct service {
    bool used, open;
};
struct bid {
    bool used;
    int service, provider;
    int64_t amount;
    BidStatus status;
};
struct booking {
    bool used;
    int bid, provider, start, end;
    BookingStatus status;
    bool has_payment, protect;
    struct payment payment;
};
/* A call to the gateway, in our books and in its own. */
struct operation {
    bool used, is_refund;
    int booking;
    uint32_t number;   /* the idempotency key */
    uint32_t transfer; /* of the ledger, once it succeeds */
    uint32_t hold;     /* of a refund: what keeps the money until then */
    int64_t amount;
    OperationState state;
    bool seen, done; /* by the gateway; and whether it did it */
};
struct mail {
    bool used, in_memory, success;
    uint32_t number;
};
struct payout {
    bool used;
    uint32_t hold;
};

struct world {
    struct rules rules;
    struct service services[SERVICES];
    struct bid bids[BIDS];
    struct booking bookings[BOOKINGS];
    struct operation operations[OPERATIONS];
    struct mail mails[MAILS];
    struct payout payouts[PAYOUTS];
    struct model ledger;
    struct model_request last; /* to be asked again */
    int64_t now;
    uint32_t next_number, next_transfer;
    int64_t gateway_has;   /* what it has taken less what it gave back */
    int64_t gateway_known; /* as far as our books know */
    uint64_t moves;        /* steps that changed something */
    bool verbose;
    char note[NOTE_CHARS]; /* what the last step was, when verbose */
};

void world_init(struct world *world, const struct rules *rules);
void world_finish(struct world *world);

/* One step; a sentence when something is broken after it, else NULL.  `before`
 * becomes the world as it was. */
const char *world_step(struct world *world, struct world *before,
                       uint64_t choice);

/* The same for the same steps, on every machine. */
uint64_t world_hash(const struct world *world);

/* The invariants alone. `before` is the world one step ago. */
const char *world_broken(const struct world *world, const struct world *before);

/* For the two files of steps. */
struct dice {
    uint64_t state;
};
unsigned roll(struct dice *dice, unsigned sides); /* 0 .. sides - 1 */
/* One that is in use of `count` rows of `size` bytes that begin with `bool
 * used`; -1 when none is. */
int pick(struct dice *dice, const void *rows, int count, size_t size);
#define PICK(dice, rows)                                          \
    pick((dice), (rows), (int)(sizeof(rows) / sizeof((rows)[0])), \
         sizeof((rows)[0]))
void note(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
LedgerOutcome book(struct world *world, const struct model_request *request);

/* Bids and bookings (world_deals.c); money (world_money.c). */
void step_deals(struct world *world, struct dice *dice);
void step_money(struct world *world, struct dice *dice);
bool money_can_forget(const struct world *world, int booking);
void money_forget(struct world *world, int booking);
/* What is left of a protected payment goes back. */
void money_refund(struct world *world, int booking, int64_t amount,
                  payment_actor by);

#endif
