#ifndef PRBAL_SERVICES_COMMANDS_SERVE_START_H
#define PRBAL_SERVICES_COMMANDS_SERVE_START_H

#include "services/app.h"
#include "services/commands/command.h"
#include "services/commands/database.h"
#include "services/commands/handover.h"
#include "services/commands/live_settings.h"
#include "services/commands/tls_files.h"

#include <stdbool.h>

/* How `prbald serve` comes up; serve.c is what it does then. */

/* What runs, in the order in which it was started. */
struct serving {
    struct database database;
    struct app app;
    struct rpc_server *server;
    struct rpc_faults *faults;
    struct edge *edge; /* NULL when PRBAL_EDGE_LISTEN is empty */
    struct tls_files tls;
    struct live_settings *live; /* as they were read last */
    struct handover_offer *offer;
    struct handover_gift gift;
    int predecessor;   /* the link to it while we take over; -1 = none */
    bool is_succeeded; /* another process serves now */
    char error[COMMAND_ERROR_BYTES];
};

/* Takes the steps, one after the other: limits of the process, log, database,
 * keys, certificate, listeners, the server.  False with a sentence in s->error
 * at the first that fails; what the ones before it have made is in *s.  Main
 * thread, signals are blocked; blocks for as long as PostgreSQL takes. */
bool serve_start(struct serving *s);

/* A line on stdout for whoever started the server: "ready        stop with
 * ...". */
__attribute__((format(printf, 2, 3))) void serve_say(const char *what,
                                                     const char *format, ...);

/* PRBAL_ENVIRONMENT=development. */
bool serve_is_development(void);

#endif
