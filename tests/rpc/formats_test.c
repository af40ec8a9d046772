/* The formats, wrapped values and ids of validation; that formats agree with
 * protovalidate in all detail is seen by tests/wire/validate_conformance_test.
 */
#include "rpc/formats.h"
#include "tests/rpc/validate.rpc.h"

#include <google/protobuf/wrappers.pb-c.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct rpc_rules pb__formats__rules, pb__raws__rules,
    pb__wrapped__rules;

enum { MANY = 64 };

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

/* The id of the only rule that `field` breaks; NULL when there is none. */
static const char *broken_rule(struct arena *arena,
                               const struct rpc_rules *rules,
                               const void *message, const char *field)
{
    struct rule_violation *violations =
        arena_array(arena, MANY, sizeof *violations);
    const char *rule = NULL;
    size_t count = rules_violations(arena, rules, message, violations, MANY);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(violations[i].field, field) != 0)
            continue;
        assert_null(rule);
        rule = violations[i].rule;
    }
    return rule;
}

static void assert_rule(const char *given, const char *rule, const char *what)
{
    if (given == NULL && rule == NULL)
        return;
    if (given == NULL || rule == NULL)
        fail_msg("%s: %s, not %s", what, given == NULL ? "passes" : given,
                 rule == NULL ? "passes" : rule);
    assert_string_equal(given, rule);
}

static const struct {
    const char *field;
    const char *value;
    const char *rule; /* NULL: passes */
} texts[] = {
    {"ip_with_prefixlen", "10.1.2.3/8", NULL},
    {"ip_with_prefixlen", "::1/128", NULL},
    {"ip_with_prefixlen", "10.1.2.3/33", "string.ip_with_prefixlen"},
    {"ip_with_prefixlen", "10.1.2.3/08", "string.ip_with_prefixlen"},
    {"ip_with_prefixlen", "", "string.ip_with_prefixlen_empty"},
    {"ipv4_with_prefixlen", "::1/8", "string.ipv4_with_prefixlen"},
    {"ipv6_with_prefixlen", "10.1.2.3/8", "string.ipv6_with_prefixlen"},
    {"ipv6_with_prefixlen", "::1%eth0/8", "string.ipv6_with_prefixlen"},
    {"ip_prefix", "10.0.0.0/8", NULL},
    {"ip_prefix", "10.1.0.0/8", "string.ip_prefix"},
    {"ipv4_prefix", "128.0.0.0/1", NULL},
    {"ipv4_prefix", "0.0.0.1/31", "string.ipv4_prefix"},
    {"ipv6_prefix", "fe80::/10", NULL},
    {"ipv6_prefix", "fe80::1/127", "string.ipv6_prefix"},
    {"protobuf_fqn", "buf.validate._R1", NULL},
    {"protobuf_fqn", ".buf.validate", "string.protobuf_fqn"},
    {"protobuf_fqn", "buf..validate", "string.protobuf_fqn"},
    {"protobuf_fqn", "buf.1", "string.protobuf_fqn"},
    {"protobuf_fqn", "buf.", "string.protobuf_fqn"},
    {"protobuf_dot_fqn", ".buf.validate", NULL},
    {"protobuf_dot_fqn", "buf.validate", "string.protobuf_dot_fqn"},
    {"header_name", ":authority", NULL},
    {"header_name", ":", "string.well_known_regex.header_name"},
    {"header_name", "a b", "string.well_known_regex.header_name"},
    {"header_name", "", "string.well_known_regex.header_name_empty"},
    {"header_value", "", NULL},
    {"header_value", "a\tb", NULL},
    {"header_value", "a\x7f", "string.well_known_regex.header_value"},
    {"loose_name", "a b", NULL},
    {"loose_name", "a\r", "string.well_known_regex.header_name"},
    {"loose_value", "a\x7f", NULL},
    {"loose_value", "a\n", "string.well_known_regex.header_value"},
    {"sized", "\xe2\x82\xac", NULL},
    {"sized", "ab", "string.len_bytes"},
    {"email", "a@example.com", NULL},
    {"email", "a@example..com", "string.email"},
    {"email", "", "string.email_empty"},
};

static void formats_of_text(void **state)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        Formats message = FORMATS_INIT;
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(FORMATS_DESCRIPTOR,
                                                            texts[i].field);
        *(const char **)((char *)&message + field->offset) = texts[i].value;
        assert_rule(
            broken_rule(*state, &pb__formats__rules, &message, texts[i].field),
            texts[i].rule, texts[i].value);
    }
}

static const struct {
    const char *field;
    const char *value;
    size_t size;
    const char *rule;
} raws[] = {
    {"ip", "1234", 4, NULL},
    {"ip", "1234567890123456", 16, NULL},
    {"ip", "12345", 5, "bytes.ip"},
    {"ip", "", 0, "bytes.ip_empty"},
    {"ipv4", "1234567890123456", 16, "bytes.ipv4"},
    {"ipv6", "1234", 4, "bytes.ipv6"},
    {"uuid", "1234567890123456", 16, NULL},
    {"uuid", "12345", 5, "bytes.uuid"},
    {"pattern", "a\0b", 3, NULL},
    {"pattern", "\xc3\xbc", 2, "bytes.pattern"},
    {"pattern", "a\0\x99", 3, "bytes.pattern_not_utf8"},
};

static void formats_of_bytes(void **state)
{
    for (size_t i = 0; i < sizeof raws / sizeof raws[0]; i++) {
        Raws message = RAWS_INIT;
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(RAWS_DESCRIPTOR,
                                                            raws[i].field);
        ProtobufCBinaryData value = {raws[i].size,
                                     (uint8_t *)malloc(raws[i].size + 1)};
        memcpy(value.data, raws[i].value, value.len);
        memcpy((char *)&message + field->offset, &value, sizeof value);
        assert_rule(
            broken_rule(*state, &pb__raws__rules, &message, raws[i].field),
            raws[i].rule, raws[i].field);
        free(value.data);
    }
}

static void wrappers_are_as_what_they_wrap(void **state)
{
    const struct rpc_rules *rules = &pb__wrapped__rules;
    Wrapped message = WRAPPED_INIT;
    assert_null(broken_rule(*state, rules, &message, "name"));
    assert_rule(broken_rule(*state, rules, &message, "must"), "required", "");

    Google__Protobuf__StringValue name = GOOGLE__PROTOBUF__STRING_VALUE__INIT;
    Google__Protobuf__Int32Value count = GOOGLE__PROTOBUF__INT32_VALUE__INIT;
    Google__Protobuf__BoolValue must = GOOGLE__PROTOBUF__BOOL_VALUE__INIT;
    Google__Protobuf__DoubleValue part = GOOGLE__PROTOBUF__DOUBLE_VALUE__INIT;
    Google__Protobuf__DoubleValue *parts[] = {&part, &part};
    message.name = &name;
    message.count = &count;
    message.must = &must;
    message.parts = parts;
    message.n_parts = 2;
    assert_rule(broken_rule(*state, rules, &message, "name"), "string.min_len",
                "name");
    assert_rule(broken_rule(*state, rules, &message, "count"), "int32.gt",
                "count");
    assert_rule(broken_rule(*state, rules, &message, "must"), "bool.const",
                "must");
    assert_null(broken_rule(*state, rules, &message, "parts[1]"));
    part.value = 1;
    assert_rule(broken_rule(*state, rules, &message, "parts[1]"), "double.lt",
                "parts");
}

static void an_any_holds_what_is_allowed(void **state)
{
    const struct rpc_rules *rules = &pb__wrapped__rules;
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    Wrapped message = WRAPPED_INIT;
    message.event = &any;
    message.other = &any;
    any.type_url = "type.googleapis.com/prbal.test.Inner";
    assert_null(broken_rule(*state, rules, &message, "event"));
    assert_rule(broken_rule(*state, rules, &message, "other"), "any.not_in",
                "other");
    any.type_url = "type.googleapis.com/prbal.test.Lists";
    assert_rule(broken_rule(*state, rules, &message, "event"), "any.in",
                "event");
    assert_null(broken_rule(*state, rules, &message, "other"));
}

static void a_mask_can_be_prescribed(void **state)
{
    const char *paths[] = {"a", "b.c"};
    FieldMask mask = FIELD_MASK_INIT;
    memcpy(&mask.paths, &(const char **){paths}, sizeof mask.paths);
    Wrapped message = WRAPPED_INIT;
    message.exact = &mask;
    mask.n_paths = 2;
    assert_null(broken_rule(*state, &pb__wrapped__rules, &message, "exact"));
    mask.n_paths = 1;
    assert_rule(broken_rule(*state, &pb__wrapped__rules, &message, "exact"),
                "field_mask.const", "exact");
}

static void not_a_number_is_like_no_other(void **state)
{
    double numbers[] = {NAN, 2, NAN, 1, NAN, 3, 2};
    Wrapped message = WRAPPED_INIT;
    message.unequal = numbers;
    message.n_unequal = 6;
    assert_null(broken_rule(*state, &pb__wrapped__rules, &message, "unequal"));
    message.n_unequal = 7;
    assert_rule(broken_rule(*state, &pb__wrapped__rules, &message, "unequal"),
                "repeated.unique", "unequal");
}

static void keys_and_values_have_their_own_ignore(void **state)
{
    Inner inner = INNER_INIT;
    inner.name = "too long";
    WrappedByNameEntry entry = WRAPPED_BY_NAME_ENTRY_INIT;
    WrappedByNameEntry *entries[] = {&entry};
    entry.value = &inner;
    entry.key = "";
    Wrapped message = WRAPPED_INIT;
    message.by_name = entries;
    message.n_by_name = 1;
    const struct rpc_rules *rules = &pb__wrapped__rules;
    assert_null(broken_rule(*state, rules, &message, "by_name[\"\"]"));
    assert_null(broken_rule(*state, rules, &message, "by_name[\"\"].name"));
    entry.key = "x";
    assert_rule(broken_rule(*state, rules, &message, "by_name[\"x\"]"),
                "string.min_len", "key");
}

static void what_is_sent_with_presence_is_checked_when_it_is_zero(void **state)
{
    Wrapped message = WRAPPED_INIT;
    assert_null(broken_rule(*state, &pb__wrapped__rules, &message, "maybe"));
    message._maybe_case = WRAPPED_MAYBE_CASE;
    message.maybe = "";
    assert_rule(broken_rule(*state, &pb__wrapped__rules, &message, "maybe"),
                "string.uuid_empty", "maybe");
}

/* A list can have an item for every two bytes that were sent. */
static void a_pattern_takes_no_memory_for_each_item(void **state)
{
    enum { COUNT = 100000 };
    const char **codes = malloc(COUNT * sizeof *codes);
    for (int i = 0; i < COUNT; i++)
        codes[i] = "a";
    Wrapped message = WRAPPED_INIT;
    message.codes = codes;
    message.n_codes = COUNT;
    size_t before = arena_bytes(*state);
    assert_null(broken_rule(*state, &pb__wrapped__rules, &message, "codes[0]"));
    assert_true(arena_bytes(*state) - before < 100000);
    free(codes);
}

/* With so much of it, time that grows with the square would not end. */
static void no_format_is_slow_for_anything(void **state)
{
    enum { SIZE = 256 * 1024 };
    static const char *const pieces[] = {
        "a",   ".",      "a.", "@",    "a@.", ":",   "1:", "%",
        "%25", "%c3%96", "/",  "//a@", "[",   "[::", "]:", "-"};
    static const char *const starts[] = {"", "a://", "//", "[", "a@", "::1%"};
    (void)state;
    char *text = malloc(SIZE);
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        size_t length = strlen(pieces[p]);
        for (size_t s = 0; s < sizeof starts / sizeof starts[0]; s++) {
            size_t start = strlen(starts[s]);
            memcpy(text, starts[s], start);
            for (size_t i = start; i < SIZE; i++)
                text[i] = pieces[p][(i - start) % length];
            for (int format = 0; format < FORMAT_COUNT; format++)
                format_matches((enum rule_format)format, text, SIZE);
        }
    }
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_arena, end_arena)
    const struct CMUnitTest tests[] = {
        TEST(formats_of_text),
        TEST(formats_of_bytes),
        TEST(wrappers_are_as_what_they_wrap),
        TEST(an_any_holds_what_is_allowed),
        TEST(a_mask_can_be_prescribed),
        TEST(not_a_number_is_like_no_other),
        TEST(keys_and_values_have_their_own_ignore),
        TEST(what_is_sent_with_presence_is_checked_when_it_is_zero),
        TEST(a_pattern_takes_no_memory_for_each_item),
        TEST(no_format_is_slow_for_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
