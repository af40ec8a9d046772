/* The metadata of requests and responses, as handlers see it. */
#include "rpc/call_state.h"
#include "rpc/metadata.h"

#include <assert.h>
#include <string.h>

static const struct rpc_field *find_field(const struct call_state *state,
                                          const char *name)
{
    size_t size = strlen(name);
    for (struct rpc_field *f = state->head.metadata; f != NULL; f = f->next)
        if (f->name_size == size && memcmp(f->name, name, size) == 0)
            return f;
    return NULL;
}

/* Equal names may have been joined by commas on the way: the first counts. */
static const char *decode_binary(struct arena *arena,
                                 const struct rpc_field *field, size_t *size)
{
    const char *comma = memchr(field->value, ',', field->value_size);
    size_t text_size = comma == NULL
                           ? field->value_size
                           : (size_t)(comma - (const char *)field->value);
    uint8_t *bytes = arena_alloc(arena, text_size * 3 / 4 + 1);
    size_t count;
    if (!metadata_decode_base64(bytes, &count, field->value, text_size))
        return NULL;
    if (size != NULL)
        *size = count;
    return (const char *)bytes;
}

const struct rpc_field *rpc_all_metadata(const struct rpc_call *call)
{
    return call_state_of(call)->head.metadata;
}

int64_t rpc_client_timeout_us(const struct rpc_call *call)
{
    return call_state_of(call)->head.timeout_us;
}

const char *rpc_metadata(const struct rpc_call *call, const char *name,
                         size_t *size)
{
    const struct rpc_field *field = find_field(call_state_of(call), name);
    if (field == NULL)
        return NULL;
    if (metadata_name_is_binary(name, field->name_size))
        return decode_binary(call->arena, field, size);
    if (size != NULL)
        *size = field->value_size;
    return field->value;
}

void field_list_init(struct field_list *list)
{
    list->first = NULL;
    list->end = &list->first;
}

/* What HTTP/2 would not carry becomes '?': such a value comes from someone's
 * input, and must cost a character rather than the whole response. */
static void make_printable(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            text[i] = '?';
}

void field_list_add(struct field_list *list, struct arena *arena,
                    const char *name, const void *value, size_t size)
{
    struct rpc_field *field = ARENA_NEW(arena, struct rpc_field);
    field->name_size = (uint32_t)strlen(name);
    field->name = arena_strndup(arena, name, field->name_size);
    char *copy = arena_strndup(arena, value, size);
    if (!metadata_name_is_binary(name, field->name_size))
        make_printable(copy, size);
    field->value = copy;
    field->value_size = (uint32_t)size;
    *list->end = field;
    list->end = &field->next;
}

void rpc_set_header(struct rpc_call *call, const char *name, const void *value,
                    size_t size)
{
    assert(metadata_name_is_free(name, strlen(name)));
    field_list_add(&call_state_of(call)->headers, call->arena, name, value,
                   size);
}

void rpc_set_trailer(struct rpc_call *call, const char *name, const void *value,
                     size_t size)
{
    assert(metadata_name_is_free(name, strlen(name)));
    field_list_add(&call_state_of(call)->trailers, call->arena, name, value,
                   size);
}
