/* with_postgres COMMAND [ARGUMENT]...
 *
 * Runs the command with PRBAL_TEST_DATABASE_URL naming a PostgreSQL that is
 * made for it and thrown away after it.  The exit status is the command's. */
#include "db/embedded.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int run(char **command)
{
    pid_t pid = fork();
    if (pid == 0) {
        execvp(command[0], command);
        fprintf(stderr, "with_postgres: %s: %s\n", command[0], strerror(errno));
        _exit(127);
    }
    /* Ctrl-C reaches the command by itself; the server is stopped after it. */
    signal(SIGINT, SIG_IGN);
    int status = 1 << 8;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: with_postgres COMMAND [ARGUMENT]...\n");
        return 2;
    }
    char folder[] = "/tmp/prbal-test-XXXXXX", error[512], removal[64];
    if (mkdtemp(folder) == NULL || chmod(folder, 0711) != 0) {
        fprintf(stderr, "with_postgres: %s: %s\n", folder, strerror(errno));
        return 1;
    }
    const struct embedded_options options = {.folder = folder,
                                             .throw_away = true};
    struct embedded *embedded = embedded_start(&options, error, sizeof error);
    int status = 1;
    if (embedded == NULL) {
        fprintf(stderr, "with_postgres: %s\n", error);
    } else {
        setenv("PRBAL_TEST_DATABASE_URL", embedded_url(embedded), 1);
        status = run(argv + 1);
    }
    embedded_stop(embedded);
    snprintf(removal, sizeof removal, "rm -rf %s", folder);
    return system(removal) == 0 ? status : 1;
}
