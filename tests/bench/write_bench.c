/* write_bench [SECONDS] -- single writes and transactions of one write, with
 * and without the position that tells of them (prbal-read-after), side by side
 * in one run: writes a second, and this process's CPU for each.  PostgreSQL
 * does not wait for a disk, so that what is compared is work.  Build with the
 * release preset; compare rows of one run only. */
#include "rpc/clock.h"
#include "tests/db/rows.rpc.h"
#include "tests/db/rows.sql.h"
#include "tests/testkit/dbkit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { ROWS = 10000, CALLS_MAX = 100, WRITES_PER_ARENA = 64, ROUNDS = 3 };

static const struct rpc_method writing = {.path = "/test/Write"};

struct load {
    bool in_transaction, tells;
    int64_t end_us;
    int64_t writes;
};

static rpc_status write_once(struct rpc_call *call, bool in_transaction)
{
    Part *part;
    struct db *tx;
    int id = rand() % ROWS;
    if (!in_transaction)
        return db_one(call->db, &test_item_add, &part, db_int(id), db_int(1));
    TRY(db_begin(call->db, &tx));
    TRY(db_one(tx, &test_item_add, &part, db_int(id), db_int(1)));
    return db_commit(tx);
}

/* Many calls in one, each with an arena of its own. */
static rpc_status write_on(struct rpc_call *call, void *argument)
{
    struct load *load = argument;
    call->method = load->tells ? &writing : NULL;
    while (clock_monotonic_us() < load->end_us) {
        TRY(write_once(call, load->in_transaction));
        if (++load->writes % WRITES_PER_ARENA == 0) {
            arena_reset(call->arena);
            call->db = db_open(call);
        }
    }
    return RPC_SUCCESS;
}

static double cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void measure(struct dbkit *kit, int calls, bool in_transaction,
                    bool tells, int seconds)
{
    static struct dbkit_task tasks[CALLS_MAX];
    struct load load = {.in_transaction = in_transaction,
                        .tells = tells,
                        .end_us = clock_monotonic_us() + seconds * 1000000LL};
    double before_us = cpu_us();
    for (int i = 0; i < calls; i++)
        dbkit_start(kit, &tasks[i], write_on, &load);
    for (int i = 0; i < calls; i++) {
        dbkit_wait(&tasks[i]);
        if (tasks[i].status.code != RPC_OK)
            printf("%s\n", tasks[i].status.message);
    }
    double per_write_us = (cpu_us() - before_us) / (double)load.writes;
    printf("%-12s %-9s %4d in flight %9.0f /s %8.2f us\n",
           in_transaction ? "transaction" : "lane",
           tells ? "position" : "plain", calls, (double)load.writes / seconds,
           per_write_us);
}

int main(int argc, char **argv)
{
    static const int calls[] = {1, 10, 100};
    int seconds = argc > 1 ? atoi(argv[1]) : 3;
    struct dbkit *kit =
        dbkit_create(&(struct db_pool_options){.prepare = true});
    dbkit_sql(kit, "create table test_item (item_id integer primary key,"
                   "  name text not null, amount bigint not null);"
                   "insert into test_item select n, repeat('x', 200), n"
                   "  from generate_series(0, 9999) n;"
                   "analyze test_item");
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        for (int kind = 0; kind < 2; kind++)
            for (int round = 0; round < 2 * ROUNDS; round++)
                measure(kit, calls[i], kind == 1, round % 2 == 1, seconds);
    dbkit_destroy(kit);
    return 0;
}
