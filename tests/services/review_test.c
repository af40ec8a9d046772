#include "services/commands/review.h"

#include "services/app.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void set(const char *name, const char *value)
{
    char error[256];
    if (!app_config_set(name, value, error, sizeof error))
        fail_msg("%s", error);
}

static const struct review_rule *rule(const char *name)
{
    const struct review_rule *r = review_rules;
    while (r->name != NULL && strcmp(r->name, name) != 0)
        r++;
    assert_non_null(r->name);
    return r;
}

static void each_weak_setting_is_named_by_its_rule(void **state)
{
    static const struct {
        const char *rule, *setting, *strong, *weak, *sentence;
    } cases[] = {
        {"certificate", "tls_cert", "/etc/cert.pem", "",
         "PRBAL_TLS_CERT and PRBAL_TLS_KEY have to name"},
        {"edge", "edge_listen", "127.0.0.1:50052", "0.0.0.0:50052",
         "PRBAL_EDGE_LISTEN 0.0.0.0:50052 is clear text"},
        {"reflection", "reflection", "auto", "on", "PRBAL_REFLECTION is on"},
        {"log level", "log_level", "info", "debug", "PRBAL_LOG_LEVEL is debug"},
        {"database link", "database_url",
         "postgresql://db.example/prbal?sslmode=verify-full",
         "postgresql://db.example/prbal?sslmode=require",
         "without sslmode=verify-full"},
        {"database link", "database_url", "host=/run/postgresql",
         "host=db.example", "without sslmode=verify-full"},
        {"contacts", "require_verified_contact", "true", "false",
         "PRBAL_REQUIRE_VERIFIED_CONTACT is false"},
        {"method limits", "rate_methods", "true", "false",
         "PRBAL_RATE_METHODS is false"},
    };
    set("tls_key", "/etc/key.pem");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[256] = "";
        set(cases[i].setting, cases[i].weak);
        assert_false(rule(cases[i].rule)->is_fine(error, sizeof error));
        if (strstr(error, cases[i].sentence) == NULL)
            fail_msg("%s: %s", cases[i].rule, error);
        set(cases[i].setting, cases[i].strong);
        if (!rule(cases[i].rule)->is_fine(error, sizeof error))
            fail_msg("%s: %s", cases[i].rule, error);
    }
    (void)state;
}

static void clear_text_is_only_for_this_machine(void **state)
{
    static const struct {
        const char *mode, *listen;
        bool fine;
    } cases[] = {
        {"tls", "0.0.0.0:443", true},      {"h2c", "127.0.0.1:50051", true},
        {"h2c", "[::1]:50051", true},      {"h2c", "unix:/run/prbal", true},
        {"h2c", "0.0.0.0:50051", false},   {"both", "[::]:50051", false},
        {"both", "10.0.0.1:50051", false},
    };
    char error[256];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        set("listen_mode", cases[i].mode);
        set("listen", cases[i].listen);
        if (rule("clear text")->is_fine(error, sizeof error) != cases[i].fine)
            fail_msg("%s %s", cases[i].mode, cases[i].listen);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_weak_setting_is_named_by_its_rule),
        cmocka_unit_test(clear_text_is_only_for_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
