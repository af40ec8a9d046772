/* A channel over TLS: whom it believes, and what it shows. */
#include "tests/rpc/channelkit.h"

#include "tests/wire/certificate.h"

#include <signal.h>

static struct certificate authority, good, expired, client;

static int make_certificates(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    authority = certificate_issue((struct certificate_wish){
        .common_name = "an authority", .is_authority = true});
    good = certificate_issue((struct certificate_wish){
        .alternative = "DNS:shop.test,IP:127.0.0.1", .by = &authority});
    expired = certificate_issue((struct certificate_wish){
        .alternative = "DNS:shop.test", .by = &authority, .ends_s = -60});
    client = certificate_issue((struct certificate_wish){
        .alternative = "DNS:worker.test", .by = &authority});
    return 0;
}

static int remove_certificates(void **state)
{
    (void)state;
    certificate_remove(&authority);
    certificate_remove(&good);
    certificate_remove(&expired);
    certificate_remove(&client);
    return 0;
}

static fixture *serve_with(const struct certificate *certificate,
                           struct rpc_server_options options)
{
    static const struct rpc_registry *const registries[] = {&test_registry,
                                                            NULL};
    char error[256];
    fixture *t = kit_prepare();
    options.registries = registries;
    options.loop_count = 1;
    options.drain_ms = 200;
    t->server = rpc_server_create(&options);
    if (!rpc_server_use_tls(t->server, certificate->certificate_path,
                            certificate->key_path, error, sizeof error))
        fail_msg("%s", error);
    t->port = rpc_server_listen(t->server, "127.0.0.1:0", RPC_LISTEN_TLS, error,
                                sizeof error);
    assert_true(t->port > 0);
    assert_int_equal(rpc_server_start(t->server).code, RPC_OK);
    snprintf(t->address, sizeof t->address, "127.0.0.1:%d", t->port);
    return t;
}

static struct unary echo_with(fixture *t, struct rpc_channel_tls tls)
{
    rpc_channel_destroy(t->channel);
    t->channel = kit_channel(t, (struct rpc_channel_options){.tls = &tls});
    return kit_echo(t, "secret", plain);
}

static void stop(fixture *t)
{
    void *state = t;
    kit_stop(&state);
}

static void a_server_of_the_right_name_is_believed(void **state)
{
    (void)state;
    fixture *t = serve_with(&good, (struct rpc_server_options){0});
    assert_echoed(
        echo_with(
            t, (struct rpc_channel_tls){.ca_path = authority.certificate_path,
                                        .server_name = "shop.test"}),
        "secret");
    stop(t);
}

/* The target names it, and the certificate has the address. */
static void an_address_is_a_name_too(void **state)
{
    (void)state;
    fixture *t = serve_with(&good, (struct rpc_server_options){0});
    assert_echoed(
        echo_with(
            t, (struct rpc_channel_tls){.ca_path = authority.certificate_path}),
        "secret");
    stop(t);
}

static void who_is_not_believed_gets_no_call(void **state)
{
    (void)state;
    const struct {
        const struct certificate *server;
        struct rpc_channel_tls tls;
        const char *reason;
    } table[] = {
        {&good,
         {.ca_path = authority.certificate_path, .server_name = "bank.test"},
         "hostname mismatch"},
        {&good, {.server_name = "shop.test"}, "local issuer"},
        {&good,
         {.ca_path = client.certificate_path, .server_name = "shop.test"},
         "local issuer"},
        {&expired,
         {.ca_path = authority.certificate_path, .server_name = "shop.test"},
         "certificate has expired"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        fixture *t =
            serve_with(table[i].server, (struct rpc_server_options){0});
        struct unary u = echo_with(t, table[i].tls);
        assert_code(u, RPC_UNAVAILABLE);
        assert_says(u, t->address);
        assert_says(u, table[i].reason);
        stop(t);
    }
}

static void clear_text_does_not_pass_for_tls(void **state)
{
    (void)state;
    fixture *t = kit_start((struct rpc_server_options){0},
                           (struct rpc_channel_options){0});
    struct unary u = echo_with(
        t, (struct rpc_channel_tls){.ca_path = authority.certificate_path});
    assert_code(u, RPC_UNAVAILABLE);
    stop(t);
}

static void a_server_that_asks_is_shown_a_certificate(void **state)
{
    (void)state;
    fixture *t = serve_with(&good, (struct rpc_server_options){
                                       .client_auth = RPC_CLIENT_AUTH_REQUIRED,
                                       .client_ca = authority.certificate_path,
                                   });
    const struct rpc_channel_tls tls = {
        .ca_path = authority.certificate_path,
        .server_name = "shop.test",
        .certificate_path = client.certificate_path,
        .key_path = client.key_path,
    };
    assert_echoed(echo_with(t, tls), "secret");
    struct unary u = echo_with(
        t, (struct rpc_channel_tls){.ca_path = authority.certificate_path,
                                    .server_name = "shop.test"});
    assert_code(u, RPC_UNAVAILABLE);
    stop(t);
}

static void a_file_that_will_not_do_is_named(void **state)
{
    (void)state;
    fixture *t = kit_prepare();
    char error[256];
    const struct {
        struct rpc_channel_tls tls;
        const char *sentence;
    } table[] = {
        {{.ca_path = "/nowhere.pem"},
         "cannot read the authorities /nowhere.pem: No such file or directory"},
        {{.certificate_path = "/nowhere.pem", .key_path = "/nowhere.key"},
         "cannot read the certificate /nowhere.pem: No such file or directory"},
        {{.certificate_path = "/a.pem"},
         "the certificate /a.pem comes without a key"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_null(rpc_channel_create(
            t->loop,
            &(struct rpc_channel_options){.target = "localhost:1",
                                          .tls = &table[i].tls},
            error, sizeof error));
        assert_string_equal(error, table[i].sentence);
    }
    stop(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_of_the_right_name_is_believed),
        cmocka_unit_test(an_address_is_a_name_too),
        cmocka_unit_test(who_is_not_believed_gets_no_call),
        cmocka_unit_test(clear_text_does_not_pass_for_tls),
        cmocka_unit_test(a_server_that_asks_is_shown_a_certificate),
        cmocka_unit_test(a_file_that_will_not_do_is_named),
    };
    return cmocka_run_group_tests(tests, make_certificates,
                                  remove_certificates);
}
