#ifndef PRBAL_RPC_GEN_RULE_TABLES_H
#define PRBAL_RPC_GEN_RULE_TABLES_H

#include "rpc/gen/gen.h"
#include "rpc/rules.h"

/* From the options of buf.validate to the tables of rpc/rules.h, in memory and
 * in gen->arena.  protoc-gen-prbal prints them as C (rule_print.c); whoever has
 * descriptors at run time can use them as they are. */

/* Finds the messages that have rules to check, and gives each its tables, still
 * empty, so that they can point to each other. */
void find_rules(struct gen *gen);

/* Fills in the tables of one message that has some.  What cannot be checked
 * becomes a problem of gen. */
void read_rules(struct gen *gen, const struct message_at *at);

/* Within the reading of one message. */
struct rule_reader {
    struct gen *gen;
    const struct message_at *at;
};

struct check_list {
    struct rule_check *checks;
    size_t count;
    size_t room;
};

void check_list_add(struct rule_reader *reader, struct check_list *list,
                    struct rule_check check);

/* A sentence about a field of the message, for whoever builds. */
void rule_problem(struct rule_reader *reader, const char *field,
                  const char *format, const char *detail);

/* Adds the checks that a message like buf.validate.StringRules asks for;
 * `name` is what it is called there ("string"). */
void read_checks(struct rule_reader *reader, const char *field,
                 const char *name, const ProtobufCMessage *rules,
                 struct check_list *list);

#endif
