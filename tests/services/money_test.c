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

static void parts_are_shares_that_add_up(void **state)
{
    (void)state;
    const int64_t thirds[] = {1, 1, 1}, fee[] = {9000, 1000}, most[] = {0, 7};
    int64_t parts[3];
    money_split(100, thirds, 3, parts);
    assert_int_equal(parts[0], 34);
    assert_int_equal(parts[1], 33);
    assert_int_equal(parts[2], 33);
    money_split(15, fee, 2, parts); /* 13.5 and 1.5 */
    assert_int_equal(parts[0], 14);
    assert_int_equal(parts[1], 1);
    money_split(INT64_MAX, most, 2, parts);
    assert_int_equal(parts[0], 0);
    assert_int_equal(parts[1], INT64_MAX);
    money_split(0, thirds, 3, parts);
    assert_int_equal(parts[0] + parts[1] + parts[2], 0);
}

/* Each part is its share, less than one unit off; nothing is lost or made. */
static void no_split_loses_or_makes_money(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        int64_t weights[8], parts[8], total, sum = 0, weight = 0;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t count = 1 + (seed >> 60) % 8;
        total = (int64_t)(seed >> (1 + (seed >> 8) % 62));
        for (size_t i = 0; i < count; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            weights[i] = (int64_t)(seed >> 44) % 10000;
            weight += weights[i];
        }
        weights[0] += weight == 0;
        weight += weight == 0;
        money_split(total, weights, count, parts);
        for (size_t i = 0; i < count; i++) {
            long double share = (long double)total * (long double)weights[i] /
                                (long double)weight;
            assert_true((long double)parts[i] > share - 1.001L);
            assert_true((long double)parts[i] < share + 1.001L);
            assert_true(weights[i] > 0 || parts[i] == 0);
            sum += parts[i];
        }
        assert_int_equal(sum, total);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(currencies_have_their_own_number_of_digits),
        cmocka_unit_test(ten_units_are_as_many_minor_ones_as_the_currency_says),
        cmocka_unit_test(amounts_are_written_with_all_digits),
        cmocka_unit_test(numbers_are_read_exactly_or_not_at_all),
        cmocka_unit_test(parts_are_shares_that_add_up),
        cmocka_unit_test(no_split_loses_or_makes_money),
    };
    return cmocka_run_group_tests_name("money", tests, NULL, NULL);
}
