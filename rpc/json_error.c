/* Where in the message and where in the text something is wrong: found out
 * when something is, by the frames and by counting lines. */
#include "rpc/json_reader.h"
#include "rpc/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 128, KEY_SHOWN_BYTES = 32 };

struct path {
    char text[PATH_BYTES];
    size_t size;
};

static void append(struct path *path, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append(struct path *path, const char *format, ...)
{
    va_list args;
    size_t room = sizeof path->text - path->size;
    va_start(args, format);
    int size = vsnprintf(path->text + path->size, room, format, args);
    va_end(args);
    path->size += (size_t)size < room ? (size_t)size : room - 1;
}

/* The key as it stands in the text, so that it stays on one line. */
static void append_key(struct path *path, const struct json_string *key)
{
    size_t size = key->size;
    const char *rest = "";
    if (size > KEY_SHOWN_BYTES) {
        size = utf8_cut(key->raw, KEY_SHOWN_BYTES);
        rest = "...";
    }
    append(path, "[\"%.*s%s\"]", (int)size, key->raw, rest);
}

static void append_field(struct path *path, const struct json_frame *frame)
{
    if (frame->field == JSON_NO_FIELD)
        return;
    const struct json_field *field = &frame->table->fields[frame->field];
    append(path, "%s%.*s", path->size == 0 ? "" : ".", field->label_size - 3,
           field->label + 1);
}

static void append_frame(struct path *path, const struct json_frame *frame)
{
    const field_type *field = frame->table->type->fields;
    switch (frame->kind) {
    case JSON_FRAME_OBJECT:
        append_field(path, frame);
        return;
    case JSON_FRAME_LIST:
        field += frame->field;
        if (!frame->is_new)
            append(path, "[%zu]", *json_count_of(frame->message, field) - 1);
        return;
    case JSON_FRAME_MAP:
        if (!frame->is_new)
            append_key(path, &frame->key);
        return;
    case JSON_FRAME_ANY_VALUE:
        if (frame->has_value)
            append(path, "%svalue", path->size == 0 ? "" : ".");
    }
}

static void find_place(const char *start, const char *at, size_t *line,
                       size_t *column)
{
    const char *line_start = start;
    *line = 1;
    for (const char *c = start; c < at; c++)
        if (*c == '\n') {
            ++*line;
            line_start = c + 1;
        }
    *column = utf8_length(line_start, (size_t)(at - line_start)) + 1;
}

bool json_fail(struct json_reader *r, const char *at, const char *format, ...)
{
    char sentence[128];
    struct path path = {.size = 0};
    size_t line, column;
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    path.text[0] = '\0';
    for (struct json_frame *f = r->first; f != NULL && r->top != NULL;
         f = f->inner) {
        append_frame(&path, f);
        if (f == r->top)
            break;
    }
    find_place(r->start, at, &line, &column);
    snprintf(r->error->text, sizeof r->error->text,
             "%s%s%s (line %zu, column %zu)", path.text,
             path.text[0] == '\0' ? "" : ": ", sentence, line, column);
    return false;
}

bool json_fail_scan(struct json_reader *r)
{
    return json_fail(r, r->scan.at, "%s", r->scan.problem);
}
