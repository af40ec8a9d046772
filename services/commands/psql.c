#include "services/commands/command.h"
#include "services/commands/database.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 64, PATH_BYTES = 1024 };

__attribute__((noreturn)) static void become(const struct database *database,
                                             const char *const *arguments)
{
    char program[PATH_BYTES] = "psql";
    if (database->embedded != NULL)
        snprintf(program, sizeof program, "%s/psql",
                 embedded_programs(database->embedded));
    const char *argv[ARGUMENTS_MAX + 3] = {"psql", database->url};
    for (size_t i = 0; i < ARGUMENTS_MAX && arguments[i] != NULL; i++)
        argv[i + 2] = arguments[i];
    execvp(program, (char *const *)argv);
    command_fail("psql cannot be run: %s.", strerror(errno));
    _exit(127);
}

/* Ctrl-C is for psql, which cancels its statement with it. */
static int run_psql(const struct database *database,
                    const char *const *arguments)
{
    pid_t pid = fork();
    if (pid < 0)
        return command_fail("no new process: %s.", strerror(errno));
    if (pid == 0)
        become(database, arguments);
    signal(SIGINT, SIG_IGN);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : COMMAND_FAILED;
}

static int run(const char *const *arguments)
{
    char error[COMMAND_ERROR_BYTES];
    struct database database;
    if (!database_open(&database, true, error, sizeof error))
        return command_fail("%s", error);
    int status = run_psql(&database, arguments);
    database_close(&database);
    return status;
}

const struct command command_psql = {
    .name = "psql",
    .summary = "Opens psql on the database",
    .arguments = "[-- PSQL-ARGUMENTS]",
    .help =
        "Works beside a running `prbald serve`; without one, PostgreSQL runs "
        "as long as\npsql does.  For example:\n\n"
        "  prbald psql\n"
        "  prbald psql -- -c 'select count(*) from account'\n",
    .run = run,
};
