/* Validation: each rule with a value that passes and one that does not. */
#include "rpc/clock.h"
#include "rpc/codec.h"
#include "rpc/rules.h"
#include "tests/rpc/validate.rpc.h"

#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct rpc_rules pb__texts__rules, pb__numbers__rules,
    pb__lists__rules, pb__inner__rules, pb__presence__rules, pb__choice__rules,
    pb__times__rules;

enum { ROOM = 20, MANY = 64 };

static int start_arena(void **state)
{
    *state = arena_create();
    return 0;
}

static int end_arena(void **state)
{
    arena_destroy(*state);
    return 0;
}

/* "field: description" of the only violation of `field`; NULL when there is
 * none. */
static const char *wrong(struct arena *arena, const struct rpc_rules *rules,
                         const void *message, const char *field)
{
    struct rule_violation violations[MANY];
    size_t count = rules_violations(arena, rules, message, violations, MANY);
    for (size_t i = 0; i < count; i++)
        if (strcmp(violations[i].field, field) == 0)
            return violations[i].description;
    return NULL;
}

static void assert_wrong(struct arena *arena, const struct rpc_rules *rules,
                         const void *message, const char *field,
                         const char *description)
{
    const char *given = wrong(arena, rules, message, field);
    if (given == NULL)
        fail_msg("%s passes", field);
    assert_string_equal(given, description);
}

#define EURO "\xe2\x82\xac"

static const struct {
    const char *field;
    const char *value;
    const char *wrong; /* NULL: passes */
} texts[] = {
    {"exact", "yes", NULL},
    {"exact", "no", "must be \"yes\""},
    {"five", "12345", NULL},
    {"five", EURO EURO EURO EURO EURO, NULL},
    {"five", "1234", "must have exactly 5 characters, has 4"},
    {"between", "12", NULL},
    {"between", EURO EURO EURO EURO, NULL},
    {"between", "1", "must have at least 2 characters, has 1"},
    {"between", "12345", "must have at most 4 characters, has 5"},
    {"narrow", EURO, NULL},
    {"narrow", "1", "must have at least 2 bytes, has 1"},
    {"narrow", EURO EURO, "must have at most 4 bytes, has 6"},
    {"code", "ABC", NULL},
    {"code", "ABC-1-22", NULL},
    {"code", "abc", "must match ^[A-Z]{3}(-[0-9]+)*$"},
    {"code", "ABC\n", "must match ^[A-Z]{3}(-[0-9]+)*$"},
    {"code", "xABC", "must match ^[A-Z]{3}(-[0-9]+)*$"},
    {"word", "aaabbbaaa", NULL},
    {"word", "aaa\nb", NULL},
    {"word", "aaa", "must match b+"},
    {"start", "abc", NULL},
    {"start", "a", "must start with \"ab\""},
    {"end", "xyz", NULL},
    {"end", "xyz.", "must end with \"yz\""},
    {"middle", "lmno", NULL},
    {"middle", "mxn", "must contain \"mn\""},
    {"without", "mxn", NULL},
    {"without", "mn", "must not contain \"mn\""},
    {"listed", "blue", NULL},
    {"listed", "green", "must be one of: \"red\", \"blue\""},
    {"unlisted", "green", NULL},
    {"unlisted", "red", "must not be one of: \"red\", \"blue\""},
    {"email", "a.b+c@example.com", NULL},
    {"email", "a@b", NULL},
    {"email", "a b@example.com", "must be an e-mail address"},
    {"email", "@example.com", "must be an e-mail address"},
    {"email", "a@", "must be an e-mail address"},
    {"email", "a@-x.com", "must be an e-mail address"},
    {"email", "a@b@example.com", "must be an e-mail address"},
    {"hostname", "example.com", NULL},
    {"hostname", "a.b-c.d.", NULL},
    {"hostname", "-a.com", "must be a host name"},
    {"hostname", "a..com", "must be a host name"},
    {"hostname", "a_b.com", "must be a host name"},
    {"hostname", "1.2.3.4", "must be a host name"},
    {"ip", "127.0.0.1", NULL},
    {"ip", "::1", NULL},
    {"ip", "localhost", "must be an IP address"},
    {"ipv4", "255.255.255.255", NULL},
    {"ipv4", "256.1.1.1", "must be an IPv4 address"},
    {"ipv4", "::1", "must be an IPv4 address"},
    {"ipv6", "2001:db8::1", NULL},
    {"ipv6", "127.0.0.1", "must be an IPv6 address"},
    {"uri", "https://a.example/b?c=%20#d", NULL},
    {"uri", "mailto:a@b", NULL},
    {"uri", "http://[::1]:80/", NULL},
    {"uri", "/relative", "must be an absolute URI"},
    {"uri", "http://a b/", "must be an absolute URI"},
    {"uri", "http://a/%2", "must be an absolute URI"},
    {"uri", "http://[::1/", "must be an absolute URI"},
    {"uri", "1http://a/", "must be an absolute URI"},
    {"uri_ref", "/relative?x", NULL},
    {"uri_ref", "a b", "must be a URI or relative reference"},
    {"address", "10.0.0.1", NULL},
    {"address", "host", NULL},
    {"address", "10.0.0.1.", "must be a host name or IP address"},
    {"uuid", "0190b3a4-4b1e-7c3a-8a52-0f6d3f2b1c00", NULL},
    {"uuid", "0190B3A4-4B1E-7C3A-8A52-0F6D3F2B1C00", NULL},
    {"uuid", "0190b3a4-4b1e-7c3a-8a52-0f6d3f2b1c0", "must be a UUID"},
    {"uuid", "0190b3a4-4b1e-7c3a-8a52-0f6d3f2b1c000", "must be a UUID"},
    {"uuid", "0190b3a44b1e7c3a8a520f6d3f2b1c00", "must be a UUID"},
    {"uuid", "", "must be a UUID"},
    {"tuuid", "0190b3a44b1e7c3a8a520f6d3f2b1c00", NULL},
    {"tuuid", "0190b3a44b1e7c3a8a520f6d3f2b1c0",
     "must be a UUID without dashes"},
    {"ulid", "01ARZ3NDEKTSV4RRFFQ69G5FAV", NULL},
    {"ulid", "81ARZ3NDEKTSV4RRFFQ69G5FAV", "must be a ULID"},
    {"ulid", "01ARZ3NDEKTSV4RRFFQ69G5FAI", "must be a ULID"},
    {"host_and_port", "example.com:80", NULL},
    {"host_and_port", "[::1]:65535", NULL},
    {"host_and_port", "example.com", "must be a host and port"},
    {"host_and_port", "example.com:65536", "must be a host and port"},
    {"host_and_port", "::1:80", "must be a host and port"},
};

static void text_rules(void **state)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        Texts message = TEXTS_INIT;
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(TEXTS_DESCRIPTOR,
                                                            texts[i].field);
        assert_non_null(field);
        *(const char **)((char *)&message + field->offset) = texts[i].value;
        const char *given =
            wrong(*state, &pb__texts__rules, &message, texts[i].field);
        if (texts[i].wrong == NULL && given != NULL)
            fail_msg("%s \"%s\": %s", texts[i].field, texts[i].value, given);
        if (texts[i].wrong == NULL)
            continue;
        if (given == NULL)
            fail_msg("%s \"%s\" passes", texts[i].field, texts[i].value);
        assert_string_equal(given, texts[i].wrong);
    }
}

static Numbers good_numbers(void)
{
    Numbers message = NUMBERS_INIT;
    message.exact = 7;
    message.above = 1;
    message.at_least = INT64_MIN;
    message.below = 9;
    message.at_most = UINT64_MAX - 1;
    message.inside = -5;
    message.outside = 11;
    message.listed = 2;
    message.unlisted = 3;
    message.real = -90;
    message.accepted = 1;
    message.only_small = SIZE_SMALL;
    message.raw = (ProtobufCBinaryData){2, (uint8_t *)"ab"};
    return message;
}

static void numbers_in_range_pass(void **state)
{
    Numbers message = good_numbers();
    struct rule_violation violations[ROOM];
    assert_int_equal(rules_violations(*state, &pb__numbers__rules,
                                      &message.base, violations, ROOM),
                     0);
}

static void number_rules(void **state)
{
    const struct rpc_rules *rules = &pb__numbers__rules;
    Numbers message = good_numbers();
    message.exact = 8;
    message.above = 0;
    message.below = 10;
    message.at_most = UINT64_MAX;
    message.inside = 5;
    message.outside = -10;
    message.listed = 3;
    message.unlisted = 2;
    message.real = 90.5;
    message.finite = INFINITY;
    message.accepted = 0;
    message.size = (Size)9;
    message.only_small = SIZE_LARGE;
    message.not_large = SIZE_LARGE;
    message.raw = (ProtobufCBinaryData){3, (uint8_t *)"xyz"};
    assert_wrong(*state, rules, &message, "exact", "must be 7, is 8");
    assert_wrong(*state, rules, &message, "above",
                 "must be greater than 0, is 0");
    assert_wrong(*state, rules, &message, "below",
                 "must be less than 10, is 10");
    assert_wrong(*state, rules, &message, "at_most",
                 "must be at most 18446744073709551614, is "
                 "18446744073709551615");
    assert_wrong(*state, rules, &message, "inside",
                 "must be at least -5 and less than 5, is 5");
    assert_wrong(*state, rules, &message, "outside",
                 "must be greater than 10 or less than -10, is -10");
    assert_wrong(*state, rules, &message, "listed", "must be one of: 1, 2");
    assert_wrong(*state, rules, &message, "unlisted",
                 "must not be one of: 1, 2");
    assert_wrong(*state, rules, &message, "real",
                 "must be at least -90 and at most 90, is 90.5");
    assert_wrong(*state, rules, &message, "finite", "must be a finite number");
    assert_wrong(*state, rules, &message, "accepted", "must be true, is false");
    assert_wrong(*state, rules, &message, "size",
                 "must be a value of Size, is 9");
    assert_wrong(*state, rules, &message, "only_small",
                 "must be one of: SIZE_SMALL");
    assert_wrong(*state, rules, &message, "not_large",
                 "must not be one of: SIZE_LARGE");
    assert_wrong(*state, rules, &message, "raw",
                 "must have at most 2 bytes, has 3");
}

static void not_a_number_is_in_no_range(void **state)
{
    Numbers message = good_numbers();
    message.real = NAN;
    assert_non_null(wrong(*state, &pb__numbers__rules, &message, "real"));
    message = good_numbers();
    message.outside = -11;
    assert_null(wrong(*state, &pb__numbers__rules, &message, "outside"));
}

static void list_rules(void **state)
{
    const struct rpc_rules *rules = &pb__lists__rules;
    const char *tags[] = {"aa", "b", "cc", "aa"};
    Lists message = LISTS_INIT;
    assert_wrong(*state, rules, &message, "tags",
                 "must have at least 1 item, has 0");
    message.tags = tags;
    message.n_tags = 3;
    assert_wrong(*state, rules, &message, "tags[1]",
                 "must have at least 2 characters, has 1");
    assert_null(wrong(*state, rules, &message, "tags"));
    message.n_tags = 4;
    assert_wrong(*state, rules, &message, "tags",
                 "must have at most 3 items, has 4");
    assert_null(wrong(*state, rules, &message, "tags[1]"));

    tags[1] = "aa";
    message.n_tags = 3;
    assert_wrong(*state, rules, &message, "tags",
                 "must have different items; 0 and 1 are the same");
}

static void a_long_list_is_compared_quickly(void **state)
{
    enum { COUNT = 300000 };
    int64_t *numbers = malloc(COUNT * sizeof *numbers);
    for (int i = 0; i < COUNT; i++)
        numbers[i] = (int64_t)i * 7919 % COUNT;
    const char *tags[] = {"aa"};
    Lists message = LISTS_INIT;
    message.tags = tags;
    message.n_tags = 1;
    message.numbers = numbers;
    message.n_numbers = COUNT;
    assert_null(wrong(*state, &pb__lists__rules, &message, "numbers"));
    numbers[COUNT - 1] = numbers[17];
    assert_wrong(*state, &pb__lists__rules, &message, "numbers",
                 "must have different items; 17 and 299999 are the same");
    free(numbers);
}

static void paths_lead_to_the_place(void **state)
{
    Inner deep = INNER_INIT, outer = INNER_INIT;
    deep.name = "too long";
    outer.inner = &deep;
    Inner *inners[] = {&deep, &outer};
    Lists message = LISTS_INIT;
    message.inners = inners;
    message.n_inners = 2;
    static const char sentence[] = "must have at most 5 characters, has 8";
    const struct rpc_rules *rules = &pb__lists__rules;
    assert_wrong(*state, rules, &message, "inners[0].name", sentence);
    assert_wrong(*state, rules, &message, "inners[1].inner.name", sentence);

    ListsByNameEntry named = LISTS_BY_NAME_ENTRY_INIT;
    named.key = "four";
    named.value = &deep;
    ListsByNameEntry *names[] = {&named};
    message.by_name = names;
    message.n_by_name = 1;
    ListsByNumberEntry numbered = LISTS_BY_NUMBER_ENTRY_INIT;
    numbered.key = -3;
    ListsByNumberEntry *numbers[] = {&numbered};
    message.by_number = numbers;
    message.n_by_number = 1;
    assert_wrong(*state, rules, &message, "by_name[\"four\"]",
                 "must have at most 3 characters, has 4");
    assert_wrong(*state, rules, &message, "by_name[\"four\"].name", sentence);
    assert_wrong(*state, rules, &message, "by_number[-3]",
                 "must have at least 1 character, has 0");
}

static void presence_decides_what_is_checked(void **state)
{
    const struct rpc_rules *rules = &pb__presence__rules;
    Presence message = PRESENCE_INIT;
    assert_wrong(*state, rules, &message, "needed", "is required");
    assert_wrong(*state, rules, &message, "needed_inner", "is required");
    assert_wrong(*state, rules, &message, "pick",
                 "is required: set one of its fields");
    assert_null(wrong(*state, rules, &message, "id_or_nothing"));
    assert_null(wrong(*state, rules, &message, "maybe"));
    assert_null(wrong(*state, rules, &message, "one"));
    assert_null(wrong(*state, rules, &message, "never"));

    Inner inner = INNER_INIT;
    message.needed = "x";
    message.needed_inner = &inner;
    message.id_or_nothing = "x";
    message.never = "x";
    message._maybe_case = PRESENCE_MAYBE_CASE;
    message.maybe = "";
    message.pick_case = PRESENCE_ONE_CASE;
    message.one = "x";
    assert_null(wrong(*state, rules, &message, "needed"));
    assert_null(wrong(*state, rules, &message, "needed_inner"));
    assert_null(wrong(*state, rules, &message, "pick"));
    assert_null(wrong(*state, rules, &message, "never"));
    assert_wrong(*state, rules, &message, "id_or_nothing", "must be a UUID");
    assert_wrong(*state, rules, &message, "maybe",
                 "must have at least 3 characters, has 0");
    assert_wrong(*state, rules, &message, "one",
                 "must have at least 2 characters, has 1");
}

static void of_a_choice_one_is_set(void **state)
{
    const struct rpc_rules *rules = &pb__choice__rules;
    Choice message = CHOICE_INIT;
    assert_wrong(*state, rules, &message, "",
                 "must set exactly one of: by_id, by_name");
    message.by_name = "x";
    assert_null(wrong(*state, rules, &message, ""));
    assert_null(wrong(*state, rules, &message, "by_id"));
    message.left = 1;
    message.right = 1;
    assert_wrong(*state, rules, &message, "",
                 "must set at most one of: left, right");
    message.right = 0;
    message.by_id = "x";
    assert_wrong(*state, rules, &message, "",
                 "must set exactly one of: by_id, by_name");
    assert_wrong(*state, rules, &message, "by_id", "must be a UUID");
}

static void time_rules(void **state)
{
    const struct rpc_rules *rules = &pb__times__rules;
    int64_t now = clock_wall_us() / 1000000;
    Timestamp before = TIMESTAMP_INIT, after = TIMESTAMP_INIT;
    before.seconds = now - 10;
    after.seconds = now + 100;
    Times message = TIMES_INIT;
    message.past = &after;
    message.future = &before;
    message.near = &after;
    assert_wrong(*state, rules, &message, "past", "must be in the past");
    assert_wrong(*state, rules, &message, "future", "must be in the future");
    assert_null(wrong(*state, rules, &message, "near"));
    message.past = &before;
    message.future = &after;
    assert_null(wrong(*state, rules, &message, "past"));
    assert_null(wrong(*state, rules, &message, "future"));

    Timestamp far = TIMESTAMP_INIT;
    far.seconds = now + 3700;
    message.near = &far;
    assert_wrong(*state, rules, &message, "near",
                 "must be within 3600.000 s of now");
    Timestamp early = TIMESTAMP_INIT;
    early.seconds = 1699999999;
    message.late = &early;
    assert_wrong(*state, rules, &message, "late",
                 "must be at least 2023-11-14T22:13:20Z, is "
                 "2023-11-14T22:13:19Z");
}

static void duration_rules(void **state)
{
    const struct rpc_rules *rules = &pb__times__rules;
    Times message = TIMES_INIT;
    Duration duration = DURATION_INIT;
    message.short_ = &duration;
    assert_non_null(wrong(*state, rules, &message, "short"));
    duration.nanos = 1;
    assert_null(wrong(*state, rules, &message, "short"));
    duration.seconds = 90;
    duration.nanos = 500000000;
    assert_null(wrong(*state, rules, &message, "short"));
    duration.nanos++;
    assert_wrong(*state, rules, &message, "short",
                 "must be greater than 0.000 s and at most 90.500 s, is "
                 "90.500 s");
    duration.nanos = -1;
    assert_non_null(wrong(*state, rules, &message, "short"));
}

static void a_time_that_is_none_is_refused_without_a_rule(void **state)
{
    static const struct {
        int64_t seconds;
        int32_t nanos;
        bool good;
    } rows[] = {
        {0, 0, true},
        {-62135596800, 0, true},
        {253402300799, 999999999, true},
        {-62135596801, 0, false},
        {253402300800, 0, false},
        {INT64_MAX, 0, false},
        {INT64_MIN, 0, false},
        {0, -1, false},
        {0, 1000000000, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Times message = TIMES_INIT;
        Timestamp time = TIMESTAMP_INIT;
        time.seconds = rows[i].seconds;
        time.nanos = rows[i].nanos;
        message.plain = &time;
        message.near = &time; /* arithmetic with it must not overflow */
        const char *given = wrong(*state, &pb__times__rules, &message, "plain");
        assert_int_equal(given == NULL, rows[i].good);
    }
}

static void masks_name_what_may_change(void **state)
{
    const struct rpc_rules *rules = &pb__times__rules;
    FieldMask mask = FIELD_MASK_INIT;
    char *paths[] = {(char *)"name", (char *)"address.city"};
    mask.n_paths = 2;
    memcpy(&mask.paths, &(char **){paths}, sizeof mask.paths);
    Times message = TIMES_INIT;
    message.update_mask = &mask;
    assert_null(wrong(*state, rules, &message, "update_mask"));
    paths[0] = (char *)"names";
    assert_wrong(*state, rules, &message, "update_mask",
                 "must not name \"names\"");
}

static void violations_are_counted_up_to_the_room(void **state)
{
    Inner deep = INNER_INIT;
    deep.name = "too long";
    Inner *inners[100];
    for (int i = 0; i < 100; i++)
        inners[i] = &deep;
    Lists message = LISTS_INIT;
    message.inners = inners;
    message.n_inners = 100;
    struct rule_violation violations[ROOM];
    assert_int_equal(rules_violations(*state, &pb__lists__rules, &message.base,
                                      violations, ROOM),
                     ROOM);
    assert_string_equal(violations[0].field, "tags");
    assert_string_equal(violations[ROOM - 1].field, "inners[18].name");
}

static void a_message_as_deep_as_can_be_decoded_is_walked(void **state)
{
    static Inner chain[CODEC_DEPTH_MAX];
    for (int i = 0; i < CODEC_DEPTH_MAX; i++) {
        chain[i] = (Inner)INNER_INIT;
        if (i > 0)
            chain[i - 1].inner = &chain[i];
    }
    chain[CODEC_DEPTH_MAX - 1].name = "too long";
    struct rule_violation violations[ROOM];
    assert_int_equal(rules_violations(*state, &pb__inner__rules, &chain[0].base,
                                      violations, ROOM),
                     1);
    assert_int_equal(strlen(violations[0].field),
                     (CODEC_DEPTH_MAX - 1) * strlen("inner.") + strlen("name"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_arena, end_arena)
    const struct CMUnitTest tests[] = {
        TEST(text_rules),
        TEST(numbers_in_range_pass),
        TEST(number_rules),
        TEST(not_a_number_is_in_no_range),
        TEST(list_rules),
        TEST(a_long_list_is_compared_quickly),
        TEST(paths_lead_to_the_place),
        TEST(presence_decides_what_is_checked),
        TEST(of_a_choice_one_is_set),
        TEST(time_rules),
        TEST(duration_rules),
        TEST(a_time_that_is_none_is_refused_without_a_rule),
        TEST(masks_name_what_may_change),
        TEST(violations_are_counted_up_to_the_room),
        TEST(a_message_as_deep_as_can_be_decoded_is_walked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
