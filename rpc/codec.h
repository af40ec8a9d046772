#ifndef PRBAL_RPC_CODEC_H
#define PRBAL_RPC_CODEC_H

#include "rpc/arena.h"
#include "rpc/status.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

/* Protobuf wire format to and from protobuf-c's structs, by protobuf-c's
 * public descriptors.  protobuf_c_message_unpack() never sees network input:
 * it recurses without a limit, accepts invalid UTF-8 and cuts strings at NUL.
 *
 * Limits, each enforced in rpc/decode.c:
 *   depth 100; memory at most max(1 MiB, 16 x input); UTF-8 checked; NUL in a
 *   string refused; unknown fields skipped (groups too, within the depth);
 *   a singular message field that comes twice is merged, in linear time. */
enum { CODEC_DEPTH_MAX = 100 };

struct codec_error {
    char text[160]; /* what is wrong and in which field, for a person */
};

/* A message in `arena`, or NULL with `error` filled.  Strings and bytes are
 * copied into the arena: `bytes` may go.  They may be NULL when there are none.
 */
ProtobufCMessage *codec_decode(struct arena *arena,
                               const ProtobufCMessageDescriptor *type,
                               const void *bytes, size_t size,
                               struct codec_error *error);

/* What is encoded or copied may nest deeper than what is decoded, because an
 * answer wraps what a request brought; deeper than this it is a programming
 * error. */
enum { CODEC_ENCODE_DEPTH_MAX = 2 * CODEC_DEPTH_MAX };

/* Exact encoded size, and the encoding into a buffer of that size. */
size_t codec_size(const ProtobufCMessage *message);
void codec_encode(const ProtobufCMessage *message, uint8_t *bytes);

/* The same for who has asked for the size already. */
void codec_write(const ProtobufCMessage *message, uint8_t *bytes, size_t size);

/* Without asking: the encoding, at the end of `room` bytes; NULL when it does
 * not leave one of them over. */
uint8_t *codec_write_end(const ProtobufCMessage *message, uint8_t *bytes,
                         size_t room);

/* Both in one step, in the arena. */
uint8_t *codec_pack(struct arena *arena, const ProtobufCMessage *message,
                    size_t *size);

/* A message with all fields at their defaults. */
ProtobufCMessage *codec_new(struct arena *arena,
                            const ProtobufCMessageDescriptor *type);

/* The same in zeroed memory of type->sizeof_message bytes.  A type that was
 * made at run time, from a descriptor, has no message_init: its fields start as
 * zero, and texts as their default_value. */
void codec_init(const ProtobufCMessageDescriptor *type,
                ProtobufCMessage *message);

/* A deep copy. */
ProtobufCMessage *codec_copy(struct arena *arena,
                             const ProtobufCMessage *message);

/* Whether two messages of one type say the same. */
int codec_is_equal(struct arena *arena, const ProtobufCMessage *one,
                   const ProtobufCMessage *other);

/* Reading by descriptor.  codec_is_set() is presence as the wire has it: a
 * proto3 optional, oneof member or message by its case or pointer; a plain
 * scalar when it is not its zero value; a repeated field when it has members.
 */
int codec_is_set(const ProtobufCMessage *message,
                 const ProtobufCFieldDescriptor *field);

/* Bytes that one member of a repeated field of this type takes in its array. */
size_t codec_element_size(ProtobufCType type);

#endif
