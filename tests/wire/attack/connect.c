/* Connect and JSON: depth, numbers, names, envelopes, base64. */
#include "tests/wire/attack/attack.h"

enum { TEXT_BYTES = 4 * 1024 * 1024 };

static const struct rpc_header json[] = {{"content-type", "application/json"},
                                         {0}};

static char *text_buffer(void)
{
    static char *text;
    if (text == NULL)
        text = malloc(TEXT_BYTES + 64);
    assert_non_null(text);
    return text;
}

/* Without the five bytes in front of a stream's last envelope. */
static const char *text_of(const struct client_response *r)
{
    bool is_envelope = r->body_size > 5 && r->body[0] == 2;
    return (const char *)r->body + (is_envelope ? 5 : 0);
}

static int text_size(const struct client_response *r)
{
    return (int)(r->body_size - (size_t)(text_of(r) - (const char *)r->body));
}

/* Connect's answer to an error: a status of HTTP, and the code's name. */
static void assert_connect(const char *path, const struct rpc_header *headers,
                           const void *body, size_t size, int http_status,
                           const char *code)
{
    struct client *client = attack_connected();
    struct client_response *r =
        client_request(client, path, headers, body, size, true);
    char wanted[64];
    client_wait(client, r);
    snprintf(wanted, sizeof wanted, "\"code\":\"%s\"", code);
    if (r->http_status != http_status ||
        (*code != '\0' &&
         memmem(r->body, r->body_size, wanted, strlen(wanted)) == NULL))
        fail_msg("not %d %s: %d %.*s\nfor %zu bytes: %.100s", http_status, code,
                 r->http_status, text_size(r), text_of(r), size,
                 size > 0 ? (const char *)body : "nothing");
    assert_true(client_is_open(client));
    client_close(client);
}

static void assert_json(const char *body, const char *code)
{
    assert_connect(HEALTH, json, body, strlen(body), *code == '\0' ? 200 : 400,
                   code);
}

static void nesting(void)
{
    enum { DEPTH = 100000 };
    static const char *const pieces[] = {"[", "{\"a\":", "[{\"a\":"};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        char *text = text_buffer();
        size_t size = (size_t)sprintf(text, "{\"x\":");
        for (int n = 0; n < DEPTH; n++)
            size += (size_t)sprintf(text + size, "%s", pieces[i]);
        assert_json(text, "invalid_argument");
    }
}

static void brackets(void)
{
    char *text = text_buffer();
    memset(text, '[', TEXT_BYTES - 1);
    text[TEXT_BYTES - 1] = '\0';
    assert_json(text, "invalid_argument");
}

static const struct {
    const char *path;
    const char *text;
} refused_texts[] = {
    /* two readers would take different ones */
    {HEALTH, "{\"service\":\"a\",\"service\":\"b\"}"},
    {CATEGORIES, "{\"includeInactive\":true,\"include_inactive\":false}"},
    /* what no text is */
    {HEALTH, "{\"service\":\"\\ud800\"}"},
    {HEALTH, "{\"service\":\"\\udc00\\ud800\"}"},
    {HEALTH, "{\"service\":\"\\u0000\"}"},
    {HEALTH, "{\"service\":\"\xff\"}"},
    {HEALTH, "{\"service\":\"\xc0\x80\"}"},
    {HEALTH, "{\"service\":\"\xed\xa0\x80\"}"},
    {HEALTH, "{\"service\":\"a\nb\"}"},
    /* what no value is */
    {CATEGORIES, "{\"tree\":1}"},
    {SERVICES, "{\"kind\":1,\"pageSize\":1e999999999}"},
    {SERVICES, "{\"kind\":1,\"pageSize\":9007199254740993}"},
    {SERVICES, "{\"kind\":1,\"pageSize\":1e-999999999}"},
    {SERVICES, "{\"kind\":1,\"pageSize\":NaN}"},
    {SERVICES, "{\"kind\":1,\"pageSize\":0x10}"},
    {SERVICES, "{\"kind\":1,\"pageSize\":010}"},
    {SERVICES, "{\"kind\":\"SERVICE_KIND_\\u0000\"}"},
    /* what no JSON is */
    {HEALTH, "\xef\xbb\xbf{}"},
    {HEALTH, "{}{}"},
    {HEALTH, "{} x"},
    {HEALTH, "{'service':''}"},
    {HEALTH, "{\"service\":\"\",}"},
    {HEALTH, "{/**/}"},
    {HEALTH, "{\"x\":01}"},
    {HEALTH, "{\"x\":1.}"},
    {HEALTH, "{\"x\":tru}"},
    {HEALTH, "[]"},
    {HEALTH, "null,"},
    {HEALTH, "{\"a\""},
};

static void texts(void)
{
    for (size_t i = 0; i < COUNT(refused_texts); i++)
        assert_connect(refused_texts[i].path, json, refused_texts[i].text,
                       strlen(refused_texts[i].text), 400, "invalid_argument");
}

/* A number as long as the message: it is nobody's, and skipped in one pass; in
 * a field it is refused. */
static void long_numbers(void)
{
    static const struct {
        const char *before, *after, *code;
    } rows[] = {
        {"{\"x\":", "}", ""},
        {"{\"x\":-0.", "}", ""},
        {"{\"x\":1e", "}", ""},
        {"{\"service\":", "}", "invalid_argument"},
    };
    enum { DIGITS = 1000000 };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *text = text_buffer();
        size_t size = (size_t)sprintf(text, "%s", rows[i].before);
        memset(text + size, '7', DIGITS);
        strcpy(text + size + DIGITS, rows[i].after);
        assert_json(text, rows[i].code);
    }
}

/* Each name is looked for among those that came: not among all of them. */
static void many_names(void)
{
    enum { NAMES = 200000 };
    char *text = text_buffer();
    size_t size = 1;
    *text = '{';
    for (int i = 0; i < NAMES; i++)
        size +=
            (size_t)sprintf(text + size, "%s\"name%d\":0", i > 0 ? "," : "", i);
    sprintf(text + size, "}");
    assert_json(text, "");
}

/* A query as long as sixty thousand bytes is no header any more. */
static void long_query(void)
{
    static const struct rpc_header get[] = {
        {":method", "GET"}, {"content-type", "application/json"}, {0}};
    static char path[60000];
    size_t size = (size_t)sprintf(
        path, "%s?connect=v1&encoding=json&message=", CATEGORIES);
    memset(path + size, 'a', sizeof path - 1 - size);
    assert_connect(path, get, NULL, 0, 431, "");
}

static void bomb(const char *encoding, const uint8_t *body, size_t size)
{
    static const char *const types[] = {"application/json",
                                        "application/proto"};
    for (size_t i = 0; i < COUNT(types); i++) {
        const struct rpc_header packed[] = {
            {"content-type", types[i]}, {"content-encoding", encoding}, {0}};
        assert_connect(HEALTH, packed, body, size, 429, "resource_exhausted");
    }
}

static void bombs(void)
{
    static uint8_t gzip[1 << 17], zstd[1 << 17];
    static size_t gzip_size, zstd_size;
    static const struct rpc_header other[] = {
        {"content-type", "application/json"}, {"content-encoding", "br"}, {0}};
    if (gzip_size == 0) {
        gzip_size = attack_gzip_bomb(gzip, sizeof gzip);
        zstd_size = attack_zstd_bomb(zstd, sizeof zstd);
    }
    bomb("gzip", gzip, gzip_size);
    bomb("zstd", zstd, zstd_size);
    assert_connect(HEALTH, other, "{}", 2, 501, "unimplemented");
}

/* What is no message of a stream: its answer is 200, and the code in the last
 * envelope. */
static void envelopes(void)
{
    static const struct {
        const char *body;
        size_t size;
        const char *code;
    } rows[] = {
        {"\0\xff\xff\xff\xff", 5, "resource_exhausted"},
        {"\0\x40\0\0\1", 5, "resource_exhausted"},
        {"\2\0\0\0\2{}", 7, "internal"},
        {"\2\xff\xff\xff\xff", 5, "internal"},
        {"\0\0\0\0\2{}\2\0\0\0\2{}", 14, "internal"},
        {"\4\0\0\0\2{}", 7, "internal"},
        {"\x80\0\0\0\2{}", 7, "internal"},
        {"\1\0\0\0\2{}", 7, "internal"},
        {"\0\0\0", 3, "invalid_argument"},
        {"\0\0\0\0\5{}", 7, "invalid_argument"},
        {"\0\0\0\0\2[]", 7, "invalid_argument"},
        {"", 0, "unimplemented"},
        {"\0\0\0\0\2{}\0\0\0\0\2{}", 14, "unimplemented"},
    };
    static const struct rpc_header stream[] = {
        {"content-type", "application/connect+json"}, {0}};
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_connect(WATCH, stream, rows[i].body, rows[i].size, 200,
                       rows[i].code);
}

static void base64_noise(void)
{
    static const struct rpc_header text[] = {
        {"content-type", "application/grpc-web-text"}, {0}};
    static const struct {
        const char *body;
        int status;
    } rows[] = {
        {"!!!!", INTERNAL},         {"AAAA\nAAA=", INTERNAL},
        {"AAAAAAA", INTERNAL},      {"A===", INTERNAL},
        {"====", INTERNAL},         {"AAAA", INTERNAL},
        {"/////////w==", INTERNAL}, {"AP////8=", RESOURCE_EXHAUSTED},
        {"AgAAAAA=", INTERNAL},     {"\xff\xfe\0", INTERNAL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        attack_assert_answer(HEALTH, text, rows[i].body, strlen(rows[i].body),
                             rows[i].status);
    }
}

const struct attack attacks_by_connect[] = {
    {"json_has_a_depth", nesting, ATTACK_QUICK},
    {"four_megabytes_of_brackets_are_refused", brackets, ATTACK_QUICK},
    {"json_that_can_be_read_in_two_ways_is_refused", texts, ATTACK_ONCE},
    {"a_number_of_a_million_digits_costs_one_pass", long_numbers, ATTACK_QUICK},
    {"two_hundred_thousand_names_are_skipped", many_names, ATTACK_QUICK},
    {"a_query_of_sixty_kilobytes_is_refused", long_query, ATTACK_QUICK},
    {"bombs_of_content_encoding_are_refused", bombs, ATTACK_QUICK},
    {"broken_envelopes_have_their_codes", envelopes, ATTACK_QUICK},
    {"base64_noise_has_its_codes", base64_noise, ATTACK_QUICK},
    {0},
};
