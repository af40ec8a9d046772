#include "services/commands/serve.h"
#include "rpc/clock.h"
#include "rpc/fault.h"
#include "rpc/inherited.h"
#include "rpc/log.h"
#include "rpc/server.h"
#include "services/commands/serve_start.h"
#include "services/commands/systemd.h"
#include "services/keys.h"
#include "services/probes.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    SUPERVISE_MS = 250,
    READY_MS = 5000,
    READY_STEP_MS = 10,
    DOUBLE_SIGNAL_US = 400 * 1000,
};

/* What a newcomer can type next. */
static void say_what_to_try(const struct serving *s)
{
    const struct app_config *config = app_config();
    serve_say("ready", "stop with Ctrl-C\n");
    if (!serve_is_development() || strncmp(config->listen, "unix:", 5) == 0)
        return;
    const char *port = strrchr(config->listen, ':');
    printf("Try it (scripts/tools fetches grpcurl into .tools/bin):\n\n"
           "  grpcurl ");
    if (config->listen_mode == LISTEN_MODE_H2C)
        printf("-plaintext");
    else
        printf("-cacert %s", s->tls.certificate);
    printf(" localhost%s prbal.v1.SystemService/GetServerInfo\n\n",
           port != NULL ? port : "");
}

static sigset_t stop_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    return set;
}

/* The signal that came, or 0 after that time. */
static int next_signal(long wait_ms)
{
    const sigset_t set = stop_signals();
    const struct timespec wait = {.tv_sec = wait_ms / 1000,
                                  .tv_nsec = wait_ms % 1000 * 1000000};
    int number = sigtimedwait(&set, NULL, &wait);
    return number > 0 ? number : 0;
}

static bool means_stop(int number)
{
    return number == SIGINT || number == SIGTERM;
}

/* The first links to the database open a moment after the start.  False when a
 * signal to stop came first. */
static bool await_ready(const struct serving *s)
{
    int waited_ms = 0;
    while (!rpc_server_is_ready(s->server) && waited_ms < READY_MS) {
        if (means_stop(next_signal(READY_STEP_MS)))
            return false;
        waited_ms += READY_STEP_MS;
    }
    return true;
}

/* A renewed certificate takes over by itself.  One that will not do, or of
 * which only half is written yet, leaves the old one in use. */
static void follow_certificate(struct serving *s, int number)
{
    bool is_asked =
        number == SIGHUP && app_config()->listen_mode != LISTEN_MODE_H2C;
    if (!is_asked && !tls_files_have_changed(&s->tls))
        return;
    if (tls_files_use(&s->tls, s->server, s->error, sizeof s->error))
        serve_say("certificate", "the new one is used from now on");
    else
        serve_say("certificate", "%s; the old one stays in use", s->error);
}

/* From here on another process can take over from us. */
static void offer_place(struct serving *s)
{
    s->offer = handover_open(app_data_folder(), s->error, sizeof s->error);
    if (s->offer == NULL)
        serve_say("upgrade", "not without a pause: %s", s->error);
}

/* True when another process serves, and this one is to go. */
static bool look_for_successor(struct serving *s)
{
    switch (handover_look(s->offer, s->database.embedded)) {
    case HANDOVER_NOTHING:
        return false;
    case HANDOVER_BEGUN:
        serve_say("upgrade", "another process starts to take over");
        return false;
    case HANDOVER_FAILED:
        serve_say("upgrade", "it has failed; this process goes on");
        return false;
    case HANDOVER_REFUSED:
        serve_say("upgrade", "somebody asked who may not take over");
        return false;
    case HANDOVER_DONE:
        return true;
    }
    return false;
}

static void supervise(struct serving *s)
{
    for (;;) {
        int number = next_signal(SUPERVISE_MS);
        if (means_stop(number)) {
            serve_say("stopping", "%s; once more to stop at once",
                      strsignal(number));
            return;
        }
        follow_certificate(s, number);
        if (number == SIGHUP)
            live_settings_read(&s->live, s->server);
        if (s->database.embedded != NULL &&
            !embedded_supervise(s->database.embedded))
            serve_say("database", "PostgreSQL has died and is started again");
        s->is_succeeded = look_for_successor(s);
        if (s->is_succeeded)
            return;
    }
}

/* Its listening sockets and its database are the other process's now. */
static void give_way(struct serving *s)
{
    serve_say("upgrade",
              "another process serves; calls of this one may finish");
    inherited_hand_over();
    rpc_server_hand_over(s->server);
    handover_close(s->offer);
    s->offer = NULL;
    edge_stop(s->edge);
    s->edge = NULL;
}

/* The kernel ends PostgreSQL with its parent.  If we are, we stay: as a program
 * that does nothing else, of which not even the memory of the server is left.
 */
static void leave(struct serving *s)
{
    int pid = 0, pipe = -1;
    if (s->database.embedded != NULL)
        embedded_release(s->database.embedded, &pid, &pipe);
    s->database = (struct database){0};
    if (pid == 0)
        return;
    char pid_text[16], pipe_text[16];
    snprintf(pid_text, sizeof pid_text, "%d", pid);
    snprintf(pipe_text, sizeof pipe_text, "%d", pipe);
    fcntl(pipe, F_SETFD, 0);
    fflush(stdout);
    execl("/proc/self/exe", "prbald", command_keep.name, pid_text, pipe_text,
          (char *)NULL);
    embedded_keep(pid, pipe); /* with all our memory, if need be */
}

struct stopping {
    struct rpc_server *server;
    pthread_t waiter;
    atomic_bool is_done;
};

static void *stop_server(void *argument)
{
    struct stopping *stopping = argument;
    rpc_server_stop(stopping->server);
    atomic_store(&stopping->is_done, true);
    pthread_kill(stopping->waiter, SIGCHLD); /* ends its sigtimedwait() */
    return NULL;
}

/* A second signal while calls are still being finished ends the process, and
 * its PostgreSQL with it.  One that comes at once is the first one's double: a
 * terminal sends Ctrl-C to a wrapper such as sudo as well, which passes it
 * on. */
static void drain(struct serving *s)
{
    struct stopping stopping = {.server = s->server, .waiter = pthread_self()};
    pthread_t thread;
    if (pthread_create(&thread, NULL, stop_server, &stopping) != 0) {
        rpc_server_stop(s->server);
        return;
    }
    int64_t begin_us = clock_monotonic_us();
    while (!atomic_load(&stopping.is_done)) {
        int number = next_signal(SUPERVISE_MS);
        bool is_double = clock_monotonic_us() - begin_us < DOUBLE_SIGNAL_US;
        if (means_stop(number) && !is_double &&
            !atomic_load(&stopping.is_done)) {
            serve_say("stopping", "at once");
            if (s->is_succeeded)
                leave(s);
            _exit(128 + number);
        }
    }
    pthread_join(thread, NULL);
}

/* The process that we were to replace goes on: what it lent stays its own. */
static void abandon(struct serving *s)
{
    int pid, pipe;
    inherited_hand_over();
    if (s->database.embedded != NULL)
        embedded_release(s->database.embedded, &pid, &pipe);
    s->database = (struct database){0};
}

static void finish(struct serving *s)
{
    if (s->predecessor >= 0)
        abandon(s);
    handover_close(s->offer);
    inherited_close_rest();
    edge_stop(s->edge);
    rpc_server_destroy(s->server);
    rpc_faults_free(s->faults);
    live_settings_destroy(s->live);
    keys_forget();
    if (!s->is_succeeded)
        database_close(&s->database);
    log_close();
}

/* Before the predecessor goes, systemd knows its main process. */
static void tell_ready(struct serving *s)
{
    char text[64];
    snprintf(text, sizeof text, "READY=1\nMAINPID=%d", (int)getpid());
    systemd_notify(text);
    if (s->predecessor < 0)
        return;
    handover_ready(s->predecessor);
    s->predecessor = -1;
}

/* Without a predecessor a server that is not ready yet may become so. */
static bool is_up(struct serving *s)
{
    if (!await_ready(s))
        return false;
    if (s->predecessor < 0 || rpc_server_is_ready(s->server))
        return true;
    command_fail("The new server does not get ready.");
    return false;
}

static int serve_until_the_end(struct serving *s, void (*ready)(void))
{
    if (!serve_start(s)) {
        int status = command_fail("%s", s->error);
        finish(s);
        return status;
    }
    if (is_up(s)) {
        tell_ready(s);
        offer_place(s);
        say_what_to_try(s); /* of which an upgrade may be a part */
        ready();
        supervise(s);
    }
    int status = s->predecessor < 0 ? COMMAND_DONE : COMMAND_FAILED;
    if (s->is_succeeded)
        give_way(s);
    else
        systemd_notify("STOPPING=1");
    drain(s);
    finish(s);
    serve_say("stopped", "all calls are answered");
    if (s->is_succeeded)
        leave(s);
    return status;
}

/* Signals are blocked before any thread exists: they all inherit it, and only
 * the main thread hears of them. */
int serve(const struct handover_gift *gift, int predecessor,
          void (*ready)(void))
{
    const sigset_t set = stop_signals();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);

    struct serving *s = calloc(1, sizeof *s);
    if (s == NULL)
        abort();
    s->gift = *gift;
    s->predecessor = predecessor;
    serve_say("prbald", "%s, %s, process %d", PRBAL_VERSION,
              config_text(app_config_table(), "environment"), (int)getpid());
    int status = serve_until_the_end(s, ready);
    free(s);
    return status;
}

static void nobody_waits(void)
{
}

static int run(const char *const *arguments)
{
    if (*arguments != NULL)
        return command_misused(&command_serve, *arguments);
    const struct handover_gift nothing = {0};
    int count = inherited_add_from_systemd();
    if (count > 0)
        serve_say("listening", "%d sockets from systemd", count);
    return serve(&nothing, -1, nobody_waits);
}

const struct command command_serve = {
    .name = "serve",
    .summary = "Serves the API until SIGINT or SIGTERM",
    .arguments = "",
    .help =
        "Needs no settings: it starts a PostgreSQL of its own in the data "
        "folder, brings\nit up to date, makes a certificate and signing keys, "
        "and listens on\n127.0.0.1:50051.  The first start in development "
        "fills "
        "in demo data.\n\n"
        "The first SIGINT or SIGTERM refuses new calls and lets running ones "
        "finish for\nPRBAL_DRAIN (30s); a second one ends at once.  Nothing is "
        "lost by SIGKILL either.\nSIGHUP reads certificates and limits "
        "again.\n\n"
        "  PRBAL_DATABASE_URL  uses that PostgreSQL instead\n"
        "  PRBAL_LISTEN        where to listen\n"
        "  PRBAL_ENVIRONMENT   production refuses weak settings\n",
    .run = run,
};
