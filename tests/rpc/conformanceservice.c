/* What connectconformance expects of a server: each request says how it is to
 * be answered, and the answer says what the server saw of the request. */
#include "google/protobuf/any.pb-c.h"
#include "rpc/codec.h"
#include "rpc/metadata.h"
#include "rpc/stream.h"
#include "tests/rpc/conformanceservice.rpc.h"

#include <string.h>

enum { REQUESTS_MAX = 200 };

/* --- what the server saw --- */

static Header *find_header(ConformancePayloadRequestInfo *info,
                           const char *name)
{
    for (size_t i = 0; i < info->n_request_headers; i++)
        if (strcmp(info->request_headers[i]->name, name) == 0)
            return info->request_headers[i];
    return NULL;
}

static Header *new_header(struct arena *arena, const char *name,
                          size_t values_max)
{
    Header *header = ARENA_NEW(arena, Header);
    *header = (Header)HEADER_INIT;
    header->name = arena_strdup(arena, name);
    header->value = arena_array(arena, values_max, sizeof header->value[0]);
    return header;
}

/* One entry for each name, with all its values. */
static void add_headers(struct rpc_call *call,
                        ConformancePayloadRequestInfo *info)
{
    size_t count = 0;
    const struct rpc_field *f;
    for (f = rpc_all_metadata(call); f != NULL; f = f->next)
        count++;
    info->request_headers =
        arena_array(call->arena, count + 1, sizeof info->request_headers[0]);
    for (f = rpc_all_metadata(call); f != NULL; f = f->next) {
        Header *header = find_header(info, f->name);
        if (header == NULL) {
            header = new_header(call->arena, f->name, count);
            info->request_headers[info->n_request_headers++] = header;
        }
        header->value[header->n_value++] =
            arena_strndup(call->arena, f->value, f->value_size);
    }
}

static void add_timeout(struct rpc_call *call,
                        ConformancePayloadRequestInfo *info)
{
    int64_t timeout_us = rpc_client_timeout_us(call);
    if (timeout_us < 0)
        return;
    info->timeout_ms = timeout_us / 1000;
    info->_timeout_ms_case =
        CONNECTRPC__CONFORMANCE__V1__CONFORMANCE_PAYLOAD__REQUEST_INFO___TIMEOUT_MS_TIMEOUT_MS;
}

/* The requests of a call, as they are echoed. */
struct requests {
    Google__Protobuf__Any *list[REQUESTS_MAX];
    size_t count;
};

static rpc_status add_request(struct rpc_call *call, struct requests *requests,
                              const ProtobufCMessage *message)
{
    if (requests->count == REQUESTS_MAX)
        return rpc_fail(call, RPC_RESOURCE_EXHAUSTED, "too many requests");
    Google__Protobuf__Any *any = ARENA_NEW(call->arena, Google__Protobuf__Any);
    *any = (Google__Protobuf__Any)GOOGLE__PROTOBUF__ANY__INIT;
    any->type_url = arena_printf(call->arena, "type.googleapis.com/%s",
                                 message->descriptor->name);
    any->value.data = codec_pack(call->arena, message, &any->value.len);
    requests->list[requests->count++] = any;
    return RPC_SUCCESS;
}

static ConformancePayloadRequestInfo *new_info(struct rpc_call *call,
                                               const struct requests *requests)
{
    ConformancePayloadRequestInfo *info =
        ARENA_NEW(call->arena, ConformancePayloadRequestInfo);
    *info =
        (ConformancePayloadRequestInfo)CONFORMANCE_PAYLOAD_REQUEST_INFO_INIT;
    info->n_requests = requests->count;
    info->requests = arena_memdup(call->arena, requests->list,
                                  requests->count * sizeof requests->list[0]);
    return info;
}

static ConformancePayloadRequestInfo *full_info(struct rpc_call *call,
                                                const struct requests *requests)
{
    ConformancePayloadRequestInfo *info = new_info(call, requests);
    add_headers(call, info);
    add_timeout(call, info);
    return info;
}

static ConformancePayload *new_payload(struct rpc_call *call,
                                       const ProtobufCBinaryData *data,
                                       ConformancePayloadRequestInfo *info)
{
    ConformancePayload *payload = ARENA_NEW(call->arena, ConformancePayload);
    *payload = (ConformancePayload)CONFORMANCE_PAYLOAD_INIT;
    if (data != NULL)
        payload->data = *data;
    payload->request_info = info;
    return payload;
}

/* --- how it answers --- */

typedef void set_field(struct rpc_call *call, const char *name,
                       const void *value, size_t size);

static void set_value(struct rpc_call *call, set_field *set, const char *name,
                      const char *value)
{
    size_t size = strlen(value);
    if (!metadata_name_is_binary(name, strlen(name))) {
        set(call, name, value, size);
        return;
    }
    void *bytes = arena_alloc(call->arena, size + 1);
    if (metadata_decode_base64(bytes, &size, value, size))
        set(call, name, bytes, size);
}

/* Names come as people write them. */
static const char *lower_case(struct arena *arena, const char *name)
{
    char *lower = arena_strdup(arena, name);
    for (char *c = lower; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return lower;
}

static void set_all(struct rpc_call *call, set_field *set, Header *const *list,
                    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = lower_case(call->arena, list[i]->name);
        for (size_t v = 0; v < list[i]->n_value; v++)
            set_value(call, set, name, list[i]->value[v]);
    }
}

/* `info` may be NULL. */
static rpc_status fail_as_told(struct rpc_call *call, const Error *error,
                               const ConformancePayloadRequestInfo *info)
{
    const char *message =
        error->_message_case ==
                CONNECTRPC__CONFORMANCE__V1__ERROR___MESSAGE_MESSAGE
            ? error->message
            : "";
    rpc_status status = rpc_fail(call, (rpc_code)error->code, "%s", message);
    for (size_t i = 0; i < error->n_details; i++)
        rpc_add_detail(call, error->details[i]);
    if (info != NULL)
        rpc_add_detail(call, info);
    return status;
}

static rpc_status delay(struct rpc_call *call, uint32_t ms)
{
    return ms == 0 ? RPC_SUCCESS : rpc_sleep(call, ms);
}

static rpc_status answer_one(struct rpc_call *call,
                             const UnaryResponseDefinition *wish,
                             const struct requests *requests,
                             ConformancePayload **payload)
{
    ConformancePayloadRequestInfo *info = full_info(call, requests);
    *payload = new_payload(call, NULL, info);
    if (wish == NULL)
        return RPC_SUCCESS;
    set_all(call, rpc_set_header, wish->response_headers,
            wish->n_response_headers);
    set_all(call, rpc_set_trailer, wish->response_trailers,
            wish->n_response_trailers);
    TRY(delay(call, wish->response_delay_ms));
    switch (wish->response_case) {
    case CONNECTRPC__CONFORMANCE__V1__UNARY_RESPONSE_DEFINITION__RESPONSE_ERROR:
        return fail_as_told(call, wish->error, info);
    case CONNECTRPC__CONFORMANCE__V1__UNARY_RESPONSE_DEFINITION__RESPONSE_RESPONSE_DATA:
        (*payload)->data = wish->response_data;
        return RPC_SUCCESS;
    default:
        return RPC_SUCCESS;
    }
}

rpc_status conformance_unary(struct rpc_call *call, const UnaryRequest *req,
                             UnaryResponse *res)
{
    struct requests requests = {.count = 0};
    TRY(add_request(call, &requests, &req->base));
    return answer_one(call, req->response_definition, &requests, &res->payload);
}

rpc_status conformance_idempotent_unary(struct rpc_call *call,
                                        const IdempotentUnaryRequest *req,
                                        IdempotentUnaryResponse *res)
{
    struct requests requests = {.count = 0};
    TRY(add_request(call, &requests, &req->base));
    return answer_one(call, req->response_definition, &requests, &res->payload);
}

/* What is received lives until the next message. */
static void *keep(struct rpc_call *call, const void *message)
{
    return message == NULL ? NULL : codec_copy(call->arena, message);
}

rpc_status conformance_client_stream(struct rpc_call *call, struct rpc_in *in,
                                     ClientStreamResponse *res)
{
    struct requests requests = {.count = 0};
    const UnaryResponseDefinition *wish = NULL;
    ClientStreamRequest *req;
    TRY(rpc_recv(in, &req));
    while (req != NULL) {
        if (requests.count == 0)
            wish = keep(call, req->response_definition);
        TRY(add_request(call, &requests, &req->base));
        TRY(rpc_recv(in, &req));
    }
    return answer_one(call, wish, &requests, &res->payload);
}

/* --- streams of answers --- */

/* An answer of many messages, of which `sent` are out. */
struct answer {
    struct rpc_call *call;
    struct rpc_out *out;
    const StreamResponseDefinition *wish; /* NULL: none */
    size_t sent;
};

static void begin_answer(struct answer *a)
{
    const StreamResponseDefinition *wish = a->wish;
    if (wish == NULL)
        return;
    set_all(a->call, rpc_set_header, wish->response_headers,
            wish->n_response_headers);
    set_all(a->call, rpc_set_trailer, wish->response_trailers,
            wish->n_response_trailers);
}

/* Headers go out before anything is waited for. */
static rpc_status send_headers(struct answer *a)
{
    return a->wish == NULL ? RPC_SUCCESS : rpc_send_headers(a->out);
}

static bool has_more(const struct answer *a)
{
    return a->wish != NULL && a->sent < a->wish->n_response_data;
}

/* Both kinds of response have the payload as their only field, of number 1. */
static rpc_status send_next(struct answer *a,
                            ConformancePayloadRequestInfo *info)
{
    ServerStreamResponse res = SERVER_STREAM_RESPONSE_INIT;
    res.payload = new_payload(a->call, &a->wish->response_data[a->sent], info);
    TRY(delay(a->call, a->wish->response_delay_ms));
    a->sent++;
    size_t size;
    uint8_t *bytes = codec_pack(a->call->arena, &res.base, &size);
    return rpc_send_bytes(a->out, bytes, size);
}

/* The rest of the messages, then the error; the first thing that is said tells
 * what was seen. */
static rpc_status finish_answer(struct answer *a,
                                const struct requests *requests)
{
    TRY(send_headers(a));
    while (has_more(a))
        TRY(send_next(a, a->sent == 0 ? full_info(a->call, requests) : NULL));
    if (a->wish == NULL || a->wish->error == NULL)
        return RPC_SUCCESS;
    return fail_as_told(a->call, a->wish->error,
                        a->sent == 0 ? full_info(a->call, requests) : NULL);
}

rpc_status conformance_server_stream(struct rpc_call *call,
                                     const ServerStreamRequest *req,
                                     struct rpc_out *out)
{
    struct requests requests = {.count = 0};
    struct answer answer = {
        .call = call, .out = out, .wish = req->response_definition};
    TRY(add_request(call, &requests, &req->base));
    begin_answer(&answer);
    return finish_answer(&answer, &requests);
}

/* Each answer but the first tells of the requests since the last one. */
static rpc_status answer_each(struct answer *a, struct requests *requests)
{
    ConformancePayloadRequestInfo *info = a->sent == 0
                                              ? full_info(a->call, requests)
                                              : new_info(a->call, requests);
    requests->count = 0;
    return send_next(a, info);
}

static rpc_status begin_bidi(struct answer *a, const BidiStreamRequest *first)
{
    a->wish = keep(a->call, first->response_definition);
    begin_answer(a);
    return first->full_duplex ? send_headers(a) : RPC_SUCCESS;
}

rpc_status conformance_bidi_stream(struct rpc_call *call, struct rpc_in *in,
                                   struct rpc_out *out)
{
    struct requests requests = {.count = 0};
    struct answer answer = {.call = call, .out = out};
    BidiStreamRequest *req;
    TRY(rpc_recv(in, &req));
    if (req == NULL)
        return RPC_SUCCESS;
    bool full_duplex = req->full_duplex;
    TRY(begin_bidi(&answer, req));
    while (req != NULL) {
        TRY(add_request(call, &requests, &req->base));
        if (full_duplex && !has_more(&answer))
            break;
        if (full_duplex)
            TRY(answer_each(&answer, &requests));
        TRY(rpc_recv(in, &req));
    }
    return finish_answer(&answer, &requests);
}
