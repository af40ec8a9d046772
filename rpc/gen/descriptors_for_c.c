/* Makes a copy of a FileDescriptorSet that protoc-c can work with:
 *
 *     descriptors_for_c all.fds > c.fds
 *
 * protoc-c refuses a field marked proto3_optional.  Without the mark the field
 * is the only member of the oneof that protoc made for it, which has the same
 * bytes on the wire, and the C struct tells by `_name_case` whether it is
 * there.  The C options that every file needs are set here, so that no .proto
 * has to import anything for the sake of C; services, extensions and the
 * imports that only those needed are left out, because nothing uses what
 * protoc-c would make of them. */
#include "rpc/gen/read_all.h"

#include <google/protobuf/descriptor.pb-c.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef Google__Protobuf__FileDescriptorSet file_set;
typedef Google__Protobuf__FileDescriptorProto file;
typedef Google__Protobuf__DescriptorProto message;
typedef Google__Protobuf__FieldDescriptorProto field;

/* FileOptions extension 1019 (pb_c_file), as length and content:
 * gen_pack_helpers = false, const_strings = true and, for our own packages,
 * c_package = "pb". */
static uint8_t file_options[] = {4, 0x10, 0, 0x20, 1};
static uint8_t own_file_options[] = {8, 0x10, 0, 0x20, 1, 0x32, 2, 'p', 'b'};
enum { PB_C_FILE = 1019 };

/* prbal.bench has names that prbal.v1 has too: in C they keep their package. */
static bool is_own(const file *f)
{
    return strcmp(f->package, "prbal") == 0 ||
           (strncmp(f->package, "prbal.", 6) == 0 &&
            strcmp(f->package, "prbal.bench") != 0);
}

/* protoc-c's own initialisers name deprecated fields, of which clang warns in
 * whoever uses them. */
static void clear_marks(message *m)
{
    for (size_t i = 0; i < m->n_field; i++) {
        m->field[i]->has_proto3_optional = false;
        if (m->field[i]->options != NULL)
            m->field[i]->options->has_deprecated = false;
    }
    for (size_t i = 0; i < m->n_nested_type; i++)
        clear_marks(m->nested_type[i]);
    m->n_extension = 0;
}

/* True for ".pkg.Name" and for ".pkg.Name.Nested". */
static bool names_type(const char *type_name, const file *f, const char *name)
{
    size_t package = strlen(f->package);
    size_t length = strlen(name);
    if (strncmp(type_name + 1, f->package, package) != 0 ||
        type_name[1 + package] != '.' ||
        strncmp(type_name + 2 + package, name, length) != 0)
        return false;
    char after = type_name[2 + package + length];
    return after == '\0' || after == '.';
}

static bool type_is_from(const char *type_name, const file *f)
{
    for (size_t i = 0; i < f->n_message_type; i++)
        if (names_type(type_name, f, f->message_type[i]->name))
            return true;
    for (size_t i = 0; i < f->n_enum_type; i++)
        if (names_type(type_name, f, f->enum_type[i]->name))
            return true;
    return false;
}

static bool message_uses(const message *m, const file *f)
{
    for (size_t i = 0; i < m->n_field; i++)
        if (m->field[i]->type_name != NULL &&
            type_is_from(m->field[i]->type_name, f))
            return true;
    for (size_t i = 0; i < m->n_nested_type; i++)
        if (message_uses(m->nested_type[i], f))
            return true;
    return false;
}

static bool file_uses(const file *f, const file *import)
{
    for (size_t i = 0; i < f->n_message_type; i++)
        if (message_uses(f->message_type[i], import))
            return true;
    return false;
}

static const file *file_named(const file_set *set, const char *name)
{
    for (size_t i = 0; i < set->n_file; i++)
        if (strcmp(set->file[i]->name, name) == 0)
            return set->file[i];
    return NULL;
}

/* A file that passes imports on keeps all of them. */
static void drop_unused_imports(const file_set *set, file *f)
{
    if (f->n_public_dependency > 0)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < f->n_dependency; i++) {
        const file *import = file_named(set, f->dependency[i]);
        if (import == NULL || file_uses(f, import))
            f->dependency[kept++] = f->dependency[i];
        else
            free(f->dependency[i]);
    }
    f->n_dependency = kept;
}

static void set_c_options(file *f)
{
    static ProtobufCMessageUnknownField own = {
        PB_C_FILE, PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
        sizeof own_file_options, own_file_options};
    static ProtobufCMessageUnknownField other = {
        PB_C_FILE, PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, sizeof file_options,
        file_options};
    static Google__Protobuf__FileOptions own_options, other_options;

    google__protobuf__file_options__init(&own_options);
    own_options.base.n_unknown_fields = 1;
    own_options.base.unknown_fields = &own;
    google__protobuf__file_options__init(&other_options);
    other_options.base.n_unknown_fields = 1;
    other_options.base.unknown_fields = &other;

    if (f->options != NULL)
        google__protobuf__file_options__free_unpacked(f->options, NULL);
    f->options = is_own(f) ? &own_options : &other_options;
}

/* The counts are what the packer goes by; what lies behind is not freed, which
 * the end of the process does. */
static void prepare(const file_set *set, file *f)
{
    for (size_t i = 0; i < f->n_message_type; i++)
        clear_marks(f->message_type[i]);
    f->n_service = 0;
    f->n_extension = 0;
    drop_unused_imports(set, f);
    set_c_options(f);
}

static int write_set(const file_set *set)
{
    size_t size = google__protobuf__file_descriptor_set__get_packed_size(set);
    uint8_t *bytes = malloc(size);
    if (bytes == NULL)
        return EXIT_FAILURE;
    google__protobuf__file_descriptor_set__pack(set, bytes);
    bool ok = fwrite(bytes, 1, size, stdout) == size && fflush(stdout) == 0;
    free(bytes);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: descriptors_for_c FILE > FILE\n");
        return 2;
    }
    FILE *in = fopen(argv[1], "rb");
    size_t size = 0;
    uint8_t *bytes = in == NULL ? NULL : read_all(in, &size);
    file_set *set =
        bytes == NULL
            ? NULL
            : google__protobuf__file_descriptor_set__unpack(NULL, size, bytes);
    if (set == NULL) {
        fprintf(stderr, "descriptors_for_c: cannot read %s\n", argv[1]);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < set->n_file; i++)
        prepare(set, set->file[i]);
    return write_set(set);
}
