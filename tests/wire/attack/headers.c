#include "tests/wire/attack/attack.h"

static size_t literal(uint8_t *out, const char *name, const char *value)
{
    size_t name_size = strlen(name), value_size = strlen(value), at = 0;
    out[at++] = 0;
    out[at++] = (uint8_t)name_size;
    memcpy(out + at, name, name_size);
    at += name_size;
    out[at++] = (uint8_t)value_size;
    memcpy(out + at, value, value_size);
    return at + value_size;
}

/* Each a request that HTTP/2 forbids: "name=value" pairs behind a good
 * :authority. */
static const char *const malformed[][8] = {
    {":method=POST", ":scheme=http"},
    {":method=POST", ":path=" HEALTH},
    {":scheme=http", ":path=" HEALTH},
    {":method=POST", ":method=POST", ":scheme=http", ":path=" HEALTH},
    {":method=POST", ":scheme=http", ":path=" HEALTH, ":path=/other"},
    {":method=POST", ":scheme=http", "te=trailers", ":path=" HEALTH},
    {":method=POST", ":scheme=http", ":path=" HEALTH, ":status=200"},
    {":method=POST", ":scheme=http", ":path=" HEALTH, ":secret=1"},
    {":method=POST", ":scheme=http", ":path="},
    {":method=POST", ":scheme=http", ":path=relative"},
    {":method=POST", ":scheme=http", ":path=*"},
    {":method=POST", ":scheme=http", ":path=" HEALTH, "X-Upper=1"},
    {":method=POST", ":scheme=http", ":path=" HEALTH, "connection=close"},
    {":method=POST", ":scheme=http", ":path=" HEALTH, "transfer-encoding=a"},
    {":method=POST", ":scheme=http", ":path=" HEALTH, "te=gzip"},
    {":method=POST", ":scheme=http", ":path=" HEALTH, "x=a\rb"},
    {":method=POST", ":scheme=http", ":path=" HEALTH, "content-length=x"},
};

static const char *const well_formed[8] = {":method=POST", ":scheme=http",
                                           ":path=" HEALTH,
                                           "content-type=application/grpc"};

static size_t write_block(uint8_t *out, const char *const *pairs)
{
    size_t size = literal(out, ":authority", "localhost");
    for (int i = 0; i < 8 && pairs[i] != NULL; i++) {
        char name[64];
        const char *sign = strchr(pairs[i] + 1, '=');
        snprintf(name, sizeof name, "%.*s", (int)(sign - pairs[i]), pairs[i]);
        size += literal(out + size, name, sign + 1);
    }
    return size;
}

/* A malformed request is the stream's error (RFC 9113 8.1.1): those on other
 * streams of the connection go on. */
static void malformed_requests(void)
{
    struct raw *raw = attack_greeted();
    uint32_t stream = 1;
    for (size_t i = 0; i < COUNT(malformed); i++, stream += 2) {
        uint8_t block[512];
        size_t size = write_block(block, malformed[i]);
        raw_frame(raw, NGHTTP2_HEADERS,
                  NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, stream,
                  block, size);
        if (!raw_wait_frames(raw, NGHTTP2_RST_STREAM, (int)i + 1))
            fail_msg("row %zu ended the connection", i);
    }
    uint8_t good[512];
    size_t size = write_block(good, well_formed);
    raw_frame(raw, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, stream, good,
              size);
    raw_frame(raw, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, "\0\0\0\0",
              5);
    assert_true(raw_wait_frames(raw, NGHTTP2_DATA, 1));
    raw_close(raw);
}

static void paths(void)
{
    static const char *const tricks[] = {
        "/",
        "/prbal.v1.SystemService/",
        "/prbal.v1.SystemService/getserverinfo",
        "/PRBAL.V1.SystemService/GetServerInfo",
        HEALTH "/",
        HEALTH "?x=1",
        HEALTH "#x",
        "/" HEALTH,
        "/x/.." HEALTH,
        "/prbal.v1.SystemService/%47etServerInfo",
        "/prbal.v1.SystemService/GetServerInf",
        "/prbal.v1.SystemService/GetServerInfoo",
        "/http://localhost" HEALTH,
    };
    for (size_t i = 0; i < COUNT(tricks); i++)
        attack_assert_answer(tricks[i], NULL, "\0\0\0\0", 5, UNIMPLEMENTED);
}

static void content_types(void)
{
    static const struct {
        const char *type;
        int http_status;
    } rows[] = {
        {"application/grpc", 200},
        {"application/grpc+proto", 200},
        {"application/grpc;x=y", 200},
        {"application/grpc-web-text-of-mine", 415},
        {"application/grpc+xml", 415},
        {"application/grpcx", 415},
        {"application/grp", 415},
        {"application/connect+proto", 415}, /* the method is unary */
        {"text/html, application/grpc", 415},
        {"", 415},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct client *client = attack_connected();
        const struct rpc_header type[] = {{"content-type", rows[i].type}, {0}};
        struct client_response *r =
            client_request(client, HEALTH, type, "\0\0\0\0", 5, true);
        client_wait(client, r);
        assert_int_equal(r->http_status, rows[i].http_status);
        client_close(client);
    }
}

static void huge_metadata(void)
{
    static char value[60000];
    memset(value, 'a', sizeof value - 1);
    const struct rpc_header large[] = {{"x-large", value}, {0}};
    for (int i = 0; i < 3; i++) {
        static const size_t sizes[] = {9000, 30000, 59999};
        value[sizes[i]] = '\0';
        attack_assert_answer(HEALTH, large, "\0\0\0\0", 5, RESOURCE_EXHAUSTED);
        value[sizes[i]] = 'a';
    }
}

/* Each comma of a "-bin" field begins a value, and each value has a name: 4 KB
 * would become 4 MB, and the dynamic table repeats them in a byte. */
static void joined_metadata(void)
{
    struct raw *raw = attack_greeted();
    static uint8_t block[9 + 4300];
    size_t size = 9 + write_block(block + 9, well_formed);
    memcpy(block + size, "\x40\x7f\xd1\x0e", 4); /* a name of 2000 bytes */
    memset(block + size + 4, 'x', 1996);
    memcpy(block + size + 2000, "-bin\x7f\xd1\x0e", 7);
    memset(block + size + 2007, ',', 2000);
    size += 4007;
    for (uint32_t stream = 1; stream < 200; stream += 2) {
        const uint8_t header[9] = {0,
                                   (uint8_t)((size - 9) >> 8),
                                   (uint8_t)(size - 9),
                                   NGHTTP2_HEADERS,
                                   NGHTTP2_FLAG_END_HEADERS,
                                   0,
                                   0,
                                   0,
                                   (uint8_t)stream};
        memcpy(block, header, sizeof header);
        raw_send(raw, block, size);
        size = 9 + write_block(block + 9, well_formed);
        block[size++] = 0xbe; /* the same field again */
    }
    double before = attack_resident_mb();
    assert_true(raw_wait_frames(raw, NGHTTP2_HEADERS, 1));
    attack_assert_still_serves();
    assert_true(attack_resident_mb() - before < 20);
    raw_close(raw);
}

/* One frame of 16 KiB that decodes to 50 MB of fields. */
static void header_bomb(void)
{
    struct raw *raw = attack_greeted();
    static uint8_t frame[9 + 16384];
    size_t size = 9;
    size += raw_headers(raw, frame + 9, 1024, HEALTH, NULL, NULL);
    memcpy(frame + size, "\x40\1x\x7f\xa1\x1e", 6);
    size += 6;
    memset(frame + size, 'a', 4000);
    size += 4000;
    memset(frame + size, 0xbe, sizeof frame - size);
    memcpy(frame, "\0\x40\0\1\5\0\0\0\1", 9);
    raw_send(raw, frame, sizeof frame);
    attack_assert_refused(raw, NGHTTP2_ENHANCE_YOUR_CALM, "header_flood");
}

/* More fields than anybody has, each of them small. */
static void many_fields(void)
{
    struct raw *raw = attack_greeted();
    static uint8_t frame[9 + 16384];
    size_t size = 9 + raw_headers(raw, frame + 9, 1024, HEALTH, NULL, NULL);
    for (int i = 0; i < 300; i++)
        size += literal(frame + size, "x-field", "value");
    memcpy(frame, "\0\0\0\1\5\0\0\0\1", 9);
    frame[1] = (uint8_t)((size - 9) >> 8);
    frame[2] = (uint8_t)(size - 9);
    raw_send(raw, frame, size);
    attack_assert_refused(raw, NGHTTP2_ENHANCE_YOUR_CALM, "header_flood");
}

/* Client trailers are read and forgotten: they reach nobody, and count as
 * headers. */
static void trailers(void)
{
    for (int i = 0; i < 20; i++) {
        struct raw *raw = attack_greeted();
        static uint8_t block[1900];
        size_t size = 0;
        attack_request(raw, 1, 0);
        raw_frame(raw, NGHTTP2_DATA, 0, 1, "\0\0\0\0", 5);
        while (size + 20 < sizeof block)
            size += literal(block + size, "x-user-id", "root");
        raw_frame(raw, NGHTTP2_HEADERS,
                  NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, block,
                  size);
        assert_true(raw_wait_frames(raw, NGHTTP2_HEADERS, 1));
        raw_close(raw);
    }
}

/* Two names for one host: the one in the pseudo-header field counts, and a
 * second authority is malformed. */
static void spoofed_host(void)
{
    static const struct rpc_header host[] = {{"host", "elsewhere.example"},
                                             {0}};
    attack_assert_answer(HEALTH, host, "\0\0\0\0", 5, OK);
}

const struct attack attacks_by_headers[] = {
    {"malformed_requests_are_reset_one_by_one", malformed_requests,
     ATTACK_QUICK},
    {"a_path_is_a_method_or_nothing", paths, ATTACK_QUICK},
    {"only_what_is_spoken_is_taken", content_types, ATTACK_QUICK},
    {"huge_metadata_is_refused_with_a_status", huge_metadata, ATTACK_QUICK},
    {"joined_metadata_takes_no_more_than_it_brings", joined_metadata,
     ATTACK_QUICK},
    {"a_header_bomb_is_refused", header_bomb, ATTACK_QUICK},
    {"three_hundred_fields_are_refused", many_fields, ATTACK_QUICK},
    {"trailers_of_clients_reach_nobody", trailers, ATTACK_QUICK},
    {"a_second_host_is_not_believed", spoofed_host, ATTACK_QUICK},
    {0},
};
