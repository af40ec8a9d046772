/* traceparent (https://www.w3.org/TR/trace-context/, 3.2):
 *
 *   00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
 *   version, trace id, parent id, flags: small hexadecimal figures only
 */
#include "rpc/trace.h"

#include "rpc/hash.h"

#include <string.h>

enum {
    AT_TRACE = 3,
    AT_PARENT = 36,
    AT_FLAGS = 53,
    VERSION_NEVER = 0xff, /* no version has this number */
};

static uint64_t random_id(void)
{
    uint64_t id;
    do
        id = hash_random();
    while (id == 0);
    return id;
}

void trace_begin(struct rpc_trace *trace)
{
    *trace = (struct rpc_trace){
        .trace_high = hash_random(),
        .trace_low = random_id(),
        .span = random_id(),
        .flags = RPC_TRACE_SAMPLED, /* our log has every call */
    };
}

/* False unless all are figures 0-9 or letters a-f. */
static bool read_hex(const char *text, int count, uint64_t *number)
{
    *number = 0;
    for (int i = 0; i < count; i++) {
        char c = text[i];
        unsigned figure;
        if (c >= '0' && c <= '9')
            figure = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            figure = (unsigned)(c - 'a') + 10;
        else
            return false;
        *number = *number << 4 | figure;
    }
    return true;
}

/* A later version may add fields behind a further dash. */
static bool has_form(const char *text, size_t size)
{
    uint64_t version;
    if (size < TRACE_PARENT_SIZE || !read_hex(text, 2, &version) ||
        version == VERSION_NEVER)
        return false;
    if (text[AT_TRACE - 1] != '-' || text[AT_PARENT - 1] != '-' ||
        text[AT_FLAGS - 1] != '-')
        return false;
    return size == TRACE_PARENT_SIZE ||
           (version != 0 && text[TRACE_PARENT_SIZE] == '-');
}

bool trace_continue(struct rpc_trace *trace, const char *text, size_t size)
{
    uint64_t high, low, parent, flags;
    if (!has_form(text, size) || !read_hex(text + AT_TRACE, 16, &high) ||
        !read_hex(text + AT_TRACE + 16, 16, &low) ||
        !read_hex(text + AT_PARENT, 16, &parent) ||
        !read_hex(text + AT_FLAGS, 2, &flags))
        return false;
    if ((high | low) == 0 || parent == 0)
        return false;
    trace->trace_high = high;
    trace->trace_low = low;
    trace->parent = parent;
    trace->flags = (uint8_t)flags & RPC_TRACE_SAMPLED;
    return true;
}

/* Without the NUL; returns its end. */
static char *put_hex(char *to, uint64_t number, int count)
{
    for (int i = count - 1; i >= 0; i--, number >>= 4)
        to[i] = "0123456789abcdef"[number & 15];
    return to + count;
}

void trace_write_id(const struct rpc_trace *trace, char text[TRACE_ID_SIZE + 1])
{
    *put_hex(put_hex(text, trace->trace_high, 16), trace->trace_low, 16) = '\0';
}

void trace_write_span(uint64_t span, char text[TRACE_SPAN_SIZE + 1])
{
    *put_hex(text, span, TRACE_SPAN_SIZE) = '\0';
}

void trace_write(const struct rpc_trace *trace,
                 char text[TRACE_PARENT_SIZE + 1])
{
    memcpy(text, "00-", AT_TRACE);
    trace_write_id(trace, text + AT_TRACE);
    text[AT_PARENT - 1] = '-';
    trace_write_span(trace->span, text + AT_PARENT);
    text[AT_FLAGS - 1] = '-';
    *put_hex(text + AT_FLAGS, trace->flags, 2) = '\0';
}
