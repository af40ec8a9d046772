/* What gRPC's own test clients expect of a server
 * (grpc/grpc doc/interop-test-descriptions.md). */
#include "rpc/orca.h"
#include "rpc/stream.h"
#include "tests/rpc/interopservice.rpc.h"

#include <string.h>

enum { PAYLOAD_BYTES_MAX = 4 * 1024 * 1024 };

/* Two pieces of metadata come back, one before and one behind. */
static void echo_metadata(struct rpc_call *call)
{
    static const char initial[] = "x-grpc-test-echo-initial";
    static const char trailing[] = "x-grpc-test-echo-trailing-bin";
    size_t size;
    const char *value = rpc_metadata(call, initial, &size);
    if (value != NULL)
        rpc_set_header(call, initial, value, size);
    value = rpc_metadata(call, trailing, &size);
    if (value != NULL)
        rpc_set_trailer(call, trailing, value, size);
}

static rpc_status asked_for(struct rpc_call *call, const InteropStatus *status)
{
    if (status == NULL || status->code == RPC_OK)
        return RPC_SUCCESS;
    return rpc_fail(call, (rpc_code)status->code, "%s", status->message);
}

static rpc_status make_payload(struct rpc_call *call, int32_t size,
                               InteropPayload **payload)
{
    if (size < 0 || size > PAYLOAD_BYTES_MAX)
        return rpc_fail(call, RPC_INVALID_ARGUMENT, "no such size");
    *payload = ARENA_NEW(call->arena, InteropPayload);
    **payload = (InteropPayload)INTEROP_PAYLOAD_INIT;
    (*payload)->body.len = (size_t)size;
    (*payload)->body.data = arena_alloc(call->arena, (size_t)size);
    return RPC_SUCCESS;
}

/* Payloads compress well, so that the wish is fulfilled where the client can
 * read it. */
static void wish_compressed(struct rpc_call *call, const InteropBool *wish)
{
    if (wish != NULL)
        rpc_set_compression(call, wish->value);
}

static rpc_status check_compressed(struct rpc_call *call,
                                   const InteropBool *expected)
{
    if (expected == NULL || expected->value == rpc_was_compressed(call))
        return RPC_SUCCESS;
    return rpc_fail(call, RPC_INVALID_ARGUMENT, "the message came %s",
                    expected->value ? "uncompressed" : "compressed");
}

rpc_status test_empty_call(struct rpc_call *call, const InteropEmpty *req,
                           InteropEmpty *res)
{
    (void)call;
    (void)req;
    (void)res;
    return RPC_SUCCESS;
}

static void report_call(struct rpc_call *call, const InteropLoad *load)
{
    if (load == NULL)
        return;
    rpc_report_load(call, RPC_LOAD_CPU, load->cpu_utilization);
    rpc_report_load(call, RPC_LOAD_MEMORY, load->memory_utilization);
    for (size_t i = 0; i < load->n_request_cost; i++)
        rpc_report_cost(call, load->request_cost[i]->key,
                        load->request_cost[i]->value);
    for (size_t i = 0; i < load->n_utilization; i++)
        rpc_report_utilization(call, load->utilization[i]->key,
                               load->utilization[i]->value);
}

/* Replaces what an earlier stream left. */
static void report_server(struct rpc_server *server, const InteropLoad *load)
{
    if (load == NULL)
        return;
    rpc_server_report_nothing(server);
    rpc_server_report_load(server, RPC_LOAD_CPU, load->cpu_utilization);
    rpc_server_report_load(server, RPC_LOAD_MEMORY, load->memory_utilization);
    for (size_t i = 0; i < load->n_utilization; i++)
        rpc_server_report_utilization(server, load->utilization[i]->key,
                                      load->utilization[i]->value);
}

rpc_status test_unary_call(struct rpc_call *call, const InteropRequest *req,
                           InteropResponse *res)
{
    echo_metadata(call);
    TRY(check_compressed(call, req->expect_compressed));
    report_call(call, req->orca_per_query_report);
    TRY(asked_for(call, req->response_status));
    wish_compressed(call, req->response_compressed);
    return make_payload(call, req->response_size, &res->payload);
}

static rpc_status send_outputs(struct rpc_call *call,
                               const InteropStreamRequest *req,
                               struct rpc_out *out)
{
    TRY(asked_for(call, req->response_status));
    for (size_t i = 0; i < req->n_response_parameters; i++) {
        const InteropOutput *output = req->response_parameters[i];
        InteropStreamResponse res = INTEROP_STREAM_RESPONSE_INIT;
        if (output->interval_us > 0)
            TRY(rpc_sleep(call, output->interval_us / 1000));
        TRY(make_payload(call, output->size, &res.payload));
        wish_compressed(call, output->compressed);
        TRY(rpc_send(out, &res));
    }
    return RPC_SUCCESS;
}

rpc_status test_streaming_output_call(struct rpc_call *call,
                                      const InteropStreamRequest *req,
                                      struct rpc_out *out)
{
    echo_metadata(call);
    return send_outputs(call, req, out);
}

rpc_status test_streaming_input_call(struct rpc_call *call, struct rpc_in *in,
                                     InteropInputSum *res)
{
    InteropInput *input;
    echo_metadata(call);
    TRY(rpc_recv(in, &input));
    while (input != NULL) {
        TRY(check_compressed(call, input->expect_compressed));
        if (input->payload != NULL)
            res->aggregated_payload_size += (int32_t)input->payload->body.len;
        TRY(rpc_recv(in, &input));
    }
    return RPC_SUCCESS;
}

rpc_status test_full_duplex_call(struct rpc_call *call, struct rpc_in *in,
                                 struct rpc_out *out)
{
    InteropStreamRequest *req;
    echo_metadata(call);
    TRY(rpc_recv(in, &req));
    while (req != NULL) {
        report_server(call->server, req->orca_oob_report);
        TRY(send_outputs(call, req, out));
        TRY(rpc_recv(in, &req));
    }
    return RPC_SUCCESS;
}
