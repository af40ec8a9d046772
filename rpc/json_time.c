#include "rpc/json_time.h"

#include "rpc/civil.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const int64_t time_min_s = INT64_C(-62135596800);
static const int64_t time_max_s = INT64_C(253402300799);
static const int64_t duration_max_s = INT64_C(315576000000);
enum { NANOS_MAX = 999999999 };

/* Reading */

struct text {
    const char *at, *end;
};

static bool take(struct text *text, char c)
{
    if (text->at == text->end || *text->at != c)
        return false;
    text->at++;
    return true;
}

static bool is_digit(const struct text *text)
{
    return text->at < text->end && *text->at >= '0' && *text->at <= '9';
}

/* Exactly so many digits, at most `high`. */
static bool take_number(struct text *text, int digits, int high, int *value)
{
    *value = 0;
    for (int i = 0; i < digits; i++, text->at++) {
        if (!is_digit(text))
            return false;
        *value = *value * 10 + (*text->at - '0');
    }
    return *value <= high;
}

/* Nothing, or a point and one to nine digits. */
static bool take_fraction(struct text *text, int32_t *nanos)
{
    int32_t unit = 100000000;
    *nanos = 0;
    if (!take(text, '.'))
        return true;
    if (!is_digit(text))
        return false;
    for (; is_digit(text) && unit > 0; text->at++, unit /= 10)
        *nanos += (*text->at - '0') * unit;
    return true;
}

static bool take_zone(struct text *text, int *offset_s)
{
    int hours, minutes;
    *offset_s = 0;
    if (take(text, 'Z'))
        return true;
    int sign = take(text, '+') ? 1 : take(text, '-') ? -1 : 0;
    if (sign == 0 || !take_number(text, 2, 23, &hours) || !take(text, ':') ||
        !take_number(text, 2, 59, &minutes))
        return false;
    *offset_s = sign * (hours * 3600 + minutes * 60);
    return true;
}

static int days_in(int year, int month)
{
    int64_t first = civil_to_days(year, month, 1);
    int64_t next = month == 12 ? civil_to_days(year + 1, 1, 1)
                               : civil_to_days(year, month + 1, 1);
    return (int)(next - first);
}

static bool take_date(struct text *text, int64_t *days)
{
    int year, month, day;
    if (!take_number(text, 4, 9999, &year) || !take(text, '-') ||
        !take_number(text, 2, 12, &month) || !take(text, '-') ||
        !take_number(text, 2, 31, &day))
        return false;
    if (year == 0 || month == 0 || day == 0 || day > days_in(year, month))
        return false;
    *days = civil_to_days(year, month, day);
    return true;
}

bool json_time_read(const char *from, size_t size, int64_t *seconds,
                    int32_t *nanos)
{
    struct text text = {from, from + size};
    int64_t days;
    int hour, minute, second, offset_s;
    if (!take_date(&text, &days) || !take(&text, 'T') ||
        !take_number(&text, 2, 23, &hour) || !take(&text, ':') ||
        !take_number(&text, 2, 59, &minute) || !take(&text, ':') ||
        !take_number(&text, 2, 59, &second) || !take_fraction(&text, nanos) ||
        !take_zone(&text, &offset_s) || text.at != text.end)
        return false;
    *seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset_s;
    return *seconds >= time_min_s && *seconds <= time_max_s;
}

bool json_duration_read(const char *from, size_t size, int64_t *seconds,
                        int32_t *nanos)
{
    struct text text = {from, from + size};
    bool is_negative = take(&text, '-');
    *seconds = 0;
    if (!is_digit(&text))
        return false;
    for (; is_digit(&text); text.at++) {
        *seconds = *seconds * 10 + (*text.at - '0');
        if (*seconds > duration_max_s)
            return false;
    }
    if (!take_fraction(&text, nanos) || !take(&text, 's') ||
        text.at != text.end)
        return false;
    *seconds = is_negative ? -*seconds : *seconds;
    *nanos = is_negative ? -*nanos : *nanos;
    return true;
}

/* Writing */

/* No digits, or three, six or nine. */
static int write_fraction(char *to, int32_t nanos)
{
    if (nanos == 0)
        return 0;
    if (nanos % 1000000 == 0)
        return sprintf(to, ".%03" PRId32, nanos / 1000000);
    if (nanos % 1000 == 0)
        return sprintf(to, ".%06" PRId32, nanos / 1000);
    return sprintf(to, ".%09" PRId32, nanos);
}

static void put_digits(char *to, int digits, int64_t value)
{
    for (; digits > 0; value /= 10)
        to[--digits] = (char)('0' + value % 10);
}

size_t json_time_write(char *to, int64_t seconds, int32_t nanos)
{
    if (seconds < time_min_s || seconds > time_max_s || nanos < 0 ||
        nanos > NANOS_MAX)
        return 0;
    int64_t days = (seconds - time_min_s) / 86400 + time_min_s / 86400;
    int64_t of_day = seconds - days * 86400, year;
    int month, day;
    civil_from_days(days, &year, &month, &day);
    static const char shape[] = "0000-00-00T00:00:00";
    size_t size = sizeof shape - 1;
    for (size_t i = 0; i < size; i++)
        to[i] = shape[i];
    put_digits(to, 4, year);
    put_digits(to + 5, 2, month);
    put_digits(to + 8, 2, day);
    put_digits(to + 11, 2, of_day / 3600);
    put_digits(to + 14, 2, of_day / 60 % 60);
    put_digits(to + 17, 2, of_day % 60);
    size += (size_t)write_fraction(to + size, nanos);
    to[size++] = 'Z';
    return size;
}

size_t json_duration_write(char *to, int64_t seconds, int32_t nanos)
{
    bool is_negative = seconds < 0 || nanos < 0;
    if (seconds < -duration_max_s || seconds > duration_max_s ||
        nanos < -NANOS_MAX || nanos > NANOS_MAX || (seconds > 0 && nanos < 0) ||
        (seconds < 0 && nanos > 0))
        return 0;
    int size = sprintf(to, "%s%" PRId64, is_negative ? "-" : "",
                       (int64_t)llabs(seconds));
    size += write_fraction(to + size, abs(nanos));
    to[size++] = 's';
    return (size_t)size;
}
