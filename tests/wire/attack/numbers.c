/* More of everything than the server was started with: connections=50,
 * handshakes=20, memory=64MiB on one loop, of which an address gets an eighth.
 */
#include "tests/wire/attack/attack.h"

enum {
    CONNECTIONS = 50,
    HANDSHAKES = 20,
    MEMORY_MB = 64,
    MESSAGE_BYTES = 4 * 1024 * 1024,
    SENT_BYTES = MESSAGE_BYTES - 64 * 1024,
};

/* Others than the well-behaved client's. */
static const char *address(int number)
{
    static char text[24];
    snprintf(text, sizeof text, "127.0.0.%d", 2 + number);
    return text;
}

/* --- connections --- */

static bool operator_is_served(void)
{
    struct client *client =
        client_open((struct client_options){.unix_path = attack_operator});
    struct client_response *r =
        client_request(client, HEALTH, NULL, "\0\0\0\0", 5, true);
    client_wait(client, r);
    bool is_served = client_status(r) == OK;
    client_close(client);
    return is_served;
}

static bool is_still_served(struct client *client)
{
    struct client_response *r =
        client_request(client, HEALTH, NULL, "\0\0\0\0", 5, true);
    client_wait(client, r);
    return client_status(r) == OK;
}

/* Who was there before goes on, and so does the operator. */
static void too_many_connections(void)
{
    enum { MORE = 30 };
    static const char counter[] =
        "grpc_server_connections_ended_total{reason=\"too_many_connections\"}";
    struct raw *raws[CONNECTIONS + MORE];
    struct client *before = attack_connected();
    assert_true(is_still_served(before));
    double refused = attack_metric(counter);
    for (int i = 0; i < CONNECTIONS + MORE; i++) {
        raws[i] = raw_connect_from(attack_port, address(i % 4));
        raw_greet(raws[i]);
    }
    raw_wait_closed(raws[CONNECTIONS + MORE - 1]);
    assert_true(is_still_served(before));
    assert_true(operator_is_served());
    assert_true(attack_metric(counter) - refused >= MORE);
    for (int i = 0; i < CONNECTIONS + MORE; i++)
        raw_close(raws[i]);
    client_close(before);
}

/* All places of handshakes are taken by those that say half of one. */
static void crowded_handshakes(void)
{
    struct raw *raws[2 * HANDSHAKES];
    for (int i = 0; i < 2 * HANDSHAKES; i++) {
        raws[i] = raw_connect_from(attack_port, address(i % 4));
        raw_send(raws[i], i % 2 == 0 ? "\x16\x03\x01" : "PRI * H", 3);
    }
    attack_assert_still_serves();
    for (int i = 0; i < 2 * HANDSHAKES; i++)
        raw_close(raws[i]);
}

/* --- memory --- */

struct hoard {
    int held, refused;
};

/* Most of a large message, and no more. */
static void send_most(struct client *client, struct hoard *hoard,
                      struct client_response **responses, int count)
{
    static uint8_t body[5 + SENT_BYTES];
    static const uint8_t prefix[] = {0, 0, 0x40, 0, 0};
    memcpy(body, prefix, sizeof prefix);
    for (int i = 0; i < count; i++) {
        responses[i] =
            client_request(client, HEALTH, NULL, body, sizeof body, false);
        client_wait_sent(client, responses[i]);
        if (!responses[i]->is_closed)
            hoard->held++;
    }
}

/* How each ended: without memory, or at its deadline. */
static void count_ends(struct client *client, struct hoard *hoard,
                       struct client_response **responses, int count)
{
    for (int i = 0; i < count; i++) {
        client_wait(client, responses[i]);
        int status = client_status(responses[i]);
        if (status != RESOURCE_EXHAUSTED) {
            assert_int_equal(status, DEADLINE_EXCEEDED);
            continue;
        }
        hoard->refused++;
        assert_non_null(client_field(responses[i], "grpc-retry-pushback-ms"));
    }
}

static struct hoard hoard_from(int addresses, int streams)
{
    enum { ADDRESSES_MAX = 8, STREAMS_MAX = 16 };
    struct client *clients[ADDRESSES_MAX];
    struct client_response *responses[ADDRESSES_MAX][STREAMS_MAX];
    struct hoard hoard = {0};
    double before_mb = attack_resident_mb();
    for (int i = 0; i < addresses; i++) {
        clients[i] = attack_connected_from(address(i));
        send_most(clients[i], &hoard, responses[i], streams);
        attack_assert_still_serves();
    }
    double grown_mb = attack_resident_mb() - before_mb;
    if (getenv("PRBAL_ATTACK_MEASURES") != NULL)
        assert_true(grown_mb < MEMORY_MB);
    for (int i = 0; i < addresses; i++) {
        count_ends(clients[i], &hoard, responses[i], streams);
        client_close(clients[i]);
    }
    return hoard;
}

static void one_hoarder(void)
{
    struct hoard hoard = hoard_from(1, 16);
    assert_true(hoard.refused >= 8);
}

static void many_hoarders(void)
{
    struct hoard hoard = hoard_from(6, 6);
    assert_true(hoard.refused >= 6 * 2);
}

const struct attack attacks_by_numbers[] = {
    {"connections_beyond_the_last_are_refused_and_counted",
     too_many_connections, ATTACK_ONCE},
    {"half_handshakes_give_way", crowded_handshakes, ATTACK_ONCE},
    {"one_address_hoards_an_eighth_of_the_memory", one_hoarder, ATTACK_ONCE,
     .grown_mb_max = MEMORY_MB / 8 + 8},
    {"hoarders_leave_memory_to_the_others", many_hoarders, ATTACK_ONCE,
     .grown_mb_max = MEMORY_MB + 8},
    {0},
};
