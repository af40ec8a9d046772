#include "services/page.h"

#include "prbal/v1/listing.rpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t secret[32] = "a secret of thirty-two bytes....";
static const uint8_t other_secret[32] = "another one, of as many bytes...";

static const struct rpc_method list_services = {
    .path = "/prbal.v1.ListingService/ListServices"};
static const struct rpc_method browse_services = {
    .path = "/prbal.v1.ListingService/BrowseServices"};

struct list_call {
    struct rpc_call call;
    ServiceFilter filter;
    ListServicesRequest req;
};

/* A call that asks for offered services in Oran. */
static struct list_call *list_call(struct arena *arena)
{
    struct list_call *c = ARENA_NEW(arena, struct list_call);
    c->call.arena = arena;
    c->call.method = &list_services;
    c->call.caller.id = "018f0000-0000-7000-8000-000000000001";
    c->filter = (ServiceFilter)SERVICE_FILTER_INIT;
    c->filter.city = "Oran";
    c->req = (ListServicesRequest)LIST_SERVICES_REQUEST_INIT;
    c->req.kind = SERVICE_KIND_OFFERED;
    c->req.filter = &c->filter;
    return c;
}

static rpc_code open_page(struct list_call *c, const char *token,
                          struct page *page)
{
    c->req.page_token = token;
    return page_open(&c->call, &c->req.base, 12, page).code;
}

/* The token behind a row with two keys. */
static char *some_token(struct list_call *c)
{
    struct page page;
    assert_int_equal(open_page(c, "", &page), RPC_OK);
    return page_next(&c->call, &page, "1763662323123456", "an id");
}

static int set_up(void **state)
{
    page_use_key(secret);
    *state = arena_create();
    return 0;
}

static int tear_down(void **state)
{
    arena_destroy(*state);
    return 0;
}

static void the_first_page_has_no_keys(void **state)
{
    struct page page;
    struct list_call *c = list_call(*state);
    assert_int_equal(open_page(c, "", &page), RPC_OK);

    assert_int_equal(page.size, 12);
    assert_null(page_key(&page, 0));
    assert_int_equal(page_text(&page, 0).type, DB_NULL);
    assert_int_equal(page_time(&page, 0).type, DB_NULL);
}

static void one_row_more_than_the_page_is_read_and_cut(void **state)
{
    struct page page;
    struct list_call *c = list_call(*state);
    c->req.page_size = 3;
    assert_int_equal(open_page(c, "", &page), RPC_OK);

    assert_int_equal(page_limit(&page).number, 4);
    size_t rows = 4;
    assert_true(page_cut(&page, &rows));
    assert_int_equal(rows, 3);
    assert_false(page_cut(&page, &rows));
    assert_int_equal(rows, 3);
}

static void a_token_brings_its_keys_back(void **state)
{
    struct page page;
    struct list_call *c = list_call(*state);
    char *token = some_token(c);
    c->req.page_size = 50; /* may change on the way */
    assert_int_equal(open_page(c, token, &page), RPC_OK);

    assert_string_equal(page_key(&page, 0), "1763662323123456");
    assert_string_equal(page_key(&page, 1), "an id");
    assert_null(page_key(&page, 2));
}

static void a_moment_keeps_its_microseconds(void **state)
{
    struct page page;
    struct list_call *c = list_call(*state);
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    time.seconds = 1763662323;
    time.nanos = 123456000;
    assert_int_equal(open_page(c, "", &page), RPC_OK);
    char *token =
        page_next(&c->call, &page, page_time_key(&c->call, &time), "x");
    assert_int_equal(open_page(c, token, &page), RPC_OK);

    db_arg arg = page_time(&page, 0);
    db_arg same = db_time(&time);
    assert_int_equal(arg.type, same.type);
    assert_memory_equal(&arg, &same, sizeof arg);
}

static void a_token_with_any_character_changed_is_refused(void **state)
{
    struct page page;
    struct list_call *c = list_call(*state);
    char *token = some_token(c);
    for (size_t i = 0; i < strlen(token); i++) {
        char *forged = arena_strdup(*state, token);
        forged[i] = forged[i] == 'A' ? 'B' : 'A';
        assert_int_equal(open_page(c, forged, &page), RPC_INVALID_ARGUMENT);
        assert_int_equal(page.key_count, 0);
    }
}

static void a_token_that_was_cut_or_made_up_is_refused(void **state)
{
    struct page page;
    struct list_call *c = list_call(*state);
    char *token = some_token(c);
    for (size_t length = 1; length < strlen(token); length++)
        assert_int_equal(
            open_page(c, arena_strndup(*state, token, length), &page),
            RPC_INVALID_ARGUMENT);

    char long_text[1025];
    memset(long_text, 'A', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    const char *const made_up[] = {
        "A",
        "AAAA",
        "2",
        "==",
        "not base64!",
        "0",
        "\n",
        "AQ",
        long_text,
        arena_printf(*state, "%sA", token),
        arena_printf(*state, "%s=", token),
    };
    for (size_t i = 0; i < sizeof made_up / sizeof *made_up; i++)
        assert_int_equal(open_page(c, made_up[i], &page), RPC_INVALID_ARGUMENT);
}

static void change_filter(struct list_call *c)
{
    c->filter.city = "Algiers";
}

static void drop_filter(struct list_call *c)
{
    c->req.filter = NULL;
}

static void change_kind(struct list_call *c)
{
    c->req.kind = SERVICE_KIND_NEEDED;
}

static void change_order(struct list_call *c)
{
    c->req.order_by = "price";
}

static void change_method(struct list_call *c)
{
    c->call.method = &browse_services;
}

static void change_caller(struct list_call *c)
{
    c->call.caller.id = "018f0000-0000-7000-8000-000000000002";
}

static void sign_out(struct list_call *c)
{
    c->call.caller.id = NULL;
}

static void change_secret(struct list_call *c)
{
    (void)c;
    page_use_key(other_secret);
}

static void a_token_is_good_only_for_what_it_was_made_for(void **state)
{
    static void (*const changes[])(struct list_call * c) = {
        change_filter, drop_filter,   change_kind, change_order,
        change_method, change_caller, sign_out,    change_secret,
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct page page;
        page_use_key(secret);
        struct list_call *c = list_call(*state);
        char *token = some_token(c);
        assert_int_equal(open_page(c, token, &page), RPC_OK);
        changes[i](c);
        assert_int_equal(open_page(c, token, &page), RPC_INVALID_ARGUMENT);
    }
}

static void the_longest_keys_fit_the_request(void **state)
{
    struct page page;
    struct list_call *c = list_call(*state);
    char key[PAGE_KEY_BYTES_MAX + 1];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    assert_int_equal(open_page(c, "", &page), RPC_OK);
    char *token = page_next(&c->call, &page, key, key, key, key);

    assert_true(strlen(token) <= 1024);
    assert_int_equal(open_page(c, token, &page), RPC_OK);
    assert_int_equal(page.key_count, PAGE_KEYS_MAX);
    assert_string_equal(page_key(&page, 3), key);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_page_has_no_keys),
        TEST(one_row_more_than_the_page_is_read_and_cut),
        TEST(a_token_brings_its_keys_back),
        TEST(a_moment_keeps_its_microseconds),
        TEST(a_token_with_any_character_changed_is_refused),
        TEST(a_token_that_was_cut_or_made_up_is_refused),
        TEST(a_token_is_good_only_for_what_it_was_made_for),
        TEST(the_longest_keys_fit_the_request),
    };
    return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
