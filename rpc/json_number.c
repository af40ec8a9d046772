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
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    memcpy(to, digits + at, sizeof digits - at);
    return sizeof digits - at;
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

/* A decimal of DBL_DIG digits survives the way there and back, so if a shorter
 * one is read as this number, "%.15g" shows it; subnormal numbers have fewer
 * digits.  17 always do. */
size_t json_put_double(char *to, double value)
{
    char text[JSON_NUMBER_MAX];
    struct decimal decimal;
    size_t whole = put_whole(to, value);
    if (whole > 0)
        return whole;
    size_t sign = signbit(value) != 0;
    *to = '-';
    value = fabs(value);
    int precision = value < DBL_MIN ? 1 : DBL_DIG;
    do
        snprintf(text, sizeof text, "%.*e", precision - 1, value);
    while (strtod(text, NULL) != value && ++precision <= DBL_DECIMAL_DIG);
    read_decimal(text, &decimal);
    return sign + put_decimal(to + sign, &decimal);
}

size_t json_put_float(char *to, float value)
{
    char text[JSON_NUMBER_MAX];
    struct decimal decimal;
    size_t whole = put_whole(to, (double)value);
    if (whole > 0 && fabsf(value) < 16777216) /* 2^24 */
        return whole;
    size_t sign = signbit(value) != 0;
    *to = '-';
    value = fabsf(value);
    int precision = value < FLT_MIN ? 1 : FLT_DIG;
    do
        snprintf(text, sizeof text, "%.*e", precision - 1, (double)value);
    while (strtof(text, NULL) != value && ++precision <= FLT_DECIMAL_DIG);
    read_decimal(text, &decimal);
    return sign + put_decimal(to + sign, &decimal);
}
