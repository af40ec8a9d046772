#ifndef PRBAL_DB_COLUMN_H
#define PRBAL_DB_COLUMN_H

#include "rpc/arena.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A value in PostgreSQL's binary format, or in JSON, into a field of a
 * protobuf-c struct. */
struct column_reader {
    struct arena *arena;
    const char *problem; /* set when a function answers false */
};

typedef bool (*column_read)(struct column_reader *reader,
                            const ProtobufCFieldDescriptor *field,
                            const char *bytes, size_t size, void *at);

/* What reads type `oid` into `field`, NULL when nothing does.  For a repeated
 * field it reads the whole array; `at` is then the message. */
column_read column_reader_for(uint32_t oid,
                              const ProtobufCFieldDescriptor *field);

/* The same for one value of any field, repeated or not. */
column_read column_reader_for_scalar(uint32_t oid,
                                     const ProtobufCFieldDescriptor *field);

/* Where the field's value is in `message`, after marking it as present. */
void *column_present(ProtobufCMessage *message,
                     const ProtobufCFieldDescriptor *field);

/* The message that `field` points at, made when it was not there. */
ProtobufCMessage *column_message(struct arena *arena, ProtobufCMessage *message,
                                 const ProtobufCFieldDescriptor *field);

/* A zeroed array of `count` elements behind a repeated field. */
void *column_array(struct arena *arena, ProtobufCMessage *message,
                   const ProtobufCFieldDescriptor *field, size_t count);
size_t column_element_size(const ProtobufCFieldDescriptor *field);

/* The value of an enum by its name with or without the enum's prefix. */
bool column_enum(struct column_reader *reader,
                 const ProtobufCEnumDescriptor *type, const char *name,
                 size_t size, int32_t *value);

/* RFC 3339, into a google.protobuf.Timestamp. */
bool column_rfc3339(struct column_reader *reader, const char *text,
                    ProtobufCMessage *timestamp);

/* JSON text into a message field or a repeated field of `message` (db/json.c);
 * at most JSON_DEPTH_MAX deep.  Keys without a field are skipped, so that an
 * older server reads documents of a newer one; null leaves a field unset. */
enum { JSON_DEPTH_MAX = 32 };
bool column_json(struct column_reader *reader,
                 const ProtobufCFieldDescriptor *field, const char *text,
                 size_t size, ProtobufCMessage *message);

bool column_is(const ProtobufCFieldDescriptor *field, const char *message);

#endif
