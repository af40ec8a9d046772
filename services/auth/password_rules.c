#include "services/auth/password_rules.h"

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The list, sorted, in lower case: made from common_passwords.txt. */
extern const char *const common_passwords[];
extern const size_t common_passwords_count;

static int compare_words(const void *key, const void *entry)
{
    return strcmp(key, *(const char *const *)entry);
}

static bool is_common(const char *password)
{
    char lower[64];
    size_t length = strlen(password);
    if (length >= sizeof lower)
        return false;
    for (size_t i = 0; i <= length; i++)
        lower[i] = password[i] >= 'A' && password[i] <= 'Z'
                       ? (char)(password[i] + 'a' - 'A')
                       : password[i];
    return bsearch(lower, common_passwords, common_passwords_count,
                   sizeof common_passwords[0], compare_words) != NULL;
}

/* -- likeness ------------------------------------------------------------- */

enum { LENGTH_MAX = 128, WORD_LENGTH_MIN = 4 };

static size_t copy_lower(char to[LENGTH_MAX + 1], const char *from,
                         size_t length)
{
    if (length > LENGTH_MAX)
        length = LENGTH_MAX;
    for (size_t i = 0; i < length; i++)
        to[i] = (char)tolower((unsigned char)from[i]);
    to[length] = '\0';
    return length;
}

/* Row by row: runs[j] is the run that ends at a[i - 1] and b[j - 1]. */
static size_t longest_common_run(const char *a, size_t a_length, const char *b,
                                 size_t b_length)
{
    uint8_t runs[LENGTH_MAX + 1] = {0};
    size_t longest = 0;
    for (size_t i = 0; i < a_length; i++)
        for (size_t j = b_length; j > 0; j--) {
            runs[j] = a[i] == b[j - 1] ? (uint8_t)(runs[j - 1] + 1) : 0;
            if (runs[j] > longest)
                longest = runs[j];
        }
    return longest;
}

static bool is_near(const char *password, size_t length, const char *name,
                    size_t name_length)
{
    size_t run = longest_common_run(password, length, name, name_length);
    return run * 20 >= (length + name_length) * 7;
}

bool password_is_similar(const char *password, const char *name)
{
    char secret[LENGTH_MAX + 1];
    char known[LENGTH_MAX + 1];
    size_t length = copy_lower(secret, password, strlen(password));
    size_t known_length = copy_lower(known, name, strlen(name));
    if (known_length >= WORD_LENGTH_MIN &&
        is_near(secret, length, known, known_length))
        return true;

    char *rest;
    for (char *word = strtok_r(known, " .-_+'", &rest); word != NULL;
         word = strtok_r(NULL, " .-_+'", &rest))
        if (strlen(word) >= WORD_LENGTH_MIN &&
            is_near(secret, length, word, strlen(word)))
            return true;
    return false;
}

/* -- the rules ---------------------------------------------------------- */

/* Characters, not bytes: UTF-8's continuation bytes do not count. */
static size_t length_of(const char *text)
{
    size_t length = 0;
    for (; *text != '\0'; text++)
        length += ((uint8_t)*text & 0xC0) != 0x80;
    return length;
}

static bool resembles_owner(const char *password,
                            const struct password_owner *owner)
{
    char local_part[65] = "";
    if (owner->email != NULL)
        snprintf(local_part, sizeof local_part, "%.*s",
                 (int)strcspn(owner->email, "@"), owner->email);
    const char *const names[] = {owner->username, local_part, owner->first_name,
                                 owner->last_name, owner->full_name};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i] != NULL && password_is_similar(password, names[i]))
            return true;
    return false;
}

const char *password_weakness(const char *password,
                              const struct password_owner *owner)
{
    if (length_of(password) < PASSWORD_LENGTH_MIN)
        return "Use at least 8 characters.";
    if (strspn(password, "0123456789") == strlen(password))
        return "Use more than digits.";
    if (is_common(password))
        return "This password is too common; choose another.";
    if (resembles_owner(password, owner))
        return "The password is too similar to your name or e-mail address.";
    return NULL;
}
