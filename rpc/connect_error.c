#include "rpc/connect_error.h"

#include "rpc/base64.h"
#include "rpc/codec.h"
#include "rpc/json_types.h"
#include "rpc/json_write.h"
#include "rpc/metadata.h"

#include "google/rpc/status.pb-c.h"

#include <string.h>

static const struct {
    const char *name;
    const char *http_status;
} codes[RPC_CODE_COUNT] = {
    [RPC_OK] = {"ok", "200"},
    [RPC_CANCELLED] = {"canceled", "499"},
    [RPC_UNKNOWN] = {"unknown", "500"},
    [RPC_INVALID_ARGUMENT] = {"invalid_argument", "400"},
    [RPC_DEADLINE_EXCEEDED] = {"deadline_exceeded", "504"},
    [RPC_NOT_FOUND] = {"not_found", "404"},
    [RPC_ALREADY_EXISTS] = {"already_exists", "409"},
    [RPC_PERMISSION_DENIED] = {"permission_denied", "403"},
    [RPC_RESOURCE_EXHAUSTED] = {"resource_exhausted", "429"},
    [RPC_FAILED_PRECONDITION] = {"failed_precondition", "400"},
    [RPC_ABORTED] = {"aborted", "409"},
    [RPC_OUT_OF_RANGE] = {"out_of_range", "400"},
    [RPC_UNIMPLEMENTED] = {"unimplemented", "501"},
    [RPC_INTERNAL] = {"internal", "500"},
    [RPC_UNAVAILABLE] = {"unavailable", "503"},
    [RPC_DATA_LOSS] = {"data_loss", "500"},
    [RPC_UNAUTHENTICATED] = {"unauthenticated", "401"},
};

const char *connect_code_name(rpc_code code)
{
    return codes[(unsigned)code < RPC_CODE_COUNT ? code : RPC_UNKNOWN].name;
}

const char *connect_http_status(rpc_code code)
{
    return codes[(unsigned)code < RPC_CODE_COUNT ? code : RPC_UNKNOWN]
        .http_status;
}

/* --- the error --- */

/* What is written, and with what. */
struct writer {
    struct json_out out; /* first */
    const struct json_types *types;
};

static void put_base64(struct json_out *out, const void *bytes, size_t size)
{
    JSON_PUT(out, "\"");
    base64_encode(json_out_reserve(out, BASE64_SIZE(size)), bytes, size);
    out->size += BASE64_SIZE(size);
    JSON_PUT(out, "\"");
}

/* The same for people. */
static void put_debug(struct writer *w, const Google__Protobuf__Any *detail)
{
    struct codec_error error;
    char *text;
    size_t size;
    const struct json_message *table =
        w->types == NULL ? NULL : json_types_named(w->types, detail->type_url);
    if (table == NULL)
        return;
    const ProtobufCMessage *message =
        codec_decode(w->out.arena, table->type, detail->value.data,
                     detail->value.len, &error);
    if (message == NULL ||
        !json_encode(w->out.arena, w->types, message, &text, &size))
        return;
    JSON_PUT(&w->out, ",\"debug\":");
    json_put(&w->out, text, size);
}

/* A type is named by what follows the last slash of its URL. */
static void put_detail(struct writer *w, const Google__Protobuf__Any *detail)
{
    const char *slash = strrchr(detail->type_url, '/');
    const char *name = slash == NULL ? detail->type_url : slash + 1;
    JSON_PUT(&w->out, "{\"type\":");
    json_put_string(&w->out, name, strlen(name));
    JSON_PUT(&w->out, ",\"value\":");
    put_base64(&w->out, detail->value.data, detail->value.len);
    put_debug(w, detail);
    JSON_PUT(&w->out, "}");
}

static void put_details(struct writer *w, const struct rpc_answer *answer)
{
    struct codec_error error;
    if (answer->details_size == 0)
        return;
    const Google__Rpc__Status *status = (Google__Rpc__Status *)codec_decode(
        w->out.arena, &google__rpc__status__descriptor, answer->details,
        answer->details_size, &error);
    if (status == NULL || status->n_details == 0)
        return;
    JSON_PUT(&w->out, ",\"details\":[");
    for (size_t i = 0; i < status->n_details; i++) {
        if (i > 0)
            JSON_PUT(&w->out, ",");
        put_detail(w, status->details[i]);
    }
    JSON_PUT(&w->out, "]");
}

/* JSON is UTF-8: what a handler said in another encoding cannot be passed on.
 */
static void put_message(struct json_out *out, const char *message)
{
    if (message == NULL || *message == '\0')
        return;
    JSON_PUT(out, ",\"message\":");
    if (!json_put_string(out, message, strlen(message)))
        JSON_PUT(out, "\"the server's message is not text\"");
}

static void put_error(struct writer *w, const struct rpc_answer *answer)
{
    const char *code = connect_code_name(answer->code);
    JSON_PUT(&w->out, "{\"code\":\"");
    json_put(&w->out, code, strlen(code));
    JSON_PUT(&w->out, "\"");
    put_message(&w->out, answer->message);
    put_details(w, answer);
    JSON_PUT(&w->out, "}");
}

char *connect_error_json(struct arena *arena, const struct json_types *types,
                         const struct rpc_answer *answer, size_t *size)
{
    struct writer w = {.types = types};
    json_out_init(&w.out, arena);
    put_error(&w, answer);
    *size = w.out.size;
    return w.out.text;
}

/* --- the end of a stream --- */

static bool is_same_name(const struct rpc_field *one,
                         const struct rpc_field *other)
{
    return one->name_size == other->name_size &&
           memcmp(one->name, other->name, one->name_size) == 0;
}

static bool is_first_of_name(const struct rpc_field *fields,
                             const struct rpc_field *field)
{
    while (!is_same_name(fields, field))
        fields = fields->next;
    return fields == field;
}

/* A text value is printable ASCII. */
static void put_value(struct json_out *out, const struct rpc_field *field)
{
    if (metadata_name_is_binary(field->name, field->name_size))
        put_base64(out, field->value, field->value_size);
    else
        json_put_string(out, field->value, field->value_size);
}

/* "name":["one","other"] */
static void put_values(struct json_out *out, const struct rpc_field *first)
{
    json_put_string(out, first->name, first->name_size);
    JSON_PUT(out, ":[");
    put_value(out, first);
    for (const struct rpc_field *f = first->next; f != NULL; f = f->next) {
        if (!is_same_name(f, first))
            continue;
        JSON_PUT(out, ",");
        put_value(out, f);
    }
    JSON_PUT(out, "]");
}

/* A handler sets few trailers: comparing each with each costs nothing. */
static void put_metadata(struct json_out *out, const struct rpc_field *fields)
{
    JSON_PUT(out, "\"metadata\":{");
    for (const struct rpc_field *f = fields; f != NULL; f = f->next) {
        if (!is_first_of_name(fields, f))
            continue;
        if (f != fields)
            JSON_PUT(out, ",");
        put_values(out, f);
    }
    JSON_PUT(out, "}");
}

char *connect_end_json(struct arena *arena, const struct json_types *types,
                       const struct rpc_answer *answer, size_t *size)
{
    struct writer w = {.types = types};
    json_out_init(&w.out, arena);
    JSON_PUT(&w.out, "{");
    if (answer->code != RPC_OK) {
        JSON_PUT(&w.out, "\"error\":");
        put_error(&w, answer);
    }
    if (answer->code != RPC_OK && answer->trailers != NULL)
        JSON_PUT(&w.out, ",");
    if (answer->trailers != NULL)
        put_metadata(&w.out, answer->trailers);
    JSON_PUT(&w.out, "}");
    *size = w.out.size;
    return w.out.text;
}
