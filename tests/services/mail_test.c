/* RFC 5322 text and the letters' languages. */
#include "rpc/loop.h"
#include "services/mail/letters.h"
#include "tests/testkit/mailbox.h"

#include <stdio.h>

static char *format(fixture *t, const char *subject, const char *body)
{
    const struct mail mail = {"to@example.org", subject, body};
    return mail_format(t->arena, "Prbal <from@example.org>", &mail, "an-id",
                       INT64_C(1763665506) * 1000000);
}

static void headers_are_as_rfc_5322_wants_them(void **state)
{
    fixture *t = *state;
    char *mail = format(t, "Hello", "A text.\n");
    assert_string_equal(mail, "From: Prbal <from@example.org>\r\n"
                              "To: to@example.org\r\n"
                              "Subject: Hello\r\n"
                              "Date: Thu, 20 Nov 2025 19:05:06 +0000\r\n"
                              "Message-ID: <an-id@prbal>\r\n"
                              "Auto-Submitted: auto-generated\r\n"
                              "MIME-Version: 1.0\r\n"
                              "Content-Type: text/plain; charset=utf-8\r\n"
                              "Content-Transfer-Encoding: base64\r\n"
                              "\r\n"
                              "QSB0ZXh0Lgo=\r\n");
}

static void no_line_is_too_long_and_all_end_with_crlf(void **state)
{
    fixture *t = *state;
    char body[5001];
    memset(body, 'x', sizeof body - 1);
    body[5000] = '\0';
    char *mail = format(t, "A", body);
    for (char *line = mail; *line != '\0';) {
        size_t size = strcspn(line, "\n");
        assert_true(size <= 78);
        assert_int_equal(line[size - 1], '\r');
        line += size + 1;
    }
}

static void a_subject_in_arabic_is_encoded_in_whole_characters(void **state)
{
    fixture *t = *state;
    /* 30 letters of two bytes: one word holds 22 of them. */
    char subject[61] = "";
    for (int i = 0; i < 30; i++)
        strcat(subject, "\xd8\xa7");
    char *mail = format(t, subject, "x");
    char *first = strstr(mail, "=?UTF-8?B?");
    assert_non_null(first);
    char *second = strstr(first + 1, "\r\n =?UTF-8?B?");
    assert_non_null(second);
    assert_true(strcspn(first, "\r") <= 75);
    for (char *c = mail; *c != '\0'; c++)
        assert_true((signed char)*c > 0);
}

struct letter {
    const char *to, *name;
    bool commit, done;
};

static void send_letter(struct rpc_call *call, void *argument)
{
    struct letter *letter = argument;
    struct db *tx;
    if (db_begin(call->db, &tx).code == RPC_OK) {
        letter_welcome(tx, "xx-XX", letter->to, letter->name);
        if (letter->commit)
            db_commit(tx);
        else
            db_rollback(tx);
    }
    letter->done = true;
}

static void post(fixture *t, struct letter *letter)
{
    struct loop *loop = rpc_server_loop(t->server, 0);
    assert_non_null(rpc_task(t->server, loop, send_letter, letter));
    loop_run_until(loop, &letter->done);
}

static void a_language_without_texts_reads_english(void **state)
{
    fixture *t = *state;
    struct letter letter = {"en@example.org", "Ada", .commit = true};
    post(t, &letter);
    const char *mail = mail_to(t, "en@example.org", 1);
    assert_non_null(strstr(mail, "Subject: Welcome to Prbal"));
    assert_non_null(strstr(mail, "Hello Ada,"));
}

static void what_is_rolled_back_is_not_mailed(void **state)
{
    fixture *t = *state;
    struct letter dropped = {"none@example.org", "Ada", .commit = false};
    struct letter sent = {"marker@example.org", "Ada", .commit = true};
    post(t, &dropped);
    post(t, &sent);
    mail_to(t, "marker@example.org", 1);
    assert_int_equal(mail_count(t, "none@example.org"), 0);
}

/* A name is text, never part of a template or of a header. */
static void a_name_cannot_write_into_the_mail(void **state)
{
    fixture *t = *state;
    struct letter braces = {"braces@example.org", "{2} {1} {", .commit = true};
    post(t, &braces);
    assert_non_null(
        strstr(mail_to(t, "braces@example.org", 1), "Hello {2} {1} {,"));
    struct letter header = {"a@example.org\r\nBcc: b@example.org", "x",
                            .commit = true};
    post(t, &header);
    struct letter marker = {"second@example.org", "x", .commit = true};
    post(t, &marker);
    mail_to(t, "second@example.org", 1);
    assert_int_equal(mail_count(t, "a@example.org"), 0);
}

TEST_MAIN("mail", TEST(headers_are_as_rfc_5322_wants_them),
          TEST(no_line_is_too_long_and_all_end_with_crlf),
          TEST(a_subject_in_arabic_is_encoded_in_whole_characters),
          TEST(a_language_without_texts_reads_english),
          TEST(what_is_rolled_back_is_not_mailed),
          TEST(a_name_cannot_write_into_the_mail))
