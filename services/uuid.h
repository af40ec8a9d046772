#ifndef PRBAL_SERVICES_UUID_H
#define PRBAL_SERVICES_UUID_H

#include "rpc/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum { UUID_BYTES = 16, UUID_CHARS = 36 };

/* A fresh UUIDv7 (RFC 9562) as text: what uuid7() makes in the database, for
 * ids that must be known before the row is written. */
char *uuid_create(struct arena *arena);

/* "01890000-0000-7000-8000-000000000001", in lower case. */
char *uuid_text(struct arena *arena, const uint8_t bytes[UUID_BYTES]);

/* False for a text that is not of this shape; either case will do. */
bool uuid_parse(const char *text, uint8_t bytes[UUID_BYTES]);

#endif
