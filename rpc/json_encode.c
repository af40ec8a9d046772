/* Structs to JSON text.
 *
 * No recursion: messages, lists and maps that are being written are frames in
 * the arena.  Names come from the tables with their quotes and colon, so a
 * field costs one copy. */
#include "rpc/codec.h"
#include "rpc/json_keys.h"
#include "rpc/json_put.h"
#include "rpc/json_time.h"
#include "rpc/json_types.h"
#include "rpc/json_write.h"

#include <google/protobuf/any.pb-c.h>
#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/field_mask.pb-c.h>
#include <google/protobuf/struct.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <math.h>
#include <string.h>

typedef ProtobufCFieldDescriptor field_type;

enum frame_kind {
    FRAME_OBJECT, /* at: the next field */
    FRAME_LIST,   /* at: the next member of `field`, which is a message */
    FRAME_MAP,    /* at: the next entry of `field` */
    FRAME_ANY,    /* a "value" that is being written */
};

struct frame {
    struct frame *outer, *inner; /* `inner` is kept to be used again */
    enum frame_kind kind;
    bool is_any;   /* this message, or this "value", is an Any's */
    bool is_first; /* nothing is written behind the bracket */
    int depth;     /* of `message` within messages */
    const ProtobufCMessage *message;
    const struct json_message *table;
    size_t field, at;
    const bool *is_old; /* of a large map: entries whose key comes again */
};

struct encoder {
    struct json_out out;
    struct arena *arena;
    const struct json_types *types;
    struct frame *first, *top;
    int any_depth;
    const char *problem; /* a sentence */
};

static bool write_message(struct encoder *e, const struct json_message *table,
                          const ProtobufCMessage *message, int depth);

static bool fail(struct encoder *e, const struct json_message *table,
                 const char *problem)
{
    e->problem = arena_printf(e->arena, "%s: %s", table->type->name, problem);
    return false;
}

/* Frames */

static struct frame *spare_frame(struct encoder *e)
{
    struct frame *spare = e->top == NULL ? e->first : e->top->inner;
    if (spare != NULL)
        return spare;
    spare = ARENA_NEW(e->arena, struct frame);
    spare->outer = e->top;
    if (e->top == NULL)
        e->first = spare;
    else
        e->top->inner = spare;
    return spare;
}

static struct frame *push(struct encoder *e, enum frame_kind kind,
                          const struct json_message *table,
                          const ProtobufCMessage *message, int depth)
{
    struct frame *frame = spare_frame(e);
    *frame = (struct frame){.outer = frame->outer,
                            .inner = frame->inner,
                            .kind = kind,
                            .is_first = true,
                            .depth = depth,
                            .message = message,
                            .table = table};
    return e->top = frame;
}

static bool pop(struct encoder *e, char closing)
{
    json_put(&e->out, &closing, 1);
    if (e->top->is_any)
        e->any_depth--;
    e->top = e->top->outer;
    return true;
}

static void separate(struct encoder *e, struct frame *frame)
{
    if (!frame->is_first)
        JSON_PUT(&e->out, ",");
    frame->is_first = false;
}

/* Values */

static bool write_scalar(struct encoder *e, const struct json_message *table,
                         size_t field, const void *from)
{
    return json_put_scalar(&e->out, &table->type->fields[field], from) ||
           fail(e, table, "a string that is not UTF-8");
}

/* Messages that are strings */

static bool write_time(struct encoder *e, const struct json_message *table,
                       size_t (*write)(char *to, int64_t seconds,
                                       int32_t nanos),
                       int64_t seconds, int32_t nanos)
{
    char *to = json_out_reserve(&e->out, JSON_TIME_MAX + 2);
    size_t size = write(to + 1, seconds, nanos);
    if (size == 0)
        return fail(e, table, "out of range");
    to[0] = to[size + 1] = '"';
    e->out.size += size + 2;
    return true;
}

static bool write_timestamp(struct encoder *e, const struct json_message *table,
                            const ProtobufCMessage *message)
{
    const Google__Protobuf__Timestamp *time = (const void *)message;
    return write_time(e, table, json_time_write, time->seconds, time->nanos);
}

static bool write_duration(struct encoder *e, const struct json_message *table,
                           const ProtobufCMessage *message)
{
    const Google__Protobuf__Duration *duration = (const void *)message;
    return write_time(e, table, json_duration_write, duration->seconds,
                      duration->nanos);
}

/* "user_name" as "userName"; false when that could not be read back. */
static bool put_path(struct json_out *out, const char *path)
{
    char *to = json_out_reserve(out, strlen(path)), *start = to;
    char before = '.';
    for (const char *c = path; *c != '\0'; before = *c++) {
        bool is_small = *c >= 'a' && *c <= 'z';
        bool is_digit = *c >= '0' && *c <= '9';
        if (before == '_' ? !is_small
                          : !is_small && !is_digit && *c != '_' &&
                                (*c != '.' || before == '.'))
            return false;
        if (*c != '_')
            *to++ = before == '_' ? (char)(*c - 'a' + 'A') : *c;
    }
    out->size += (size_t)(to - start);
    return before != '.' && before != '_';
}

static bool write_field_mask(struct encoder *e,
                             const struct json_message *table,
                             const ProtobufCMessage *message)
{
    const Google__Protobuf__FieldMask *mask = (const void *)message;
    JSON_PUT(&e->out, "\"");
    for (size_t i = 0; i < mask->n_paths; i++) {
        if (i > 0)
            JSON_PUT(&e->out, ",");
        if (!put_path(&e->out, mask->paths[i]))
            return fail(e, table, "a path that JSON cannot say");
    }
    JSON_PUT(&e->out, "\"");
    return true;
}

/* Messages */

static bool write_null(struct encoder *e)
{
    JSON_PUT(&e->out, "null");
    return true;
}

static bool is_finite_number(const struct json_message *table, size_t field,
                             const void *from)
{
    double number;
    if (table->type->fields[field].type != PROTOBUF_C_TYPE_DOUBLE)
        return true;
    memcpy(&number, from, sizeof number);
    return isfinite(number);
}

/* A google.protobuf.Value of nothing is null. */
static bool write_dynamic(struct encoder *e, const struct json_message *table,
                          const ProtobufCMessage *message, int depth)
{
    for (size_t i = 0; i < table->type->n_fields; i++) {
        const field_type *field = &table->type->fields[i];
        const void *from = (const char *)message + field->offset;
        if (!codec_is_set(message, field))
            continue;
        if (field->type == PROTOBUF_C_TYPE_ENUM)
            break; /* whatever its number */
        if (!is_finite_number(table, i, from))
            return fail(e, table, "not a finite number");
        if (field->type != PROTOBUF_C_TYPE_MESSAGE)
            return write_scalar(e, table, i, from);
        return write_message(e, table->fields[i].message,
                             *(const ProtobufCMessage *const *)from, depth + 1);
    }
    return write_null(e);
}

/* A repeated field or a map, whatever its label. */
static void open_repeated(struct encoder *e, const struct json_message *table,
                          const ProtobufCMessage *message, size_t field,
                          int depth)
{
    bool is_map = table->fields[field].message->kind == JSON_KIND_MAP_ENTRY;
    if (is_map)
        JSON_PUT(&e->out, "{");
    else
        JSON_PUT(&e->out, "[");
    push(e, is_map ? FRAME_MAP : FRAME_LIST, table, message, depth)->field =
        field;
}

static bool write_any(struct encoder *e, const struct json_message *table,
                      const ProtobufCMessage *message, int depth)
{
    const Google__Protobuf__Any *any = (const void *)message;
    struct codec_error error;
    if (any->type_url[0] == '\0' && any->value.len == 0) {
        JSON_PUT(&e->out, "{}");
        return true;
    }
    const struct json_message *inner =
        json_types_named(e->types, any->type_url);
    if (inner == NULL)
        return fail(e, table, "of a type that is in no registry");
    if (e->any_depth == JSON_ANY_DEPTH_MAX)
        return fail(e, table, "within too many others");
    const ProtobufCMessage *value = codec_decode(
        e->arena, inner->type, any->value.data, any->value.len, &error);
    if (value == NULL)
        return fail(e, table, error.text);
    JSON_PUT(&e->out, "{\"@type\":");
    if (!json_put_string(&e->out, any->type_url, strlen(any->type_url)))
        return fail(e, table, "a type that is not UTF-8");
    bool is_plain = inner->kind == JSON_KIND_PLAIN;
    struct frame *frame =
        push(e, is_plain ? FRAME_OBJECT : FRAME_ANY, inner, value, depth + 1);
    frame->is_any = true;
    frame->is_first = false;
    e->any_depth++;
    if (is_plain)
        return true;
    JSON_PUT(&e->out, ",\"value\":");
    return write_message(e, inner, value, depth + 1);
}

/* All of the message, or its bracket and a frame for the rest. */
static bool write_message(struct encoder *e, const struct json_message *table,
                          const ProtobufCMessage *message, int depth)
{
    if (depth > CODEC_ENCODE_DEPTH_MAX)
        return fail(e, table, "nests too deep");
    if (message == NULL) /* as the wire has it: with nothing in it */
        message = codec_new(e->arena, table->type);
    switch (table->kind) {
    case JSON_KIND_ANY:
        return write_any(e, table, message, depth);
    case JSON_KIND_TIMESTAMP:
        return write_timestamp(e, table, message);
    case JSON_KIND_DURATION:
        return write_duration(e, table, message);
    case JSON_KIND_FIELD_MASK:
        return write_field_mask(e, table, message);
    case JSON_KIND_STRUCT:
    case JSON_KIND_LIST:
        open_repeated(e, table, message, 0, depth);
        return true;
    case JSON_KIND_VALUE:
        return write_dynamic(e, table, message, depth);
    case JSON_KIND_WRAPPER:
        return write_scalar(
            e, table, 0, (const char *)message + table->type->fields[0].offset);
    default:
        JSON_PUT(&e->out, "{");
        push(e, FRAME_OBJECT, table, message, depth);
        return true;
    }
}

static bool write_value(struct encoder *e, const struct json_message *table,
                        size_t field, const void *from, int depth)
{
    const struct json_message *inner = table->fields[field].message;
    if (inner == NULL)
        return write_scalar(e, table, field, from);
    return write_message(e, inner, *(const ProtobufCMessage *const *)from,
                         depth + 1);
}

static bool write_scalars(struct encoder *e, const struct json_message *table,
                          size_t field, const char *base)
{
    const field_type *type = &table->type->fields[field];
    size_t count = *(const size_t *)(base + type->quantifier_offset);
    size_t stride = codec_element_size(type->type);
    const char *from = *(const char *const *)(base + type->offset);
    JSON_PUT(&e->out, "[");
    for (size_t i = 0; i < count; i++, from += stride) {
        if (i > 0)
            JSON_PUT(&e->out, ",");
        if (!write_scalar(e, table, field, from))
            return false;
    }
    JSON_PUT(&e->out, "]");
    return true;
}

static bool write_field(struct encoder *e, const struct frame *frame,
                        size_t field)
{
    const struct json_message *table = frame->table;
    const field_type *type = &table->type->fields[field];
    const char *base = (const char *)frame->message;
    json_put(&e->out, table->fields[field].label,
             table->fields[field].label_size);
    if (type->label != PROTOBUF_C_LABEL_REPEATED)
        return write_value(e, table, field, base + type->offset, frame->depth);
    if (type->type != PROTOBUF_C_TYPE_MESSAGE)
        return write_scalars(e, table, field, base);
    open_repeated(e, table, frame->message, field, frame->depth);
    return true;
}

static bool step_object(struct encoder *e, struct frame *frame)
{
    const ProtobufCMessageDescriptor *type = frame->table->type;
    while (frame->at < type->n_fields &&
           !codec_is_set(frame->message, &type->fields[frame->at]))
        frame->at++;
    if (frame->at == type->n_fields)
        return pop(e, '}');
    separate(e, frame);
    return write_field(e, frame, frame->at++);
}

static json_entries members_of(const struct frame *frame, size_t *count)
{
    const field_type *field = &frame->table->type->fields[frame->field];
    const char *base = (const char *)frame->message;
    *count = *(const size_t *)(base + field->quantifier_offset);
    return *(const json_entries *)(base + field->offset);
}

static bool step_list(struct encoder *e, struct frame *frame)
{
    size_t count;
    json_entries members = members_of(frame, &count);
    if (frame->at == count)
        return pop(e, ']');
    separate(e, frame);
    return write_message(e, frame->table->fields[frame->field].message,
                         members[frame->at++], frame->depth + 1);
}

/* From the end: of entries with one key the last counts. */
static const bool *mark_old(struct encoder *e, json_entries entries,
                            size_t count)
{
    size_t slot_count = json_keys_slots(count);
    uint32_t *slots = arena_array(e->arena, slot_count, sizeof *slots);
    bool *is_old = arena_array(e->arena, count, sizeof *is_old);
    for (size_t i = count; i-- > 0;)
        is_old[i] = !json_keys_insert(slots, slot_count, entries, i);
    return is_old;
}

static bool is_old(struct encoder *e, struct frame *frame, json_entries entries,
                   size_t count)
{
    if (count > JSON_KEYS_FEW) {
        if (frame->is_old == NULL)
            frame->is_old = mark_old(e, entries, count);
        return frame->is_old[frame->at];
    }
    for (size_t i = frame->at + 1; i < count; i++)
        if (json_keys_are_same(entries, frame->at, i))
            return true;
    return false;
}

/* Keys are strings, whatever their type. */
static bool write_key(struct encoder *e, const struct json_message *table,
                      const void *from)
{
    ProtobufCType type = table->type->fields[0].type;
    bool in_quotes = type == PROTOBUF_C_TYPE_STRING || json_is_wide(type);
    if (!in_quotes)
        JSON_PUT(&e->out, "\"");
    if (!write_scalar(e, table, 0, from))
        return false;
    if (!in_quotes)
        JSON_PUT(&e->out, "\"");
    JSON_PUT(&e->out, ":");
    return true;
}

static bool step_map(struct encoder *e, struct frame *frame)
{
    const struct json_message *inner =
        frame->table->fields[frame->field].message;
    const field_type *fields = inner->type->fields;
    size_t count;
    json_entries entries = members_of(frame, &count);
    while (frame->at < count && is_old(e, frame, entries, count))
        frame->at++;
    if (frame->at == count)
        return pop(e, '}');
    const ProtobufCMessage *entry = entries[frame->at++];
    if (entry == NULL)
        entry = codec_new(e->arena, inner->type);
    separate(e, frame);
    return write_key(e, inner, (const char *)entry + fields[0].offset) &&
           write_value(e, inner, 1, (const char *)entry + fields[1].offset,
                       frame->depth + 1);
}

static bool step(struct encoder *e)
{
    switch (e->top->kind) {
    case FRAME_OBJECT:
        return step_object(e, e->top);
    case FRAME_LIST:
        return step_list(e, e->top);
    case FRAME_MAP:
        return step_map(e, e->top);
    default:
        return pop(e, '}');
    }
}

static bool write_all(struct encoder *e, const ProtobufCMessage *message)
{
    const struct json_message *table =
        json_types_of(e->types, message->descriptor);
    if (table == NULL) {
        e->problem = arena_printf(e->arena, "%s is in no registry",
                                  message->descriptor->name);
        return false;
    }
    if (!write_message(e, table, message, 0))
        return false;
    while (e->top != NULL)
        if (!step(e))
            return false;
    JSON_PUT(&e->out, "\0");
    e->out.size--;
    return true;
}

bool json_encode(struct arena *arena, const struct json_types *types,
                 const ProtobufCMessage *message, char **text, size_t *size)
{
    struct encoder e = {.arena = arena, .types = types};
    json_out_init(&e.out, arena);
    bool done = write_all(&e, message);
    *text = done ? e.out.text : arena_strdup(arena, e.problem);
    *size = done ? e.out.size : strlen(e.problem);
    return done;
}
