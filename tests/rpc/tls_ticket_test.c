/* Sessions are resumed, for a while, by who was believed and still would be. */
#include "rpc/tls_tickets.h"

#include "tests/rpc/tls_pair.h"

#include <poll.h>
#include <signal.h>

static struct certificate certificate;
static int64_t clock_us;

static int64_t now_us(void)
{
    return clock_us;
}

static void pass_hours(int hours)
{
    clock_us += hours * (int64_t)3600 * 1000000;
}

struct fixture {
    struct tls_tickets *tickets;
};

static int start(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    certificate = certificate_make();
    struct fixture *t = calloc(1, sizeof *t);
    t->tickets = tls_tickets_create(now_us);
    *state = t;
    return 0;
}

static int finish(void **state)
{
    struct fixture *t = *state;
    tls_tickets_destroy(t->tickets);
    certificate_remove(&certificate);
    free(t);
    return 0;
}

static struct tls_options with_tickets(struct fixture *t, uint32_t count)
{
    return (struct tls_options){.ticket_count = count, .tickets = t->tickets};
}

/* One connection: resumes `session` unless that is NULL, and leaves in it what
 * the next one can be resumed with. */
static bool connect_again(struct tls_options options, int version,
                          const struct certificate *client_shows,
                          SSL_SESSION **session)
{
    struct pair *p = pair_open_with(pair_identity(&certificate, options));
    offer(p, "\2h2");
    SSL_set_max_proto_version(p->client, version);
    if (client_shows != NULL) {
        SSL_use_certificate(p->client, client_shows->x509);
        SSL_use_PrivateKey(p->client, client_shows->key);
    }
    if (*session != NULL)
        SSL_set_session(p->client, *session);
    int client;
    assert_int_equal(shake_hands(p, &client), TLS_DONE);
    assert_true(pair_says_hello(p));
    bool is_resumed = SSL_session_reused(p->client) == 1;
    assert_int_equal(tls_is_resumed(p->server), is_resumed);
    assert_int_equal(SSL_version(p->client), version);
    SSL_SESSION_free(*session);
    *session = SSL_get1_session(p->client);
    assert_int_equal(SSL_SESSION_get_max_early_data(*session), 0);
    /* As if it had been closed in good order: else it is not resumed. */
    SSL_set_shutdown(p->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    pair_close(p);
    return is_resumed;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

#define EACH_VERSION(v) for (const int *v = versions; v < versions + 2; v++)

static void a_session_is_resumed_and_its_ticket_renewed(void **state)
{
    EACH_VERSION(version)
    {
        SSL_SESSION *session = NULL;
        struct tls_options options = with_tickets(*state, 1);
        assert_false(connect_again(options, *version, NULL, &session));
        for (int i = 0; i < 4; i++)
            assert_true(connect_again(options, *version, NULL, &session));
        SSL_SESSION_free(session);
    }
}

static SSL_SESSION *copy_of(SSL_SESSION *session)
{
    SSL_SESSION *copy = SSL_SESSION_dup(session);
    assert_non_null(copy);
    return copy;
}

/* Three keys: the one that seals, and the two before it. */
static void a_ticket_is_good_for_less_than_three_hours(void **state)
{
    EACH_VERSION(version)
    {
        SSL_SESSION *session = NULL;
        struct tls_options options = with_tickets(*state, 1);
        pass_hours(TLS_TICKET_KEYS); /* a fresh key */
        connect_again(options, *version, NULL, &session);
        for (int hours = 1; hours <= 2; hours++) {
            pass_hours(1);
            SSL_SESSION *old = copy_of(session);
            assert_true(connect_again(options, *version, NULL, &old));
            SSL_SESSION_free(old);
        }
        pass_hours(1);
        assert_false(connect_again(options, *version, NULL, &session));
        SSL_SESSION_free(session);
    }
}

/* Nobody came for a day, so nothing rotated: the key is gone all the same. */
static void a_quiet_day_keeps_no_key(void **state)
{
    SSL_SESSION *session = NULL;
    struct tls_options options = with_tickets(*state, 1);
    connect_again(options, TLS1_3_VERSION, NULL, &session);
    pass_hours(24);
    assert_false(connect_again(options, TLS1_3_VERSION, NULL, &session));
    SSL_SESSION_free(session);
}

static void a_new_certificate_keeps_the_sessions(void **state)
{
    SSL_SESSION *session = NULL;
    struct tls_options options = with_tickets(*state, 2);
    connect_again(options, TLS1_3_VERSION, NULL, &session);
    struct certificate old = certificate;
    certificate = certificate_make();
    assert_true(connect_again(options, TLS1_3_VERSION, NULL, &session));
    SSL_SESSION_free(session);
    certificate_remove(&old);
}

static void another_server_does_a_full_handshake(void **state)
{
    (void)state;
    SSL_SESSION *session = NULL;
    struct tls_tickets *other = tls_tickets_create(now_us);
    connect_again(with_tickets(*state, 1), TLS1_3_VERSION, NULL, &session);
    struct tls_options options = {.ticket_count = 1, .tickets = other};
    assert_false(connect_again(options, TLS1_3_VERSION, NULL, &session));
    SSL_SESSION_free(session);
    tls_tickets_destroy(other);
}

/* --- with clients' certificates --- */

static struct tls_options with_clients(struct fixture *t,
                                       const struct certificate *authority,
                                       const char *crl)
{
    struct tls_options options = with_tickets(t, 1);
    options.client_auth = TLS_CLIENTS_MUST;
    options.client_ca_path = authority->certificate_path;
    options.client_crl_path = crl;
    return options;
}

/* Or revoking a certificate would not touch whoever has a ticket. */
static void new_authorities_and_revocations_end_old_tickets(void **state)
{
    EACH_VERSION(version)
    {
        struct certificate authority =
            certificate_issue((struct certificate_wish){.common_name = "CA",
                                                        .is_authority = true});
        struct certificate client = certificate_issue((struct certificate_wish){
            .common_name = "client", .by = &authority});
        char crl[] = "/tmp/prbal-crl-XXXXXX";
        certificate_revoke(&authority, NULL, crl);

        SSL_SESSION *session = NULL;
        struct tls_options before = with_clients(*state, &authority, NULL);
        assert_false(connect_again(before, *version, &client, &session));
        assert_true(connect_again(before, *version, &client, &session));
        struct tls_options after = with_clients(*state, &authority, crl);
        assert_false(connect_again(after, *version, &client, &session));
        assert_true(connect_again(after, *version, &client, &session));
        SSL_SESSION_free(session);
        unlink(crl);
        certificate_remove(&client);
        certificate_remove(&authority);
    }
}

static void wait_for_the_end_of(const struct certificate *one)
{
    while (X509_cmp_current_time(X509_get0_notAfter(one->x509)) > 0)
        poll(NULL, 0, 50);
}

static void a_ticket_does_not_outlive_the_certificate_it_was_given_for(
    void **state)
{
    struct certificate authority = certificate_issue(
        (struct certificate_wish){.common_name = "CA", .is_authority = true});
    struct certificate client = certificate_issue((struct certificate_wish){
        .common_name = "client", .by = &authority, .ends_s = 3});
    struct tls_options options = with_clients(*state, &authority, NULL);
    SSL_SESSION *session = NULL;
    connect_again(options, TLS1_3_VERSION, &client, &session);
    wait_for_the_end_of(&client);

    struct pair *p = pair_open_with(pair_identity(&certificate, options));
    offer(p, "\2h2");
    SSL_set_session(p->client, session);
    int done;
    assert_int_equal(shake_hands(p, &done), TLS_FAILED);
    assert_true(tls_is_resumed(p->server));
    assert_string_equal(tls_failure(p->server), "certificate has expired");
    pair_close(p);
    SSL_SESSION_free(session);
    certificate_remove(&client);
    certificate_remove(&authority);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, finish)
        CASE(a_session_is_resumed_and_its_ticket_renewed),
        CASE(a_ticket_is_good_for_less_than_three_hours),
        CASE(a_quiet_day_keeps_no_key),
        CASE(a_new_certificate_keeps_the_sessions),
        CASE(another_server_does_a_full_handshake),
        CASE(new_authorities_and_revocations_end_old_tickets),
        CASE(a_ticket_does_not_outlive_the_certificate_it_was_given_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
