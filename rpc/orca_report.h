#ifndef PRBAL_RPC_ORCA_REPORT_H
#define PRBAL_RPC_ORCA_REPORT_H

#include "rpc/load.h"

#include <pthread.h>

/* Load reports as the files of rpc/ see them. */

struct call_state;
struct rpc_worker;

typedef enum {
    ORCA_COST,
    ORCA_UTILIZATION,
    ORCA_METRIC,
    ORCA_KINDS,
} orca_kind;

struct orca_named {
    orca_kind kind;
    double value;
    char name[RPC_LOAD_NAME_BYTES];
};

struct orca_report {
    unsigned has; /* a bit per rpc_load */
    unsigned named_count;
    double values[RPC_LOAD_VALUES];
    struct orca_named named[RPC_LOAD_NAMES_MAX];
};

/* A worker's copy of what the server reports, at most a second old, and as its
 * answers say it. */
struct orca_copy {
    struct orca_report report;
    struct arena *arena; /* of the bytes */
    const uint8_t *bytes;
    size_t size;
};

struct orca_copy *orca_copy_create(void);
void orca_copy_destroy(struct orca_copy *copy);

/* What the whole server reports.  Given stands before measured. */
struct orca_server {
    pthread_mutex_t lock;
    struct orca_report measured, given;
    struct load_meter meter; /* the first worker's */
};

struct orca_server *orca_server_create(void);
void orca_server_destroy(struct orca_server *orca); /* accepts NULL */

/* `over` stands before what `report` says. */
void orca_merge(struct orca_report *report, const struct orca_report *over);

/* On the worker's loop, about once a second. */
void orca_tick(struct rpc_worker *worker);

/* The trailer with the call's report, unless there is nothing to say. */
void orca_add_trailer(struct call_state *state);

#endif
