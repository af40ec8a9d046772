#ifndef PRBAL_RPC_JSON_READER_H
#define PRBAL_RPC_JSON_READER_H

#include "rpc/codec_memory.h"
#include "rpc/json_scan.h"
#include "rpc/json_types.h"

/* What the files of json_decode() share: the text, where in it and in the
 * message we are, and what may still be allocated. */

typedef ProtobufCFieldDescriptor field_type;

enum json_frame_kind {
    JSON_FRAME_OBJECT,    /* the fields of a message */
    JSON_FRAME_LIST,      /* the members of a repeated field */
    JSON_FRAME_MAP,       /* the entries of a map */
    JSON_FRAME_ANY_VALUE, /* {"@type": ..., "value": ...} */
};

/* A bracket that is open. */
struct json_frame {
    struct json_frame *outer, *inner; /* `inner` is kept to be used again */
    enum json_frame_kind kind;
    bool is_new; /* nothing was read behind the bracket */
    int depth;   /* of `message` within messages */
    ProtobufCMessage *message;
    const struct json_message *table;
    int field;      /* being read: an index, or JSON_NO_FIELD */
    uint64_t seen;  /* a bit per field */
    uint64_t *more; /* the bits of fields from 64 on */

    /* Of a message in an Any: where its bytes go, and what was read. */
    ProtobufCMessage *any;
    bool has_type, has_value;

    /* Of a map: the key being read, and which keys were there
     * (rpc/json_keys.h). */
    struct json_string key;
    uint32_t *slots;
    size_t slot_count;
};
enum { JSON_NO_FIELD = -1 };

struct json_reader {
    struct json_scan scan;
    const char *start; /* of the text */
    struct codec_memory memory;
    const struct json_types *types;
    struct json_frame *first, *top; /* all frames; NULL = nothing is open */
    int any_depth;
    struct json_error *error;
};

/* Fills the error: the path of what is being read, the sentence, and where in
 * the text `at` is.  Returns false. */
bool json_fail(struct json_reader *reader, const char *at, const char *format,
               ...) __attribute__((cold, noinline, format(printf, 3, 4)));

/* The same for what the scanner has found. */
bool json_fail_scan(struct json_reader *reader);

/* From the budget; NULL, with the error filled, when it is used up. */
void *json_take(struct json_reader *reader, size_t size);

/* A string's text, in the arena when it had escapes. */
bool json_text(struct json_reader *reader, const struct json_string *string,
               const char **text, size_t *size);

/* One value that is no message, at the reader's place. */
bool json_read_scalar(struct json_reader *reader, const field_type *field,
                      void *to);

/* A map's key. */
bool json_read_key(struct json_reader *reader, const field_type *field,
                   const struct json_string *key, void *to);

/* A Timestamp, Duration or FieldMask, which are strings. */
bool json_read_text_message(struct json_reader *reader,
                            const struct json_message *table,
                            ProtobufCMessage *message);

/* The array of a repeated field. */
static inline void **json_array_of(const ProtobufCMessage *message,
                                   const field_type *field)
{
    return (void **)((char *)message + field->offset);
}

static inline size_t *json_count_of(const ProtobufCMessage *message,
                                    const field_type *field)
{
    return (size_t *)((char *)message + field->quantifier_offset);
}

#endif
