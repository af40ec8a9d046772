#include "rpc/read_mask.h"

#include "rpc/call.h"
#include "rpc/codec.h"
#include "rpc/utf8.h"

#include <string.h>

typedef ProtobufCFieldDescriptor field_type;

enum { PATH_SHOWN_BYTES = 200 };

/* The paths as a tree; the root stands for the response itself. */
struct read_mask {
    const field_type *field; /* NULL at the root */
    bool whole;              /* a path ends here */
    struct read_mask *first_child, *next;
};

const field_type *read_mask_field(const ProtobufCMessageDescriptor *request)
{
    const field_type *field =
        protobuf_c_message_descriptor_get_field_by_name(request, "read_mask");
    bool is_mask =
        field != NULL && field->label != PROTOBUF_C_LABEL_REPEATED &&
        field->descriptor == &google__protobuf__field_mask__descriptor;
    return is_mask ? field : NULL;
}

/* --- from paths to a tree ------------------------------------------------- */

static struct read_mask *child_of(struct arena *arena, struct read_mask *parent,
                                  const field_type *field)
{
    for (struct read_mask *m = parent->first_child; m != NULL; m = m->next)
        if (m->field == field)
            return m;
    struct read_mask *made = ARENA_NEW(arena, struct read_mask);
    *made = (struct read_mask){.field = field, .next = parent->first_child};
    parent->first_child = made;
    return made;
}

static const field_type *find_field(struct arena *arena,
                                    const ProtobufCMessageDescriptor *type,
                                    const char *name, size_t size)
{
    return protobuf_c_message_descriptor_get_field_by_name(
        type, arena_strndup(arena, name, size));
}

/* False when the path leads nowhere. */
static bool add_path(struct arena *arena, struct read_mask *node,
                     const ProtobufCMessageDescriptor *type, const char *path)
{
    for (int depth = 0; depth < READ_MASK_DEPTH_MAX; depth++) {
        size_t size = strcspn(path, ".");
        const field_type *field = find_field(arena, type, path, size);
        if (field == NULL)
            return false;
        node = child_of(arena, node, field);
        if (path[size] == '\0') {
            node->whole = true;
            return true;
        }
        if (field->type != PROTOBUF_C_TYPE_MESSAGE)
            return false;
        type = field->descriptor;
        path += size + 1;
    }
    return false;
}

static rpc_status no_such_path(struct rpc_call *call, const char *path)
{
    return rpc_fail_field(call, "read_mask",
                          "\"%.*s\" is no field of the answer",
                          (int)utf8_cut(path, PATH_SHOWN_BYTES), path);
}

rpc_status read_mask_open(struct rpc_call *call, const field_type *field,
                          const ProtobufCMessage *request,
                          const struct read_mask **mask)
{
    *mask = NULL;
    if (field == NULL)
        return RPC_SUCCESS;
    const Google__Protobuf__FieldMask *asked;
    memcpy(&asked, (const char *)request + field->offset, sizeof asked);
    if (asked == NULL || asked->n_paths == 0)
        return RPC_SUCCESS;
    if (asked->n_paths > READ_MASK_PATHS_MAX)
        return rpc_fail_field(call, "read_mask", "must name at most %d paths",
                              READ_MASK_PATHS_MAX);

    struct read_mask *root = ARENA_NEW(call->arena, struct read_mask);
    *root = (struct read_mask){0};
    for (size_t i = 0; i < asked->n_paths; i++)
        if (!add_path(call->arena, root, call->method->response,
                      asked->paths[i]))
            return no_such_path(call, asked->paths[i]);
    *mask = root;
    return RPC_SUCCESS;
}

/* --- pruning -------------------------------------------------------------- */

static void clear_field(ProtobufCMessage *message, const field_type *field)
{
    char *base = (char *)message;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        memset(base + field->quantifier_offset, 0, sizeof(size_t));
    } else if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        if (codec_is_set(message, field)) /* the case, not a brother's */
            memset(base + field->quantifier_offset, 0, sizeof(uint32_t));
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        *(const char **)(base + field->offset) = "";
    } else {
        memset(base + field->offset, 0, codec_element_size(field->type));
    }
}

/* At most as deep as a path is long. */
static void prune(const struct read_mask *node, ProtobufCMessage *message);

static void prune_below(const struct read_mask *node, ProtobufCMessage *message)
{
    const field_type *field = node->field;
    char *base = (char *)message;
    if (!codec_is_set(message, field))
        return;
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        prune(node, *(ProtobufCMessage **)(base + field->offset));
        return;
    }
    size_t count = *(const size_t *)(base + field->quantifier_offset);
    ProtobufCMessage **members = *(ProtobufCMessage ***)(base + field->offset);
    for (size_t i = 0; i < count; i++)
        prune(node, members[i]);
}

static const struct read_mask *find_child(const struct read_mask *node,
                                          const field_type *field)
{
    const struct read_mask *child = node->first_child;
    while (child != NULL && child->field != field)
        child = child->next;
    return child;
}

static bool always_stays(const struct read_mask *node, const field_type *field)
{
    return node->field == NULL && field->type != PROTOBUF_C_TYPE_MESSAGE &&
           field->label != PROTOBUF_C_LABEL_REPEATED;
}

static void prune(const struct read_mask *node, ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const field_type *field = &type->fields[i];
        const struct read_mask *child = find_child(node, field);
        if (child != NULL && !child->whole)
            prune_below(child, message);
        else if (child == NULL && !always_stays(node, field))
            clear_field(message, field);
    }
}

void read_mask_prune(const struct read_mask *mask, ProtobufCMessage *response)
{
    if (mask != NULL)
        prune(mask, response);
}

/* --- for handlers --------------------------------------------------------- */

/* "a.b" holds "a.b.c", and itself. */
static bool holds(const char *path, const char *other)
{
    size_t size = strlen(path);
    return strncmp(path, other, size) == 0 &&
           (other[size] == '\0' || other[size] == '.');
}

bool read_mask_wants(const Google__Protobuf__FieldMask *mask, const char *path)
{
    if (mask == NULL || mask->n_paths == 0)
        return true;
    for (size_t i = 0; i < mask->n_paths; i++)
        if (holds(mask->paths[i], path) || holds(path, mask->paths[i]))
            return true;
    return false;
}
