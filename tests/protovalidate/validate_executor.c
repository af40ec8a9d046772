/* The program that protovalidate-conformance tests: reads messages with their
 * descriptors from stdin, and says on stdout what is wrong with each.
 *
 * Descriptors come at run time, so the types are made then (types.c), and the
 * rules by the generator's own code; decoder and checks are the server's.
 *
 * With the argument `library` it answers the suites library/... instead. */
#include "rpc/codec.h"
#include "rpc/gen/read_all.h"
#include "rpc/gen/rule_tables.h"
#include "tests/protovalidate/groups.h"
#include "tests/protovalidate/harness.rpc.h"
#include "tests/protovalidate/library.h"
#include "tests/protovalidate/paths.h"
#include "tests/protovalidate/types.h"

#include <google/protobuf/any.pb-c.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 50 };

struct executor {
    struct gen gen;
    struct types *types;
    const char **problems; /* of gen.messages; NULL = none */
    bool *visited;
    bool is_library;
};

static void read_all_rules(struct executor *e)
{
    e->problems = arena_array(e->gen.arena, e->gen.message_count + 1,
                              sizeof *e->problems);
    e->visited =
        arena_array(e->gen.arena, e->gen.message_count + 1, sizeof *e->visited);
    for (size_t i = 0; i < e->gen.message_count; i++) {
        e->gen.problems = NULL;
        if (e->gen.messages[i].rules != NULL)
            read_rules(&e->gen, &e->gen.messages[i]);
        e->problems[i] = e->gen.problems;
    }
}

/* The first problem of a message type or of one that it contains. */
static const char *problem_below(struct executor *e, const char *type_name)
{
    const struct message_at *at = gen_message(&e->gen, type_name);
    size_t index = (size_t)(at - e->gen.messages);
    const char *problem = e->problems[index];
    if (e->visited[index])
        return NULL;
    e->visited[index] = true;
    for (size_t i = 0; i < at->message->n_field && problem == NULL; i++) {
        const char *type = at->message->field[i]->type_name;
        if (type != NULL && gen_message(&e->gen, type) != NULL)
            problem = problem_below(e, type);
    }
    return problem;
}

static const char *problem_of(struct executor *e, const char *type_name)
{
    memset(e->visited, 0, e->gen.message_count * sizeof *e->visited);
    return problem_below(e, type_name);
}

static Violation *violation_of(struct executor *e, const struct message_at *at,
                               const struct rule_violation *from)
{
    Violation *violation = ARENA_NEW(e->gen.arena, Violation);
    *violation = (Violation)VIOLATION_INIT;
    violation->field = path_of_field(&e->gen, at, from->field);
    violation->rule = path_of_rule(&e->gen, from, violation->field);
    violation->rule_id = from->rule;
    violation->message = from->description;
    violation->for_key = from->for_key;
    return violation;
}

static void set_violations(struct executor *e, const struct message_at *at,
                           const struct rule_violation *from, size_t count,
                           TestResult *result)
{
    Violations *violations = ARENA_NEW(e->gen.arena, Violations);
    *violations = (Violations)VIOLATIONS_INIT;
    violations->violations =
        arena_array(e->gen.arena, count, sizeof *violations->violations);
    for (size_t i = 0; i < count; i++)
        violations->violations[violations->n_violations++] =
            violation_of(e, at, &from[i]);
    result->result_case = TEST_RESULT_VALIDATION_ERROR_CASE;
    result->validation_error = violations;
}

/* Text is needed where there is none: a rule that cannot be applied. */
static bool is_inapplicable(const struct rule_violation *violation)
{
    return strcmp(violation->rule, "bytes.pattern_not_utf8") == 0;
}

static void validate(struct executor *e, const struct message_at *at,
                     const ProtobufCMessage *message, TestResult *result)
{
    struct rule_violation violations[ROOM];
    size_t count = at->rules == NULL
                       ? 0
                       : rules_violations(e->gen.arena, at->rules, message,
                                          violations, ROOM);
    if (count == 0) {
        result->result_case = TEST_RESULT_SUCCESS_CASE;
        result->success = true;
    } else if (is_inapplicable(&violations[0])) {
        result->result_case = TEST_RESULT_RUNTIME_ERROR_CASE;
        result->runtime_error = violations[0].description;
    } else {
        set_violations(e, at, violations, count, result);
    }
}

static ProtobufCMessage *decode(struct executor *e, const char *type_name,
                                const ProtobufCBinaryData *value,
                                struct codec_error *error)
{
    const ProtobufCMessageDescriptor *type = types_find(e->types, type_name);
    const uint8_t *bytes = value->data;
    size_t size = value->len;
    if (types_have_groups(e->types))
        bytes = groups_to_messages(e->gen.arena, type, bytes, &size);
    return codec_decode(e->gen.arena, type, bytes, size, error);
}

static void call_library(struct executor *e, const struct message_at *at,
                         const ProtobufCMessage *message, TestResult *result)
{
    struct rule_violation violation = {.field = "", .description = ""};
    violation.rule = library_violation(message);
    result->result_case = TEST_RESULT_SUCCESS_CASE;
    result->success = true;
    if (violation.rule == NULL || violation.rule[0] != '\0')
        set_violations(e, at, &violation, 1, result);
}

static TestResult *run_case(struct executor *e,
                            const Google__Protobuf__Any *input)
{
    TestResult *result = ARENA_NEW(e->gen.arena, TestResult);
    *result = (TestResult)TEST_RESULT_INIT;
    const char *type_name =
        arena_printf(e->gen.arena, ".%s", strrchr(input->type_url, '/') + 1);
    const char *problem = problem_of(e, type_name);
    struct codec_error error;
    if (problem != NULL && !e->is_library) {
        result->result_case = TEST_RESULT_COMPILATION_ERROR_CASE;
        result->compilation_error = problem;
        return result;
    }
    ProtobufCMessage *message = decode(e, type_name, &input->value, &error);
    if (message == NULL) {
        result->result_case = TEST_RESULT_UNEXPECTED_ERROR_CASE;
        result->unexpected_error = arena_strdup(e->gen.arena, error.text);
        return result;
    }
    const struct message_at *at = gen_message(&e->gen, type_name);
    if (e->is_library)
        call_library(e, at, message, result);
    else
        validate(e, at, message, result);
    return result;
}

static void run_cases(struct executor *e, const TestConformanceRequest *req,
                      TestConformanceResponse *res)
{
    res->results =
        arena_array(e->gen.arena, req->n_cases + 1, sizeof *res->results);
    for (size_t i = 0; i < req->n_cases; i++) {
        TestConformanceResponseResultsEntry *entry =
            ARENA_NEW(e->gen.arena, TestConformanceResponseResultsEntry);
        *entry = (TestConformanceResponseResultsEntry)
            TEST_CONFORMANCE_RESPONSE_RESULTS_ENTRY_INIT;
        entry->key = req->cases[i]->key;
        entry->value = run_case(e, req->cases[i]->value);
        res->results[res->n_results++] = entry;
    }
}

static const TestConformanceRequest *read_request(struct arena *arena)
{
    size_t size;
    struct codec_error error;
    uint8_t *bytes = read_all(stdin, &size);
    if (bytes == NULL)
        return NULL;
    const TestConformanceRequest *req =
        (const TestConformanceRequest *)codec_decode(
            arena, TEST_CONFORMANCE_REQUEST_DESCRIPTOR, bytes, size, &error);
    free(bytes);
    return req;
}

static void write_response(struct arena *arena,
                           const TestConformanceResponse *res)
{
    size_t size;
    const uint8_t *bytes = codec_pack(arena, &res->base, &size);
    if (fwrite(bytes, 1, size, stdout) != size || fflush(stdout) != 0)
        abort();
}

int main(int argc, char **argv)
{
    struct executor e = {.gen = {.arena = arena_create()}};
    e.is_library = argc == 2 && strcmp(argv[1], "library") == 0;
    const TestConformanceRequest *req = read_request(e.gen.arena);
    Google__Protobuf__FileDescriptorSet *set =
        req == NULL ? NULL
                    : google__protobuf__file_descriptor_set__unpack(
                          NULL, req->fdset.len, req->fdset.data);
    if (set == NULL) {
        fprintf(stderr, "validate_executor is run by "
                        "protovalidate-conformance\n");
        return EXIT_FAILURE;
    }
    e.gen.files = set->file;
    e.gen.file_count = set->n_file;
    e.gen.rules_everywhere = true;
    index_messages(&e.gen);
    find_rules(&e.gen);
    e.types = types_create(&e.gen);
    read_all_rules(&e);
    TestConformanceResponse res = TEST_CONFORMANCE_RESPONSE_INIT;
    run_cases(&e, req, &res);
    write_response(e.gen.arena, &res);
    google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
    arena_destroy(e.gen.arena);
    return EXIT_SUCCESS;
}
