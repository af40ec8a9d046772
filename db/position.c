#include "db/position.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The name of a file of the log begins with the timeline; the functions that
 * tell it read the control file, which the name is made without. */
#define FLUSHED                                                \
    "select l, pg_walfile_name(l)::text"                       \
    " from (select case current_setting('synchronous_commit')" \
    " when 'off' then pg_current_wal_insert_lsn()"             \
    " else pg_current_wal_flush_lsn() end) as told(l)"
const char position_sql[] = "-- position\n" FLUSHED;
const char position_sql_with_cluster[] =
    "-- position_with_cluster\n"
    "select told.*, system_identifier from (" FLUSHED
    ") as told, pg_control_system()";

enum { TIMELINE_DIGITS = 8, CLUSTER_COLUMN = 2 };

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int position_compare(const struct position *a, const struct position *b)
{
    int order = compare(a->cluster, b->cluster);
    if (order == 0)
        order = compare(a->timeline, b->timeline);
    return order != 0 ? order : compare(a->lsn, b->lsn);
}

/* A standby on a later timeline has what of the earlier one was kept; one on an
 * earlier timeline has nothing that came after the failover, however long its
 * log is. */
bool position_covers(const struct position *have, const struct position *want)
{
    return position_is_known(have) && have->cluster == want->cluster &&
           have->timeline >= want->timeline && have->lsn >= want->lsn;
}

void position_write(const struct position *p, char token[DB_READ_AFTER_BYTES])
{
    char text[DB_READ_AFTER_BYTES + 1];
    snprintf(text, sizeof text, "%016llx%08x%016llx",
             (unsigned long long)p->cluster, p->timeline,
             (unsigned long long)p->lsn);
    memcpy(token, text, DB_READ_AFTER_BYTES);
}

static uint64_t number(const char *digits, size_t count)
{
    char text[17];
    memcpy(text, digits, count);
    text[count] = '\0';
    return strtoull(text, NULL, 16);
}

/* In lower case only: what compares as text must be written in one way. */
static bool is_hexadecimal(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!((text[i] >= '0' && text[i] <= '9') ||
              (text[i] >= 'a' && text[i] <= 'f')))
            return false;
    return true;
}

bool position_parse(struct position *position, const char *token, size_t size)
{
    if (size != DB_READ_AFTER_BYTES || !is_hexadecimal(token, size))
        return false;
    *position = (struct position){
        .cluster = number(token, 16),
        .timeline = (uint32_t)number(token + 16, TIMELINE_DIGITS),
        .lsn = number(token + 24, 16),
    };
    return position_is_known(position);
}

static bool read_number(const PGresult *result, int column, uint64_t *value)
{
    if (PQgetisnull(result, 0, column) ||
        PQgetlength(result, 0, column) != sizeof *value)
        return false;
    memcpy(value, PQgetvalue(result, 0, column), sizeof *value);
    *value = be64toh(*value);
    return true;
}

bool position_read(const PGresult *result, struct position *position)
{
    struct position read = *position;
    if (PQntuples(result) != 1 || PQnfields(result) < CLUSTER_COLUMN ||
        !read_number(result, 0, &read.lsn) ||
        PQgetlength(result, 0, 1) < TIMELINE_DIGITS)
        return false;
    read.timeline = (uint32_t)number(PQgetvalue(result, 0, 1), TIMELINE_DIGITS);
    if (PQnfields(result) > CLUSTER_COLUMN &&
        !read_number(result, CLUSTER_COLUMN, &read.cluster))
        return false;
    *position = read;
    return true;
}
