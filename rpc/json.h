#ifndef PRBAL_RPC_JSON_H
#define PRBAL_RPC_JSON_H

#include "rpc/arena.h"
#include "rpc/method.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

/* Canonical proto3 JSON (https://protobuf.dev/programming-guides/json/) to and
 * from protobuf-c's structs: the messages of rpc/codec.h in another dress.
 *
 * Both ways keep their state in the arena and never recurse, so nesting costs
 * no C stack; neither suspends.  The limits of codec_decode() hold here too
 * (depth 100, memory at most max(1 MiB, 16 x input), no NUL in a string): what
 * is decoded from JSON can be encoded for the wire, and decoded there.
 *
 * Where the specification leaves a choice, or implementations differ:
 *   unknown fields are skipped, so that an old server takes a new client;
 *   unknown names of enum values, duplicate fields and map keys, two members
 *   of a oneof are errors;
 *   null is an absent field, but no element of a list and no value of a map;
 *   text is RFC 8259 to the letter: no byte order mark, no trailing comma. */

/* Every message that JSON can speak of, with its names; google.protobuf.Any
 * finds its types here.  Made once, then only read: any thread may. */
struct json_types;

/* All messages of the registries (NULL ends the list), and the well-known
 * ones.  Ends the process when the generator's tables and protobuf-c's
 * descriptors do not fit. */
struct json_types *json_types_create(
    const struct rpc_registry *const *registries);
void json_types_destroy(struct json_types *types); /* accepts NULL */

/* What is wrong, where, for the person who wrote the text:
 * "items[3].price: expected a number (line 1, column 57)". */
struct json_error {
    char text[320];
};

/* An Any within an Any is packed into the outer one's bytes, and looked
 * through for its "@type" beforehand: each such level costs a pass over what
 * is inside. */
enum { JSON_ANY_DEPTH_MAX = 8 };

/* A message of this type in `arena`; false with `error` filled.  Nothing
 * points into `text` afterwards. */
bool json_decode(struct arena *arena, const struct json_types *types,
                 const ProtobufCMessageDescriptor *type, const char *text,
                 size_t size, ProtobufCMessage **message,
                 struct json_error *error);

/* Text in `arena`, with a NUL behind its `size` bytes.  False when the message
 * says what JSON cannot: a time out of range, text that is not UTF-8, an Any
 * of an unknown type, nesting beyond CODEC_ENCODE_DEPTH_MAX; *text is then a
 * sentence that says which, and *size its length. */
bool json_encode(struct arena *arena, const struct json_types *types,
                 const ProtobufCMessage *message, char **text, size_t *size);

#endif
