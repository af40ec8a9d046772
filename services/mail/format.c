/* RFC 5322 and MIME, as little of them as plain text needs. */
#include "services/mail/mail.h"

#include <openssl/evp.h>
#include <string.h>
#include <time.h>

enum {
    /* RFC 2047: an encoded word has at most 75 characters; of its 45 bytes of
     * text none may cut a character in two. */
    WORD_BYTES = 45,
    /* RFC 2045: a line of base64 has at most 76 characters. */
    LINE_BYTES = 57,
};

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if ((signed char)*text < 0)
            return false;
    return true;
}

static char *base64(struct arena *arena, const char *bytes, size_t size)
{
    char *text = arena_alloc(arena, (size + 2) / 3 * 4 + 1);
    EVP_EncodeBlock((uint8_t *)text, (const uint8_t *)bytes, (int)size);
    return text;
}

/* As much of the text as fits one word, ending between two characters. */
static size_t word_size(const char *text)
{
    size_t size = strnlen(text, WORD_BYTES);
    while (size > 0 && ((unsigned char)text[size] & 0xC0) == 0x80)
        size--;
    return size;
}

static const char *header_text(struct arena *arena, const char *text)
{
    if (is_ascii(text))
        return text;
    char *words = "";
    while (*text != '\0') {
        size_t size = word_size(text);
        words = arena_printf(arena, "%s%s=?UTF-8?B?%s?=", words,
                             *words != '\0' ? "\r\n " : "",
                             base64(arena, text, size));
        text += size;
    }
    return words;
}

/* Base64 keeps every text whole: no line is too long and no dot special. */
static char *body_text(struct arena *arena, const char *text)
{
    size_t size = strlen(text);
    size_t lines = size / LINE_BYTES + 1;
    char *body = arena_alloc(arena, lines * (LINE_BYTES / 3 * 4 + 2) + 1);
    char *to = body;
    while (size > 0) {
        size_t part = size < LINE_BYTES ? size : LINE_BYTES;
        to += EVP_EncodeBlock((uint8_t *)to, (const uint8_t *)text, (int)part);
        to = stpcpy(to, "\r\n");
        text += part;
        size -= part;
    }
    return body;
}

/* In English whatever the locale, which strftime() would ask. */
static char *date_text(struct arena *arena, int64_t wall_us)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    return arena_printf(arena, "%.3s, %02d %.3s %d %02d:%02d:%02d +0000",
                        days + 3 * tm.tm_wday, tm.tm_mday,
                        months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour,
                        tm.tm_min, tm.tm_sec);
}

char *mail_format(struct arena *arena, const char *from,
                  const struct mail *mail, const char *message_id,
                  int64_t wall_us)
{
    return arena_printf(arena,
                        "From: %s\r\n"
                        "To: %s\r\n"
                        "Subject: %s\r\n"
                        "Date: %s\r\n"
                        "Message-ID: <%s@prbal>\r\n"
                        "Auto-Submitted: auto-generated\r\n"
                        "MIME-Version: 1.0\r\n"
                        "Content-Type: text/plain; charset=utf-8\r\n"
                        "Content-Transfer-Encoding: base64\r\n"
                        "\r\n"
                        "%s",
                        from, mail->to, header_text(arena, mail->subject),
                        date_text(arena, wall_us), message_id,
                        body_text(arena, mail->text));
}
