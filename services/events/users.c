#include "services/events/users.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS_FIRST = 64 };

/* FNV-1a: ids are ours, so nobody chooses them to collide. */
uint32_t user_hash(const char *user_id)
{
    uint32_t hash = 2166136261u;
    for (; *user_id != '\0'; user_id++)
        hash = (hash ^ (uint8_t)*user_id) * 16777619u;
    return hash;
}

struct user_entry *user_find(const struct user_table *table,
                             const char *user_id)
{
    if (table->bucket_count == 0)
        return NULL;
    uint32_t hash = user_hash(user_id);
    struct user_entry *entry = table->buckets[hash & (table->bucket_count - 1)];
    while (entry != NULL &&
           (entry->hash != hash || strcmp(entry->user_id, user_id) != 0))
        entry = entry->next;
    return entry;
}

static void link_entry(struct user_table *table, struct user_entry *entry)
{
    struct user_entry **bucket =
        &table->buckets[entry->hash & (table->bucket_count - 1)];
    entry->next = *bucket;
    *bucket = entry;
}

static void grow(struct user_table *table)
{
    struct user_table old = *table;
    table->bucket_count =
        old.bucket_count == 0 ? BUCKETS_FIRST : 2 * old.bucket_count;
    table->buckets = calloc(table->bucket_count, sizeof *table->buckets);
    assert(table->buckets != NULL);
    for (size_t i = 0; i < old.bucket_count; i++) {
        struct user_entry *entry = old.buckets[i], *next;
        for (; entry != NULL; entry = next) {
            next = entry->next;
            link_entry(table, entry);
        }
    }
    free(old.buckets);
}

void user_insert(struct user_table *table, struct user_entry *entry,
                 const char *user_id)
{
    assert(strlen(user_id) < USER_ID_SIZE);
    if (table->count >= table->bucket_count)
        grow(table);
    snprintf(entry->user_id, sizeof entry->user_id, "%s", user_id);
    entry->hash = user_hash(user_id);
    link_entry(table, entry);
    table->count++;
}

void user_remove(struct user_table *table, struct user_entry *entry)
{
    struct user_entry **at =
        &table->buckets[entry->hash & (table->bucket_count - 1)];
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    table->count--;
}

void user_table_finish(struct user_table *table)
{
    free(table->buckets);
    *table = (struct user_table){0};
}
