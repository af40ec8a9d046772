#ifndef PRBAL_RPC_JSON_NUMBER_H
#define PRBAL_RPC_JSON_NUMBER_H

#include "rpc/json_scan.h"

/* Numbers of JSON to and from those of C, exactly.  Pure functions. */

/* The whole number, as 1.0 and 1e2 are too; never by way of a double.  False
 * when it is none or lies outside. */
bool json_number_signed(const struct json_number *number, int64_t low,
                        int64_t high, int64_t *value);
bool json_number_unsigned(const struct json_number *number, uint64_t high,
                          uint64_t *value);

/* The nearest one; false when that is infinity.  `text` is the number's with a
 * NUL behind it, or NULL: then false also means that the text is needed. */
bool json_number_double(const struct json_number *number, const char *text,
                        double *value);
bool json_number_float(const struct json_number *number, const char *text,
                       float *value);

/* Return the size of the text; `to` has room for JSON_NUMBER_MAX.  Reals are
 * finite, and get the shortest text that is read as the same number. */
enum { JSON_NUMBER_MAX = 32 };
size_t json_put_unsigned(char *to, uint64_t value);
size_t json_put_signed(char *to, int64_t value);
size_t json_put_double(char *to, double value);
size_t json_put_float(char *to, float value);

#endif
