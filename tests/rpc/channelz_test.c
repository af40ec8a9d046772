/* Channelz by the operator's socket, and who is let in. */
#include "grpc/channelz/v1/channelz.rpc.h"
#include "rpc/clock.h"
#include "tests/wire/operator.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define CHANNELZ "/grpc.channelz.v1.Channelz/"

static int start(void **state)
{
    *state = operator_start((struct rpc_server_options){.loop_count = 2});
    return 0;
}

static struct client_response *ask(fixture *t, const char *method,
                                   const void *request)
{
    char path[64];
    snprintf(path, sizeof path, CHANNELZ "%s", method);
    return wire_call(t, path, NULL, framed(t, request));
}

static const Server *the_server(fixture *t)
{
    GetServersRequest req = GET_SERVERS_REQUEST_INIT;
    const GetServersResponse *res = message_at(
        t, GET_SERVERS_RESPONSE_DESCRIPTOR, ask(t, "GetServers", &req), 0);
    assert_int_equal(res->n_server, 1);
    assert_true(res->end);
    return res->server[0];
}

static const GetServerSocketsResponse *sockets(fixture *t, int64_t start,
                                               int64_t max)
{
    GetServerSocketsRequest req = GET_SERVER_SOCKETS_REQUEST_INIT;
    req.server_id = the_server(t)->ref->server_id;
    req.start_socket_id = start;
    req.max_results = max;
    return message_at(t, GET_SERVER_SOCKETS_RESPONSE_DESCRIPTOR,
                      ask(t, "GetServerSockets", &req), 0);
}

static const Socket *the_socket(fixture *t, int64_t id)
{
    GetSocketRequest req = GET_SOCKET_REQUEST_INIT;
    req.socket_id = id;
    const GetSocketResponse *res = message_at(t, GET_SOCKET_RESPONSE_DESCRIPTOR,
                                              ask(t, "GetSocket", &req), 0);
    return res->socket;
}

static int64_t last_id(const GetServerSocketsResponse *list)
{
    return list->socket_ref[list->n_socket_ref - 1]->socket_id;
}

static void the_server_counts_its_calls(void **state)
{
    fixture *t = *state;
    const ServerData *before = the_server(t)->data;
    assert_grpc(wire_call(t, TEST_ECHO, NULL, echo_body(t, "x")), 200, RPC_OK);
    assert_grpc(wire_call(t, "/no.such/Method", NULL, echo_body(t, "x")), 200,
                RPC_UNIMPLEMENTED);
    const ServerData *after = the_server(t)->data;
    /* with the two calls that asked, of which the second still runs */
    assert_int_equal(after->calls_started, before->calls_started + 3);
    assert_int_equal(after->calls_succeeded, before->calls_succeeded + 2);
    assert_int_equal(after->calls_failed, before->calls_failed + 1);
    int64_t age_s =
        clock_wall_us() / 1000000 - after->last_call_started_timestamp->seconds;
    assert_in_range(age_s, 0, 60);
}

static void a_listening_socket_has_its_address(void **state)
{
    fixture *t = *state;
    const Server *server = the_server(t);
    assert_int_equal(server->n_listen_socket, 2);
    bool has_port = false, has_path = false;
    for (size_t i = 0; i < 2; i++) {
        const Address *at =
            the_socket(t, server->listen_socket[i]->socket_id)->local;
        if (at->address_case == ADDRESS_TCPIP_ADDRESS_CASE)
            has_port = at->tcpip_address->port == t->port;
        else
            has_path = strcmp(at->uds_address->filename, operator_path) == 0;
    }
    assert_true(has_port && has_path);
}

static void a_socket_tells_what_passed_over_it(void **state)
{
    fixture *t = *state;
    struct client *admin = t->client;
    t->client = client_connect(t->port);
    for (int i = 0; i < 3; i++)
        assert_grpc(wire_call(t, TEST_ECHO, NULL, echo_body(t, "x")), 200,
                    RPC_OK);
    struct client_response *r =
        client_request(t->client, TEST_SLEEP, NULL, NULL, 0, false);
    client_reset(t->client, r, NGHTTP2_CANCEL);
    client_ping(t->client);

    struct client *other = t->client;
    t->client = admin;
    const Socket *socket = the_socket(t, last_id(sockets(t, 0, 0)));
    const SocketData *data = socket->data;
    assert_int_equal(data->streams_started, 4);
    assert_int_equal(data->streams_succeeded, 3);
    assert_int_equal(data->streams_failed, 1);
    assert_int_equal(data->messages_received, 3);
    assert_int_equal(data->messages_sent, 3);
    assert_int_equal(data->keep_alives_sent, 0);
    assert_non_null(data->last_remote_stream_created_timestamp);
    assert_non_null(data->last_message_sent_timestamp);
    assert_null(data->last_local_stream_created_timestamp);
    assert_true(data->local_flow_control_window->value > 0);
    assert_in_range(data->remote_flow_control_window->value, 1, 1024 * 1024);
    assert_int_equal(socket->local->tcpip_address->port, t->port);
    assert_int_equal(socket->remote->tcpip_address->ip_address.len, 4);
    assert_null(socket->security);
    assert_string_equal(data->option[0]->name, "TCP_INFO");
    client_close(other);
}

static void a_socket_under_tls_tells_what_was_agreed(void **state)
{
    fixture *t = *state;
    struct client *other =
        client_open((struct client_options){.port = t->port, .tls = true});
    client_ping(other);
    const Security *security =
        the_socket(t, last_id(sockets(t, 0, 0)))->security;
    assert_non_null(security);
    assert_int_equal(security->model_case, SECURITY_TLS_CASE);
    assert_memory_equal(security->tls->standard_name, "TLS_", 4);
    const unsigned char *der = security->tls->local_certificate.data;
    X509 *shown =
        d2i_X509(NULL, &der, (long)security->tls->local_certificate.len);
    assert_non_null(shown);
    X509_free(shown);
    assert_int_equal(security->tls->remote_certificate.len, 0);
    client_close(other);
}

static void pages_follow_each_other_and_ids_only_grow(void **state)
{
    fixture *t = *state;
    enum { COUNT = 7 };
    struct client *clients[COUNT];
    for (int i = 0; i < COUNT; i++) {
        clients[i] = client_connect(t->port);
        client_ping(clients[i]);
    }
    int64_t start_id = 0, seen = 0;
    const GetServerSocketsResponse *page;
    do {
        page = sockets(t, start_id, 3);
        assert_in_range(page->n_socket_ref, 1, 3);
        for (size_t i = 0; i < page->n_socket_ref; i++, seen++) {
            assert_true(page->socket_ref[i]->socket_id >= start_id);
            start_id = page->socket_ref[i]->socket_id + 1;
        }
    } while (!page->end);
    assert_int_equal(seen, COUNT + 1); /* with the one that asks */

    int64_t highest = last_id(sockets(t, 0, 0));
    for (int i = 0; i < COUNT; i++)
        client_close(clients[i]);
    struct client *newest = client_connect(t->port);
    client_ping(newest);
    assert_true(last_id(sockets(t, 0, 0)) > highest);
    client_close(newest);
}

static void what_is_not_there_is_not_found(void **state)
{
    fixture *t = *state;
    GetSocketRequest socket = GET_SOCKET_REQUEST_INIT;
    GetServerRequest server = GET_SERVER_REQUEST_INIT;
    GetChannelRequest channel = GET_CHANNEL_REQUEST_INIT;
    GetSubchannelRequest subchannel = GET_SUBCHANNEL_REQUEST_INIT;
    GetServerSocketsRequest list = GET_SERVER_SOCKETS_REQUEST_INIT;
    GetServersRequest servers = GET_SERVERS_REQUEST_INIT;
    GetTopChannelsRequest channels = GET_TOP_CHANNELS_REQUEST_INIT;
    socket.socket_id = server.server_id = list.server_id = 1 << 30;
    servers.max_results = -1;
    assert_grpc(ask(t, "GetSocket", &socket), 200, RPC_NOT_FOUND);
    assert_grpc(ask(t, "GetServer", &server), 200, RPC_NOT_FOUND);
    assert_grpc(ask(t, "GetServerSockets", &list), 200, RPC_NOT_FOUND);
    assert_grpc(ask(t, "GetChannel", &channel), 200, RPC_NOT_FOUND);
    assert_grpc(ask(t, "GetSubchannel", &subchannel), 200, RPC_NOT_FOUND);
    assert_grpc(ask(t, "GetServers", &servers), 200, RPC_INVALID_ARGUMENT);
    const GetTopChannelsResponse *none =
        message_at(t, GET_TOP_CHANNELS_RESPONSE_DESCRIPTOR,
                   ask(t, "GetTopChannels", &channels), 0);
    assert_true(none->end && none->n_channel == 0);
}

/* --- who is let in --- */

static int code_of(fixture *t, const char *path, const char *token)
{
    GetServersRequest req = GET_SERVERS_REQUEST_INIT;
    const struct rpc_header headers[] = {
        {token == NULL ? NULL : "authorization", token}, {NULL, NULL}};
    return client_status(wire_call(t, path, headers, framed(t, &req)));
}

static void only_superusers_are_let_in_by_the_open_port(void **state)
{
    fixture *t = *state;
    struct client *admin = t->client;
    t->client = client_connect(t->port);
    char superuser[32], everything_else[32], operators[32];
    snprintf(superuser, sizeof superuser, "Bearer %d", SUPERUSER);
    snprintf(operators, sizeof operators, "Bearer %d", 1 << 11);
    snprintf(everything_else, sizeof everything_else, "Bearer %d",
             0x7ff & ~SUPERUSER);
    assert_int_equal(code_of(t, CHANNELZ "GetServers", NULL),
                     RPC_UNAUTHENTICATED);
    assert_int_equal(code_of(t, CHANNELZ "GetServers", everything_else),
                     RPC_PERMISSION_DENIED);
    /* a role that only a connection can give */
    assert_int_equal(code_of(t, CHANNELZ "GetServers", operators),
                     RPC_PERMISSION_DENIED);
    assert_int_equal(code_of(t, CHANNELZ "GetServers", superuser), RPC_OK);
    client_close(admin);
}

static void the_operators_socket_opens_nothing_else(void **state)
{
    fixture *t = *state;
    assert_int_equal(code_of(t, CHANNELZ "GetServers", NULL), RPC_OK);
    assert_int_equal(code_of(t, TEST_WHOAMI, NULL), RPC_UNAUTHENTICATED);
}

static void the_operators_socket_is_closed_to_others(void **state)
{
    (void)state;
    struct stat file;
    assert_int_equal(stat(operator_path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
}

struct visitor {
    uid_t user;
    bool is_sent_away;
};

/* To the kernel the user is the thread's; setuid() would change it for all. */
static void *come(void *argument)
{
    struct visitor *visitor = argument;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char byte;
    strcpy(at.sun_path, operator_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    visitor->is_sent_away =
        syscall(SYS_setresuid, visitor->user, visitor->user, visitor->user) ==
            0 &&
        connect(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
        read(fd, &byte, 1) == 0;
    close(fd);
    return NULL;
}

/* Whatever the file's mode says. */
static void another_user_is_sent_away(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(operator_path, 0666), 0);
    struct visitor nobody = {.user = 65534};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, come, &nobody), 0);
    pthread_join(thread, NULL);
    assert_true(nobody.is_sent_away);
}

static int start_full(void **state)
{
    *state = operator_start((struct rpc_server_options){
        .loop_count = 1, .connections_max = 2, .calls_in_flight_max = 1});
    return 0;
}

static void a_full_server_still_answers_its_operator(void **state)
{
    fixture *t = *state;
    struct client *busy = client_connect(t->port);
    SleepRequest sleep = SLEEP_REQUEST_INIT;
    sleep.sleep_ms = 20000;
    struct bytes body = framed(t, &sleep);
    struct client_response *sleeping =
        client_request(busy, TEST_SLEEP, NULL, body.data, body.size, true);
    client_ping(busy);
    struct client *refused = client_connect(t->port);
    client_wait_closed(refused);
    client_close(refused);
    client_close(t->client); /* a new one is let in while there are two */
    t->client =
        client_open((struct client_options){.unix_path = operator_path});
    assert_int_equal(code_of(t, TEST_FAIL, NULL), RPC_RESOURCE_EXHAUSTED);
    assert_int_equal(code_of(t, CHANNELZ "GetServers", NULL), RPC_OK);
    client_reset(busy, sleeping, NGHTTP2_CANCEL);
    client_close(busy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name, start) \
    cmocka_unit_test_setup_teardown(name, start, wire_stop)
        CASE(the_server_counts_its_calls, start),
        CASE(a_listening_socket_has_its_address, start),
        CASE(a_socket_tells_what_passed_over_it, start),
        CASE(a_socket_under_tls_tells_what_was_agreed, start),
        CASE(pages_follow_each_other_and_ids_only_grow, start),
        CASE(what_is_not_there_is_not_found, start),
        CASE(only_superusers_are_let_in_by_the_open_port, start),
        CASE(the_operators_socket_opens_nothing_else, start),
        CASE(the_operators_socket_is_closed_to_others, start),
        CASE(another_user_is_sent_away, start),
        CASE(a_full_server_still_answers_its_operator, start_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
