#ifndef PRBAL_RPC_GEN_RULE_CHECKS_H
#define PRBAL_RPC_GEN_RULE_CHECKS_H

#include "rpc/gen/gen.h"

/* Where the tables of one message go. */
struct emitter {
    struct gen *gen;
    FILE *out;
    const struct message_at *at;
    int serial; /* of the file's static names */
};

/* A sentence about a field of the message, for whoever builds. */
void rule_problem(struct emitter *e, const char *field, const char *format,
                  const char *detail);

/* Writes the rows of struct rule_check that a message like
 * buf.validate.StringRules asks for to `rows`, and what they point to to
 * e->out; returns how many. */
size_t emit_check_rows(struct emitter *e, FILE *rows, const char *field,
                       const ProtobufCMessage *rules);

#endif
