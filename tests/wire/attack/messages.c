#include "tests/wire/attack/attack.h"

static void messages_with(const struct rpc_header *type)
{
    static uint8_t groups[5 + 50000];
    memset(groups, 0x0b, sizeof groups); /* field 1: a group begins */
    client_frame(groups, 0, groups + 5, 50000);

    attack_assert_answer(HEALTH, type, "\0\0\0\0\12abc", 8, INTERNAL);
    attack_assert_answer(HEALTH, type, "\0\0\0", 3, INTERNAL);
    attack_assert_answer(HEALTH, type, "\0\xff\xff\xff\xff", 5,
                         RESOURCE_EXHAUSTED);
    attack_assert_answer(HEALTH, type, "\0\0\x40\0\1", 5, RESOURCE_EXHAUSTED);
    attack_assert_answer(HEALTH, type, "\2\0\0\0\0", 5, INTERNAL);
    attack_assert_answer(HEALTH, type, "\1\0\0\0\0", 5, INTERNAL);
    attack_assert_answer(HEALTH, type, "\0\0\0\0\0\0\0\0\0\0", 10,
                         UNIMPLEMENTED);
    attack_assert_answer(HEALTH, type, "", 0, UNIMPLEMENTED);
    attack_assert_answer(HEALTH, type, groups, sizeof groups, INVALID_ARGUMENT);
    attack_assert_answer(HEALTH, type, "\0\0\0\0\2\x0a\xff", 7,
                         INVALID_ARGUMENT);
    attack_assert_answer(HEALTH, type, "\0\0\0\0\3\x0a\1\xff", 8,
                         INVALID_ARGUMENT);
    attack_assert_answer(HEALTH, type, "\0\0\0\0\4\x0a\2a\0", 9,
                         INVALID_ARGUMENT);
}

static void messages(void)
{
    static const struct rpc_header web[] = {
        {"content-type", "application/grpc-web"}, {0}};
    messages_with(NULL);
    messages_with(web);
}

static void send_packed(const char *encoding, uint8_t *body, size_t size)
{
    const struct rpc_header packed[] = {{"grpc-encoding", encoding}, {0}};
    client_frame(body, 1, body + 5, size);
    for (int i = 0; i < 20; i++)
        attack_assert_answer(HEALTH, packed, body, size + 5,
                             RESOURCE_EXHAUSTED);
}

static void gzip_bomb(void)
{
    static uint8_t body[5 + (1 << 17)];
    send_packed("gzip", body, attack_gzip_bomb(body + 5, sizeof body - 5));
}

static void zstd_bomb(void)
{
    static uint8_t body[5 + (1 << 17)];
    static size_t size;
    if (size == 0)
        size = attack_zstd_bomb(body + 5, sizeof body - 5);
    send_packed("zstd", body, size);
}

/* A frame of a few bytes that asks to remember two gigabytes. */
static void wide_zstd_window(void)
{
    static const struct rpc_header packed[] = {{"grpc-encoding", "zstd"}, {0}};
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00,
                                    0xa8, 0x09, 0x00, 0x00, 0x00};
    uint8_t body[5 + sizeof frame];
    client_frame(body, 1, frame, sizeof frame);
    attack_assert_answer(HEALTH, packed, body, sizeof body, INTERNAL);
}

/* 4 MiB of one-byte elements: as structs they would be many times that. */
static void amplification(void)
{
    static uint8_t body[5 + 4 * 1024 * 1024];
    static const uint8_t unknown[4] = {0xfa, 0x7f, 0x01, 0};
    size_t size = sizeof body - 5;
    for (size_t i = 0; i + sizeof unknown <= size; i += sizeof unknown)
        memcpy(body + 5 + i, unknown, sizeof unknown);
    client_frame(body, 0, body + 5, size);
    attack_assert_answer(HEALTH, NULL, body, sizeof body, OK);
}

const struct attack attacks_by_messages[] = {
    {"broken_messages_have_their_codes", messages, ATTACK_QUICK},
    {"a_gzip_bomb_is_refused", gzip_bomb, ATTACK_QUICK},
    {"a_zstd_bomb_is_refused", zstd_bomb, ATTACK_QUICK},
    {"a_window_of_two_gigabytes_is_refused", wide_zstd_window, ATTACK_QUICK},
    {"unknown_fields_are_skipped_and_cost_nothing", amplification,
     ATTACK_QUICK},
    {0},
};
