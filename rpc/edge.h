#ifndef PRBAL_RPC_EDGE_H
#define PRBAL_RPC_EDGE_H

#include <stdbool.h>
#include <stddef.h>

/* A small HTTP/1.1 listener for those who do not speak gRPC: probes, scrapers,
 * key fetchers.  GET and HEAD of fixed paths, clear text, one thread of its
 * own; at most EDGE_CONNECTIONS_MAX connections, each for EDGE_IDLE_S. */
enum { EDGE_CONNECTIONS_MAX = 64, EDGE_IDLE_S = 15 };

struct edge_answer {
    int status;
    const char *content_type; /* a literal */
    char *body;               /* by malloc(); the edge frees it */
    size_t size;
};

struct edge_route {
    const char *path; /* "/healthz", matched whole */
    void (*answer)(void *argument, struct edge_answer *answer);
};

struct edge;

/* `address` is "HOST:PORT" or "[V6]:PORT"; port 0 takes a free one.  `routes`
 * end with a NULL path and run on the edge's thread, so they block nobody.
 * NULL with a sentence in error[error_size]. */
struct edge *edge_start(const char *address, const struct edge_route *routes,
                        void *argument, char *error, size_t error_size);
int edge_port(const struct edge *edge);

/* Waits for the answers that are being given.  Accepts NULL. */
void edge_stop(struct edge *edge);

/* Fills in an answer with a copy of the text. */
void edge_text(struct edge_answer *answer, int status, const char *text);

#endif
