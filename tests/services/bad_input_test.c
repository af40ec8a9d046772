/* Bad input, for every unary RPC and every field of its request, found by the
 * descriptors: the answer is INVALID_ARGUMENT, it names the field, and nothing
 * was written. An RPC that is added is tested from its first day. */
#include "prbal/v1/registry.rpc.h"
#include "rpc/codec.h"
#include "rpc/enum_name.h"
#include "rpc/method.h"
#include "tests/testkit/market.h"
#include "tests/testkit/testkit.h"

#include <stdio.h>
#include <stdlib.h>

/* No text in the API may be this long, no list have so many members. */
enum { TOO_LONG = 20001, TOO_MANY = 1001, NO_SUCH_VALUE = 99999 };

typedef ProtobufCFieldDescriptor field_type;

struct attempt {
    fixture *t;
    const struct person *who;
    const struct rpc_method *method;
    ProtobufCMessage *request;
    char path[256]; /* of the field that is bad */
};

static void *at(ProtobufCMessage *message, const field_type *field)
{
    return (char *)message + field->offset;
}

/* A oneof member, and an optional field, is there when its case says so. */
static void set_present(ProtobufCMessage *message, const field_type *field)
{
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        *(int *)((char *)message + field->quantifier_offset) = (int)field->id;
}

static void set_absent(ProtobufCMessage *message, const field_type *field)
{
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        *(int *)((char *)message + field->quantifier_offset) = 0;
}

static bool names_field(struct attempt *a, struct rpc_reply reply)
{
    return strstr(reply.status.message, a->path) != NULL ||
           reply_violates(a->t, reply, a->path);
}

/* The request with this one field bad is refused because of it. */
static void must_be_refused(struct attempt *a, const char *what)
{
    struct rpc_reply reply = call_as(a->t, a->who, a->method->path, a->request);
    if (reply.status.code != RPC_INVALID_ARGUMENT || !names_field(a, reply))
        fail_msg("%s with %s in %s answered %s: %s", a->method->path, what,
                 a->path, rpc_code_name(reply.status.code),
                 reply.status.message != NULL ? reply.status.message : "");
}

static void try_text(struct attempt *a, ProtobufCMessage *message,
                     const field_type *field)
{
    char *text = arena_alloc(a->t->arena, TOO_LONG + 1);
    memset(text, 'a', TOO_LONG);
    const char **value = at(message, field);
    const char *before = *value;
    *value = text;
    set_present(message, field);
    must_be_refused(a, "a text that is too long");
    *value = before;
    set_absent(message, field);
}

static void try_enum(struct attempt *a, ProtobufCMessage *message,
                     const field_type *field)
{
    int *value = at(message, field);
    *value = NO_SUCH_VALUE;
    set_present(message, field);
    must_be_refused(a, "an unknown value");
    *value = 0;
    set_absent(message, field);
}

static size_t size_of_member(const field_type *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_INT32:
        return sizeof(int32_t);
    default:
        return sizeof(void *);
    }
}

static void try_many(struct attempt *a, ProtobufCMessage *message,
                     const field_type *field)
{
    void *members = arena_array(a->t->arena, TOO_MANY, size_of_member(field));
    for (size_t i = 0; i < TOO_MANY; i++) {
        if (field->type == PROTOBUF_C_TYPE_STRING)
            ((const char **)members)[i] = "x";
        else if (field->type == PROTOBUF_C_TYPE_MESSAGE)
            ((ProtobufCMessage **)members)[i] =
                codec_new(a->t->arena, field->descriptor);
    }
    *(size_t *)((char *)message + field->quantifier_offset) = TOO_MANY;
    *(void **)at(message, field) = members;
    must_be_refused(a, "too many members");
    *(size_t *)((char *)message + field->quantifier_offset) = 0;
    *(void **)at(message, field) = NULL;
}

static void try_fields(struct attempt *a, ProtobufCMessage *message,
                       const char *prefix);

/* Our own messages are looked into; timestamps and the like have no texts. */
static void try_message(struct attempt *a, ProtobufCMessage *message,
                        const field_type *field)
{
    const ProtobufCMessageDescriptor *type = field->descriptor;
    if (strncmp(type->name, "prbal.", 6) != 0)
        return;
    const char *prefix = arena_printf(a->t->arena, "%s.", a->path);
    ProtobufCMessage **nested = at(message, field);
    *nested = codec_new(a->t->arena, type);
    set_present(message, field);
    try_fields(a, *nested, prefix);
    *nested = NULL;
    set_absent(message, field);
}

static void try_field(struct attempt *a, ProtobufCMessage *message,
                      const field_type *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        try_many(a, message, field);
    else if (field->type == PROTOBUF_C_TYPE_STRING)
        try_text(a, message, field);
    else if (field->type == PROTOBUF_C_TYPE_ENUM)
        try_enum(a, message, field);
    else if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        try_message(a, message, field);
}

static void try_fields(struct attempt *a, ProtobufCMessage *message,
                       const char *prefix)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    for (unsigned i = 0; i < type->n_fields; i++) {
        snprintf(a->path, sizeof a->path, "%s%s", prefix, type->fields[i].name);
        try_field(a, message, &type->fields[i]);
    }
}

static void for_each_unary(fixture *t,
                           void (*visit)(fixture *t,
                                         const struct rpc_method *method))
{
    for (size_t s = 0; s < prbal_registry.service_count; s++) {
        const struct rpc_service *service = prbal_registry.services[s];
        for (size_t m = 0; m < service->method_count; m++)
            if (service->methods[m].kind == RPC_UNARY)
                visit(t, &service->methods[m]);
    }
}

static void visit_bad_fields(fixture *t, const struct rpc_method *method)
{
    struct person admin = person(t, USER_TYPE_ADMIN);
    struct attempt a = {
        .t = t,
        .who = &admin,
        .method = method,
        .request = codec_new(t->arena, method->request),
    };
    try_fields(&a, a.request, "");
}

static int64_t rows_written(fixture *t)
{
    return number(t, "select count(*) from service") +
           number(t, "select count(*) from bid") +
           number(t, "select count(*) from booking") +
           number(t, "select count(*) from chat_message") +
           number(t, "select count(*) from chat_room") +
           number(t, "select count(*) from notification") +
           number(t, "select count(*) from otp_challenge");
}

static void every_bad_field_is_named_and_nothing_is_written(void **state)
{
    fixture *t = *state;
    int64_t before = rows_written(t);
    for_each_unary(t, visit_bad_fields);
    assert_int_equal(rows_written(t), before);
}

static bool is_for_administrators(const struct rpc_method *method)
{
    return strstr(method->path, ".AdminService/") != NULL;
}

/* An empty request, and one whose ids are well formed but nobody's: any answer
 * but a failure of the server's own. */
static void visit_strangers_ids(fixture *t, const struct rpc_method *method)
{
    struct person who = person(
        t, is_for_administrators(method) ? USER_TYPE_ADMIN : USER_TYPE_BOTH);
    ProtobufCMessage *request = codec_new(t->arena, method->request);
    const ProtobufCMessageDescriptor *type = method->request;
    struct rpc_reply empty = call_as(t, &who, method->path, request);
    bool has_id = false;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const field_type *field = &type->fields[i];
        const char *name = field->name;
        size_t length = strlen(name);
        if (field->type != PROTOBUF_C_TYPE_STRING ||
            field->label == PROTOBUF_C_LABEL_REPEATED || length < 3 ||
            strcmp(name + length - 3, "_id") != 0)
            continue;
        *(const char **)at(request, field) = NOBODY;
        set_present(request, field);
        has_id = true;
    }
    struct rpc_reply strange = call_as(t, &who, method->path, request);
    const rpc_code codes[] = {empty.status.code, strange.status.code};
    for (size_t i = 0; i < 2; i++)
        if (codes[i] == RPC_INTERNAL || codes[i] == RPC_UNKNOWN ||
            codes[i] == RPC_UNAVAILABLE)
            fail_msg("%s answered %s", method->path, rpc_code_name(codes[i]));
    if (has_id && strstr(method->path, "/Get") != NULL)
        assert_code(strange, RPC_NOT_FOUND);
}

static void ids_of_nobody_are_not_found_and_never_an_error_of_ours(void **state)
{
    for_each_unary(*state, visit_strangers_ids);
}

TEST_MAIN("bad input", TEST(every_bad_field_is_named_and_nothing_is_written),
          TEST(ids_of_nobody_are_not_found_and_never_an_error_of_ours))
