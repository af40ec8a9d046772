/* The handlers of TestService: the server that tests, attacks and benchmarks
 * of the runtime talk to. */
#include "rpc/stream.h"
#include "tests/rpc/testservice.rpc.h"

rpc_status test_echo(struct rpc_call *call, const EchoRequest *req,
                     EchoResponse *res)
{
    (void)call;
    res->text = req->text;
    res->number = req->number;
    res->payload = req->payload;
    return RPC_SUCCESS;
}

rpc_status test_note(struct rpc_call *call, const NoteRequest *req,
                     NoteResponse *res)
{
    (void)call;
    res->text = req->text;
    return RPC_SUCCESS;
}

static Tree *make_tree(struct arena *arena, const char *name, int depth)
{
    static char payload[] = "payload";
    static const char *tags[] = {"red", "green"};
    Tree *tree = ARENA_NEW(arena, Tree);
    *tree = (Tree)TREE_INIT;
    tree->name = name;
    tree->number = depth;
    tree->payload = (ProtobufCBinaryData){sizeof payload - 1, (void *)payload};
    tree->_share_case = TREE_SHARE_CASE;
    tree->share = 0.5;
    tree->n_tags = 2;
    tree->tags = tags;
    tree->pick_case = TREE_PICK_TEXT_CASE;
    tree->pick_text = "picked";
    if (depth == 0)
        return tree;
    tree->child = make_tree(arena, "child", depth - 1);
    tree->n_children = 2;
    tree->children = arena_array(arena, 2, sizeof *tree->children);
    tree->children[0] = make_tree(arena, "first", depth - 1);
    tree->children[1] = make_tree(arena, "second", depth - 1);
    return tree;
}

rpc_status test_read(struct rpc_call *call, const ReadRequest *req,
                     ReadResponse *res)
{
    static const char *texts[] = {"one", "two"};
    (void)req;
    res->tree = make_tree(call->arena, "root", 2);
    res->n_trees = 2;
    res->trees = arena_array(call->arena, 2, sizeof *res->trees);
    res->trees[0] = make_tree(call->arena, "left", 1);
    res->trees[1] = make_tree(call->arena, "right", 1);
    res->n_texts = 2;
    res->texts = texts;
    res->total_size = 7;
    res->next_page_token = "more";
    return RPC_SUCCESS;
}

rpc_status test_sleep(struct rpc_call *call, const SleepRequest *req,
                      SleepResponse *res)
{
    (void)res;
    return rpc_sleep(call, req->sleep_ms);
}

rpc_status test_fail(struct rpc_call *call, const FailRequest *req,
                     FailResponse *res)
{
    (void)res;
    if (req->code == RPC_OK)
        return RPC_SUCCESS;
    rpc_status status = rpc_fail(call, (rpc_code)req->code, "%s", req->message);
    if (req->reason[0] != '\0')
        rpc_add_reason(call, req->reason);
    if (req->field[0] != '\0')
        rpc_add_field_violation(call, req->field, req->message);
    if (req->retry_ms > 0)
        rpc_add_retry(call, req->retry_ms);
    return status;
}

rpc_status test_whoami(struct rpc_call *call, const WhoamiRequest *req,
                       WhoamiResponse *res)
{
    (void)req;
    if (call->caller.id != NULL)
        res->id = call->caller.id;
    if (call->caller.session_id != NULL)
        res->session_id = call->caller.session_id;
    res->roles = call->caller.roles;
    res->peer = call->peer;
    if (call->peer_identity != NULL)
        res->peer_identity = call->peer_identity;
    return RPC_SUCCESS;
}

rpc_status test_server_stream(struct rpc_call *call,
                              const ServerStreamRequest *req,
                              struct rpc_out *out)
{
    ServerStreamResponse message = SERVER_STREAM_RESPONSE_INIT;
    message.payload.len = (size_t)req->payload_bytes;
    message.payload.data = arena_alloc(call->arena, message.payload.len);
    for (message.index = 0; message.index < req->count; message.index++) {
        if (message.index > 0 && req->interval_ms > 0)
            TRY(rpc_sleep(call, req->interval_ms));
        TRY(rpc_send(out, &message));
    }
    if (req->code != RPC_OK)
        return rpc_fail(call, (rpc_code)req->code, "as asked for");
    return RPC_SUCCESS;
}

rpc_status test_client_stream(struct rpc_call *call, struct rpc_in *in,
                              ClientStreamResponse *res)
{
    (void)call;
    ClientStreamRequest *message;
    TRY(rpc_recv(in, &message));
    while (message != NULL) {
        /* By way of unsigned: the sum of what strangers send may wrap. */
        res->sum = (int64_t)((uint64_t)res->sum + (uint64_t)message->number);
        res->message_count++;
        res->payload_bytes += (int64_t)message->payload.len;
        TRY(rpc_recv(in, &message));
    }
    return RPC_SUCCESS;
}

rpc_status test_bidi_stream(struct rpc_call *call, struct rpc_in *in,
                            struct rpc_out *out)
{
    (void)call;
    BidiStreamRequest *message;
    TRY(rpc_recv(in, &message));
    while (message != NULL) {
        BidiStreamResponse back = BIDI_STREAM_RESPONSE_INIT;
        back.text = message->text;
        back.payload = message->payload;
        TRY(rpc_send(out, &back));
        TRY(rpc_recv(in, &message));
    }
    return RPC_SUCCESS;
}
