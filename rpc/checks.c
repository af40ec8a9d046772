/* One rule against one value, and the sentence for who broke it. */
#include "rpc/clock.h"
#include "rpc/codec.h"
#include "rpc/formats.h"
#include "rpc/rule_values.h"
#include "rpc/utf8.h"

#include <google/protobuf/field_mask.pb-c.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef ProtobufCFieldDescriptor field_type;
typedef union rule_value value_type;

/* What the caller sent, for the end of a sentence; a text may be long, or a
 * secret, and is not repeated. */
static const char *is_now(struct arena *arena, const field_type *field,
                          const value_type *value)
{
    if (rule_class_of(field) == CLASS_TEXT)
        return "";
    return arena_printf(arena, ", is %s", rule_value_text(arena, field, value));
}

static const char *list_text(struct arena *arena, const field_type *field,
                             const struct rule_check *check)
{
    const char *text = "";
    for (uint32_t i = 0; i < check->count; i++)
        text = arena_printf(arena, "%s%s%s", text, i == 0 ? "" : ", ",
                            rule_value_text(arena, field, &check->list[i]));
    return text;
}

/* Values */

static bool is_in_list(const struct rule_check *check, enum rule_class class,
                       const value_type *value)
{
    for (uint32_t i = 0; i < check->count; i++)
        if (rule_compare(class, value, &check->list[i]) == 0)
            return true;
    return false;
}

static const char *bound_text(struct arena *arena, const field_type *field,
                              const value_type *bound, bool upper, bool strict)
{
    const char *words = upper    ? strict ? "less than" : "at most"
                        : strict ? "greater than"
                                 : "at least";
    return arena_printf(arena, "%s %s", words,
                        rule_value_text(arena, field, bound));
}

static const char *check_range(struct arena *arena,
                               const struct rule_check *check,
                               const field_type *field, const value_type *value)
{
    enum rule_class class = check->class;
    unsigned flags = check->flags;
    bool not_a_number = class == CLASS_REAL && isnan(value->d);
    int lower = rule_compare(class, value, &check->a);
    int upper = rule_compare(class, value, &check->b);
    bool above = !(flags & RANGE_LOWER) ||
                 (flags & RANGE_LOWER_STRICT ? lower > 0 : lower >= 0);
    bool below = !(flags & RANGE_UPPER) ||
                 (flags & RANGE_UPPER_STRICT ? upper < 0 : upper <= 0);
    bool passes = flags & RANGE_OUTSIDE ? above || below : above && below;
    if (passes && !not_a_number)
        return NULL;

    const char *low =
        bound_text(arena, field, &check->a, false, flags & RANGE_LOWER_STRICT);
    const char *high =
        bound_text(arena, field, &check->b, true, flags & RANGE_UPPER_STRICT);
    const char *now = is_now(arena, field, value);
    if (!(flags & RANGE_UPPER))
        return arena_printf(arena, "must be %s%s", low, now);
    if (!(flags & RANGE_LOWER))
        return arena_printf(arena, "must be %s%s", high, now);
    return arena_printf(arena, "must be %s %s %s%s", low,
                        flags & RANGE_OUTSIDE ? "or" : "and", high, now);
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static const char *check_count(struct arena *arena, enum rule_kind kind,
                               uint64_t wanted, uint64_t count,
                               const char *unit)
{
    const char *words = "exactly";
    bool passes = count == wanted;
    if (kind == RULE_MIN_LEN || kind == RULE_MIN_BYTES ||
        kind == RULE_MIN_ITEMS) {
        words = "at least";
        passes = count >= wanted;
    } else if (kind == RULE_MAX_LEN || kind == RULE_MAX_BYTES ||
               kind == RULE_MAX_ITEMS) {
        words = "at most";
        passes = count <= wanted;
    }
    if (passes)
        return NULL;
    return arena_printf(arena, "must have %s %" PRIu64 " %s%s, has %" PRIu64,
                        words, wanted, unit, plural(wanted), count);
}

static const char *check_length(struct arena *arena,
                                const struct rule_check *check,
                                const field_type *field,
                                const value_type *value)
{
    bool characters =
        field->type == PROTOBUF_C_TYPE_STRING && check->kind <= RULE_MAX_LEN;
    uint64_t count =
        characters ? utf8_length(value->text, value->size) : value->size;
    return check_count(arena, check->kind, check->a.u, count,
                       characters ? "character" : "byte");
}

static const char *check_part(struct arena *arena,
                              const struct rule_check *check,
                              const field_type *field, const value_type *value)
{
    const value_type *part = &check->a;
    const char *words = "contain";
    bool passes;
    if (check->kind == RULE_PREFIX) {
        words = "start with";
        passes = value->size >= part->size &&
                 memcmp(value->text, part->text, part->size) == 0;
    } else if (check->kind == RULE_SUFFIX) {
        words = "end with";
        passes = value->size >= part->size &&
                 memcmp(value->text + value->size - part->size, part->text,
                        part->size) == 0;
    } else {
        passes =
            memmem(value->text, value->size, part->text, part->size) != NULL;
        if (check->kind == RULE_NOT_CONTAINS) {
            words = "not contain";
            passes = !passes;
        }
    }
    if (passes)
        return NULL;
    return arena_printf(arena, "must %s %s", words,
                        rule_value_text(arena, field, part));
}

static const char *check_defined(struct arena *arena, const field_type *field,
                                 const value_type *value)
{
    const ProtobufCEnumDescriptor *type = field->descriptor;
    if (protobuf_c_enum_descriptor_get_value(type, (int)value->i) != NULL)
        return NULL;
    return arena_printf(arena, "must be a value of %s, is %" PRId64,
                        type->short_name, value->i);
}

/* Times */

/* Years 1 to 9999, as timestamp.proto says; 10,000 years, as duration.proto. */
enum { NANOS = 1000000000 };
#define TIMESTAMP_MIN INT64_C(-62135596800)
#define TIMESTAMP_MAX INT64_C(253402300799)
#define DURATION_MAX INT64_C(315576000000)

static const char *check_time(const field_type *field, struct rule_span span)
{
    if (rule_is_duration(field)) {
        bool one_sign = (span.seconds <= 0 || span.nanos >= 0) &&
                        (span.seconds >= 0 || span.nanos <= 0);
        if (span.seconds >= -DURATION_MAX && span.seconds <= DURATION_MAX &&
            span.nanos > -NANOS && span.nanos < NANOS && one_sign)
            return NULL;
        return "must be a duration of at most 10,000 years";
    }
    if (span.seconds >= TIMESTAMP_MIN && span.seconds <= TIMESTAMP_MAX &&
        span.nanos >= 0 && span.nanos < NANOS)
        return NULL;
    return "must be a moment in the years 1 to 9999";
}

static struct rule_span now(void)
{
    int64_t us = clock_wall_us();
    return (struct rule_span){us / 1000000, (int32_t)(us % 1000000) * 1000};
}

/* Both are normal: seconds are some 10^11 at most, and nothing overflows. */
static struct rule_span add(struct rule_span a, struct rule_span b, int sign)
{
    int64_t nanos = (int64_t)a.nanos + sign * (int64_t)b.nanos;
    int64_t carry = nanos < 0 ? -1 : nanos / NANOS;
    return (struct rule_span){a.seconds + sign * b.seconds + carry,
                              (int32_t)(nanos - carry * NANOS)};
}

static const char *check_now(struct arena *arena,
                             const struct rule_check *check,
                             struct rule_span span)
{
    struct rule_span present = now();
    if (check->kind == RULE_LT_NOW)
        return rule_compare_span(span, present) < 0 ? NULL
                                                    : "must be in the past";
    if (check->kind == RULE_GT_NOW)
        return rule_compare_span(span, present) > 0 ? NULL
                                                    : "must be in the future";
    struct rule_span first = add(present, check->a.span, -1);
    struct rule_span last = add(present, check->a.span, 1);
    if (rule_compare_span(span, first) >= 0 &&
        rule_compare_span(span, last) <= 0)
        return NULL;
    return arena_printf(arena, "must be within %s of now",
                        rule_span_text(arena, check->a.span, true));
}

/* Field masks */

static bool is_below(const char *path, const value_type *parent)
{
    return strncmp(path, parent->text, parent->size) == 0 &&
           (path[parent->size] == '\0' || path[parent->size] == '.');
}

static const char *check_mask_const(struct arena *arena,
                                    const struct rule_check *check,
                                    const Google__Protobuf__FieldMask *mask)
{
    bool same = mask->n_paths == check->count;
    for (uint32_t i = 0; i < check->count && same; i++)
        same = strcmp(mask->paths[i], check->list[i].text) == 0;
    if (same)
        return NULL;
    const char *text = "must name exactly:";
    for (uint32_t i = 0; i < check->count; i++)
        text = arena_printf(arena, "%s%s %s", text, i == 0 ? "" : ",",
                            check->list[i].text);
    return text;
}

static const char *check_mask(struct arena *arena,
                              const struct rule_check *check,
                              const void *member)
{
    const Google__Protobuf__FieldMask *mask =
        *(const Google__Protobuf__FieldMask *const *)member;
    if (check->kind == RULE_MASK_CONST)
        return check_mask_const(arena, check, mask);
    for (size_t i = 0; i < mask->n_paths; i++) {
        bool listed = false;
        for (uint32_t j = 0; j < check->count && !listed; j++)
            listed = is_below(mask->paths[i], &check->list[j]);
        if (listed != (check->kind == RULE_MASK_IN))
            return arena_printf(arena, "must not name \"%.100s\"",
                                mask->paths[i]);
    }
    return NULL;
}

static const char *check_equal(struct arena *arena,
                               const struct rule_check *check,
                               const field_type *field, const value_type *value)
{
    enum rule_class class = check->class;
    if (check->kind == RULE_CONST) {
        if (rule_compare(class, value, &check->a) == 0)
            return NULL;
        return arena_printf(arena, "must be %s%s",
                            rule_value_text(arena, field, &check->a),
                            is_now(arena, field, value));
    }
    if (is_in_list(check, class, value) == (check->kind == RULE_IN))
        return NULL;
    /* `not_in: [0]` is how a .proto says that an enum must be chosen. */
    if (check->kind == RULE_NOT_IN && field->type == PROTOBUF_C_TYPE_ENUM &&
        value->i == 0)
        return "must be set";
    return arena_printf(arena, "must %sbe one of: %s",
                        check->kind == RULE_IN ? "" : "not ",
                        list_text(arena, field, check));
}

/* Bytes may hold what no text does: NUL between pieces of text is all right. */
static bool is_utf8(const value_type *value)
{
    const char *end = value->text + value->size;
    for (const char *at = value->text; at < end; at++) {
        const char *stop = memchr(at, '\0', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        if (!utf8_is_text(at, (size_t)(stop - at)))
            return false;
        at = stop;
    }
    return true;
}

static bool is_unreadable(const struct rule_check *check,
                          const field_type *field, const value_type *value)
{
    return check->kind == RULE_PATTERN &&
           field->type == PROTOBUF_C_TYPE_BYTES && !is_utf8(value);
}

static const char *check_pattern(struct arena *arena,
                                 const struct rule_check *check,
                                 const field_type *field,
                                 const value_type *value)
{
    if (is_unreadable(check, field, value))
        return "must be UTF-8, to be matched with a pattern";
    if (regex_matches(&check->a.pattern->regex, value->text, value->size))
        return NULL;
    return arena_printf(arena, "must match %s", check->a.pattern->text);
}

static const char *check_format(struct arena *arena,
                                const struct rule_check *check,
                                const value_type *value)
{
    if (format_matches((enum rule_format)check->a.u, value->text, value->size))
        return NULL;
    return arena_printf(arena, "must be %s",
                        format_name((enum rule_format)check->a.u));
}

const char *rule_check_value(struct arena *arena,
                             const struct rule_check *check,
                             const field_type *field, const void *member)
{
    if (check->kind >= RULE_MASK_CONST)
        return check_mask(arena, check, member);
    value_type value = rule_value_of(field, member);
    switch ((enum rule_kind)check->kind) {
    case RULE_CONST:
    case RULE_IN:
    case RULE_NOT_IN:
        return check_equal(arena, check, field, &value);
    case RULE_RANGE:
        return check_range(arena, check, field, &value);
    case RULE_FINITE:
        return isfinite(value.d) ? NULL : "must be a finite number";
    case RULE_PATTERN:
        return check_pattern(arena, check, field, &value);
    case RULE_PREFIX:
    case RULE_SUFFIX:
    case RULE_CONTAINS:
    case RULE_NOT_CONTAINS:
        return check_part(arena, check, field, &value);
    case RULE_FORMAT:
        return check_format(arena, check, &value);
    case RULE_DEFINED_ONLY:
        return check_defined(arena, field, &value);
    case RULE_VALID_TIME:
        return check_time(field, value.span);
    case RULE_LT_NOW:
    case RULE_GT_NOW:
    case RULE_WITHIN:
        return check_now(arena, check, value.span);
    default:
        return check_length(arena, check, field, &value);
    }
}

const char *rule_check_id(struct arena *arena, const struct rule_check *check,
                          const field_type *field, const void *member)
{
    if (check->kind != RULE_FORMAT && check->kind != RULE_PATTERN)
        return check->id;
    value_type value = rule_value_of(field, member);
    if (check->kind == RULE_FORMAT && value.size == 0)
        return arena_printf(arena, "%s_empty", check->id);
    if (is_unreadable(check, field, &value))
        return arena_printf(arena, "%s_not_utf8", check->id);
    return check->id;
}

/* Lists */

struct item {
    value_type value;
    size_t index;
    enum rule_class class;
};

static int compare_items(const void *a, const void *b)
{
    const struct item *left = a, *right = b;
    if (left->class == CLASS_REAL) { /* not-a-number goes last */
        int order = isnan(left->value.d) - isnan(right->value.d);
        if (order != 0)
            return order;
    }
    int order = rule_compare(left->class, &left->value, &right->value);
    if (order != 0)
        return order;
    return (left->index > right->index) - (left->index < right->index);
}

/* By sorting: a list of a million must not take a million squared. */
static const char *check_unique(struct arena *arena, const field_type *field,
                                const char *array, size_t count)
{
    struct item *items = arena_array(arena, count, sizeof *items);
    size_t stride = codec_element_size(field->type);
    for (size_t i = 0; i < count; i++)
        items[i] = (struct item){rule_value_of(field, array + i * stride), i,
                                 rule_class_of(field)};
    qsort(items, count, sizeof *items, compare_items);
    for (size_t i = 1; i < count; i++)
        if (rule_compare(items[i].class, &items[i - 1].value,
                         &items[i].value) == 0)
            return arena_printf(arena,
                                "must have different items; %zu and %zu are "
                                "the same",
                                items[i - 1].index, items[i].index);
    return NULL;
}

const char *rule_check_list(struct arena *arena, const struct rule_check *check,
                            const field_type *field,
                            const ProtobufCMessage *message)
{
    const char *base = (const char *)message;
    size_t count = *(const size_t *)(base + field->quantifier_offset);
    if (check->kind == RULE_UNIQUE)
        return check_unique(
            arena, field, *(const char *const *)(base + field->offset), count);
    return check_count(arena, check->kind, check->a.u, count, "item");
}
