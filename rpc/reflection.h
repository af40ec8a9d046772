#ifndef PRBAL_RPC_REFLECTION_H
#define PRBAL_RPC_REFLECTION_H

#include "rpc/method.h"

/* An index over the .proto files of some registries, for the services
 * grpc.reflection.v1 and v1alpha.  Made once, then only read: any thread may.
 * It points into the registries, which must live longer. */
struct reflection;

struct reflection *reflection_create(
    const struct rpc_registry *const *registries);
void reflection_destroy(struct reflection *reflection); /* accepts NULL */

struct reflection_file {
    const char *name;     /* "prbal/v1/bid.proto" */
    const uint8_t *bytes; /* a serialized google.protobuf.FileDescriptorProto */
    size_t size;
    size_t import_count;
    const struct reflection_file **imports;
};

/* All of these return NULL when there is none. */
const struct reflection_file *reflection_file_named(
    const struct reflection *reflection, const char *name);

/* Which file defines a service, method, message, field, oneof, enum, enum
 * value or extension, by its full name without a leading dot. */
const struct reflection_file *reflection_file_with(
    const struct reflection *reflection, const char *symbol);

const struct reflection_file *reflection_file_extending(
    const struct reflection *reflection, const char *message, int32_t number);

/* Writes up to `room` numbers of extensions of a message; returns how many
 * there are. */
size_t reflection_extension_numbers(const struct reflection *reflection,
                                    const char *message, int32_t *numbers,
                                    size_t room);

/* Full names of all services of the registries, sorted. */
const char *const *reflection_services(const struct reflection *reflection,
                                       size_t *count);
size_t reflection_file_count(const struct reflection *reflection);

#endif
