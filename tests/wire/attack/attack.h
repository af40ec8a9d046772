#ifndef PRBAL_TESTS_WIRE_ATTACK_H
#define PRBAL_TESTS_WIRE_ATTACK_H

/* What a hostile client sends to a real prbald with listen_mode=both, and what
 * the others feel of it.  Each attack runs over TLS and in clear text; it
 * asserts with what the server stopped it.  While it lasts a client with
 * manners calls on a connection of its own and the server's memory is watched.
 */
#include "tests/wire/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
/* No limit counts it: attacks are repeated until they can be measured. */
#define HEALTH "/grpc.health.v1.Health/Check"
#define WATCH "/grpc.health.v1.Health/Watch"
/* Open to everybody; with lists, texts and patterns in the request. */
#define CATEGORIES "/prbal.v1.CatalogService/ListCategories"
#define SERVICES "/prbal.v1.ListingService/ListServices"
#define REFLECTION "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"

/* gRPC's numbers. */
enum {
    OK = 0,
    INVALID_ARGUMENT = 3,
    DEADLINE_EXCEEDED = 4,
    RESOURCE_EXHAUSTED = 8,
    UNIMPLEMENTED = 12,
    INTERNAL = 13,
    UNAUTHENTICATED = 16,
};

struct attack {
    const char *promise;
    void (*run)(void);
    enum {
        ATTACK_QUICK, /* repeated until there is enough to measure */
        ATTACK_ONCE,  /* takes long, or what it holds is the point */
    } kind;
    /* What the settings let it hold, where that is more than the usual 8 MiB.
     */
    int grown_mb_max;
    /* Below it a p99 is not compared, where that is more than the usual 4 ms.
     */
    int unfelt_us;
};

/* By topic; a row with a NULL promise ends each. */
extern const struct attack attacks_by_frames[];
extern const struct attack attacks_by_headers[];
extern const struct attack attacks_by_messages[];
extern const struct attack attacks_by_connections[];
extern const struct attack attacks_by_http1[];
extern const struct attack attacks_by_connect[];
extern const struct attack attacks_by_tls[];
extern const struct attack attacks_by_expansion[];
/* Of a server with the small limits of tests/wire/attack_test. */
extern const struct attack attacks_by_slowness[];
extern const struct attack attacks_by_numbers[];

/* Where the server is, and over what this attack runs. */
extern int attack_port, attack_process;
extern bool attack_tls;
/* The operator's socket, and the port of the metrics; NULL and 0 where the
 * attacks do not need them. */
extern const char *attack_operator;
extern int attack_edge;

double attack_resident_mb(void);

/* A client with manners, new each time, is served. */
void attack_assert_still_serves(void);

/* A connection for bytes, with the preface and SETTINGS exchanged. */
struct raw *attack_greeted(void);
void attack_request(struct raw *raw, uint32_t stream, uint8_t flags);

/* The server ends the connection by a GOAWAY with this code and debug text. */
void attack_assert_refused(struct raw *raw, int64_t code, const char *reason);

struct client *attack_connected(void);

/* The same from an address of 127.0.0.0/8, so that it has limits of its own. */
struct client *attack_connected_from(const char *from);

/* A counter of /metrics: the line that begins with these words; 0 when there is
 * none. */
double attack_metric(const char *line);

/* One request, answered with this grpc-status on a connection that stays. */
void attack_assert_answer(const char *path, const struct rpc_header *headers,
                          const void *body, size_t size, int status);

/* 64 MB of zeros, packed; returns the size.  (bombs.c) */
size_t attack_gzip_bomb(uint8_t *out, size_t room);
size_t attack_zstd_bomb(uint8_t *out, size_t room);

/* --- what the others feel (measure.c) --- */

/* Runs it over both wires; with PRBAL_ATTACK_MEASURES set, memory and the
 * well-behaved client's times are held to their bounds. */
void attack_measure(const struct attack *attack);
void attack_measure_start(void);

#endif
