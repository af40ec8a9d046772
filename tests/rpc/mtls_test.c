/* Clients that show who they are. */
#include "tests/rpc/tls_pair.h"

#include "tests/wire/wire.h"

#include <signal.h>

static struct certificate server, authority;

static int start(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    server = certificate_make();
    authority = certificate_issue(
        (struct certificate_wish){.common_name = "CA", .is_authority = true});
    return 0;
}

static int finish(void **state)
{
    (void)state;
    certificate_remove(&server);
    certificate_remove(&authority);
    return 0;
}

static struct tls_options asking(tls_client_auth auth)
{
    return (struct tls_options){.client_auth = auth,
                                .client_ca_path = authority.certificate_path};
}

/* The server's end of a handshake with a client that shows this, or nothing. */
static struct pair *meet(struct tls_options options,
                         const struct certificate *shows, tls_result *result)
{
    struct pair *p = pair_open_with(pair_identity(&server, options));
    offer(p, "\2h2");
    if (shows != NULL) {
        SSL_use_certificate(p->client, shows->x509);
        SSL_use_PrivateKey(p->client, shows->key);
    }
    int client;
    *result = shake_hands(p, &client);
    return p;
}

static struct certificate issued(const char *common_name,
                                 const char *alternative)
{
    return certificate_issue((struct certificate_wish){
        .common_name = common_name,
        .alternative = alternative,
        .by = &authority,
    });
}

/* --- who it is --- */

static const struct {
    const char *common_name, *alternative;
    const char *identity; /* NULL = nobody */
} names[] = {
    {"ignored", "DNS:a.example,URI:spiffe://prod/billing",
     "spiffe://prod/billing"},
    {"ignored", "DNS:a.example,DNS:b.example", "a.example"},
    {"ignored", "URI:https://x.example/,DNS:a.example", "a.example"},
    {"mail.internal", NULL, "mail.internal"},
    /* A SPIFFE certificate has one URI (X509-SVID 2). */
    {"ignored", "URI:spiffe://prod/a,URI:spiffe://prod/b", NULL},
    {"ignored", "IP:127.0.0.1", NULL},
    {"spiffe://prod/billing", NULL, NULL},
    {"ignored", "DNS:spiffe://prod/billing", NULL},
    {"two words", NULL, NULL},
    {NULL, NULL, NULL},
};

static void a_certificate_names_its_owner_in_one_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct certificate client =
            issued(names[i].common_name, names[i].alternative);
        tls_result result;
        struct pair *p = meet(asking(TLS_CLIENTS_MUST), &client, &result);
        assert_int_equal(result, TLS_DONE);
        char *identity = tls_peer_identity(p->server);
        if (names[i].identity == NULL)
            assert_null(identity);
        else
            assert_string_equal(identity, names[i].identity);
        free(identity);
        pair_close(p);
        certificate_remove(&client);
    }
}

/* "good.example\0.evil.example" would be cut at the NUL. */
static void a_name_with_a_nul_is_nobody(void **state)
{
    (void)state;
    struct certificate client = issued("ignored", NULL);
    GENERAL_NAMES *list = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    ASN1_STRING_set(text, "good.example\0.evil.example", 26);
    GENERAL_NAME_set0_value(name, GEN_DNS, text);
    sk_GENERAL_NAME_push(list, name);
    assert_int_equal(
        X509_add1_ext_i2d(client.x509, NID_subject_alt_name, list, 0, 0), 1);
    GENERAL_NAMES_free(list);
    assert_true(X509_sign(client.x509, authority.key, EVP_sha256()) > 0);
    tls_result result;
    struct pair *p = meet(asking(TLS_CLIENTS_MUST), &client, &result);
    assert_int_equal(result, TLS_DONE);
    assert_null(tls_peer_identity(p->server));
    pair_close(p);
    certificate_remove(&client);
}

/* --- who is let in --- */

static void assert_refused(struct tls_options options,
                           const struct certificate *shows, const char *why)
{
    tls_result result;
    struct pair *p = meet(options, shows, &result);
    assert_int_equal(result, TLS_FAILED);
    assert_string_equal(tls_failure(p->server), why);
    pair_close(p);
}

static void a_certificate_is_asked_for_as_it_is_set(void **state)
{
    (void)state;
    struct certificate client = issued("client", NULL);
    assert_refused(asking(TLS_CLIENTS_MUST), NULL,
                   "peer did not return a certificate");
    tls_result result;
    struct pair *p = meet(asking(TLS_CLIENTS_MAY), NULL, &result);
    assert_int_equal(result, TLS_DONE);
    assert_null(tls_peer_identity(p->server));
    pair_close(p);
    p = meet((struct tls_options){0}, &client, &result);
    assert_int_equal(result, TLS_DONE);
    assert_null(tls_peer_identity(p->server));
    pair_close(p);
    certificate_remove(&client);
}

static void strangers_and_the_expired_are_refused(void **state)
{
    (void)state;
    struct certificate other = certificate_issue(
        (struct certificate_wish){.common_name = "CA", .is_authority = true});
    struct certificate stranger = certificate_issue(
        (struct certificate_wish){.common_name = "client", .by = &other});
    struct certificate expired = certificate_issue((struct certificate_wish){
        .common_name = "client", .by = &authority, .ends_s = -60});
    struct certificate plain = issued("client", NULL);
    /* No authority itself, though its issuer is one. */
    struct certificate forged = certificate_issue(
        (struct certificate_wish){.common_name = "forged", .by = &plain});
    static const tls_client_auth modes[] = {TLS_CLIENTS_MAY, TLS_CLIENTS_MUST};
    for (int i = 0; i < 2; i++) {
        assert_refused(asking(modes[i]), &stranger,
                       "certificate signature failure");
        assert_refused(asking(modes[i]), &expired, "certificate has expired");
        assert_refused(asking(modes[i]), &forged,
                       "unable to get local issuer certificate");
    }
    certificate_remove(&other);
    certificate_remove(&stranger);
    certificate_remove(&expired);
    certificate_remove(&plain);
    certificate_remove(&forged);
}

static void the_revoked_are_refused_and_a_missing_list_lets_nobody_in(
    void **state)
{
    (void)state;
    struct certificate good = issued("good", NULL), bad = issued("bad", NULL);
    struct certificate other = certificate_issue((struct certificate_wish){
        .common_name = "Other CA", .is_authority = true});
    char crl[] = "/tmp/prbal-crl-XXXXXX", foreign[] = "/tmp/prbal-crl-XXXXXX";
    certificate_revoke(&authority, &bad, crl);
    certificate_revoke(&other, NULL, foreign);
    struct tls_options options = asking(TLS_CLIENTS_MUST);
    options.client_crl_path = crl;
    tls_result result;
    pair_close(meet(options, &good, &result));
    assert_int_equal(result, TLS_DONE);
    assert_refused(options, &bad, "certificate revoked");
    options.client_crl_path = foreign;
    assert_refused(options, &good, "unable to get certificate CRL");
    unlink(crl);
    unlink(foreign);
    certificate_remove(&good);
    certificate_remove(&bad);
    certificate_remove(&other);
}

static void what_cannot_be_read_is_explained(void **state)
{
    (void)state;
    char error[256];
    struct tls_options options = {
        .certificate_path = server.certificate_path,
        .key_path = server.key_path,
        .client_auth = TLS_CLIENTS_MUST,
    };
    assert_null(tls_identity_load(&options, error, sizeof error));
    assert_non_null(strstr(error, "no file says whose"));
    options.client_ca_path = "/nonexistent.pem";
    assert_null(tls_identity_load(&options, error, sizeof error));
    assert_string_equal(error, "cannot read the clients' authorities "
                               "/nonexistent.pem: No such file or directory");
    options.client_ca_path = authority.certificate_path;
    options.client_crl_path = authority.certificate_path;
    assert_null(tls_identity_load(&options, error, sizeof error));
    assert_non_null(strstr(error, "cannot read the revocation lists"));
}

/* --- in a call --- */

static rpc_status let_in(struct rpc_call *call, const char *token)
{
    (void)token;
    call->caller.id = "somebody";
    call->caller.roles = 1u << 4;
    return RPC_SUCCESS;
}

static char *identity_in_call(fixture *t, const struct certificate *shows)
{
    struct client *client = client_open((struct client_options){
        .port = t->port,
        .tls = true,
        .certificate_path = shows == NULL ? NULL : shows->certificate_path,
        .key_path = shows == NULL ? NULL : shows->key_path,
    });
    struct client_response *r =
        client_request(client, TEST_WHOAMI, NULL, "\0\0\0\0", 5, true);
    client_wait(client, r);
    assert_grpc(r, 200, RPC_OK);
    WhoamiResponse *who = message_at(t, WHOAMI_RESPONSE_DESCRIPTOR, r, 0);
    client_close(client);
    return (char *)who->peer_identity;
}

static void a_handler_sees_whose_connection_it_is(void **state)
{
    (void)state;
    struct certificate client = issued("x", "URI:spiffe://prod/billing");
    fixture *t = wire_start((struct rpc_server_options){
        .hooks = {.authenticate = let_in},
        .client_auth = RPC_CLIENT_AUTH_OPTIONAL,
        .client_ca = authority.certificate_path,
    });
    char error[256];
    assert_true(rpc_server_use_tls(t->server, server.certificate_path,
                                   server.key_path, error, sizeof error));
    assert_string_equal(identity_in_call(t, &client), "spiffe://prod/billing");
    assert_string_equal(identity_in_call(t, NULL), "");
    void *mine = t;
    wire_stop(&mine);
    certificate_remove(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_names_its_owner_in_one_way),
        cmocka_unit_test(a_name_with_a_nul_is_nobody),
        cmocka_unit_test(a_certificate_is_asked_for_as_it_is_set),
        cmocka_unit_test(strangers_and_the_expired_are_refused),
        cmocka_unit_test(
            the_revoked_are_refused_and_a_missing_list_lets_nobody_in),
        cmocka_unit_test(what_cannot_be_read_is_explained),
        cmocka_unit_test(a_handler_sees_whose_connection_it_is),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
