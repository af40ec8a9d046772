#include "rpc/channelz_socket.h"

#include "rpc/clock.h"
#include "rpc/codec.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

Timestamp *channelz_time(struct arena *arena, int64_t monotonic_us)
{
    if (monotonic_us == 0)
        return NULL;
    int64_t wall_us = clock_wall_us() - (clock_monotonic_us() - monotonic_us);
    Timestamp *time = ARENA_NEW(arena, Timestamp);
    *time = (Timestamp)TIMESTAMP_INIT;
    time->seconds = wall_us / 1000000;
    time->nanos = (int32_t)(wall_us % 1000000 * 1000);
    return time;
}

static Int64Value *int64_value(struct arena *arena, int64_t number)
{
    Int64Value *value = ARENA_NEW(arena, Int64Value);
    *value = (Int64Value)INT64_VALUE_INIT;
    value->value = number;
    return value;
}

SocketRef *channelz_socket_ref(struct arena *arena, int64_t id,
                               const char *name)
{
    SocketRef *ref = ARENA_NEW(arena, SocketRef);
    *ref = (SocketRef)SOCKET_REF_INIT;
    ref->socket_id = id;
    ref->name = arena_strdup(arena, name);
    return ref;
}

/* --- addresses ------------------------------------------------------------ */

static void set_ip(struct arena *arena, Address *to, const void *bytes,
                   size_t size, uint16_t port)
{
    to->address_case = ADDRESS_TCPIP_ADDRESS_CASE;
    to->tcpip_address = ARENA_NEW(arena, AddressTcpIpAddress);
    *to->tcpip_address = (AddressTcpIpAddress)ADDRESS_TCP_IP_ADDRESS_INIT;
    to->tcpip_address->ip_address.data = arena_memdup(arena, bytes, size);
    to->tcpip_address->ip_address.len = size;
    to->tcpip_address->port = ntohs(port);
}

static void set_unix(struct arena *arena, Address *to,
                     const struct sockaddr_un *at, socklen_t size)
{
    size_t path = offsetof(struct sockaddr_un, sun_path);
    to->address_case = ADDRESS_UDS_ADDRESS_CASE;
    to->uds_address = ARENA_NEW(arena, AddressUdsAddress);
    *to->uds_address = (AddressUdsAddress)ADDRESS_UDS_ADDRESS_INIT;
    if (size > path)
        to->uds_address->filename =
            arena_strndup(arena, at->sun_path, size - path);
}

static Address *make_address(struct arena *arena,
                             const struct sockaddr_storage *at, socklen_t size)
{
    Address *address = ARENA_NEW(arena, Address);
    *address = (Address)ADDRESS_INIT;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)at;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)at;
    if (at->ss_family == AF_INET)
        set_ip(arena, address, &v4->sin_addr, 4, v4->sin_port);
    else if (at->ss_family == AF_INET6)
        set_ip(arena, address, &v6->sin6_addr, 16, v6->sin6_port);
    else
        set_unix(arena, address, (const struct sockaddr_un *)at, size);
    return address;
}

static Address *local_address(struct arena *arena, int fd)
{
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof at;
    return getsockname(fd, (struct sockaddr *)&at, &size) != 0
               ? NULL
               : make_address(arena, &at, size);
}

static Address *remote_address(struct arena *arena, int fd)
{
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof at;
    return getpeername(fd, (struct sockaddr *)&at, &size) != 0
               ? NULL
               : make_address(arena, &at, size);
}

/* --- TLS ------------------------------------------------------------------ */

static ProtobufCBinaryData binary(struct arena *arena,
                                  struct tls_certificate_bytes from)
{
    return (ProtobufCBinaryData){from.size,
                                 arena_memdup(arena, from.bytes, from.size)};
}

static Security *make_security(struct arena *arena, const struct tls *tls)
{
    struct tls_description d;
    if (tls == NULL || !tls_describe(tls, &d))
        return NULL;
    Security *security = ARENA_NEW(arena, Security);
    *security = (Security)SECURITY_INIT;
    SecurityTls *t = ARENA_NEW(arena, SecurityTls);
    *t = (SecurityTls)SECURITY_TLS_INIT;
    t->cipher_suite_case = SECURITY_TLS_STANDARD_NAME_CASE;
    t->standard_name = arena_strdup(arena, d.cipher);
    t->local_certificate = binary(arena, d.local);
    t->remote_certificate = binary(arena, d.remote);
    security->model_case = SECURITY_TLS_CASE;
    security->tls = t;
    tls_description_free(&d);
    return security;
}

/* --- what the kernel knows ------------------------------------------------ */

static SocketOptionTcpInfo *tcp_info(struct arena *arena, int fd)
{
    struct tcp_info i = {0};
    socklen_t size = sizeof i;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &size) != 0)
        return NULL;
    SocketOptionTcpInfo *info = ARENA_NEW(arena, SocketOptionTcpInfo);
    *info = (SocketOptionTcpInfo)SOCKET_OPTION_TCP_INFO_INIT;
#define COPY(name) info->tcpi_##name = i.tcpi_##name
    COPY(state), COPY(ca_state), COPY(retransmits), COPY(probes);
    COPY(backoff), COPY(options), COPY(snd_wscale), COPY(rcv_wscale);
    COPY(rto), COPY(ato), COPY(snd_mss), COPY(rcv_mss);
    COPY(unacked), COPY(sacked), COPY(lost), COPY(retrans), COPY(fackets);
    COPY(last_data_sent), COPY(last_ack_sent);
    COPY(last_data_recv), COPY(last_ack_recv);
    COPY(pmtu), COPY(rcv_ssthresh), COPY(rtt), COPY(rttvar);
    COPY(snd_ssthresh), COPY(snd_cwnd), COPY(advmss), COPY(reordering);
#undef COPY
    return info;
}

static void add_tcp_info(struct arena *arena, SocketData *data, int fd)
{
    const SocketOptionTcpInfo *info = tcp_info(arena, fd);
    if (info == NULL)
        return;
    SocketOption *option = ARENA_NEW(arena, SocketOption);
    *option = (SocketOption)SOCKET_OPTION_INIT;
    option->name = "TCP_INFO";
    option->additional = ARENA_NEW(arena, Any);
    *option->additional = (Any)ANY_INIT;
    option->additional->type_url =
        "type.googleapis.com/grpc.channelz.v1.SocketOptionTcpInfo";
    size_t size;
    option->additional->value.data = codec_pack(arena, &info->base, &size);
    option->additional->value.len = size;
    data->option = arena_array(arena, 1, sizeof data->option[0]);
    data->option[data->n_option++] = option;
}

/* --- the socket ----------------------------------------------------------- */

static SocketData *make_data(struct arena *arena, const struct conn *conn)
{
    const struct conn_counts *c = &conn->counts;
    SocketData *data = ARENA_NEW(arena, SocketData);
    *data = (SocketData)SOCKET_DATA_INIT;
    data->streams_started = (int64_t)c->streams_started;
    data->streams_succeeded = (int64_t)c->streams_succeeded;
    data->streams_failed = (int64_t)c->streams_failed;
    data->messages_sent = (int64_t)c->messages_sent;
    data->messages_received = (int64_t)c->messages_received;
    data->keep_alives_sent = (int64_t)c->keepalives;
    data->last_remote_stream_created_timestamp =
        channelz_time(arena, c->stream_us);
    data->last_message_sent_timestamp = channelz_time(arena, c->sent_us);
    data->last_message_received_timestamp =
        channelz_time(arena, c->received_us);
    if (conn->session != NULL) {
        data->local_flow_control_window = int64_value(
            arena, nghttp2_session_get_remote_window_size(conn->session));
        data->remote_flow_control_window = int64_value(
            arena, nghttp2_session_get_local_window_size(conn->session));
    }
    add_tcp_info(arena, data, conn->socket.fd);
    return data;
}

Socket *channelz_conn(struct arena *arena, const struct conn *conn)
{
    Socket *socket = ARENA_NEW(arena, Socket);
    *socket = (Socket)SOCKET_INIT;
    socket->ref = channelz_socket_ref(arena, conn->id, conn->peer);
    socket->data = make_data(arena, conn);
    socket->local = local_address(arena, conn->socket.fd);
    socket->remote = remote_address(arena, conn->socket.fd);
    socket->security = make_security(arena, conn->socket.tls);
    return socket;
}

Socket *channelz_listener(struct arena *arena, int64_t id, int fd)
{
    Socket *socket = ARENA_NEW(arena, Socket);
    *socket = (Socket)SOCKET_INIT;
    socket->ref = channelz_socket_ref(arena, id, "");
    socket->data = ARENA_NEW(arena, SocketData);
    *socket->data = (SocketData)SOCKET_DATA_INIT;
    socket->local = local_address(arena, fd);
    return socket;
}
