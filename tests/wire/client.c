#include "tests/wire/client.h"

#include "tests/wire/dial.h"

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* --- a session --- */

enum { RESPONSES_MAX = 512 };

struct upload {
    struct client_response response; /* first */
    uint8_t *pending;                /* what waits lies behind what was sent */
    size_t pending_sent, pending_size;
    bool ends;
};

struct client {
    int fd;
    SSL_CTX *context;
    SSL *ssl;
    nghttp2_session *session;
    struct upload *uploads[RESPONSES_MAX];
    int upload_count;
    bool is_open;
    int pongs, pings;
    int64_t goaway_code;
    int32_t goaway_last;
    int goaway_count;
    char goaway_text[64];
};

static struct client_response *response_of(struct client *client, int32_t id)
{
    for (int i = client->upload_count - 1; i >= 0; i--)
        if (client->uploads[i]->response.id == id)
            return &client->uploads[i]->response;
    return NULL;
}

static int on_begin_headers(nghttp2_session *session,
                            const nghttp2_frame *frame, void *user)
{
    (void)session;
    struct client_response *r = response_of(user, frame->hd.stream_id);
    if (r != NULL)
        r->header_blocks++;
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame,
                     const uint8_t *name, size_t name_size,
                     const uint8_t *value, size_t value_size, uint8_t flags,
                     void *user)
{
    (void)session;
    struct client_response *r = response_of(user, frame->hd.stream_id);
    if (r == NULL)
        return 0;
    if (name_size == 7 && memcmp(name, ":status", 7) == 0)
        r->http_status = atoi((const char *)value);
    assert_true(r->field_count < 32);
    r->fields[r->field_count++] = (struct client_field){
        .name = strndup((const char *)name, name_size),
        .value = strndup((const char *)value, value_size),
        .is_trailer = r->header_blocks > 1,
        .is_unindexed = (flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0,
    };
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id,
                   const uint8_t *bytes, size_t size, void *user)
{
    (void)session;
    (void)flags;
    struct client_response *r = response_of(user, id);
    r->body = realloc(r->body, r->body_size + size);
    memcpy(r->body + r->body_size, bytes, size);
    r->body_size += size;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame,
                    void *user)
{
    (void)session;
    struct client *client = user;
    if (frame->hd.type == NGHTTP2_PING)
        *(frame->hd.flags & NGHTTP2_FLAG_ACK ? &client->pongs
                                             : &client->pings) += 1;
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        struct client_response *r = response_of(client, frame->hd.stream_id);
        if (r != NULL)
            r->reset_code = frame->rst_stream.error_code;
    }
    if (frame->hd.type != NGHTTP2_GOAWAY)
        return 0;
    client->goaway_count++;
    client->goaway_code = frame->goaway.error_code;
    client->goaway_last = frame->goaway.last_stream_id;
    snprintf(client->goaway_text, sizeof client->goaway_text, "%.*s",
             (int)frame->goaway.opaque_data_len,
             (const char *)frame->goaway.opaque_data);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code,
                    void *user)
{
    (void)session;
    (void)code;
    struct client_response *r = response_of(user, id);
    if (r != NULL)
        r->is_closed = true;
    return 0;
}

static ssize_t read_upload(nghttp2_session *session, int32_t id, uint8_t *bytes,
                           size_t size, uint32_t *flags,
                           nghttp2_data_source *source, void *user)
{
    (void)session;
    (void)id;
    (void)user;
    struct upload *u = source->ptr;
    if (u->pending_size == 0 && !u->ends)
        return NGHTTP2_ERR_DEFERRED;
    size_t count = u->pending_size < size ? u->pending_size : size;
    if (count > 0)
        memcpy(bytes, u->pending + u->pending_sent, count);
    u->pending_sent += count;
    u->pending_size -= count;
    if (u->pending_size == 0 && u->ends)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)count;
}

static bool write_all(struct client *client, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t put = client->ssl != NULL
                          ? SSL_write(client->ssl, bytes, (int)size)
                          : send(client->fd, bytes, size, MSG_NOSIGNAL);
        if (put <= 0)
            return false;
        bytes += put;
        size -= (size_t)put;
    }
    return true;
}

/* A server that has closed already is noticed by the next read. */
static void send_pending(struct client *client)
{
    const uint8_t *bytes;
    ssize_t count;
    while ((count = nghttp2_session_mem_send(client->session, &bytes)) > 0)
        if (!write_all(client, bytes, (size_t)count))
            return;
    assert_true(count == 0);
}

static ssize_t read_some(struct client *client, uint8_t *bytes, size_t size)
{
    if (client->ssl == NULL) {
        dial_wait_readable(client->fd);
        return recv(client->fd, bytes, size, 0);
    }
    if (!SSL_has_pending(client->ssl))
        dial_wait_readable(client->fd);
    return SSL_read(client->ssl, bytes, (int)size);
}

static void talk_once(struct client *client)
{
    uint8_t bytes[4096 - 512];
    send_pending(client);
    ssize_t got = read_some(client, bytes, sizeof bytes);
    if (got <= 0) {
        client->is_open = false;
        for (int i = 0; i < client->upload_count; i++)
            client->uploads[i]->response.is_closed = true;
        return;
    }
    if (nghttp2_session_mem_recv(client->session, bytes, (size_t)got) != got)
        fail_msg("%s", "the server broke HTTP/2");
    send_pending(client);
}

static void start_session(struct client *client, struct client_options options)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks,
                                                            on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks,
                                                              on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_option *option;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, options.window_bytes != 0);
    nghttp2_session_client_new2(&client->session, callbacks, client, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);

    nghttp2_settings_entry entries[2];
    size_t count = 0;
    if (options.window_bytes != 0)
        entries[count++] = (nghttp2_settings_entry){
            NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options.window_bytes};
    if (options.header_bytes_max != 0)
        entries[count++] = (nghttp2_settings_entry){
            NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options.header_bytes_max};
    nghttp2_submit_settings(client->session, 0, entries, count);
}

struct client *client_open(struct client_options options)
{
    struct client *client = calloc(1, sizeof *client);
    assert_non_null(client);
    client->is_open = true;
    client->goaway_code = -1;
    client->fd = options.unix_path != NULL
                     ? dial_unix(options.unix_path)
                     : dial_tcp(options.port, options.from);
    if (options.tls)
        client->ssl = dial_tls(client->fd, &client->context, "\2h2", &options);
    start_session(client, options);
    send_pending(client);
    return client;
}

struct client *client_connect(int port)
{
    return client_open((struct client_options){.port = port});
}

static void free_upload(struct upload *u)
{
    for (int i = 0; i < u->response.field_count; i++) {
        free(u->response.fields[i].name);
        free(u->response.fields[i].value);
    }
    free(u->response.body);
    free(u->pending);
    free(u);
}

void client_close(struct client *client)
{
    nghttp2_session_del(client->session);
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
    close(client->fd);
    for (int i = 0; i < client->upload_count; i++)
        free_upload(client->uploads[i]);
    free(client);
}

static size_t make_fields(nghttp2_nv *fields, size_t room, const char *path,
                          const struct rpc_header *headers)
{
    static const struct rpc_header usual[] = {
        {":method", "POST"},
        {":scheme", "http"},
        {":path", NULL},
        {":authority", "localhost"},
        {"content-type", "application/grpc"},
        {"te", "trailers"},
    };
    enum { USUAL = sizeof usual / sizeof usual[0] };
    size_t count = USUAL;
    for (size_t i = 0; i < USUAL; i++)
        fields[i] = nv(usual[i].name, i == 2 ? path : usual[i].value);
    for (const struct rpc_header *h = headers; h != NULL && h->name != NULL;
         h++) {
        size_t i = 0;
        while (i < USUAL && strcmp(usual[i].name, h->name) != 0)
            i++;
        assert_true(count < room);
        fields[i < USUAL ? i : count++] = nv(h->name, h->value);
    }
    return count;
}

static void add_pending(struct upload *u, const void *body, size_t size,
                        bool end_stream)
{
    if (u->pending_sent > 0)
        memmove(u->pending, u->pending + u->pending_sent, u->pending_size);
    u->pending_sent = 0;
    u->pending = realloc(u->pending, u->pending_size + size + 1);
    if (size > 0)
        memcpy(u->pending + u->pending_size, body, size);
    u->pending_size += size;
    u->ends = end_stream;
}

struct client_response *client_request(struct client *client, const char *path,
                                       const struct rpc_header *headers,
                                       const void *body, size_t size,
                                       bool end_stream)
{
    nghttp2_nv fields[32];
    size_t count = make_fields(fields, 32, path, headers);
    struct upload *u = calloc(1, sizeof *u);
    assert_true(client->upload_count < RESPONSES_MAX);
    client->uploads[client->upload_count++] = u;
    u->response.reset_code = CLIENT_NO_RESET;
    add_pending(u, body, size, end_stream);
    const nghttp2_data_provider provider = {.source = {.ptr = u},
                                            .read_callback = read_upload};
    bool empty = size == 0 && end_stream;
    u->response.id = nghttp2_submit_request(
        client->session, NULL, fields, count, empty ? NULL : &provider, NULL);
    assert_true(u->response.id > 0);
    send_pending(client);
    return &u->response;
}

void client_send(struct client *client, struct client_response *response,
                 const void *body, size_t size, bool end_stream)
{
    add_pending((struct upload *)response, body, size, end_stream);
    nghttp2_session_resume_data(client->session, response->id);
    send_pending(client);
}

void client_wait_sent(struct client *client, struct client_response *response)
{
    const struct upload *u = (const struct upload *)response;
    send_pending(client);
    while (client->is_open && !response->is_closed && u->pending_size > 0)
        talk_once(client);
}

void client_reset(struct client *client, struct client_response *response,
                  uint32_t code)
{
    nghttp2_submit_rst_stream(client->session, 0, response->id, code);
    send_pending(client);
}

void client_forget(struct client *client, struct client_response *response)
{
    int i = 0;
    assert_true(response->is_closed);
    while (&client->uploads[i]->response != response)
        i++;
    free_upload(client->uploads[i]);
    client->uploads[i] = client->uploads[--client->upload_count];
}

void client_grant(struct client *client, struct client_response *response,
                  int32_t bytes)
{
    nghttp2_submit_window_update(client->session, 0, response->id, bytes);
    nghttp2_submit_window_update(client->session, 0, 0, bytes);
    send_pending(client);
}

void client_wait(struct client *client, struct client_response *response)
{
    while (!response->is_closed)
        talk_once(client);
}

void client_wait_body(struct client *client, struct client_response *response,
                      size_t size)
{
    while (!response->is_closed && response->body_size < size)
        talk_once(client);
}

void client_wait_closed(struct client *client)
{
    while (client->is_open)
        talk_once(client);
}

void client_ping(struct client *client)
{
    int wanted = client->pongs + 1;
    nghttp2_submit_ping(client->session, 0, NULL);
    while (client->is_open && client->pongs < wanted)
        talk_once(client);
}

uint32_t client_peer_window(const struct client *client)
{
    return nghttp2_session_get_remote_settings(
        client->session, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
}

void client_wait_window(struct client *client, uint32_t bytes)
{
    while (client->is_open && client_peer_window(client) != bytes)
        talk_once(client);
}

int client_pings(const struct client *client)
{
    return client->pings;
}

void client_wait_pings(struct client *client, int count)
{
    while (client->is_open && client->pings < count)
        talk_once(client);
}

bool client_is_open(const struct client *client)
{
    return client->is_open;
}

int64_t client_goaway_code(const struct client *client)
{
    return client->goaway_code;
}

int32_t client_goaway_last_stream(const struct client *client)
{
    return client->goaway_last;
}

int client_goaway_count(const struct client *client)
{
    return client->goaway_count;
}

const char *client_goaway_text(const struct client *client)
{
    return client->goaway_text;
}

const char *client_field(const struct client_response *response,
                         const char *name)
{
    for (int i = 0; i < response->field_count; i++)
        if (strcmp(response->fields[i].name, name) == 0)
            return response->fields[i].value;
    return NULL;
}

int client_status(const struct client_response *response)
{
    const char *status = client_field(response, "grpc-status");
    return status == NULL ? -1 : atoi(status);
}

bool client_sees_certificate(const struct client *client, const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    X509 *expected = PEM_read_X509(file, NULL, NULL, NULL);
    X509 *shown = SSL_get1_peer_certificate(client->ssl);
    fclose(file);
    assert_non_null(expected);
    assert_non_null(shown);
    bool is_same = X509_cmp(expected, shown) == 0;
    X509_free(expected);
    X509_free(shown);
    return is_same;
}

size_t client_frame(uint8_t *out, int flag, const void *message, size_t size)
{
    out[0] = (uint8_t)flag;
    out[1] = (uint8_t)(size >> 24);
    out[2] = (uint8_t)(size >> 16);
    out[3] = (uint8_t)(size >> 8);
    out[4] = (uint8_t)size;
    if (size > 0)
        memcpy(out + 5, message, size);
    return size + 5;
}
