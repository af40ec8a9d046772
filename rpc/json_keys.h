#ifndef PRBAL_RPC_JSON_KEYS_H
#define PRBAL_RPC_JSON_KEYS_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Telling a map's entries apart by their keys.  protobuf-c keeps maps as lists
 * of entries, in which a key may come twice. */

typedef ProtobufCMessage *const *json_entries;

/* Up to so many entries are compared one by one, more by a hash table. */
enum { JSON_KEYS_FEW = 8 };

bool json_keys_are_same(json_entries entries, size_t one, size_t other);

/* How large a table for `count` entries is: at least twice that. */
size_t json_keys_slots(size_t count);

/* Puts entry `at` into a table, which is zeroed at first; false when an entry
 * with its key is there. */
bool json_keys_insert(uint32_t *slots, size_t slot_count, json_entries entries,
                      size_t at);

#endif
