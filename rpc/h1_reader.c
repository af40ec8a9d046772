#include "rpc/h1_reader.h"

#include <string.h>
#include <strings.h>

/* --- refusals --- */

#define BAD "400 Bad Request"

static const struct h1_refusal bare_line_feed = {
    BAD, "http1_bare_line_feed", "A line ends with CR LF, not with LF alone."};
static const struct h1_refusal bad_request_line = {
    BAD, "http1_request_line",
    "The first line is not METHOD SP /path SP HTTP/1.1."};
/* Who does not speak HTTP/1 would not understand an answer in it.  RFC 9113
 * 3.4: a wrong preface ends the connection, and needs no words. */
static const struct h1_refusal not_http = {NULL, "http1_not_http", NULL};
static const struct h1_refusal bad_target = {
    BAD, "http1_target", "The target of a request here is a path: /..."};
static const struct h1_refusal target_too_long = {
    "414 URI Too Long", "http1_target_too_long",
    "The first line of the request is too long."};
static const struct h1_refusal bad_version = {
    "505 HTTP Version Not Supported", "http1_version",
    "This server speaks HTTP/2 and HTTP/1.1."};
static const struct h1_refusal bad_field = {
    BAD, "http1_field",
    "A header field is name, colon, value, on one line, without controls."};
static const struct h1_refusal headers_too_large = {
    "431 Request Header Fields Too Large", "http1_headers_too_large",
    "The request's header fields are too large."};
static const struct h1_refusal bad_host = {
    BAD, "http1_host", "A request has one Host field that names a host."};
static const struct h1_refusal bad_length = {
    BAD, "http1_content_length",
    "Content-Length is one number of decimal digits."};
static const struct h1_refusal length_too_large = {"413 Content Too Large",
                                                   "http1_content_too_large",
                                                   "The body is too large."};
static const struct h1_refusal bad_coding = {
    "501 Not Implemented", "http1_transfer_encoding",
    "The only Transfer-Encoding here is chunked, once."};
static const struct h1_refusal two_lengths = {
    BAD, "http1_two_lengths",
    "A request has a Content-Length or a Transfer-Encoding, never both."};
static const struct h1_refusal bad_expectation = {
    "417 Expectation Failed", "http1_expect",
    "The only expectation that is understood is 100-continue."};
static const struct h1_refusal bad_chunk = {
    BAD, "http1_chunk",
    "A chunk is its size in up to 8 hexadecimal digits, CR LF, so many bytes, "
    "CR LF."};

static h1_event refuse(struct h1_reader *reader,
                       const struct h1_refusal *refusal)
{
    reader->refusal = refusal;
    return H1_REFUSED;
}

/* --- characters --- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* RFC 9110 5.6.2 */
static bool is_token_char(char c)
{
    return is_letter(c) || is_digit(c) || is_one_of(c, "!#$%&'*+-.^_`|~");
}

/* A fragment never travels; all else that is visible is compared with our
 * paths as it is. */
static bool is_target_char(char c)
{
    return c > ' ' && c < 0x7f && c != '#';
}

/* RFC 3986 3.2.2 and the port; user information, which "@" would end, is not
 * sent by clients and is a way to show a person another host. */
static bool is_host_char(char c)
{
    return is_letter(c) || is_digit(c) || is_one_of(c, "-._~!$&'()*+,;=%:[]");
}

/* RFC 9110 5.5: no controls but the tab.  Bytes beyond ASCII are opaque. */
static bool is_value_char(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

static size_t count_while(const char *text, size_t size, bool (*is)(char))
{
    size_t count = 0;
    while (count < size && is(text[count]))
        count++;
    return count;
}

static bool consists_of(const char *text, size_t size, bool (*is)(char))
{
    return size > 0 && count_while(text, size, is) == size;
}

static bool equals(const char *text, size_t size, const char *word)
{
    return size == strlen(word) && memcmp(text, word, size) == 0;
}

/* `word` is in lower case; what it is compared with has no case. */
static bool equals_in_any_case(const char *text, size_t size, const char *word)
{
    return size == strlen(word) && strncasecmp(text, word, size) == 0;
}

/* --- lines --- */

struct line {
    char *text; /* without CR LF */
    size_t size;
};

/* Answers H1_MORE while the line is not complete.  A CR within it is left to
 * those who look at its characters: none accepts one. */
static h1_event take_line(struct h1_reader *reader, char *bytes, size_t size,
                          size_t line_bytes_max,
                          const struct h1_refusal *too_long,
                          struct h1_piece *piece, struct line *line)
{
    const char *end = memchr(bytes, '\n', size);
    size_t length = end == NULL ? size : (size_t)(end - bytes);
    if (length > line_bytes_max + 1)
        return refuse(reader, too_long);
    if (end == NULL)
        return H1_MORE;
    if (length == 0 || bytes[length - 1] != '\r')
        return refuse(reader, &bare_line_feed);
    *line = (struct line){bytes, length - 1};
    piece->used += length + 1;
    return H1_END;
}

/* --- the request line --- */

static h1_event refuse_line(struct h1_reader *reader, const struct line *line)
{
    bool is_http =
        line->size == 0 || memmem(line->text, line->size, "HTTP/", 5) != NULL;
    return refuse(reader, is_http ? &bad_request_line : &not_http);
}

/* HTTP/1.0 has neither chunks nor a required Host, and its clients do not know
 * what 100 Continue is. */
static h1_event read_version(struct h1_reader *reader, const struct line *line,
                             const char *text)
{
    size_t size = (size_t)(line->text + line->size - text);
    if (equals(text, size, "HTTP/1.1"))
        return H1_REQUEST;
    bool is_another = size == 8 && memcmp(text, "HTTP/", 5) == 0 &&
                      is_digit(text[5]) && text[6] == '.' && is_digit(text[7]);
    return is_another ? refuse(reader, &bad_version)
                      : refuse_line(reader, line);
}

/* "*" asks about the server as a whole, and only OPTIONS may. */
static bool is_target(const struct h1_reader *reader, const char *text,
                      size_t size)
{
    if (equals(text, size, "*"))
        return reader->is_options;
    return consists_of(text, size, is_target_char) && text[0] == '/';
}

static bool take_header_bytes(struct h1_reader *reader, size_t bytes)
{
    reader->header_bytes += (uint32_t)bytes + H1_FIELD_OVERHEAD_BYTES;
    return reader->header_bytes <= reader->header_bytes_max;
}

/* Counted as the pseudo-header fields of HTTP/2 are. */
static bool has_room_for_target(struct h1_reader *reader,
                                const struct h1_piece *piece)
{
    return take_header_bytes(reader, strlen(":method") + piece->name_size) &&
           take_header_bytes(reader, strlen(":path") + piece->value_size) &&
           take_header_bytes(reader, strlen(":schemehttps"));
}

static h1_event read_request_line(struct h1_reader *reader, char *bytes,
                                  size_t size, struct h1_piece *piece)
{
    struct line line;
    h1_event event = take_line(reader, bytes, size, reader->header_bytes_max,
                               &target_too_long, piece, &line);
    if (event != H1_END)
        return event;
    piece->name = line.text;
    piece->name_size = count_while(line.text, line.size, is_token_char);
    size_t at = piece->name_size;
    if (at == 0 || at == line.size || line.text[at] != ' ')
        return refuse_line(reader, &line);
    piece->value = line.text + at + 1;
    size_t rest = line.size - at - 1;
    const char *space = memchr(piece->value, ' ', rest);
    if (space == NULL)
        return refuse_line(reader, &line);
    piece->value_size = (size_t)(space - piece->value);
    event = read_version(reader, &line, space + 1);
    if (event != H1_REQUEST)
        return event;
    reader->is_options = equals(piece->name, piece->name_size, "OPTIONS");
    if (!is_target(reader, piece->value, piece->value_size))
        return refuse(reader, &bad_target);
    if (!has_room_for_target(reader, piece))
        return refuse(reader, &target_too_long);
    reader->field_count = H1_LINE_FIELDS;
    reader->stage = H1_READ_FIELDS;
    return H1_REQUEST;
}

/* --- what fields mean for the framing --- */

static const struct h1_refusal *read_host(struct h1_reader *reader,
                                          const char *value, size_t size)
{
    if (reader->has_host || !consists_of(value, size, is_host_char))
        return &bad_host;
    reader->has_host = true;
    return NULL;
}

/* Neither a sign nor a list: "3, 3" is one length to some and none to others.
 */
static const struct h1_refusal *read_length(struct h1_reader *reader,
                                            const char *value, size_t size)
{
    if (reader->has_length || !consists_of(value, size, is_digit))
        return &bad_length;
    if (size > H1_LENGTH_DIGITS_MAX)
        return &length_too_large;
    reader->has_length = true;
    for (size_t i = 0; i < size; i++)
        reader->body_left = reader->body_left * 10 + (uint64_t)(value[i] - '0');
    return NULL;
}

static const struct h1_refusal *read_coding(struct h1_reader *reader,
                                            const char *value, size_t size)
{
    if (reader->is_chunked || !equals_in_any_case(value, size, "chunked"))
        return &bad_coding;
    reader->is_chunked = true;
    return NULL;
}

static const struct h1_refusal *read_expectation(struct h1_reader *reader,
                                                 const char *value, size_t size)
{
    if (!equals_in_any_case(value, size, "100-continue"))
        return &bad_expectation;
    reader->expects_continue = true;
    return NULL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_option_char(char c)
{
    return c != ',' && !is_blank(c);
}

/* A list; only "close" says something to us.  "upgrade" does not: nothing else
 * is ever spoken on this connection (RFC 9110 7.8 lets a server ignore it). */
static const struct h1_refusal *read_connection(struct h1_reader *reader,
                                                const char *value, size_t size)
{
    while (size > 0) {
        size_t option = count_while(value, size, is_option_char);
        if (equals_in_any_case(value, option, "close"))
            reader->wants_close = true;
        size_t step = option > 0 ? option : 1;
        value += step;
        size -= step;
    }
    return NULL;
}

static const struct {
    const char *name;
    const struct h1_refusal *(*read)(struct h1_reader *reader,
                                     const char *value, size_t size);
} meanings[] = {
    {"host", read_host},
    {"content-length", read_length},
    {"transfer-encoding", read_coding},
    {"expect", read_expectation},
    {"connection", read_connection},
};

static const struct h1_refusal *read_meaning(struct h1_reader *reader,
                                             const struct h1_piece *field)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (equals(field->name, field->name_size, meanings[i].name))
            return meanings[i].read(reader, field->value, field->value_size);
    return NULL;
}

/* --- fields --- */

static void to_lower_case(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] += 'a' - 'A';
}

/* A line that begins with a blank has no name: folded fields end here too. */
static bool split_field(const struct line *line, struct h1_piece *field)
{
    size_t name_size = count_while(line->text, line->size, is_token_char);
    if (name_size == 0 || name_size == line->size ||
        line->text[name_size] != ':')
        return false;
    char *value = line->text + name_size + 1;
    size_t size = line->size - name_size - 1;
    if (count_while(value, size, is_value_char) != size)
        return false;
    size_t blanks = count_while(value, size, is_blank);
    value += blanks;
    size -= blanks;
    while (size > 0 && is_blank(value[size - 1]))
        size--;
    to_lower_case(line->text, name_size);
    field->name = line->text;
    field->name_size = name_size;
    field->value = value;
    field->value_size = size;
    return true;
}

/* A field, or the empty line (then *is_last), of a header or trailer section.
 */
static h1_event take_field(struct h1_reader *reader, char *bytes, size_t size,
                           struct h1_piece *piece, bool *is_last)
{
    struct line line;
    h1_event event = take_line(reader, bytes, size, reader->header_bytes_max,
                               &headers_too_large, piece, &line);
    if (event != H1_END)
        return event;
    *is_last = line.size == 0;
    if (*is_last)
        return H1_FIELD;
    if (!split_field(&line, piece))
        return refuse(reader, &bad_field);
    if (++reader->field_count > H1_FIELDS_MAX ||
        !take_header_bytes(reader, piece->name_size + piece->value_size))
        return refuse(reader, &headers_too_large);
    return H1_FIELD;
}

/* Neither length nor coding: there is no body (RFC 9112 6.3). */
static h1_event end_head(struct h1_reader *reader)
{
    if (!reader->has_host)
        return refuse(reader, &bad_host);
    if (reader->is_chunked && reader->has_length)
        return refuse(reader, &two_lengths);
    reader->header_bytes = reader->field_count = 0; /* the trailers' now */
    reader->stage = reader->is_chunked ? H1_READ_CHUNK_SIZE : H1_READ_LENGTH;
    return H1_HEAD;
}

static h1_event read_field(struct h1_reader *reader, char *bytes, size_t size,
                           struct h1_piece *piece)
{
    bool is_last;
    h1_event event = take_field(reader, bytes, size, piece, &is_last);
    if (event != H1_FIELD)
        return event;
    if (is_last)
        return end_head(reader);
    const struct h1_refusal *refusal = read_meaning(reader, piece);
    return refusal != NULL ? refuse(reader, refusal) : H1_FIELD;
}

/* --- bodies --- */

static h1_event end(struct h1_reader *reader)
{
    reader->stage = H1_READ_ENDED;
    return H1_END;
}

/* A piece of what was announced. */
static h1_event take_body(struct h1_reader *reader, char *bytes, size_t size,
                          struct h1_piece *piece)
{
    if (size == 0)
        return H1_MORE;
    if (size > reader->body_left)
        size = (size_t)reader->body_left;
    reader->body_left -= size;
    piece->used += size;
    piece->value = bytes;
    piece->value_size = size;
    return H1_BODY;
}

static h1_event read_length_body(struct h1_reader *reader, char *bytes,
                                 size_t size, struct h1_piece *piece)
{
    return reader->body_left == 0 ? end(reader)
                                  : take_body(reader, bytes, size, piece);
}

static bool parse_hexadecimal(const char *text, size_t size, uint64_t *value)
{
    if (size == 0 || size > H1_CHUNK_DIGITS_MAX)
        return false;
    *value = 0;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        unsigned digit;
        if (is_digit(c))
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = (unsigned)(c - 'A') + 10;
        else
            return false;
        *value = *value << 4 | digit;
    }
    return true;
}

/* Extensions are refused, though RFC 9112 7.1.1 would ignore them: nobody sends
 * any, and where one ends is what readers disagree about. */
static h1_event read_chunk_size(struct h1_reader *reader, char *bytes,
                                size_t size, struct h1_piece *piece)
{
    struct line line;
    h1_event event = take_line(reader, bytes, size, H1_CHUNK_DIGITS_MAX,
                               &bad_chunk, piece, &line);
    if (event != H1_END)
        return event;
    if (!parse_hexadecimal(line.text, line.size, &reader->body_left))
        return refuse(reader, &bad_chunk);
    reader->stage = reader->body_left > 0 ? H1_READ_CHUNK : H1_READ_TRAILERS;
    return H1_MORE;
}

static h1_event read_chunk(struct h1_reader *reader, char *bytes, size_t size,
                           struct h1_piece *piece)
{
    h1_event event = take_body(reader, bytes, size, piece);
    if (reader->body_left == 0)
        reader->stage = H1_READ_CHUNK_END;
    return event;
}

static h1_event read_chunk_end(struct h1_reader *reader, char *bytes,
                               size_t size, struct h1_piece *piece)
{
    struct line line;
    h1_event event =
        take_line(reader, bytes, size, 0, &bad_chunk, piece, &line);
    if (event != H1_END)
        return event;
    reader->stage = H1_READ_CHUNK_SIZE;
    return H1_MORE;
}

/* They are checked and dropped: no wire has any use for them, and a field that
 * comes after the gate must not look like one that passed it. */
static h1_event read_trailer(struct h1_reader *reader, char *bytes, size_t size,
                             struct h1_piece *piece)
{
    bool is_last;
    h1_event event = take_field(reader, bytes, size, piece, &is_last);
    if (event != H1_FIELD)
        return event;
    return is_last ? end(reader) : H1_MORE;
}

static h1_event read_nothing(struct h1_reader *reader, char *bytes, size_t size,
                             struct h1_piece *piece)
{
    (void)reader;
    (void)bytes;
    (void)size;
    (void)piece;
    return H1_END;
}

static h1_event (*const stages[])(struct h1_reader *reader, char *bytes,
                                  size_t size, struct h1_piece *piece) = {
    [H1_READ_REQUEST_LINE] = read_request_line,
    [H1_READ_FIELDS] = read_field,
    [H1_READ_LENGTH] = read_length_body,
    [H1_READ_CHUNK_SIZE] = read_chunk_size,
    [H1_READ_CHUNK] = read_chunk,
    [H1_READ_CHUNK_END] = read_chunk_end,
    [H1_READ_TRAILERS] = read_trailer,
    [H1_READ_ENDED] = read_nothing,
};

void h1_reader_init(struct h1_reader *reader, uint32_t header_bytes_max)
{
    *reader = (struct h1_reader){.header_bytes_max = header_bytes_max};
}

/* Some steps use bytes and have nothing to tell: then the next one is taken. */
h1_event h1_read(struct h1_reader *reader, char *bytes, size_t size,
                 struct h1_piece *piece)
{
    h1_event event;
    size_t used;
    *piece = (struct h1_piece){0};
    do {
        used = piece->used;
        event = stages[reader->stage](reader, bytes + used, size - used, piece);
    } while (event == H1_MORE && piece->used > used);
    return event;
}

bool h1_is_hop_by_hop(const char *name, size_t size)
{
    static const char *const names[] = {
        "connection", "keep-alive",     "te",      "transfer-encoding",
        "upgrade",    "http2-settings", "trailer", "expect",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (equals(name, size, names[i]))
            return true;
    return size > 6 && memcmp(name, "proxy-", 6) == 0;
}
