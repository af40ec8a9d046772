/* usage: PRBAL_ATTACK_PORT=PORT PRBAL_ATTACK_PROCESS=PID attack
 *
 * Every attack of the tables, and whether the server stands it.  With
 * PRBAL_ATTACK_MEASURES=1 also what the others feel of it, which only an
 * optimised server can be asked.  tests/wire/attack_test starts the server and
 * reads its last words. */
#include "tests/wire/attack/attack.h"

#include <signal.h>

enum { ATTACKS_MAX = 64 };

static const struct attack *const topics[] = {
    attacks_by_connections, attacks_by_frames, attacks_by_headers,
    attacks_by_messages};

static void holds(void **state)
{
    attack_measure(*state);
}

static size_t list(struct CMUnitTest *tests)
{
    size_t count = 0;
    for (size_t i = 0; i < COUNT(topics); i++)
        for (const struct attack *a = topics[i]; a->promise != NULL; a++) {
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

int main(void)
{
    static struct CMUnitTest tests[ATTACKS_MAX];
    const char *where = getenv("PRBAL_ATTACK_PORT");
    const char *who = getenv("PRBAL_ATTACK_PROCESS");
    if (where == NULL || who == NULL)
        return 2;
    attack_port = atoi(where);
    attack_process = atoi(who);
    signal(SIGPIPE, SIG_IGN);
    attack_measure_start();
    return run(tests, list(tests));
}
