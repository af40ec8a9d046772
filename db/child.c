#include "db/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Between fork() and exec() of a process with threads only what is safe in a
 * signal handler may run, hence system calls and no initgroups() or printf().
 * glibc's setuid() tells all threads, of which the child has none. */
bool child_become(const struct child_user *user)
{
    if (user == NULL || (user->uid == geteuid() && user->gid == getegid()))
        return true;
    return syscall(SYS_setgroups, 0, NULL) == 0 &&
           syscall(SYS_setgid, user->gid) == 0 &&
           syscall(SYS_setuid, user->uid) == 0;
}

static bool redirect(const char *log)
{
    int null = open("/dev/null", O_RDONLY);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return null >= 0 && out >= 0 && dup2(null, 0) >= 0 && dup2(out, 1) >= 0 &&
           dup2(out, 2) >= 0;
}

__attribute__((noreturn)) static void become(const struct child_spec *spec,
                                             pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* Its own session: Ctrl-C in a terminal is for the parent, which ends its
     * children in order. */
    setsid();
    umask(077);
    (void)!chdir("/"); /* where it was started may be closed to the user */
    if (!child_become(spec->user) || !redirect(spec->log))
        _exit(126);
    /* setuid() clears it, so it comes after; and the parent may have gone
     * before it. */
    prctl(PR_SET_PDEATHSIG, spec->death_signal);
    if (getppid() != parent)
        _exit(125);
    execve(spec->argv[0], (char *const *)spec->argv, environ);

    const char *reason = "cannot be run\n";
    (void)!write(2, spec->argv[0], strlen(spec->argv[0]));
    (void)!write(2, " ", 1);
    (void)!write(2, reason, strlen(reason));
    _exit(127);
}

bool child_start(struct child *child, const struct child_spec *spec)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return false;
    if (pid == 0)
        become(spec, parent);
    child->pid = pid;
    child->handle = pidfd_open(pid, 0);
    return true;
}

static bool handle_wait(int handle, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = handle, .events = POLLIN};
    int n;
    do
        n = poll(&poll_fd, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    return n > 0;
}

bool child_wait(struct child *child, int timeout_ms, int *status)
{
    if (child->pid == 0)
        return true;
    if (child->handle >= 0 && !handle_wait(child->handle, timeout_ms))
        return false;
    pid_t ended = waitpid(child->pid, status, WNOHANG);
    if (ended == 0)
        return false;
    if (child->handle >= 0)
        close(child->handle);
    *child = (struct child){.handle = -1};
    return true;
}

void child_signal(const struct child *child, int signal_number)
{
    if (child->pid > 0)
        kill(child->pid, signal_number);
}

bool process_wait(pid_t pid, int timeout_ms)
{
    int handle = pidfd_open(pid, 0);
    if (handle < 0)
        return errno == ESRCH || errno == EINVAL;
    bool ended = handle_wait(handle, timeout_ms);
    close(handle);
    return ended;
}
