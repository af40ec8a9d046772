/* Requests that are not gRPC get an HTTP status and a sentence for the person
 * who sent them. */
#include "rpc/wire.h"

#include <string.h>

static bool is(const struct h2_field *field, const char *value)
{
    return field != NULL && strcmp(field->value, value) == 0;
}

/* "application/grpc" alone, with "+proto", or with parameters.  A longer word,
 * as in "application/grpc-web", is another protocol. */
static bool is_grpc(const struct h2_field *content_type)
{
    static const char grpc[] = "application/grpc";
    if (content_type == NULL ||
        strncmp(content_type->value, grpc, sizeof grpc - 1) != 0)
        return false;
    const char *rest = content_type->value + sizeof grpc - 1;
    if (strncmp(rest, "+proto", 6) == 0)
        rest += 6;
    return *rest == '\0' || *rest == ';';
}

const struct h2_wire *wire_choose(const struct h2_fields *fields)
{
    if (is_grpc(h2_field_find(fields, "content-type")) &&
        is(h2_field_find(fields, ":method"), "POST"))
        return &grpc_wire;
    return &plain_wire;
}

struct refusal {
    const char *status;
    const char *grpc_status; /* NULL: not for gRPC clients */
    const char *sentence;
};

static const struct refusal too_large = {
    "431", NULL, "The request's header fields are too large.\n"};
static const struct refusal not_post = {"405", "13",
                                        "gRPC calls are made with POST.\n"};
static const struct refusal not_grpc = {
    "415", NULL, "This server speaks gRPC: content-type application/grpc.\n"};

static const struct refusal *choose(const struct h2_fields *fields)
{
    if (fields->is_too_large)
        return &too_large;
    if (is_grpc(h2_field_find(fields, "content-type")))
        return &not_post;
    return &not_grpc;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name,
        .value = (uint8_t *)(uintptr_t)value,
        .namelen = strlen(name),
        .valuelen = strlen(value),
        .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE,
    };
}

/* A gRPC client reads the status of a response without a body from its
 * headers; a person reads the body. */
static void request(struct h2_stream *stream, const struct h2_fields *fields)
{
    const struct refusal *refusal = choose(fields);
    nghttp2_nv answer[3] = {field(":status", refusal->status)};
    if (refusal->grpc_status != NULL) {
        answer[1] = field("content-type", "application/grpc");
        answer[2] = field("grpc-status", refusal->grpc_status);
        h2_respond(stream, answer, 3, false);
        return;
    }
    answer[1] = field("content-type", "text/plain; charset=utf-8");
    h2_respond(stream, answer, 2, true);
    size_t size = strlen(refusal->sentence);
    memcpy(h2_reserve(stream, size), refusal->sentence, size);
    h2_commit(stream, size);
    h2_end_body(stream);
}

static void data(struct h2_stream *stream, const uint8_t *bytes, size_t size)
{
    (void)bytes;
    h2_consumed(stream, size);
}

static void nothing(struct h2_stream *stream)
{
    (void)stream;
}

static struct rpc_call *no_call(const struct h2_stream *stream)
{
    (void)stream;
    return NULL;
}

const struct h2_wire plain_wire = {
    .request = request,
    .data = data,
    .half_closed = nothing,
    .writable = nothing,
    .closed = nothing,
    .running_call = no_call,
    .stream_bytes = sizeof(struct h2_stream),
};
