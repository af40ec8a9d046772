/* Any text as an access token, and a good token with its parts replaced: no
 * other than the good one is good. */
#include "rpc/arena.h"
#include "services/auth/token.h"
#include "services/base64url.h"
#include "services/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static char *good;

static void start(void)
{
    static const struct token_subject subject = {
        .user_id = "01890000-0000-7000-8000-000000000001",
        .session_id = "01890000-0000-7000-8000-000000000002",
        .user_type = "PROVIDER",
        .roles = 24,
    };
    char folder[] = "/tmp/prbal-fuzz-XXXXXX", error[256], command[64];
    int64_t expires_us;
    if (mkdtemp(folder) == NULL || !keys_load(folder, error, sizeof error))
        abort();
    struct arena *arena = arena_create();
    const int64_t day_ms = 86400000;
    good = strdup(token_issue(arena, &subject, day_ms, &expires_us));
    arena_destroy(arena);
    snprintf(command, sizeof command, "rm -r %s", folder);
    if (system(command) != 0)
        abort();
}

static void check(struct arena *arena, const char *text)
{
    struct rpc_caller caller = {0};
    token_verdict verdict = token_read(arena, text, &caller);
    if ((verdict == TOKEN_GOOD) != (strcmp(text, good) == 0))
        abort();
    if (verdict != TOKEN_GOOD && caller.roles != 0)
        abort();
}

static void check_base64(struct arena *arena, const char *text, size_t size)
{
    uint8_t *bytes = arena_alloc(arena, size + 1);
    size_t count;
    if (base64url_decode(text, size, bytes, &count) &&
        strcmp(base64url_encode(arena, bytes, count), text) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (good == NULL)
        start();
    struct arena *arena = arena_create();
    const char *text = arena_strndup(arena, (const char *)bytes, size);
    const char *payload = strchr(good, '.') + 1;
    const char *signature = strrchr(good, '.') + 1;
    check(arena, text);
    check(arena, arena_printf(arena, "%.*s%s.%s", (int)(payload - good), good,
                              text, signature));
    check(arena,
          arena_printf(arena, "%.*s%s.%s", (int)(payload - good), good,
                       base64url_encode(arena, text, strlen(text)), signature));
    check(arena,
          arena_printf(arena, "%.*s%s", (int)(signature - good), good, text));
    check_base64(arena, text, strlen(text));
    arena_destroy(arena);
    return 0;
}
