#ifndef PRBAL_RPC_MEMORY_SHARE_H
#define PRBAL_RPC_MEMORY_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How much of a loop's memory budget each address holds, so that one of them
 * cannot take all of it from the others.  A share lives while a connection or a
 * call of its address does: a call may outlive its connection.  One loop's. */
struct memory_shares;
struct memory_share;

/* No address gets more than bytes_max. */
struct memory_shares *memory_shares_create(uint64_t bytes_max);
void memory_shares_destroy(struct memory_shares *shares); /* accepts NULL */

/* The share of peer_key(), held once more.  NULL for key 0: a Unix socket's
 * peers are ours.  All that follow accept NULL, which has no limit. */
struct memory_share *memory_share_open(struct memory_shares *shares,
                                       uint64_t key);
struct memory_share *memory_share_hold(struct memory_share *share);
void memory_share_release(struct memory_share *share);

/* False, and nothing taken, when that would be more than its part. */
bool memory_share_take(struct memory_share *share, size_t bytes);
void memory_share_give(struct memory_share *share, size_t bytes);

#endif
