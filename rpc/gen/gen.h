#ifndef PRBAL_RPC_GEN_GEN_H
#define PRBAL_RPC_GEN_GEN_H

#include "rpc/arena.h"

#include <google/protobuf/compiler/plugin.pb-c.h>
#include <google/protobuf/descriptor.pb-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What the parts of protoc-gen-prbal share: the request, what has been written
 * and what is wrong.  Everything lives in one arena until the end. */

typedef Google__Protobuf__FileDescriptorProto proto_file;
typedef Google__Protobuf__DescriptorProto proto_message;
typedef Google__Protobuf__FieldDescriptorProto proto_field;
typedef Google__Protobuf__OneofDescriptorProto proto_oneof;
typedef Google__Protobuf__EnumDescriptorProto proto_enum;
typedef Google__Protobuf__ServiceDescriptorProto proto_service;
typedef Google__Protobuf__MethodDescriptorProto proto_method;

/* A message with where it is; `scope` is its name in the package with dots for
 * nesting ("Bid.Line"). */
struct message_at {
    const proto_file *file;
    const proto_message *message;
    const char *scope;
    struct rpc_rules *rules; /* NULL = nothing to check: find_rules() */
};

struct gen {
    struct arena *arena;
    proto_file **files; /* all, imports before those who import */
    size_t file_count;
    struct message_at *messages; /* all, nested ones too */
    size_t message_count;
    bool rules_everywhere; /* in every package, not only in ours */

    Google__Protobuf__Compiler__CodeGeneratorResponse response;
    size_t output_room;
    char *problems; /* sentences; NULL = none */
};

/* A sentence about the .proto files that stops the build. */
void gen_problem(struct gen *gen, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds a file to the answer; `content` is copied. */
void gen_output(struct gen *gen, const char *name, const char *content,
                size_t size);

const proto_file *gen_file(const struct gen *gen, const char *name);

/* By ".prbal.v1.Bid", the way that fields name their types; NULL when there is
 * no such message. */
const struct message_at *gen_message(const struct gen *gen,
                                     const char *type_name);

/* True when the file's package is `package` or lies in it. */
bool in_package(const proto_file *file, const char *package);

/* "pb.Bid.Line": the full name that protoc-c's names are made from. */
char *c_full_name(struct gen *gen, const proto_file *file, const char *scope);

/* All records of an extension in an options message, one after the other
 * without their length prefixes: protobuf's merge rule makes one message of
 * that.  NULL when there is none; `options` may be NULL. */
uint8_t *option_bytes(struct gen *gen, const ProtobufCMessage *options,
                      uint32_t tag, size_t *size);

/* The last varint under `tag`, or 0. */
uint64_t option_number(const ProtobufCMessage *options, uint32_t tag);

/* Fills in gen->messages; first of all. */
void index_messages(struct gen *gen);
char *rules_name(struct gen *gen, const struct message_at *at);

/* One for each kind of file that is written. */
void emit_header(struct gen *gen, const proto_file *file);
void emit_source(struct gen *gen, const proto_file *file);
void emit_client(struct gen *gen, const proto_file *file);
void emit_registries(struct gen *gen);

/* The parts of a source file. */
void emit_rules(struct gen *gen, FILE *out, const proto_file *file);
void emit_service(struct gen *gen, FILE *out, const proto_file *file,
                  const proto_service *service);

/* rpc/json_table.h: the table of a message, "pb__bid__json", those of a file,
 * and whether a server can send messages of this file. */
char *json_name_of(struct gen *gen, const struct message_at *at);
void emit_json(struct gen *gen, FILE *out, const proto_file *file);
bool is_sent(const struct gen *gen, const proto_file *file);

/* "bid_accept_bid"; and "pb__bid_service__service", its table. */
char *handler_name(struct gen *gen, const proto_service *service,
                   const proto_method *method);
char *service_name(struct gen *gen, const proto_file *file,
                   const proto_service *service);

/* v1alpha reflection is the v1 one under another name: its methods take the
 * v1 messages and run the v1 handlers. */
const proto_file *implemented_by(const struct gen *gen, const proto_file *file);

#endif
