/* Sockets that outlive the process that made them. */
#include "rpc/inherited.h"

#include "rpc/address.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static char error[256];

static int listen_somewhere(const char *host, char address[64])
{
    char any[64];
    snprintf(any, sizeof any, "%s:0", host);
    int fd = address_listen(any, error, sizeof error);
    assert_true(fd >= 0);
    snprintf(address, 64, "%s:%d", host, address_port(fd));
    return fd;
}

static void who_listens_on_an_inherited_address_gets_that_socket(void **state)
{
    (void)state;
    char first[64], second[64];
    int a = listen_somewhere("127.0.0.1", first);
    int b = listen_somewhere("127.0.0.1", second);
    assert_true(inherited_add(a));
    assert_true(inherited_add(b));
    assert_int_equal(address_listen(second, error, sizeof error), b);
    /* Once: nobody else gets it. */
    assert_int_equal(address_listen(second, error, sizeof error), -1);
    assert_int_equal(address_listen(first, error, sizeof error), a);
    assert_int_equal(inherited_close_rest(), 0);
    inherited_close(a);
    inherited_close(b);
}

static void a_socket_on_all_addresses_is_good_for_one(void **state)
{
    (void)state;
    char everywhere[64], local[64], foreign[64];
    int fd = listen_somewhere("", everywhere);
    assert_true(inherited_add(fd));
    snprintf(local, sizeof local, "127.0.0.1:%d", address_port(fd));
    assert_int_equal(address_listen(local, error, sizeof error), fd);
    inherited_close(fd);

    /* And not the other way round. */
    fd = listen_somewhere("127.0.0.1", local);
    assert_true(inherited_add(fd));
    snprintf(foreign, sizeof foreign, "127.0.0.2:%d", address_port(fd));
    int other = address_listen(foreign, error, sizeof error);
    assert_true(other >= 0 && other != fd);
    assert_int_equal(inherited_close_rest(), 1);
    inherited_close(other);
}

static void a_unix_socket_is_known_by_its_path(void **state)
{
    (void)state;
    char path[] = "/tmp/prbal-inherit-XXXXXX", address[64];
    close(mkstemp(path));
    unlink(path);
    snprintf(address, sizeof address, "unix:%s", path);
    int fd = address_listen(address, error, sizeof error);
    assert_true(fd >= 0);
    assert_true(inherited_add(fd));
    assert_int_equal(address_listen(address, error, sizeof error), fd);
    inherited_close(fd);
    unlink(path);
}

static void what_does_not_listen_is_no_listener(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_false(inherited_add(pair[0]));
    assert_int_equal(fcntl(pair[0], F_GETFD), -1); /* closed */
    assert_false(inherited_add(pair[1]));
    assert_false(inherited_add(open("/dev/null", O_RDONLY)));
    assert_false(inherited_add(socket(AF_INET, SOCK_STREAM, 0)));
    assert_int_equal(inherited_close_rest(), 0);
}

static void what_is_listened_on_can_be_passed_on(void **state)
{
    (void)state;
    char address[64];
    int fds[2], fd = listen_somewhere("127.0.0.1", address);
    assert_int_equal(inherited_listening(fds, 2), 1);
    assert_int_equal(fds[0], fd);
    inherited_close(fd);
    assert_int_equal(inherited_listening(fds, 2), 0);
}

static void variables_for_another_process_are_not_ours(void **state)
{
    (void)state;
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid() + 1);
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    assert_int_equal(inherited_add_from_systemd(), 0);
    assert_null(getenv("LISTEN_FDS"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_listens_on_an_inherited_address_gets_that_socket),
        cmocka_unit_test(a_socket_on_all_addresses_is_good_for_one),
        cmocka_unit_test(a_unix_socket_is_known_by_its_path),
        cmocka_unit_test(what_does_not_listen_is_no_listener),
        cmocka_unit_test(what_is_listened_on_can_be_passed_on),
        cmocka_unit_test(variables_for_another_process_are_not_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
