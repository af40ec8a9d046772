/* sql2c OUT ROOT FILE... -- named SQL statements become C.
 *
 * Every FILE (relative to ROOT) holds statements under a heading:
 *
 *     -- name: bid_accept :one Bid
 *     -- What it is for.
 *     update bid ... returning ...;
 *
 *     heading   verb  message  flags
 *     :one M / :many M / :exec
 *     :read / :write           overrule what the words of the statement say
 *     :replan                  planned for its arguments at each run, for
 *                              conditions that a null argument switches off
 *     :bounded WHY ...         why a :many needs no limit; the line's rest
 *
 * What several statements of a file share is written once, before them:
 *
 *     -- fragment: bid_columns
 *     b.bid_id, b.status;
 *
 * and {{bid_columns}} stands for it.
 *
 * OUT/x.sql.h and OUT/x.sql.c come out for each x.sql, and OUT/db/queries.c
 * (`db_queries`, every statement outside tests/) and OUT/tests/queries.c
 * (`test_queries`).  A file db/migrations/NNNN_name.sql becomes a row of
 * `db_migrations` in OUT/db/migrations.c instead.  A file that would not change
 * is not written.
 *
 * A message is named as in its .proto: `Bid` is in C package pb, a name that
 * starts with a package (`google.protobuf.Struct`) is taken whole. */
#include "db/gen/lexer.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    QUERIES_MAX = 8192,
    FRAGMENTS_MAX = 1024,
    NAME_MAX_BYTES = 64,
    PARAMS_MAX = 48,
};

struct text {
    char *bytes;
    size_t size, room;
};

enum verb { VERB_ONE, VERB_MANY, VERB_EXEC };

struct query {
    char name[NAME_MAX_BYTES];
    char message[2 * NAME_MAX_BYTES];
    const char *file;
    int line;
    enum verb verb;
    bool bounded;
    int effect; /* 'r' or 'w' when the heading says so, else 0 */
    bool reads;
    bool replan;
    int param_count;
    struct text sql;
};

struct fragment {
    char name[NAME_MAX_BYTES];
    const char *file;
    struct text sql;
};

static struct fragment fragments[FRAGMENTS_MAX];
static int fragment_count;
static struct query queries[QUERIES_MAX];
static int query_count;
static int error_count;

/* ------------------------------------------------------------------ text */

static void text_add(struct text *t, const char *bytes, size_t size)
{
    if (t->size + size + 1 > t->room) {
        t->room = 2 * (t->size + size) + 256;
        t->bytes = realloc(t->bytes, t->room);
        if (t->bytes == NULL)
            abort();
    }
    if (size > 0)
        memcpy(t->bytes + t->size, bytes, size);
    t->size += size;
    t->bytes[t->size] = '\0';
}

static void text_printf(struct text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void text_printf(struct text *t, const char *format, ...)
{
    char line[2048];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= sizeof line)
        abort();
    text_add(t, line, (size_t)size);
}

static void problem(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void problem(const char *file, int line, const char *format, ...)
{
    fprintf(stderr, "%s:%d: ", file, line);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    error_count++;
}

static void die(const char *path)
{
    fprintf(stderr, "sql2c: %s: %s\n", path, strerror(errno));
    exit(2);
}

static bool read_file(const char *path, struct text *t)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return false;
    char buffer[2048];
    size_t n;
    text_add(t, "", 0);
    while ((n = fread(buffer, 1, sizeof buffer, f)) > 0)
        text_add(t, buffer, n);
    fclose(f);
    return true;
}

static void make_folders(const char *path)
{
    char copy[1024];
    snprintf(copy, sizeof copy, "%s", path);
    for (char *p = copy + 1; *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST)
            die(copy);
        *p = '/';
    }
}

/* An unchanged file keeps its time, so nothing that includes it is rebuilt. */
static void write_file(const char *folder, const char *name, struct text *t)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    struct text old = {0};
    bool same = read_file(path, &old) && old.size == t->size &&
                memcmp(old.bytes, t->bytes, t->size) == 0;
    free(old.bytes);
    if (!same) {
        make_folders(path);
        FILE *f = fopen(path, "wb");
        if (f == NULL || fwrite(t->bytes, 1, t->size, f) != t->size ||
            fclose(f) != 0)
            die(path);
    }
    free(t->bytes);
    *t = (struct text){0};
}

static void text_c_string(struct text *t, const char *sql)
{
    text_add(t, "    \"", 5);
    for (const char *p = sql; *p != '\0'; p++) {
        if (*p == '\n')
            text_printf(t, p[1] == '\0' ? "\\n" : "\\n\"\n    \"");
        else if (*p == '"' || *p == '\\')
            text_printf(t, "\\%c", *p);
        else
            text_add(t, p, 1);
    }
    text_add(t, "\"", 1);
}

/* ---------------------------------------------------------------- checks */

static const char *const writing_words[] = {
    "insert", "update",    "delete", "merge",   "truncate",   "share",
    "call",   "pg_notify", "setval", "nextval", "set_config", NULL};

static bool is_writing(struct token t)
{
    return token_is_one_of(t, writing_words) ||
           strncasecmp(t.start, "pg_advisory_", 12) == 0 ||
           strncasecmp(t.start, "pg_try_advisory_", 16) == 0;
}

/* `*` is a list of columns after one of these, and an operator or count(*)
 * elsewhere. */
static bool makes_star_a_list(struct token before)
{
    static const char *const words[] = {
        "select", "distinct", "all", "returning", ",", ".", NULL};
    return token_is_one_of(before, words);
}

static void check_params(struct query *q, const bool *seen)
{
    for (int i = 1; i <= q->param_count; i++)
        if (!seen[i])
            problem(q->file, q->line, "%s uses $%d but not $%d", q->name,
                    q->param_count, i);
}

static void note_param(struct query *q, struct token t, bool *seen)
{
    int n = atoi(t.start + 1);
    if (n < 1 || n > PARAMS_MAX) {
        problem(q->file, q->line, "%s: $%d is not between $1 and $%d", q->name,
                n, PARAMS_MAX);
        return;
    }
    seen[n] = true;
    if (n > q->param_count)
        q->param_count = n;
}

static void check_statement(struct query *q)
{
    bool seen[PARAMS_MAX + 1] = {false};
    bool writes = false, limited = false, first = true, starts_reading = false;
    struct token before = {TOKEN_OTHER, "", 0, false};
    struct token t;
    for (const char *p = q->sql.bytes; (t = lex(p)).type != TOKEN_END;
         p = t.start + t.size) {
        if (t.type == TOKEN_SPACE)
            continue;
        if (t.type == TOKEN_PARAM)
            note_param(q, t, seen);
        if (t.type == TOKEN_WORD) {
            if (first)
                starts_reading = token_is(t, "select") || token_is(t, "with");
            writes |= is_writing(t);
            limited |= token_is(t, "limit");
        }
        if (token_is(t, "*") && makes_star_a_list(before))
            problem(q->file, q->line, "%s: name the columns instead of *",
                    q->name);
        first = false;
        before = t;
    }
    check_params(q, seen);
    q->reads = q->effect != 0 ? q->effect == 'r' : starts_reading && !writes;
    if (q->verb == VERB_MANY && !limited && !q->bounded)
        problem(q->file, q->line,
                "%s is :many without a limit; add one, or say :bounded and why",
                q->name);
}

static void check_name(const struct query *q)
{
    for (const char *p = q->name; *p != '\0'; p++)
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) &&
            *p != '_')
            problem(q->file, q->line, "%s is not a lower_case name", q->name);
    for (const struct query *other = queries; other < q; other++)
        if (strcmp(other->name, q->name) == 0)
            problem(q->file, q->line, "%s is already at %s:%d", q->name,
                    other->file, other->line);
}

/* --------------------------------------------------------------- parsing */

/* The next word of a heading; false at the line's end. */
static bool heading_word(const char **p, const char *end, char *word,
                         size_t size)
{
    while (*p < end && isspace((unsigned char)**p))
        (*p)++;
    size_t n = 0;
    while (*p < end && !isspace((unsigned char)**p)) {
        if (n + 1 < size)
            word[n++] = **p;
        (*p)++;
    }
    word[n] = '\0';
    return n > 0;
}

static bool set_verb(struct query *q, const char *word)
{
    static const char *const verbs[] = {":one", ":many", ":exec"};
    for (int i = 0; i < 3; i++)
        if (strcmp(word, verbs[i]) == 0) {
            q->verb = (enum verb)i;
            return true;
        }
    return false;
}

static void parse_flags(struct query *q, const char *p, const char *end)
{
    char word[NAME_MAX_BYTES];
    while (heading_word(&p, end, word, sizeof word)) {
        if (strcmp(word, ":read") == 0) {
            q->effect = 'r';
        } else if (strcmp(word, ":write") == 0) {
            q->effect = 'w';
        } else if (strcmp(word, ":replan") == 0) {
            q->replan = true;
        } else if (strcmp(word, ":bounded") == 0) {
            q->bounded = heading_word(&p, end, word, sizeof word);
            if (!q->bounded)
                problem(q->file, q->line, ":bounded needs a reason after it");
            return;
        } else {
            problem(q->file, q->line, "unknown flag \"%s\"", word);
        }
    }
}

static void parse_heading(struct query *q, const char *p, const char *end)
{
    char verb[NAME_MAX_BYTES];
    if (!heading_word(&p, end, q->name, sizeof q->name) ||
        !heading_word(&p, end, verb, sizeof verb)) {
        problem(q->file, q->line, "expected \"-- name: NAME :VERB [MESSAGE]\"");
        return;
    }
    check_name(q);
    if (!set_verb(q, verb)) {
        problem(q->file, q->line,
                "unknown verb \"%s\"; there are :one, :many and :exec", verb);
        return;
    }
    if (q->verb != VERB_EXEC &&
        (!heading_word(&p, end, q->message, sizeof q->message) ||
         q->message[0] == ':'))
        problem(q->file, q->line, "%s needs the name of the row's message",
                verb);
    parse_flags(q, p, end);
}

/* Puts what {{name}} at `p` stands for into `sql`; returns where to go on. */
static const char *expand(const char *file, int line, const char *p,
                          struct text *sql)
{
    const char *name = p + 2, *end = strstr(name, "}}");
    if (end == NULL) {
        problem(file, line, "{{ without }}");
        return p + strlen(p);
    }
    for (int i = 0; i < fragment_count; i++) {
        const struct fragment *f = &fragments[i];
        if (f->file == file && strlen(f->name) == (size_t)(end - name) &&
            strncmp(f->name, name, (size_t)(end - name)) == 0) {
            text_add(sql, f->sql.bytes, f->sql.size);
            return end + 2;
        }
    }
    problem(file, line, "no fragment %.*s stands before this in the file",
            (int)(end - name), name);
    return end + 2;
}

static bool is_heading(struct token t)
{
    return t.comment && (strncmp(t.start, "-- name:", 8) == 0 ||
                         strncmp(t.start, "-- fragment:", 12) == 0);
}

/* Reads up to the semicolon into `sql`, without comments.  Returns where to go
 * on. */
static const char *read_body(const char *file, const char *name, const char *p,
                             int *line, struct text *sql)
{
    int start_line = *line;
    struct token t;
    while ((t = lex(p)).type != TOKEN_END && !token_is(t, ";")) {
        if (t.type == TOKEN_UNENDED) {
            problem(file, *line, "a quote or comment has no end");
            return p + t.size;
        }
        if (is_heading(t))
            break;
        if (strncmp(p, "{{", 2) == 0) {
            p = expand(file, *line, p, sql);
            continue;
        }
        if (!t.comment && (sql->size > 0 || t.type != TOKEN_SPACE))
            text_add(sql, t.start, t.size);
        *line += lines_in(t.start, t.size);
        p = t.start + t.size;
    }
    if (sql->size == 0)
        problem(file, start_line, "%s is empty", name);
    if (token_is(t, ";"))
        return p + 1;
    problem(file, start_line, "%s does not end with a semicolon", name);
    return p;
}

static const char *parse_query(const char *file, struct token heading,
                               int *line)
{
    if (query_count == QUERIES_MAX)
        abort();
    struct query *q = &queries[query_count++];
    q->file = file;
    q->line = *line;
    const char *end = heading.start + heading.size;
    parse_heading(q, heading.start + strlen("-- name:"), end);
    const char *next = read_body(file, q->name, end, line, &q->sql);
    if (q->sql.size > 0)
        check_statement(q);
    return next;
}

static const char *parse_fragment(const char *file, struct token heading,
                                  int *line)
{
    if (fragment_count == FRAGMENTS_MAX)
        abort();
    struct fragment *f = &fragments[fragment_count++];
    f->file = file;
    const char *p = heading.start + strlen("-- fragment:");
    const char *end = heading.start + heading.size;
    if (!heading_word(&p, end, f->name, sizeof f->name))
        problem(file, *line, "expected \"-- fragment: NAME\"");
    return read_body(file, f->name, end, line, &f->sql);
}

static void parse_queries(const char *file, const char *p)
{
    int line = 1;
    struct token t;
    while ((t = lex(p)).type != TOKEN_END) {
        if (is_heading(t)) {
            bool is_query = strncmp(t.start, "-- name:", 8) == 0;
            p = is_query ? parse_query(file, t, &line)
                         : parse_fragment(file, t, &line);
            continue;
        }
        if (t.type != TOKEN_SPACE) {
            problem(file, line, "a statement needs \"-- name:\" before it");
            return;
        }
        line += lines_in(t.start, t.size);
        p = t.start + t.size;
    }
}

/* ---------------------------------------------------------------- output */

/* As protoc-c writes it: an underscore before a capital that does not follow
 * one. */
static void text_snake(struct text *t, const char *name, size_t size)
{
    bool was_upper = false;
    for (size_t i = 0; i < size; i++) {
        bool upper = isupper((unsigned char)name[i]);
        if (upper && !was_upper && i > 0)
            text_add(t, "_", 1);
        text_printf(t, "%c", tolower((unsigned char)name[i]));
        was_upper = upper;
    }
}

static void text_descriptor(struct text *t, const char *message)
{
    if (isupper((unsigned char)message[0]))
        text_add(t, "pb__", 4);
    for (const char *p = message; *p != '\0';) {
        size_t size = strcspn(p, ".");
        text_snake(t, p, size);
        text_add(t, "__", 2);
        p += size + (p[size] == '.');
    }
    text_add(t, "descriptor", 10);
}

static void write_header(const char *out, const char *file)
{
    char name[512];
    struct text t = {0};
    snprintf(name, sizeof name, "%s.h", file);
    text_printf(&t,
                "/* Written by sql2c from %s. */\n#pragma once\n\n"
                "#include \"db/db.h\"\n\n",
                file);
    for (int i = 0; i < query_count; i++)
        if (queries[i].file == file)
            text_printf(&t, "extern const struct db_query %s;\n",
                        queries[i].name);
    write_file(out, name, &t);
}

static void text_query(struct text *t, const struct query *q, int id)
{
    if (q->verb != VERB_EXEC) {
        text_printf(t, "extern const ProtobufCMessageDescriptor ");
        text_descriptor(t, q->message);
        text_printf(t, ";\n");
    }
    text_printf(t,
                "const struct db_query %s = {\n    .name = \"%s\",\n"
                "    .sql =\n    \"-- %s\\n\"\n",
                q->name, q->name, q->name);
    text_c_string(t, q->sql.bytes);
    text_printf(t, ",\n");
    if (q->verb != VERB_EXEC) {
        text_printf(t, "    .row = &");
        text_descriptor(t, q->message);
        text_printf(t, ",\n");
    }
    text_printf(t,
                "    .file = \"%s\",\n    .line = %d,\n    .param_count = %d,\n"
                "    .reads = %d,\n    .replan = %d,\n    .id = %d,\n};\n\n",
                q->file, q->line, q->param_count, q->reads, q->replan, id);
}

static void write_source(const char *out, const char *file)
{
    char name[512];
    struct text t = {0};
    snprintf(name, sizeof name, "%s.c", file);
    text_printf(&t, "/* Written by sql2c from %s. */\n#include \"%s.h\"\n\n",
                file, file);
    for (int i = 0; i < query_count; i++)
        if (queries[i].file == file)
            text_query(&t, &queries[i], i);
    write_file(out, name, &t);
}

static bool is_below(const char *file, const char *folder)
{
    return strncmp(file, folder, strlen(folder)) == 0;
}

static void write_list(const char *out, const char *name, const char *array,
                       bool tests)
{
    struct text t = {0};
    text_printf(&t, "/* Written by sql2c. */\n#include \"db/db.h\"\n\n");
    for (int i = 0; i < query_count; i++)
        if (is_below(queries[i].file, "tests/") == tests)
            text_printf(&t, "extern const struct db_query %s;\n",
                        queries[i].name);
    text_printf(&t,
                "\nextern const struct db_query *const %s[];\n"
                "const struct db_query *const %s[] = {\n",
                array, array);
    for (int i = 0; i < query_count; i++)
        if (is_below(queries[i].file, "tests/") == tests)
            text_printf(&t, "    &%s,\n", queries[i].name);
    text_printf(&t, "    0,\n};\n");
    write_file(out, name, &t);
}

/* "db/migrations/0042_order_state.sql" */
static void text_migration(struct text *t, const char *file, const char *sql)
{
    const char *base = file + strlen("db/migrations/");
    char *end;
    long number = strtol(base, &end, 10);
    if (end != base + 4 || *end != '_' || number < 1) {
        problem(file, 1, "expected db/migrations/NNNN_name.sql");
        return;
    }
    text_printf(t, "    {%ld, \"%.*s\",\n", number,
                (int)(strlen(end + 1) - strlen(".sql")), end + 1);
    text_c_string(t, sql);
    text_printf(t, "},\n");
}

static void read_source(const char *root, const char *file, struct text *t)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", root, file);
    if (!read_file(path, t))
        die(path);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: sql2c OUT ROOT FILE...\n");
        return 2;
    }
    const char *out = argv[1], *root = argv[2];
    struct text migrations = {0};
    text_printf(&migrations, "/* Written by sql2c. */\n"
                             "#include \"db/migrate.h\"\n\n"
                             "const struct migration db_migrations[] = {\n");
    for (int i = 3; i < argc; i++) {
        struct text t = {0};
        read_source(root, argv[i], &t);
        if (is_below(argv[i], "db/migrations/"))
            text_migration(&migrations, argv[i], t.bytes);
        else
            parse_queries(argv[i], t.bytes);
        free(t.bytes);
    }
    text_printf(&migrations, "    {0},\n};\n");
    if (error_count > 0)
        return 1;
    write_file(out, "db/migrations.c", &migrations);
    for (int i = 3; i < argc; i++)
        if (!is_below(argv[i], "db/migrations/")) {
            write_header(out, argv[i]);
            write_source(out, argv[i]);
        }
    write_list(out, "db/queries.c", "db_queries", false);
    write_list(out, "tests/queries.c", "test_queries", true);
    return 0;
}
