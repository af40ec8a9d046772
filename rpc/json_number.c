#include "rpc/json_number.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From text */

static bool magnitude(const struct json_number *number, uint64_t *value)
{
    *value = number->digits;
    /* More digits than 64 bits hold, the last not zero: too large or broken. */
    if (!number->is_exact)
        return false;
    if (number->digits == 0)
        return true;
    if (number->exponent < 0)
        return false;
    for (int64_t i = 0; i < number->exponent; i++)
        if (__builtin_mul_overflow(*value, 10, value))
            return false;
    return true;
}

bool json_number_unsigned(const struct json_number *number, uint64_t high,
                          uint64_t *value)
{
    return magnitude(number, value) && *value <= high &&
           (!number->is_negative || *value == 0);
}

bool json_number_signed(const struct json_number *number, int64_t low,
                        int64_t high, int64_t *value)
{
    uint64_t size;
    if (!magnitude(number, &size))
        return false;
    if (number->is_negative) {
        *value = (int64_t)-size;
        return size <= (uint64_t) - (low + 1) + 1;
    }
    *value = (int64_t)size;
    return size <= (uint64_t)high;
}

/* Powers of ten that a double holds exactly: one multiplication or division of
 * two exact numbers rounds once, so the result is the nearest number. */
static const double tens[] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};
enum { DOUBLE_TENS = 22, FLOAT_TENS = 10 };

static bool is_simple(const struct json_number *number, int mantissa_bits,
                      int tens_max)
{
    return number->is_exact && number->digits >> mantissa_bits == 0 &&
           number->exponent >= -tens_max && number->exponent <= tens_max;
}

bool json_number_double(const struct json_number *number, const char *text,
                        double *value)
{
    if (number->is_exact && number->digits == 0) {
        *value = number->is_negative ? -0.0 : 0.0;
        return true;
    }
    if (is_simple(number, DBL_MANT_DIG, DOUBLE_TENS)) {
        double digits = (double)number->digits;
        *value = number->exponent < 0 ? digits / tens[-number->exponent]
                                      : digits * tens[number->exponent];
        if (number->is_negative)
            *value = -*value;
        return true;
    }
    if (text == NULL)
        return false;
    *value = strtod(text, NULL); /* the locale is "C": nobody sets another */
    return isfinite(*value);
}

bool json_number_float(const struct json_number *number, const char *text,
                       float *value)
{
    if (number->is_exact && number->digits == 0) {
        *value = number->is_negative ? -0.0f : 0.0f;
        return true;
    }
    if (is_simple(number, FLT_MANT_DIG, FLOAT_TENS)) {
        float digits = (float)number->digits;
        *value = number->exponent < 0 ? digits / (float)tens[-number->exponent]
                                      : digits * (float)tens[number->exponent];
        if (number->is_negative)
            *value = -*value;
        return true;
    }
    if (text == NULL)
        return false;
    *value = strtof(text, NULL);
    return isfinite(*value);
}

/* To text */

size_t json_put_unsigned(char *to, uint64_t value)
{
    size_t size = 1;
    for (uint64_t rest = value; rest >= 10; rest /= 10)
        size++;
    for (size_t at = size; at > 0; value /= 10)
        to[--at] = (char)('0' + value % 10);
    return size;
}

size_t json_put_signed(char *to, int64_t value)
{
    if (value >= 0)
        return json_put_unsigned(to, (uint64_t)value);
    *to = '-';
    return 1 + json_put_unsigned(to + 1, -(uint64_t)value);
}

/* The decimal d.ddd x 10^exponent. */
struct decimal {
    char digits[20];
    int count;
    int exponent;
};

/* From "d.ddde[+-]xx", as "%e" writes it. */
static void read_decimal(const char *text, struct decimal *decimal)
{
    decimal->count = 0;
    for (; *text != 'e'; text++)
        if (*text != '.')
            decimal->digits[decimal->count++] = *text;
    decimal->exponent = atoi(text + 1);
    while (decimal->count > 1 && decimal->digits[decimal->count - 1] == '0')
        decimal->count--;
}

/* As JavaScript and Go write them: an exponent from 1e21 on, and below 1e-6. */
static size_t put_decimal(char *to, const struct decimal *decimal)
{
    const char *digits = decimal->digits;
    int count = decimal->count, point = decimal->exponent + 1;
    if (point > 21 || point < -5)
        return (size_t)(count == 1
                            ? snprintf(to, JSON_NUMBER_MAX, "%ce%+d", digits[0],
                                       point - 1)
                            : snprintf(to, JSON_NUMBER_MAX, "%c.%.*se%+d",
                                       digits[0], count - 1, digits + 1,
                                       point - 1));
    if (point <= 0)
        return (size_t)snprintf(to, JSON_NUMBER_MAX, "0.%.*s%.*s", -point,
                                "00000", count, digits);
    if (point < count)
        return (size_t)snprintf(to, JSON_NUMBER_MAX, "%.*s.%.*s", point, digits,
                                count - point, digits + point);
    return (size_t)snprintf(to, JSON_NUMBER_MAX, "%.*s%.*s", count, digits,
                            point - count, "00000000000000000000");
}

/* Whole numbers are common, and quickly written. */
static size_t put_whole(char *to, double value)
{
    const double exact = 9007199254740992; /* 2^53 */
    if (!(value > -exact && value < exact) || value != (double)(int64_t)value ||
        (value == 0 && signbit(value)))
        return 0;
    return json_put_signed(to, (int64_t)value);
}

/* The decimal of DBL_DIG digits nearest to the value, when it is read as that:
 * by exact numbers, as json_number_double() does.  There is at most one such
 * decimal, and rounding finds it: value x 10^k is off by less than 1/8. */
static bool find_decimal(double value, struct decimal *decimal)
{
    /* So that k is among the exact powers, even when log10() is rounded. */
    if (!(value >= 1e-7 && value < 1e14))
        return false;
    int k = DBL_DIG - 1 - (int)floor(log10(value));
    uint64_t digits = (uint64_t)llrint(value * tens[k]);
    if (digits == 0 || (double)digits / tens[k] != value)
        return false;
    for (; digits % 10 == 0; digits /= 10)
        k--;
    decimal->count = (int)json_put_unsigned(decimal->digits, digits);
    decimal->exponent = decimal->count - 1 - k;
    return true;
}

static bool reads_as(const char *text, double value, bool is_float)
{
    return is_float ? strtof(text, NULL) == (float)value
                    : strtod(text, NULL) == value;
}

/* Below a power of two numbers lie closer together than above it: the decimal
 * that is read as the power may not be the nearest, but the next. */
static bool next_reads_as(char *text, double value, bool is_float)
{
    int exponent;
    char *last = strchr(text, 'e') - 1;
    if (frexp(value, &exponent) != 0.5 || *last == '9' || *last == '.')
        return false;
    ++*last;
    if (reads_as(text, value, is_float))
        return true;
    --*last;
    return false;
}

/* The first of these precisions that is read as the value; the last always is.
 */
static void try_decimals(double value, bool is_float, int precision, int last,
                         struct decimal *decimal)
{
    char text[JSON_NUMBER_MAX];
    for (;; precision++) {
        snprintf(text, sizeof text, "%.*e", precision - 1, value);
        if (precision == last || reads_as(text, value, is_float) ||
            next_reads_as(text, value, is_float))
            break;
    }
    read_decimal(text, decimal);
}

/* A decimal of DBL_DIG digits survives the way there and back, so if a shorter
 * one is read as this number, that many digits show it; subnormal numbers have
 * fewer.  DBL_DECIMAL_DIG always do. */
size_t json_put_double(char *to, double value)
{
    struct decimal decimal;
    size_t whole = put_whole(to, value);
    if (whole > 0)
        return whole;
    size_t sign = signbit(value) != 0;
    *to = '-';
    value = fabs(value);
    if (!find_decimal(value, &decimal))
        try_decimals(value, false, value < DBL_MIN ? 1 : DBL_DIG,
                     DBL_DECIMAL_DIG, &decimal);
    return sign + put_decimal(to + sign, &decimal);
}

size_t json_put_float(char *to, float value)
{
    struct decimal decimal;
    size_t whole = fabsf(value) < 16777216 ? put_whole(to, (double)value) : 0;
    if (whole > 0)
        return whole;
    size_t sign = signbit(value) != 0;
    *to = '-';
    value = fabsf(value);
    try_decimals((double)value, true, value < FLT_MIN ? 1 : FLT_DIG,
                 FLT_DECIMAL_DIG, &decimal);
    return sign + put_decimal(to + sign, &decimal);
}
