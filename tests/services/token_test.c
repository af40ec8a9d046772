/* Attacks on access tokens: every one is refused, and for a control the
 * untouched token of the same test is accepted. */
#include "prbal/options.rpc.h"
#include "rpc/clock.h"
#include "services/auth/token.h"
#include "services/base64url.h"
#include "services/keys.h"

#include <jwt.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define USER "01890000-0000-7000-8000-000000000001"
#define SESSION "01890000-0000-7000-8000-000000000002"

typedef struct {
    struct arena *arena;
    char folder[64];
    struct rpc_caller caller;
} fixture;

static const struct token_subject provider = {
    .user_id = USER,
    .session_id = SESSION,
    .user_type = "PROVIDER",
    .roles = 1u << ROLE_PENDING | 1u << ROLE_ANY | 1u << ROLE_PROVIDER,
};

static char *good_token(fixture *t)
{
    int64_t expires_us;
    return token_issue(t->arena, &provider, 900000, &expires_us);
}

static void assert_verdict(fixture *t, const char *token, token_verdict wanted)
{
    memset(&t->caller, 0, sizeof t->caller);
    assert_int_equal(token_read(t->arena, token, &t->caller), wanted);
    if (wanted != TOKEN_GOOD) {
        assert_null(t->caller.id);
        assert_int_equal(t->caller.roles, 0);
    }
}

/* -- making bad tokens --------------------------------------------------- */

static char *encode(fixture *t, const char *text)
{
    return base64url_encode(t->arena, text, strlen(text));
}

static char *part(fixture *t, const char *token, int index)
{
    char *copy = arena_strdup(t->arena, token);
    char *rest = copy;
    for (; index > 0; index--) {
        strsep(&rest, ".");
        assert_non_null(rest);
    }
    return strsep(&rest, ".");
}

static char *join(fixture *t, const char *header, const char *payload,
                  const char *signature)
{
    return arena_printf(t->arena, "%s.%s.%s", header, payload, signature);
}

/* Signs any header and payload with the server's own key: what somebody could
 * do who found one place that signs for him. */
static char *signed_by_us(fixture *t, const char *header, const char *payload)
{
    const char *body =
        arena_printf(t->arena, "%s.%s", encode(t, header), encode(t, payload));
    BIO *bio = BIO_new_mem_buf(keys_token(0)->private_pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t der[80], raw[64];
    size_t der_size = sizeof der;
    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key),
                     1);
    assert_int_equal(EVP_DigestSign(context, der, &der_size,
                                    (const uint8_t *)body, strlen(body)),
                     1);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);

    const uint8_t *at = der;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)der_size);
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + 32, 32);
    ECDSA_SIG_free(signature);
    return arena_printf(t->arena, "%s.%s", body,
                        base64url_encode(t->arena, raw, sizeof raw));
}

static char *our_header(fixture *t)
{
    return arena_printf(t->arena,
                        "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
                        keys_token(0)->kid);
}

#define NOW "@now@"
#define LATER "@later@"

/* `claims` with the two moments filled in, under our header and signature. */
static char *with_claims(fixture *t, const char *claims)
{
    int64_t now_s = clock_wall_us() / 1000000;
    char *text = arena_alloc(t->arena, strlen(claims) + 256);
    char *to = text;
    while (*claims != '\0') {
        if (strncmp(claims, NOW, strlen(NOW)) == 0) {
            to += sprintf(to, "%lld", (long long)now_s);
            claims += strlen(NOW);
        } else if (strncmp(claims, LATER, strlen(LATER)) == 0) {
            to += sprintf(to, "%lld", (long long)now_s + 900);
            claims += strlen(LATER);
        } else {
            *to++ = *claims++;
        }
    }
    return signed_by_us(t, our_header(t), text);
}

#define CLAIMS(iss, aud, typ, sub, sid, caps, scope, times)         \
    "{\"iss\":" iss ",\"aud\":" aud ",\"typ\":" typ ",\"sub\":" sub \
    ",\"sid\":" sid ",\"caps\":" caps ",\"scope\":" scope "," times "}"
#define TIMES "\"iat\":" NOW ",\"nbf\":" NOW ",\"exp\":" LATER
#define ISS "\"prbal\""
#define AUD "\"prbal.v1\""
#define TYP "\"access\""
#define SUB "\"" USER "\""
#define SID "\"" SESSION "\""
#define CAPS "88"
#define FULL "\"full\""

/* -- tests --------------------------------------------------------------- */

static void a_token_comes_back_as_its_subject(void **state)
{
    fixture *t = *state;
    assert_verdict(t, good_token(t), TOKEN_GOOD);
    assert_string_equal(t->caller.id, USER);
    assert_string_equal(t->caller.session_id, SESSION);
    assert_int_equal(t->caller.roles, provider.roles);
    int64_t left_us = t->caller.expires_us - clock_wall_us();
    assert_in_range(left_us, 898000000, 900000000);
}

static void hand_made_claims_are_accepted_as_a_control(void **state)
{
    fixture *t = *state;
    assert_verdict(
        t, with_claims(t, CLAIMS(ISS, AUD, TYP, SUB, SID, CAPS, FULL, TIMES)),
        TOKEN_GOOD);
}

static void roles_follow_the_user_type(void **state)
{
    (void)state;
    const uint32_t signed_in = 1u << ROLE_PENDING | 1u << ROLE_ANY;
    assert_int_equal(token_roles("SEEKER", "NONE", false),
                     signed_in | 1u << ROLE_SEEKER);
    assert_int_equal(token_roles("BOTH", "NONE", false),
                     signed_in | 1u << ROLE_SEEKER | 1u << ROLE_PROVIDER);
    assert_int_equal(token_roles("LEARNER", "NONE", false),
                     signed_in | 1u << ROLE_LEARNER);
    uint32_t staff = signed_in | 1u << ROLE_SEEKER | 1u << ROLE_PROVIDER |
                     1u << ROLE_LEARNER | 1u << ROLE_ADMIN;
    assert_int_equal(token_roles("ADMIN", "STAFF", false), staff);
    assert_int_equal(token_roles("ADMIN", "SUPERUSER", false),
                     staff | 1u << ROLE_SUPERUSER);
    assert_int_equal(token_roles("PROVIDER", "SUPERUSER", false),
                     signed_in | 1u << ROLE_PROVIDER);
    assert_int_equal(token_roles("ADMIN", "SUPERUSER", true),
                     1u << ROLE_PENDING);
}

static void a_pending_token_opens_no_more_than_pending(void **state)
{
    fixture *t = *state;
    struct token_subject subject = provider;
    subject.roles = token_roles("PROVIDER", "NONE", true);
    int64_t expires_us;
    char *token = token_issue(t->arena, &subject, 60000, &expires_us);
    assert_verdict(t, token, TOKEN_GOOD);
    assert_int_equal(t->caller.roles, 1u << ROLE_PENDING);
}

static void alg_none_is_refused(void **state)
{
    fixture *t = *state;
    const char *headers[] = {
        "{\"alg\":\"none\",\"typ\":\"JWT\"}", "{\"alg\":\"None\"}",
        "{\"alg\":\"NONE\",\"typ\":\"JWT\"}", "{}",
        arena_printf(t->arena,
                     "{\"alg\":\"none\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
                     keys_token(0)->kid)};
    char *token = good_token(t);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        char *header = encode(t, headers[i]);
        assert_verdict(t, join(t, header, part(t, token, 1), ""),
                       TOKEN_INVALID);
        assert_verdict(t, join(t, header, part(t, token, 1), part(t, token, 2)),
                       TOKEN_INVALID);
    }
    assert_verdict(t, join(t, part(t, token, 0), part(t, token, 1), ""),
                   TOKEN_INVALID);
}

/* libjwt accepts this one: the control proves it. */
static void a_mac_keyed_with_the_public_key_is_refused(void **state)
{
    fixture *t = *state;
    const char *pem = keys_token(0)->public_pem;
    const char *headers[] = {
        "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
        arena_printf(t->arena,
                     "{\"alg\":\"HS256\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
                     keys_token(0)->kid),
        our_header(t)};
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        const char *body =
            arena_printf(t->arena, "%s.%s", encode(t, headers[i]),
                         part(t, good_token(t), 1));
        uint8_t mac[32];
        unsigned size;
        HMAC(EVP_sha256(), pem, (int)strlen(pem), (const uint8_t *)body,
             strlen(body), mac, &size);
        char *token = arena_printf(t->arena, "%s.%s", body,
                                   base64url_encode(t->arena, mac, size));
        assert_verdict(t, token, TOKEN_INVALID);
        jwt_t *jwt = NULL;
        if (i < 2)
            assert_int_equal(
                jwt_decode(&jwt, token, (const uint8_t *)pem, (int)strlen(pem)),
                0);
        jwt_free(jwt);
    }
}

static void no_header_but_ours_is_read(void **state)
{
    fixture *t = *state;
    const char *kid = keys_token(0)->kid;
    const char *headers[] = {
        "{\"alg\":\"ES256\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":\"\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":\"../../../dev/null\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":\"/etc/passwd\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":\"x' or '1'='1\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":null,\"typ\":\"JWT\"}",
        arena_printf(t->arena,
                     "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"JWT\","
                     "\"jku\":\"https://evil.example/k\"}",
                     kid),
        arena_printf(t->arena,
                     "{\"alg\":\"ES256\",\"alg\":\"none\",\"kid\":\"%s\","
                     "\"typ\":\"JWT\"}",
                     kid),
        arena_printf(t->arena,
                     "{\"alg\":\"ES256\",\"crit\":[\"x\"],\"kid\":\"%s\","
                     "\"typ\":\"JWT\"}",
                     kid),
        arena_printf(t->arena,
                     "{\"alg\":\"ES256\", \"kid\":\"%s\",\"typ\":\"JWT\"}",
                     kid),
    };
    char *payload =
        with_claims(t, CLAIMS(ISS, AUD, TYP, SUB, SID, CAPS, FULL, TIMES));
    char json[1024];
    size_t size;
    assert_true(base64url_decode(part(t, payload, 1),
                                 strlen(part(t, payload, 1)), (uint8_t *)json,
                                 &size));
    json[size] = '\0';
    assert_verdict(t, signed_by_us(t, our_header(t), json), TOKEN_GOOD);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        assert_verdict(t, signed_by_us(t, headers[i], json), TOKEN_INVALID);
}

static void wrong_claims_are_refused(void **state)
{
    fixture *t = *state;
    static const char *const claims[] = {
        CLAIMS("\"evil\"", AUD, TYP, SUB, SID, CAPS, FULL, TIMES),
        CLAIMS("null", AUD, TYP, SUB, SID, CAPS, FULL, TIMES),
        CLAIMS(ISS, "\"other\"", TYP, SUB, SID, CAPS, FULL, TIMES),
        CLAIMS(ISS, "[\"prbal.v1\"]", TYP, SUB, SID, CAPS, FULL, TIMES),
        CLAIMS(ISS, AUD, "\"refresh\"", SUB, SID, CAPS, FULL, TIMES),
        CLAIMS(ISS, AUD, TYP, "\"\"", SID, CAPS, FULL, TIMES),
        CLAIMS(ISS, AUD, TYP, "\"admin\"", SID, CAPS, FULL, TIMES),
        CLAIMS(ISS, AUD, TYP, "1", SID, CAPS, FULL, TIMES),
        CLAIMS(ISS, AUD, TYP, SUB, "null", CAPS, FULL, TIMES),
        CLAIMS(ISS, AUD, TYP, SUB, SID, "0", FULL, TIMES),
        CLAIMS(ISS, AUD, TYP, SUB, SID, "-1", FULL, TIMES),
        CLAIMS(ISS, AUD, TYP, SUB, SID, "\"88\"", FULL, TIMES),
        CLAIMS(ISS, AUD, TYP, SUB, SID, "1112", FULL, TIMES), /* SERVICE */
        CLAIMS(ISS, AUD, TYP, SUB, SID, CAPS, "\"pending\"", TIMES),
        CLAIMS(ISS, AUD, TYP, SUB, SID, "8", FULL, TIMES),
        CLAIMS(ISS, AUD, TYP, SUB, SID, "40", "\"pending\"", TIMES),
        /* The same claim twice, as another parser might read it. */
        CLAIMS(ISS, AUD, TYP, SUB, SID, CAPS ",\"caps\":1016", FULL, TIMES),
        CLAIMS(ISS, AUD, TYP, SUB, SID, CAPS, FULL,
               TIMES ",\"exp\":9999999999"),
        /* Times that are missing, no numbers, or no times. */
        CLAIMS(ISS, AUD, TYP, SUB, SID, CAPS, FULL,
               "\"iat\":" NOW ",\"nbf\":" NOW),
        CLAIMS(ISS, AUD, TYP, SUB, SID, CAPS, FULL,
               "\"nbf\":" NOW ",\"exp\":" LATER),
        CLAIMS(ISS, AUD, TYP, SUB, SID, CAPS, FULL,
               "\"iat\":" NOW ",\"nbf\":" NOW ",\"exp\":\"" LATER "\""),
        CLAIMS(ISS, AUD, TYP, SUB, SID, CAPS, FULL,
               "\"iat\":" NOW ",\"nbf\":" NOW ",\"exp\":1e300"),
        CLAIMS(ISS, AUD, TYP, SUB, SID, CAPS, FULL,
               "\"iat\":" NOW ",\"nbf\":" NOW ",\"exp\":9223372036854775807"),
        "[]",
        "{}",
        "null",
        "",
        "{",
        "{\"a\":{\"a\":{\"a\":{\"a\":1}}}}",
    };
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++)
        assert_verdict(t, with_claims(t, claims[i]), TOKEN_INVALID);
}

static void an_expired_token_says_so(void **state)
{
    fixture *t = *state;
    char *token = good_token(t);
    clock_shift_wall(899 * 1000000LL);
    assert_verdict(t, token, TOKEN_GOOD);
    clock_shift_wall(901 * 1000000LL);
    assert_verdict(t, token, TOKEN_EXPIRED);
    clock_shift_wall(0);
}

/* Issued before the clock was put back: to be refreshed, not to sign in again.
 * The same for either of its beginnings. */
static void a_token_from_the_future_is_to_be_refreshed(void **state)
{
    fixture *t = *state;
    char *token = good_token(t);
    clock_shift_wall(-29 * 1000000LL);
    assert_verdict(t, token, TOKEN_GOOD);
    clock_shift_wall(-3600 * 1000000LL);
    assert_verdict(t, token, TOKEN_EXPIRED);
    clock_shift_wall(0);
    assert_verdict(t, token, TOKEN_GOOD);
    const char *later[] = {
        CLAIMS(ISS, AUD, TYP, SUB, SID, CAPS, FULL,
               "\"iat\":" NOW ",\"nbf\":" LATER ",\"exp\":" LATER),
        CLAIMS(ISS, AUD, TYP, SUB, SID, CAPS, FULL,
               "\"iat\":" LATER ",\"nbf\":" NOW ",\"exp\":" LATER),
    };
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
        assert_verdict(t, with_claims(t, later[i]), TOKEN_EXPIRED);
}

/* Expired and forged is not "expired": nothing may be learnt from it. */
static void an_expired_forgery_is_invalid(void **state)
{
    fixture *t = *state;
    char *token = good_token(t);
    char *forged =
        join(t, part(t, token, 0), part(t, token, 1),
             part(t, signed_by_us(t, our_header(t), "{\"x\":1}"), 2));
    clock_shift_wall(901 * 1000000LL);
    assert_verdict(t, forged, TOKEN_INVALID);
    clock_shift_wall(0);
}

static void every_flipped_bit_of_the_signature_is_refused(void **state)
{
    fixture *t = *state;
    char *token = good_token(t);
    uint8_t raw[86];
    size_t size;
    assert_true(base64url_decode(part(t, token, 2), 86, raw, &size));
    for (size_t bit = 0; bit < size * 8; bit += 7) {
        raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_verdict(t,
                       join(t, part(t, token, 0), part(t, token, 1),
                            base64url_encode(t->arena, raw, size)),
                       TOKEN_INVALID);
        raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void every_changed_character_is_refused(void **state)
{
    fixture *t = *state;
    char *token = good_token(t);
    size_t length = strlen(token);
    for (size_t i = 0; i < length; i += 5) {
        char *copy = arena_strdup(t->arena, token);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        assert_verdict(t, copy, TOKEN_INVALID);
    }
    /* The last character carries four bits that no byte needs. */
    char *copy = arena_strdup(t->arena, token);
    copy[length - 1]++;
    assert_verdict(t, copy, TOKEN_INVALID);
}

static void every_truncation_is_refused(void **state)
{
    fixture *t = *state;
    char *token = good_token(t);
    for (size_t i = 0; i < strlen(token); i++)
        assert_verdict(t, arena_strndup(t->arena, token, i), TOKEN_INVALID);
}

static void odd_shapes_are_refused(void **state)
{
    fixture *t = *state;
    char *token = good_token(t);
    char *huge = arena_alloc(t->arena, 1 << 20);
    memset(huge, 'A', (1 << 20) - 1);
    memcpy(huge, token, strlen(token));
    const char *shapes[] = {
        "",
        ".",
        "..",
        "...",
        huge,
        arena_printf(t->arena, "%s.", token),
        arena_printf(t->arena, "%s=", token),
        arena_printf(t->arena, "%s==", token),
        arena_printf(t->arena, " %s", token),
        arena_printf(t->arena, "%s ", token),
        arena_printf(t->arena, "%s\n", token),
        arena_printf(t->arena, "Bearer %s", token),
        arena_printf(t->arena, "%s,%s", token, token),
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        assert_verdict(t, shapes[i], TOKEN_INVALID);
    assert_verdict(t, token, TOKEN_GOOD);
}

static void null_signatures_are_refused(void **state)
{
    fixture *t = *state;
    char *token = good_token(t);
    uint8_t zeros[64] = {0}, ones[64];
    memset(ones, 0xff, sizeof ones);
    assert_verdict(t,
                   join(t, part(t, token, 0), part(t, token, 1),
                        base64url_encode(t->arena, zeros, 64)),
                   TOKEN_INVALID);
    assert_verdict(t,
                   join(t, part(t, token, 0), part(t, token, 1),
                        base64url_encode(t->arena, ones, 64)),
                   TOKEN_INVALID);
}

static void another_installation_is_a_stranger(void **state)
{
    fixture *t = *state;
    char *token = good_token(t);
    char other[80], error[200];
    snprintf(other, sizeof other, "%s/other", t->folder);
    assert_true(keys_load(other, error, sizeof error));
    assert_verdict(t, token, TOKEN_INVALID);
    assert_true(keys_load(t->folder, error, sizeof error));
    assert_verdict(t, token, TOKEN_GOOD);
}

static void a_rotated_key_still_verifies_but_does_not_sign(void **state)
{
    fixture *t = *state;
    char *old = good_token(t);
    char from[80], to[80], error[200];
    snprintf(from, sizeof from, "%s/token.pem", t->folder);
    snprintf(to, sizeof to, "%s/token-old.pem", t->folder);
    assert_int_equal(rename(from, to), 0);
    assert_true(keys_load(t->folder, error, sizeof error));
    assert_int_equal(keys_token_count(), 2);
    assert_verdict(t, old, TOKEN_GOOD);
    char *fresh = good_token(t);
    assert_verdict(t, fresh, TOKEN_GOOD);
    assert_string_not_equal(part(t, old, 0), part(t, fresh, 0));
    assert_int_equal(unlink(to), 0);
    assert_true(keys_load(t->folder, error, sizeof error));
    assert_verdict(t, old, TOKEN_INVALID);
    assert_verdict(t, fresh, TOKEN_GOOD);
}

static void the_published_keys_hold_nothing_private(void **state)
{
    fixture *t = *state;
    char *jwks = token_jwks(t->arena);
    assert_non_null(strstr(jwks, keys_token(0)->kid));
    assert_non_null(strstr(jwks, "\"crv\":\"P-256\""));
    assert_null(strstr(jwks, "\"d\":"));
    assert_null(strstr(jwks, "PRIVATE"));
}

static int start(void **state)
{
    fixture *t = calloc(1, sizeof *t);
    char error[200];
    snprintf(t->folder, sizeof t->folder, "/tmp/prbal-token-XXXXXX");
    if (mkdtemp(t->folder) == NULL ||
        !keys_load(t->folder, error, sizeof error))
        return -1;
    t->arena = arena_create();
    *state = t;
    return 0;
}

static int finish(void **state)
{
    fixture *t = *state;
    static const char *const files[] = {
        "other/token.pem", "other/secret", "other", "token.pem", "secret", ""};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", t->folder, files[i]);
        remove(path);
    }
    keys_forget();
    arena_destroy(t->arena);
    free(t);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_comes_back_as_its_subject),
        TEST(hand_made_claims_are_accepted_as_a_control),
        TEST(roles_follow_the_user_type),
        TEST(a_pending_token_opens_no_more_than_pending),
        TEST(alg_none_is_refused),
        TEST(a_mac_keyed_with_the_public_key_is_refused),
        TEST(no_header_but_ours_is_read),
        TEST(wrong_claims_are_refused),
        TEST(an_expired_token_says_so),
        TEST(a_token_from_the_future_is_to_be_refreshed),
        TEST(an_expired_forgery_is_invalid),
        TEST(every_flipped_bit_of_the_signature_is_refused),
        TEST(every_changed_character_is_refused),
        TEST(every_truncation_is_refused),
        TEST(odd_shapes_are_refused),
        TEST(null_signatures_are_refused),
        TEST(another_installation_is_a_stranger),
        TEST(a_rotated_key_still_verifies_but_does_not_sign),
        TEST(the_published_keys_hold_nothing_private),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
