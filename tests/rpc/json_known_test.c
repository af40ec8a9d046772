/* The messages that JSON treats in its own way. */
#include "tests/rpc/json_asserts.h"

static void times_are_rfc_3339(void **state)
{
    static const struct row rows[] = {
        {"{\"time\":\"1970-01-01T00:00:00Z\"}",
         "{\"time\":\"1970-01-01T00:00:00Z\"}"},
        {"{\"time\":\"0001-01-01T00:00:00Z\"}",
         "{\"time\":\"0001-01-01T00:00:00Z\"}"},
        {"{\"time\":\"9999-12-31T23:59:59.999999999Z\"}",
         "{\"time\":\"9999-12-31T23:59:59.999999999Z\"}"},
        {"{\"time\":\"2024-02-29T12:00:00.1+05:30\"}",
         "{\"time\":\"2024-02-29T06:30:00.100Z\"}"},
        {"{\"time\":\"1969-12-31T23:59:59.000001-00:01\"}",
         "{\"time\":\"1970-01-01T00:00:59.000001Z\"}"},
        {"{\"times\":[\"1969-12-31T23:59:59.9Z\"]}",
         "{\"times\":[\"1969-12-31T23:59:59.900Z\"]}"},
        {"{\"duration\":\"1.5s\"}", "{\"duration\":\"1.500s\"}"},
        {"{\"duration\":\"-0.000000001s\"}",
         "{\"duration\":\"-0.000000001s\"}"},
        {"{\"duration\":\"0s\"}", "{\"duration\":\"0s\"}"},
        {"{\"duration\":\"-315576000000.999999999s\"}",
         "{\"duration\":\"-315576000000.999999999s\"}"},
        {"{\"duration\":\"3.000010s\"}", "{\"duration\":\"3.000010s\"}"},
        {"{\"pickDuration\":\"1\\u0073\"}", "{\"pickDuration\":\"1s\"}"},
    };
    static const struct row refused[] = {
        {"{\"time\":\"\"}", "time: expected a time"},
        {"{\"time\":\"0000-01-01T00:00:00Z\"}", "expected a time"},
        {"{\"time\":\"0001-01-01T00:00:00+00:01\"}", "expected a time"},
        {"{\"time\":\"9999-12-31T23:59:59-00:01\"}", "expected a time"},
        {"{\"time\":\"2023-02-29T00:00:00Z\"}", "expected a time"},
        {"{\"time\":\"2023-00-01T00:00:00Z\"}", "expected a time"},
        {"{\"time\":\"2023-01-01t00:00:00Z\"}", "expected a time"},
        {"{\"time\":\"2023-01-01T00:00:00z\"}", "expected a time"},
        {"{\"time\":\"2023-01-01 00:00:00Z\"}", "expected a time"},
        {"{\"time\":\"2023-01-01T00:00:60Z\"}", "expected a time"},
        {"{\"time\":\"2023-01-01T24:00:00Z\"}", "expected a time"},
        {"{\"time\":\"2023-01-01T00:00:00\"}", "expected a time"},
        {"{\"time\":\"2023-01-01T00:00:00.Z\"}", "expected a time"},
        {"{\"time\":\"2023-01-01T00:00:00.0000000001Z\"}", "expected a time"},
        {"{\"time\":\"2023-01-01T00:00:00Zx\"}", "expected a time"},
        {"{\"time\":\"2023-01-01T00:00:00+0100\"}", "expected a time"},
        {"{\"time\":1}", "expected a time"},
        {"{\"duration\":\"1\"}", "expected a duration"},
        {"{\"duration\":\"s\"}", "expected a duration"},
        {"{\"duration\":\".5s\"}", "expected a duration"},
        {"{\"duration\":\"1.s\"}", "expected a duration"},
        {"{\"duration\":\"--1s\"}", "expected a duration"},
        {"{\"duration\":\"1.0000000001s\"}", "expected a duration"},
        {"{\"duration\":\"315576000001s\"}", "expected a duration"},
        {"{\"duration\":\"99999999999999999999s\"}", "expected a duration"},
        {"{\"duration\":\"1m\"}", "expected a duration"},
        {"{\"duration\":1}", "expected a duration"},
    };
    ASSERT_ALL_READ(*state, WELL_KNOWN_DESCRIPTOR, rows);
    ASSERT_ALL_REFUSED(*state, WELL_KNOWN_DESCRIPTOR, refused);
}

static void field_masks_are_paths_in_camel_case(void **state)
{
    static const struct row rows[] = {
        {"{\"mask\":\"\"}", "{\"mask\":\"\"}"},
        {"{\"mask\":\"a\"}", "{\"mask\":\"a\"}"},
        {"{\"mask\":\"fooBar,baz.quxQuux2\"}",
         "{\"mask\":\"fooBar,baz.quxQuux2\"}"},
    };
    static const struct row refused[] = {
        {"{\"mask\":\"foo_bar\"}", "mask: expected a field mask"},
        {"{\"mask\":\",\"}", "mask: expected a field mask"},
        {"{\"mask\":\"a,\"}", "mask: expected a field mask"},
        {"{\"mask\":\"a,,b\"}", "mask: expected a field mask"},
        {"{\"mask\":\"a b\"}", "mask: expected a field mask"},
        {"{\"mask\":\"a..b\"}", "mask: expected a field mask"},
        {"{\"mask\":\".a\"}", "mask: expected a field mask"},
        {"{\"mask\":[\"a\"]}", "mask: expected a field mask"},
    };
    ASSERT_ALL_READ(*state, WELL_KNOWN_DESCRIPTOR, rows);
    ASSERT_ALL_REFUSED(*state, WELL_KNOWN_DESCRIPTOR, refused);
}

static void structs_are_any_json(void **state)
{
    static const struct row rows[] = {
        {"{\"struct\":{}}", "{\"struct\":{}}"},
        {"{\"struct\":{\"a\":null,\"b\":[true,false,-1.5,\"x\",{},[]]}}",
         "{\"struct\":{\"a\":null,\"b\":[true,false,-1.5,\"x\",{},[]]}}"},
        {"{\"value\":null}", "{\"value\":null}"},
        {"{\"value\":{\"a\":{\"b\":[[1]]}}}",
         "{\"value\":{\"a\":{\"b\":[[1]]}}}"},
        {"{\"list\":[null,1]}", "{\"list\":[null,1]}"},
        {"{\"struct\":null,\"list\":null,\"values\":null}", "{}"},
        {"{\"values\":[null,[],{\"k\":\"v\"}]}",
         "{\"values\":[null,[],{\"k\":\"v\"}]}"},
        {"{\"null\":null}", "{}"},
        {"{\"nulls\":[null,\"NULL_VALUE\",0]}", "{\"nulls\":[null,null,null]}"},
        {"{\"pickNull\":null}", "{\"pickNull\":null}"},
        {"{\"pickNull\":\"NULL_VALUE\"}", "{\"pickNull\":null}"},
        {"{\"pickValue\":null}", "{\"pickValue\":null}"},
        {"{\"empty\":{}}", "{\"empty\":{}}"},
        {"{\"empty\":{\"unknown\":1}}", "{\"empty\":{}}"},
    };
    static const struct row refused[] = {
        {"{\"struct\":[]}", "struct: expected an object"},
        {"{\"struct\":{\"a\":1,\"a\":2}}", "struct[\"a\"]: comes twice"},
        {"{\"struct\":{\"a\":[1,{\"b\":tru}]}}",
         "struct[\"a\"][1][\"b\"]: expected true or false"},
        {"{\"list\":{}}", "list: expected a list"},
        {"{\"value\":1e400}", "value: a number that is too large"},
        {"{\"value\":NaN}", "value: expected a number"},
        {"{\"pickNull\":null,\"pickValue\":null}", "of its oneof"},
    };
    static const struct row values[] = {
        {"null", "null"}, {" 1 ", "1"}, {"\"a\"", "\"a\""}, {"[{}]", "[{}]"}};
    static const struct row broken[] = {
        {"", "expected a number"}, {"1 2", "follows"}, {"nil", "expected"}};
    ASSERT_ALL_READ(*state, WELL_KNOWN_DESCRIPTOR, rows);
    ASSERT_ALL_REFUSED(*state, WELL_KNOWN_DESCRIPTOR, refused);
    ASSERT_ALL_READ(*state, &google__protobuf__value__descriptor, values);
    ASSERT_ALL_REFUSED(*state, &google__protobuf__value__descriptor, broken);
}

/* Null would be read as an absent field. */
static void a_null_value_of_another_number_is_that_number(void **state)
{
    static const struct row rows[] = {
        {"{\"null\":57}", "{\"null\":57}"},
        {"{\"nulls\":[0,57]}", "{\"nulls\":[null,57]}"},
        {"{\"pickNull\":57}", "{\"pickNull\":57}"},
    };
    ASSERT_ALL_READ(*state, WELL_KNOWN_DESCRIPTOR, rows);
}

static void wrappers_are_their_values(void **state)
{
    static const struct row rows[] = {
        {"{\"boolValue\":false,\"int32Value\":0,\"int64Value\":0,"
         "\"uint32Value\":1,\"uint64Value\":\"2\",\"floatValue\":0.5,"
         "\"doubleValue\":\"NaN\",\"stringValue\":\"\",\"bytesValue\":\"\"}",
         "{\"boolValue\":false,\"int32Value\":0,\"int64Value\":\"0\","
         "\"uint32Value\":1,\"uint64Value\":\"2\",\"floatValue\":0.5,"
         "\"doubleValue\":\"NaN\",\"stringValue\":\"\",\"bytesValue\":\"\"}"},
        {"{\"boolValue\":null}", "{}"},
        {"{\"int64Values\":[1,\"2\"]}", "{\"int64Values\":[\"1\",\"2\"]}"},
    };
    static const struct row refused[] = {
        {"{\"int64Values\":[null]}", "int64Values[0]: expected a number"},
        {"{\"int32Value\":{\"value\":1}}", "int32Value: expected a number"},
        {"{\"uint32Value\":-1}", "uint32Value: expected a whole number"},
    };
    ASSERT_ALL_READ(*state, WELL_KNOWN_DESCRIPTOR, rows);
    ASSERT_ALL_REFUSED(*state, WELL_KNOWN_DESCRIPTOR, refused);
}

#define URL "type.googleapis.com/"

static void an_any_names_its_type(void **state)
{
    static const struct row rows[] = {
        {"{\"any\":{}}", "{\"any\":{}}"},
        {"{\"any\":{\"@type\":\"" URL "prbal.test.Everything\",\"i32\":1}}",
         "{\"any\":{\"@type\":\"" URL "prbal.test.Everything\",\"i32\":1}}"},
        {"{\"any\":{\"child\":{\"@type\":5},\"i32\":1,"
         "\"@type\":\"x/prbal.test.Everything\"}}",
         "{\"any\":{\"@type\":\"x/prbal.test.Everything\",\"i32\":1,"
         "\"child\":{}}}"},
        {"{\"any\":{\"@type\":\"" URL "prbal.test.Nothing\"}}",
         "{\"any\":{\"@type\":\"" URL "prbal.test.Nothing\"}}"},
        {"{\"any\":{\"@type\":\"" URL "google.protobuf.Empty\",\"value\":{}}}",
         "{\"any\":{\"@type\":\"" URL "google.protobuf.Empty\"}}"},
        {"{\"any\":{\"value\":\"1s\",\"@type\":\"" URL
         "google.protobuf.Duration\"}}",
         "{\"any\":{\"@type\":\"" URL
         "google.protobuf.Duration\",\"value\":\"1s\"}}"},
        {"{\"any\":{\"@type\":\"" URL
         "google.protobuf.Value\",\"value\":null}}",
         "{\"any\":{\"@type\":\"" URL
         "google.protobuf.Value\",\"value\":null}}"},
        {"{\"any\":{\"@type\":\"" URL
         "google.protobuf.Struct\",\"value\":{\"a\":1}}}",
         "{\"any\":{\"@type\":\"" URL
         "google.protobuf.Struct\",\"value\":{\"a\":1}}}"},
        {"{\"any\":{\"@type\":\"" URL
         "google.protobuf.Int64Value\",\"value\":\"0\"}}",
         "{\"any\":{\"@type\":\"" URL
         "google.protobuf.Int64Value\",\"value\":\"0\"}}"},
        {"{\"anys\":[{\"@type\":\"" URL
         "google.protobuf.Any\",\"value\":{\"@type\":\"" URL
         "prbal.test.WellKnown\",\"any\":{\"@type\":\"" URL
         "google.protobuf.Timestamp\",\"value\":\"1970-01-01T00:00:01Z\"}}},"
         "{}]}",
         "{\"anys\":[{\"@type\":\"" URL
         "google.protobuf.Any\",\"value\":{\"@type\":\"" URL
         "prbal.test.WellKnown\",\"any\":{\"@type\":\"" URL
         "google.protobuf.Timestamp\",\"value\":\"1970-01-01T00:00:01Z\"}}},"
         "{}]}"},
    };
    static const struct row refused[] = {
        {"{\"any\":{\"i32\":1}}", "any: an Any wants its \"@type\""},
        {"{\"any\":{\"@type\":5}}", "any: expected a string"},
        {"{\"any\":{\"@type\":\"\"}}", "no message type is called \"\""},
        {"{\"any\":{\"@type\":\"" URL "no.Such\"}}",
         "no message type is called \"" URL "no.Such\""},
        {"{\"any\":{\"@type\":\"a/prbal.test.Nothing\",\"@type\":"
         "\"a/prbal.test.Nothing\"}}",
         "\"@type\" comes twice"},
        {"{\"any\":{\"@type\":\"a/prbal.test.Everything\",\"i32\":true}}",
         "any.i32: expected a number"},
        {"{\"any\":{\"@type\":\"a/google.protobuf.Duration\"}}",
         "wants its \"value\""},
        {"{\"any\":{\"@type\":\"a/google.protobuf.Duration\",\"value\":1}}",
         "any.value: expected a duration"},
        {"{\"any\":{\"@type\":\"a/google.protobuf.Duration\","
         "\"value\":\"1s\",\"value\":\"1s\"}}",
         "\"value\" comes twice"},
        {"{\"any\":[]}", "any: expected an object"},
    };
    ASSERT_ALL_READ(*state, WELL_KNOWN_DESCRIPTOR, rows);
    ASSERT_ALL_REFUSED(*state, WELL_KNOWN_DESCRIPTOR, refused);
}

#define NESTED_ANY "{\"@type\":\"a/google.protobuf.Any\",\"value\":"

static void anys_nest_eight_deep(void **state)
{
    fixture *t = *state;
    const ProtobufCMessageDescriptor *type = &google__protobuf__any__descriptor;
    const char *deep = nested(t, 8, NESTED_ANY, "{}", "}");
    assert_reads(t, type, deep, deep);
    deep = nested(t, 8, NESTED_ANY, NESTED_ANY "{}}", "}");
    assert_refused(t, type, deep, strlen(deep), "within more than 7 others");
}

static void what_json_cannot_say_is_not_written(void **state)
{
    fixture *t = *state;
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    time.nanos = 1000000000;
    assert_string_equal(why_not(t, &time),
                        "google.protobuf.Timestamp: out of range");
    time = (Google__Protobuf__Timestamp)GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    time.seconds = 253402300800;
    why_not(t, &time);
    Google__Protobuf__Duration duration = GOOGLE__PROTOBUF__DURATION__INIT;
    duration.seconds = 1;
    duration.nanos = -1;
    why_not(t, &duration);

    static const char *const paths[] = {"fooBar", "foo__bar", "foo_", "_1",
                                        "a,b",    "",         "a."};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
        const char *path = paths[i];
        mask.n_paths = 1;
        mask.paths = (void *)&path;
        assert_string_equal(
            why_not(t, &mask),
            "google.protobuf.FieldMask: a path that JSON cannot say");
    }

    Google__Protobuf__Value value = GOOGLE__PROTOBUF__VALUE__INIT;
    assert_string_equal(encode(t, &value.base), "null");
    value.kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE;
    value.null_value = 57;
    assert_string_equal(encode(t, &value.base), "null");
    value.kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE;
    value.number_value = 1.0 / 0.0;
    assert_string_equal(why_not(t, &value),
                        "google.protobuf.Value: not a finite number");

    Everything text = EVERYTHING_INIT;
    text.text = "\xff";
    assert_string_equal(why_not(t, &text),
                        "prbal.test.Everything: a string that is not UTF-8");
}

static void an_any_that_cannot_be_read_is_not_written(void **state)
{
    fixture *t = *state;
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    any.type_url = "a/no.Such";
    assert_string_equal(
        why_not(t, &any),
        "google.protobuf.Any: of a type that is in no registry");
    any.type_url = "a/prbal.test.Everything";
    any.value = (ProtobufCBinaryData){1, (uint8_t *)"\x08"};
    assert_non_null(strstr(why_not(t, &any), "malformed number"));

    Google__Protobuf__Any *inner = &any;
    for (int i = 0; i < 20; i++) {
        Google__Protobuf__Any *outer =
            (void *)codec_new(t->arena, &google__protobuf__any__descriptor);
        outer->type_url = "a/google.protobuf.Any";
        outer->value.data =
            codec_pack(t->arena, &inner->base, &outer->value.len);
        inner = outer;
    }
    assert_string_equal(why_not(t, inner),
                        "google.protobuf.Any: within too many others");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
    const struct CMUnitTest tests[] = {
        TEST(times_are_rfc_3339),
        TEST(field_masks_are_paths_in_camel_case),
        TEST(structs_are_any_json),
        TEST(a_null_value_of_another_number_is_that_number),
        TEST(wrappers_are_their_values),
        TEST(an_any_names_its_type),
        TEST(anys_nest_eight_deep),
        TEST(what_json_cannot_say_is_not_written),
        TEST(an_any_that_cannot_be_read_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
