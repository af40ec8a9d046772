#ifndef PRBAL_DB_TYPE_H
#define PRBAL_DB_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* OIDs of PostgreSQL's built-in types (pg_type.dat), which never change.  Types
 * of extensions (citext, geography) and own enums have others in every
 * database. */
enum {
    TYPE_BOOL = 16,
    TYPE_BYTEA = 17,
    TYPE_NAME = 19,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
    TYPE_TEXT = 25,
    TYPE_OID = 26,
    TYPE_JSON = 114,
    TYPE_FLOAT4 = 700,
    TYPE_FLOAT8 = 701,
    TYPE_UNKNOWN = 705,
    TYPE_BPCHAR = 1042,
    TYPE_VARCHAR = 1043,
    TYPE_DATE = 1082,
    TYPE_TIME = 1083,
    TYPE_TIMESTAMP = 1114,
    TYPE_TIMESTAMPTZ = 1184,
    TYPE_INTERVAL = 1186,
    TYPE_NUMERIC = 1700,
    TYPE_VOID = 2278,
    TYPE_UUID = 2950,
    TYPE_JSONB = 3802,
    TYPE_FIRST_OWN = 16384, /* FirstNormalObjectId */

    TYPE_BOOL_ARRAY = 1000,
    TYPE_BYTEA_ARRAY = 1001,
    TYPE_INT2_ARRAY = 1005,
    TYPE_INT4_ARRAY = 1007,
    TYPE_TEXT_ARRAY = 1009,
    TYPE_VARCHAR_ARRAY = 1015,
    TYPE_INT8_ARRAY = 1016,
    TYPE_FLOAT4_ARRAY = 1021,
    TYPE_FLOAT8_ARRAY = 1022,
    TYPE_TIMESTAMPTZ_ARRAY = 1185,
    TYPE_DATE_ARRAY = 1182,
    TYPE_TIME_ARRAY = 1183,
    TYPE_UUID_ARRAY = 2951,
};

/* The element type of a built-in array type, 0 when it is not one. */
uint32_t type_element(uint32_t oid);

/* Big-endian numbers of the binary formats. */
uint16_t type_get16(const void *bytes);
uint32_t type_get32(const void *bytes);
uint64_t type_get64(const void *bytes);
void type_put16(void *bytes, uint16_t value);
void type_put32(void *bytes, uint32_t value);
void type_put64(void *bytes, uint64_t value);

/* PostgreSQL counts from 2000-01-01. */
static const int64_t type_epoch_s = 946684800;
static const int64_t type_us = 1000000;

/* Text of a value in its binary format, into text[size] as PostgreSQL writes it
 * with DateStyle ISO and time zone UTC.  False when the bytes are not a value
 * of the type or the text does not fit. */
enum { TYPE_UUID_TEXT = 37, TYPE_DATE_TEXT = 24, TYPE_TIME_TEXT = 24 };
bool type_uuid_text(const void *bytes, size_t size, char *text);
bool type_date_text(const void *bytes, size_t size, char *text);
bool type_time_text(const void *bytes, size_t size, char *text);
bool type_timestamp_text(const void *bytes, size_t size, char *text);
/* At most 131,072 digits before and 16,383 after the point: the text's size is
 * asked for first. */
size_t type_numeric_text_size(const void *bytes, size_t size);
bool type_numeric_text(const void *bytes, size_t size, char *text);

/* 36 or 32 hexadecimal digits to 16 bytes. */
bool type_uuid_parse(const char *text, uint8_t *bytes);

#endif
