#include "db/cluster.h"

#include "db/folder.h"

#include <errno.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    OLDEST_MAJOR = 15,
    /* sun_path holds 108 bytes. */
    HOME_BYTES_MAX = 107 - ((int)sizeof "/.s.PGSQL.5432" - 1),
    FOLDER_BYTES_MAX = HOME_BYTES_MAX - 3, /* "/pg" */
    INITDB_MS = 120 * 1000,
    TICK_MS = 1000,
    NO_USER = 255,
    PATH_BYTES = 1024,
};

bool cluster_fail(struct cluster_error error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error.text, error.size, format, args);
    va_end(args);
    return false;
}

/* --- paths ---------------------------------------------------------------- */

static bool name_paths(struct cluster *c, const char *folder,
                       struct cluster_error error)
{
    if (!folder_make(folder, error.text, error.size))
        return false;
    char *whole = realpath(folder, NULL);
    if (whole == NULL)
        return cluster_fail(error, "The data folder %s: %s.", folder,
                            strerror(errno));
    size_t length = strlen(whole);
    snprintf(c->folder, sizeof c->folder, "%s", whole);
    free(whole);
    if (length > FOLDER_BYTES_MAX)
        return cluster_fail(error,
                            "The path of the data folder has %zu bytes; for a "
                            "socket in it %d are the most: %s.",
                            length, FOLDER_BYTES_MAX, c->folder);
    snprintf(c->home, sizeof c->home, "%.*s/pg", FOLDER_BYTES_MAX, c->folder);
    snprintf(c->data, sizeof c->data, "%.*s/data", HOME_BYTES_MAX, c->home);
    snprintf(c->log, sizeof c->log, "%.*s/log", HOME_BYTES_MAX, c->home);
    return true;
}

/* --- whose -----------------------------------------------------------------
 */

static bool choose_user(struct cluster *c, struct cluster_error error)
{
    c->user = (struct child_user){.uid = geteuid(), .gid = getegid()};
    const struct passwd *entry =
        c->user.uid == 0 ? getpwnam("postgres") : getpwuid(c->user.uid);
    if (entry == NULL && c->user.uid == 0)
        return cluster_fail(error,
                            "PostgreSQL refuses to run as root and there is no "
                            "user postgres to run it as; Debian's package "
                            "postgresql-15 makes that user.");
    if (entry != NULL) {
        c->user.uid = entry->pw_uid;
        c->user.gid = entry->pw_gid;
        snprintf(c->user.name, sizeof c->user.name, "%s", entry->pw_name);
    }
    return true;
}

/* In a fork, as the cluster's user: how long the leading part of the path is
 * that it may not enter; 0 when it may enter all. */
static int length_refused(const struct cluster *c)
{
    if (!child_become(&c->user))
        return NO_USER;
    char part[CLUSTER_PATH_BYTES];
    for (const char *slash = c->folder; slash != NULL;) {
        slash = strchr(slash + 1, '/');
        int length =
            slash != NULL ? (int)(slash - c->folder) : (int)strlen(c->folder);
        snprintf(part, sizeof part, "%.*s", length, c->folder);
        if (access(part, X_OK) != 0)
            return length;
    }
    return 0;
}

static bool check_reach(const struct cluster *c, struct cluster_error error)
{
    if (c->user.uid == geteuid())
        return true;
    pid_t pid = fork();
    if (pid < 0)
        return cluster_fail(error, "No new process: %s.", strerror(errno));
    if (pid == 0)
        _exit(length_refused(c));
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    int length = WEXITSTATUS(status);
    if (length == NO_USER || !WIFEXITED(status))
        return cluster_fail(error, "This process may not become the user %s.",
                            c->user.name);
    if (length > 0)
        return cluster_fail(error,
                            "PostgreSQL runs as the user %s, who may not enter "
                            "%.*s; choose another data folder with PRBAL_DATA.",
                            c->user.name, length, c->folder);
    return true;
}

/* --- programs ---------------------------------------------------------------
 */

/* The major version in the folder's PG_VERSION, 0 without one. */
static int data_major(const struct cluster *c)
{
    char path[CLUSTER_PATH_BYTES + 16];
    snprintf(path, sizeof path, "%s/PG_VERSION", c->data);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    int major = 0;
    if (fscanf(file, "%d", &major) != 1)
        major = 0;
    fclose(file);
    return major;
}

static bool has_programs(const char *folder)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/postgres", folder);
    if (access(path, X_OK) != 0)
        return false;
    snprintf(path, sizeof path, "%s/initdb", folder);
    return access(path, X_OK) == 0;
}

/* Debian keeps each major version in a folder of its own: the one that made the
 * cluster, else the newest. */
static void find_debian(struct cluster *c, int wanted)
{
    glob_t found;
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        int major = 0;
        sscanf(found.gl_pathv[i], "/usr/lib/postgresql/%d/bin", &major);
        bool better = wanted != 0 ? major == wanted : major > c->major;
        if (!better || major < OLDEST_MAJOR || !has_programs(found.gl_pathv[i]))
            continue;
        c->major = major;
        snprintf(c->programs, sizeof c->programs, "%s", found.gl_pathv[i]);
    }
    globfree(&found);
}

static bool first_line(const char *command, char *line, int size)
{
    FILE *pipe = popen(command, "re");
    if (pipe == NULL)
        return false;
    bool good = fgets(line, size, pipe) != NULL;
    line[good ? strcspn(line, "\n") : 0] = '\0';
    return pclose(pipe) == 0 && good;
}

/* Elsewhere pg_config tells. */
static void find_by_pg_config(struct cluster *c)
{
    char folder[CLUSTER_PATH_BYTES], version[128];
    int major;
    if (!first_line("pg_config --bindir 2>/dev/null", folder, sizeof folder) ||
        !first_line("pg_config --version 2>/dev/null", version,
                    sizeof version) ||
        sscanf(version, "PostgreSQL %d", &major) != 1 || major < OLDEST_MAJOR ||
        !has_programs(folder))
        return;
    c->major = major;
    memcpy(c->programs, folder, sizeof folder);
}

static bool find_programs(struct cluster *c, struct cluster_error error)
{
    int wanted = data_major(c);
    c->major = 0;
    find_debian(c, wanted);
    if (c->major == 0)
        find_by_pg_config(c);
    if (c->major == 0)
        return cluster_fail(error,
                            "The programs of PostgreSQL %d%s are not on this "
                            "machine: apt-get install postgresql-%d "
                            "postgresql-%d-postgis-3.",
                            wanted != 0 ? wanted : OLDEST_MAJOR,
                            wanted != 0 ? "" : " or newer",
                            wanted != 0 ? wanted : OLDEST_MAJOR,
                            wanted != 0 ? wanted : OLDEST_MAJOR);
    if (wanted != 0 && wanted != c->major)
        return cluster_fail(error,
                            "The cluster in %s was made by PostgreSQL %d, and "
                            "only %d is on this machine: install the older one "
                            "and move the data with pg_upgrade.",
                            c->data, wanted, c->major);
    return true;
}

bool cluster_locate(struct cluster *c, const char *folder,
                    struct cluster_error error)
{
    return name_paths(c, folder, error) && choose_user(c, error) &&
           check_reach(c, error) && find_programs(c, error);
}

/* --- the cluster ------------------------------------------------------------
 */

bool cluster_make_folder(const struct cluster *c, const char *path,
                         struct cluster_error error)
{
    if (mkdir(path, 0700) == 0 && chown(path, c->user.uid, c->user.gid) != 0)
        return cluster_fail(error, "The folder %s cannot be given to %s: %s.",
                            path, c->user.name, strerror(errno));
    struct stat info;
    if (lstat(path, &info) != 0)
        return cluster_fail(error, "The folder %s cannot be made: %s.", path,
                            strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return cluster_fail(error, "%s is in the way: it is not a folder.",
                            path);
    if (info.st_uid != c->user.uid)
        return cluster_fail(error,
                            "The folder %s belongs to user %d and not to %s, "
                            "as whom PostgreSQL would run.",
                            path, (int)info.st_uid, c->user.name);
    /* Whoever gets to the socket is the database's superuser, and whoever reads
     * a backup has all that the database holds. */
    if ((info.st_mode & 077) != 0)
        return cluster_fail(
            error, "The folder %s is open to other users: chmod 700.", path);
    return true;
}

bool cluster_make_home(const struct cluster *c, struct cluster_error error)
{
    return cluster_make_folder(c, c->home, error);
}

static int remove_entry(const char *path, const struct stat *info, int kind,
                        struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

void cluster_remove_tree(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void last_words(const char *log, char *text, size_t size)
{
    *text = '\0';
    FILE *file = fopen(log, "re");
    if (file == NULL)
        return;
    char line[1024];
    fseek(file, -16 * 1024, SEEK_END);
    while (fgets(line, sizeof line, file) != NULL) {
        const char *words = strstr(line, "FATAL:");
        if (words == NULL)
            words = strstr(line, "PANIC:");
        if (words == NULL)
            words = strstr(line, "error:");
        if (words == NULL)
            words = strstr(line, "could not");
        if (words != NULL)
            snprintf(text, size, "%.*s", (int)strcspn(words, "\n"), words);
    }
    fclose(file);
}

bool cluster_run(const struct cluster *c, const struct cluster_program *program,
                 struct cluster_error error)
{
    const char *log = program->log != NULL ? program->log : c->log;
    const struct child_spec spec = {program->argv, &c->user, log,
                                    .death_signal = SIGKILL};
    struct child child;
    int status = -1;
    if (!child_start(&child, &spec))
        return cluster_fail(error, "No new process for %s: %s.", program->what,
                            strerror(errno));
    int waited_ms = 0;
    while (!child_wait(&child, TICK_MS, &status)) {
        waited_ms += TICK_MS;
        if (program->tick != NULL)
            program->tick(program->argument);
        if (program->timeout_ms >= 0 && waited_ms >= program->timeout_ms)
            child_signal(&child, SIGKILL);
    }
    if (status == 0)
        return true;
    char words[256];
    last_words(log, words, sizeof words);
    return cluster_fail(error, "%s failed: %s (see %s).", program->what,
                        *words != '\0' ? words : "it gave no reason", log);
}

/* initdb writes beside the final place, which a rename() then takes: a cluster
 * is whole or not there.  Whoever may enter the folder (it is 0700) may be
 * anyone in the database; no other way leads in. */
static bool init_cluster(const struct cluster *c, bool throw_away,
                         struct cluster_error error)
{
    char fresh[CLUSTER_PATH_BYTES + 8], program[CLUSTER_PATH_BYTES + 16];
    snprintf(fresh, sizeof fresh, "%s.new", c->data);
    snprintf(program, sizeof program, "%s/initdb", c->programs);
    cluster_remove_tree(fresh);

    const char *const argv[] = {program,
                                "--pgdata",
                                fresh,
                                "--username=prbal",
                                "--encoding=UTF8",
                                "--locale=C.UTF-8",
                                "--auth-local=trust",
                                "--auth-host=reject",
                                "--data-checksums",
                                throw_away ? "--no-sync" : NULL,
                                NULL};
    if (!cluster_run(
            c,
            &(struct cluster_program){"initdb", argv, .timeout_ms = INITDB_MS},
            error))
        return false;
    if (rename(fresh, c->data) == 0)
        return true;
    return cluster_fail(error, "%s cannot be renamed: %s.", fresh,
                        strerror(errno));
}

bool cluster_prepare(struct cluster *c, bool throw_away,
                     struct cluster_error error)
{
    if (!cluster_make_home(c, error))
        return false;
    struct stat info;
    if (lstat(c->data, &info) != 0 && errno == ENOENT)
        return init_cluster(c, throw_away, error);
    if (data_major(c) == 0)
        return cluster_fail(error,
                            "%s is not a PostgreSQL cluster (it has no "
                            "PG_VERSION): move it away, or choose another data "
                            "folder with PRBAL_DATA.",
                            c->data);
    return true;
}

/* --- what is going on in it --------------------------------------------------
 */

bool cluster_log_has(const struct cluster *c, const char *words)
{
    char line[1024];
    bool found = false;
    FILE *file = fopen(c->log, "re");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = strstr(line, words) != NULL;
    if (file != NULL)
        fclose(file);
    return found;
}

void cluster_last_words(const struct cluster *c, char *text, size_t size)
{
    last_words(c->log, text, size);
}

/* A postmaster works in its data folder. */
static bool works_in(pid_t pid, const char *folder)
{
    char link[64], target[PATH_BYTES];
    snprintf(link, sizeof link, "/proc/%d/cwd", (int)pid);
    ssize_t length = readlink(link, target, sizeof target - 1);
    if (length < 0)
        return false;
    target[length] = '\0';
    return strcmp(target, folder) == 0;
}

pid_t cluster_postmaster(const struct cluster *c)
{
    char path[CLUSTER_PATH_BYTES + 32];
    snprintf(path, sizeof path, "%s/postmaster.pid", c->data);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    int pid = 0;
    if (fscanf(file, "%d", &pid) != 1)
        pid = 0;
    fclose(file);
    if (pid > 0 && works_in(pid, c->data))
        return pid;
    unlink(path);
    return 0;
}
