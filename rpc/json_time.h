#ifndef PRBAL_RPC_JSON_TIME_H
#define PRBAL_RPC_JSON_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The texts of google.protobuf.Timestamp and Duration.  Pure functions; the
 * ranges are protobuf's: years 1 to 9999, +-10,000 years. */

/* RFC 3339 with capital T and Z, any offset, at most nine digits of a second.
 */
bool json_time_read(const char *text, size_t size, int64_t *seconds,
                    int32_t *nanos);

/* "-1.5s" */
bool json_duration_read(const char *text, size_t size, int64_t *seconds,
                        int32_t *nanos);

/* Without quotes; `to` has room for JSON_TIME_MAX.  Returns the size, 0 when
 * the value lies outside. */
enum { JSON_TIME_MAX = 40 };
size_t json_time_write(char *to, int64_t seconds, int32_t nanos);
size_t json_duration_write(char *to, int64_t seconds, int32_t nanos);

#endif
