#ifndef PRBAL_SERVICES_UUID_H
#define PRBAL_SERVICES_UUID_H

#include "rpc/arena.h"

/* A fresh UUIDv7 (RFC 9562) as text: what uuid7() makes in the database, for
 * ids that must be known before the row is written. */
char *uuid_create(struct arena *arena);

#endif
