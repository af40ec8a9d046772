#ifndef PRBAL_RPC_JSON_TABLE_H
#define PRBAL_RPC_JSON_TABLE_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

/* What JSON has to know of a message and protobuf-c's descriptors do not tell:
 * written by protoc-gen-prbal, walked by rpc/json_decode.c and
 * rpc/json_encode.c. */

/* How a message looks in JSON. */
enum json_kind {
    JSON_KIND_PLAIN, /* an object of its fields */
    JSON_KIND_MAP_ENTRY,
    JSON_KIND_ANY,
    JSON_KIND_TIMESTAMP,
    JSON_KIND_DURATION,
    JSON_KIND_FIELD_MASK,
    JSON_KIND_STRUCT,
    JSON_KIND_VALUE,
    JSON_KIND_LIST,
    JSON_KIND_WRAPPER, /* as its only field */
};

struct json_field {
    const char *label; /* "\"priceMinor\":", as it is written */
    uint16_t label_size;
    const struct json_message *message; /* NULL when it is none */
};

/* A name that the parser knows. */
struct json_name {
    const char *name;
    uint16_t field; /* index into the fields */
};

struct json_message {
    const ProtobufCMessageDescriptor *type;
    const struct json_field *fields; /* one for each of type->fields */
    /* JSON names and names of the .proto, each once: shorter ones first, and
     * by bytes among those of one length.  Those of a length begin at
     * by_size[length] and end where those of the next begin; no name is longer
     * than size_max. */
    const struct json_name *names;
    const uint16_t *by_size;
    uint16_t size_max;
    enum json_kind kind;
};

#endif
