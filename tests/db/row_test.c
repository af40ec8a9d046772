/* Every type both ways: an argument in, a column out. */
#include "tests/db/rows.rpc.h"
#include "tests/db/rows.sql.h"
#include "tests/testkit/dbkit.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void integers_keep_their_extremes(void **state)
{
    struct dbkit *t = *state;
    Columns *row;
    assert_ok(dbkit_one(t, &test_integers, &row, db_int(INT16_MIN),
                        db_int(INT64_MIN), db_int(INT32_MAX),
                        db_int(INT64_MAX)));
    assert_int_equal(row->i32, INT16_MIN);
    assert_true(row->i64 == INT64_MIN);
    assert_int_equal(row->u32, INT32_MAX);
    assert_true(row->u64 == INT64_MAX);
    assert_ok(dbkit_one(t, &test_integers, &row, db_int(INT16_MAX),
                        db_int(INT64_MAX), db_int(0), db_int(1)));
    assert_int_equal(row->i32, INT16_MAX);
    assert_true(row->i64 == INT64_MAX);
    assert_int_equal(row->u32, 0);
    assert_true(row->u64 == 1);
}

static void a_number_out_of_range_is_the_callers_mistake(void **state)
{
    struct dbkit *t = *state;
    Columns *row;
    assert_code(dbkit_one(t, &test_int4, &row, db_int(INT32_MAX + 1LL)),
                RPC_INVALID_ARGUMENT);
    assert_code(dbkit_one(t, &test_int4, &row, db_int(INT32_MIN - 1LL)),
                RPC_INVALID_ARGUMENT);
    assert_ok(dbkit_one(t, &test_int4, &row, db_int(INT32_MIN)));
    assert_int_equal(row->i32, INT32_MIN);
}

static void a_column_that_overflows_its_field_is_an_error(void **state)
{
    struct dbkit *t = *state;
    Columns *row;
    assert_ok(dbkit_one(t, &test_int8_in_32_bits, &row, db_int(-7)));
    assert_int_equal(row->i32, -7);
    rpc_status s =
        dbkit_one(t, &test_int8_in_32_bits, &row, db_int(INT32_MAX + 1LL));
    assert_code(s, RPC_INTERNAL);
    assert_non_null(strstr(s.message, "\"i32\""));
    assert_code(dbkit_one(t, &test_unsigned, &row, db_int(-1)), RPC_INTERNAL);
    assert_ok(dbkit_one(t, &test_unsigned, &row, db_int(UINT32_MAX)));
    assert_true(row->u32 == UINT32_MAX);
}

static void reals_keep_their_bits(void **state)
{
    struct dbkit *t = *state;
    Columns *row;
    assert_ok(dbkit_one(t, &test_reals, &row, db_double(FLT_MAX),
                        db_double(-DBL_MIN)));
    assert_true(row->real32 == FLT_MAX);
    assert_true(row->real64 == -DBL_MIN);
    assert_ok(
        dbkit_one(t, &test_reals, &row, db_double(-INFINITY), db_double(NAN)));
    assert_true(row->real32 == -INFINITY);
    assert_true(isnan(row->real64));
    assert_ok(dbkit_one(t, &test_reals, &row, db_int(3), db_int(-4)));
    assert_true(row->real32 == 3.0f);
    assert_true(row->real64 == -4.0);
}

static void numerics_keep_every_digit(void **state)
{
    static const char *const texts[] = {
        "0",
        "0.00",
        "1",
        "-1",
        "10000",
        "9999",
        "100000000",
        "0.1",
        "-0.0001",
        "0.00001234",
        "12.50",
        "NaN",
        "Infinity",
        "-Infinity",
        "1000000000000.000001",
        "123456789012345678901234567890.123456789012345678901234567890"};
    struct dbkit *t = *state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Columns *row;
        assert_ok(dbkit_one(t, &test_numeric_as_text, &row, db_text(texts[i])));
        assert_string_equal(row->text, texts[i]);
    }
}

static void a_whole_numeric_fits_an_integer(void **state)
{
    struct dbkit *t = *state;
    Columns *row;
    assert_ok(dbkit_one(t, &test_numeric_as_number, &row,
                        db_text("-9223372036854775808")));
    assert_true(row->i64 == INT64_MIN);
    assert_ok(dbkit_one(t, &test_numeric_as_number, &row, db_text("20.000")));
    assert_int_equal(row->i64, 20);
    assert_true(row->real64 == 20.0);
    assert_code(dbkit_one(t, &test_numeric_as_number, &row, db_text("20.001")),
                RPC_INTERNAL);
    assert_code(dbkit_one(t, &test_numeric_as_number, &row,
                          db_text("9223372036854775808")),
                RPC_INTERNAL);
    assert_ok(dbkit_one(t, &test_numeric_as_number, &row, db_int(17)));
    assert_int_equal(row->i64, 17);
}

static void booleans_come_back(void **state)
{
    struct dbkit *t = *state;
    Columns *row;
    assert_ok(dbkit_one(t, &test_bool, &row, db_bool(true)));
    assert_true(row->yes);
    assert_ok(dbkit_one(t, &test_bool, &row, db_int(0)));
    assert_false(row->yes);
    assert_ok(dbkit_one(t, &test_bool, &row, db_text("true")));
    assert_true(row->yes);
}

static void texts_come_back_as_they_went(void **state)
{
    struct dbkit *t = *state;
    Columns *row;
    const char *odd = "it's \"odd\" \\ \xf0\x9f\x8d\xb5 \n$1";
    assert_ok(dbkit_one(t, &test_text, &row, db_text(odd), db_text("")));
    assert_string_equal(row->text, odd);
    assert_int_equal(row->_maybe_text_case,
                     PB__COLUMNS___MAYBE_TEXT_MAYBE_TEXT);
    assert_string_equal(row->maybe_text, "");
    assert_ok(dbkit_one(t, &test_citext, &row, db_text("MiXed")));
    assert_string_equal(row->text, "MiXed");
    assert_code(dbkit_one(t, &test_text, &row, db_text("\xff"), db_null()),
                RPC_INVALID_ARGUMENT);
}

static void a_uuid_that_is_none_is_the_callers_mistake(void **state)
{
    static const char *const wrong[] = {"", "x",
                                        "0190163d-8694-739b-aea5-966c26f8ad9",
                                        "0190163d-8694-739b-aea5-966c26f8ad9g",
                                        "0190163d086940739b0aea50966c26f8ad90"};
    struct dbkit *t = *state;
    Columns *row;
    const char *id = "0190163d-8694-739b-aea5-966c26f8ad90";
    assert_ok(dbkit_one(t, &test_uuid, &row, db_text(id)));
    assert_string_equal(row->text, id);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_code(dbkit_one(t, &test_uuid, &row, db_text(wrong[i])),
                    RPC_INVALID_ARGUMENT);
    assert_ok(dbkit_one(t, &test_uuid, &row, db_text_or_null("")));
    assert_string_equal(row->text, "");
}

static void bytes_may_hold_anything(void **state)
{
    struct dbkit *t = *state;
    Columns *row;
    uint8_t all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    assert_ok(dbkit_one(t, &test_bytes, &row, db_bytes(all, sizeof all)));
    assert_int_equal(row->raw.len, sizeof all);
    assert_memory_equal(row->raw.data, all, sizeof all);
    assert_ok(dbkit_one(t, &test_bytes, &row, db_bytes(all, 0)));
    assert_int_equal(row->raw.len, 0);
}

static void moments_keep_their_microseconds(void **state)
{
    static const struct {
        int64_t seconds;
        int32_t nanos;
    } moments[] = {{0, 0},
                   {1, 999999000},
                   {-1, 1000},
                   {946684800, 0},
                   {946684799, 999999000},
                   {1790000000, 123456000},
                   {-62135596800, 0},
                   {253402300799, 999999000}};
    struct dbkit *t = *state;
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
        time.seconds = moments[i].seconds;
        time.nanos = moments[i].nanos;
        Columns *row;
        assert_ok(dbkit_one(t, &test_time, &row, db_time(&time)));
        assert_true(row->time->seconds == moments[i].seconds);
        assert_int_equal(row->time->nanos, moments[i].nanos);
    }
}

static void moments_that_no_timestamp_has_are_cut(void **state)
{
    struct dbkit *t = *state;
    Columns *row;
    assert_ok(dbkit_one(t, &test_time_from_text, &row, db_text("infinity")));
    assert_true(row->time->seconds == 253402300799);
    assert_ok(dbkit_one(t, &test_time_from_text, &row, db_text("-infinity")));
    assert_true(row->time->seconds == -62135596800);
    assert_ok(dbkit_one(t, &test_time_from_text, &row,
                        db_text("2026-02-28 23:59:60+05:30")));
    assert_true(row->time->seconds == 1772303400);
    assert_code(dbkit_one(t, &test_time_from_text, &row, db_text("soon")),
                RPC_INVALID_ARGUMENT);
    assert_code(dbkit_one(t, &test_time, &row, db_time_us(INT64_MIN)),
                RPC_INVALID_ARGUMENT);
    assert_ok(dbkit_one(t, &test_time, &row, db_time(NULL)));
    assert_null(row->time);
}

static void dates_and_times_come_as_iso_texts(void **state)
{
    static const struct {
        const char *date, *time;
    } cases[] = {
        {"2026-02-28", "00:00:00"},   {"2024-02-29", "23:59:59.999999"},
        {"1999-12-31", "12:30:00.5"}, {"0001-01-01", "24:00:00"},
        {"1900-03-01", "06:07:08"},   {"5874897-12-31", "00:00:01"}};
    struct dbkit *t = *state;
    Columns *row;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_ok(dbkit_one(t, &test_date, &row, db_text(cases[i].date),
                            db_text(cases[i].time)));
        assert_string_equal(row->text, cases[i].date);
        assert_string_equal(row->maybe_text, cases[i].time);
    }
    assert_ok(
        dbkit_one(t, &test_date, &row, db_time_us(951782400000000), db_null()));
    assert_string_equal(row->text, "2000-02-29");
    assert_ok(
        dbkit_one(t, &test_timestamp, &row, db_text("1969-12-31 23:59:59.25")));
    assert_string_equal(row->text, "1969-12-31 23:59:59.25");
    assert_ok(
        dbkit_one(t, &test_timestamp, &row, db_text("0044-03-15 12:00:00 BC")));
    assert_string_equal(row->text, "0044-03-15 12:00:00 BC");
    assert_ok(
        dbkit_one(t, &test_date, &row, db_text("0044-03-15 BC"), db_null()));
    assert_string_equal(row->text, "0044-03-15 BC");
}

static void intervals_without_months_are_durations(void **state)
{
    struct dbkit *t = *state;
    Columns *row;
    assert_ok(dbkit_one(t, &test_interval, &row, db_text("1 day 2.5 seconds")));
    assert_true(row->span->seconds == 86402);
    assert_int_equal(row->span->nanos, 500000000);
    assert_ok(
        dbkit_one(t, &test_interval, &row, db_text("1 day -0.5 seconds")));
    assert_true(row->span->seconds == 86399);
    assert_int_equal(row->span->nanos, 500000000);
    assert_ok(
        dbkit_one(t, &test_interval, &row, db_text("-1 day 0.5 seconds")));
    assert_true(row->span->seconds == -86399);
    assert_int_equal(row->span->nanos, -500000000);
    assert_code(dbkit_one(t, &test_interval, &row, db_text("1 month")),
                RPC_INTERNAL);
}

static void enums_travel_by_their_names(void **state)
{
    struct dbkit *t = *state;
    Columns *row;
    assert_ok(dbkit_one(t, &test_mood, &row,
                        db_enum(MOOD_DESCRIPTOR, MOOD_VERY_SAD)));
    assert_int_equal(row->mood, MOOD_VERY_SAD);
    assert_ok(dbkit_one(t, &test_mood, &row, db_text("MOOD_HAPPY")));
    assert_int_equal(row->mood, MOOD_HAPPY);
    assert_ok(dbkit_one(t, &test_mood, &row, db_enum(MOOD_DESCRIPTOR, 0)));
    assert_int_equal(row->mood, MOOD_UNSPECIFIED);
    assert_code(dbkit_one(t, &test_mood, &row, db_text("SAD")), RPC_INTERNAL);
}

static void arrays_become_repeated_fields(void **state)
{
    struct dbkit *t = *state;
    const char *texts[] = {"", "a,b", "{\"x\"}", "null", "\\"};
    int64_t numbers[] = {INT64_MIN, 0, INT64_MAX};
    int64_t small[] = {INT32_MIN, INT32_MAX};
    ProtobufCBinaryData raws[] = {{2, (uint8_t *)"\0\xff"}, {0, NULL}};
    Columns *row;
    assert_ok(dbkit_one(t, &test_arrays, &row, db_texts(texts, 5),
                        db_ints(numbers, 3), db_ints(small, 2),
                        db_blobs(raws, 2)));
    assert_int_equal(row->n_texts, 5);
    for (int i = 0; i < 5; i++)
        assert_string_equal(row->texts[i], texts[i]);
    assert_int_equal(row->n_numbers, 3);
    assert_memory_equal(row->numbers, numbers, sizeof numbers);
    assert_int_equal(row->n_small_numbers, 2);
    assert_int_equal(row->small_numbers[0], INT32_MIN);
    assert_int_equal(row->n_raws, 2);
    assert_memory_equal(row->raws[0].data, "\0\xff", 2);
    assert_int_equal(row->raws[1].len, 0);

    assert_ok(dbkit_one(t, &test_arrays, &row, db_texts(NULL, 0),
                        db_ints(NULL, 0), db_null(), db_blobs(NULL, 0)));
    assert_int_equal(row->n_texts + row->n_numbers + row->n_raws, 0);
    int64_t wide = INT32_MAX + 1LL;
    assert_code(dbkit_one(t, &test_arrays, &row, db_null(), db_null(),
                          db_ints(&wide, 1), db_null()),
                RPC_INVALID_ARGUMENT);
}

static void arrays_of_other_types_come_too(void **state)
{
    struct dbkit *t = *state;
    Columns *row;
    const char *odd[] = {"A\"b", "{c}", "\\", "", "NULL", "d,e"};
    assert_ok(dbkit_one(t, &test_citext_array, &row, db_texts(odd, 6)));
    assert_int_equal(row->n_texts, 6);
    for (int i = 0; i < 6; i++)
        assert_string_equal(row->texts[i], odd[i]);
    const char *ids[] = {"0190163d-8694-739b-aea5-966c26f8ad90", "x"};
    assert_ok(dbkit_one(t, &test_uuid_array, &row, db_texts(ids, 1)));
    assert_string_equal(row->texts[0], ids[0]);
    assert_code(dbkit_one(t, &test_uuid_array, &row, db_texts(ids, 2)),
                RPC_INVALID_ARGUMENT);
    const int32_t moods[] = {MOOD_HAPPY, MOOD_VERY_SAD, MOOD_HAPPY};
    assert_ok(dbkit_one(t, &test_mood_array, &row,
                        db_enums(t->arena, MOOD_DESCRIPTOR, moods, 3)));
    assert_int_equal(row->n_moods, 3);
    assert_memory_equal(row->moods, moods, sizeof moods);
    assert_ok(dbkit_one(t, &test_constant_arrays, &row, DB_NONE));
    assert_int_equal(row->n_flags, 2);
    assert_true(row->flags[0] && !row->flags[1]);
    assert_true(row->reals[0] == 1.5 && row->reals[1] == -2.0);
    assert_string_equal(row->texts[0], "{a,b}");
    assert_string_equal(row->texts[4], "null");
    assert_code(dbkit_one(t, &test_null_in_array, &row, DB_NONE), RPC_INTERNAL);
    assert_code(dbkit_one(t, &test_two_dimensions, &row, DB_NONE),
                RPC_INTERNAL);
}

static void null_leaves_an_optional_field_unset(void **state)
{
    struct dbkit *t = *state;
    Columns *row;
    assert_ok(dbkit_one(t, &test_optional, &row, db_int(0), db_null()));
    assert_int_equal(row->_maybe_number_case,
                     PB__COLUMNS___MAYBE_NUMBER_MAYBE_NUMBER);
    assert_int_equal(row->maybe_number, 0);
    assert_int_equal(row->_maybe_text_case, 0);
}

static void the_column_that_is_not_null_is_chosen(void **state)
{
    struct dbkit *t = *state;
    Columns *row;
    assert_ok(
        dbkit_one(t, &test_choice, &row, db_text("a"), db_null(), db_null()));
    assert_int_equal(row->choice_case, PB__COLUMNS__CHOICE_CHOICE_TEXT);
    assert_string_equal(row->choice_text, "a");
    assert_ok(
        dbkit_one(t, &test_choice, &row, db_null(), db_int(7), db_null()));
    assert_int_equal(row->choice_case, PB__COLUMNS__CHOICE_CHOICE_NUMBER);
    assert_int_equal(row->choice_number, 7);
    assert_ok(dbkit_one(t, &test_choice, &row, db_text("a"), db_null(),
                        db_text("part")));
    assert_int_equal(row->choice_case, PB__COLUMNS__CHOICE_CHOICE_PART);
    assert_string_equal(row->choice_part->name, "part");
}

static void dotted_columns_fill_messages_inside(void **state)
{
    struct dbkit *t = *state;
    Columns *row;
    assert_ok(dbkit_one(t, &test_nested, &row, db_text("outer"), db_int(5),
                        db_text("deep")));
    assert_string_equal(row->part->name, "outer");
    assert_int_equal(row->part->inner->amount, 5);
    assert_string_equal(row->part->inner->inner->inner->name, "deep");
    assert_ok(
        dbkit_one(t, &test_nested, &row, db_null(), db_null(), db_null()));
    assert_null(row->part);
}

static void json_fills_messages_by_field_names(void **state)
{
    struct dbkit *t = *state;
    Columns *row;
    assert_ok(dbkit_one(
        t, &test_json_part, &row,
        db_text("{\"name\": \"a\\u00e9\", \"amount\": -9007199254740993,"
                " \"time\": \"2026-01-02T03:04:05.678901+02:00\","
                " \"mood\": \"VERY_SAD\", \"count\": 0, \"raw\": \"\\\\x00ff\","
                " \"real\": 2, \"yes\": true, \"tags\": [\"x\", \"y\"],"
                " \"inner\": {\"name\": \"in\"}, \"later\": [1],"
                " \"parts\": [{\"name\": \"p\"}, {}]}")));
    Part *part = row->part;
    assert_string_equal(part->name, "a\xc3\xa9");
    assert_true(part->amount == -9007199254740993);
    assert_true(part->time->seconds == 1767315845);
    assert_int_equal(part->time->nanos, 678901000);
    assert_int_equal(part->mood, MOOD_VERY_SAD);
    assert_int_equal(part->_count_case, PB__PART___COUNT_COUNT);
    assert_int_equal(part->raw.len, 2);
    assert_int_equal(part->raw.data[1], 0xff);
    assert_true(part->real == 2.0 && part->yes);
    assert_int_equal(part->n_tags, 2);
    assert_string_equal(part->inner->name, "in");
    assert_int_equal(part->n_parts, 2);
    assert_string_equal(part->parts[0]->name, "p");
    assert_int_equal(row->document->n_fields, 12);
}

static void json_that_does_not_fit_is_an_error(void **state)
{
    static const char *const wrong[] = {"[]",
                                        "{\"name\": 1}",
                                        "{\"amount\": \"1\"}",
                                        "{\"amount\": 1.5}",
                                        "{\"count\": 3000000000}",
                                        "{\"mood\": \"SAD\"}",
                                        "{\"time\": \"yesterday\"}",
                                        "{\"time\": \"2026-13-01T00:00:00Z\"}",
                                        "{\"time\": \"2026-01-01T 1:00:00Z\"}",
                                        "{\"time\": \"2026-01-01T00:00:00\"}",
                                        "{\"time\": \"2026-01-01T00:00:00+5\"}",
                                        "{\"time\": \"2026-01-01T00:00:00Zx\"}",
                                        "{\"raw\": \"\\\\x0\"}",
                                        "{\"raw\": \"\\\\xzz\"}",
                                        "{\"parts\": {}}",
                                        "{\"inner\": []}"};
    struct dbkit *t = *state;
    Columns *row;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_code(dbkit_one(t, &test_json_part, &row, db_text(wrong[i])),
                    RPC_INTERNAL);
    char deep[2 * 100 + 1];
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    deep[200] = '\0';
    assert_code(dbkit_one(t, &test_json_value, &row, db_text(deep)),
                RPC_INTERNAL);
    assert_code(dbkit_one(t, &test_json_part, &row, db_text("{")),
                RPC_INVALID_ARGUMENT);
}

static void json_arrays_fill_repeated_messages(void **state)
{
    struct dbkit *t = *state;
    Columns *row;
    assert_ok(dbkit_one(t, &test_json_parts, &row,
                        db_text("[{\"amount\": 1}, {\"amount\": 2}]")));
    assert_int_equal(row->n_parts, 2);
    assert_int_equal(row->parts[1]->amount, 2);
    assert_ok(dbkit_one(t, &test_json_parts, &row, db_text("[]")));
    assert_int_equal(row->n_parts, 0);
    assert_ok(dbkit_one(t, &test_json_parts, &row, db_text("null")));
    assert_int_equal(row->n_parts, 0);
}

static void json_values_keep_their_kind(void **state)
{
    struct dbkit *t = *state;
    Columns *row;
    assert_ok(dbkit_one(t, &test_json_value, &row,
                        db_text("{\"a\": [1.5, true, null, \"x\"]}")));
    assert_string_equal(row->text, "{\"a\": [1.5, true, null, \"x\"]}");
    Google__Protobuf__Value *list = row->value->struct_value->fields[0]->value;
    assert_int_equal(list->kind_case, GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE);
    Google__Protobuf__Value **values = list->list_value->values;
    assert_true(values[0]->number_value == 1.5);
    assert_true(values[1]->bool_value);
    assert_int_equal(values[2]->kind_case,
                     GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE);
    assert_string_equal(values[3]->string_value, "x");
    assert_ok(dbkit_one(t, &test_json_value, &row, db_text("null")));
    assert_int_equal(row->value->kind_case,
                     GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE);
}

static void a_column_without_a_home_is_named(void **state)
{
    static const struct {
        const struct db_query *query;
        const char *says;
    } cases[] = {{&test_unknown_column, "\"nothing_like_it\" has no field"},
                 {&test_misfit, "\"i32\" of type OID 25 does not fit"},
                 {&test_column_twice, "\"i32\" comes twice"},
                 {&test_geography, "cast it"}};
    struct dbkit *t = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Columns *row;
        rpc_status s = dbkit_one(t, cases[i].query, &row, DB_NONE);
        assert_code(s, RPC_INTERNAL);
        assert_non_null(strstr(s.message, cases[i].says));
        assert_non_null(strstr(s.message, cases[i].query->name));
    }
}

static rpc_status find_nothing(struct rpc_call *call, void *argument)
{
    return db_find(call->db, &test_no_row, (Part **)argument, DB_NONE);
}

static void one_means_one(void **state)
{
    struct dbkit *t = *state;
    Part *row = (Part *)t;
    rpc_status s = dbkit_one(t, &test_no_row, &row, DB_NONE);
    assert_code(s, RPC_NOT_FOUND);
    assert_string_equal(s.message, "part not found");
    row = (Part *)t;
    assert_ok(dbkit_run(t, find_nothing, &row));
    assert_null(row);
    assert_code(dbkit_one(t, &test_two_rows, &row, DB_NONE), RPC_INTERNAL);
}

static void a_wrong_number_of_arguments_is_our_mistake(void **state)
{
    struct dbkit *t = *state;
    Columns *row;
    assert_code(dbkit_one(t, &test_int4, &row, db_int(1), db_int(2)),
                RPC_INTERNAL);
}

static rpc_status sum_series(struct rpc_call *call, void *argument)
{
    int64_t *sum = argument;
    size_t n;
    Part **parts;
    TRY(db_many(call->db, &test_series, &n, &parts, db_int(*sum)));
    *sum = 0;
    for (size_t i = 0; i < n; i++)
        *sum += parts[i]->amount;
    return RPC_SUCCESS;
}

static void many_rows_come_in_order_and_complete(void **state)
{
    struct dbkit *t = *state;
    int64_t sum = 1000;
    assert_ok(dbkit_run(t, sum_series, &sum));
    assert_int_equal(sum, 500500);
    sum = 0;
    assert_ok(dbkit_run(t, sum_series, &sum));
    assert_int_equal(sum, 0);
}

static void a_replanned_statement_is_sent_without_a_name(void **state)
{
    struct dbkit *t = *state;
    Part *row;
    assert_ok(dbkit_one(t, &test_replanned, &row, db_text("a")));
    assert_ok(dbkit_one(t, &test_replanned, &row, db_text("b")));
    assert_string_equal(row->name, "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_keep_their_extremes),
        cmocka_unit_test(a_number_out_of_range_is_the_callers_mistake),
        cmocka_unit_test(a_column_that_overflows_its_field_is_an_error),
        cmocka_unit_test(reals_keep_their_bits),
        cmocka_unit_test(numerics_keep_every_digit),
        cmocka_unit_test(a_whole_numeric_fits_an_integer),
        cmocka_unit_test(booleans_come_back),
        cmocka_unit_test(texts_come_back_as_they_went),
        cmocka_unit_test(a_uuid_that_is_none_is_the_callers_mistake),
        cmocka_unit_test(bytes_may_hold_anything),
        cmocka_unit_test(moments_keep_their_microseconds),
        cmocka_unit_test(moments_that_no_timestamp_has_are_cut),
        cmocka_unit_test(dates_and_times_come_as_iso_texts),
        cmocka_unit_test(intervals_without_months_are_durations),
        cmocka_unit_test(enums_travel_by_their_names),
        cmocka_unit_test(arrays_become_repeated_fields),
        cmocka_unit_test(arrays_of_other_types_come_too),
        cmocka_unit_test(null_leaves_an_optional_field_unset),
        cmocka_unit_test(the_column_that_is_not_null_is_chosen),
        cmocka_unit_test(dotted_columns_fill_messages_inside),
        cmocka_unit_test(json_fills_messages_by_field_names),
        cmocka_unit_test(json_that_does_not_fit_is_an_error),
        cmocka_unit_test(json_arrays_fill_repeated_messages),
        cmocka_unit_test(json_values_keep_their_kind),
        cmocka_unit_test(a_column_without_a_home_is_named),
        cmocka_unit_test(one_means_one),
        cmocka_unit_test(a_wrong_number_of_arguments_is_our_mistake),
        cmocka_unit_test(many_rows_come_in_order_and_complete),
        cmocka_unit_test(a_replanned_statement_is_sent_without_a_name),
    };
    return cmocka_run_group_tests(tests, dbkit_setup, dbkit_teardown);
}
