#ifndef PRBAL_SERVICES_AUTH_ID_SET_H
#define PRBAL_SERVICES_AUTH_ID_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A set of uuids, each of which is forgotten at its own time.  Belongs to one
 * thread; suspends nowhere.  It grows with what is in it: 24 bytes and a half
 * for each. */
struct id_set;

struct id_set *id_set_create(void);
void id_set_destroy(struct id_set *set); /* accepts NULL */

/* True when the id is new, or was forgotten.  A text that is no uuid is never
 * in a set. */
bool id_set_add(struct id_set *set, const char *id, int64_t forget_us,
                int64_t now_us);
bool id_set_has(const struct id_set *set, const char *id, int64_t now_us);
void id_set_remove(struct id_set *set, const char *id);

/* How many there are, the forgotten ones not yet cleared included. */
size_t id_set_count(const struct id_set *set);

#endif
