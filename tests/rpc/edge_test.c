#include "rpc/edge.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void hello(void *argument, struct edge_answer *answer)
{
    edge_text(answer, 200, argument);
}

static void broken(void *argument, struct edge_answer *answer)
{
    (void)argument;
    edge_text(answer, 503, "not now\n");
}

static const struct edge_route routes[] = {
    {"/hello", hello}, {"/broken", broken}, {NULL, NULL}};

static struct edge *edge;
static char text[4096];

static int setup(void **state)
{
    (void)state;
    char error[256];
    edge = edge_start("127.0.0.1:0", routes, "hello\n", error, sizeof error);
    if (edge == NULL)
        print_error("%s\n", error);
    return edge == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    edge_stop(edge);
    return 0;
}

/* All that comes back until the end of the connection. */
static const char *ask(const char *request)
{
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)edge_port(edge)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    size_t used = 0;
    ssize_t n;
    while ((n = read(fd, text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)n;
    text[used] = '\0';
    close(fd);
    return text;
}

#define REQUEST(method, path) \
    method " " path " HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"

static void a_route_answers_with_its_status_and_text(void **state)
{
    (void)state;
    ask(REQUEST("GET", "/hello"));
    assert_non_null(strstr(text, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(text, "\r\n\r\nhello\n"));
    assert_non_null(strstr(text, "x-content-type-options: nosniff\r\n"));
    assert_non_null(strstr(text, "x-frame-options: DENY\r\n"));
    assert_non_null(strstr(text, "content-security-policy: default-src"));
    ask(REQUEST("GET", "/broken"));
    assert_non_null(strstr(text, "HTTP/1.1 503 "));
    assert_non_null(strstr(text, "\r\n\r\nnot now\n"));
}

static void head_has_no_body(void **state)
{
    (void)state;
    ask(REQUEST("HEAD", "/hello"));
    assert_non_null(strstr(text, "HTTP/1.1 200 OK\r\n"));
    assert_null(strstr(text, "hello"));
}

static void a_path_is_matched_whole(void **state)
{
    static const char *const requests[] = {
        REQUEST("GET", "/hello/"), REQUEST("GET", "/hell"),
        REQUEST("GET", "/helloo"), REQUEST("GET", "/../hello"),
        REQUEST("GET", "//hello")};
    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
        if (strstr(ask(requests[i]), "HTTP/1.1 404 ") == NULL)
            fail_msg("%s\n%s", requests[i], text);
}

static void another_method_is_refused(void **state)
{
    (void)state;
    ask("DELETE /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert_non_null(strstr(text, "HTTP/1.1 405 "));
    assert_non_null(strstr(text, "allow: GET, HEAD\r\n"));
}

static void a_head_that_is_too_large_is_refused(void **state)
{
    (void)state;
    static char request[20000];
    int used = snprintf(request, sizeof request,
                        "GET /hello HTTP/1.1\r\nhost: x\r\nx: ");
    memset(request + used, 'a', sizeof request - 1 - (size_t)used);
    ask(request);
    assert_null(strstr(text, "200 OK"));
}

static void an_address_that_will_not_do_is_told(void **state)
{
    (void)state;
    char error[256], busy[64], expected[256];
    assert_null(edge_start("nonsense", routes, NULL, error, sizeof error));
    assert_string_equal(
        error, "\"nonsense\" is not HOST:PORT, [V6]:PORT or unix:/path");

    snprintf(busy, sizeof busy, "127.0.0.1:%d", edge_port(edge));
    assert_null(edge_start(busy, routes, NULL, error, sizeof error));
    snprintf(expected, sizeof expected,
             "cannot listen on %s: another program uses that port", busy);
    assert_string_equal(error, expected);
}

static void ipv6_is_written_in_brackets(void **state)
{
    (void)state;
    char error[256];
    struct edge *other =
        edge_start("[::1]:0", routes, "six\n", error, sizeof error);
    if (other == NULL && strstr(error, "Cannot assign") != NULL)
        skip(); /* no IPv6 here */
    assert_non_null(other);
    assert_true(edge_port(other) > 0);
    edge_stop(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_answers_with_its_status_and_text),
        cmocka_unit_test(head_has_no_body),
        cmocka_unit_test(a_path_is_matched_whole),
        cmocka_unit_test(another_method_is_refused),
        cmocka_unit_test(a_head_that_is_too_large_is_refused),
        cmocka_unit_test(an_address_that_will_not_do_is_told),
        cmocka_unit_test(ipv6_is_written_in_brackets),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
