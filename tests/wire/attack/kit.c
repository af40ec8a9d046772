#include "tests/wire/attack/attack.h"

#include <unistd.h>

int attack_port, attack_process;
bool attack_tls;
const char *attack_operator;
int attack_edge;

double attack_resident_mb(void)
{
    char path[40];
    long pages = 0, resident = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", attack_process);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &pages, &resident), 2);
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / (1024 * 1024);
}

/* A call that no limit counts: the attacks have used up their address's. */
void attack_assert_still_serves(void)
{
    struct client *client =
        client_open((struct client_options){.port = attack_port, .tls = true});
    struct client_response *r =
        client_request(client, HEALTH, NULL, "\0\0\0\0", 5, true);
    client_wait(client, r);
    assert_int_equal(r->http_status, 200);
    assert_int_equal(client_status(r), OK);
    client_close(client);
}

struct raw *attack_greeted(void)
{
    struct raw *raw =
        attack_tls ? raw_connect_tls(attack_port) : raw_connect(attack_port);
    raw_greet(raw);
    return raw;
}

void attack_request(struct raw *raw, uint32_t stream, uint8_t flags)
{
    uint8_t block[1024];
    size_t size = raw_headers(raw, block, sizeof block, HEALTH, NULL, NULL);
    raw_frame(raw, NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, stream,
              block, size);
}

void attack_assert_refused(struct raw *raw, int64_t code, const char *reason)
{
    struct raw_end end = raw_wait_closed(raw);
    assert_int_equal(end.goaway_code, code);
    assert_string_equal(end.goaway_text, reason);
    raw_close(raw);
}

struct client *attack_connected_from(const char *from)
{
    return client_open((struct client_options){
        .port = attack_port, .tls = attack_tls, .from = from});
}

struct client *attack_connected(void)
{
    return attack_connected_from(NULL);
}

double attack_metric(const char *line)
{
    enum { ROOM = 4 * 1024 * 1024 };
    static const char request[] =
        "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    static char text[ROOM];
    struct raw *raw = raw_connect(attack_edge);
    raw_send(raw, request, sizeof request - 1);
    raw_wait_text(raw, text, sizeof text);
    raw_close(raw);
    const char *at = strstr(text, line);
    return at == NULL ? 0 : strtod(at + strlen(line), NULL);
}

void attack_assert_answer(const char *path, const struct rpc_header *headers,
                          const void *body, size_t size, int status)
{
    struct client *client = attack_connected();
    struct client_response *r =
        client_request(client, path, headers, body, size, true);
    client_wait(client, r);
    assert_int_equal(client_status(r), status);
    assert_true(client_is_open(client));
    client_close(client);
}
