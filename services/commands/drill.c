#include "db/admin.h"
#include "db/restore.h"
#include "rpc/civil.h"
#include "rpc/clock.h"
#include "services/app.h"
#include "services/commands/command.h"
#include "services/commands/database.h"
#include "services/commands/invariants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PATH_BYTES = 1024,
    ARCHIVE_MS = 60 * 1000,
    LOOK_EVERY_MS = 50,
    TELL_EVERY_MS = 1000,
};

/* A restore on its way through its steps. */
struct drill {
    const char *folder; /* of the backups */
    int64_t until_us;   /* since 1970; 0 = all */
    bool keep;
    char into[PATH_BYTES];
    char base[BACKUP_NAME_BYTES];
    struct cluster scratch;
    struct embedded *server;
    struct db_admin *link;
    int64_t began_us, step_us;
    char text[COMMAND_ERROR_BYTES]; /* why it failed */
};

static struct cluster_error error_of(struct drill *d)
{
    return (struct cluster_error){d->text, sizeof d->text};
}

static bool ask(struct drill *d, const char *sql, char *answer, size_t size)
{
    return db_admin_text(d->link, sql, NULL, answer, size, d->text,
                         sizeof d->text);
}

/* --- arguments ---------------------------------------------------------------
 */

/* "2026-11-21T01:00:03.25Z"; 0 when it is no such time. */
static int64_t read_time(const char *text)
{
    int year, month, day, hour, minute, length = 0;
    double second;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%lf%n", &year, &month, &day, &hour,
               &minute, &second, &length) != 6 ||
        strcmp(text + length, "Z") != 0 || month < 1 || month > 12 || day < 1 ||
        day > 31 || hour > 23 || minute > 59 || !(second >= 0 && second < 60))
        return 0;
    return (civil_to_days(year, month, day) * 86400 + hour * 3600 +
            minute * 60) *
               1000000 +
           (int64_t)(second * 1e6);
}

/* The argument after a flag; NULL without one. */
static const char *value_of(const char *const *arguments, const char *flag)
{
    for (; *arguments != NULL; arguments++)
        if (strcmp(*arguments, flag) == 0)
            return arguments[1];
    return NULL;
}

static const char *first_unknown(const char *const *arguments)
{
    for (; *arguments != NULL; arguments++) {
        if (strcmp(*arguments, "--keep") == 0)
            continue;
        if ((strcmp(*arguments, "--to") != 0 &&
             strcmp(*arguments, "--into") != 0) ||
            arguments[1] == NULL)
            return *arguments;
        arguments++;
    }
    return NULL;
}

/* --- steps ------------------------------------------------------------------
 */

static void tell(struct drill *d, const char *step, const char *what)
{
    int64_t now_us = clock_monotonic_us();
    printf("  %-9s %6.1f s  %s\n", step, (double)(now_us - d->step_us) / 1e6,
           what);
    fflush(stdout);
    d->step_us = now_us;
}

/* What the running server has written but not archived yet would be missing.  A
 * commit after all others lets a replay see that it is past its time; then the
 * file that it is in, whichever that is, counts as full.  The names begin with
 * the timeline, so that they compare as positions. */
static bool push_archive(struct drill *d, struct db_admin *live)
{
    char segment[64], done[8] = "";
    const char *const parameters[] = {segment, NULL};
    if (!db_admin_run(live,
                      "select pg_logical_emit_message(true, 'prbal', 'drill')",
                      d->text, sizeof d->text) ||
        !db_admin_text(live, "select pg_walfile_name(pg_switch_wal())", NULL,
                       segment, sizeof segment, d->text, sizeof d->text))
        return false;
    for (int ms = 0; ms < ARCHIVE_MS; ms += LOOK_EVERY_MS) {
        if (!db_admin_text(live,
                           "select 1 from pg_stat_archiver where "
                           "last_archived_wal >= $1",
                           parameters, done, sizeof done, d->text,
                           sizeof d->text))
            return false;
        if (*done != '\0')
            return true;
        usleep(LOOK_EVERY_MS * 1000);
    }
    return cluster_fail(error_of(d),
                        "PostgreSQL has not archived %s for %d s; "
                        "pg_stat_archiver and its log say why.",
                        segment, ARCHIVE_MS / 1000);
}

/* A database that is gone is what a restore is for. */
static bool is_running(void)
{
    static struct cluster cluster;
    static char text[COMMAND_ERROR_BYTES];
    return *app_config()->database_url != '\0' ||
           (cluster_locate(&cluster, app_data_folder(),
                           (struct cluster_error){text, sizeof text}) &&
            cluster_postmaster(&cluster) != 0);
}

static bool bring_archive_up_to_date(struct drill *d)
{
    struct database database;
    if (!is_running() ||
        !database_open(&database, true, d->text, sizeof d->text)) {
        tell(d, "archive",
             "the database is not there: what was archived "
             "before has to do");
        return true;
    }
    struct db_admin *live =
        db_admin_open(database.url, d->text, sizeof d->text);
    bool good = live != NULL && push_archive(d, live);
    db_admin_close(live);
    database_close(&database);
    if (good)
        tell(d, "archive", "all that the database has written is in it");
    return good;
}

static bool choose(struct drill *d)
{
    char what[128];
    if (!backup_choose(d->folder, d->until_us, d->base, error_of(d)))
        return false;
    snprintf(what, sizeof what, "%s, %.1f h old", d->base,
             (double)(clock_wall_us() - backup_time_us(d->base)) / 3600e6);
    tell(d, "backup", what);
    return true;
}

static bool unpack(struct drill *d)
{
    char what[64];
    if (!restore_unpack(&d->scratch, d->folder, d->base, error_of(d)))
        return false;
    snprintf(what, sizeof what, "%.1f MB",
             (double)backup_bytes(d->scratch.data) / 1e6);
    tell(d, "unpacked", what);
    if (!restore_verify(&d->scratch, d->folder, d->base, error_of(d)))
        return false;
    tell(d, "verified", "each file has the checksum of its backup");
    return true;
}

static bool fail_replay(struct drill *d)
{
    char words[256];
    if (cluster_log_has(&d->scratch, "recovery ended before configured"))
        return cluster_fail(error_of(d),
                            "The archive does not reach that far; without --to "
                            "all of it is restored.");
    cluster_last_words(&d->scratch, words, sizeof words);
    return cluster_fail(error_of(d), "The replay failed: %s (see %s).",
                        *words != '\0' ? words : "no reason", d->scratch.log);
}

static bool await_end_of_recovery(struct drill *d)
{
    char recovering[8] = "t", position[96];
    for (int ms = 0;; ms += LOOK_EVERY_MS) {
        if (!ask(d, "select pg_is_in_recovery()", recovering,
                 sizeof recovering))
            return fail_replay(d);
        if (*recovering == 'f')
            return true;
        if (ms % TELL_EVERY_MS == 0 && isatty(STDERR_FILENO) &&
            ask(d, "select pg_last_xact_replay_timestamp()", position,
                sizeof position))
            fprintf(stderr, "\rreplayed up to %s\033[K\r", position);
        usleep(LOOK_EVERY_MS * 1000);
    }
}

static bool replay(struct drill *d)
{
    const struct embedded_options options = {.folder = d->into};
    char last[64], what[128];
    if (!restore_aim(&d->scratch, d->folder, d->until_us, error_of(d)))
        return false;
    d->server = embedded_start(&options, d->text, sizeof d->text);
    if (d->server == NULL)
        return fail_replay(d);
    d->link = db_admin_open(embedded_url(d->server), d->text, sizeof d->text);
    if (d->link == NULL || !await_end_of_recovery(d))
        return false;
    if (!ask(d,
             "select coalesce(to_char(pg_last_xact_replay_timestamp() at time "
             "zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), 'the backup')",
             last, sizeof last))
        return false;
    snprintf(what, sizeof what, "up to %s", last);
    tell(d, "replayed", what);
    return true;
}

static void tell_broken(const char *sentence, long long broken)
{
    if (broken != 0)
        printf("  BROKEN              %s: %lld do not\n", sentence, broken);
}

static bool check(struct drill *d)
{
    char accounts[32], what[128];
    int broken =
        invariants_check(d->link, tell_broken, d->text, sizeof d->text);
    if (broken < 0 ||
        !ask(d, "select count(*) from account", accounts, sizeof accounts))
        return false;
    snprintf(what, sizeof what, "%zu of %zu invariants hold; %s accounts",
             invariants_count() - (size_t)broken, invariants_count(), accounts);
    tell(d, "checked", what);
    return broken == 0 || cluster_fail(error_of(d), "%d invariant%s broken.",
                                       broken, broken == 1 ? " is" : "s are");
}

/* --- all of it ---------------------------------------------------------------
 */

static bool all_steps(struct drill *d)
{
    return bring_archive_up_to_date(d) && choose(d) && unpack(d) && replay(d) &&
           check(d);
}

static int run_steps(struct drill *d)
{
    printf("restoring from %s into %s\n", d->folder, d->into);
    d->began_us = d->step_us = clock_monotonic_us();
    bool good = all_steps(d);
    db_admin_close(d->link);
    embedded_stop(d->server);
    if (!good) /* what is there says why: it stays until the next drill */
        return command_fail("%s", d->text);
    if (!d->keep)
        cluster_remove_tree(d->into);
    printf("restored and checked in %.1f s\n",
           (double)(clock_monotonic_us() - d->began_us) / 1e6);
    if (d->keep)
        printf("serve it with `prbald serve --data %s`, with the folder `keys` "
               "of the old data folder in it\n",
               d->into);
    return COMMAND_DONE;
}

static int restore(struct drill *d, const char *into)
{
    if (*d->folder == '\0')
        return command_fail("PRBAL_BACKUP names no folder with backups.");
    snprintf(d->into, sizeof d->into, "%s%s",
             into != NULL ? into : app_data_folder(),
             into != NULL ? "" : "/drill");
    if (into == NULL)
        cluster_remove_tree(d->into);
    if (!cluster_locate(&d->scratch, d->into, error_of(d)))
        return command_fail("%s", d->text);
    if (access(d->scratch.data, F_OK) == 0)
        return command_fail("%s holds a database already.", d->into);
    return run_steps(d);
}

static int run(const char *const *arguments)
{
    if (*arguments == NULL || strcmp(*arguments, "restore") != 0)
        return command_misused(&command_drill,
                               *arguments != NULL ? *arguments : "nothing");
    const char *unknown = first_unknown(arguments + 1);
    if (unknown != NULL)
        return command_misused(&command_drill, unknown);
    const char *until = value_of(arguments, "--to");
    if (until != NULL && read_time(until) == 0)
        return command_fail("--to takes a time in UTC such as "
                            "2026-11-21T01:00:03.25Z, not \"%s\".",
                            until);
    static struct drill d; /* too large for a stack's frame */
    d = (struct drill){.folder = app_config()->backup,
                       .until_us = until != NULL ? read_time(until) : 0,
                       .keep = command_flag(arguments, "--keep")};
    return restore(&d, value_of(arguments, "--into"));
}

const struct command command_drill = {
    .name = "drill",
    .summary = "Restores a backup beside the running server, to prove it",
    .arguments = "restore [--to TIME] [--into FOLDER] [--keep]",
    .help =
        "Takes the newest base backup before TIME (UTC, such as "
        "2026-11-21T01:00:03.25Z;\nelse the newest of all) from the folder of "
        "PRBAL_BACKUP, replays what was written\nsince, looks at all that has "
        "to hold in it, and says how long each step took.  The\nrunning server "
        "and its data are not touched.\n\n"
        "  --into FOLDER  where to; the folder `drill` in the data folder "
        "otherwise\n"
        "  --keep         leave it there: it is a data folder that `prbald "
        "serve` takes, so\n"
        "                 this is also how to restore in earnest\n",
    .run = run,
};
