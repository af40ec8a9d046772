#ifndef PRBAL_RPC_ORCA_H
#define PRBAL_RPC_ORCA_H

#include "rpc/call.h"

/* How loaded this server is, for clients that balance over several (gRFC A51,
 * A114): with each answer in the trailer endpoint-load-metrics-bin, and beside
 * the calls as a stream of xds.service.orca.v3.OpenRcaService.  Both only when
 * rpc_server_options.load_reports asks for it; without that the functions
 * below do nothing. */

typedef enum {
    RPC_LOAD_CPU,    /* a fraction of the processors; may be more than 1 */
    RPC_LOAD_MEMORY, /* a fraction of the memory, 0 to 1 */
    RPC_LOAD_QPS,    /* calls a second */
    RPC_LOAD_EPS,    /* of these, those that failed by our fault */
    /* How full the server is in its own view; may be more than 1. */
    RPC_LOAD_APPLICATION,
    RPC_LOAD_VALUES,
} rpc_load;

/* What a report may hold; more is left out.  Names are cut. */
enum { RPC_LOAD_NAMES_MAX = 16, RPC_LOAD_NAME_BYTES = 48 };

/* For the report with this call's answer.  A value that is negative, no number,
 * or over the most that its kind allows is ignored.  A handler's value stands
 * before the server's; the last one under a name counts. */
void rpc_report_load(struct rpc_call *call, rpc_load which, double value);
/* What this call has cost, in units of the application. */
void rpc_report_cost(struct rpc_call *call, const char *name, double value);
/* How much of a resource of the application is in use, 0 to 1. */
void rpc_report_utilization(struct rpc_call *call, const char *name,
                            double value);
/* Anything else: any number. */
void rpc_report_metric(struct rpc_call *call, const char *name, double value);

/* The same for all reports from now on; from any thread. */
void rpc_server_report_load(struct rpc_server *server, rpc_load which,
                            double value);
void rpc_server_report_utilization(struct rpc_server *server, const char *name,
                                   double value);
void rpc_server_report_metric(struct rpc_server *server, const char *name,
                              double value);

/* Takes what the server reported back; measured values come again. */
void rpc_server_report_nothing(struct rpc_server *server);

/* The interval that a client asks for is kept within these; one that asks for
 * none gets the default. */
enum {
    RPC_LOAD_MS_MIN = 1000,
    RPC_LOAD_MS_MAX = 3600 * 1000,
    RPC_LOAD_MS_DEFAULT = 30000
};

#endif
