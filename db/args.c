/* Arguments in the binary format of the type that PostgreSQL deduced, where
 * that saves it work, and otherwise as text, which every type understands. */
#include "db/args.h"

#include "db/type.h"
#include "rpc/enum_name.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ----------------------------------------------------------- constructors */

db_arg db_null(void)
{
    return (db_arg){.type = DB_NULL};
}

db_arg db_text(const char *text)
{
    if (text == NULL)
        return db_null();
    return (db_arg){.type = DB_TEXT, .text = text};
}

db_arg db_text_or_null(const char *text)
{
    return text == NULL || *text == '\0' ? db_null() : db_text(text);
}

db_arg db_int(int64_t number)
{
    return (db_arg){.type = DB_INT, .number = number};
}

db_arg db_double(double number)
{
    return (db_arg){.type = DB_DOUBLE, .real = number};
}

db_arg db_bool(bool value)
{
    return (db_arg){.type = DB_BOOL, .number = value};
}

db_arg db_bytes(const void *bytes, size_t size)
{
    if (bytes == NULL)
        return size == 0 ? db_null()
                         : (assert(!"bytes are missing"), db_null());
    return (db_arg){.type = DB_BYTES, .bytes = bytes, .count = size};
}

db_arg db_time_us(int64_t wall_us)
{
    return (db_arg){.type = DB_TIME, .number = wall_us};
}

db_arg db_time(const Google__Protobuf__Timestamp *time)
{
    if (time == NULL)
        return db_null();
    return db_time_us(time->seconds * type_us + time->nanos / 1000);
}

db_arg db_texts(const char *const *texts, size_t count)
{
    return (db_arg){.type = DB_TEXTS, .texts = texts, .count = count};
}

db_arg db_ints(const int64_t *numbers, size_t count)
{
    return (db_arg){.type = DB_INTS, .numbers = numbers, .count = count};
}

db_arg db_blobs(const ProtobufCBinaryData *blobs, size_t count)
{
    return (db_arg){.type = DB_BLOBS, .blobs = blobs, .count = count};
}

db_arg db_enum(const ProtobufCEnumDescriptor *type, int value)
{
    return value == 0 ? db_null() : db_text(enum_name(type, value));
}

/* A value that the enum does not have is left out, as 0 is. */
db_arg db_enums(struct arena *arena, const ProtobufCEnumDescriptor *type,
                const void *values, size_t count)
{
    const int32_t *numbers = values;
    const char **texts = arena_array(arena, count, sizeof *texts);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        db_arg one = db_enum(type, numbers[i]);
        if (one.type == DB_TEXT)
            texts[n++] = one.text;
    }
    return db_texts(texts, n);
}

db_arg db_enums_or_all(struct arena *arena, const ProtobufCEnumDescriptor *type,
                       const void *values, size_t count)
{
    return count == 0 ? db_null() : db_enums(arena, type, values, count);
}

/* --------------------------------------------------------------- encoding */

/* One parameter on its way into `params`. */
struct slot {
    struct rpc_call *call;
    const struct db_query *query;
    struct params *params;
    int index;
    uint32_t oid;
};

static rpc_status put(struct slot *s, const void *bytes, size_t size,
                      bool binary)
{
    if (size > INT32_MAX / 2)
        return rpc_fail(s->call, RPC_INVALID_ARGUMENT, "a value is too long");
    s->params->values[s->index] = bytes;
    s->params->sizes[s->index] = (int)size;
    s->params->formats[s->index] = binary;
    return RPC_SUCCESS;
}

static rpc_status put_text(struct slot *s, const char *text)
{
    return put(s, text, strlen(text), false);
}

static rpc_status not_fit(struct slot *s, const char *what)
{
    return rpc_fail(s->call, RPC_INVALID_ARGUMENT, "%s", what);
}

static bool uuid_into(const char *text, void *bytes)
{
    return text != NULL && type_uuid_parse(text, bytes);
}

static rpc_status put_string(struct slot *s, const db_arg *arg)
{
    if (s->oid != TYPE_UUID)
        return s->oid == TYPE_BYTEA ? put(s, arg->text, strlen(arg->text), true)
                                    : put_text(s, arg->text);
    uint8_t *bytes = arena_alloc(s->call->arena, 16);
    if (!uuid_into(arg->text, bytes))
        return not_fit(s, "an id is not a UUID");
    return put(s, bytes, 16, true);
}

/* The size of an integer type, 0 for another one. */
static size_t int_size(uint32_t oid)
{
    switch (oid) {
    case TYPE_BOOL:
        return 1;
    case TYPE_INT2:
        return 2;
    case TYPE_INT4:
        return 4;
    case TYPE_INT8:
        return 8;
    default:
        return 0;
    }
}

static bool int_fits(int64_t number, size_t size)
{
    if (size == 1)
        return number == 0 || number == 1;
    int64_t max = (int64_t)(UINT64_MAX >> (65 - 8 * size));
    return number >= -max - 1 && number <= max;
}

static void int_into(int64_t number, size_t size, void *bytes)
{
    uint8_t wide[8];
    type_put64(wide, (uint64_t)number);
    memcpy(bytes, wide + 8 - size, size);
}

static rpc_status put_double(struct slot *s, double real);

static rpc_status put_int(struct slot *s, int64_t number)
{
    size_t size = int_size(s->oid);
    if (s->oid == TYPE_FLOAT4 || s->oid == TYPE_FLOAT8)
        return put_double(s, (double)number);
    if (size == 0)
        return put_text(s, arena_printf(s->call->arena, "%" PRId64, number));
    if (!int_fits(number, size))
        return not_fit(s, "a number is out of range");
    char *bytes = arena_alloc(s->call->arena, size);
    int_into(number, size, bytes);
    return put(s, bytes, size, true);
}

static rpc_status put_double(struct slot *s, double real)
{
    char *bytes = arena_alloc(s->call->arena, 32);
    uint64_t wide;
    uint32_t narrow;
    float single = (float)real;
    switch (s->oid) {
    case TYPE_FLOAT8:
        memcpy(&wide, &real, sizeof wide);
        type_put64(bytes, wide);
        return put(s, bytes, 8, true);
    case TYPE_FLOAT4:
        memcpy(&narrow, &single, sizeof narrow);
        type_put32(bytes, narrow);
        return put(s, bytes, 4, true);
    default:
        snprintf(bytes, 32, "%.17g", real);
        return put_text(s, bytes);
    }
}

static rpc_status put_bool(struct slot *s, const db_arg *arg)
{
    if (int_size(s->oid) > 0)
        return put_int(s, arg->number);
    return put_text(s, arg->number ? "true" : "false");
}

/* Microseconds since 1970, which holds the years -4713 to 294,276. */
static rpc_status put_time(struct slot *s, int64_t wall_us)
{
    enum { ROOM = TYPE_DATE_TEXT + TYPE_TIME_TEXT + 4 };
    int64_t us;
    if (__builtin_sub_overflow(wall_us, type_epoch_s * type_us, &us) ||
        us < -211813488000 * type_us || us >= 9223371331200 * type_us)
        return not_fit(s, "a time is out of range");
    char *bytes = arena_alloc(s->call->arena, 8);
    type_put64(bytes, (uint64_t)us);
    if (s->oid == TYPE_TIMESTAMPTZ || s->oid == TYPE_TIMESTAMP)
        return put(s, bytes, 8, true);
    char *text = arena_alloc(s->call->arena, ROOM);
    type_timestamp_text(bytes, 8, text);
    text[strlen(text)] = 'Z'; /* the arena's memory is zero behind it */
    return put_text(s, text);
}

/* ----------------------------------------------------------------- arrays */

/* Dimensions, has-null flag, element type, then per dimension its size and
 * lower bound, then per element its size and bytes. */
enum { ARRAY_HEADER = 20 };

static char *array_start(struct slot *s, uint32_t element, size_t count,
                         size_t elements_size)
{
    char *bytes = arena_alloc(s->call->arena, ARRAY_HEADER + elements_size);
    type_put32(bytes, 1);
    type_put32(bytes + 8, element);
    type_put32(bytes + 12, (uint32_t)count);
    type_put32(bytes + 16, 1);
    return bytes;
}

static rpc_status put_ints(struct slot *s, const db_arg *arg)
{
    uint32_t element = type_element(s->oid);
    size_t size = int_size(element);
    if (size == 0)
        return rpc_fail(s->call, RPC_INTERNAL,
                        "%s: $%d is no array of integers", s->query->name,
                        s->index + 1);
    char *bytes = array_start(s, element, arg->count, arg->count * (4 + size));
    char *at = bytes + ARRAY_HEADER;
    for (size_t i = 0; i < arg->count; i++, at += 4 + size) {
        if (!int_fits(arg->numbers[i], size))
            return not_fit(s, "a number is out of range");
        type_put32(at, (uint32_t)size);
        int_into(arg->numbers[i], size, at + 4);
    }
    return put(s, bytes, (size_t)(at - bytes), true);
}

static rpc_status put_uuids(struct slot *s, const db_arg *arg)
{
    char *bytes = array_start(s, TYPE_UUID, arg->count, arg->count * 20);
    char *at = bytes + ARRAY_HEADER;
    for (size_t i = 0; i < arg->count; i++, at += 20) {
        type_put32(at, 16);
        if (!uuid_into(arg->texts[i], at + 4))
            return not_fit(s, "an id is not a UUID");
    }
    return put(s, bytes, (size_t)(at - bytes), true);
}

static rpc_status put_blobs(struct slot *s, const ProtobufCBinaryData *blobs,
                            size_t count, uint32_t element)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += 4 + blobs[i].len;
    char *bytes = array_start(s, element, count, total);
    char *at = bytes + ARRAY_HEADER;
    for (size_t i = 0; i < count; i++) {
        type_put32(at, (uint32_t)blobs[i].len);
        if (blobs[i].len > 0)
            memcpy(at + 4, blobs[i].data, blobs[i].len);
        at += 4 + blobs[i].len;
    }
    return put(s, bytes, (size_t)(at - bytes), true);
}

static char *quote_element(char *at, const char *text)
{
    *at++ = '"';
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            *at++ = '\\';
        *at++ = *text;
    }
    *at++ = '"';
    return at;
}

/* {"a","b"}: for arrays whose element type has its own OID (citext, enums). */
static rpc_status put_array_literal(struct slot *s, const db_arg *arg)
{
    size_t room = 3;
    for (size_t i = 0; i < arg->count; i++)
        room += 2 * strlen(arg->texts[i]) + 3;
    char *text = arena_alloc(s->call->arena, room);
    char *at = text;
    *at++ = '{';
    for (size_t i = 0; i < arg->count; i++) {
        if (i > 0)
            *at++ = ',';
        at = quote_element(at, arg->texts[i]);
    }
    *at++ = '}';
    return put(s, text, (size_t)(at - text), false);
}

static rpc_status put_texts(struct slot *s, const db_arg *arg)
{
    if (s->oid == TYPE_UUID_ARRAY)
        return put_uuids(s, arg);
    if (s->oid != TYPE_TEXT_ARRAY && s->oid != TYPE_VARCHAR_ARRAY)
        return put_array_literal(s, arg);
    ProtobufCBinaryData *blobs =
        arena_array(s->call->arena, arg->count, sizeof *blobs);
    for (size_t i = 0; i < arg->count; i++)
        blobs[i] = (ProtobufCBinaryData){strlen(arg->texts[i]),
                                         (uint8_t *)arg->texts[i]};
    return put_blobs(s, blobs, arg->count, type_element(s->oid));
}

/* ---------------------------------------------------------------- top level */

static rpc_status put_arg(struct slot *s, const db_arg *arg)
{
    switch (arg->type) {
    case DB_NULL:
        return RPC_SUCCESS;
    case DB_TEXT:
        return put_string(s, arg);
    case DB_INT:
        return put_int(s, arg->number);
    case DB_DOUBLE:
        return put_double(s, arg->real);
    case DB_BOOL:
        return put_bool(s, arg);
    case DB_BYTES:
        return put(s, arg->bytes, arg->count, true);
    case DB_TIME:
        return put_time(s, arg->number);
    case DB_TEXTS:
        return put_texts(s, arg);
    case DB_INTS:
        return put_ints(s, arg);
    case DB_BLOBS:
        return put_blobs(s, arg->blobs, arg->count, TYPE_BYTEA);
    }
    return rpc_fail(s->call, RPC_INTERNAL, "%s: $%d has no type",
                    s->query->name, s->index + 1);
}

rpc_status args_encode(struct rpc_call *call, const struct db_query *query,
                       const uint32_t *oids, const db_arg *args, size_t count,
                       struct params *params)
{
    bool none = count == 1 && args[0].type == DB_NULL; /* DB_NONE */
    if (query->param_count == 0 && none)
        count = 0;
    if (count != (size_t)query->param_count)
        return rpc_fail(call, RPC_INTERNAL, "%s takes %d arguments, not %zu",
                        query->name, query->param_count, count);
    *params = (struct params){
        .count = (int)count,
        .values = arena_array(call->arena, count, sizeof *params->values),
        .sizes = arena_array(call->arena, count, sizeof *params->sizes),
        .formats = arena_array(call->arena, count, sizeof *params->formats),
    };
    for (size_t i = 0; i < count; i++) {
        struct slot s = {call, query, params, (int)i, oids[i]};
        TRY(put_arg(&s, &args[i]));
    }
    return RPC_SUCCESS;
}
