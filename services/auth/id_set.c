/* Open addressing with linear probing, at most half full.  A removed entry
 * stays as a forgotten one until the table is built anew. */
#include "services/auth/id_set.h"

#include "services/uuid.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 64, ID_BYTES = UUID_BYTES };

struct slot {
    uint8_t id[ID_BYTES];
    int64_t forget_us; /* 0: never used; below the time: forgotten */
};

struct id_set {
    struct slot *slots;
    size_t slot_count; /* a power of two */
    size_t used;       /* slots that were ever used */
};

static struct slot *slots_create(size_t count)
{
    struct slot *slots = calloc(count, sizeof *slots);
    if (slots == NULL)
        abort();
    return slots;
}

struct id_set *id_set_create(void)
{
    struct id_set *set = calloc(1, sizeof *set);
    if (set == NULL)
        abort();
    set->slots = slots_create(SLOTS_MIN);
    set->slot_count = SLOTS_MIN;
    return set;
}

void id_set_destroy(struct id_set *set)
{
    if (set == NULL)
        return;
    free(set->slots);
    free(set);
}

/* The slot of the id, or the free one where it belongs.  The last eight bytes
 * of a UUIDv7 are random. */
static struct slot *find(const struct id_set *set, const uint8_t *id)
{
    uint64_t hash;
    memcpy(&hash, id + 8, sizeof hash);
    hash *= 0x9E3779B97F4A7C15u;
    for (size_t i = hash >> 32;; i++) {
        struct slot *slot = &set->slots[i & (set->slot_count - 1)];
        if (slot->forget_us == 0 || memcmp(slot->id, id, ID_BYTES) == 0)
            return slot;
    }
}

/* Leaves the forgotten ones out, and takes the size that the rest need. */
static void rebuild(struct id_set *set, int64_t now_us)
{
    struct slot *old = set->slots;
    size_t old_count = set->slot_count;
    size_t live = 0;
    for (size_t i = 0; i < old_count; i++)
        live += old[i].forget_us > now_us;
    set->slot_count = SLOTS_MIN;
    while (set->slot_count < live * 4)
        set->slot_count *= 2;
    set->slots = slots_create(set->slot_count);
    set->used = live;
    for (size_t i = 0; i < old_count; i++)
        if (old[i].forget_us > now_us)
            *find(set, old[i].id) = old[i];
    free(old);
}

bool id_set_add(struct id_set *set, const char *id, int64_t forget_us,
                int64_t now_us)
{
    uint8_t bytes[ID_BYTES];
    if (!uuid_parse(id, bytes))
        return false;
    if (set->used * 2 >= set->slot_count)
        rebuild(set, now_us);
    struct slot *slot = find(set, bytes);
    bool is_new = slot->forget_us <= now_us;
    set->used += slot->forget_us == 0;
    memcpy(slot->id, bytes, ID_BYTES);
    if (slot->forget_us < forget_us)
        slot->forget_us = forget_us;
    return is_new;
}

bool id_set_has(const struct id_set *set, const char *id, int64_t now_us)
{
    uint8_t bytes[ID_BYTES];
    return uuid_parse(id, bytes) && find(set, bytes)->forget_us > now_us;
}

void id_set_remove(struct id_set *set, const char *id)
{
    uint8_t bytes[ID_BYTES];
    if (!uuid_parse(id, bytes))
        return;
    struct slot *slot = find(set, bytes);
    if (slot->forget_us != 0)
        slot->forget_us = 1;
}

size_t id_set_count(const struct id_set *set)
{
    return set->used;
}
