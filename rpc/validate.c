/* Walks a decoded message along the tables of its rules.
 *
 * The recursion goes no deeper than the decoder lets a message nest, and there
 * only where rules are: some 400 bytes of stack a level. */
#include "rpc/validate.h"

#include "rpc/call.h"
#include "rpc/codec.h"
#include "rpc/rules.h"

#include <string.h>

typedef ProtobufCFieldDescriptor field_type;

/* Where in the message the walk is: made into text for a violation only. */
struct place {
    const struct place *outer;
    const char *name;      /* of a field; or NULL: */
    size_t index;          /* of an item; or, when key is not NULL: */
    const field_type *key; /* of a map */
    const void *key_member;
    bool for_key; /* it is the key itself */
};

struct walk {
    struct arena *arena;
    struct rule_violation *violations;
    size_t count;
    size_t room;
};

static const char *key_text(struct arena *arena, const field_type *key,
                            const void *member)
{
    switch (key->type) {
    case PROTOBUF_C_TYPE_STRING:
        return arena_printf(arena, "\"%.60s\"", *(const char *const *)member);
    case PROTOBUF_C_TYPE_BOOL:
        return *(const protobuf_c_boolean *)member ? "true" : "false";
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return arena_printf(arena, "%lld", (long long)*(const int64_t *)member);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return arena_printf(arena, "%llu",
                            (unsigned long long)*(const uint64_t *)member);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return arena_printf(arena, "%u", *(const uint32_t *)member);
    default:
        return arena_printf(arena, "%d", *(const int32_t *)member);
    }
}

static const char *path_text(struct arena *arena, const struct place *place)
{
    if (place == NULL)
        return "";
    const char *outer = path_text(arena, place->outer);
    if (place->name != NULL)
        return arena_printf(arena, "%s%s%s", outer, outer[0] == '\0' ? "" : ".",
                            place->name);
    if (place->key != NULL)
        return arena_printf(arena, "%s[%s]", outer,
                            key_text(arena, place->key, place->key_member));
    return arena_printf(arena, "%s[%zu]", outer, place->index);
}

static bool is_full(const struct walk *walk)
{
    return walk->count == walk->room;
}

static void report(struct walk *walk, const struct place *place,
                   const char *description, const char *rule)
{
    if (is_full(walk))
        return;
    walk->violations[walk->count++] = (struct rule_violation){
        .field = path_text(walk->arena, place),
        .description = description,
        .rule = rule,
        .for_key = place != NULL && place->for_key,
    };
}

static void walk_message(struct walk *walk, const struct rpc_rules *rules,
                         const ProtobufCMessage *message,
                         const struct place *place);

static bool is_zero_value(const field_type *field, const void *member)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return (*(const char *const *)member)[0] == '\0';
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)member)->len == 0;
    case PROTOBUF_C_TYPE_MESSAGE:
        return codec_size(*(const ProtobufCMessage *const *)member) == 0;
    default:
        break;
    }
    static const char zeros[8];
    return memcmp(member, zeros, codec_element_size(field->type)) == 0;
}

static void check_value(struct walk *walk, const struct rule_value_rules *rules,
                        const field_type *field, const void *member,
                        const struct place *place)
{
    for (size_t i = 0; i < rules->check_count; i++) {
        const struct rule_check *check = &rules->checks[i];
        const char *wrong = rule_check_value(walk->arena, check, field, member);
        if (wrong != NULL)
            report(walk, place, wrong,
                   rule_check_id(walk->arena, check, field, member));
    }
}

static void walk_value(struct walk *walk, const struct rule_value_rules *rules,
                       const field_type *field, const void *member,
                       const struct place *place)
{
    if (rules->ignore_zero && is_zero_value(field, member))
        return;
    if (rules->wrapped) {
        const ProtobufCMessage *outer =
            *(const ProtobufCMessage *const *)member;
        const field_type *inner = &outer->descriptor->fields[0];
        check_value(walk, rules, inner, (const char *)outer + inner->offset,
                    place);
    } else {
        check_value(walk, rules, field, member, place);
    }
    if (rules->message != NULL)
        walk_message(walk, rules->message,
                     *(const ProtobufCMessage *const *)member, place);
}

/* A map's entries are messages of a key (the first field) and a value. */
static void walk_entry(struct walk *walk, const struct rule_field *rules,
                       const ProtobufCMessage *entry, const struct place *place)
{
    const field_type *key = &entry->descriptor->fields[0];
    const field_type *value = &entry->descriptor->fields[1];
    const char *base = (const char *)entry;
    struct place here = {place, NULL, 0, key, base + key->offset, true};
    if (rules->keys != NULL)
        walk_value(walk, rules->keys, key, base + key->offset, &here);
    here.for_key = false;
    bool absent = value->type == PROTOBUF_C_TYPE_MESSAGE &&
                  *(void *const *)(base + value->offset) == NULL;
    if (rules->values != NULL && !absent)
        walk_value(walk, rules->values, value, base + value->offset, &here);
}

static void walk_items(struct walk *walk, const struct rule_field *rules,
                       const field_type *field, const ProtobufCMessage *message,
                       const struct place *place)
{
    const char *base = (const char *)message;
    size_t count = *(const size_t *)(base + field->quantifier_offset);
    const char *array = *(const char *const *)(base + field->offset);
    size_t stride = codec_element_size(field->type);
    for (size_t i = 0; i < count && !is_full(walk); i++) {
        const void *item = array + i * stride;
        struct place here = {place, NULL, i, NULL, NULL, false};
        if (rules->items != NULL)
            walk_value(walk, rules->items, field, item, &here);
        else
            walk_entry(walk, rules, *(const ProtobufCMessage *const *)item,
                       place);
    }
}

/* A list that is too long as a whole is not looked at in detail. */
static void walk_list(struct walk *walk, const struct rule_field *rules,
                      const field_type *field, const ProtobufCMessage *message,
                      const struct place *place)
{
    for (size_t i = 0; i < rules->own.check_count; i++) {
        const char *wrong =
            rule_check_list(walk->arena, &rules->own.checks[i], field, message);
        if (wrong == NULL)
            continue;
        report(walk, place, wrong, rules->own.checks[i].id);
        if (rules->own.checks[i].kind == RULE_MAX_ITEMS)
            return;
    }
    if (rules->items != NULL || rules->keys != NULL || rules->values != NULL)
        walk_items(walk, rules, field, message, place);
}

static bool has_presence(const field_type *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 ||
           field->label == PROTOBUF_C_LABEL_OPTIONAL ||
           field->label == PROTOBUF_C_LABEL_REQUIRED ||
           (field->type == PROTOBUF_C_TYPE_MESSAGE &&
            field->label != PROTOBUF_C_LABEL_REPEATED);
}

static void walk_field(struct walk *walk, const struct rule_field *rules,
                       const ProtobufCMessage *message,
                       const struct place *outer)
{
    const field_type *field = &message->descriptor->fields[rules->index];
    struct place place = {outer, field->name, 0, NULL, NULL, false};
    if (rules->ignore == IGNORE_ALL)
        return;
    bool is_set = codec_is_set(message, field);
    if (!is_set && rules->required) {
        report(walk, &place, "is required", "required");
        return;
    }
    if (!is_set && (has_presence(field) || rules->ignore == IGNORE_ZERO))
        return;
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        walk_list(walk, rules, field, message, &place);
    else
        walk_value(walk, &rules->own, field,
                   (const char *)message + field->offset, &place);
}

static void walk_oneof(struct walk *walk, const struct rule_oneof *oneof,
                       const ProtobufCMessage *message,
                       const struct place *outer)
{
    const field_type *member = &message->descriptor->fields[oneof->member];
    uint32_t which;
    memcpy(&which, (const char *)message + member->quantifier_offset,
           sizeof which);
    struct place place = {outer, oneof->name, 0, NULL, NULL, false};
    if (which == 0)
        report(walk, &place, "is required: set one of its fields", "required");
}

static const char *choice_text(struct arena *arena,
                               const struct rule_choice *choice,
                               const ProtobufCMessageDescriptor *type)
{
    const char *text = choice->required ? "must set exactly one of:"
                                        : "must set at most one of:";
    for (size_t i = 0; i < choice->count; i++)
        text = arena_printf(arena, "%s%s %s", text, i == 0 ? "" : ",",
                            type->fields[choice->members[i]].name);
    return text;
}

static void walk_choice(struct walk *walk, const struct rule_choice *choice,
                        const ProtobufCMessage *message,
                        const struct place *place)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    size_t set = 0;
    for (size_t i = 0; i < choice->count; i++)
        if (codec_is_set(message, &type->fields[choice->members[i]]))
            set++;
    if (set > 1 || (set == 0 && choice->required))
        report(walk, place, choice_text(walk->arena, choice, type),
               "message.oneof");
}

static void walk_message(struct walk *walk, const struct rpc_rules *rules,
                         const ProtobufCMessage *message,
                         const struct place *place)
{
    for (size_t i = 0; i < rules->field_count && !is_full(walk); i++)
        walk_field(walk, &rules->fields[i], message, place);
    for (size_t i = 0; i < rules->oneof_count; i++)
        walk_oneof(walk, &rules->oneofs[i], message, place);
    for (size_t i = 0; i < rules->choice_count; i++)
        walk_choice(walk, &rules->choices[i], message, place);
}

size_t rules_violations(struct arena *arena, const struct rpc_rules *rules,
                        const ProtobufCMessage *message,
                        struct rule_violation *violations, size_t room)
{
    struct walk walk = {arena, violations, 0, room};
    walk_message(&walk, rules, message, NULL);
    return walk.count;
}

rpc_status rpc_validate(struct rpc_call *call, const struct rpc_rules *rules,
                        const ProtobufCMessage *message)
{
    if (rules == NULL)
        return RPC_SUCCESS;
    struct rule_violation violations[VALIDATE_VIOLATIONS_MAX];
    size_t count = rules_violations(call->arena, rules, message, violations,
                                    VALIDATE_VIOLATIONS_MAX);
    if (count == 0)
        return RPC_SUCCESS;
    rpc_status status = rpc_fail_field(call, violations[0].field, "%s",
                                       violations[0].description);
    for (size_t i = 1; i < count; i++)
        rpc_add_field_violation(call, violations[i].field,
                                violations[i].description);
    return status;
}
