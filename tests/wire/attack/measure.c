/* What an attack costs the others.
 *
 * A thread calls without pause on a connection of its own and notes how long
 * each call took and how much memory the server has.  The attacker shares its
 * cores; so that his own processor time is not taken for the server's
 * suffering, the times before are taken beside an honest client who is as busy:
 * it connects, makes some calls, and comes again. */
#include "tests/wire/attack/attack.h"

#include "rpc/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum {
    SAMPLES_MAX = 200000,
    SAMPLES_WANTED = 500,
    LONGEST_US = 3 * 1000 * 1000,
    TRIES = 6,
    /* Below this nobody feels a difference, and the kernel's time slices make
     * one. */
    UNFELT_US = 4000,
};

enum { GROWN_MB_MAX = 8 };

static struct {
    pthread_t thread;
    atomic_bool is_counting;
    atomic_bool is_ending;
    atomic_int count;
    uint32_t took_us[SAMPLES_MAX];
    _Atomic double most_mb;
} good;

static void good_call(struct client *client)
{
    int64_t began_us = clock_monotonic_us();
    struct client_response *r =
        client_request(client, HEALTH, NULL, "\0\0\0\0", 5, true);
    client_wait(client, r);
    if (client_status(r) != OK) {
        fprintf(stderr, "the well-behaved client got %d\n", client_status(r));
        abort();
    }
    client_forget(client, r);
    int count = atomic_load(&good.count);
    if (!atomic_load(&good.is_counting) || count == SAMPLES_MAX)
        return;
    good.took_us[count] = (uint32_t)(clock_monotonic_us() - began_us);
    double mb = attack_resident_mb();
    if (mb > atomic_load(&good.most_mb))
        atomic_store(&good.most_mb, mb);
    atomic_store(&good.count, count + 1);
}

static void *good_main(void *argument)
{
    (void)argument;
    struct client *client =
        client_open((struct client_options){.port = attack_port, .tls = true});
    while (!atomic_load(&good.is_ending)) {
        good_call(client);
        nanosleep(&(struct timespec){.tv_nsec = 500 * 1000}, NULL);
    }
    client_close(client);
    return NULL;
}

static void good_stop(void)
{
    atomic_store(&good.is_ending, true);
    pthread_join(good.thread, NULL);
}

static bool is_measured(void)
{
    return getenv("PRBAL_ATTACK_MEASURES") != NULL;
}

void attack_measure_start(void)
{
    if (!is_measured())
        return;
    if (pthread_create(&good.thread, NULL, good_main, NULL) != 0)
        abort();
    atexit(good_stop);
}

static void count_from_now(void)
{
    atomic_store(&good.most_mb, attack_resident_mb());
    atomic_store(&good.count, 0);
    atomic_store(&good.is_counting, true);
}

static int by_size(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/* Of those counted since. */
static double p99_us(void)
{
    atomic_store(&good.is_counting, false);
    int count = atomic_load(&good.count);
    assert_true(count > 0);
    qsort(good.took_us, (size_t)count, sizeof good.took_us[0], by_size);
    return good.took_us[count * 99 / 100];
}

static bool has_enough(int64_t began_us)
{
    return atomic_load(&good.count) >= SAMPLES_WANTED ||
           clock_monotonic_us() - began_us > LONGEST_US;
}

static void be_honest_and_busy(void)
{
    enum { CALLS = 50 };
    struct client *client = attack_connected();
    for (int i = 0; i < CALLS; i++) {
        struct client_response *r =
            client_request(client, HEALTH, NULL, "\0\0\0\0", 5, true);
        client_wait(client, r);
        client_forget(client, r);
    }
    client_close(client);
}

static const struct attack honest = {NULL, be_honest_and_busy, ATTACK_QUICK};

static double p99_during_us(const struct attack *attack)
{
    int64_t began_us = clock_monotonic_us();
    count_from_now();
    do
        attack->run();
    while (attack->kind == ATTACK_QUICK && !has_enough(began_us));
    return p99_us();
}

static bool is_felt(const struct attack *attack, double before_us,
                    double during_us)
{
    int unfelt_us = attack->unfelt_us > 0 ? attack->unfelt_us : UNFELT_US;
    return during_us > 2 * before_us && during_us > unfelt_us;
}

static void measure_here(const struct attack *attack)
{
    double before_us = 0, during_us = 0, before_mb = attack_resident_mb();
    for (int i = 0; i < TRIES; i++) {
        before_us = p99_during_us(&honest);
        during_us = p99_during_us(attack);
        if (!is_felt(attack, before_us, during_us))
            break;
    }
    double grown_mb = atomic_load(&good.most_mb) - before_mb;
    printf("             %s: p99 of the others %.2f ms, before %.2f;"
           " memory %+.1f MiB\n",
           attack_tls ? "TLS" : "h2c", during_us / 1000, before_us / 1000,
           grown_mb);
    assert_false(is_felt(attack, before_us, during_us));
    assert_true(grown_mb < (attack->grown_mb_max > 0 ? attack->grown_mb_max
                                                     : GROWN_MB_MAX));
}

void attack_measure(const struct attack *attack)
{
    for (int wire = 0; wire < 2; wire++) {
        attack_tls = wire == 0;
        if (is_measured())
            measure_here(attack);
        else
            attack->run();
        attack_assert_still_serves();
    }
}
