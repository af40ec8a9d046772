/* The rules for new passwords.  How they are kept and verified is tested
 * through Register and Login. */
#include "services/auth/password_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

extern const char *const common_passwords[];
extern const size_t common_passwords_count;

static const struct password_owner nobody;
static const struct password_owner owner = {
    .username = "night.owl",
    .email = "gwendolyn@example.org",
    .first_name = "Gwen",
    .last_name = "Fairweather",
    .full_name = "Gwen Fairweather",
};

static void assert_weak(const char *password, const struct password_owner *who,
                        const char *part_of_reason)
{
    const char *reason = password_weakness(password, who);
    if (reason == NULL)
        fail_msg("'%s' was accepted", password);
    if (strstr(reason, part_of_reason) == NULL)
        fail_msg("'%s': %s", password, reason);
}

static void assert_strong(const char *password,
                          const struct password_owner *who)
{
    const char *reason = password_weakness(password, who);
    if (reason != NULL)
        fail_msg("'%s': %s", password, reason);
}

static void a_password_has_eight_characters(void **state)
{
    (void)state;
    assert_weak("", &nobody, "8 characters");
    assert_weak("k4$pQz9", &nobody, "8 characters");
    assert_strong("k4$pQz9x", &nobody);
}

static void characters_are_counted_and_not_bytes(void **state)
{
    (void)state;
    assert_weak("\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7", &nobody,
                "8 characters"); /* five Arabic letters in ten bytes */
    assert_strong("\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7-xyv", &nobody);
}

static void digits_alone_will_not_do(void **state)
{
    (void)state;
    assert_weak("48151623421357", &nobody, "digits");
    assert_strong("48151623421357m", &nobody);
}

static void common_passwords_will_not_do_in_any_case(void **state)
{
    (void)state;
    static const char *const common[] = {
        "password",   "password1",  "PassWord123", "qwertyuiop",  "Qwerty123",
        "1q2w3e4r",   "iloveyou",   "P@ssw0rd",    "letmein1",    "admin123",
        "zaq12wsx",   "abcd1234",   "football1",   "jennifer1",   "aaaaaaaa",
        "welcome123", "1qaz2wsx",   "sunshine",    "superman123", "trustno1",
        "monkey123",  "bismillah1", "motdepasse",  "azertyuiop",
    };
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        assert_weak(common[i], &nobody, "too common");
}

static void the_list_is_sorted_lower_case_and_long_enough(void **state)
{
    (void)state;
    assert_true(common_passwords_count >= 10000);
    for (size_t i = 0; i < common_passwords_count; i++) {
        const char *word = common_passwords[i];
        assert_true(i == 0 || strcmp(common_passwords[i - 1], word) < 0);
        for (; *word != '\0'; word++)
            assert_false(*word >= 'A' && *word <= 'Z');
    }
}

static void a_password_does_not_repeat_its_owner(void **state)
{
    (void)state;
    static const char *const own[] = {
        "gwendolyn",     "GWENDOLYN1",      "fairweather",
        "Fairweather99", "night.owl",       "night.owl1",
        "1Gwendolyn!",   "GwenFairweather", "fairweathers",
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        assert_weak(own[i], &owner, "similar");
    assert_strong("owls over gwent at dusk", &owner);
    assert_strong("fairweather-lemon-47-trombone", &owner);
}

static void short_names_forbid_nothing(void **state)
{
    (void)state;
    const struct password_owner li = {.first_name = "Li", .last_name = "Wu"};
    assert_strong("liwu4492", &li);
}

static void similarity_is_seven_tenths(void **state)
{
    (void)state;
    /* 2 * 7 / (7 + 13) is 0.7; one character more is less. */
    assert_true(password_is_similar("abcdefg123456", "abcdefg"));
    assert_false(password_is_similar("abcdefg1234567", "abcdefg"));
    assert_false(password_is_similar("something-else", ""));
}

static void very_long_texts_are_looked_at_in_part(void **state)
{
    (void)state;
    char password[PASSWORD_BYTES_MAX + 1];
    memset(password, 'x', PASSWORD_BYTES_MAX);
    password[PASSWORD_BYTES_MAX] = '\0';
    assert_strong(password, &owner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_has_eight_characters),
        cmocka_unit_test(characters_are_counted_and_not_bytes),
        cmocka_unit_test(digits_alone_will_not_do),
        cmocka_unit_test(common_passwords_will_not_do_in_any_case),
        cmocka_unit_test(the_list_is_sorted_lower_case_and_long_enough),
        cmocka_unit_test(a_password_does_not_repeat_its_owner),
        cmocka_unit_test(short_names_forbid_nothing),
        cmocka_unit_test(similarity_is_seven_tenths),
        cmocka_unit_test(very_long_texts_are_looked_at_in_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
