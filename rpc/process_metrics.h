#ifndef PRBAL_RPC_PROCESS_METRICS_H
#define PRBAL_RPC_PROCESS_METRICS_H

#include <stdint.h>

/* Adds what Prometheus's dashboards expect of every process: memory, CPU time,
 * open files, start time.  Harmless when called again. */
void process_metrics_add(void);

/* The same for others.  The start is when process_metrics_add() first ran. */
int64_t process_start_wall_us(void);
double process_cpu_seconds(void);
double process_resident_bytes(void);

#endif
