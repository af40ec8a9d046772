/* protoc-gen-prbal, run as the build runs it: what it refuses, and how the
 * names come out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { OUTPUT_MAX = 64 * 1024 };

typedef struct {
    char folder[64];
    char output[OUTPUT_MAX]; /* what protoc said, or a generated file */
} fixture;

static int start_folder(void **state)
{
    fixture *t = calloc(1, sizeof *t);
    strcpy(t->folder, "/tmp/prbal_generator_test.XXXXXX");
    *state = t;
    return mkdtemp(t->folder) == NULL;
}

static int end_folder(void **state)
{
    fixture *t = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", t->folder);
    int code = system(command);
    free(t);
    return code;
}

static void write_proto(fixture *t, const char *body)
{
    char path[128];
    snprintf(path, sizeof path, "%s/x.proto", t->folder);
    FILE *file = fopen(path, "w");
    fprintf(file,
            "syntax = \"proto3\";\npackage prbal.v1;\n"
            "import \"buf/validate/validate.proto\";\n"
            "import \"google/protobuf/any.proto\";\n"
            "import \"google/protobuf/timestamp.proto\";\n"
            "import \"google/protobuf/wrappers.proto\";\n"
            "import \"prbal/options.proto\";\n%s\n",
            body);
    fclose(file);
}

/* True when protoc and the plugin accept x.proto with this body. */
static bool generate(fixture *t, const char *body)
{
    char command[1024];
    write_proto(t, body);
    snprintf(command, sizeof command,
             "protoc -I %s -I %s/proto --plugin=protoc-gen-prbal=%s "
             "--prbal_out=%s x.proto 2>&1",
             t->folder, PRBAL_SOURCE_DIR, PRBAL_PLUGIN, t->folder);
    FILE *pipe = popen(command, "r");
    size_t size = fread(t->output, 1, OUTPUT_MAX - 1, pipe);
    t->output[size] = '\0';
    return pclose(pipe) == 0;
}

static const char *generated(fixture *t, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", t->folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(t->output, 1, OUTPUT_MAX - 1, file);
    t->output[size] = '\0';
    fclose(file);
    return t->output;
}

static void assert_says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, text);
}

static const struct {
    const char *body;
    const char *sentence;
} refused[] = {
    {"message A {} message B {} service AService { rpc Do(A) returns (B); }",
     "x.proto: prbal.v1.AService.Do says nothing of who may call it"},
    {"message A {} message B {} service AService { rpc Do(A) returns (B) {"
     "option (prbal.access) = {}; } }",
     "says nothing of who may call it"},
    {"message A {} message B {} service AService { rpc Do(A) returns (B) {"
     "option (prbal.access) = {roles: [ROLE_UNSPECIFIED]}; } }",
     "names role 0, which is none"},
    {"message A {} message B {} service AService { rpc Do(A) returns (stream B)"
     " { option (prbal.access).roles = ROLE_ANY;"
     "option (prbal.idempotent) = true; } }",
     "prbal.v1.AService.Do cannot be (prbal.idempotent): it streams"},
    {"message A {} message B {} service AService { rpc Do(A) returns (B) {"
     "option idempotency_level = NO_SIDE_EFFECTS;"
     "option (prbal.access).roles = ROLE_ANY;"
     "option (prbal.idempotent) = true; } }",
     "cannot be (prbal.idempotent): it has no side effects"},
    {"message A {} message B {} service AService { rpc Do(A) returns (B) {"
     "option (prbal.access).roles = ROLE_ANY;"
     "option (prbal.access).roles = ROLE_SERVICE;"
     "option (prbal.idempotent) = true; } }",
     "cannot be (prbal.idempotent): who calls it may be nobody"},
    {"message A { string f = 1 [(buf.validate.field).string.pattern = '(']; }",
     "prbal.v1.A.f: its pattern will not do: a group is not closed"},
    {"message A { string f = 1 [(buf.validate.field).string.pattern = "
     "'(a)\\\\1']; }",
     "an escape that is not known here"},
    {"message A { string f = 1 [(buf.validate.field).cel = {id: 'x'}]; }",
     "prbal.v1.A.f: CEL needs an interpreter"},
    {"message A { option (buf.validate.message).cel = {id: 'x'}; }",
     "CEL needs an interpreter"},
    {"message A { string f = 1 [(buf.validate.field).int32.gt = 1]; }",
     "prbal.v1.A.f: rules for int32 do not fit its type"},
    {"message A { repeated string f = 1 "
     "[(buf.validate.field).string.min_len = 1]; }",
     "rules for string do not fit its type"},
    {"message A { string f = 1 [(buf.validate.field).repeated.min_items = 1]; "
     "}",
     "rules for repeated do not fit its type"},
    {"message A { repeated string f = 1 [(buf.validate.field).repeated.items."
     "cel_expression = 'true']; }",
     "prbal.v1.A.f: CEL needs an interpreter"},
    {"message A { google.protobuf.Any f = 1 "
     "[(buf.validate.field).string.min_len = 1]; }",
     "rules for string do not fit its type"},
    {"message A { google.protobuf.StringValue f = 1 "
     "[(buf.validate.field).int32.gt = 1]; }",
     "rules for int32 do not fit its type"},
    {"message A { option (buf.validate.message).oneof = {fields: ['f', 'f']}; "
     "string f = 1; }",
     "prbal.v1.A.f: a oneof rule names it twice"},
    {"message A { option (buf.validate.message).oneof = {required: true}; }",
     "a oneof rule names no field"},
    {"message A { option (buf.validate.message).oneof = {fields: ['nope']}; "
     "string f = 1; }",
     "prbal.v1.A.nope: a oneof rule names it, but there is no such field"},
};

static void what_cannot_be_kept_stops_the_build(void **state)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        fixture *t = *state;
        if (generate(t, refused[i].body))
            fail_msg("accepted: %s", refused[i].body);
        assert_says(t->output, refused[i].sentence);
    }
}

static void all_problems_are_told_at_once(void **state)
{
    fixture *t = *state;
    assert_false(generate(
        t,
        "message A { string f = 1 [(buf.validate.field).string.pattern = "
        "'(']; string g = 2 [(buf.validate.field).string.pattern = '[']; }"));
    assert_says(t->output, "prbal.v1.A.f:");
    assert_says(t->output, "prbal.v1.A.g:");
}

static void options_in_pieces_are_put_together(void **state)
{
    fixture *t = *state;
    assert_true(generate(t, "message A {} message B {} service AService {"
                            "rpc Do(A) returns (stream B) {"
                            "option (prbal.access).roles = ROLE_SEEKER;"
                            "option (prbal.access).roles = ROLE_ADMIN;"
                            "option (prbal.limit).per_minute = 30;"
                            "option (prbal.deadline).default_ms = 5;"
                            "option (prbal.deadline).max_ms = 7;"
                            "option (prbal.request_bytes_max) = 300000; } }"));
    const char *source = generated(t, "x.rpc.c");
    assert_says(source, ".path = \"/prbal.v1.AService/Do\"");
    assert_says(source, ".kind = RPC_SERVER_STREAM");
    assert_says(source, ".access = 0x120");
    assert_says(source, ".limit_per_minute = 30");
    assert_says(source, ".limit_burst = 30");
    assert_says(source, ".deadline_default_ms = 5");
    assert_says(source, ".deadline_max_ms = 7");
    assert_says(source, ".request_bytes_max = 300000");
}

static void marks_reach_the_method_table(void **state)
{
    fixture *t = *state;
    assert_true(generate(t, "message A {} message B {} service AService {"
                            "rpc Do(A) returns (B) {"
                            "option (prbal.access).roles = ROLE_SEEKER;"
                            "option (prbal.idempotent) = true; }"
                            "rpc Look(A) returns (B) {"
                            "option idempotency_level = NO_SIDE_EFFECTS;"
                            "option (prbal.access).roles = ROLE_SEEKER;"
                            "option (prbal.idempotent) = false; } }"));
    const char *source = generated(t, "x.rpc.c");
    const char *look = strstr(source, "AService/Look");
    const char *mark = strstr(source, ".is_idempotent = true");
    const char *pure = strstr(source, ".has_no_side_effects = true");
    assert_true(mark != NULL && mark < look && pure > look);
    assert_null(strstr(look, ".is_idempotent"));
}

static void names_read_well(void **state)
{
    fixture *t = *state;
    assert_true(generate(
        t, "message SendOTPRequest { optional string note = 1; "
           "message Line {} enum Kind { KIND_UNSPECIFIED = 0; PLAIN = 1; } }"
           "message SendOTPResponse {} enum OTPState { OTP_STATE_NEW = 0; }"
           "service OTPService { rpc SendOTP(SendOTPRequest) returns "
           "(SendOTPResponse) {"
           "option (prbal.access).roles = ROLE_OPEN; } }"));
    const char *header = generated(t, "x.rpc.h");
    assert_says(header, "typedef Pb__SendOTPRequest SendOTPRequest;");
    assert_says(header,
                "#define SEND_OTP_REQUEST_INIT PB__SEND_OTPREQUEST__INIT");
    assert_says(header, "#define SEND_OTP_REQUEST_DESCRIPTOR "
                        "(&pb__send_otprequest__descriptor)");
    assert_says(header, "#define SEND_OTP_REQUEST_NOTE_CASE "
                        "PB__SEND_OTPREQUEST___NOTE_NOTE");
    assert_says(header, "typedef Pb__SendOTPRequest__Line SendOTPRequestLine;");
    assert_says(header, "#define OTP_STATE_NEW PB__OTPSTATE__OTP_STATE_NEW");
    assert_says(header, "#define KIND_PLAIN "
                        "PB__SEND_OTPREQUEST__KIND__PLAIN");
    assert_says(header, "rpc_status otp_send_otp(struct rpc_call *call, const "
                        "SendOTPRequest *req, SendOTPResponse *res);");
}

static void rules_reach_the_method_table(void **state)
{
    fixture *t = *state;
    assert_true(generate(
        t, "message A { B b = 1; } message C {} "
           "message B { google.protobuf.Timestamp when = 1; A again = 2; }"
           "service AService { rpc Do(A) returns (C) {"
           "option (prbal.access).roles = ROLE_ANY; }"
           "rpc Other(C) returns (A) {"
           "option (prbal.access).roles = ROLE_ANY; } }"));
    const char *source = generated(t, "x.rpc.c");
    assert_says(source, ".rules = &pb__a__rules");
    assert_says(source, "RULE_VALID_TIME");
    assert_null(strstr(source, "pb__c__rules"));
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, start_folder, end_folder)
    const struct CMUnitTest tests[] = {
        TEST(what_cannot_be_kept_stops_the_build),
        TEST(all_problems_are_told_at_once),
        TEST(options_in_pieces_are_put_together),
        TEST(marks_reach_the_method_table),
        TEST(names_read_well),
        TEST(rules_reach_the_method_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
