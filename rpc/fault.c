#include "rpc/fault.h"

#include "rpc/config.h"
#include "rpc/hash.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHANCES = 100, DELAY_MS_MAX = 60 * 1000 };

struct rule {
    const char *method; /* "SERVICE/METHOD", "SERVICE/" for all, "" for any */
    bool is_prefix;
    int64_t delay_ms;
    uint32_t delay_percent;
    rpc_code abort_code;
    uint32_t abort_percent;
};

struct rpc_faults {
    char *text; /* what the rules point into */
    size_t count;
    struct rule rules[RPC_FAULT_RULES_MAX];
};

struct complaint {
    char *error;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static bool complain(
    const struct complaint *to, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(to->error, to->size, format, args);
    va_end(args);
    return false;
}

static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t size = strlen(text);
    while (size > 0 && strchr(" \t", text[size - 1]) != NULL)
        size--;
    text[size] = '\0';
    return text;
}

/* --- reading -------------------------------------------------------------- */

/* Cuts "@PERCENT" off. */
static bool read_percent(char *text, uint32_t *percent,
                         const struct complaint *to)
{
    char *sign = strchr(text, '@'), *end;
    *percent = CHANCES;
    if (sign == NULL)
        return true;
    *sign = '\0';
    unsigned long number = strtoul(sign + 1, &end, 10);
    if (end == sign + 1 || *end != '\0' || number > CHANCES)
        return complain(to, "\"%s\" is not a percentage from 0 to 100.",
                        sign + 1);
    *percent = (uint32_t)number;
    return true;
}

static bool read_delay(struct rule *rule, const char *text,
                       const struct complaint *to)
{
    if (config_read_duration(text, &rule->delay_ms) &&
        rule->delay_ms <= DELAY_MS_MAX)
        return true;
    return complain(to, "\"%s\" is not a delay such as 300ms, at most 1m.",
                    text);
}

static bool read_code(struct rule *rule, const char *text,
                      const struct complaint *to)
{
    for (int code = RPC_CANCELLED; code < RPC_CODE_COUNT; code++)
        if (strcmp(rpc_code_name((rpc_code)code), text) == 0) {
            rule->abort_code = (rpc_code)code;
            return true;
        }
    return complain(to, "\"%s\" is no status code such as UNAVAILABLE.", text);
}

static bool read_action(struct rule *rule, char *text,
                        const struct complaint *to)
{
    if (strncmp(text, "delay:", 6) == 0)
        return read_percent(text, &rule->delay_percent, to) &&
               read_delay(rule, text + 6, to);
    if (strncmp(text, "abort:", 6) == 0)
        return read_percent(text, &rule->abort_percent, to) &&
               read_code(rule, text + 6, to);
    return complain(to, "\"%s\" is neither delay:DURATION nor abort:CODE.",
                    text);
}

static bool read_method(struct rule *rule, char *text,
                        const struct complaint *to)
{
    size_t size = strlen(text);
    rule->is_prefix = size > 0 && text[size - 1] == '*';
    if (rule->is_prefix)
        text[--size] = '\0';
    if (*text == '/' || strchr(text, '*') != NULL ||
        (size > 0 && strchr(text, '/') == NULL) ||
        (size == 0 && !rule->is_prefix))
        return complain(to, "\"%s\" is not SERVICE/METHOD, SERVICE/* or *.",
                        text);
    rule->method = text;
    return true;
}

static bool read_rule(struct rule *rule, char *text, const struct complaint *to)
{
    char *sign = strchr(text, '='), *rest;
    if (sign == NULL)
        return complain(to, "\"%s\" has no \"=\" between method and fault.",
                        text);
    *sign = '\0';
    if (!read_method(rule, trim(text), to))
        return false;
    char *action = strtok_r(sign + 1, ",", &rest);
    if (action == NULL)
        return complain(to, "nothing happens to \"%s\".", text);
    for (; action != NULL; action = strtok_r(NULL, ",", &rest))
        if (!read_action(rule, trim(action), to))
            return false;
    return true;
}

static bool read_rules(struct rpc_faults *faults, const struct complaint *to)
{
    char *rest;
    for (char *text = strtok_r(faults->text, ";", &rest); text != NULL;
         text = strtok_r(NULL, ";", &rest)) {
        if (faults->count == RPC_FAULT_RULES_MAX)
            return complain(to, "there are more than %d rules.",
                            RPC_FAULT_RULES_MAX);
        if (!read_rule(&faults->rules[faults->count++], trim(text), to))
            return false;
    }
    return true;
}

struct rpc_faults *rpc_faults_parse(const char *text, char *error,
                                    size_t error_size)
{
    struct rpc_faults *faults = calloc(1, sizeof *faults);
    if (faults == NULL || (faults->text = strdup(text)) == NULL)
        abort();
    if (read_rules(faults, &(struct complaint){error, error_size}))
        return faults;
    rpc_faults_free(faults);
    return NULL;
}

void rpc_faults_free(struct rpc_faults *faults)
{
    if (faults == NULL)
        return;
    free(faults->text);
    free(faults);
}

/* --- meeting -------------------------------------------------------------- */

static bool fits(const struct rule *rule, const char *method)
{
    return rule->is_prefix
               ? strncmp(method, rule->method, strlen(rule->method)) == 0
               : strcmp(method, rule->method) == 0;
}

static const struct rule *find(const struct rpc_faults *faults,
                               const struct rpc_call *call)
{
    for (size_t i = 0; i < faults->count; i++)
        if (fits(&faults->rules[i], call->method->path + 1))
            return &faults->rules[i];
    return NULL;
}

/* From 0 to 99: for the delay and the abort of one call not the same. */
static uint32_t draw(const struct rpc_call *call, uint32_t what)
{
    uint64_t parts[2] = {hash_bytes(call->request_id, strlen(call->request_id)),
                         what};
    return (uint32_t)(hash_bytes(parts, sizeof parts) % CHANCES);
}

rpc_status rpc_faults_meet(const struct rpc_faults *faults,
                           struct rpc_call *call)
{
    const struct rule *rule = faults == NULL ? NULL : find(faults, call);
    if (rule == NULL)
        return RPC_SUCCESS;
    if (draw(call, 0) < rule->delay_percent)
        TRY(rpc_sleep(call, rule->delay_ms));
    if (draw(call, 1) < rule->abort_percent)
        return rpc_fail_reason(call, rule->abort_code, "FAULT_INJECTED",
                               "a fault on purpose, by PRBAL_FAULTS");
    return RPC_SUCCESS;
}
