#ifndef PRBAL_SERVICES_EVENTS_USERS_H
#define PRBAL_SERVICES_EVENTS_USERS_H

#include <stddef.h>
#include <stdint.h>

/* A hash table of users, by id.  What is kept of each begins with a struct
 * user_entry; the table owns nothing but its buckets. */
enum { USER_ID_SIZE = 37 }; /* a uuid as text, with its NUL */

struct user_entry {
    struct user_entry *next;
    uint32_t hash;
    char user_id[USER_ID_SIZE];
};

struct user_table {
    struct user_entry **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t count;
};

uint32_t user_hash(const char *user_id);

/* NULL when the user is not there. */
struct user_entry *user_find(const struct user_table *table,
                             const char *user_id);

/* The user must not be there yet.  Fills `entry`. */
void user_insert(struct user_table *table, struct user_entry *entry,
                 const char *user_id);
void user_remove(struct user_table *table, struct user_entry *entry);

/* Frees the buckets only. */
void user_table_finish(struct user_table *table);

#endif
