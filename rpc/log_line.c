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

static void put_literal(struct log_batch *batch, const char *text)
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
        put_literal(batch, "\\ufffd");
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
    put_literal(batch, "\"");
    while (*at != '\0') {
        const unsigned char *end = at;
        while (is_plain(*end))
            end++;
        put(batch, (const char *)at, (size_t)(end - at));
        at = *end == '\0' ? end : end + put_escaped(batch, end);
    }
    put_literal(batch, "\"");
}

static void put_name(struct log_batch *batch, const char *name)
{
    put_literal(batch, ",\"");
    put_literal(batch, name);
    put_literal(batch, "\":");
}

static void put_pair(struct log_batch *batch, const char *name,
                     const char *text)
{
    if (text[0] == '\0')
        return;
    put_name(batch, name);
    put_string(batch, text);
}

static void put_number_pair(struct log_batch *batch, const char *name,
                            uint64_t number)
{
    put_name(batch, name);
    put_number(batch, number);
}

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
    put_literal(batch, text);
    put(batch, fraction, sizeof fraction);
    put_literal(batch, "Z\"");
}

/* As OpenTelemetry names them. */
static void put_trace(struct log_batch *batch, const struct rpc_trace *trace)
{
    char id[TRACE_ID_SIZE + 1], span[TRACE_SPAN_SIZE + 1];
    if (trace->span == 0)
        return; /* a line of no call */
    trace_write_id(trace, id);
    trace_write_span(trace->span, span);
    put_pair(batch, "trace_id", id);
    put_pair(batch, "span_id", span);
    if (trace->parent == 0)
        return;
    trace_write_span(trace->parent, span);
    put_pair(batch, "parent_span_id", span);
}

static void put_call(struct log_batch *batch, const struct log_record *r)
{
    struct rpc_trace trace;
    memcpy(&trace, r->texts, sizeof trace);
    const char *message = r->texts + sizeof trace;
    const char *caller = message + strlen(message) + 1;
    const char *request_id = caller + strlen(caller) + 1;
    const char *peer = request_id + strlen(request_id) + 1;
    put_pair(batch, "method", r->path);
    put_pair(batch, "code", rpc_code_name(r->code));
    put_number_pair(batch, "duration_us",
                    r->duration_us < 0 ? 0 : (uint64_t)r->duration_us);
    if (r->wait_us >= 0)
        put_number_pair(batch, "wait_us", (uint64_t)r->wait_us);
    put_number_pair(batch, "messages_in", r->messages_in);
    put_number_pair(batch, "bytes_in", r->bytes_in);
    put_number_pair(batch, "messages_out", r->messages_out);
    put_number_pair(batch, "bytes_out", r->bytes_out);
    put_pair(batch, "user_id", caller);
    put_pair(batch, "request_id", request_id);
    put_trace(batch, &trace);
    if (r->previous_attempts > 0)
        put_number_pair(batch, "previous_attempts", r->previous_attempts);
    put_pair(batch, "peer", peer);
    put_pair(batch, "message", message);
}

void log_line_put(struct log_batch *batch, const struct log_record *r)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    put_time(batch, r->wall_us);
    put_pair(batch, "level", levels[r->level]);
    put_pair(batch, "area", r->area == NULL ? "call" : r->area);
    if (r->area == NULL)
        put_call(batch, r);
    else
        put_pair(batch, "message", r->texts);
    put(batch, "}\n", 2);
}
