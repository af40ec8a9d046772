/* usage: PRBAL_ATTACK_PORT=PORT PRBAL_ATTACK_PROCESS=PID
 *            [PRBAL_ATTACK_EDGE=PORT PRBAL_ATTACK_OPERATOR=SOCKET]
 *            attack usual|small [PROMISE]
 *
 * Every attack of the tables, or those whose promise has such a name (with *),
 * on a server with its usual limits or small ones, and whether it stands them.
 * With PRBAL_ATTACK_MEASURES=1 also what the others feel of it, which only an
 * optimised server can be asked.  tests/wire/attack_test starts the server and
 * reads its last words. */
#include "tests/wire/attack/attack.h"

#include <signal.h>

enum { ATTACKS_MAX = 64 };

static const struct attack *const usual[] = {
    attacks_by_connections, attacks_by_frames,    attacks_by_headers,
    attacks_by_messages,    attacks_by_http1,     attacks_by_connect,
    attacks_by_tls,         attacks_by_expansion, NULL};

static const struct attack *const small[] = {attacks_by_slowness,
                                             attacks_by_numbers, NULL};

static void holds(void **state)
{
    attack_measure(*state);
}

static size_t list(const struct attack *const *topics, struct CMUnitTest *tests)
{
    size_t count = 0;
    for (; *topics != NULL; topics++)
        for (const struct attack *a = *topics; a->promise != NULL; a++) {
            if (count == ATTACKS_MAX)
                abort();
            tests[count++] = (struct CMUnitTest){a->promise, holds, NULL, NULL,
                                                 (void *)(uintptr_t)a};
        }
    return count;
}

/* cmocka's macro counts an array. */
static int run(struct CMUnitTest *tests, size_t count)
{
    return _cmocka_run_group_tests("attacks", tests, count, NULL, NULL);
}

static int number_of(const char *variable)
{
    const char *text = getenv(variable);
    return text == NULL ? 0 : atoi(text);
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[ATTACKS_MAX];
    attack_port = number_of("PRBAL_ATTACK_PORT");
    attack_process = number_of("PRBAL_ATTACK_PROCESS");
    attack_edge = number_of("PRBAL_ATTACK_EDGE");
    attack_operator = getenv("PRBAL_ATTACK_OPERATOR");
    if (argc < 2 || attack_port == 0 || attack_process == 0)
        return 2;
    if (argc > 2)
        cmocka_set_test_filter(argv[2]);
    signal(SIGPIPE, SIG_IGN);
    attack_measure_start();
    return run(tests,
               list(strcmp(argv[1], "small") == 0 ? small : usual, tests));
}
