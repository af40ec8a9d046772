#include "rpc/log_line.h"

#include "rpc/json_number.h"
#include "rpc/json_write.h"

#include <string.h>
#include <time.h>

static void put(struct log_batch *batch, const char *text, size_t size)
{
    memcpy(batch->bytes + batch->size, text, size);
    batch->size += size;
}

/* Names and punctuation: their sizes are known here. */
#define PUT(batch, literal) put((batch), (literal), sizeof(literal) - 1)

/* Text of our own: nothing in it has to be escaped. */
static void put_known(struct log_batch *batch, const char *text)
{
    put(batch, text, strlen(text));
}

static void put_number(struct log_batch *batch, uint64_t number)
{
    batch->size += json_put_unsigned(batch->bytes + batch->size, number);
}

/* The length of a valid UTF-8 character that begins here, or 0. */
static size_t character_size(const unsigned char *at)
{
    size_t size = at[0] < 0x80    ? 1
                  : at[0] < 0xc2  ? 0
                  : at[0] < 0xe0  ? 2
                  : at[0] < 0xf0  ? 3
                  : at[0] <= 0xf4 ? 4
                                  : 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* One character that is not plain; returns its size in the text. */
static size_t put_escaped(struct log_batch *batch, const unsigned char *at)
{
    size_t size = character_size(at);
    if (size == 0) {
        PUT(batch, "\\ufffd");
        return 1;
    }
    if (size > 1) {
        put(batch, (const char *)at, size);
    } else {
        batch->size += json_escape(batch->bytes + batch->size, (char)*at);
    }
    return size;
}

/* Whatever a peer made us log stays inside its quotes, on its line. */
static void put_string(struct log_batch *batch, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0') {
        const unsigned char *end = at;
        while (is_plain(*end))
            end++;
        put(batch, (const char *)at, (size_t)(end - at));
        at = *end == '\0' ? end : end + put_escaped(batch, end);
    }
    PUT(batch, "\"");
}

/* Nothing for an empty text. */
#define PUT_PAIR(batch, name, text)           \
    do {                                      \
        if ((text)[0] != '\0') {              \
            PUT((batch), ",\"" name "\":\""); \
            put_string((batch), (text));      \
        }                                     \
    } while (0)

#define PUT_NUMBER(batch, name, number) \
    do {                                \
        PUT((batch), ",\"" name "\":"); \
        put_number((batch), (number));  \
    } while (0)

/* The text of a second is made once for all its lines. */
static void put_time(struct log_batch *batch, int64_t wall_us)
{
    static time_t second; /* the writer's */
    static char text[64] = "";
    time_t now = (time_t)(wall_us / 1000000);
    if (now != second || text[0] == '\0') {
        struct tm tm;
        gmtime_r(&now, &tm);
        strftime(text, sizeof text, "{\"time\":\"%Y-%m-%dT%H:%M:%S.", &tm);
        second = now;
    }
    char fraction[6];
    int64_t rest = wall_us % 1000000;
    for (int i = 5; i >= 0; i--, rest /= 10)
        fraction[i] = (char)('0' + rest % 10);
    put_known(batch, text);
    put(batch, fraction, sizeof fraction);
    PUT(batch, "Z\"");
}

/* Their writers add a NUL, which the next piece replaces. */
static void put_span(struct log_batch *batch, uint64_t span)
{
    trace_write_span(span, batch->bytes + batch->size);
    batch->size += TRACE_SPAN_SIZE;
}

/* As OpenTelemetry names them. */
static void put_trace(struct log_batch *batch, const struct rpc_trace *trace)
{
    if (trace->span == 0)
        return; /* a line of no call */
    PUT(batch, ",\"trace_id\":\"");
    trace_write_id(trace, batch->bytes + batch->size);
    batch->size += TRACE_ID_SIZE;
    PUT(batch, "\",\"span_id\":\"");
    put_span(batch, trace->span);
    if (trace->parent != 0) {
        PUT(batch, "\",\"parent_span_id\":\"");
        put_span(batch, trace->parent);
    }
    PUT(batch, "\"");
}

static void put_call(struct log_batch *batch, const struct log_record *r)
{
    struct rpc_trace trace;
    memcpy(&trace, r->texts, sizeof trace);
    const char *message = r->texts + sizeof trace;
    const char *caller = message + strlen(message) + 1;
    const char *request_id = caller + strlen(caller) + 1;
    const char *peer = request_id + strlen(request_id) + 1;
    PUT(batch, "\",\"area\":\"call\",\"method\":\"");
    put_known(batch, r->path);
    PUT(batch, "\",\"code\":\"");
    put_known(batch, rpc_code_name(r->code));
    PUT(batch, "\"");
    PUT_NUMBER(batch, "duration_us",
               r->duration_us < 0 ? 0 : (uint64_t)r->duration_us);
    if (r->wait_us >= 0)
        PUT_NUMBER(batch, "wait_us", (uint64_t)r->wait_us);
    PUT_NUMBER(batch, "messages_in", r->messages_in);
    PUT_NUMBER(batch, "bytes_in", r->bytes_in);
    PUT_NUMBER(batch, "messages_out", r->messages_out);
    PUT_NUMBER(batch, "bytes_out", r->bytes_out);
    PUT_PAIR(batch, "user_id", caller);
    PUT_PAIR(batch, "request_id", request_id);
    put_trace(batch, &trace);
    if (r->previous_attempts > 0)
        PUT_NUMBER(batch, "previous_attempts", r->previous_attempts);
    PUT_PAIR(batch, "peer", peer);
    PUT_PAIR(batch, "message", message);
}

static void put_text(struct log_batch *batch, const struct log_record *r)
{
    PUT(batch, "\",\"area\":\"");
    put_known(batch, r->area);
    PUT(batch, "\"");
    PUT_PAIR(batch, "message", r->texts);
}

void log_line_put(struct log_batch *batch, const struct log_record *r)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    put_time(batch, r->wall_us);
    PUT(batch, ",\"level\":\"");
    put_known(batch, levels[r->level]);
    if (r->area == NULL)
        put_call(batch, r);
    else
        put_text(batch, r);
    PUT(batch, "}\n");
}
