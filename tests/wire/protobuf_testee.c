/* What protobuf's own conformance_test_runner talks to over pipes: decodes what
 * it is given and encodes it as it is told to, with rpc/codec.h and rpc/json.h.
 * tests/wire/protobuf_test builds and runs it. */
#include "rpc/codec.h"
#include "rpc/json.h"
#include "rpc/json_table.h"

#include <conformance/conformance.pb-c.h>
#include <google/protobuf/test_messages_proto3.pb-c.h>
#include <stdio.h>
#include <string.h>

typedef Conformance__ConformanceRequest request;
typedef Conformance__ConformanceResponse response;

extern const struct json_message
    protobuf_test_messages__proto3__test_all_types_proto3__json;

static const struct json_message *const messages[] = {
    &protobuf_test_messages__proto3__test_all_types_proto3__json};
static const struct rpc_registry registry = {.messages = messages,
                                             .message_count = 1};
static const struct rpc_registry *const registries[] = {&registry, NULL};

static void fail_to_read(response *res, struct arena *arena, const char *why)
{
    res->result_case = CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_PARSE_ERROR;
    res->parse_error = arena_strdup(arena, why);
}

static ProtobufCMessage *read_payload(struct arena *arena,
                                      const struct json_types *types,
                                      const request *req, response *res)
{
    const ProtobufCMessageDescriptor *type = messages[0]->type;
    struct codec_error codec_error;
    struct json_error json_error;
    ProtobufCMessage *message = NULL;
    if (req->payload_case ==
        CONFORMANCE__CONFORMANCE_REQUEST__PAYLOAD_JSON_PAYLOAD) {
        if (!json_decode(arena, types, type, req->json_payload,
                         strlen(req->json_payload), &message, &json_error))
            fail_to_read(res, arena, json_error.text);
        return message;
    }
    message = codec_decode(arena, type, req->protobuf_payload.data,
                           req->protobuf_payload.len, &codec_error);
    if (message == NULL)
        fail_to_read(res, arena, codec_error.text);
    return message;
}

static void write_payload(struct arena *arena, const struct json_types *types,
                          const request *req, const ProtobufCMessage *message,
                          response *res)
{
    char *text;
    size_t size;
    if (req->requested_output_format == CONFORMANCE__WIRE_FORMAT__PROTOBUF) {
        res->result_case =
            CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_PROTOBUF_PAYLOAD;
        res->protobuf_payload.data =
            codec_pack(arena, message, &res->protobuf_payload.len);
    } else if (json_encode(arena, types, message, &text, &size)) {
        res->result_case =
            CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_JSON_PAYLOAD;
        res->json_payload = text;
    } else {
        res->result_case =
            CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_SERIALIZE_ERROR;
        res->serialize_error = text;
    }
}

static bool is_ours(const request *req)
{
    bool is_read =
        req->payload_case ==
            CONFORMANCE__CONFORMANCE_REQUEST__PAYLOAD_JSON_PAYLOAD ||
        req->payload_case ==
            CONFORMANCE__CONFORMANCE_REQUEST__PAYLOAD_PROTOBUF_PAYLOAD;
    bool is_written =
        req->requested_output_format == CONFORMANCE__WIRE_FORMAT__PROTOBUF ||
        req->requested_output_format == CONFORMANCE__WIRE_FORMAT__JSON;
    return is_read && is_written &&
           strcmp(req->message_type, messages[0]->type->name) == 0;
}

static void answer(struct arena *arena, const struct json_types *types,
                   const uint8_t *bytes, size_t size, response *res)
{
    struct codec_error error;
    const request *req = (const request *)codec_decode(
        arena, &conformance__conformance_request__descriptor, bytes, size,
        &error);
    if (req == NULL) {
        res->result_case =
            CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_RUNTIME_ERROR;
        res->runtime_error = arena_strdup(arena, error.text);
        return;
    }
    if (strcmp(req->message_type, "conformance.FailureSet") == 0) {
        res->result_case =
            CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_PROTOBUF_PAYLOAD;
        return;
    }
    if (!is_ours(req)) {
        res->result_case = CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_SKIPPED;
        res->skipped = "proto3, binary and JSON only";
        return;
    }
    const ProtobufCMessage *message = read_payload(arena, types, req, res);
    if (message != NULL)
        write_payload(arena, types, req, message, res);
}

/* Both ways a length of four bytes, little-endian, goes before a message. */
static bool serve_one(struct arena *arena, const struct json_types *types)
{
    uint32_t length;
    if (fread(&length, sizeof length, 1, stdin) != 1)
        return false;
    uint8_t *bytes = arena_alloc(arena, length);
    if (fread(bytes, 1, length, stdin) != length)
        return false;
    response *res = (response *)codec_new(
        arena, &conformance__conformance_response__descriptor);
    answer(arena, types, bytes, length, res);
    size_t size;
    uint8_t *packed = codec_pack(arena, &res->base, &size);
    length = (uint32_t)size;
    fwrite(&length, sizeof length, 1, stdout);
    fwrite(packed, 1, size, stdout);
    fflush(stdout);
    return true;
}

int main(void)
{
    struct json_types *types = json_types_create(registries);
    struct arena *arena = arena_create();
    while (serve_one(arena, types))
        arena_reset(arena);
    arena_destroy(arena);
    arena_thread_finish();
    json_types_destroy(types);
    return 0;
}
