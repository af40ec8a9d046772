#ifndef PRBAL_RPC_PROCESS_METRICS_H
#define PRBAL_RPC_PROCESS_METRICS_H

/* Adds what Prometheus's dashboards expect of every process: memory, CPU time,
 * open files, start time.  Harmless when called again. */
void process_metrics_add(void);

#endif
