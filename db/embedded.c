#include "db/embedded.h"

#include "db/backup.h"
#include "db/cluster.h"
#include "rpc/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    START_TRIES = 5,
    TRY_AGAIN_MS = 500,
    ANSWER_MS = 60 * 1000, /* crash recovery may take a while */
    PING_EVERY_MS = 20,
    FAST_STOP_MS = 30 * 1000,
    IMMEDIATE_STOP_MS = 10 * 1000,
    LOG_BYTES_MAX = 10 * 1024 * 1024,
    RESTART_EVERY_US = 1000 * 1000,
};

struct embedded {
    struct cluster cluster;
    struct child child;
    char url[CLUSTER_PATH_BYTES + 64];
    int lock; /* -1 when shared */
    int pipe; /* of a lease: the end that keeps the server up; -1 = none */
    int keep; /* the other end, while we lend; -1 = none */
    int64_t started_us;
    bool throw_away;
    char backup[CLUSTER_PATH_BYTES];            /* "" = none */
    char archive_command[BACKUP_COMMAND_BYTES]; /* "" = none */
};

/* --- the child --------------------------------------------------------------
 */

/* For a machine of 2 cores and 4 GB that also runs prbald.  No parallel
 * workers: calls are short and many, and a container's /dev/shm is small.  No
 * JIT: it costs more than such statements take.  The log has statements, but
 * neither their parameters nor the rows that break a constraint: those are
 * people's addresses, and hashes of passwords and codes. */
static const char *const for_all[] = {
    "listen_addresses=",
    "port=5432",
    "cluster_name=prbal",
    "timezone=UTC",
    "log_timezone=UTC",
    "jit=off",
    "max_parallel_workers_per_gather=0",
    "random_page_cost=1.1",
    "log_line_prefix=%m [%p] ",
    "log_min_duration_statement=1000",
    "log_parameter_max_length=0",
    "log_error_verbosity=terse",
    "unix_socket_permissions=0700",
    NULL,
};
static const char *const lasting[] = {
    "max_connections=100",
    "shared_buffers=256MB",
    "effective_cache_size=1GB",
    "maintenance_work_mem=64MB",
    "max_wal_size=2GB",
    "wal_compression=on",
    NULL,
};
static const char *const throw_away[] = {
    "max_connections=200",    "shared_buffers=64MB",  "fsync=off",
    "synchronous_commit=off", "full_page_writes=off", NULL,
};
/* A file that is not full is kept once a minute all the same: what a lost disk
 * takes with it is at most that. */
static const char *const archiving[] = {
    "archive_mode=on",
    "archive_timeout=60s",
    NULL,
};

enum { ARGUMENTS_MAX = 80 };

struct arguments {
    const char *argv[ARGUMENTS_MAX + 1];
    size_t count;
};

static void add_setting(struct arguments *list, const char *setting)
{
    list->argv[list->count++] = "-c";
    list->argv[list->count++] = setting;
}

static void add_settings(struct arguments *list, const char *const *settings)
{
    for (; *settings != NULL; settings++)
        add_setting(list, *settings);
}

static bool start_postgres(struct embedded *e)
{
    char program[CLUSTER_PATH_BYTES + 16], socket[CLUSTER_PATH_BYTES + 32];
    snprintf(program, sizeof program, "%s/postgres", e->cluster.programs);
    snprintf(socket, sizeof socket, "unix_socket_directories=%s",
             e->cluster.home);
    struct arguments list = {.argv = {program, "-D", e->cluster.data},
                             .count = 3};
    add_setting(&list, socket);
    add_settings(&list, for_all);
    add_settings(&list, e->throw_away ? throw_away : lasting);
    if (*e->archive_command != '\0') {
        add_settings(&list, archiving);
        add_setting(&list, e->archive_command);
    }
    /* SIGINT is the fast shutdown: a killed parent leaves a clean cluster. */
    const struct child_spec spec = {list.argv, &e->cluster.user, e->cluster.log,
                                    .death_signal = SIGINT};
    e->started_us = clock_monotonic_us();
    return child_start(&e->child, &spec);
}

static void stop_postgres(struct embedded *e)
{
    int status;
    child_signal(&e->child, SIGINT);
    if (child_wait(&e->child, FAST_STOP_MS, &status))
        return;
    child_signal(&e->child, SIGQUIT);
    if (child_wait(&e->child, IMMEDIATE_STOP_MS, &status))
        return;
    child_signal(&e->child, SIGKILL);
    child_wait(&e->child, -1, &status);
}

/* We hold the lock, so a postmaster in the folder is the child of a process
 * that was killed: on its way out already, or told to go now. */
static bool end_orphan(const struct embedded *e, struct cluster_error error)
{
    pid_t pid = cluster_postmaster(&e->cluster);
    if (pid == 0)
        return true;
    kill(pid, SIGINT);
    if (process_wait(pid, FAST_STOP_MS))
        return true;
    kill(pid, SIGQUIT);
    if (process_wait(pid, IMMEDIATE_STOP_MS))
        return true;
    return cluster_fail(error,
                        "A PostgreSQL that an earlier run left (process %d) "
                        "does not end.",
                        (int)pid);
}

static void rotate_log(const struct cluster *c)
{
    struct stat info;
    char old[CLUSTER_PATH_BYTES + 8];
    snprintf(old, sizeof old, "%s.1", c->log);
    if (stat(c->log, &info) == 0 && info.st_size > LOG_BYTES_MAX)
        rename(c->log, old);
}

/* --- until it answers -------------------------------------------------------
 */

static void maintenance_url(const struct embedded *e, char *url, size_t size)
{
    snprintf(url, size, "host='%s' port=5432 user=prbal dbname=postgres",
             e->cluster.home);
}

typedef enum { ANSWERS, DIED, SILENT } start_outcome;

static start_outcome await_answer(struct embedded *e)
{
    char url[CLUSTER_PATH_BYTES + 64];
    maintenance_url(e, url, sizeof url);
    for (int waited_ms = 0; waited_ms < ANSWER_MS; waited_ms += PING_EVERY_MS) {
        int status;
        if (PQping(url) == PQPING_OK)
            return ANSWERS;
        if (child_wait(&e->child, PING_EVERY_MS, &status))
            return DIED;
    }
    return SILENT;
}

/* A postmaster that died by SIGKILL leaves shared memory in use until its last
 * backend has noticed, a moment later: hence more than one try. */
static bool start_until_it_answers(struct embedded *e,
                                   struct cluster_error error)
{
    for (int i = 0; i < START_TRIES; i++) {
        if (!start_postgres(e))
            return cluster_fail(error, "No new process for PostgreSQL: %s.",
                                strerror(errno));
        start_outcome outcome = await_answer(e);
        if (outcome == ANSWERS)
            return true;
        if (outcome == SILENT) {
            stop_postgres(e);
            return cluster_fail(error,
                                "PostgreSQL in %s has not answered for %d "
                                "seconds; its log is %s.",
                                e->cluster.data, ANSWER_MS / 1000,
                                e->cluster.log);
        }
        usleep(TRY_AGAIN_MS * 1000);
    }
    char words[256];
    cluster_last_words(&e->cluster, words, sizeof words);
    return cluster_fail(error, "PostgreSQL does not start in %s: %s (see %s).",
                        e->cluster.data, *words != '\0' ? words : "no reason",
                        e->cluster.log);
}

static bool ask(PGconn *link, const char *sql, char *answer, size_t size)
{
    PGresult *result = PQexec(link, sql);
    bool good =
        PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
    snprintf(answer, size, "%s", good ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return good && *answer != '\0';
}

static bool prepare_database(PGconn *link, const struct cluster *c,
                             struct cluster_error error)
{
    if (PQstatus(link) != CONNECTION_OK)
        return cluster_fail(error, "PostgreSQL refuses its own user: %s",
                            PQerrorMessage(link));
    char missing[256];
    if (ask(link,
            "select string_agg(name, ', ') from unnest(array['btree_gist', "
            "'citext', 'pg_trgm', 'pgcrypto', 'postgis']) name where name not "
            "in (select a.name from pg_available_extensions a)",
            missing, sizeof missing))
        return cluster_fail(error,
                            "PostgreSQL %d lacks the extension %s: apt-get "
                            "install postgresql-%d postgresql-%d-postgis-3.",
                            c->major, missing, c->major, c->major);
    char found[8];
    if (ask(link, "select 1 from pg_database where datname = 'prbal'", found,
            sizeof found))
        return true;
    PGresult *result = PQexec(link, "create database prbal");
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!good)
        cluster_fail(error, "The database cannot be made: %s",
                     PQresultErrorMessage(result));
    PQclear(result);
    return good;
}

/* What fails is told by the statement itself. */
static void ignore_notice(void *argument, const PGresult *result)
{
    (void)argument, (void)result;
}

static bool ensure_database(struct embedded *e, struct cluster_error error)
{
    char url[CLUSTER_PATH_BYTES + 64];
    maintenance_url(e, url, sizeof url);
    PGconn *link = PQconnectdb(url);
    PQsetNoticeReceiver(link, ignore_notice, NULL);
    bool good = prepare_database(link, &e->cluster, error);
    PQfinish(link);
    return good;
}

/* --- one owner ---------------------------------------------------------------
 */

static void lock_path(const struct cluster *c, char *path, size_t size)
{
    snprintf(path, size, "%s/lock", c->folder);
}

/* flock() goes with the process, so no lock is ever stale.  The number in the
 * file is only for people. */
static bool take_lock(struct embedded *e, bool *busy,
                      struct cluster_error error)
{
    char path[CLUSTER_PATH_BYTES + 8];
    lock_path(&e->cluster, path, sizeof path);
    *busy = false;
    e->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (e->lock < 0)
        return cluster_fail(error, "The file %s cannot be opened: %s.", path,
                            strerror(errno));
    if (flock(e->lock, LOCK_EX | LOCK_NB) == 0)
        return ftruncate(e->lock, 0) == 0 &&
               dprintf(e->lock, "%d\n", (int)getpid()) > 0;
    *busy = true;
    char owner[16] = "";
    ssize_t length = read(e->lock, owner, sizeof owner - 1);
    owner[length > 0 ? strcspn(owner, "\n") : 0] = '\0';
    close(e->lock);
    e->lock = -1;
    return cluster_fail(error,
                        "Another prbald (process %s) is using the data folder "
                        "%s.",
                        *owner != '\0' ? owner : "?", e->cluster.folder);
}

/* The owner may just be starting. */
static bool share(struct embedded *e, struct cluster_error error)
{
    for (int waited_ms = 0; waited_ms < ANSWER_MS; waited_ms += PING_EVERY_MS) {
        if (PQping(e->url) == PQPING_OK)
            return true;
        usleep(PING_EVERY_MS * 1000);
    }
    return cluster_fail(error,
                        "Another prbald has the data folder %s, but its "
                        "PostgreSQL does not answer.",
                        e->cluster.folder);
}

static bool prepare_archive(struct embedded *e, struct cluster_error error)
{
    if (*e->backup == '\0')
        return true;
    backup_archive_command(e->backup, e->archive_command,
                           sizeof e->archive_command);
    return backup_prepare(&e->cluster, e->backup, error);
}

static bool own(struct embedded *e, struct cluster_error error)
{
    if (!cluster_prepare(&e->cluster, e->throw_away, error) ||
        !end_orphan(e, error) || !prepare_archive(e, error))
        return false;
    rotate_log(&e->cluster);
    if (!start_until_it_answers(e, error))
        return false;
    if (ensure_database(e, error))
        return true;
    stop_postgres(e);
    return false;
}

/* The lock is the open file's, whoever has it open; the number in it is only
 * for people. */
static void write_owner(const struct embedded *e)
{
    char text[16];
    int size = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(e->lock, 0) != 0 ||
        pwrite(e->lock, text, (size_t)size, 0) != size)
        return;
}

static bool adopt(struct embedded *e, const struct embedded_lease *lease,
                  struct cluster_error error)
{
    e->lock = lease->lock;
    e->pipe = lease->pipe;
    e->started_us = clock_monotonic_us();
    if (!cluster_prepare(&e->cluster, e->throw_away, error))
        return false;
    if (cluster_postmaster(&e->cluster) != lease->pid)
        return own(e, error);
    e->child = (struct child){lease->pid, pidfd_open(lease->pid, 0)};
    if (await_answer(e) != ANSWERS)
        return cluster_fail(error, "PostgreSQL in %s does not answer.",
                            e->cluster.data);
    write_owner(e);
    return true;
}

static bool start(struct embedded *e, const struct embedded_options *options,
                  struct cluster_error error)
{
    if (!cluster_locate(&e->cluster, options->folder, error))
        return false;
    snprintf(e->backup, sizeof e->backup, "%s",
             options->backup != NULL ? options->backup : "");
    snprintf(e->url, sizeof e->url,
             "host='%s' port=5432 user=prbal dbname=prbal", e->cluster.home);
    if (options->lease != NULL)
        return adopt(e, options->lease, error);
    bool busy;
    if (!take_lock(e, &busy, error))
        return busy && options->share && share(e, error);
    return own(e, error);
}

struct embedded *embedded_start(const struct embedded_options *options,
                                char *text, size_t text_size)
{
    struct embedded *e = calloc(1, sizeof *e);
    if (e == NULL)
        abort();
    e->lock = e->pipe = e->keep = -1;
    e->child.handle = -1;
    e->throw_away = options->throw_away;
    if (start(e, options, (struct cluster_error){text, text_size}))
        return e;
    if (e->lock >= 0)
        close(e->lock);
    if (e->pipe >= 0)
        close(e->pipe);
    free(e);
    return NULL;
}

const char *embedded_url(const struct embedded *e)
{
    return e->url;
}

const char *embedded_programs(const struct embedded *e)
{
    return e->cluster.programs;
}

int embedded_pid(const struct embedded *e)
{
    return (int)e->child.pid;
}

bool embedded_supervise(struct embedded *e)
{
    int status;
    if (e->lock < 0)
        return PQping(e->url) == PQPING_OK;
    if (!child_wait(&e->child, 0, &status) ||
        clock_monotonic_us() - e->started_us < RESTART_EVERY_US)
        return true;
    start_postgres(e);
    return false;
}

/* --- from one process to the next
 * ---------------------------------------------
 */

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Whoever adopted the server has no end of the pipe to keep: its parent has. */
bool embedded_lend(struct embedded *e, struct embedded_lease *lease)
{
    int ends[2];
    if (e->lock < 0 || e->child.pid == 0)
        return false;
    if (e->pipe < 0) {
        if (pipe2(ends, O_CLOEXEC) != 0)
            return false;
        e->keep = ends[0];
        e->pipe = ends[1];
    }
    *lease = (struct embedded_lease){e->lock, e->pipe, (int)e->child.pid};
    return true;
}

void embedded_take_back(struct embedded *e)
{
    write_owner(e);
    if (e->keep < 0)
        return;
    close_end(&e->keep);
    close_end(&e->pipe);
}

void embedded_release(struct embedded *e, int *pid, int *keep)
{
    *pid = e->keep >= 0 ? (int)e->child.pid : 0;
    *keep = e->keep;
    close_end(&e->pipe);
    close_end(&e->lock);
    close_end(&e->child.handle);
    free(e);
}

/* Also from a fresh program, so there is nothing but system calls. */
void embedded_keep(int pid, int keep)
{
    struct child child = {pid, pidfd_open(pid, 0)};
    struct pollfd fds[] = {{child.handle, POLLIN, 0}, {keep, POLLIN, 0}};
    while (poll(fds, 2, -1) < 0)
        continue;
    int status;
    if (fds[1].revents != 0)
        child_signal(&child, SIGINT);
    child_wait(&child, -1, &status);
}

void embedded_stop(struct embedded *e)
{
    if (e == NULL)
        return;
    if (e->lock >= 0)
        stop_postgres(e);
    close_end(&e->lock);
    close_end(&e->pipe);
    close_end(&e->keep);
    free(e);
}
