/* Any bytes as the value of a column: refused, or a field that can be encoded.
 * The first two bytes choose the field and the column's type. */
#include "db/column.h"
#include "db/type.h"
#include "rpc/codec.h"
#include "tests/db/rows.rpc.h"

#include <stdlib.h>

static const uint32_t types[] = {
    TYPE_BOOL,       TYPE_BYTEA,        TYPE_INT8,
    TYPE_TEXT,       TYPE_JSON,         TYPE_JSONB,
    TYPE_FLOAT8,     TYPE_DATE,         TYPE_TIME,
    TYPE_TIMESTAMP,  TYPE_TIMESTAMPTZ,  TYPE_INTERVAL,
    TYPE_NUMERIC,    TYPE_UUID,         TYPE_FIRST_OWN,
    TYPE_BOOL_ARRAY, TYPE_BYTEA_ARRAY,  TYPE_INT8_ARRAY,
    TYPE_TEXT_ARRAY, TYPE_FLOAT8_ARRAY, TYPE_TIMESTAMPTZ_ARRAY,
    TYPE_UUID_ARRAY,
};
enum { TYPE_COUNT = sizeof types / sizeof *types };

static void read_into(struct arena *arena, uint32_t type,
                      const ProtobufCFieldDescriptor *field, const char *bytes,
                      size_t size)
{
    struct column_reader reader = {.arena = arena};
    column_read read = column_reader_for(type, field);
    if (read == NULL)
        return;
    ProtobufCMessage *row = codec_new(arena, COLUMNS_DESCRIPTOR);
    bool whole = field->type == PROTOBUF_C_TYPE_MESSAGE ||
                 field->label == PROTOBUF_C_LABEL_REPEATED;
    void *at = whole ? (void *)row : column_present(row, field);
    size_t packed;
    if (read(&reader, field, bytes, size, at))
        codec_pack(arena, row, &packed);
    else if (reader.problem == NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct arena *arena = arena_create();
    const ProtobufCMessageDescriptor *row = COLUMNS_DESCRIPTOR;
    read_into(arena, types[data[0] % TYPE_COUNT],
              &row->fields[data[1] % row->n_fields], (const char *)data + 2,
              size - 2);
    arena_destroy(arena);
    return 0;
}
