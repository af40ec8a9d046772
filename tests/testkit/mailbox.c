#include "tests/testkit/mailbox.h"

#include "services/app.h"

#include <glob.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAIL_BYTES_MAX = 16384, WAIT_MS = 5000, STEP_MS = 5 };

static char *read_whole(fixture *t, const char *path)
{
    char *bytes = arena_alloc(t->arena, MAIL_BYTES_MAX + 1);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t size = fread(bytes, 1, MAIL_BYTES_MAX, file);
    fclose(file);
    bytes[size] = '\0';
    return bytes;
}

/* The headers as they are, and the text out of its base64. */
static const char *decode(fixture *t, const char *mail)
{
    const char *body = strstr(mail, "\r\n\r\n");
    assert_non_null(body);
    char *text = arena_alloc(t->arena, strlen(body) + 1);
    char *to = text;
    for (const char *line = body + 4; *line != '\0';) {
        size_t size = strcspn(line, "\r");
        int decoded =
            EVP_DecodeBlock((uint8_t *)to, (const uint8_t *)line, (int)size);
        assert_true(decoded > 0);
        to += decoded - (line[size - 1] == '=') - (line[size - 2] == '=');
        line += size + strspn(line + size, "\r\n");
    }
    *to = '\0';
    return arena_printf(t->arena, "%.*s\n\n%s", (int)(body - mail), mail, text);
}

/* The `number`-th mail; how many there are goes to *count. */
static const char *find(fixture *t, const char *address, int number, int *count)
{
    glob_t found;
    const char *mail = NULL;
    *count = 0;
    const char *line = arena_printf(t->arena, "\r\nTo: %s\r\n", address);
    const char *pattern =
        arena_printf(t->arena, "%s/outbox/*.eml", app_data_folder());
    if (glob(pattern, 0, NULL, &found) != 0)
        return NULL;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char *bytes = read_whole(t, found.gl_pathv[i]);
        if (strstr(bytes, line) != NULL && ++*count == number)
            mail = bytes;
    }
    globfree(&found);
    return mail;
}

int mail_count(fixture *t, const char *to)
{
    int count;
    find(t, to, 0, &count);
    return count;
}

const char *mail_to(fixture *t, const char *to, int number)
{
    int count;
    for (int waited = 0; waited < WAIT_MS; waited += STEP_MS) {
        const char *mail = find(t, to, number, &count);
        if (mail != NULL)
            return decode(t, mail);
        run_for(t, STEP_MS);
    }
    fail_msg("mail %d to %s did not come", number, to);
    return NULL;
}

const char *mailed_code(fixture *t, const char *to, int number)
{
    const char *text = strstr(mail_to(t, to, number), "\n\n");
    for (; *text != '\0'; text++)
        if (strspn(text, "0123456789") == 6)
            return arena_strndup(t->arena, text, 6);
    fail_msg("mail %d to %s has no code", number, to);
    return NULL;
}

const char *other_code(fixture *t, const char *code)
{
    return arena_printf(t->arena, "%06d", (atoi(code) + 1) % 1000000);
}
