#ifndef PRBAL_RPC_CIVIL_H
#define PRBAL_RPC_CIVIL_H

#include <stdint.h>

/* Proleptic Gregorian calendar, days since 1970-01-01. */
void civil_from_days(int64_t days, int64_t *year, int *month, int *day);
int64_t civil_to_days(int64_t year, int month, int day);

#endif
