#include "db/embedded.h"

#include "db/child.h"

#include <libpq-fe.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct {
    char folder[64];
    char error[512];
} fixture;

static int setup(void **state)
{
    fixture *t = test_calloc(1, sizeof *t);
    strcpy(t->folder, "/tmp/prbal-embedded-XXXXXX");
    if (mkdtemp(t->folder) == NULL)
        return -1;
    chmod(t->folder, 0711);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    fixture *t = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", t->folder);
    int status = system(command);
    test_free(t);
    return status;
}

static struct embedded *start(fixture *t, bool share)
{
    struct embedded_options options = {
        .folder = t->folder, .throw_away = true, .share = share};
    return embedded_start(&options, t->error, sizeof t->error);
}

static struct embedded *started(fixture *t)
{
    struct embedded *e = start(t, false);
    if (e == NULL)
        fail_msg("%s", t->error);
    return e;
}

/* The first value of the first row, or the error. */
static const char *answer(const struct embedded *e, const char *sql)
{
    static char text[256];
    PGconn *link = PQconnectdb(embedded_url(e));
    PGresult *result = PQexec(link, sql);
    snprintf(text, sizeof text, "%s",
             PQntuples(result) > 0 ? PQgetvalue(result, 0, 0)
                                   : PQerrorMessage(link));
    PQclear(result);
    PQfinish(link);
    return text;
}

static void a_first_start_makes_a_private_database(void **state)
{
    fixture *t = *state;
    struct embedded *e = started(t);
    assert_string_equal(answer(e, "select current_database()"), "prbal");
    assert_string_equal(answer(e, "show listen_addresses"), "");
    assert_string_equal(answer(e, "show server_encoding"), "UTF8");
    assert_string_equal(answer(e, "show data_checksums"), "on");
    assert_string_equal(answer(e, "show timezone"), "UTC");

    char socket[128];
    struct stat info;
    snprintf(socket, sizeof socket, "%s/pg", t->folder);
    assert_int_equal(stat(socket, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_not_equal(info.st_uid, 0);
    embedded_stop(e);
}

static void what_was_written_is_there_after_a_restart(void **state)
{
    fixture *t = *state;
    struct embedded *e = started(t);
    answer(e, "create table kept as select 42 as answer");
    embedded_stop(e);

    e = started(t);
    assert_string_equal(answer(e, "select answer from kept"), "42");
    embedded_stop(e);
}

/* True when PostgreSQL's log has this text. */
static bool log_has(const fixture *t, const char *text)
{
    static char log[1 << 16];
    char path[128];
    snprintf(path, sizeof path, "%s/pg/log", t->folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(log, 1, sizeof log - 1, file);
    fclose(file);
    log[size] = '\0';
    return strstr(log, text) != NULL;
}

/* They are e-mail addresses, and hashes of passwords and codes. */
static void the_log_has_statements_without_their_parameters(void **state)
{
    fixture *t = *state;
    struct embedded *e = started(t);
    const char *const secret[] = {"quince-jam"};
    PGconn *link = PQconnectdb(embedded_url(e));
    PQclear(PQexec(link, "set log_min_duration_statement = 0"));
    PQclear(PQexecParams(link, "select $1 as spread", 1, NULL, secret, NULL,
                         NULL, 0));
    PQclear(PQexec(link, "create table jar (name text check (name = ''))"));
    PQclear(PQexecParams(link, "insert into jar values ($1)", 1, NULL, secret,
                         NULL, NULL, 0));
    PQfinish(link);
    embedded_stop(e);
    assert_true(log_has(t, "select $1 as spread"));
    assert_true(log_has(t, "jar_name_check"));
    assert_false(log_has(t, "quince-jam"));
}

/* Runs in a fork: starts the server, tells its number, and waits for the
 * kill. */
static void be_the_process_that_is_killed(fixture *t, int out)
{
    struct embedded *e = start(t, false);
    int pid = e != NULL ? embedded_pid(e) : -1;
    if (pid > 0)
        answer(e, "create table kept as select 42 as answer");
    if (write(out, &pid, sizeof pid) == sizeof pid)
        pause();
    _exit(0);
}

static pid_t start_in_another_process(fixture *t, int *postmaster)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* when an assert below fails */
        be_the_process_that_is_killed(t, ends[1]);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], postmaster, sizeof *postmaster),
                     sizeof *postmaster);
    close(ends[0]);
    assert_true(*postmaster > 0);
    return pid;
}

static void after_kill_9_the_next_start_succeeds_at_once(void **state)
{
    fixture *t = *state;
    for (int i = 0; i < 3; i++) {
        int first;
        pid_t pid = start_in_another_process(t, &first);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);

        struct embedded *e = started(t);
        assert_int_not_equal(embedded_pid(e), first);
        assert_true(process_wait(first, 0));
        assert_string_equal(answer(e, "select answer from kept"), "42");
        assert_string_equal(answer(e, "drop table kept"), "");
        embedded_stop(e);
    }
}

static void a_folder_in_use_is_refused_and_can_be_shared(void **state)
{
    fixture *t = *state;
    int postmaster;
    pid_t pid = start_in_another_process(t, &postmaster);

    assert_null(start(t, false));
    char expected[256];
    snprintf(expected, sizeof expected,
             "Another prbald (process %d) is using the data folder %s.",
             (int)pid, t->folder);
    assert_string_equal(t->error, expected);

    struct embedded *guest = start(t, true);
    assert_non_null(guest);
    assert_string_equal(answer(guest, "select answer from kept"), "42");
    embedded_stop(guest);
    assert_false(process_wait(postmaster, 0));

    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    embedded_stop(started(t)); /* waits for the orphan, so rm -rf can */
}

static void a_postgres_that_dies_is_started_again(void **state)
{
    fixture *t = *state;
    struct embedded *e = started(t);
    int first = embedded_pid(e);
    assert_true(embedded_supervise(e));

    kill(first, SIGKILL);
    int tries = 0;
    for (; PQping(embedded_url(e)) != PQPING_OK || embedded_pid(e) == first;
         tries++) {
        assert_true(tries < 200);
        embedded_supervise(e);
        usleep(50 * 1000);
    }
    assert_true(tries > 0);
    assert_string_equal(answer(e, "select 1"), "1");
    embedded_stop(e);
}

static void a_run_that_was_killed_in_initdb_leaves_nothing_in_the_way(
    void **state)
{
    fixture *t = *state;
    char command[256];
    embedded_stop(started(t));
    snprintf(command, sizeof command,
             "cd %s/pg && mv data data.new && rm data.new/PG_VERSION",
             t->folder);
    assert_int_equal(system(command), 0);
    struct embedded *e = started(t);
    assert_string_equal(answer(e, "select 1"), "1");
    embedded_stop(e);
}

static void a_folder_that_will_not_do_is_told_in_one_sentence(void **state)
{
    static const struct {
        const char *setup, *expected;
    } cases[] = {
        {"mkdir -p pg/data && chown -R postgres pg && chmod 700 pg",
         "pg/data is not a PostgreSQL cluster (it has no PG_VERSION): move it "
         "away, or choose another data folder with PRBAL_DATA."},
        {"mkdir -m 700 pg && chown daemon pg", "belongs to user "},
        {"mkdir -m 755 pg && chown postgres pg && chmod 755 pg",
         "/pg is open to other users: chmod 700."},
        {"touch pg", "/pg is in the way: it is not a folder."},
        {"mkdir -p pg/data && echo 9 > pg/data/PG_VERSION && chown -R postgres "
         "pg && chmod 700 pg",
         "was made by PostgreSQL 9, and only "},
        {"chmod 700 .", ", who may not enter "},
    };
    if (geteuid() != 0)
        skip(); /* needs chown */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture *t;
        assert_int_equal(setup((void **)&t), 0);
        char command[256];
        snprintf(command, sizeof command, "cd %s && %s", t->folder,
                 cases[i].setup);
        assert_int_equal(system(command), 0);
        assert_null(start(t, false));
        if (strstr(t->error, cases[i].expected) == NULL)
            fail_msg("%s: %s", cases[i].setup, t->error);
        assert_null(strchr(t->error, '\n'));
        teardown((void **)&t);
    }
    (void)state;
}

static void a_cluster_that_postgres_refuses_is_told_with_its_words(void **state)
{
    fixture *t = *state;
    char command[256];
    embedded_stop(started(t));
    snprintf(command, sizeof command, "rm %s/pg/data/global/pg_control",
             t->folder);
    assert_int_equal(system(command), 0);
    assert_null(start(t, false));
    assert_non_null(strstr(t->error, "PostgreSQL does not start in "));
    assert_non_null(strstr(t->error, "pg_control"));
}

static void a_path_too_long_for_a_socket_is_refused(void **state)
{
    fixture *t = *state;
    char folder[256];
    snprintf(folder, sizeof folder, "%s/%0100d", t->folder, 0);
    struct embedded_options options = {.folder = folder};
    assert_null(embedded_start(&options, t->error, sizeof t->error));
    assert_non_null(strstr(t->error, "The path of the data folder has "));
}

int main(void)
{
#define PROMISE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        PROMISE(a_first_start_makes_a_private_database),
        PROMISE(what_was_written_is_there_after_a_restart),
        PROMISE(the_log_has_statements_without_their_parameters),
        PROMISE(after_kill_9_the_next_start_succeeds_at_once),
        PROMISE(a_folder_in_use_is_refused_and_can_be_shared),
        PROMISE(a_postgres_that_dies_is_started_again),
        PROMISE(a_run_that_was_killed_in_initdb_leaves_nothing_in_the_way),
        PROMISE(a_folder_that_will_not_do_is_told_in_one_sentence),
        PROMISE(a_cluster_that_postgres_refuses_is_told_with_its_words),
        PROMISE(a_path_too_long_for_a_socket_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
