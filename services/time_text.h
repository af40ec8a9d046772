#ifndef PRBAL_SERVICES_TIME_TEXT_H
#define PRBAL_SERVICES_TIME_TEXT_H

#include "rpc/arena.h"

#include <google/protobuf/timestamp.pb-c.h>

/* RFC 3339 in UTC, to the second: "2026-03-01T14:30:00Z".  In `arena`. */
char *time_text(struct arena *arena, const Google__Protobuf__Timestamp *time);

#endif
