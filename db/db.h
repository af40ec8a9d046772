#ifndef PRBAL_DB_DB_H
#define PRBAL_DB_DB_H

#include "rpc/call.h"

#include <google/protobuf/timestamp.pb-c.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Something that statements run on: the loop's links (each statement on its
 * own), or a transaction.  Every function here suspends unless it says
 * otherwise, and answers the call's end, a statement's failure (db/sqlstate.c
 * says which code each SQLSTATE and each constraint becomes) or UNAVAILABLE
 * when PostgreSQL cannot be reached. */
struct db;

/* A named statement from a .sql file, written by db/gen/sql2c:
 *
 *     -- name: bid_accept :one Bid
 *
 * `row` is the message that a result row becomes.  Columns become fields by
 * name (db/row.c): "amount.currency" is field `currency` of message field
 * `amount`, which is there when one of its columns is not null; an enum comes
 * as its value's name with or without the enum's prefix; an array becomes a
 * repeated scalar; json(b) becomes google.protobuf.Struct or, object or array
 * by the field's own names, a message or repeated message; timestamptz becomes
 * google.protobuf.Timestamp; uuid, text, citext, numeric and date become
 * strings; null leaves the field unset. */
struct db_query {
    const char *name;
    const char *sql;
    const ProtobufCMessageDescriptor *row; /* NULL for :exec */
    const char *file;                      /* "services/bids/bid.sql" */
    int line;
    int param_count; /* the highest $n */
    bool reads;      /* changes nothing: may share the read lane */
    bool replan;     /* :replan -- never run by a generic plan, so sent unnamed:
                      * `$1 is null or x = $1` then costs nothing when $1 is
                      * null, and an index on x is used when it is not */
    int id;          /* dense, for per-link tables */
};

/* An argument.  It is sent in binary as the type that PostgreSQL deduced for
 * its $n, so db_text() serves uuid, text, citext, json(b), date, time, numeric
 * and enum parameters, db_int() int2, int4, int8 and bool, db_double() floats
 * and numeric.  A uuid that is not one makes the statement INVALID_ARGUMENT. */
typedef enum {
    DB_NULL,
    DB_TEXT,
    DB_INT,
    DB_DOUBLE,
    DB_BOOL,
    DB_BYTES,
    DB_TIME,
    DB_TEXTS,
    DB_INTS,
    DB_BLOBS,
} db_arg_type;

typedef struct {
    db_arg_type type;
    size_t count; /* bytes, or elements */
    union {
        const char *text;
        int64_t number;
        double real;
        const void *bytes;
        const char *const *texts;
        const int64_t *numbers;
        const ProtobufCBinaryData *blobs;
    };
} db_arg;

/* A NULL pointer is SQL null; so is "" for db_text_or_null(), the shape that an
 * unset proto string has. */
db_arg db_null(void);
db_arg db_text(const char *text);
db_arg db_text_or_null(const char *text);
db_arg db_int(int64_t number);
db_arg db_double(double number);
db_arg db_bool(bool value);
db_arg db_bytes(const void *bytes, size_t size);
db_arg db_time(const Google__Protobuf__Timestamp *time);
db_arg db_time_us(int64_t wall_us);
db_arg db_texts(const char *const *texts,
                size_t count);                        /* text[], uuid[] ... */
db_arg db_ints(const int64_t *numbers, size_t count); /* int4[], int8[] */
db_arg db_blobs(const ProtobufCBinaryData *blobs, size_t count); /* bytea[] */
/* The value's name without the enum's prefix ("OPEN"); 0 is null. */
db_arg db_enum(const ProtobufCEnumDescriptor *type, int value);
/* The same for a repeated enum; the texts live in `arena`.  The second one is
 * null for an empty list: a filter that is not there. */
db_arg db_enums(struct arena *arena, const ProtobufCEnumDescriptor *type,
                const void *values, size_t count);
db_arg db_enums_or_all(struct arena *arena, const ProtobufCEnumDescriptor *type,
                       const void *values, size_t count);

#define DB_ARGS(...)               \
    (const db_arg[]){__VA_ARGS__}, \
        sizeof((const db_arg[]){__VA_ARGS__}) / sizeof(db_arg)
enum { DB_ARGS_MAX = 48 };

/* A statement that takes no parameter is called with DB_NONE. */
#define DB_NONE db_null()

/* :one -- points `*message` at a new message in the call's arena.  No row is
 * NOT_FOUND with the row's name ("bid not found"). */
#define db_one(db, query, message, ...) \
    db_one_args(db, query, message, DB_ARGS(__VA_ARGS__))
rpc_status db_one_args(struct db *db, const struct db_query *query,
                       void *message, const db_arg *args, size_t count);

/* :one -- as db_one(), but no row sets `*message` to NULL and is OK. */
#define db_find(db, query, message, ...) \
    db_find_args(db, query, message, DB_ARGS(__VA_ARGS__))
rpc_status db_find_args(struct db *db, const struct db_query *query,
                        void *message, const db_arg *args, size_t count);

/* :many -- all rows as an array of messages, as a repeated field has them:
 * db_many(db, &bid_list, &res->n_bids, &res->bids, ...). */
#define db_many(db, query, n, messages, ...) \
    db_many_args(db, query, n, messages, DB_ARGS(__VA_ARGS__))
rpc_status db_many_args(struct db *db, const struct db_query *query, size_t *n,
                        void *messages, const db_arg *args, size_t count);

/* :exec -- reports how many rows it changed; `changed` may be NULL. */
#define db_exec(db, query, changed, ...) \
    db_exec_args(db, query, changed, DB_ARGS(__VA_ARGS__))
rpc_status db_exec_args(struct db *db, const struct db_query *query,
                        int64_t *changed, const db_arg *args, size_t count);

/* A transaction on a leased link.  BEGIN travels with the first statement.  It
 * belongs to the call: if the call ends before db_commit(), it is rolled back,
 * so a handler may return at any point.  `*tx` has the same interface as the
 * pool; a transaction inside a transaction is a programming error. */
rpc_status db_begin(struct db *db, struct db **tx);

/* From now on `fn(tx, argument)` runs first in every transaction of the call,
 * before db_begin() returns.  When it fails, nothing is left open and
 * db_begin() answers that.  While it is there, a statement that may change
 * something is refused outside a transaction (INTERNAL): `fn` is to see all
 * that the call writes.  One at a time; a NULL `fn` takes it away.  Does not
 * suspend. */
void db_on_begin(struct db *db, rpc_status (*fn)(struct db *tx, void *argument),
                 void *argument);

/* Runs the before-commit hooks, commits, gives the link back, runs the
 * after-commit hooks.  A link that breaks while COMMIT is on its way answers
 * UNKNOWN with reason WRITE_OUTCOME_UNKNOWN: nobody can say whether it
 * happened. */
rpc_status db_commit(struct db *tx);

/* Rolls back and gives the link back before the call ends. */
void db_rollback(struct db *tx);

/* Hooks of a transaction; `argument` lives in the call's arena.  Before-commit
 * hooks may run statements on `tx` and fail the commit.  After-commit hooks
 * must not suspend.  Adding the same (fn, argument) twice runs it once. */
void db_before_commit(struct db *tx,
                      rpc_status (*fn)(struct db *tx, void *argument),
                      void *argument);
void db_after_commit(struct db *tx,
                     void (*fn)(struct rpc_call *call, void *argument),
                     void *argument);

/* The argument that `fn` will get before the commit, or NULL when it was not
 * added: how a layer finds what it keeps for this transaction. */
void *db_before_commit_argument(const struct db *tx,
                                rpc_status (*fn)(struct db *tx,
                                                 void *argument));

/* What the call has committed so far, as a token: whoever reads with it, by
 * whatever node or replica, sees that and all that was committed before.  False
 * when there is nothing to tell.  Tokens are ordered as texts: of two, the
 * greater one is the later.  Does not suspend. */
enum { DB_READ_AFTER_BYTES = 40 };
bool db_read_after(const struct rpc_call *call,
                   char token[DB_READ_AFTER_BYTES]);

/* The same, false also when nothing is new since this was last asked. */
bool db_read_after_news(struct rpc_call *call, char token[DB_READ_AFTER_BYTES]);

/* From here on tokens cover what the call reads outside of transactions, too:
 * for who tells others of it, or answers for a write that was made before.
 * Does not suspend. */
void db_tell_reads(struct rpc_call *call);

bool db_is_transaction(const struct db *db); /* does not suspend */
struct rpc_call *db_call(const struct db *db);

/* True for a status that a serialization failure or deadlock made: the whole
 * transaction may be run again from the top. */
bool db_is_retryable(const struct rpc_call *call, rpc_status status);

/* Retries `body` up to 4 times while db_is_retryable(); the handler says by
 * using it that running it again is harmless. */
rpc_status db_retry(struct rpc_call *call,
                    rpc_status (*body)(struct rpc_call *call, void *argument),
                    void *argument);

#endif
