#include "services/app.h"
#include "services/commands/command.h"
#include "services/commands/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The new server is a child, so that `prbald upgrade` ends when it serves: that
 * is what a person, a script or systemd's ExecReload waits for. */

static int report = -1; /* the child writes a byte to it, or ends */

static void report_success(void)
{
    (void)!write(report, "", 1);
    close(report);
}

static int run_successor(void)
{
    struct handover_gift gift;
    char error[COMMAND_ERROR_BYTES];
    setsid();
    int link = handover_take(app_data_folder(), &gift, error, sizeof error);
    if (link < 0)
        return command_fail("%s", error);
    printf("%-12s process %d gives its place\n", "upgrade", (int)gift.giver);
    return serve(&gift, link, report_success);
}

static int await_report(int from, pid_t child)
{
    char byte;
    int status = 0;
    if (read(from, &byte, 1) == 1) {
        printf("%-12s process %d serves\n", "upgrade", (int)child);
        return COMMAND_DONE;
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status)
                                                         : COMMAND_FAILED;
}

static int run_upgrade(const char *const *arguments)
{
    int ends[2];
    if (*arguments != NULL)
        return command_misused(&command_upgrade, *arguments);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return command_fail("No pipe to be had: %s.", strerror(errno));
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        return command_fail("No new process to be had: %s.", strerror(errno));
    if (child > 0) {
        close(ends[1]);
        return await_report(ends[0], child);
    }
    close(ends[0]);
    report = ends[1];
    return run_successor();
}

const struct command command_upgrade = {
    .name = "upgrade",
    .summary = "Replaces the running server by this program, without a pause",
    .arguments = "",
    .help =
        "Starts a new server that takes the listening sockets and the private\n"
        "PostgreSQL from the one that serves the data folder.  Once the new "
        "one\nserves, this command ends, and the old one finishes its calls "
        "for\nPRBAL_DRAIN (30s).  No connection is refused, and no call "
        "fails.\n\n"
        "Give it the settings of `serve`.  When the new one cannot start, the "
        "old\none goes on, and this command says why.\n",
    .run = run_upgrade,
};

/* What an old server becomes while its PostgreSQL goes on (db/embedded.h). */
static int run_keep(const char *const *arguments)
{
    if (arguments[0] == NULL || arguments[1] == NULL)
        return COMMAND_USAGE;
    embedded_keep(atoi(arguments[0]), atoi(arguments[1]));
    return COMMAND_DONE;
}

const struct command command_keep = {
    .name = "keep-postgresql",
    .arguments = "",
    .run = run_keep,
    .needs_no_settings = true,
};
