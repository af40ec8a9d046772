#ifndef PRBAL_RPC_HASH_H
#define PRBAL_RPC_HASH_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-1-3 under a key drawn at start: peers cannot choose texts that
 * collide.  Differs from process to process. */
uint64_t hash_bytes(const void *bytes, size_t size);

/* Random bits, from a generator per thread that the system has seeded.  For
 * identifiers that must not collide; not for secrets. */
uint64_t hash_random(void);

#endif
