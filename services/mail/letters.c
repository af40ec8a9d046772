#include "services/mail/letters.h"

#include "services/app.h"

#include <string.h>

enum letter { VERIFY, RESET, WELCOME, CHANGED, STOLEN, LETTER_COUNT };

/* Texts of one language.  {1} is a code or a name, {2} how many minutes a code
 * is good; what else is written in a text is not looked at. */
struct language {
    const char *locale;
    struct {
        const char *subject, *text;
    } letters[LETTER_COUNT];
};

static const struct language languages[] = {
    {"en",
     {[VERIFY] = {"Your Prbal code: {1}",
                  "Your code is {1}.\n\n"
                  "It verifies your e-mail address and is good for {2} "
                  "minutes. If you did not ask for it, ignore this mail.\n"},
      [RESET] = {"Set a new Prbal password",
                 "Your code is {1}.\n\n"
                 "It sets a new password and is good for {2} minutes. If you "
                 "did not ask for it, ignore this mail: your password stays "
                 "as it is.\n"},
      [WELCOME] = {"Welcome to Prbal",
                   "Hello {1},\n\n"
                   "your e-mail address is verified and your account is "
                   "ready.\n"},
      [CHANGED] = {"Your Prbal password was changed",
                   "The password of your account was changed and other "
                   "devices were signed out.\n\n"
                   "If it was not you, set a new password at once.\n"},
      [STOLEN] = {"A Prbal session was ended for your safety",
                  "A sign-in of your account was used from two places, so it "
                  "was ended on both.\n\n"
                  "If you do not know why, change your password.\n"}}},
};

/* The whole locale, then its language, then English. */
static const struct language *language_of(const char *locale)
{
    size_t length = strcspn(locale, "-");
    for (size_t i = 0; i < sizeof languages / sizeof languages[0]; i++)
        if (strcmp(languages[i].locale, locale) == 0)
            return &languages[i];
    for (size_t i = 0; i < sizeof languages / sizeof languages[0]; i++)
        if (strlen(languages[i].locale) == length &&
            strncmp(languages[i].locale, locale, length) == 0)
            return &languages[i];
    return &languages[0];
}

static char *fill(struct arena *arena, const char *pattern, const char *first,
                  const char *second)
{
    char *text = arena_strdup(arena, "");
    while (*pattern != '\0') {
        size_t plain = strcspn(pattern, "{");
        const char *value = "";
        size_t used = 0;
        if (strncmp(pattern + plain, "{1}", 3) == 0) {
            value = first;
            used = 3;
        } else if (strncmp(pattern + plain, "{2}", 3) == 0) {
            value = second;
            used = 3;
        } else if (pattern[plain] == '{') {
            value = "{";
            used = 1;
        }
        text =
            arena_printf(arena, "%s%.*s%s", text, (int)plain, pattern, value);
        pattern += plain + used;
    }
    return text;
}

static void post(struct db *tx, const char *locale, const char *to,
                 enum letter letter, const char *first)
{
    struct arena *arena = db_call(tx)->arena;
    const struct language *language = language_of(locale);
    const char *minutes = arena_printf(
        arena, "%lld", (long long)app_config()->otp_ttl_ms / 60000);
    struct mail mail = {
        .to = to,
        .subject =
            fill(arena, language->letters[letter].subject, first, minutes),
        .text = fill(arena, language->letters[letter].text, first, minutes),
    };
    mail_send(tx, &mail);
}

void letter_verify_email(struct db *tx, const char *locale, const char *to,
                         const char *code)
{
    post(tx, locale, to, VERIFY, code);
}

void letter_reset_password(struct db *tx, const char *locale, const char *to,
                           const char *code)
{
    post(tx, locale, to, RESET, code);
}

void letter_welcome(struct db *tx, const char *locale, const char *to,
                    const char *full_name)
{
    post(tx, locale, to, WELCOME, full_name);
}

void letter_password_changed(struct db *tx, const char *locale, const char *to)
{
    post(tx, locale, to, CHANGED, "");
}

void letter_session_stolen(struct db *tx, const char *locale, const char *to)
{
    post(tx, locale, to, STOLEN, "");
}
