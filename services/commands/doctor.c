#include "db/admin.h"
#include "rpc/clock.h"
#include "services/app.h"
#include "services/commands/command.h"
#include "services/commands/database.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

enum {
    FILES_GOOD = 16384,
    MAPS_PER_STACK = 2, /* the stack and its guard page */
    DISK_GOOD_MIB = 2048,
    MEMORY_GOOD_MIB = 3500,
    NGHTTP2_GOOD = 0x013400,
    CLOCK_GOOD_MS = 5000,
};

/* Of 1.52 the Debian update counts: before it a client could end the process by
 * an assertion (CVE-2026-27135), and resets were not counted. */
#define NGHTTP2_GOOD_PACKAGE "1.52.0-1+deb12u3"

/* Remarks count; only failures make the exit status. */
struct diagnosis {
    int failures, remarks;
};

__attribute__((format(printf, 3, 4))) static void good(struct diagnosis *d,
                                                       bool fine,
                                                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("%s  ", fine ? "ok  " : "look");
    vprintf(format, args);
    printf("\n");
    va_end(args);
    d->remarks += fine ? 0 : 1;
}

static void look_at_files(struct diagnosis *d)
{
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    bool fine = limit.rlim_max >= FILES_GOOD;
    good(d, fine, "open files: %lu%s", (unsigned long)limit.rlim_max,
         fine ? "" : "; each connection needs one: raise LimitNOFILE");
}

/* Each suspended call has a stack with a guard page. */
static void look_at_maps(struct diagnosis *d)
{
    long maps = 0;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    if (file == NULL || fscanf(file, "%ld", &maps) != 1)
        maps = 0;
    if (file != NULL)
        fclose(file);
    bool fine = maps / MAPS_PER_STACK >= app_config()->calls_in_flight;
    good(d, fine, "vm.max_map_count: %ld, enough for %ld calls in flight%s",
         maps, maps / MAPS_PER_STACK,
         fine ? "" : "; PRBAL_CALLS_IN_FLIGHT is more");
}

/* The first line of a program's output; false where there is no such program.
 */
static bool first_line(const char *program, char *line, size_t size)
{
    FILE *pipe = popen(program, "re");
    if (pipe == NULL)
        return false;
    bool is_there = fgets(line, (int)size, pipe) != NULL;
    if (pclose(pipe) != 0 || !is_there)
        return false;
    line[strcspn(line, "\n")] = '\0';
    return true;
}

/* The library's own number does not say what Debian has mended in it, so that
 * the package is asked for where there is one. */
static void look_at_nghttp2(struct diagnosis *d)
{
    const nghttp2_info *info = nghttp2_version(0);
    char package[64];
    bool has_package =
        first_line("dpkg-query -W -f='${Version}\\n' libnghttp2-14 2>/dev/null",
                   package, sizeof package);
    bool is_good = info->version_num >= NGHTTP2_GOOD;
    if (has_package && info->version_num == NGHTTP2_GOOD)
        is_good =
            system(
                "dpkg --compare-versions \"$(dpkg-query -W "
                "-f='${Version}' libnghttp2-14)\" ge " NGHTTP2_GOOD_PACKAGE) ==
            0;
    good(d, is_good, "nghttp2: %s%s", has_package ? package : info->version_str,
         is_good ? ""
                 : "; older than " NGHTTP2_GOOD_PACKAGE
                   ", which mends CVE-2026-27135: apt-get upgrade "
                   "libnghttp2-14");
}

static void look_at_memory(struct diagnosis *d)
{
    struct sysinfo info = {0};
    sysinfo(&info);
    unsigned long mib = info.totalram * info.mem_unit >> 20;
    good(d, mib >= MEMORY_GOOD_MIB, "memory: %lu MiB, %ld cores", mib,
         sysconf(_SC_NPROCESSORS_ONLN));
}

static void look_at_disk(struct diagnosis *d)
{
    struct statvfs info;
    const char *folder = app_data_folder();
    if (statvfs(folder, &info) != 0) {
        good(d, errno == ENOENT, "data folder: %s (%s)", folder,
             errno == ENOENT ? "the first start makes it" : strerror(errno));
        return;
    }
    unsigned long mib = info.f_bavail * info.f_frsize >> 20;
    good(d, mib >= DISK_GOOD_MIB, "data folder: %s, %lu MiB free", folder, mib);
}

/* What was not archived is not in a restore. */
static void look_at_archive(struct diagnosis *d, struct db_admin *link)
{
    char text[128] = "", error[256];
    if (*app_config()->backup == '\0') {
        good(d, false, "backup: none; PRBAL_BACKUP names a folder for it");
        return;
    }
    db_admin_text(link,
                  "select format('last archived %s, %s failed%s', "
                  "coalesce(to_char(last_archived_time, 'YYYY-MM-DD HH24:MI'), "
                  "'never'), failed_count, case when last_failed_time > "
                  "coalesce(last_archived_time, '-infinity') then '; the last "
                  "try FAILED' end) from pg_stat_archiver",
                  NULL, text, sizeof text, error, sizeof error);
    good(d, strstr(text, "FAILED") == NULL, "backup: %s", text);
}

/* Access tokens end by our clock, all that is stored by the database's. */
static void look_at_clock(struct diagnosis *d, struct db_admin *link)
{
    char text[32] = "", error[256];
    int64_t before_us = clock_wall_us();
    if (!db_admin_text(
            link,
            "select (extract(epoch from clock_timestamp()) * 1000000)::bigint",
            NULL, text, sizeof text, error, sizeof error))
        return;
    int64_t here_us = (before_us + clock_wall_us()) / 2;
    long ahead_ms = (long)((here_us - strtoll(text, NULL, 10)) / 1000);
    bool is_good = labs(ahead_ms) < CLOCK_GOOD_MS;
    good(d, is_good, "clock: %+ld ms from the database's%s", ahead_ms,
         is_good ? "" : "; does NTP run on both?");
}

static void look_at_standby(struct diagnosis *d, const char *url)
{
    char text[128] = "", error[256];
    struct db_admin *link = db_admin_open(url, error, sizeof error);
    if (link == NULL) {
        good(d, false, "standby: %s", error);
        return;
    }
    db_admin_text(link,
                  "select case when pg_is_in_recovery() then format('replayed "
                  "up to %s, what was committed %s', pg_last_wal_replay_lsn(), "
                  "coalesce(to_char(pg_last_xact_replay_timestamp(), "
                  "'YYYY-MM-DD HH24:MI:SS'), 'before it started')) end",
                  NULL, text, sizeof text, error, sizeof error);
    good(d, *text != '\0', "standby: %s",
         *text != '\0' ? text : "it is none, and answers no reads");
    db_admin_close(link);
}

static void look_at_standbys(struct diagnosis *d)
{
    char *rest, *urls = strdup(app_config()->replica_url);
    if (urls == NULL)
        abort();
    for (char *url = strtok_r(urls, ";", &rest); url != NULL;
         url = strtok_r(NULL, ";", &rest))
        look_at_standby(d, url);
    free(urls);
}

static void look_at_link(struct diagnosis *d, struct db_admin *link)
{
    char text[256] = "", error[COMMAND_ERROR_BYTES];
    db_admin_text(link,
                  "select format('PostgreSQL %s, %s of %s connections in use', "
                  "current_setting('server_version'), (select count(*) from "
                  "pg_stat_activity), current_setting('max_connections'))",
                  NULL, text, sizeof text, error, sizeof error);
    good(d, db_admin_version(link) >= 150000, "%s", text);
    db_admin_text(link,
                  "select coalesce(string_agg(w || coalesce(' ' || "
                  "a.default_version, ' MISSING'), ', ' order by w), '') from "
                  "unnest(array['postgis', 'pg_trgm', 'btree_gist', 'citext', "
                  "'pgcrypto']) w left join pg_available_extensions a on "
                  "a.name = w",
                  NULL, text, sizeof text, error, sizeof error);
    good(d, strstr(text, "MISSING") == NULL, "extensions: %s", text);
    db_admin_text(link,
                  "select pg_size_pretty(pg_database_size(current_database()))",
                  NULL, text, sizeof text, error, sizeof error);
    good(d, true, "database: %s", text);
    look_at_archive(d, link);
    look_at_clock(d, link);
}

static void look_at_database(struct diagnosis *d)
{
    char error[COMMAND_ERROR_BYTES];
    struct database database;
    struct db_admin *link = NULL;
    bool opened = database_open(&database, true, error, sizeof error);
    if (opened)
        link = db_admin_open(database.url, error, sizeof error);
    if (link != NULL) {
        look_at_link(d, link);
    } else {
        printf("FAIL  %s\n", error);
        d->failures++;
    }
    db_admin_close(link);
    if (opened)
        database_close(&database);
}

static int run(const char *const *arguments)
{
    if (*arguments != NULL)
        return command_misused(&command_doctor, *arguments);
    struct diagnosis d = {0};
    look_at_memory(&d);
    look_at_files(&d);
    look_at_maps(&d);
    look_at_nghttp2(&d);
    look_at_disk(&d);
    look_at_database(&d);
    look_at_standbys(&d);
    if (d.failures > 0)
        return command_fail("it cannot work like this.");
    if (d.remarks > 0)
        printf("\nIt works; %d thing%s could be better.\n", d.remarks,
               d.remarks == 1 ? "" : "s");
    return COMMAND_DONE;
}

const struct command command_doctor = {
    .name = "doctor",
    .summary = "Looks at the machine: limits, libraries, PostgreSQL, disk",
    .arguments = "",
    .help = "Each line begins with ok, look (it works, but could be better) or "
            "FAIL.  The exit\nstatus is 1 only after a FAIL.\n",
    .run = run,
};
