/* JSON text to structs.
 *
 * No recursion: brackets that are open are frames in the arena, so nesting
 * costs no C stack.  Each step reads one member or element, and may open a
 * bracket:
 *
 *   {"items": [{"price": 5}, {"price": "x"}]}
 *   ^         ^              ^          scan.at
 *   object    list           object = top      -> items[1].price: ... */
#include "rpc/codec.h"
#include "rpc/json_keys.h"
#include "rpc/json_reader.h"

#include <google/protobuf/any.pb-c.h>
#include <google/protobuf/struct.pb-c.h>
#include <string.h>

static bool read_message(struct json_reader *r,
                         const struct json_message *table,
                         ProtobufCMessage *message, int depth);

void *json_take(struct json_reader *r, size_t size)
{
    void *taken = codec_take(&r->memory, size);
    if (taken == NULL)
        json_fail(r, r->scan.at,
                  "the message takes too much memory for its size");
    return taken;
}

static ProtobufCMessage *take_message(struct json_reader *r,
                                      const struct json_message *table)
{
    ProtobufCMessage *message = json_take(r, table->type->sizeof_message);
    if (message != NULL)
        codec_init(table->type, message);
    return message;
}

/* Frames */

static struct json_frame *spare_frame(struct json_reader *r)
{
    struct json_frame *spare = r->top == NULL ? r->first : r->top->inner;
    if (spare != NULL)
        return spare;
    spare = json_take(r, sizeof *spare);
    if (spare == NULL)
        return NULL;
    spare->outer = r->top;
    if (r->top == NULL)
        r->first = spare;
    else
        r->top->inner = spare;
    return spare;
}

/* Behind the bracket. */
static struct json_frame *push(struct json_reader *r, enum json_frame_kind kind,
                               const struct json_message *table,
                               ProtobufCMessage *message, int depth)
{
    struct json_frame *frame = spare_frame(r);
    if (frame == NULL)
        return NULL;
    *frame = (struct json_frame){.outer = frame->outer,
                                 .inner = frame->inner,
                                 .kind = kind,
                                 .is_new = true,
                                 .depth = depth,
                                 .message = message,
                                 .table = table,
                                 .field = JSON_NO_FIELD};
    return r->top = frame;
}

static bool open_bracket(struct json_reader *r, char bracket)
{
    return json_accept(&r->scan, bracket) ||
           json_fail(r, r->scan.at, "expected %s",
                     bracket == '{' ? "an object" : "a list");
}

/* A repeated field or a map, whose value comes next. */
static bool open_repeated(struct json_reader *r,
                          const struct json_message *table,
                          ProtobufCMessage *message, int field, int depth)
{
    const struct json_message *inner = table->fields[field].message;
    bool is_map = inner != NULL && inner->kind == JSON_KIND_MAP_ENTRY;
    if (!open_bracket(r, is_map ? '{' : '['))
        return false;
    struct json_frame *frame = push(
        r, is_map ? JSON_FRAME_MAP : JSON_FRAME_LIST, table, message, depth);
    if (frame == NULL)
        return false;
    frame->field = field;
    return true;
}

/* Whether another member or element follows in the innermost bracket, before
 * which a comma has been passed, or the bracket's end has been passed. */
enum next { NEXT_FAILED, NEXT_VALUE, NEXT_END };

static enum next find_next(struct json_reader *r, struct json_frame *frame,
                           char closing)
{
    if (json_accept(&r->scan, closing))
        return NEXT_END;
    if (!frame->is_new && !json_accept(&r->scan, ',')) {
        json_fail(r, r->scan.at, "expected \",\" or \"%c\"", closing);
        return NEXT_FAILED;
    }
    return NEXT_VALUE;
}

static bool pop(struct json_reader *r)
{
    r->top = r->top->outer;
    return true;
}

/* A member's name and the colon behind it. */
static bool read_name(struct json_reader *r, struct json_string *name)
{
    if (json_peek(&r->scan) != '"')
        return json_fail(r, r->scan.at, "expected a name in quotes");
    if (!json_scan_string(&r->scan, name))
        return json_fail_scan(r);
    return json_accept(&r->scan, ':') ||
           json_fail(r, r->scan.at, "expected \":\"");
}

static bool skip_value(struct json_reader *r)
{
    return json_scan_skip(&r->scan) || json_fail_scan(r);
}

static bool is_null(struct json_reader *r)
{
    return json_peek(&r->scan) == 'n';
}

static bool read_null(struct json_reader *r)
{
    return json_scan_word(&r->scan, "null") || json_fail_scan(r);
}

/* google.protobuf.Any */

static bool is_type_name(const struct json_string *name)
{
    return name->size == 5 && memcmp(name->raw, "@type", 5) == 0;
}

/* Looks for "@type" among the members of the object whose bracket was passed,
 * wherever it stands, and comes back. */
static bool find_type(struct json_reader *r, struct json_string *url)
{
    const char *start = r->scan.at;
    struct json_string name;
    do {
        if (!read_name(r, &name))
            return false;
        if (is_type_name(&name)) {
            if (json_peek(&r->scan) != '"')
                return json_fail(r, r->scan.at, "expected a string");
            if (!json_scan_string(&r->scan, url))
                return json_fail_scan(r);
            r->scan.at = start;
            return true;
        }
        if (!skip_value(r))
            return false;
    } while (json_accept(&r->scan, ','));
    return json_fail(r, start, "an Any wants its \"@type\"");
}

static bool keep_type(struct json_reader *r, const struct json_string *url,
                      Google__Protobuf__Any *any,
                      const struct json_message **table)
{
    char *text = json_take(r, url->size + 1);
    if (text == NULL)
        return false;
    json_unescape(url, text);
    any->type_url = text;
    *table = json_types_named(r->types, text);
    return *table != NULL ||
           json_fail(r, url->raw - 1, "no message type is called \"%.*s\"",
                     (int)(url->size < 64 ? url->size : 64), url->raw);
}

static bool read_any(struct json_reader *r, ProtobufCMessage *message,
                     int depth)
{
    struct json_string url;
    const struct json_message *table;
    if (!open_bracket(r, '{'))
        return false;
    if (json_accept(&r->scan, '}'))
        return true; /* an Any of nothing */
    if (r->any_depth == JSON_ANY_DEPTH_MAX)
        return json_fail(r, r->scan.at, "an Any within more than %d others",
                         JSON_ANY_DEPTH_MAX - 1);
    if (depth == CODEC_DEPTH_MAX)
        return json_fail(r, r->scan.at, "messages nest deeper than %d",
                         CODEC_DEPTH_MAX);
    if (!find_type(r, &url) || !keep_type(r, &url, (void *)message, &table))
        return false;
    ProtobufCMessage *inner = take_message(r, table);
    struct json_frame *frame =
        inner == NULL
            ? NULL
            : push(r,
                   table->kind == JSON_KIND_PLAIN ? JSON_FRAME_OBJECT
                                                  : JSON_FRAME_ANY_VALUE,
                   table, inner, depth + 1);
    if (frame == NULL)
        return false;
    frame->any = message;
    r->any_depth++;
    return true;
}

/* The message in it is complete. */
static bool close_any(struct json_reader *r, struct json_frame *frame)
{
    Google__Protobuf__Any *any = (void *)frame->any;
    size_t size = codec_size(frame->message);
    any->value.data = json_take(r, size);
    if (any->value.data == NULL)
        return false;
    any->value.len = size;
    codec_write(frame->message, any->value.data, size);
    r->any_depth--;
    return true;
}

/* The member "@type", which has been read ahead. */
static bool pass_type(struct json_reader *r, struct json_frame *frame,
                      const struct json_string *name)
{
    if (frame->has_type)
        return json_fail(r, name->raw - 1, "\"@type\" comes twice");
    frame->has_type = true;
    return skip_value(r);
}

static bool step_any_value(struct json_reader *r, struct json_frame *frame)
{
    struct json_string name;
    enum next next = find_next(r, frame, '}');
    frame->is_new = false;
    if (next == NEXT_END && !frame->has_value)
        return json_fail(r, r->scan.at - 1, "an Any of %s wants its \"value\"",
                         frame->table->type->name);
    if (next == NEXT_END)
        return close_any(r, frame) && pop(r);
    if (next == NEXT_FAILED || !read_name(r, &name))
        return false;
    if (is_type_name(&name))
        return pass_type(r, frame, &name);
    if (name.size != 5 || memcmp(name.raw, "value", 5) != 0)
        return skip_value(r);
    if (frame->has_value)
        return json_fail(r, name.raw - 1, "\"value\" comes twice");
    frame->has_value = true;
    return read_message(r, frame->table, frame->message, frame->depth);
}

/* Values */

static const char value_members[] = "n0\"t{["; /* in the order of the fields */

/* By what the value begins with. */
static bool read_dynamic(struct json_reader *r,
                         const struct json_message *table,
                         ProtobufCMessage *message, int depth);

static bool read_message(struct json_reader *r,
                         const struct json_message *table,
                         ProtobufCMessage *message, int depth)
{
    switch (table->kind) {
    case JSON_KIND_ANY:
        return read_any(r, message, depth);
    case JSON_KIND_TIMESTAMP:
    case JSON_KIND_DURATION:
    case JSON_KIND_FIELD_MASK:
        return json_read_text_message(r, table, message);
    case JSON_KIND_STRUCT:
    case JSON_KIND_LIST:
        return open_repeated(r, table, message, 0, depth);
    case JSON_KIND_VALUE:
        return read_dynamic(r, table, message, depth);
    case JSON_KIND_WRAPPER:
        return json_read_scalar(r, &table->type->fields[0],
                                (char *)message +
                                    table->type->fields[0].offset);
    default:
        return open_bracket(r, '{') &&
               push(r, JSON_FRAME_OBJECT, table, message, depth) != NULL;
    }
}

static bool read_value(struct json_reader *r, const struct json_message *table,
                       int field, void *to, int depth)
{
    const struct json_message *inner = table->fields[field].message;
    if (inner == NULL)
        return json_read_scalar(r, &table->type->fields[field], to);
    if (depth == CODEC_DEPTH_MAX) {
        json_peek(&r->scan);
        return json_fail(r, r->scan.at, "messages nest deeper than %d",
                         CODEC_DEPTH_MAX);
    }
    ProtobufCMessage *message = take_message(r, inner);
    if (message == NULL)
        return false;
    memcpy(to, &message, sizeof message);
    return read_message(r, inner, message, depth + 1);
}

static bool read_dynamic(struct json_reader *r,
                         const struct json_message *table,
                         ProtobufCMessage *message, int depth)
{
    char c = json_peek(&r->scan);
    if (c == 'f')
        c = 't';
    const char *member = c == '\0' ? NULL : strchr(value_members, c);
    int field = member == NULL ? 1 : (int)(member - value_members);
    const field_type *type = &table->type->fields[field];
    uint32_t *which = (uint32_t *)((char *)message + type->quantifier_offset);
    *which = type->id;
    return read_value(r, table, field, (char *)message + type->offset, depth);
}

/* Members, elements, entries */

/* False when the field was there before. */
static bool see(struct json_reader *r, struct json_frame *frame, int field,
                bool *again)
{
    uint64_t *word = &frame->seen;
    if (field >= 64) {
        size_t words = frame->table->type->n_fields / 64;
        if (frame->more == NULL)
            frame->more = json_take(r, words * sizeof *word);
        if (frame->more == NULL)
            return false;
        word = &frame->more[field / 64 - 1];
    }
    uint64_t bit = UINT64_C(1) << (field % 64);
    *again = (*word & bit) != 0;
    *word |= bit;
    return true;
}

/* Null is a value for these, and elsewhere an absent field. */
static bool takes_null(const field_type *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return false;
    return field->descriptor == &google__protobuf__value__descriptor ||
           field->descriptor == &google__protobuf__null_value__descriptor;
}

/* False when another member of its oneof is there. */
static bool set_present(char *base, const field_type *field)
{
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        uint32_t *which = (uint32_t *)(base + field->quantifier_offset);
        if (*which != 0)
            return false;
        *which = field->id;
    } else if (field->quantifier_offset != 0) {
        *(protobuf_c_boolean *)(base + field->quantifier_offset) = 1;
    }
    return true;
}

static bool read_member(struct json_reader *r, struct json_frame *frame,
                        const struct json_string *name)
{
    const field_type *field = &frame->table->type->fields[frame->field];
    char *base = (char *)frame->message;
    if (is_null(r) && !takes_null(field))
        return read_null(r);
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return open_repeated(r, frame->table, frame->message, frame->field,
                             frame->depth);
    if (!set_present(base, field))
        return json_fail(r, name->raw - 1,
                         "another member of its oneof is there already");
    return read_value(r, frame->table, frame->field, base + field->offset,
                      frame->depth);
}

static bool find_field(struct json_reader *r, struct json_frame *frame,
                       const struct json_string *name, int *field)
{
    const char *text;
    size_t size;
    if (!json_text(r, name, &text, &size))
        return false;
    *field =
        json_field_named(frame->table, text, size, (size_t)(frame->field + 1));
    return true;
}

static bool step_object(struct json_reader *r, struct json_frame *frame)
{
    struct json_string name;
    int field;
    bool again;
    enum next next = find_next(r, frame, '}');
    frame->is_new = false;
    if (next == NEXT_END)
        return (frame->any == NULL || close_any(r, frame)) && pop(r);
    if (next == NEXT_FAILED || !read_name(r, &name))
        return false;
    if (frame->any != NULL && is_type_name(&name))
        return pass_type(r, frame, &name);
    if (!find_field(r, frame, &name, &field))
        return false;
    if (field < 0)
        return skip_value(r);
    frame->field = field;
    if (!see(r, frame, field, &again))
        return false;
    if (again)
        return json_fail(r, name.raw - 1, "comes twice");
    return read_member(r, frame, &name);
}

/* A place at the end of the repeated field, already counted. */
static void *add_element(struct json_reader *r, struct json_frame *frame)
{
    enum { FIRST_ROOM = 4 };
    const field_type *field = &frame->table->type->fields[frame->field];
    void **array = json_array_of(frame->message, field);
    size_t *count = json_count_of(frame->message, field);
    size_t size = codec_element_size(field->type);
    size_t more = *count == 0 ? FIRST_ROOM : 1;
    if (!codec_reserve(&r->memory, array, size, *count, more)) {
        json_fail(r, r->scan.at,
                  "the message takes too much memory for its size");
        return NULL;
    }
    return (char *)*array + (*count)++ * size;
}

static bool step_list(struct json_reader *r, struct json_frame *frame)
{
    enum next next = find_next(r, frame, ']');
    if (next == NEXT_END)
        return pop(r);
    if (next == NEXT_FAILED)
        return false;
    frame->is_new = false;
    void *element = add_element(r, frame);
    return element != NULL &&
           read_value(r, frame->table, frame->field, element, frame->depth);
}

/* A table with room for more entries; those before `last` differ. */
static bool grow_table(struct json_reader *r, struct json_frame *frame,
                       json_entries entries, size_t last)
{
    size_t slot_count = json_keys_slots(2 * last);
    frame->slots = json_take(r, slot_count * sizeof *frame->slots);
    if (frame->slots == NULL)
        return false;
    frame->slot_count = slot_count;
    for (size_t i = 0; i < last; i++)
        json_keys_insert(frame->slots, slot_count, entries, i);
    return true;
}

/* Whether the last entry repeats the key of another; false when memory ran
 * out. */
static bool find_again(struct json_reader *r, struct json_frame *frame,
                       bool *again)
{
    const field_type *field = &frame->table->type->fields[frame->field];
    json_entries entries = *json_array_of(frame->message, field);
    size_t last = *json_count_of(frame->message, field) - 1;
    *again = false;
    if (last < JSON_KEYS_FEW) {
        for (size_t i = 0; i < last && !*again; i++)
            *again = json_keys_are_same(entries, i, last);
        return true;
    }
    if (2 * (last + 1) > frame->slot_count &&
        !grow_table(r, frame, entries, last))
        return false;
    *again = !json_keys_insert(frame->slots, frame->slot_count, entries, last);
    return true;
}

static bool read_entry_key(struct json_reader *r, struct json_frame *frame,
                           ProtobufCMessage *entry)
{
    const field_type *key = &entry->descriptor->fields[0];
    if (!json_read_key(r, key, &frame->key, (char *)entry + key->offset))
        return false;
    bool again;
    if (!find_again(r, frame, &again))
        return false;
    return !again || json_fail(r, frame->key.raw - 1, "comes twice");
}

static bool step_map(struct json_reader *r, struct json_frame *frame)
{
    const struct json_message *inner =
        frame->table->fields[frame->field].message;
    enum next next = find_next(r, frame, '}');
    if (next == NEXT_END)
        return pop(r);
    struct json_string key;
    if (next == NEXT_FAILED || !read_name(r, &key))
        return false;
    frame->key = key;
    frame->is_new = false;
    if (frame->depth == CODEC_DEPTH_MAX)
        return json_fail(r, r->scan.at, "messages nest deeper than %d",
                         CODEC_DEPTH_MAX);
    ProtobufCMessage *entry = take_message(r, inner);
    void *element = entry == NULL ? NULL : add_element(r, frame);
    if (element == NULL)
        return false;
    memcpy(element, &entry, sizeof entry);
    return read_entry_key(r, frame, entry) &&
           read_value(r, inner, 1,
                      (char *)entry + entry->descriptor->fields[1].offset,
                      frame->depth + 1);
}

static bool step(struct json_reader *r)
{
    switch (r->top->kind) {
    case JSON_FRAME_OBJECT:
        return step_object(r, r->top);
    case JSON_FRAME_LIST:
        return step_list(r, r->top);
    case JSON_FRAME_MAP:
        return step_map(r, r->top);
    default:
        return step_any_value(r, r->top);
    }
}

static bool read_all(struct json_reader *r, const struct json_message *table,
                     ProtobufCMessage *message)
{
    if (!read_message(r, table, message, 0))
        return false;
    while (r->top != NULL)
        if (!step(r))
            return false;
    json_peek(&r->scan);
    return r->scan.at == r->scan.end ||
           json_fail(r, r->scan.at, "something follows the message");
}

bool json_decode(struct arena *arena, const struct json_types *types,
                 const ProtobufCMessageDescriptor *type, const char *text,
                 size_t size, ProtobufCMessage **message,
                 struct json_error *error)
{
    if (size == 0)
        text = ""; /* it may be NULL */
    struct json_reader r = {.scan = {text, text + size, NULL},
                            .start = text,
                            .types = types,
                            .error = error};
    codec_memory_init(&r.memory, arena, size);
    error->text[0] = '\0';
    *message = NULL;
    const struct json_message *table = json_types_of(types, type);
    if (table == NULL)
        return json_fail(&r, text, "%s is in no registry", type->name);
    ProtobufCMessage *made = codec_new(arena, type);
    if (!read_all(&r, table, made))
        return false;
    *message = made;
    return true;
}
