#include "db/row_plan.h"

#include "db/column.h"

#include <stdlib.h>
#include <string.h>

/* "amount.currency" has two parts. */
enum { PARTS_MAX = 5 };

struct column_plan {
    int parts; /* the last one is the field, those before it messages */
    const ProtobufCFieldDescriptor *path[PARTS_MAX];
    column_read read;
    uint32_t oid;
    bool takes_message; /* what the reader is given: the message or the place */
};

struct row_plan {
    const struct db_query *query;
    int column_count;
    struct column_plan columns[];
};

static bool find_path(struct column_plan *c,
                      const ProtobufCMessageDescriptor *type, const char *name)
{
    char part[64];
    for (c->parts = 0; c->parts < PARTS_MAX && type != NULL; name++) {
        size_t size = strcspn(name, ".");
        if (size >= sizeof part)
            return false;
        memcpy(part, name, size);
        part[size] = '\0';
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(type, part);
        if (field == NULL)
            return false;
        c->path[c->parts++] = field;
        name += size;
        if (*name == '\0')
            return true;
        bool one_message = field->type == PROTOBUF_C_TYPE_MESSAGE &&
                           field->label != PROTOBUF_C_LABEL_REPEATED;
        type = one_message ? field->descriptor : NULL;
    }
    return false;
}

static bool plan_column(struct column_plan *c, const struct db_query *query,
                        const PGresult *result, int column, char *error,
                        size_t size)
{
    const char *name = PQfname(result, column);
    if (!find_path(c, query->row, name)) {
        snprintf(error, size, "%s: column \"%s\" has no field in %s",
                 query->name, name, query->row->short_name);
        return false;
    }
    const ProtobufCFieldDescriptor *field = c->path[c->parts - 1];
    c->oid = PQftype(result, column);
    c->read = column_reader_for(c->oid, field);
    c->takes_message = field->type == PROTOBUF_C_TYPE_MESSAGE ||
                       field->label == PROTOBUF_C_LABEL_REPEATED;
    if (c->read != NULL)
        return true;
    snprintf(error, size,
             "%s: column \"%s\" of type OID %u does not fit its field in %s",
             query->name, name, c->oid, query->row->short_name);
    return false;
}

static bool column_comes_twice(const PGresult *result, int column)
{
    for (int i = 0; i < column; i++)
        if (strcmp(PQfname(result, i), PQfname(result, column)) == 0)
            return true;
    return false;
}

struct row_plan *row_plan_create(const struct db_query *query,
                                 const PGresult *result, char *error,
                                 size_t size)
{
    int count = PQnfields(result);
    struct row_plan *plan =
        calloc(1, sizeof *plan + (size_t)count * sizeof *plan->columns);
    if (plan == NULL)
        abort();
    plan->query = query;
    plan->column_count = count;
    for (int i = 0; i < count; i++) {
        if (column_comes_twice(result, i)) {
            snprintf(error, size, "%s: column \"%s\" comes twice", query->name,
                     PQfname(result, i));
            free(plan);
            return NULL;
        }
        if (!plan_column(&plan->columns[i], query, result, i, error, size)) {
            free(plan);
            return NULL;
        }
    }
    return plan;
}

bool row_plan_fits(const struct row_plan *plan, const PGresult *result)
{
    if (PQnfields(result) != plan->column_count)
        return false;
    for (int i = 0; i < plan->column_count; i++)
        if (PQftype(result, i) != plan->columns[i].oid)
            return false;
    return true;
}

/* Only what has no bytes can be NULL. */
static bool read_column(struct column_reader *reader,
                        const struct column_plan *c, ProtobufCMessage *message,
                        const PGresult *result, int row, int column)
{
    size_t size = (size_t)PQgetlength(result, row, column);
    if (size == 0 && PQgetisnull(result, row, column))
        return true;
    for (int i = 0; i + 1 < c->parts; i++)
        message = column_message(reader->arena, message, c->path[i]);
    const ProtobufCFieldDescriptor *field = c->path[c->parts - 1];
    void *at = c->takes_message ? message : column_present(message, field);
    return c->read(reader, field, PQgetvalue(result, row, column), size, at);
}

rpc_status row_read(struct rpc_call *call, const struct row_plan *plan,
                    const PGresult *result, int row, void *message)
{
    const ProtobufCMessageDescriptor *type = plan->query->row;
    struct column_reader reader = {.arena = call->arena};
    ProtobufCMessage *m = arena_alloc(call->arena, type->sizeof_message);
    protobuf_c_message_init(type, m);
    for (int i = 0; i < plan->column_count; i++) {
        if (read_column(&reader, &plan->columns[i], m, result, row, i))
            continue;
        return rpc_fail(call, RPC_INTERNAL, "%s: column \"%s\" holds %s",
                        plan->query->name, PQfname(result, i), reader.problem);
    }
    memcpy(message, &m, sizeof m);
    return RPC_SUCCESS;
}
