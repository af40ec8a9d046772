#include "tests/testkit/testkit.h"

#include "google/rpc/error_details.rpc.h"
#include "google/rpc/status.rpc.h"
#include "prbal/v1/registry.rpc.h"
#include "rpc/clock.h"
#include "rpc/codec.h"
#include "rpc/enum_name.h"
#include "rpc/log.h"
#include "rpc/loop.h"
#include "services/app.h"
#include "services/auth/token.h"
#include "services/keys.h"
#include "tests/testkit/scratch.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TOKEN_LIFETIME_MS = 15 * 60 * 1000 };

/* The fixture, and what tests need not see. */
struct kit {
    fixture base;
    struct scratch *scratch;
    PGconn *pg;
    char folder[64];
    struct app app;
};

static struct kit *kit_of(fixture *t)
{
    return (struct kit *)t;
}

/* ------------------------------------------------------------------ start */

static bool load_keys(struct kit *kit)
{
    char error[512], keys[128];
    snprintf(kit->folder, sizeof kit->folder, "/tmp/prbal-keys.XXXXXX");
    if (mkdtemp(kit->folder) == NULL)
        return false;
    snprintf(keys, sizeof keys, "%s/keys", kit->folder);
    if (app_config_set("data", kit->folder, error, sizeof error) &&
        keys_load(keys, error, sizeof error))
        return true;
    fprintf(stderr, "testkit: %s\n", error);
    return false;
}

static bool start_server(struct kit *kit)
{
    static const struct rpc_registry *const registries[] = {&prbal_registry,
                                                            NULL};
    kit->app.database_url = scratch_url(kit->scratch);
    kit->base.server = rpc_server_create(
        &(struct rpc_server_options){.registries = registries,
                                     .hooks = app_hooks(),
                                     .application = &kit->app,
                                     .error_domain = "prbal"});
    return rpc_server_start_here(kit->base.server).code == RPC_OK;
}

int kit_start(void **state)
{
    struct kit *kit = calloc(1, sizeof *kit);
    if (kit == NULL)
        abort();
    *state = &kit->base;
    kit->base.arena = arena_create();
    /* What a client reads as "internal error" is explained on stderr. */
    char error[256];
    log_open(&(struct log_options){.level = LOG_ERROR, .without_calls = true},
             error, sizeof error);
    kit->scratch = scratch_create();
    if (kit->scratch == NULL || !load_keys(kit))
        return -1;
    kit->base.url = scratch_url(kit->scratch);
    kit->pg = PQconnectdb(kit->base.url);
    if (PQstatus(kit->pg) != CONNECTION_OK || !start_server(kit))
        return -1;
    return 0;
}

int kit_stop(void **state)
{
    struct kit *kit = *state;
    if (kit->base.server != NULL) {
        rpc_server_stop_here(kit->base.server);
        rpc_server_destroy(kit->base.server);
    }
    PQfinish(kit->pg);
    scratch_destroy(kit->scratch);
    keys_forget();
    log_close();
    arena_destroy(kit->base.arena);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", kit->folder);
    int removed = kit->folder[0] == '\0' ? 0 : system(command);
    free(kit);
    return removed;
}

int kit_after(void **state)
{
    fixture *t = *state;
    arena_reset(t->arena);
    return 0;
}

/* -------------------------------------------------------------------- SQL */

static PGresult *query(fixture *t, const char *format, va_list args)
{
    char *statement = arena_vprintf(t->arena, format, args);
    PGresult *r = PQexec(kit_of(t)->pg, statement);
    ExecStatusType status = PQresultStatus(r);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        char *why = arena_strdup(t->arena, PQresultErrorMessage(r));
        PQclear(r);
        fail_msg("%s%s", why, statement);
    }
    return r;
}

void sql(fixture *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    PQclear(query(t, format, args));
    va_end(args);
}

static const char *one_value(fixture *t, PGresult *r)
{
    const char *value = NULL;
    int rows = PQntuples(r);
    if (rows == 1 && !PQgetisnull(r, 0, 0))
        value = arena_strdup(t->arena, PQgetvalue(r, 0, 0));
    PQclear(r);
    assert_int_equal(rows, 1);
    return value;
}

int64_t number(fixture *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *value = one_value(t, query(t, format, args));
    va_end(args);
    assert_non_null(value);
    return strtoll(value, NULL, 10);
}

const char *text(fixture *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *value = one_value(t, query(t, format, args));
    va_end(args);
    return value;
}

/* ----------------------------------------------------------------- people */

static void insert_person(fixture *t, struct person *p, const char *type,
                          bool is_active)
{
    p->full_name = arena_printf(t->arena, "Person %d", ++t->people);
    p->email = arena_printf(t->arena, "person%d@example.org", t->people);
    p->user_id =
        text(t,
             "insert into account (email, full_name, user_type, admin_level,"
             " account_status, is_email_verified) values ('%s', '%s', '%s',"
             " '%s', '%s', %s) returning user_id",
             p->email, p->full_name, type,
             strcmp(type, "ADMIN") == 0 ? "STAFF" : "NONE",
             is_active ? "ACTIVE" : "INACTIVE", is_active ? "true" : "false");
    sql(t, "insert into profile (user_id) values ('%s')", p->user_id);
    sql(t, "insert into user_preference (user_id) values ('%s')", p->user_id);
    if (strcmp(type, "PROVIDER") == 0 || strcmp(type, "BOTH") == 0)
        sql(t, "insert into provider_profile (user_id) values ('%s')",
            p->user_id);
    p->session_id = text(
        t,
        "insert into session (user_id, refresh_hash, expires_at) values ('%s',"
        " sha256(uuid_send(gen_random_uuid())), now() + interval '7 days')"
        " returning session_id",
        p->user_id);
}

static struct person make_person(fixture *t, UserType type, bool is_active)
{
    struct person p = {0};
    const char *name = enum_name(USER_TYPE_DESCRIPTOR, (int)type);
    const char *level = type == USER_TYPE_ADMIN ? "STAFF" : "NONE";
    insert_person(t, &p, name, is_active);
    const struct token_subject subject = {
        .user_id = p.user_id,
        .session_id = p.session_id,
        .user_type = name,
        .roles = token_roles(name, level, !is_active)};
    int64_t expires_us;
    p.token = token_issue(t->arena, &subject, TOKEN_LIFETIME_MS, &expires_us);
    return p;
}

struct person person(fixture *t, UserType type)
{
    return make_person(t, type, true);
}

struct person pending_person(fixture *t, UserType type)
{
    return make_person(t, type, false);
}

/* ------------------------------------------------------------------ calls */

struct rpc_reply call_with(fixture *t, const struct rpc_header *headers,
                           const char *path, const void *request)
{
    return rpc_local_call(t->server, t->arena, path, headers, request);
}

static const struct rpc_header *headers_of(fixture *t, const struct person *who)
{
    struct rpc_header *headers = arena_array(t->arena, 2, sizeof *headers);
    if (who != NULL)
        headers[0] = (struct rpc_header){
            "authorization", arena_printf(t->arena, "Bearer %s", who->token)};
    return headers;
}

struct rpc_reply call_as(fixture *t, const struct person *who, const char *path,
                         const void *request)
{
    return call_with(t, headers_of(t, who), path, request);
}

struct rpc_local *stream_as(fixture *t, const struct person *who,
                            const char *path, const void *request)
{
    struct rpc_local *local =
        rpc_local_open(t->server, path, headers_of(t, who));
    rpc_local_send(local, request);
    rpc_local_close_send(local);
    return local;
}

struct pause {
    struct loop_timer timer;
    bool over;
};

static void timer_fired(struct loop_timer *timer)
{
    ((struct pause *)timer)->over = true;
}

void run_for(fixture *t, int64_t ms)
{
    struct loop *loop = rpc_server_loop(t->server, 0);
    struct pause pause = {.over = false};
    loop_timer_init(&pause.timer, timer_fired);
    loop_timer_start(loop, &pause.timer, ms);
    loop_run_until(loop, &pause.over);
}

Google__Protobuf__Timestamp *in_minutes(fixture *t, int64_t minutes)
{
    Google__Protobuf__Timestamp *time =
        ARENA_NEW(t->arena, Google__Protobuf__Timestamp);
    google__protobuf__timestamp__init(time);
    time->seconds = clock_wall_us() / 1000000 + minutes * 60;
    return time;
}

/* ---------------------------------------------------------------- asserts */

static void fail_at(const char *file, int line, const char *what)
{
    print_error("%s\n", what);
    _fail(file, line);
}

void kit_assert_code(struct rpc_reply reply, rpc_code want, const char *file,
                     int line)
{
    char what[512];
    if (reply.status.code == want)
        return;
    snprintf(what, sizeof what, "got %s (%s), want %s",
             rpc_code_name(reply.status.code),
             reply.status.message != NULL ? reply.status.message : "",
             rpc_code_name(want));
    fail_at(file, line, what);
}

const ProtobufCMessage *kit_answer(struct rpc_reply reply, const char *file,
                                   int line)
{
    kit_assert_code(reply, RPC_OK, file, line);
    return reply.message;
}

/* The detail of this type, decoded into `arena`; NULL when there is none. */
static const void *detail(struct arena *arena, struct rpc_reply reply,
                          const ProtobufCMessageDescriptor *type)
{
    struct codec_error error;
    const Status *status = (const Status *)codec_decode(
        arena, STATUS_DESCRIPTOR, reply.details, reply.details_size, &error);
    for (size_t i = 0; status != NULL && i < status->n_details; i++) {
        const Google__Protobuf__Any *any = status->details[i];
        const char *slash = strrchr(any->type_url, '/');
        if (slash != NULL && strcmp(slash + 1, type->name) == 0)
            return codec_decode(arena, type, any->value.data, any->value.len,
                                &error);
    }
    return NULL;
}

static bool violates(struct arena *arena, struct rpc_reply reply,
                     const char *field)
{
    const BadRequest *bad = detail(arena, reply, BAD_REQUEST_DESCRIPTOR);
    for (size_t i = 0; bad != NULL && i < bad->n_field_violations; i++)
        if (strcmp(bad->field_violations[i]->field, field) == 0)
            return true;
    return false;
}

bool reply_violates(fixture *t, struct rpc_reply reply, const char *field)
{
    return violates(t->arena, reply, field);
}

const char *reply_reason(fixture *t, struct rpc_reply reply)
{
    const ErrorInfo *info = detail(t->arena, reply, ERROR_INFO_DESCRIPTOR);
    return info == NULL ? "" : info->reason;
}

const char *reply_metadata(fixture *t, struct rpc_reply reply, const char *key)
{
    const ErrorInfo *info = detail(t->arena, reply, ERROR_INFO_DESCRIPTOR);
    for (size_t i = 0; info != NULL && i < info->n_metadata; i++)
        if (strcmp(info->metadata[i]->key, key) == 0)
            return info->metadata[i]->value;
    return "";
}

void kit_assert_reason(struct rpc_reply reply, rpc_code want_code,
                       const char *want_reason, const char *file, int line)
{
    char what[512];
    kit_assert_code(reply, want_code, file, line);
    struct arena *arena = arena_create();
    const ErrorInfo *info = detail(arena, reply, ERROR_INFO_DESCRIPTOR);
    const char *got = info == NULL ? "no reason" : info->reason;
    bool same = strcmp(got, want_reason) == 0;
    snprintf(what, sizeof what, "got %s (%s), want %s", got,
             reply.status.message, want_reason);
    arena_destroy(arena);
    if (!same)
        fail_at(file, line, what);
}

void kit_assert_field(struct rpc_reply reply, const char *field,
                      const char *file, int line)
{
    char what[512];
    kit_assert_code(reply, RPC_INVALID_ARGUMENT, file, line);
    struct arena *arena = arena_create();
    bool found = violates(arena, reply, field);
    arena_destroy(arena);
    snprintf(what, sizeof what, "no violation of \"%s\" (%s)", field,
             reply.status.message);
    if (!found)
        fail_at(file, line, what);
}
