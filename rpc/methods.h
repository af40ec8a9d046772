#ifndef PRBAL_RPC_METHODS_H
#define PRBAL_RPC_METHODS_H

#include "rpc/method.h"
#include "rpc/observe.h"

/* All methods of a server by their paths.  A path is compared byte by byte and
 * never parsed or normalised: what is not exactly in the table does not exist.
 */
struct method_table;

struct method_entry {
    const struct rpc_method *method;
    const struct rpc_service *service;
    size_t index; /* counted from 0, without gaps */
    size_t path_size;
    uint64_t hash;
    struct method_numbers numbers;
    const ProtobufCFieldDescriptor *read_mask; /* rpc/read_mask.h */
};

/* A path that comes twice keeps its first row. */
struct method_table *method_table_create(
    const struct rpc_service *const *services, size_t count);
void method_table_destroy(struct method_table *table); /* accepts NULL */

/* How many methods it has. */
size_t method_table_count(const struct method_table *table);

/* NULL when there is no such method. */
const struct method_entry *method_table_find(const struct method_table *table,
                                             const char *path, size_t size);

#endif
