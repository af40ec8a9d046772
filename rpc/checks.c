/* One rule against one value, and the sentence for who broke it. */
#include "rpc/clock.h"
#include "rpc/rules.h"
#include "rpc/utf8.h"

#include "rpc/codec.h"

#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/field_mask.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef ProtobufCFieldDescriptor field_type;
typedef union rule_value value_type;

enum class { SIGNED, UNSIGNED, REAL, TEXT, SPAN };

static enum class class_of(const field_type *field) {
    switch (field->type){
        case PROTOBUF_C_TYPE_UINT32 : case PROTOBUF_C_TYPE_FIXED32 : case
        PROTOBUF_C_TYPE_UINT64 : case PROTOBUF_C_TYPE_FIXED64 : case
        PROTOBUF_C_TYPE_BOOL : return UNSIGNED;
        case PROTOBUF_C_TYPE_FLOAT : case PROTOBUF_C_TYPE_DOUBLE : return REAL;
        case PROTOBUF_C_TYPE_STRING : case PROTOBUF_C_TYPE_BYTES : return TEXT;
        case PROTOBUF_C_TYPE_MESSAGE : return SPAN;
        default : return SIGNED;
    }
}

/* Seconds and nanos of a Timestamp or Duration, which have the same layout. */
_Static_assert(offsetof(Google__Protobuf__Timestamp, seconds) ==
                       offsetof(Google__Protobuf__Duration, seconds) &&
                   offsetof(Google__Protobuf__Timestamp, nanos) ==
                       offsetof(Google__Protobuf__Duration, nanos),
               "Timestamp and Duration differ");

static struct rule_span span_of(const void *member)
{
    const Google__Protobuf__Timestamp *time =
        *(const Google__Protobuf__Timestamp *const *)member;
    return (struct rule_span){time->seconds, time->nanos};
}

static value_type text_of(const char *text)
{
    text = text == NULL ? "" : text;
    return (value_type){.text = text, .size = strlen(text)};
}

static value_type value_of(const field_type *field, const void *member)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return (value_type){.u = *(const uint32_t *)member};
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return (value_type){.u = *(const uint64_t *)member};
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return (value_type){.i = *(const int64_t *)member};
    case PROTOBUF_C_TYPE_BOOL:
        return (value_type){.u = *(const protobuf_c_boolean *)member != 0};
    case PROTOBUF_C_TYPE_FLOAT:
        return (value_type){.d = (double)*(const float *)member};
    case PROTOBUF_C_TYPE_DOUBLE:
        return (value_type){.d = *(const double *)member};
    case PROTOBUF_C_TYPE_STRING:
        return text_of(*(const char *const *)member);
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *bytes = member;
        return (value_type){.text = bytes->len == 0 ? ""
                                                    : (const char *)bytes->data,
                            .size = bytes->len};
    }
    case PROTOBUF_C_TYPE_MESSAGE:
        return (value_type){.span = span_of(member)};
    default:
        return (value_type){.i = *(const int32_t *)member};
    }
}

static int compare_span(struct rule_span a, struct rule_span b)
{
    if (a.seconds != b.seconds)
        return a.seconds < b.seconds ? -1 : 1;
    return (a.nanos > b.nanos) - (a.nanos < b.nanos);
}

static int compare_text(const value_type *a, const value_type *b)
{
    size_t shorter = a->size < b->size ? a->size : b->size;
    int order = shorter == 0 ? 0 : memcmp(a->text, b->text, shorter);
    return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

/* Negative, zero or positive.  Not-a-number is not equal to anything. */
static int compare(enum class class, const value_type *a, const value_type *b)
{
    switch (class) {
    case SIGNED:
        return (a->i > b->i) - (a->i < b->i);
    case UNSIGNED:
        return (a->u > b->u) - (a->u < b->u);
    case REAL:
        if (isnan(a->d) || isnan(b->d))
            return 1;
        return (a->d > b->d) - (a->d < b->d);
    case TEXT:
        return compare_text(a, b);
    case SPAN:
        return compare_span(a->span, b->span);
    }
    return 0;
}

/* Sentences */

static const char *span_text(struct arena *arena, struct rule_span span,
                             bool is_duration)
{
    if (is_duration)
        return arena_printf(arena, "%" PRId64 ".%03d s", span.seconds,
                            abs(span.nanos / 1000000));
    struct tm parts;
    time_t seconds = (time_t)span.seconds;
    char text[40];
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        return arena_printf(arena, "second %" PRId64, span.seconds);
    return arena_strdup(arena, text);
}

static bool is_duration(const field_type *field)
{
    return field->descriptor == &google__protobuf__duration__descriptor;
}

static const char *number_text(struct arena *arena, const field_type *field,
                               const value_type *value)
{
    if (field->type == PROTOBUF_C_TYPE_BOOL)
        return value->u != 0 ? "true" : "false";
    switch (class_of(field)) {
    case UNSIGNED:
        return arena_printf(arena, "%" PRIu64, value->u);
    case REAL:
        return arena_printf(arena, "%g", value->d);
    case TEXT:
        return field->type == PROTOBUF_C_TYPE_BYTES
                   ? "the given bytes"
                   : arena_printf(arena, "\"%s\"", value->text);
    case SPAN:
        return span_text(arena, value->span, is_duration(field));
    case SIGNED:
        break;
    }
    return arena_printf(arena, "%" PRId64, value->i);
}

/* As number_text(), but a value of an enum by its name. */
static const char *value_text(struct arena *arena, const field_type *field,
                              const value_type *value)
{
    if (field->type != PROTOBUF_C_TYPE_ENUM)
        return number_text(arena, field, value);
    const ProtobufCEnumValue *named =
        protobuf_c_enum_descriptor_get_value(field->descriptor, (int)value->i);
    return named != NULL ? named->name : number_text(arena, field, value);
}

/* What the caller sent, for the end of a sentence; a text may be long, or a
 * secret, and is not repeated. */
static const char *is_now(struct arena *arena, const field_type *field,
                          const value_type *value)
{
    if (class_of(field) == TEXT)
        return "";
    return arena_printf(arena, ", is %s", value_text(arena, field, value));
}

static const char *list_text(struct arena *arena, const field_type *field,
                             const struct rule_check *check)
{
    const char *text = "";
    for (uint32_t i = 0; i < check->count; i++)
        text = arena_printf(arena, "%s%s%s", text, i == 0 ? "" : ", ",
                            value_text(arena, field, &check->list[i]));
    return text;
}

/* Values */

static bool is_in_list(const struct rule_check *check, enum class class,
                       const value_type *value)
{
    for (uint32_t i = 0; i < check->count; i++)
        if (compare(class, value, &check->list[i]) == 0)
            return true;
    return false;
}

static const char *bound_text(struct arena *arena, const field_type *field,
                              const value_type *bound, bool upper, bool strict)
{
    const char *words = upper    ? strict ? "less than" : "at most"
                        : strict ? "greater than"
                                 : "at least";
    return arena_printf(arena, "%s %s", words, value_text(arena, field, bound));
}

static const char *check_range(struct arena *arena,
                               const struct rule_check *check,
                               const field_type *field, const value_type *value)
{
    enum class class = class_of(field);
    unsigned flags = check->flags;
    bool not_a_number = class == REAL && isnan(value->d);
    int lower = compare(class, value, &check->a);
    int upper = compare(class, value, &check->b);
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
                        value_text(arena, field, part));
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
    if (is_duration(field)) {
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
        return compare_span(span, present) < 0 ? NULL : "must be in the past";
    if (check->kind == RULE_GT_NOW)
        return compare_span(span, present) > 0 ? NULL : "must be in the future";
    struct rule_span first = add(present, check->a.span, -1);
    struct rule_span last = add(present, check->a.span, 1);
    if (compare_span(span, first) >= 0 && compare_span(span, last) <= 0)
        return NULL;
    return arena_printf(arena, "must be within %s of now",
                        span_text(arena, check->a.span, true));
}

/* Field masks */

static bool is_below(const char *path, const value_type *parent)
{
    return strncmp(path, parent->text, parent->size) == 0 &&
           (path[parent->size] == '\0' || path[parent->size] == '.');
}

static const char *check_mask(struct arena *arena,
                              const struct rule_check *check,
                              const void *member)
{
    const Google__Protobuf__FieldMask *mask =
        *(const Google__Protobuf__FieldMask *const *)member;
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
    enum class class = class_of(field);
    if (check->kind == RULE_CONST) {
        if (compare(class, value, &check->a) == 0)
            return NULL;
        return arena_printf(arena, "must be %s%s",
                            value_text(arena, field, &check->a),
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

static const char *check_pattern(struct arena *arena,
                                 const struct rule_check *check,
                                 const value_type *value)
{
    if (regex_matches(&check->a.pattern->regex, arena, value->text,
                      value->size))
        return NULL;
    return arena_printf(arena, "must match %s", check->a.pattern->text);
}

static const char *check_format(struct arena *arena,
                                const struct rule_check *check,
                                const value_type *value)
{
    if (format_matches((enum rule_format)check->a.u, value->text))
        return NULL;
    return arena_printf(arena, "must be %s",
                        format_name((enum rule_format)check->a.u));
}

const char *rule_check_value(struct arena *arena,
                             const struct rule_check *check,
                             const field_type *field, const void *member)
{
    if (check->kind == RULE_MASK_IN || check->kind == RULE_MASK_NOT_IN)
        return check_mask(arena, check, member);
    value_type value = value_of(field, member);
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
        return check_pattern(arena, check, &value);
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

/* Lists */

struct item {
    value_type value;
    size_t index;
    enum class class;
};

static int compare_items(const void *a, const void *b)
{
    const struct item *left = a, *right = b;
    int order = compare(left->class, &left->value, &right->value);
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
        items[i] = (struct item){value_of(field, array + i * stride), i,
                                 class_of(field)};
    qsort(items, count, sizeof *items, compare_items);
    for (size_t i = 1; i < count; i++)
        if (compare(items[i].class, &items[i - 1].value, &items[i].value) == 0)
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
