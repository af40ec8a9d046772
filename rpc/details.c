/* The encoder writes from the end of its buffer to the front: the length of a
 * nested message is then known when its prefix is written. */
#include "rpc/details.h"

#include "google/protobuf/any.pb-c.h"
#include "rpc/codec.h"
#include "rpc/server_internal.h"

#include <string.h>

struct writer {
    uint8_t *start;
    uint8_t *at; /* everything from here to the end is written */
    bool is_full;
};

static void put_bytes(struct writer *w, const void *bytes, size_t size)
{
    if (size > (size_t)(w->at - w->start)) {
        w->is_full = true;
        return;
    }
    w->at -= size;
    memcpy(w->at, bytes, size);
}

static void put_varint(struct writer *w, uint64_t value)
{
    uint8_t bytes[10];
    size_t size = 0;
    do {
        bytes[size] = (uint8_t)(value & 0x7f) | (value > 0x7f ? 0x80 : 0);
        value >>= 7;
        size++;
    } while (value != 0);
    put_bytes(w, bytes, size);
}

static void put_number(struct writer *w, int field, int64_t value)
{
    if (value == 0)
        return;
    put_varint(w, (uint64_t)value);
    put_varint(w, (uint64_t)field << 3);
}

static void put_text(struct writer *w, int field, const char *text)
{
    size_t size = strlen(text);
    if (size == 0)
        return;
    put_bytes(w, text, size);
    put_varint(w, size);
    put_varint(w, (uint64_t)field << 3 | 2);
}

/* Makes what was written since `end` a nested message. */
static void wrap(struct writer *w, int field, const uint8_t *end)
{
    put_varint(w, (uint64_t)(end - w->at));
    put_varint(w, (uint64_t)field << 3 | 2);
}

/* The same, as a google.protobuf.Any in Status.details. */
static void wrap_any(struct writer *w, const char *type_url, const uint8_t *end)
{
    wrap(w, 2, end);
    put_text(w, 1, type_url);
    wrap(w, 3, end);
}

static void put_retry_info(struct writer *w, int64_t retry_ms)
{
    const uint8_t *end = w->at;
    put_number(w, 2, retry_ms % 1000 * 1000000);
    put_number(w, 1, retry_ms / 1000);
    wrap(w, 1, end);
    wrap_any(w, "type.googleapis.com/google.rpc.RetryInfo", end);
}

static void put_error_info(struct writer *w, const struct rpc_details *d,
                           const char *domain)
{
    const uint8_t *end = w->at;
    for (struct rpc_detail_pair *p = d->metadata; p != NULL; p = p->next) {
        const uint8_t *pair_end = w->at;
        put_text(w, 2, p->value);
        put_text(w, 1, p->key);
        wrap(w, 3, pair_end);
    }
    put_text(w, 2, domain);
    put_text(w, 1, d->reason != NULL ? d->reason : "");
    wrap_any(w, "type.googleapis.com/google.rpc.ErrorInfo", end);
}

static void put_bad_request(struct writer *w, const struct rpc_details *d)
{
    const uint8_t *end = w->at;
    for (struct rpc_violation *v = d->violations; v != NULL; v = v->next) {
        const uint8_t *violation_end = w->at;
        put_text(w, 2, v->description);
        put_text(w, 1, v->field);
        wrap(w, 1, violation_end);
    }
    wrap_any(w, "type.googleapis.com/google.rpc.BadRequest", end);
}

/* The newest is written first, and so comes last. */
static void put_others(struct writer *w, const struct rpc_details *d)
{
    for (struct rpc_detail_any *any = d->others; any != NULL; any = any->next) {
        const uint8_t *end = w->at;
        put_bytes(w, any->bytes, any->size);
        wrap_any(w, any->type_url, end);
    }
}

static struct rpc_details *details_of(const struct rpc_call *call,
                                      rpc_status status)
{
    for (struct rpc_details *d = call->details; d != NULL; d = d->next)
        if (d->status.message == status.message &&
            d->status.code == status.code)
            return d;
    return NULL;
}

int64_t rpc_details_retry_ms(const struct rpc_call *call, rpc_status status)
{
    const struct rpc_details *d = details_of(call, status);
    return d == NULL ? -1 : d->retry_ms;
}

static const char *domain_of(const struct rpc_call *call)
{
    return call->server == NULL ? "prbal" : call->server->options.error_domain;
}

const uint8_t *rpc_details_pack(struct arena *arena,
                                const struct rpc_details *d, const char *domain,
                                size_t *size)
{
    uint8_t *start = arena_alloc(arena, RPC_DETAILS_BYTES_MAX);
    uint8_t *end = start + RPC_DETAILS_BYTES_MAX;
    struct writer w = {start, end, false};
    put_others(&w, d);
    if (d->retry_ms >= 0)
        put_retry_info(&w, d->retry_ms);
    if (d->reason != NULL || d->metadata != NULL)
        put_error_info(&w, d, domain);
    if (d->violations != NULL)
        put_bad_request(&w, d);
    put_text(&w, 2, d->status.message);
    put_number(&w, 1, d->status.code);
    *size = w.is_full ? 0 : (size_t)(end - w.at);
    return w.is_full ? NULL : w.at;
}

static bool is_bare(const struct rpc_details *d)
{
    return d->violations == NULL && d->reason == NULL && d->metadata == NULL &&
           d->retry_ms < 0 && d->others == NULL;
}

static void fill_any(struct arena *arena, struct rpc_detail_any *any,
                     const ProtobufCMessage *message)
{
    if (message->descriptor == &google__protobuf__any__descriptor) {
        const Google__Protobuf__Any *given =
            (const Google__Protobuf__Any *)message;
        any->type_url = arena_strdup(arena, given->type_url);
        any->bytes = arena_memdup(arena, given->value.data, given->value.len);
        any->size = given->value.len;
        return;
    }
    any->type_url = arena_printf(arena, "type.googleapis.com/%s",
                                 message->descriptor->name);
    any->bytes = codec_pack(arena, message, &any->size);
}

void rpc_add_detail(struct rpc_call *call, const void *message)
{
    if (call->details == NULL)
        return;
    struct rpc_detail_any *any = ARENA_NEW(call->arena, struct rpc_detail_any);
    fill_any(call->arena, any, message);
    any->next = call->details->others;
    call->details->others = any;
}

const uint8_t *rpc_details_encode(struct rpc_call *call, rpc_status status,
                                  size_t *size)
{
    *size = 0;
    const struct rpc_details *d = details_of(call, status);
    if (d == NULL || is_bare(d))
        return NULL;
    return rpc_details_pack(call->arena, d, domain_of(call), size);
}
