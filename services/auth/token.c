/* The one file that talks to libjwt. */
#include "services/auth/token.h"

#include "prbal/options.rpc.h"
#include "rpc/clock.h"
#include "services/base64url.h"
#include "services/keys.h"

#include <jansson.h>
#include <jwt.h>
#include <stdlib.h>
#include <string.h>

#define ISSUER "prbal"
#define AUDIENCE "prbal.v1"

enum {
    SIGNATURE_BYTES = 64, /* r and s of P-256 */
    SIGNATURE_CHARS = 86,
    UUID_CHARS = 36,
};

/* -- roles --------------------------------------------------------------- */

#define BIT(role) (1u << (role))

/* What an account can have: never OPEN, PUBLIC or SERVICE. */
enum {
    GRANTABLE = BIT(ROLE_PENDING) | BIT(ROLE_ANY) | BIT(ROLE_SEEKER) |
                BIT(ROLE_PROVIDER) | BIT(ROLE_LEARNER) | BIT(ROLE_ADMIN) |
                BIT(ROLE_SUPERUSER),
};

static const struct {
    const char *user_type;
    uint32_t roles;
} capabilities[] = {
    {"SEEKER", BIT(ROLE_SEEKER)},
    {"PROVIDER", BIT(ROLE_PROVIDER)},
    {"BOTH", BIT(ROLE_SEEKER) | BIT(ROLE_PROVIDER)},
    {"LEARNER", BIT(ROLE_LEARNER)},
    {"ADMIN", BIT(ROLE_SEEKER) | BIT(ROLE_PROVIDER) | BIT(ROLE_LEARNER) |
                  BIT(ROLE_ADMIN)},
};

uint32_t token_roles(const char *user_type, const char *admin_level,
                     bool is_pending)
{
    if (is_pending)
        return BIT(ROLE_PENDING);
    uint32_t roles = BIT(ROLE_PENDING) | BIT(ROLE_ANY);
    for (size_t i = 0; i < sizeof capabilities / sizeof capabilities[0]; i++)
        if (strcmp(user_type, capabilities[i].user_type) == 0)
            roles |= capabilities[i].roles;
    if ((roles & BIT(ROLE_ADMIN)) != 0 && strcmp(admin_level, "SUPERUSER") == 0)
        roles |= BIT(ROLE_SUPERUSER);
    return roles;
}

/* -- libjwt -------------------------------------------------------------- */

static void must(int failure)
{
    if (failure != 0)
        abort();
}

/* Signs `claims` and returns the token in `arena`. */
static char *sign(struct arena *arena, const struct keys_token *key,
                  const char *claims)
{
    jwt_t *jwt;
    must(jwt_new(&jwt));
    must(jwt_add_grants_json(jwt, claims));
    must(jwt_add_header(jwt, "kid", key->kid));
    must(jwt_set_alg(jwt, JWT_ALG_ES256, (const uint8_t *)key->private_pem,
                     (int)strlen(key->private_pem)));
    char *encoded = jwt_encode_str(jwt);
    if (encoded == NULL)
        abort();
    char *text = arena_strdup(arena, encoded);
    free(encoded);
    jwt_free(jwt);
    return text;
}

/* The algorithm is asked for again afterwards: when its copy of the key cannot
 * be allocated, jwt_decode() answers success without having looked at anything,
 * and then the algorithm is still "none". */
static bool signature_is_good(const char *text, const struct keys_token *key)
{
    jwt_t *jwt = NULL;
    int failure = jwt_decode(&jwt, text, (const uint8_t *)key->public_pem,
                             (int)strlen(key->public_pem));
    bool good =
        failure == 0 && jwt != NULL && jwt_get_alg(jwt) == JWT_ALG_ES256;
    jwt_free(jwt);
    return good;
}

/* -- issuing ------------------------------------------------------------- */

char *token_issue(struct arena *arena, const struct token_subject *subject,
                  int64_t lifetime_ms, int64_t *expires_us)
{
    int64_t now_s = clock_wall_us() / 1000000;
    int64_t expires_s = now_s + lifetime_ms / 1000;
    *expires_us = expires_s * 1000000;
    /* All of these are our own: uuids, numbers and names of enum values. */
    char *claims = arena_printf(
        arena,
        "{\"iss\":\"" ISSUER "\",\"aud\":\"" AUDIENCE "\",\"typ\":\"access\","
        "\"sub\":\"%s\",\"sid\":\"%s\",\"ut\":\"%s\",\"caps\":%u,"
        "\"scope\":\"%s\",\"iat\":%lld,\"nbf\":%lld,\"exp\":%lld}",
        subject->user_id, subject->session_id, subject->user_type,
        subject->roles & GRANTABLE,
        (subject->roles & BIT(ROLE_ANY)) != 0 ? "full" : "pending",
        (long long)now_s, (long long)now_s, (long long)expires_s);
    return sign(arena, keys_token(0), claims);
}

/* -- reading: the shape -------------------------------------------------- */

struct parts {
    const char *header, *payload, *signature;
    size_t header_size, payload_size, signature_size;
};

static bool split(const char *text, struct parts *parts)
{
    size_t size = strnlen(text, TOKEN_BYTES_MAX + 1);
    const char *first = memchr(text, '.', size);
    if (size > TOKEN_BYTES_MAX || first == NULL)
        return false;
    const char *end = text + size;
    const char *second = memchr(first + 1, '.', (size_t)(end - first - 1));
    if (second == NULL)
        return false;
    *parts = (struct parts){
        .header = text,
        .header_size = (size_t)(first - text),
        .payload = first + 1,
        .payload_size = (size_t)(second - first - 1),
        .signature = second + 1,
        .signature_size = (size_t)(end - second - 1),
    };
    return true;
}

/* The header as libjwt writes it for this key: sorted, compact. */
static const char *header_of(struct arena *arena, const struct keys_token *key)
{
    const char *json = arena_printf(
        arena, "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"JWT\"}", key->kid);
    return base64url_encode(arena, json, strlen(json));
}

/* The key whose header this is, or NULL: no `kid` is ever looked up, no `jku`,
 * `x5u` or `jwk` ever read, and another `alg` is another header. */
static const struct keys_token *key_of(struct arena *arena,
                                       const struct parts *parts)
{
    for (size_t i = 0; i < keys_token_count(); i++) {
        const char *header = header_of(arena, keys_token(i));
        if (strlen(header) == parts->header_size &&
            memcmp(header, parts->header, parts->header_size) == 0)
            return keys_token(i);
    }
    return NULL;
}

static bool signature_has_shape(const struct parts *parts)
{
    uint8_t bytes[SIGNATURE_CHARS];
    size_t size;
    return parts->signature_size == SIGNATURE_CHARS &&
           base64url_decode(parts->signature, SIGNATURE_CHARS, bytes, &size) &&
           size == SIGNATURE_BYTES;
}

/* Our claims are flat.  Anything nested is refused before a JSON parser sees
 * it: parsers recurse, and this may run on a small stack. */
static json_t *read_claims(struct arena *arena, const struct parts *parts)
{
    size_t size;
    char *json = arena_alloc(arena, parts->payload_size + 1);
    if (!base64url_decode(parts->payload, parts->payload_size, (uint8_t *)json,
                          &size) ||
        size < 2 || memchr(json, '\0', size) != NULL)
        return NULL;
    if (strchr(json + 1, '{') != NULL || strchr(json, '[') != NULL)
        return NULL;
    return json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL);
}

/* -- reading: the claims ------------------------------------------------- */

static const char *text_claim(const json_t *claims, const char *name)
{
    const char *text = json_string_value(json_object_get(claims, name));
    return text != NULL ? text : "";
}

static bool text_is(const json_t *claims, const char *name, const char *wanted)
{
    return strcmp(text_claim(claims, name), wanted) == 0;
}

static bool is_uuid(const char *text)
{
    if (strlen(text) != UUID_CHARS)
        return false;
    for (int i = 0; i < UUID_CHARS; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text[i] != '-'
                    : strchr("0123456789abcdef", text[i]) == NULL)
            return false;
    }
    return true;
}

/* -1, which is before every moment, when it is no whole number. */
static int64_t time_claim(const json_t *claims, const char *name)
{
    const json_t *value = json_object_get(claims, name);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

/* The scope and the roles must tell the same story. */
static bool read_roles(const json_t *claims, uint32_t *roles)
{
    const json_t *value = json_object_get(claims, "caps");
    if (!json_is_integer(value))
        return false;
    json_int_t bits = json_integer_value(value);
    if (bits <= 0 || (bits & ~(json_int_t)GRANTABLE) != 0 ||
        (bits & BIT(ROLE_PENDING)) == 0)
        return false;
    *roles = (uint32_t)bits;
    if ((bits & BIT(ROLE_ANY)) != 0)
        return text_is(claims, "scope", "full");
    return bits == BIT(ROLE_PENDING) && text_is(claims, "scope", "pending");
}

/* One from the future was issued before a clock was put back: it ends early, as
 * one does when a clock is put forward, and its client refreshes it. */
static token_verdict check_times(const json_t *claims, int64_t *expires_us)
{
    int64_t now_s = clock_wall_us() / 1000000;
    int64_t issued_s = time_claim(claims, "iat");
    int64_t begins_s = time_claim(claims, "nbf");
    int64_t expires_s = time_claim(claims, "exp");
    if (issued_s < 0 || begins_s < 0 || expires_s < issued_s ||
        expires_s > INT64_MAX / 1000000)
        return TOKEN_INVALID;
    *expires_us = expires_s * 1000000;
    int64_t latest_s = now_s + TOKEN_SKEW_S;
    bool is_now =
        now_s < expires_s && issued_s <= latest_s && begins_s <= latest_s;
    return is_now ? TOKEN_GOOD : TOKEN_EXPIRED;
}

static token_verdict check_claims(struct arena *arena, const json_t *claims,
                                  struct rpc_caller *caller)
{
    const char *user_id = text_claim(claims, "sub");
    const char *session_id = text_claim(claims, "sid");
    if (!text_is(claims, "iss", ISSUER) || !text_is(claims, "aud", AUDIENCE) ||
        !text_is(claims, "typ", "access") || !is_uuid(user_id) ||
        !is_uuid(session_id) || !read_roles(claims, &caller->roles))
        return TOKEN_INVALID;
    caller->id = arena_strdup(arena, user_id);
    caller->session_id = arena_strdup(arena, session_id);
    return check_times(claims, &caller->expires_us);
}

token_verdict token_read(struct arena *arena, const char *text,
                         struct rpc_caller *caller)
{
    struct parts parts;
    if (!split(text, &parts) || !signature_has_shape(&parts))
        return TOKEN_INVALID;
    const struct keys_token *key = key_of(arena, &parts);
    if (key == NULL)
        return TOKEN_INVALID;

    json_t *claims = read_claims(arena, &parts);
    struct rpc_caller found = {0};
    token_verdict verdict = check_claims(arena, claims, &found);
    json_decref(claims);
    if (verdict == TOKEN_INVALID || !signature_is_good(text, key))
        return TOKEN_INVALID;
    if (verdict == TOKEN_GOOD)
        *caller = found;
    return verdict;
}

/* -- publishing ---------------------------------------------------------- */

char *token_jwks(struct arena *arena)
{
    const char *list = "";
    for (size_t i = 0; i < keys_token_count(); i++) {
        const struct keys_token *key = keys_token(i);
        list = arena_printf(
            arena,
            "%s%s{\"alg\":\"ES256\",\"crv\":\"P-256\",\"kid\":\"%s\","
            "\"kty\":\"EC\",\"use\":\"sig\",\"x\":\"%s\",\"y\":\"%s\"}",
            list, i > 0 ? "," : "", key->kid,
            base64url_encode(arena, key->x, sizeof key->x),
            base64url_encode(arena, key->y, sizeof key->y));
    }
    return arena_printf(arena, "{\"keys\":[%s]}", list);
}
