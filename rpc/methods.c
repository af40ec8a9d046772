#include "rpc/methods.h"

#include "rpc/hash.h"
#include "rpc/read_mask.h"

#include <stdlib.h>
#include <string.h>

/* Open addressing, at most half full. */
struct method_table {
    size_t mask;
    size_t count;
    struct method_entry entries[];
};

static struct method_entry *find_place(struct method_table *table,
                                       uint64_t hash, const char *path,
                                       size_t size)
{
    for (size_t i = hash & table->mask;; i = (i + 1) & table->mask) {
        struct method_entry *e = &table->entries[i];
        if (e->method == NULL)
            return e;
        if (e->hash == hash && e->path_size == size &&
            memcmp(e->method->path, path, size) == 0)
            return e;
    }
}

static void add_service(struct method_table *table,
                        const struct rpc_service *service)
{
    for (size_t i = 0; i < service->method_count; i++) {
        const struct rpc_method *method = &service->methods[i];
        size_t size = strlen(method->path);
        uint64_t hash = hash_bytes(method->path, size);
        struct method_entry *e = find_place(table, hash, method->path, size);
        if (e->method != NULL)
            continue;
        *e = (struct method_entry){method,
                                   service,
                                   table->count++,
                                   size,
                                   hash,
                                   observe_method(method->path + 1),
                                   read_mask_field(method->request)};
    }
}

struct method_table *method_table_create(
    const struct rpc_service *const *services, size_t count)
{
    size_t method_count = 0;
    for (size_t i = 0; i < count; i++)
        method_count += services[i]->method_count;
    size_t size = 16;
    while (size < 2 * method_count)
        size *= 2;
    struct method_table *table =
        calloc(1, sizeof *table + size * sizeof table->entries[0]);
    if (table == NULL)
        abort();
    table->mask = size - 1;
    for (size_t i = 0; i < count; i++)
        add_service(table, services[i]);
    return table;
}

void method_table_destroy(struct method_table *table)
{
    free(table);
}

size_t method_table_count(const struct method_table *table)
{
    return table->count;
}

const struct method_entry *method_table_find(const struct method_table *table,
                                             const char *path, size_t size)
{
    const struct method_entry *e = find_place(
        (struct method_table *)table, hash_bytes(path, size), path, size);
    return e->method == NULL ? NULL : e;
}
