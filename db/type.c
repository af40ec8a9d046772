/* The binary formats that PostgreSQL's *_send functions write. */
#include "db/type.h"

#include "rpc/civil.h"
#include "rpc/hex.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
    uint32_t array, element;
} arrays[] = {
    {TYPE_BOOL_ARRAY, TYPE_BOOL},
    {TYPE_BYTEA_ARRAY, TYPE_BYTEA},
    {TYPE_INT2_ARRAY, TYPE_INT2},
    {TYPE_INT4_ARRAY, TYPE_INT4},
    {TYPE_TEXT_ARRAY, TYPE_TEXT},
    {TYPE_VARCHAR_ARRAY, TYPE_VARCHAR},
    {TYPE_INT8_ARRAY, TYPE_INT8},
    {TYPE_FLOAT4_ARRAY, TYPE_FLOAT4},
    {TYPE_FLOAT8_ARRAY, TYPE_FLOAT8},
    {TYPE_TIMESTAMPTZ_ARRAY, TYPE_TIMESTAMPTZ},
    {TYPE_DATE_ARRAY, TYPE_DATE},
    {TYPE_TIME_ARRAY, TYPE_TIME},
    {TYPE_UUID_ARRAY, TYPE_UUID},
};

uint32_t type_element(uint32_t oid)
{
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        if (arrays[i].array == oid)
            return arrays[i].element;
    return 0;
}

uint16_t type_get16(const void *bytes)
{
    const uint8_t *b = bytes;
    return (uint16_t)(b[0] << 8 | b[1]);
}

uint32_t type_get32(const void *bytes)
{
    const uint8_t *b = bytes;
    return (uint32_t)type_get16(b) << 16 | type_get16(b + 2);
}

uint64_t type_get64(const void *bytes)
{
    const uint8_t *b = bytes;
    return (uint64_t)type_get32(b) << 32 | type_get32(b + 4);
}

void type_put16(void *bytes, uint16_t value)
{
    uint8_t *b = bytes;
    b[0] = (uint8_t)(value >> 8);
    b[1] = (uint8_t)value;
}

void type_put32(void *bytes, uint32_t value)
{
    type_put16(bytes, (uint16_t)(value >> 16));
    type_put16((uint8_t *)bytes + 2, (uint16_t)value);
}

void type_put64(void *bytes, uint64_t value)
{
    type_put32(bytes, (uint32_t)(value >> 32));
    type_put32((uint8_t *)bytes + 4, (uint32_t)value);
}

/* ------------------------------------------------------------------ uuid */

bool type_uuid_text(const void *bytes, size_t size, char *text)
{
    static const char digits[] = "0123456789abcdef";
    if (size != 16)
        return false;
    const uint8_t *b = bytes;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *text++ = '-';
        *text++ = digits[b[i] >> 4];
        *text++ = digits[b[i] & 15];
    }
    *text = '\0';
    return true;
}

bool type_uuid_parse(const char *text, uint8_t *bytes)
{
    bool dashes = strlen(text) == 36;
    for (int i = 0; i < 16; i++) {
        if (dashes && (i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
            return false;
        int high = hex_value(text[0]);
        int low = high < 0 ? -1 : hex_value(text[1]);
        if (low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    return *text == '\0';
}

/* -------------------------------------------------------------- calendar */

/* The year before 1 is 1 BC, which is written behind date and time. */
static int write_date(int64_t days, char *text, size_t room, const char **era)
{
    int64_t year;
    int month, day;
    civil_from_days(days, &year, &month, &day);
    *era = year > 0 ? "" : " BC";
    return snprintf(text, room, "%04" PRId64 "-%02d-%02d",
                    year > 0 ? year : 1 - year, month, day);
}

static int write_time(int64_t us, char *text, size_t room)
{
    int64_t s = us / type_us;
    int used = snprintf(text, room, "%02d:%02d:%02d", (int)(s / 3600),
                        (int)(s / 60 % 60), (int)(s % 60));
    if (us % type_us == 0)
        return used;
    used += snprintf(text + used, room - (size_t)used, ".%06d",
                     (int)(us % type_us));
    while (text[used - 1] == '0')
        text[--used] = '\0';
    return used;
}

bool type_date_text(const void *bytes, size_t size, char *text)
{
    if (size != 4)
        return false;
    int32_t days = (int32_t)type_get32(bytes);
    if (days == INT32_MAX || days == INT32_MIN) {
        snprintf(text, TYPE_DATE_TEXT, "%sinfinity", days < 0 ? "-" : "");
        return true;
    }
    const char *era;
    int used =
        write_date(days + type_epoch_s / 86400, text, TYPE_DATE_TEXT, &era);
    memcpy(text + used, era, strlen(era) + 1);
    return true;
}

bool type_time_text(const void *bytes, size_t size, char *text)
{
    if (size != 8)
        return false;
    int64_t us = (int64_t)type_get64(bytes);
    if (us < 0 || us > 86400 * type_us)
        return false;
    write_time(us, text, TYPE_TIME_TEXT);
    return true;
}

bool type_timestamp_text(const void *bytes, size_t size, char *text)
{
    enum { ROOM = TYPE_DATE_TEXT + TYPE_TIME_TEXT };
    if (size != 8)
        return false;
    int64_t us = (int64_t)type_get64(bytes);
    if (us == INT64_MAX || us == INT64_MIN) {
        snprintf(text, ROOM, "%sinfinity", us < 0 ? "-" : "");
        return true;
    }
    int64_t day_us = 86400 * type_us;
    int64_t days = us / day_us - (us % day_us < 0);
    const char *era;
    int used =
        write_date(days + type_epoch_s / 86400, text, TYPE_DATE_TEXT, &era);
    text[used++] = ' ';
    int64_t of_day = us % day_us;
    used += write_time(of_day < 0 ? of_day + day_us : of_day, text + used,
                       TYPE_TIME_TEXT);
    memcpy(text + used, era, strlen(era) + 1);
    return true;
}

/* --------------------------------------------------------------- numeric */

/* Base 10,000: count, weight of the first digit, sign, digits after the point,
 * then `count` digits. */
enum {
    NUMERIC_HEADER = 8,
    NUMERIC_NEGATIVE = 0x4000,
    NUMERIC_NAN = 0xc000,
    NUMERIC_PLUS_INFINITY = 0xd000,
    NUMERIC_MINUS_INFINITY = 0xf000,
};

static bool numeric_is_sound(const uint8_t *b, size_t size)
{
    if (size < NUMERIC_HEADER)
        return false;
    size_t count = type_get16(b);
    return count <= 0x7fff && size == NUMERIC_HEADER + 2 * count;
}

size_t type_numeric_text_size(const void *bytes, size_t size)
{
    const uint8_t *b = bytes;
    if (!numeric_is_sound(b, size))
        return 0;
    int weight = (int16_t)type_get16(b + 2);
    size_t before = weight < 0 ? 1 : 4 * ((size_t)weight + 1);
    return before + type_get16(b + 6) + sizeof "-Infinity.";
}

static const char *numeric_name(unsigned sign)
{
    switch (sign) {
    case NUMERIC_NAN:
        return "NaN";
    case NUMERIC_PLUS_INFINITY:
        return "Infinity";
    case NUMERIC_MINUS_INFINITY:
        return "-Infinity";
    default:
        return NULL;
    }
}

/* The base-10,000 digit that stands for 10000^power. */
static unsigned numeric_digit(const uint8_t *b, int power)
{
    int index = (int16_t)type_get16(b + 2) - power;
    if (index < 0 || index >= type_get16(b))
        return 0;
    unsigned digit = type_get16(b + NUMERIC_HEADER + 2 * index);
    return digit < 10000 ? digit : 0;
}

bool type_numeric_text(const void *bytes, size_t size, char *text)
{
    const uint8_t *b = bytes;
    if (!numeric_is_sound(b, size))
        return false;
    unsigned sign = type_get16(b + 4);
    const char *name = numeric_name(sign);
    if (name != NULL) {
        memcpy(text, name, strlen(name) + 1);
        return true;
    }
    if (sign == NUMERIC_NEGATIVE)
        *text++ = '-';
    int weight = (int16_t)type_get16(b + 2);
    text += sprintf(text, "%u", numeric_digit(b, weight < 0 ? 0 : weight));
    for (int power = weight - 1; power >= 0; power--)
        text += sprintf(text, "%04u", numeric_digit(b, power));
    int scale = type_get16(b + 6);
    if (scale > 0)
        *text++ = '.';
    for (int power = -1; scale > 0; power--, scale -= 4) {
        char digits[8];
        snprintf(digits, sizeof digits, "%04u", numeric_digit(b, power));
        int n = scale < 4 ? scale : 4;
        memcpy(text, digits, (size_t)n);
        text += n;
    }
    *text = '\0';
    return true;
}
