/* JSON against what strangers may write, by tables. */
#include "tests/rpc/json_asserts.h"

#include <pthread.h>

static void whole_numbers_are_exact_and_may_be_quoted(void **state)
{
    static const struct row rows[] = {
        {"{\"i32\":1.0}", "{\"i32\":1}"},
        {"{\"i32\":1e2}", "{\"i32\":100}"},
        {"{\"i32\":\"1e2\"}", "{\"i32\":100}"},
        {"{\"i32\":12300e-2}", "{\"i32\":123}"},
        {"{\"i32\":-0}", "{}"},
        {"{\"i32\":0e999999999999999999999}", "{}"},
        {"{\"i32\":-2147483648}", "{\"i32\":-2147483648}"},
        {"{\"u32\":4294967295}", "{\"u32\":4294967295}"},
        {"{\"i64\":9223372036854775807}", "{\"i64\":\"9223372036854775807\"}"},
        {"{\"i64\":\"-9223372036854775808\"}",
         "{\"i64\":\"-9223372036854775808\"}"},
        {"{\"i64\":9007199254740993}", "{\"i64\":\"9007199254740993\"}"},
        {"{\"u64\":18446744073709551615}",
         "{\"u64\":\"18446744073709551615\"}"},
        {"{\"u64\":1844674407370955161.5e1}",
         "{\"u64\":\"18446744073709551615\"}"},
        {"{\"u64\":1.0000000000000000000000000000000000000000e19}",
         "{\"u64\":\"10000000000000000000\"}"},
        {"{\"i64\":0.00000000000000000000000000000000001e35}",
         "{\"i64\":\"1\"}"},
        {"{\"s32\":\"-7\",\"sf64\":8,\"f64\":\"9\"}",
         "{\"s32\":-7,\"f64\":\"9\",\"sf64\":\"8\"}"},
        {"{\"i32\":\"\\u0031\"}", "{\"i32\":1}"},
    };
    ASSERT_ALL_READ(*state, EVERYTHING_DESCRIPTOR, rows);
}

static void what_is_no_whole_number_of_the_type_is_refused(void **state)
{
    static const struct row rows[] = {
        {"{\"i32\":1.5}", "i32: expected a whole number from"},
        {"{\"i32\":2147483648}", "i32: expected a whole number from"},
        {"{\"i32\":-2147483649}", "expected a whole number"},
        {"{\"u32\":-1}", "expected a whole number from 0"},
        {"{\"u32\":4294967296}", "expected a whole number from 0"},
        {"{\"i64\":9223372036854775808}", "expected a whole number of 64"},
        {"{\"i64\":-9223372036854775809}", "expected a whole number of 64"},
        {"{\"u64\":18446744073709551616}", "expected a whole number from 0"},
        {"{\"u64\":1e20}", "expected a whole number from 0"},
        {"{\"u64\":1e999999999999999999999}", "expected a whole number"},
        {"{\"u64\":1e-999999999999999999999}", "expected a whole number"},
        {"{\"i32\":\"\"}", "expected a number"},
        {"{\"i32\":\" 1\"}", "expected a number"},
        {"{\"i32\":\"1 \"}", "expected a number"},
        {"{\"i32\":\"0x1\"}", "expected a number"},
        {"{\"i32\":\"NaN\"}", "expected a number"},
        {"{\"i32\":true}", "expected a number"},
        {"{\"i32\":[1]}", "expected a number"},
        {"{\"i32\":01}", "not a number"},
        {"{\"i32\":+1}", "expected a number"},
        {"{\"i32\":-}", "not a number"},
        {"{\"i32\":1.}", "not a number"},
        {"{\"i32\":.5}", "expected a number"},
        {"{\"i32\":1e}", "not a number"},
        {"{\"i32\":1e+}", "not a number"},
        {"{\"i32\":1a}", "expected \",\" or \"}\""},
    };
    ASSERT_ALL_REFUSED(*state, EVERYTHING_DESCRIPTOR, rows);
}

static void reals_come_back_in_the_shortest_form(void **state)
{
    static const struct row rows[] = {
        {"{\"wideReal\":0.1}", "{\"wideReal\":0.1}"},
        {"{\"wideReal\":\"1.5\"}", "{\"wideReal\":1.5}"},
        {"{\"wideReal\":1e21}", "{\"wideReal\":1e+21}"},
        {"{\"wideReal\":100000000000000000000}",
         "{\"wideReal\":100000000000000000000}"},
        {"{\"wideReal\":1e-6}", "{\"wideReal\":0.000001}"},
        {"{\"wideReal\":1e-7}", "{\"wideReal\":1e-7}"},
        {"{\"wideReal\":-0.0}", "{\"wideReal\":-0}"},
        {"{\"wideReal\":0}", "{}"},
        {"{\"wideReal\":5e-324}", "{\"wideReal\":5e-324}"},
        {"{\"wideReal\":1.7976931348623157e308}",
         "{\"wideReal\":1.7976931348623157e+308}"},
        {"{\"wideReal\":123456789012345680}",
         "{\"wideReal\":123456789012345680}"},
        {"{\"wideReal\":0.30000000000000004}",
         "{\"wideReal\":0.30000000000000004}"},
        {"{\"wideReal\":1e-400}", "{}"},
        /* Powers of two, whose neighbours below are nearer. */
        {"{\"wideReal\":7.120236347223045e-307}",
         "{\"wideReal\":7.120236347223045e-307}"},
        {"{\"wideReal\":99999999999999.98}",
         "{\"wideReal\":99999999999999.98}"},
        {"{\"wideReal\":52.382299999999994}",
         "{\"wideReal\":52.382299999999994}"},
        {"{\"wideReal\":1e-7}", "{\"wideReal\":1e-7}"},
        {"{\"wideReal\":\"NaN\"}", "{\"wideReal\":\"NaN\"}"},
        {"{\"wideReal\":\"Infinity\"}", "{\"wideReal\":\"Infinity\"}"},
        {"{\"real\":\"-Infinity\"}", "{\"real\":\"-Infinity\"}"},
        {"{\"real\":0.1}", "{\"real\":0.1}"},
        {"{\"real\":16777217}", "{\"real\":16777216}"},
        {"{\"real\":3.4028235e38}", "{\"real\":3.4028235e+38}"},
        {"{\"real\":1e-45}", "{\"real\":1e-45}"},
        {"{\"real\":1.17549435e-38}", "{\"real\":1.1754944e-38}"},
    };
    ASSERT_ALL_READ(*state, EVERYTHING_DESCRIPTOR, rows);
}

static void reals_out_of_range_are_refused(void **state)
{
    static const struct row rows[] = {
        {"{\"wideReal\":1e309}", "a number that is too large"},
        {"{\"wideReal\":-1.8e308}", "a number that is too large"},
        {"{\"real\":3.5e38}", "a number that is too large"},
        {"{\"wideReal\":\"inf\"}", "expected a number"},
        {"{\"wideReal\":NaN}", "expected a number"},
        {"{\"wideReal\":Infinity}", "expected a number"},
        {"{\"wideReal\":\"\"}", "expected a number"},
        {"{\"wideReal\":null,\"real\":false}", "real: expected a number"},
    };
    ASSERT_ALL_REFUSED(*state, EVERYTHING_DESCRIPTOR, rows);
}

static void strings_are_escaped_only_where_they_must(void **state)
{
    static const struct row rows[] = {
        {"{\"text\":\"\"}", "{}"},
        {"{\"text\":\"a\\/b\"}", "{\"text\":\"a/b\"}"},
        {"{\"text\":\"\\b\\f\\n\\r\\t\\\"\\\\\"}",
         "{\"text\":\"\\b\\f\\n\\r\\t\\\"\\\\\"}"},
        {"{\"text\":\"\\u0001\\u001F\"}", "{\"text\":\"\\u0001\\u001f\"}"},
        {"{\"text\":\"\\u00e9\\u20AC\\ud83d\\ude00\\u007f\"}",
         "{\"text\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"}"},
        {"{\"text\":\"\xc3\xa9 longer than eight \xf0\x9f\x98\x80\"}",
         "{\"text\":\"\xc3\xa9 longer than eight \xf0\x9f\x98\x80\"}"},
        {"{\"text\":\"\\uffff<>&'\"}", "{\"text\":\"\xef\xbf\xbf<>&'\"}"},
    };
    ASSERT_ALL_READ(*state, EVERYTHING_DESCRIPTOR, rows);
}

static void broken_strings_are_refused(void **state)
{
    static const struct row rows[] = {
        {"{\"text\":\"\\u0000\"}", "cannot hold a NUL"},
        {"{\"text\":\"\\ud800\"}", "half of a surrogate pair"},
        {"{\"text\":\"\\ud800x\"}", "half of a surrogate pair"},
        {"{\"text\":\"\\ud800\\u0041\"}", "half of a surrogate pair"},
        {"{\"text\":\"\\ud800\\ud800\"}", "half of a surrogate pair"},
        {"{\"text\":\"\\udc00\\ud800\"}", "half of a surrogate pair"},
        {"{\"text\":\"\\u12g4\"}", "four hexadecimal digits"},
        {"{\"text\":\"\\u12", "four hexadecimal digits"},
        {"{\"text\":\"\\x41\"}", "an escape that JSON does not have"},
        {"{\"text\":\"\\'\"}", "an escape that JSON does not have"},
        {"{\"text\":\"\\", "an escape that JSON does not have"},
        {"{\"text\":\"a\nb\"}", "a control character"},
        {"{\"text\":\"abcdefgh\x1f\"}", "a control character"},
        {"{\"text\":\"\xff\"}", "not UTF-8"},
        {"{\"text\":\"\xc0\xaf\"}", "not UTF-8"},
        {"{\"text\":\"\xed\xa0\x80\"}", "not UTF-8"},
        {"{\"text\":\"abcdefghijkl\xf4\x90\x80\x80\"}", "not UTF-8"},
        {"{\"unknown\":\"\xff\"}", "not UTF-8"},
        {"{\"\xff\":1}", "not UTF-8"},
        {"{\"text\":\"abc", "without an end"},
        {"{\"text\":'a'}", "expected a string"},
        {"{\"text\":1}", "text: expected a string"},
    };
    ASSERT_ALL_REFUSED(*state, EVERYTHING_DESCRIPTOR, rows);
    assert_refused(*state, EVERYTHING_DESCRIPTOR, "{\"text\":\"a\0b\"}", 14,
                   "a control character");
    assert_refused(*state, EVERYTHING_DESCRIPTOR, "{}\0", 3, "follows");
    assert_refused(*state, EVERYTHING_DESCRIPTOR, "{\0}", 3, "a name");
}

static void bytes_are_base64_of_either_alphabet(void **state)
{
    static const struct row rows[] = {
        {"{\"raw\":\"AQID\"}", "{\"raw\":\"AQID\"}"},
        {"{\"raw\":\"AQ==\"}", "{\"raw\":\"AQ==\"}"},
        {"{\"raw\":\"AQ\"}", "{\"raw\":\"AQ==\"}"},
        {"{\"raw\":\"AQI\"}", "{\"raw\":\"AQI=\"}"},
        {"{\"raw\":\"-_-_\"}", "{\"raw\":\"+/+/\"}"},
        {"{\"raw\":\"+\\/+\\/\"}", "{\"raw\":\"+/+/\"}"},
        {"{\"raw\":\"\"}", "{}"},
        {"{\"raw\":\"-_\"}", "{\"raw\":\"+w==\"}"},
        {"{\"pickRaw\":\"\"}", "{\"pickRaw\":\"\"}"},
        {"{\"raws\":[\"\",\"AA==\"]}", "{\"raws\":[\"\",\"AA==\"]}"},
    };
    static const struct row refused[] = {
        {"{\"raw\":\"A\"}", "raw: expected base64"},
        {"{\"raw\":\"A===\"}", "expected base64"},
        {"{\"raw\":\"AQ=\"}", "expected base64"},
        {"{\"raw\":\"AQ ==\"}", "expected base64"},
        {"{\"raw\":\"AQ=A\"}", "expected base64"},
        {"{\"raw\":[1,2]}", "expected base64 in quotes"},
    };
    ASSERT_ALL_READ(*state, EVERYTHING_DESCRIPTOR, rows);
    ASSERT_ALL_REFUSED(*state, EVERYTHING_DESCRIPTOR, refused);
}

static void enums_have_names_and_keep_unknown_numbers(void **state)
{
    static const struct row rows[] = {
        {"{\"colour\":\"COLOUR_RED\"}", "{\"colour\":\"COLOUR_RED\"}"},
        {"{\"colour\":1}", "{\"colour\":\"COLOUR_RED\"}"},
        {"{\"colour\":-1.0}", "{\"colour\":\"COLOUR_BELOW_ZERO\"}"},
        {"{\"colour\":77}", "{\"colour\":77}"},
        {"{\"colour\":\"COLOUR_UNSPECIFIED\"}", "{}"},
        {"{\"colours\":[0,\"COLOUR_RED\",7]}",
         "{\"colours\":[\"COLOUR_UNSPECIFIED\",\"COLOUR_RED\",7]}"},
    };
    static const struct row refused[] = {
        {"{\"colour\":\"RED\"}", "\"RED\" is no value of prbal.test.Colour"},
        {"{\"colour\":\"COLOUR_REDD\"}", "is no value"},
        {"{\"colour\":\"\"}", "is no value"},
        {"{\"colour\":\"1\"}", "is no value"},
        {"{\"colour\":4294967297}", "expected a whole number"},
        {"{\"colour\":true}", "expected a number"},
    };
    ASSERT_ALL_READ(*state, EVERYTHING_DESCRIPTOR, rows);
    ASSERT_ALL_REFUSED(*state, EVERYTHING_DESCRIPTOR, refused);
}

static void presence_is_as_on_the_wire(void **state)
{
    static const struct row rows[] = {
        {"{}", "{}"},
        {" \t\r\n{ \t\r\n} \t\r\n", "{}"},
        {"{\"maybeI32\":0,\"maybeText\":\"\",\"maybeYes\":false}",
         "{\"maybeI32\":0,\"maybeText\":\"\",\"maybeYes\":false}"},
        {"{\"maybeI32\":null,\"text\":null,\"i32s\":null,\"counts\":null,"
         "\"child\":null,\"colour\":null}",
         "{}"},
        {"{\"yes\":true,\"yeses\":[false,true]}",
         "{\"yes\":true,\"yeses\":[false,true]}"},
        {"{\"child\":{}}", "{\"child\":{}}"},
        {"{\"children\":[{},{\"i32\":1},{}],\"i32s\":[]}",
         "{\"children\":[{},{\"i32\":1},{}]}"},
        {"{\"pickText\":null,\"pickNumber\":\"0\"}", "{\"pickNumber\":\"0\"}"},
        {"{\"pickChild\":{}}", "{\"pickChild\":{}}"},
        {"{\"farAway\":5}", "{\"farAway\":5}"},
    };
    static const struct row refused[] = {
        {"{\"i32s\":[1,null]}", "i32s[1]: expected a number"},
        {"{\"children\":[null]}", "children[0]: expected an object"},
        {"{\"counts\":{\"a\":null}}", "counts[\"a\"]: expected a number"},
        {"{\"pickText\":\"\",\"pickNumber\":1}",
         "pickNumber: another member of its oneof is there already"},
        {"{\"pickChild\":{},\"pickChild\":{}}", "pickChild: comes twice"},
        {"{\"i32\":1,\"i32\":1}", "i32: comes twice"},
        {"{\"i32\":null,\"i32\":1}", "i32: comes twice"},
        {"{\"wideReal\":1,\"wide_real\":1}", "wideReal: comes twice"},
        {"{\"counts\":{\"a\":1,\"\\u0061\":2}}", "comes twice"},
        {"{\"yes\":1}", "yes: expected true or false"},
        {"{\"yes\":\"true\"}", "yes: expected true or false"},
        {"{\"child\":[]}", "child: expected an object"},
        {"{\"i32s\":{}}", "i32s: expected a list"},
        {"{\"counts\":[]}", "counts: expected an object"},
    };
    ASSERT_ALL_READ(*state, EVERYTHING_DESCRIPTOR, rows);
    ASSERT_ALL_REFUSED(*state, EVERYTHING_DESCRIPTOR, refused);
}

static void names_come_from_the_proto(void **state)
{
    static const struct row rows[] = {
        {"{\"@other name\":\"a\",\"other\":null}", "twice"},
    };
    static const struct row read[] = {
        {"{\"other\":\"a\",\"snake_case_with_1_digit\":\"b\"}",
         "{\"@other name\":\"a\",\"snakeCaseWith1Digit\":\"b\"}"},
        {"{\"snakeCaseWith1Digit\":\"b\",\"@other name\":\"a\"}",
         "{\"@other name\":\"a\",\"snakeCaseWith1Digit\":\"b\"}"},
        {"{\"CamelAlready\":\"c\",\"Leading\":\"d\"}",
         "{\"CamelAlready\":\"c\",\"Leading\":\"d\"}"},
        {"{\"_leading\":\"d\"}", "{\"Leading\":\"d\"}"},
        {"{\"swappedTwo\":\"e\"}", "{\"swappedTwo\":\"e\"}"},
        {"{\"swapped_one\":\"e\",\"swappedOne\":1}", "{\"swappedTwo\":\"e\"}"},
        {"{\"\\u00fcml\\u00e4ut\":\"f\"}", "{\"\xc3\xbcml\xc3\xa4ut\":\"f\"}"},
        {"{\"othe\\u0072\":\"a\"}", "{\"@other name\":\"a\"}"},
        {"{\"three\":\"f\"}", "{\"\xc3\xbcml\xc3\xa4ut\":\"f\"}"},
    };
    ASSERT_ALL_REFUSED(*state, NAMES_DESCRIPTOR, rows);
    ASSERT_ALL_READ(*state, NAMES_DESCRIPTOR, read);
}

static void unknown_fields_are_passed_over(void **state)
{
    static const struct row rows[] = {
        {"{\"new\":1,\"i32\":2}", "{\"i32\":2}"},
        {"{\"i32\":2,\"new\":{\"a\":[1,{\"b\":[]},\"]}\",{}],\"c\":null}}",
         "{\"i32\":2}"},
        {"{\"\":true,\"\":false}", "{}"},
        {"{\"new\":[[[[]]],-0.5e-7,\"\\u00e9\"],\"I32\":1}", "{}"},
    };
    static const struct row refused[] = {
        {"{\"new\":[1,]}", "expected a value"},
        {"{\"new\":[1 2]}", "expected \",\" or the end"},
        {"{\"new\":{\"a\"}}", "expected \":\""},
        {"{\"new\":{a:1}}", "expected a name in quotes"},
        {"{\"new\":{\"a\":1,}}", "expected a name in quotes"},
        {"{\"new\":[}", "expected a value"},
        {"{\"new\":{]}", "expected a name in quotes"},
        {"{\"new\":[1}}", "expected \",\" or the end"},
        {"{\"new\":nul}", "expected a value"},
        {"{\"new\":}", "expected a value"},
        {"{\"new\":01}", "not a number"},
        {"{\"new\":\"\\u0000\"}", "NUL"},
        {"{\"new\":[", "expected a value"},
    };
    ASSERT_ALL_READ(*state, EVERYTHING_DESCRIPTOR, rows);
    ASSERT_ALL_REFUSED(*state, EVERYTHING_DESCRIPTOR, refused);
}

static void text_is_json_to_the_letter(void **state)
{
    static const struct row refused[] = {
        {"", "expected an object"},
        {" ", "expected an object"},
        {"null", "expected an object"},
        {"[]", "expected an object"},
        {"\xef\xbb\xbf{}", "expected an object"},
        {"{", "expected a name in quotes"},
        {"{\"i32\"", "expected \":\""},
        {"{\"i32\":", "expected a number"},
        {"{\"i32\":1", "expected \",\" or \"}\""},
        {"{\"i32\":1,", "expected a name in quotes"},
        {"{\"i32\":1,}", "expected a name in quotes"},
        {"{,\"i32\":1}", "expected a name in quotes"},
        {"{\"i32\":1 \"u32\":1}", "expected \",\" or \"}\""},
        {"{\"i32\"=1}", "expected \":\""},
        {"{i32:1}", "expected a name in quotes"},
        {"{'i32':1}", "expected a name in quotes"},
        {"{\"i32\":1}}", "something follows the message"},
        {"{} {}", "something follows the message"},
        {"{}//", "something follows the message"},
        {"{/**/}", "expected a name in quotes"},
        {"{\"i32s\":[1,]}", "expected a number"},
        {"{\"i32s\":[,1]}", "expected a number"},
        {"{\"i32s\":[1}", "expected \",\" or \"]\""},
        {"{\"i32s\":[1", "expected \",\" or \"]\""},
        {"{\"child\":{]}", "expected a name in quotes"},
        {"{\x0b}", "expected a name in quotes"},
        {"{\xc2\xa0}", "expected a name in quotes"},
        {"{\"yes\":True}", "expected true or false"},
        {"{\"yes\":tru}", "expected true or false"},
    };
    ASSERT_ALL_REFUSED(*state, EVERYTHING_DESCRIPTOR, refused);
    fixture *t = *state;
    struct json_error error;
    ProtobufCMessage *message;
    assert_false(json_decode(t->arena, t->types, EVERYTHING_DESCRIPTOR, NULL, 0,
                             &message, &error));
    assert_string_equal(error.text, "expected an object (line 1, column 1)");
}

static void errors_name_path_and_place(void **state)
{
    static const struct row refused[] = {
        {"{\"children\":[{},{},{\"counts\":{\"a\":1,\n"
         " \"b\xc3\xa9\":\"x\"}}]}",
         "children[2].counts[\"b\xc3\xa9\"]: expected a number "
         "(line 2, column 7)"},
        {"[1]", "expected an object (line 1, column 1)"},
        {"{\"child\":{\"child\":{\"wide_reals\":[1,true]}}}",
         "child.child.wideReals[1]: expected a number (line 1, column 36)"},
        {"{\"child\":{},\"i32\":\"\"}",
         "i32: expected a number (line 1, column 19)"},
        {"{\"counts\":{\"0123456789012345678901234567890123456789\":{}}}",
         "counts[\"01234567890123456789012345678901...\"]: expected a number"},
    };
    ASSERT_ALL_REFUSED(*state, EVERYTHING_DESCRIPTOR, refused);
}

static void maps_have_strings_for_keys(void **state)
{
    static const struct row rows[] = {
        {"{\"byI32\":{\"-1\":\"a\",\"0\":\"\"}}",
         "{\"byI32\":{\"-1\":\"a\",\"0\":\"\"}}"},
        {"{\"byI64\":{\"-9223372036854775808\":\"a\"}}",
         "{\"byI64\":{\"-9223372036854775808\":\"a\"}}"},
        {"{\"byU32\":{\"4294967295\":true}}",
         "{\"byU32\":{\"4294967295\":true}}"},
        {"{\"byU64\":{\"18446744073709551615\":\"AQ\"}}",
         "{\"byU64\":{\"18446744073709551615\":\"AQ==\"}}"},
        {"{\"byS32\":{\"1\":0.5},\"byS64\":{\"-2\":\"NaN\"}}",
         "{\"byS32\":{\"1\":0.5},\"byS64\":{\"-2\":\"NaN\"}}"},
        {"{\"byF32\":{\"1\":\"COLOUR_RED\",\"2\":9}}",
         "{\"byF32\":{\"1\":\"COLOUR_RED\",\"2\":9}}"},
        {"{\"byF64\":{\"1\":{\"byF64\":{}},\"2\":{}}}",
         "{\"byF64\":{\"1\":{},\"2\":{}}}"},
        {"{\"bySf32\":{\"-3\":1},\"bySf64\":{\"-4\":1}}",
         "{\"bySf32\":{\"-3\":1},\"bySf64\":{\"-4\":\"1\"}}"},
        {"{\"byBool\":{\"true\":{\"i32\":1},\"false\":{}}}",
         "{\"byBool\":{\"true\":{\"i32\":1},\"false\":{}}}"},
        {"{\"byText\":{\"\":null,\"a\\\"\":[1],\"b\":{\"c\":\"d\"}}}",
         "{\"byText\":{\"\":null,\"a\\\"\":[1],\"b\":{\"c\":\"d\"}}}"},
        {"{\"times\":{\"t\":\"1970-01-01T00:00:00Z\"}}",
         "{\"times\":{\"t\":\"1970-01-01T00:00:00Z\"}}"},
    };
    static const struct row refused[] = {
        {"{\"byI32\":{\"a\":\"\"}}", "byI32[\"a\"]: expected a whole number"},
        {"{\"byI32\":{\"2147483648\":\"\"}}", "expected a whole number"},
        {"{\"byI32\":{1:\"\"}}", "expected a name in quotes"},
        {"{\"byU32\":{\"-1\":true}}", "expected a whole number"},
        {"{\"byI32\":{\"1\":\"\",\"1.0\":\"\"}}",
         "byI32[\"1.0\"]: comes twice"},
        {"{\"byBool\":{\"True\":{}}}", "expected \"true\" or \"false\""},
        {"{\"byBool\":{\"true\":{},\"true\":{}}}", "comes twice"},
        {"{\"byBool\":{\"1\":{}}}", "expected \"true\" or \"false\""},
        {"{\"times\":{\"t\":1}}", "times[\"t\"]: expected a time"},
    };
    ASSERT_ALL_READ(*state, MAPS_DESCRIPTOR, rows);
    ASSERT_ALL_REFUSED(*state, MAPS_DESCRIPTOR, refused);
}

static void a_key_that_comes_twice_is_found_among_many(void **state)
{
    fixture *t = *state;
    enum { KEYS = 3000 };
    char *text = arena_alloc(t->arena, KEYS * 16 + 64);
    char *at = text + sprintf(text, "{\"counts\":{");
    for (int i = 0; i < KEYS; i++)
        at += sprintf(at, "\"k%d\":1,", i);
    sprintf(at, "\"last\":1}}");
    struct json_error error;
    Everything *e = (Everything *)decode(t, EVERYTHING_DESCRIPTOR, text,
                                         strlen(text), &error);
    assert_non_null(e);
    assert_int_equal(e->n_counts, KEYS + 1);
    sprintf(at, "\"k1234\":1}}");
    assert_refused(t, EVERYTHING_DESCRIPTOR, text, strlen(text),
                   "counts[\"k1234\"]: comes twice");
}

static void nesting_ends_where_the_wire_ends_it(void **state)
{
    fixture *t = *state;
    const char *deep = nested(t, 100, "{\"child\":", "{}", "}");
    assert_reads(t, EVERYTHING_DESCRIPTOR, deep, deep);
    deep = nested(t, 101, "{\"child\":", "{}", "}");
    assert_refused(t, EVERYTHING_DESCRIPTOR, deep, strlen(deep),
                   "messages nest deeper than 100");
    deep = nested(t, 10000, "{\"child\":", "{}", "}");
    assert_refused(t, EVERYTHING_DESCRIPTOR, deep, strlen(deep),
                   "messages nest deeper than 100");

    /* Each level is a Value and a ListValue. */
    deep = nested(t, 50, "[", "", "]");
    assert_reads(t, &google__protobuf__list_value__descriptor, deep, deep);
    deep = nested(t, 52, "[", "", "]");
    assert_refused(t, &google__protobuf__list_value__descriptor, deep,
                   strlen(deep), "messages nest deeper than 100");
    /* Each is a Struct, an entry and a Value. */
    deep = nested(t, 33, "{\"a\":", "1", "}");
    assert_reads(t, &google__protobuf__struct__descriptor, deep, deep);
    deep = nested(t, 35, "{\"a\":", "1", "}");
    assert_refused(t, &google__protobuf__struct__descriptor, deep, strlen(deep),
                   "messages nest deeper than 100");
}

static void *read_and_write(void *argument)
{
    fixture *t = argument;
    static char deep[4096];
    const char *reals = "{\"wideReals\":[5e-324,1.7976931348623157e308,"
                        "123456789012345678901234567890,0.1]}";
    struct json_error error;
    strcpy(deep, nested(t, 100, "{\"child\":", "{}", "}"));
    ProtobufCMessage *message =
        decode(t, EVERYTHING_DESCRIPTOR, deep, strlen(deep), &error);
    const char *text = encode(t, message);
    message = decode(t, EVERYTHING_DESCRIPTOR, reals, strlen(reals), &error);
    encode(t, message);
    decode(t, EVERYTHING_DESCRIPTOR, deep, strlen(deep) - 1, &error);
    return strcmp(text, deep) == 0 && error.text[0] != '\0' ? t : NULL;
}

/* A coroutine's stack has 64 KiB, and the sanitizer makes frames larger. */
static void depth_and_long_numbers_fit_on_a_small_stack(void **state)
{
    pthread_attr_t small;
    pthread_t thread;
    void *done;
    pthread_attr_init(&small);
    assert_int_equal(pthread_attr_setstacksize(&small, 64 * 1024), 0);
    assert_int_equal(pthread_create(&thread, &small, read_and_write, *state),
                     0);
    pthread_join(thread, &done);
    pthread_attr_destroy(&small);
    assert_non_null(done);
}

static void unknown_values_nest_no_deeper(void **state)
{
    fixture *t = *state;
    const char *deep = nested(t, 100, "[", "", "]");
    const char *text = arena_printf(t->arena, "{\"new\":%s}", deep);
    assert_reads(t, EVERYTHING_DESCRIPTOR, text, "{}");
    deep = nested(t, 100000, "[", "", "]");
    text = arena_printf(t->arena, "{\"new\":%s}", deep);
    assert_refused(t, EVERYTHING_DESCRIPTOR, text, strlen(text),
                   "values nest too deep");
}

static void memory_is_bounded_by_the_input(void **state)
{
    fixture *t = *state;
    enum { ELEMENTS = 200000 };
    const char *text = arena_printf(t->arena, "{\"children\":[%s{}]}",
                                    nested(t, ELEMENTS, "{},", "", ""));
    size_t before = arena_bytes(t->arena);
    assert_refused(t, EVERYTHING_DESCRIPTOR, text, strlen(text),
                   "takes too much memory for its size");
    assert_true(arena_bytes(t->arena) - before <
                17 * strlen(text) + 1024 * 1024);
}

static void what_is_too_deep_is_not_written(void **state)
{
    fixture *t = *state;
    enum { DEEP = 300 };
    Everything *levels = arena_array(t->arena, DEEP, sizeof *levels);
    for (int i = 0; i < DEEP; i++)
        levels[i] = (Everything)EVERYTHING_INIT;
    for (int i = 0; i + 1 < DEEP; i++)
        levels[i].child = &levels[i + 1];
    assert_string_equal(why_not(t, levels),
                        "prbal.test.Everything: nests too deep");
    levels[CODEC_ENCODE_DEPTH_MAX].child = NULL;
    encode(t, &levels[0].base);
}

/* The wire allows it, and so may a handler. */
static void of_entries_with_one_key_the_last_is_written(void **state)
{
    fixture *t = *state;
    enum { ENTRIES = 1000 };
    EverythingCountsEntry *entries =
        arena_array(t->arena, ENTRIES, sizeof *entries);
    EverythingCountsEntry *pointers[ENTRIES];
    Everything e = EVERYTHING_INIT;
    for (int i = 0; i < ENTRIES; i++) {
        entries[i] = (EverythingCountsEntry)PB__EVERYTHING__COUNTS_ENTRY__INIT;
        entries[i].key = i % 3 == 0 ? "fizz" : "other";
        entries[i].value = i;
        pointers[i] = &entries[i];
    }
    e.counts = pointers;
    e.n_counts = 4;
    assert_string_equal(encode(t, &e.base),
                        "{\"counts\":{\"other\":\"2\",\"fizz\":\"3\"}}");
    e.n_counts = ENTRIES;
    assert_string_equal(encode(t, &e.base),
                        "{\"counts\":{\"other\":\"998\",\"fizz\":\"999\"}}");
}

static void a_null_pointer_is_an_empty_message(void **state)
{
    fixture *t = *state;
    Everything *none[] = {NULL};
    Everything e = EVERYTHING_INIT;
    e.n_children = 1;
    e.children = none;
    assert_string_equal(encode(t, &e.base), "{\"children\":[{}]}");
}

static void a_type_of_no_registry_is_refused(void **state)
{
    fixture *t = *state;
    static const struct rpc_registry *const none[] = {NULL};
    struct json_types *types = json_types_create(none);
    struct json_error error;
    ProtobufCMessage *message;
    Everything e = EVERYTHING_INIT;
    char *text;
    size_t size;
    assert_false(json_decode(t->arena, types, EVERYTHING_DESCRIPTOR, "{}", 2,
                             &message, &error));
    assert_string_equal(
        error.text,
        "prbal.test.Everything is in no registry (line 1, column 1)");
    assert_false(json_encode(t->arena, types, &e.base, &text, &size));
    assert_string_equal(text, "prbal.test.Everything is in no registry");
    json_types_destroy(types);
}

/* --- all at once ---------------------------------------------------------- */

static const char everything_in_json[] =
    "{\"i32\":-1,\"i64\":\"-2\",\"u32\":3,\"u64\":\"4\",\"s32\":-5,"
    "\"s64\":\"-6\",\"f32\":7,\"f64\":\"8\",\"sf32\":-9,\"sf64\":\"-10\","
    "\"real\":0.25,\"wideReal\":1e-10,\"yes\":true,\"text\":\"t\","
    "\"raw\":\"AA==\",\"colour\":\"COLOUR_RED\",\"child\":{\"i32\":1},"
    "\"i32s\":[1,-2],\"s64s\":[\"3\"],\"f32s\":[4],\"wideReals\":[0,-0,0.5],"
    "\"yeses\":[true,false],\"colours\":[\"COLOUR_BELOW_ZERO\"],"
    "\"u64s\":[\"5\"],\"texts\":[\"\",\"x\"],\"raws\":[\"\"],"
    "\"children\":[{},{\"text\":\"y\"}],\"counts\":{\"a\":\"1\",\"\":\"0\"},"
    "\"maybeI32\":0,\"maybeText\":\"\",\"maybeYes\":false,"
    "\"pickNumber\":\"0\",\"farAway\":9}";

static void every_cut_and_every_flip_is_survived(void **state)
{
    fixture *t = *state;
    struct json_error error;
    char text[sizeof everything_in_json];
    size_t size = sizeof text - 1;
    assert_reads(t, EVERYTHING_DESCRIPTOR, everything_in_json,
                 everything_in_json);
    for (size_t cut = 0; cut < size; cut++)
        assert_null(
            decode(t, EVERYTHING_DESCRIPTOR, everything_in_json, cut, &error));
    for (size_t i = 0; i < size * 8; i++) {
        memcpy(text, everything_in_json, sizeof text);
        text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
        ProtobufCMessage *message =
            decode(t, EVERYTHING_DESCRIPTOR, text, size, &error);
        assert_true(message != NULL || error.text[0] != '\0');
        if (message != NULL)
            assert_reads(t, EVERYTHING_DESCRIPTOR, encode(t, message),
                         encode(t, message));
        arena_reset(t->arena);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
    const struct CMUnitTest tests[] = {
        TEST(whole_numbers_are_exact_and_may_be_quoted),
        TEST(what_is_no_whole_number_of_the_type_is_refused),
        TEST(reals_come_back_in_the_shortest_form),
        TEST(reals_out_of_range_are_refused),
        TEST(strings_are_escaped_only_where_they_must),
        TEST(broken_strings_are_refused),
        TEST(bytes_are_base64_of_either_alphabet),
        TEST(enums_have_names_and_keep_unknown_numbers),
        TEST(presence_is_as_on_the_wire),
        TEST(names_come_from_the_proto),
        TEST(unknown_fields_are_passed_over),
        TEST(text_is_json_to_the_letter),
        TEST(errors_name_path_and_place),
        TEST(maps_have_strings_for_keys),
        TEST(a_key_that_comes_twice_is_found_among_many),
        TEST(nesting_ends_where_the_wire_ends_it),
        TEST(depth_and_long_numbers_fit_on_a_small_stack),
        TEST(unknown_values_nest_no_deeper),
        TEST(memory_is_bounded_by_the_input),
        TEST(what_is_too_deep_is_not_written),
        TEST(of_entries_with_one_key_the_last_is_written),
        TEST(a_null_pointer_is_an_empty_message),
        TEST(a_type_of_no_registry_is_refused),
        TEST(every_cut_and_every_flip_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
