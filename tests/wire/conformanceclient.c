/* The client that connectconformance starts and tests: our channel, told by
 *
 *   stdin    { u32 size, ClientCompatRequest }...
 *   stdout   { u32 size, ClientCompatResponse }...
 */
#include "rpc/channel.h"
#include "rpc/codec.h"
#include "rpc/loop.h"
#include "rpc/metadata.h"
#include "rpc/transport.h"
#include "tests/rpc/conformanceservice.rpc.h"

#include "google/rpc/status.pb-c.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MESSAGE_BYTES_MAX = 16 * 1024 * 1024,
    COMPRESSION_GZIP = 2,
    COMPRESSION_ZSTD = 4,
    FULL_DUPLEX = 5,
};

/* One case. */
struct run {
    struct arena *arena;
    struct loop *loop;
    const ClientCompatRequest *req;
    struct rpc_channel *channel;
    const struct rpc_method *method;
    struct rpc_channel_stream *stream;
    struct rpc_channel_reply reply;
    ClientResponseResult result;
    rpc_status status; /* in the arena */
    bool done;
};

/* --- frames --- */

static void *read_message(struct arena *arena,
                          const ProtobufCMessageDescriptor *type)
{
    uint8_t prefix[4];
    if (fread(prefix, 1, sizeof prefix, stdin) != sizeof prefix)
        return NULL;
    size_t size = (size_t)prefix[0] << 24 | (size_t)prefix[1] << 16 |
                  (size_t)prefix[2] << 8 | prefix[3];
    if (size > MESSAGE_BYTES_MAX)
        return NULL;
    uint8_t *bytes = arena_alloc(arena, size + 1);
    struct codec_error error;
    if (fread(bytes, 1, size, stdin) != size)
        return NULL;
    return codec_decode(arena, type, bytes, size, &error);
}

static void write_message(struct arena *arena, const ProtobufCMessage *message)
{
    size_t size;
    uint8_t *bytes = codec_pack(arena, message, &size);
    const uint8_t prefix[4] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16),
                               (uint8_t)(size >> 8), (uint8_t)size};
    fwrite(prefix, 1, sizeof prefix, stdout);
    fwrite(bytes, 1, size, stdout);
    fflush(stdout);
}

/* --- metadata: conformance shows "-bin" in base64 --- */

static const char *shown(struct arena *arena, const struct rpc_field *field)
{
    if (!metadata_name_is_binary(field->name, field->name_size))
        return arena_strndup(arena, field->value, field->value_size);
    char *text =
        arena_alloc(arena, METADATA_BASE64_SIZE(field->value_size) + 1);
    metadata_encode_base64(text, field->value, field->value_size);
    return text;
}

static Header *header_named(struct arena *arena, Header **headers,
                            size_t *count, const struct rpc_field *field,
                            size_t values_max)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(headers[i]->name, field->name) == 0)
            return headers[i];
    Header *made = ARENA_NEW(arena, Header);
    *made = (Header)HEADER_INIT;
    made->name = arena_strdup(arena, field->name);
    made->value = arena_array(arena, values_max, sizeof *made->value);
    headers[(*count)++] = made;
    return made;
}

static Header **show_fields(struct arena *arena, const struct rpc_field *fields,
                            size_t *count)
{
    size_t field_count = 0;
    for (const struct rpc_field *f = fields; f != NULL; f = f->next)
        field_count++;
    Header **headers = arena_array(arena, field_count + 1, sizeof *headers);
    *count = 0;
    for (; fields != NULL; fields = fields->next) {
        Header *h = header_named(arena, headers, count, fields, field_count);
        h->value[h->n_value++] = (char *)(uintptr_t)shown(arena, fields);
    }
    return headers;
}

static struct rpc_channel_metadata meant(struct arena *arena, const char *name,
                                         const char *value)
{
    struct rpc_channel_metadata m = {name, value, 0};
    if (!metadata_name_is_binary(name, strlen(name)))
        return m;
    uint8_t *bytes = arena_alloc(arena, strlen(value) + 1);
    metadata_decode_base64(bytes, &m.size, value, strlen(value));
    m.value = bytes;
    return m;
}

static const struct rpc_channel_metadata *request_metadata(struct run *run)
{
    size_t count = 0;
    for (size_t i = 0; i < run->req->n_request_headers; i++)
        count += run->req->request_headers[i]->n_value;
    struct rpc_channel_metadata *list =
        arena_array(run->arena, count + 1, sizeof *list);
    count = 0;
    for (size_t i = 0; i < run->req->n_request_headers; i++) {
        const Header *h = run->req->request_headers[i];
        char *name = arena_strdup(run->arena, h->name);
        for (char *c = name; *c != '\0'; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c - 'A' + 'a');
        for (size_t j = 0; j < h->n_value; j++)
            list[count++] = meant(run->arena, name, h->value[j]);
    }
    return list;
}

/* --- the call --- */

static const struct rpc_method methods[] = {
    {.path = "Unary",
     .kind = RPC_UNARY,
     .request = UNARY_REQUEST_DESCRIPTOR,
     .response = UNARY_RESPONSE_DESCRIPTOR},
    {.path = "IdempotentUnary",
     .kind = RPC_UNARY,
     .request = IDEMPOTENT_UNARY_REQUEST_DESCRIPTOR,
     .response = IDEMPOTENT_UNARY_RESPONSE_DESCRIPTOR},
    {.path = "Unimplemented", /* its messages are empty */
     .kind = RPC_UNARY,
     .request = UNARY_REQUEST_DESCRIPTOR,
     .response = UNARY_RESPONSE_DESCRIPTOR},
    {.path = "ServerStream",
     .kind = RPC_SERVER_STREAM,
     .request = SERVER_STREAM_REQUEST_DESCRIPTOR,
     .response = SERVER_STREAM_RESPONSE_DESCRIPTOR},
    {.path = "ClientStream",
     .kind = RPC_CLIENT_STREAM,
     .request = CLIENT_STREAM_REQUEST_DESCRIPTOR,
     .response = CLIENT_STREAM_RESPONSE_DESCRIPTOR},
    {.path = "BidiStream",
     .kind = RPC_BIDI_STREAM,
     .request = BIDI_STREAM_REQUEST_DESCRIPTOR,
     .response = BIDI_STREAM_RESPONSE_DESCRIPTOR},
};

static const struct rpc_method *find_method(struct run *run)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(methods[i].path, run->req->method) != 0)
            continue;
        struct rpc_method *method = ARENA_NEW(run->arena, struct rpc_method);
        *method = methods[i];
        method->path = arena_printf(run->arena, "/%s/%s", run->req->service,
                                    run->req->method);
        return method;
    }
    return NULL;
}

/* All response types have their payload at the same place. */
static void keep_payload(struct run *run, const void *message)
{
    const ConformancePayload *payload =
        ((const UnaryResponse *)message)->payload;
    static const ConformancePayload empty = CONFORMANCE_PAYLOAD_INIT;
    if (payload == NULL)
        payload = &empty;
    run->result.payloads[run->result.n_payloads++] =
        (ConformancePayload *)codec_copy(run->arena, &payload->base);
}

enum { PAYLOADS_MAX = 1000 };

static bool cancels_after(const struct run *run)
{
    const ClientCompatRequestCancel *c = run->req->cancel;
    return c != NULL &&
           c->cancel_timing_case ==
               CLIENT_COMPAT_REQUEST_CANCEL_AFTER_NUM_RESPONSES_CASE &&
           run->result.n_payloads >= c->after_num_responses;
}

static rpc_status receive_one(struct run *run, bool *more)
{
    const void *message;
    TRY(rpc_channel_recv(run->stream, &message));
    *more = message != NULL && run->result.n_payloads < PAYLOADS_MAX;
    if (message != NULL)
        keep_payload(run, message);
    if (cancels_after(run))
        rpc_channel_cancel(run->stream);
    return RPC_SUCCESS;
}

/* As it came: our types do not have all fields. */
static rpc_status send_one(struct rpc_call *call, struct run *run, size_t i)
{
    const Google__Protobuf__Any *any = run->req->request_messages[i];
    if (run->req->request_delay_ms > 0)
        TRY(rpc_sleep(call, run->req->request_delay_ms));
    return rpc_channel_send_bytes(run->stream, any->value.data, any->value.len);
}

static rpc_status send_all(struct rpc_call *call, struct run *run)
{
    bool more = true;
    for (size_t i = 0; i < run->req->n_request_messages; i++) {
        TRY(send_one(call, run, i));
        if (run->req->stream_type == FULL_DUPLEX && more)
            TRY(receive_one(run, &more));
    }
    return RPC_SUCCESS;
}

static rpc_status end_sending(struct rpc_call *call, struct run *run)
{
    const ClientCompatRequestCancel *c = run->req->cancel;
    if (c != NULL && c->cancel_timing_case ==
                         CLIENT_COMPAT_REQUEST_CANCEL_BEFORE_CLOSE_SEND_CASE) {
        rpc_channel_cancel(run->stream);
        return RPC_SUCCESS;
    }
    rpc_channel_half_close(run->stream);
    if (c != NULL &&
        c->cancel_timing_case ==
            CLIENT_COMPAT_REQUEST_CANCEL_AFTER_CLOSE_SEND_MS_CASE) {
        TRY(rpc_sleep(call, c->after_close_send_ms));
        rpc_channel_cancel(run->stream);
    }
    return RPC_SUCCESS;
}

static rpc_status talk(struct rpc_call *call, struct run *run)
{
    TRY(send_all(call, run));
    TRY(end_sending(call, run));
    bool more = true;
    while (more)
        TRY(receive_one(run, &more));
    return RPC_SUCCESS;
}

static encoding encoding_of(int compression)
{
    if (compression == COMPRESSION_GZIP)
        return ENCODING_GZIP;
    return compression == COMPRESSION_ZSTD ? ENCODING_ZSTD : ENCODING_IDENTITY;
}

static Error *error_of(struct run *run)
{
    Error *error = ARENA_NEW(run->arena, Error);
    *error = (Error)ERROR_INIT;
    error->code = (Code)run->status.code;
    error->_message_case = ERROR_MESSAGE_CASE;
    error->message = (char *)(uintptr_t)run->status.message;
    struct codec_error problem;
    const Google__Rpc__Status *status = (Google__Rpc__Status *)codec_decode(
        run->arena, &google__rpc__status__descriptor, run->reply.details,
        run->reply.details_size, &problem);
    if (status != NULL) {
        error->n_details = status->n_details;
        error->details = status->details;
    }
    return error;
}

static void keep_result(struct run *run, rpc_status status)
{
    ClientResponseResult *r = &run->result;
    run->status = (rpc_status){
        status.code,
        status.message == NULL ? "" : arena_strdup(run->arena, status.message)};
    r->response_headers =
        show_fields(run->arena, run->reply.headers, &r->n_response_headers);
    r->response_trailers =
        show_fields(run->arena, run->reply.trailers, &r->n_response_trailers);
    if (run->status.code != RPC_OK)
        r->error = error_of(run);
}

static void run_main(struct rpc_call *call, void *argument)
{
    struct run *run = argument;
    const struct rpc_channel_call_options options = {
        .metadata = request_metadata(run),
        .timeout_ms = run->req->timeout_ms,
        .encoding = encoding_of(run->req->compression),
        .reply = &run->reply,
    };
    run->stream = rpc_channel_open(call, run->channel, run->method, &options);
    talk(call, run);
    keep_result(run, rpc_channel_finish(run->stream));
    run->done = true;
}

/* --- one case --- */

static const char *write_file(struct run *run, const ProtobufCBinaryData *data)
{
    char *path = arena_strdup(run->arena, "/tmp/conformance-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, data->data, data->len) != (ssize_t)data->len)
        abort();
    close(fd);
    return path;
}

static bool open_channel(struct run *run, char *error, size_t error_size)
{
    const ClientCompatRequest *req = run->req;
    struct rpc_channel_tls tls = {0};
    struct rpc_channel_options options = {
        .target = arena_printf(run->arena, "%s:%u", req->host, req->port),
        .message_bytes_max = req->message_receive_limit,
    };
    if (req->server_tls_cert.len > 0) {
        tls.ca_path = write_file(run, &req->server_tls_cert);
        options.tls = &tls;
    }
    if (req->client_tls_creds != NULL) {
        tls.certificate_path = write_file(run, &req->client_tls_creds->cert);
        tls.key_path = write_file(run, &req->client_tls_creds->key);
    }
    run->channel = rpc_channel_create(run->loop, &options, error, error_size);
    const char *const paths[] = {tls.ca_path, tls.certificate_path,
                                 tls.key_path};
    for (int i = 0; i < 3; i++)
        if (paths[i] != NULL)
            unlink(paths[i]);
    return run->channel != NULL;
}

static void answer(struct run *run, const char *problem)
{
    ClientCompatResponse response = CLIENT_COMPAT_RESPONSE_INIT;
    ClientErrorResult error = CLIENT_ERROR_RESULT_INIT;
    response.test_name = run->req->test_name;
    if (problem != NULL) {
        error.message = (char *)(uintptr_t)problem;
        response.result_case = CLIENT_COMPAT_RESPONSE_ERROR_CASE;
        response.error = &error;
    } else {
        response.result_case = CLIENT_COMPAT_RESPONSE_RESPONSE_CASE;
        response.response = &run->result;
    }
    write_message(run->arena, &response.base);
}

static void run_case(struct loop *loop, struct arena *arena,
                     const ClientCompatRequest *req)
{
    struct run run = {.arena = arena,
                      .loop = loop,
                      .req = req,
                      .result = CLIENT_RESPONSE_RESULT_INIT};
    char error[256];
    run.result.payloads =
        arena_array(arena, PAYLOADS_MAX, sizeof *run.result.payloads);
    run.method = find_method(&run);
    if (run.method == NULL) {
        answer(&run, "there is no such method");
    } else if (!open_channel(&run, error, sizeof error)) {
        answer(&run, error);
    } else {
        if (rpc_task(NULL, loop, run_main, &run) == NULL)
            abort();
        loop_run_until(loop, &run.done);
        answer(&run, NULL);
    }
    rpc_channel_destroy(run.channel);
}

int main(void)
{
    struct loop *loop = loop_create();
    for (;;) {
        struct arena *arena = arena_create();
        const ClientCompatRequest *req =
            read_message(arena, CLIENT_COMPAT_REQUEST_DESCRIPTOR);
        if (req != NULL)
            run_case(loop, arena, req);
        arena_destroy(arena);
        if (req == NULL)
            break;
    }
    loop_destroy(loop);
    arena_thread_finish();
    return 0;
}
