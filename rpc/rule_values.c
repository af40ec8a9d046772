/* Values of fields as rules see them: read, compared and written down. */
#include "rpc/rule_values.h"

#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef ProtobufCFieldDescriptor field_type;
typedef union rule_value value_type;

enum rule_class rule_class_of(const field_type *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_BOOL:
        return CLASS_UNSIGNED;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        return CLASS_REAL;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
        return CLASS_TEXT;
    case PROTOBUF_C_TYPE_MESSAGE:
        return CLASS_SPAN;
    default:
        return CLASS_SIGNED;
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

value_type rule_value_of(const field_type *field, const void *member)
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

int rule_compare_span(struct rule_span a, struct rule_span b)
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
int rule_compare(enum rule_class class, const value_type *a,
                 const value_type *b)
{
    switch (class) {
    case CLASS_SIGNED:
        return (a->i > b->i) - (a->i < b->i);
    case CLASS_UNSIGNED:
        return (a->u > b->u) - (a->u < b->u);
    case CLASS_REAL:
        if (isnan(a->d) || isnan(b->d))
            return 1;
        return (a->d > b->d) - (a->d < b->d);
    case CLASS_TEXT:
        return compare_text(a, b);
    case CLASS_SPAN:
        return rule_compare_span(a->span, b->span);
    case CLASS_PATTERN:
        break; /* has no order, and is compared with nothing */
    }
    return 0;
}

/* Sentences */

const char *rule_span_text(struct arena *arena, struct rule_span span,
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

bool rule_is_duration(const field_type *field)
{
    return field->descriptor == &google__protobuf__duration__descriptor;
}

static const char *number_text(struct arena *arena, const field_type *field,
                               const value_type *value)
{
    if (field->type == PROTOBUF_C_TYPE_BOOL)
        return value->u != 0 ? "true" : "false";
    switch (rule_class_of(field)) {
    case CLASS_UNSIGNED:
        return arena_printf(arena, "%" PRIu64, value->u);
    case CLASS_REAL:
        return arena_printf(arena, "%g", value->d);
    case CLASS_TEXT:
        return field->type == PROTOBUF_C_TYPE_BYTES
                   ? "the given bytes"
                   : arena_printf(arena, "\"%s\"", value->text);
    case CLASS_SPAN:
        return rule_span_text(arena, value->span, rule_is_duration(field));
    default:
        break;
    }
    return arena_printf(arena, "%" PRId64, value->i);
}

/* As number_text(), but a value of an enum by its name. */
const char *rule_value_text(struct arena *arena, const field_type *field,
                            const value_type *value)
{
    if (field->type != PROTOBUF_C_TYPE_ENUM)
        return number_text(arena, field, value);
    const ProtobufCEnumValue *named =
        protobuf_c_enum_descriptor_get_value(field->descriptor, (int)value->i);
    return named != NULL ? named->name : number_text(arena, field, value);
}
