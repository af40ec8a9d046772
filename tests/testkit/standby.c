#include "tests/testkit/standby.h"

#include "db/cluster.h"
#include "db/embedded.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_MS = 60000 };

struct standby {
    char folder[64];
    struct cluster cluster;
    struct embedded *server; /* NULL: killed */
};

__attribute__((noreturn)) static void give_up(const char *why)
{
    fprintf(stderr, "standby: %s\n", why);
    abort();
}

static void make_folders(struct standby *s)
{
    char error[256];
    const struct cluster *c = &s->cluster;
    snprintf(s->folder, sizeof s->folder, "/tmp/prbal-standby.XXXXXX");
    if (mkdtemp(s->folder) == NULL || chmod(s->folder, 0711) != 0)
        give_up("no folder");
    if (!cluster_locate(&s->cluster, s->folder,
                        (struct cluster_error){error, sizeof error}))
        give_up(error);
    if (mkdir(c->home, 0700) != 0 ||
        chown(c->home, c->user.uid, c->user.gid) != 0)
        give_up("no folder of its own user");
}

static void copy(const struct standby *s, const char *primary_url)
{
    const struct cluster *c = &s->cluster;
    char program[CLUSTER_PATH_BYTES + 16], words[256];
    snprintf(program, sizeof program, "%s/pg_basebackup", c->programs);
    const char *const argv[] = {program,
                                "--dbname",
                                primary_url,
                                "--pgdata",
                                c->data,
                                "--write-recovery-conf",
                                "--no-sync",
                                "--checkpoint=fast",
                                "--wal-method=stream",
                                NULL};
    const struct child_spec spec = {argv, &c->user, c->log,
                                    .death_signal = SIGKILL};
    struct child child;
    int status = -1;
    if (!child_start(&child, &spec) || !child_wait(&child, COPY_MS, &status) ||
        status != 0) {
        cluster_last_words(c, words, sizeof words);
        give_up(words);
    }
}

void standby_start(struct standby *s)
{
    char error[512];
    const struct embedded_options options = {.folder = s->folder,
                                             .throw_away = true};
    s->server = embedded_start(&options, error, sizeof error);
    if (s->server == NULL)
        give_up(error);
}

struct standby *standby_create(const char *primary_url)
{
    struct standby *s = calloc(1, sizeof *s);
    if (s == NULL)
        abort();
    make_folders(s);
    copy(s, primary_url);
    standby_start(s);
    return s;
}

const char *standby_url(const struct standby *s)
{
    return embedded_url(s->server);
}

void standby_kill(struct standby *s)
{
    kill(embedded_pid(s->server), SIGKILL);
    embedded_stop(s->server);
    s->server = NULL;
}

void standby_destroy(struct standby *s)
{
    char command[128];
    if (s == NULL)
        return;
    embedded_stop(s->server);
    snprintf(command, sizeof command, "rm -rf %s", s->folder);
    if (system(command) != 0)
        give_up("its folder stays");
    free(s);
}
