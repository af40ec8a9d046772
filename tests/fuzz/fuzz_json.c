/* Any text, and any message, as JSON.  The first byte chooses the type and
 * which of the two the rest is.  A text is refused, or becomes a message that
 * is written as JSON and as bytes, and read again as the same message; what
 * JSON says of a message from the wire is read as a message of which JSON says
 * the same. */
#include "rpc/codec.h"
#include "tests/rpc/json_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { BINARY = 0x80 };

static const ProtobufCMessageDescriptor *const kinds[] = {
    EVERYTHING_DESCRIPTOR,
    WELL_KNOWN_DESCRIPTOR,
    MAPS_DESCRIPTOR,
    NAMES_DESCRIPTOR,
    &google__protobuf__value__descriptor,
    &google__protobuf__struct__descriptor,
    &google__protobuf__any__descriptor,
    &google__protobuf__timestamp__descriptor,
    &google__protobuf__duration__descriptor,
    &google__protobuf__field_mask__descriptor,
    &google__protobuf__double_value__descriptor,
    &google__protobuf__float_value__descriptor,
};

static void give_up(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    abort();
}

static const char *written(struct arena *arena, const struct json_types *types,
                           const ProtobufCMessage *message, size_t *size)
{
    char *text;
    return json_encode(arena, types, message, &text, size) ? text : NULL;
}

static void try_text(struct arena *arena, const struct json_types *types,
                     const ProtobufCMessageDescriptor *type, const char *text,
                     size_t size)
{
    struct json_error error;
    ProtobufCMessage *message, *again;
    if (!json_decode(arena, types, type, text, size, &message, &error)) {
        if (error.text[0] == '\0')
            give_up("refused without a word", "");
        return;
    }
    text = written(arena, types, message, &size);
    if (text == NULL)
        give_up("what was read is not written", "");
    if (!json_decode(arena, types, type, text, size, &again, &error))
        give_up(text, error.text);
    if (!codec_is_equal(arena, message, again))
        give_up(text, "is read as something else");
}

/* An Any's bytes begin a depth of their own, and may nest on when the text has
 * come to its limit. */
static bool is_too_deep(const struct json_error *error)
{
    return strstr(error->text, "deeper") != NULL ||
           strstr(error->text, "within more than") != NULL;
}

static void try_message(struct arena *arena, const struct json_types *types,
                        const ProtobufCMessageDescriptor *type,
                        const uint8_t *bytes, size_t size)
{
    struct codec_error codec_error;
    struct json_error error;
    ProtobufCMessage *again;
    ProtobufCMessage *message =
        codec_decode(arena, type, bytes, size, &codec_error);
    if (message == NULL)
        return;
    const char *text = written(arena, types, message, &size);
    if (text == NULL)
        return; /* JSON cannot say everything */
    if (!json_decode(arena, types, type, text, size, &again, &error)) {
        if (!is_too_deep(&error))
            give_up(text, error.text);
        return;
    }
    const char *same = written(arena, types, again, &size);
    if (same == NULL || strcmp(text, same) != 0)
        give_up(text, same == NULL ? "cannot be written again" : same);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct json_types *types;
    if (types == NULL)
        types = json_kit_types();
    if (size == 0)
        return 0;
    const ProtobufCMessageDescriptor *type =
        kinds[(bytes[0] & ~BINARY) % (sizeof kinds / sizeof kinds[0])];
    struct arena *arena = arena_create();
    if ((bytes[0] & BINARY) != 0)
        try_message(arena, types, type, bytes + 1, size - 1);
    else
        try_text(arena, types, type, (const char *)bytes + 1, size - 1);
    arena_destroy(arena);
    return 0;
}
