#include "services/money.h"

#include "rpc/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void currencies_have_their_own_number_of_digits(void **state)
{
    (void)state;
    static const struct {
        const char *currency;
        int exponent;
    } cases[] = {
        {"USD", 2},  {"EGP", 2},  {"DZD", 2}, {"INR", 2},   {"JPY", 0},
        {"TND", 3},  {"KWD", 3},  {"XOF", 0}, {"AED", 2},   {"ZWG", 2},
        {"usd", -1}, {"", -1},    {"US", -1}, {"USDX", -1}, {"XYZ", -1},
        {"D A", -1}, {"EDA", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(money_exponent(cases[i].currency), cases[i].exponent);
}

static void ten_units_are_as_many_minor_ones_as_the_currency_says(void **state)
{
    (void)state;
    assert_int_equal(money_from_units(10, "USD"), 1000);
    assert_int_equal(money_from_units(10, "JPY"), 10);
    assert_int_equal(money_from_units(10, "TND"), 10000);
}

static void amounts_are_written_with_all_digits(void **state)
{
    (void)state;
    static const struct {
        int64_t minor;
        const char *currency;
        const char *text;
    } cases[] = {
        {1250, "USD", "12.50 USD"},
        {-5, "TND", "-0.005 TND"},
        {7, "JPY", "7 JPY"},
        {0, "EUR", "0.00 EUR"},
        {INT64_MIN, "USD", "-92233720368547758.08 USD"},
    };
    struct arena *arena = arena_create();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Money money = MONEY_INIT;
        money.amount_minor = cases[i].minor;
        money.currency = cases[i].currency;
        assert_string_equal(money_format(arena, &money), cases[i].text);
    }
    arena_destroy(arena);
}

static void numbers_are_read_exactly_or_not_at_all(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *currency;
        bool ok;
        int64_t minor;
    } cases[] = {
        {"12", "USD", true, 1200},
        {"12.5", "USD", true, 1250},
        {"-0.50", "USD", true, -50},
        {"0.001", "TND", true, 1},
        {"7", "JPY", true, 7},
        {"92233720368547758.07", "USD", true, INT64_MAX},
        {"-92233720368547758.08", "USD", true, INT64_MIN},
        {"92233720368547758.08", "USD", false, 0},
        {"12.505", "USD", false, 0},
        {"7.0", "JPY", false, 0},
        {"1.", "USD", false, 0},
        {".5", "USD", false, 0},
        {"", "USD", false, 0},
        {"-", "USD", false, 0},
        {"1,5", "USD", false, 0},
        {"+1", "USD", false, 0},
        {"1 ", "USD", false, 0},
        {"1", "XXX", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t minor = 0;
        assert_int_equal(money_parse(cases[i].text, cases[i].currency, &minor),
                         cases[i].ok);
        if (cases[i].ok)
            assert_int_equal(minor, cases[i].minor);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(currencies_have_their_own_number_of_digits),
        cmocka_unit_test(ten_units_are_as_many_minor_ones_as_the_currency_says),
        cmocka_unit_test(amounts_are_written_with_all_digits),
        cmocka_unit_test(numbers_are_read_exactly_or_not_at_all),
    };
    return cmocka_run_group_tests_name("money", tests, NULL, NULL);
}
