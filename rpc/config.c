#include "rpc/config.h"

#include "rpc/arena.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NAME_BYTES_MAX = 128 };

struct state {
    const char *text; /* as it was written */
    config_origin origin;
};

struct config {
    const char *prefix;
    const struct config_row *rows;
    size_t row_count;
    void *values;
    struct state *states; /* one a row */
    struct arena *arena;
};

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit duration_units[] = {
    {"ms", 1},          {"s", 1000},         {"m", 60 * 1000},
    {"h", 3600 * 1000}, {"d", 86400 * 1000}, {NULL, 0}};

static const struct unit size_units[] = {
    {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};

__attribute__((format(printf, 3, 4))) static bool fail(char *error,
                                                       size_t error_size,
                                                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, error_size, format, args);
    va_end(args);
    return false;
}

/* --- numbers with units --------------------------------------------------- */

static bool read_digits(const char **text, int64_t *number)
{
    if (!isdigit((unsigned char)**text))
        return false;
    *number = 0;
    for (; isdigit((unsigned char)**text); (*text)++)
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, **text - '0', number))
            return false;
    return true;
}

static const struct unit *read_unit(const char **text, const struct unit *units)
{
    size_t length = 0;
    while (isalpha((unsigned char)(*text)[length]))
        length++;
    for (; units->name != NULL; units++)
        if (strlen(units->name) == length &&
            strncmp(*text, units->name, length) == 0) {
            *text += length;
            return units;
        }
    return NULL;
}

/* A sum such as "1h30m".  A bare number is taken when `bare` allows it, a bare
 * 0 always. */
static bool read_amount(const char *text, const struct unit *units, bool bare,
                        int64_t *amount)
{
    int64_t total = 0;
    do {
        int64_t number;
        if (!read_digits(&text, &number))
            return false;
        const struct unit *unit = read_unit(&text, units);
        if (unit == NULL && (*text != '\0' || (!bare && number != 0)))
            return false;
        if (unit != NULL &&
            __builtin_mul_overflow(number, unit->factor, &number))
            return false;
        if (__builtin_add_overflow(total, number, &total))
            return false;
    } while (*text != '\0');
    *amount = total;
    return true;
}

static bool read_int(const char *text, int64_t *number)
{
    bool negative = *text == '-';
    if (negative)
        text++;
    if (!read_digits(&text, number) || *text != '\0')
        return false;
    if (negative)
        *number = -*number;
    return true;
}

static bool read_number(config_type type, const char *text, int64_t *number)
{
    if (type == CONFIG_DURATION)
        return read_amount(text, duration_units, false, number);
    if (type == CONFIG_SIZE)
        return read_amount(text, size_units, true, number);
    return read_int(text, number);
}

bool config_read_duration(const char *text, int64_t *ms)
{
    return read_amount(text, duration_units, false, ms);
}

/* --- one value ------------------------------------------------------------ */

static bool read_bool(const char *text, bool *value)
{
    static const char *const words[] = {"false", "true", "no", "yes",
                                        "off",   "on",   "0",  "1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(text, words[i]) == 0) {
            *value = i % 2 == 1;
            return true;
        }
    return false;
}

static bool read_choice(const char *choices, const char *text, int *index)
{
    size_t length = strlen(text);
    int i = 0;
    for (const char *word = choices; word != NULL; i++) {
        const char *end = strchrnul(word, '|');
        if ((size_t)(end - word) == length &&
            strncmp(word, text, length) == 0) {
            *index = i;
            return true;
        }
        word = *end == '|' ? end + 1 : NULL;
    }
    return false;
}

static bool in_range(const struct config_row *row, int64_t number)
{
    int64_t limit;
    if (row->minimum != NULL && read_number(row->type, row->minimum, &limit) &&
        number < limit)
        return false;
    return row->maximum == NULL ||
           !read_number(row->type, row->maximum, &limit) || number <= limit;
}

static bool store(struct config *config, const struct config_row *row,
                  const char *text)
{
    char *field = (char *)config->values + row->offset;
    switch (row->type) {
    case CONFIG_TEXT:
    case CONFIG_SECRET:
        *(const char **)field = text;
        return true;
    case CONFIG_BOOL:
        return read_bool(text, (bool *)field);
    case CONFIG_ENUM:
        return read_choice(row->choices, text, (int *)field);
    case CONFIG_INT:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        break;
    }
    int64_t number;
    if (!read_number(row->type, text, &number) || !in_range(row, number))
        return false;
    *(int64_t *)field = number;
    return true;
}

/* "a duration such as 15m, from 1m to 24h" */
static void allowed(const struct config_row *row, char *text, size_t size)
{
    static const char *const kinds[] = {
        [CONFIG_INT] = "a whole number",
        [CONFIG_DURATION] = "a duration such as 500ms, 15m or 1h30m",
        [CONFIG_SIZE] = "a size such as 512KiB or 4MiB",
    };
    if (row->type == CONFIG_BOOL)
        snprintf(text, size, "true or false");
    else if (row->type == CONFIG_ENUM)
        snprintf(text, size, "one of %s", row->choices);
    else if (row->minimum != NULL)
        snprintf(text, size, "%s from %s to %s", kinds[row->type], row->minimum,
                 row->maximum);
    else
        snprintf(text, size, "any text");
}

/* "PRBAL_ACCESS_TTL" for "access_ttl". */
static const char *variable(const struct config *config, const char *name,
                            char *text, size_t size)
{
    size_t length = (size_t)snprintf(text, size, "%s%s", config->prefix, name);
    for (size_t i = 0; i < length && i < size; i++)
        text[i] = (char)toupper((unsigned char)text[i]);
    return text;
}

static const struct config_row *find(const struct config *config,
                                     const char *name, size_t length)
{
    for (size_t i = 0; i < config->row_count; i++) {
        const struct config_row *row = &config->rows[i];
        if (row->section == NULL && strlen(row->name) == length &&
            strncasecmp(row->name, name, length) == 0)
            return row;
    }
    return NULL;
}

static struct state *state_of(const struct config *config,
                              const struct config_row *row)
{
    return &config->states[row - config->rows];
}

static bool assign(struct config *config, const struct config_row *row,
                   const char *value, config_origin origin, char *error,
                   size_t error_size)
{
    const char *copy = arena_strdup(config->arena, value);
    if (store(config, row, copy)) {
        *state_of(config, row) = (struct state){copy, origin};
        return true;
    }
    char name[NAME_BYTES_MAX], rule[256];
    allowed(row, rule, sizeof rule);
    return fail(error, error_size, "%s is \"%s\" but has to be %s.",
                variable(config, row->name, name, sizeof name), value, rule);
}

/* --- the nearest name, for typing mistakes -------------------------------- */

/* Levenshtein; both are names of settings, so short. */
static size_t distance(const char *a, size_t a_length, const char *b)
{
    size_t row[NAME_BYTES_MAX], b_length = strlen(b);
    if (a_length >= NAME_BYTES_MAX || b_length >= NAME_BYTES_MAX)
        return NAME_BYTES_MAX;
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            bool same = tolower((unsigned char)a[i - 1]) == b[j - 1];
            size_t cost = diagonal + (same ? 0 : 1);
            diagonal = row[j];
            if (row[j] + 1 < cost)
                cost = row[j] + 1;
            if (row[j - 1] + 1 < cost)
                cost = row[j - 1] + 1;
            row[j] = cost;
        }
    }
    return row[b_length];
}

static bool unknown(const struct config *config, const char *name,
                    size_t length, char *error, size_t error_size)
{
    const char *nearest = NULL;
    size_t least = 2 + length / 3; /* further away is no typing mistake */
    for (size_t i = 0; i < config->row_count; i++) {
        if (config->rows[i].section != NULL)
            continue;
        size_t d = distance(name, length, config->rows[i].name);
        if (d < least) {
            least = d;
            nearest = config->rows[i].name;
        }
    }
    if (nearest != NULL)
        return fail(error, error_size,
                    "There is no setting \"%.*s\"; did you mean \"%s\"?",
                    (int)length, name, nearest);
    return fail(error, error_size,
                "There is no setting \"%.*s\"; `prbald config` lists them.",
                (int)length, name);
}

/* --- where values come from ----------------------------------------------- */

struct config *config_create(const char *prefix, const struct config_row *rows,
                             size_t row_count, void *values)
{
    struct config *config = calloc(1, sizeof *config);
    if (config == NULL)
        abort();
    config->prefix = prefix;
    config->rows = rows;
    config->row_count = row_count;
    config->values = values;
    config->arena = arena_create();
    config->states =
        arena_array(config->arena, row_count, sizeof *config->states);

    char error[512];
    for (size_t i = 0; i < row_count; i++)
        if (rows[i].section == NULL &&
            !assign(config, &rows[i], rows[i].fallback, CONFIG_FROM_DEFAULT,
                    error, sizeof error))
            assert(!"a default that its own row refuses");
    return config;
}

void config_destroy(struct config *config)
{
    if (config == NULL)
        return;
    arena_destroy(config->arena);
    free(config);
}

bool config_set(struct config *config, const char *name, const char *value,
                config_origin origin, char *error, size_t error_size)
{
    const struct config_row *row = find(config, name, strlen(name));
    if (row == NULL)
        return unknown(config, name, strlen(name), error, error_size);
    return assign(config, row, value, origin, error, error_size);
}

bool config_set_pair(struct config *config, const char *pair, char *error,
                     size_t error_size)
{
    const char *equals = strchr(pair, '=');
    if (equals == NULL)
        return fail(error, error_size,
                    "\"%s\" is no setting: write NAME=VALUE.", pair);
    size_t length = (size_t)(equals - pair);
    const struct config_row *row = find(config, pair, length);
    if (row == NULL)
        return unknown(config, pair, length, error, error_size);
    return assign(config, row, equals + 1, CONFIG_FROM_COMMAND_LINE, error,
                  error_size);
}

bool config_read_environment(struct config *config, char **environment,
                             char *error, size_t error_size)
{
    size_t prefix_length = strlen(config->prefix);
    for (; *environment != NULL; environment++) {
        const char *name = *environment;
        const char *equals = strchr(name, '=');
        if (equals == NULL || equals[1] == '\0' ||
            strncmp(name, config->prefix, prefix_length) != 0)
            continue;
        name += prefix_length;
        const struct config_row *row =
            find(config, name, (size_t)(equals - name));
        if (row != NULL && !assign(config, row, equals + 1,
                                   CONFIG_FROM_ENVIRONMENT, error, error_size))
            return false;
    }
    return true;
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    return text;
}

static char *unquote(char *text)
{
    size_t length = strlen(text);
    if (length < 2 || text[length - 1] != text[0] ||
        (text[0] != '"' && text[0] != '\''))
        return text;
    text[length - 1] = '\0';
    return text + 1;
}

static bool read_line(struct config *config, char *line, char *error,
                      size_t error_size)
{
    line = trim(line);
    if (*line == '\0' || *line == '#')
        return true;
    if (strncmp(line, "export ", 7) == 0)
        line = trim(line + 7);
    char *equals = strchr(line, '=');
    if (equals == NULL)
        return fail(error, error_size, "\"%s\" is not NAME=VALUE.", line);
    *equals = '\0';

    char *name = trim(line), *value = unquote(trim(equals + 1));
    size_t prefix_length = strlen(config->prefix);
    if (strncmp(name, config->prefix, prefix_length) != 0)
        return fail(error, error_size, "\"%s\" does not begin with %s.", name,
                    config->prefix);
    return config_set(config, name + prefix_length, value, CONFIG_FROM_FILE,
                      error, error_size);
}

bool config_read_file(struct config *config, const char *path, char *error,
                      size_t error_size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return fail(error, error_size, "The settings file %s: %s.", path,
                    strerror(errno));
    char *line = NULL, reason[512];
    size_t line_size = 0;
    bool good = true;
    for (int number = 1; good && getline(&line, &line_size, file) >= 0;
         number++) {
        good = read_line(config, line, reason, sizeof reason);
        if (!good)
            fail(error, error_size, "%s, line %d: %s", path, number, reason);
    }
    if (good && ferror(file))
        good = fail(error, error_size, "The settings file %s: %s.", path,
                    strerror(errno));
    free(line);
    fclose(file);
    return good;
}

/* --- printing ------------------------------------------------------------- */

static const char *shown(const struct config_row *row,
                         const struct state *state)
{
    if (*state->text == '\0')
        return "";
    return row->type == CONFIG_SECRET ? "********" : state->text;
}

const char *config_text(const struct config *config, const char *name)
{
    const struct config_row *row = find(config, name, strlen(name));
    return row == NULL ? NULL : shown(row, state_of(config, row));
}

config_origin config_origin_of(const struct config *config, const char *name)
{
    const struct config_row *row = find(config, name, strlen(name));
    return row == NULL ? CONFIG_FROM_DEFAULT : state_of(config, row)->origin;
}

bool config_name(const struct config *config, size_t place, const char **name)
{
    if (place >= config->row_count)
        return false;
    *name =
        config->rows[place].section == NULL ? config->rows[place].name : NULL;
    return true;
}

bool config_number(const struct config *config, const char *name,
                   int64_t *number)
{
    const struct config_row *row = find(config, name, strlen(name));
    if (row == NULL ||
        (row->type != CONFIG_INT && row->type != CONFIG_DURATION &&
         row->type != CONFIG_SIZE))
        return false;
    memcpy(number, (const char *)config->values + row->offset, sizeof *number);
    return true;
}

const char *config_origin_name(config_origin origin)
{
    static const char *const names[] = {"default", "file", "environment",
                                        "command line"};
    return names[origin];
}

void config_print(const struct config *config, FILE *out)
{
    for (size_t i = 0; i < config->row_count; i++) {
        const struct config_row *row = &config->rows[i];
        if (row->section != NULL) {
            fprintf(out, "%s# %s\n", i == 0 ? "" : "\n", row->section);
            continue;
        }
        char name[NAME_BYTES_MAX];
        fprintf(out, "%-34s %-22s # %s\n",
                variable(config, row->name, name, sizeof name),
                shown(row, &config->states[i]),
                config_origin_name(config->states[i].origin));
    }
}

void config_print_markdown(const struct config *config, FILE *out)
{
    for (size_t i = 0; i < config->row_count; i++) {
        const struct config_row *row = &config->rows[i];
        if (row->section != NULL) {
            fprintf(out,
                    "%s## %s\n\n| Setting | Default | Allowed | Meaning |\n"
                    "| --- | --- | --- | --- |\n",
                    i == 0 ? "" : "\n", row->section);
            continue;
        }
        char name[NAME_BYTES_MAX], rule[256];
        allowed(row, rule, sizeof rule);
        for (char *bar = rule; (bar = strchr(bar, '|')) != NULL;)
            *bar = '/';
        fprintf(out, "| `%s` | %s%s%s | %s | %s |\n",
                variable(config, row->name, name, sizeof name),
                *row->fallback == '\0' ? "" : "`", row->fallback,
                *row->fallback == '\0' ? "" : "`", rule, row->sentence);
    }
}
