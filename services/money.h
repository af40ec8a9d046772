#ifndef PRBAL_SERVICES_MONEY_H
#define PRBAL_SERVICES_MONEY_H

#include "prbal/v1/common.rpc.h"
#include "rpc/arena.h"
#include "rpc/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Money is an integer of the currency's smallest unit; how many of them make
 * one unit is ISO 4217's to say, and differs: 1 JPY, 100 USD, 1000 TND. */

/* Digits behind the point; -1 for a text that is no currency in use. */
int money_exponent(const char *currency);

/* `units` whole units in the smallest one: 10 TND is 10000.  The currency is
 * known, and units * 10^exponent fits. */
int64_t money_from_units(int64_t units, const char *currency);

/* "12.50 USD", "-0.005 TND", "7 JPY". */
char *money_format(struct arena *arena, const Money *money);

/* Reads "12", "12.5" or "-0.50" as an amount of `currency`.  False when it is
 * not a number, has more digits than the currency, or does not fit. */
bool money_parse(const char *text, const char *currency, int64_t *amount_minor);

/* Divides `total` (0 or more) as `weights` say, which are 0 or more and not all
 * 0, by largest remainder: each part is its share rounded down or up, and all
 * of them together are `total`.  Of equal remainders the first gets the unit.
 * At most MONEY_PARTS_MAX parts. */
enum { MONEY_PARTS_MAX = 64 };
void money_split(int64_t total, const int64_t *weights, size_t count,
                 int64_t *parts);

/* INVALID_ARGUMENT on `field`.currency when the currency is unknown. */
rpc_status money_check(struct rpc_call *call, const char *field,
                       const Money *money);

#endif
