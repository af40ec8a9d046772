#include "rpc/forwarded.h"

#include "rpc/peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* The peer's text, or "" when there is none. */
static const char *peer_of(uint32_t proxies, const char *first,
                           const char *second)
{
    static char text[PEER_TEXT_BYTES];
    struct rpc_field fields[2] = {
        {.next = second == NULL ? NULL : &fields[1],
         .name = "x-forwarded-for",
         .name_size = 15,
         .value = first,
         .value_size = (uint32_t)strlen(first)},
        {.name = "x-forwarded-for", .name_size = 15},
    };
    if (second != NULL) {
        fields[1].value = second;
        fields[1].value_size = (uint32_t)strlen(second);
    }
    struct sockaddr_storage peer;
    text[0] = '\0';
    if (forwarded_peer(fields, proxies, &peer))
        peer_format(&peer, text);
    return text;
}

static void the_address_that_the_proxy_saw_counts(void **state)
{
    (void)state;
    assert_string_equal(peer_of(1, "203.0.113.9", NULL), "203.0.113.9:0");
    assert_string_equal(peer_of(2, "203.0.113.9, 10.0.0.1", NULL),
                        "203.0.113.9:0");
}

/* Whoever sends the header himself only adds on the left. */
static void what_the_client_wrote_is_not_believed(void **state)
{
    (void)state;
    assert_string_equal(peer_of(1, "1.1.1.1, 203.0.113.9", NULL),
                        "203.0.113.9:0");
    assert_string_equal(peer_of(1, "1.1.1.1", "203.0.113.9"), "203.0.113.9:0");
    assert_string_equal(
        peer_of(2, "1,2,3,4,5,6,7,8,9,203.0.113.9,10.0.0.1", NULL),
        "203.0.113.9:0");
}

static void ports_and_brackets_are_no_obstacle(void **state)
{
    (void)state;
    assert_string_equal(peer_of(1, "203.0.113.9:4711", NULL), "203.0.113.9:0");
    assert_string_equal(peer_of(1, "2001:db8::1", NULL), "[2001:db8::1]:0");
    assert_string_equal(peer_of(1, "[2001:db8::1]", NULL), "[2001:db8::1]:0");
    assert_string_equal(peer_of(1, "[2001:db8::1]:99", NULL),
                        "[2001:db8::1]:0");
}

static void what_is_no_address_is_no_peer(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "unknown",
        "_hidden",
        "1.2.3",
        "1.2.3.4.5",
        "203.0.113.9,",
        "::g",
        "1.2.3.4 5",
        "0x7f000001",
        "123456789012345678901234567890123456789012345678901234567890123456"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_string_equal(peer_of(1, texts[i], NULL), "");
    assert_string_equal(peer_of(2, "203.0.113.9", NULL), "");
    assert_string_equal(peer_of(0, "203.0.113.9", NULL), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_address_that_the_proxy_saw_counts),
        cmocka_unit_test(what_the_client_wrote_is_not_believed),
        cmocka_unit_test(ports_and_brackets_are_no_obstacle),
        cmocka_unit_test(what_is_no_address_is_no_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
