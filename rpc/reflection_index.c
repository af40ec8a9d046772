/* The index behind server reflection: names to files, read from the serialized
 * descriptors that the generator embedded.  They are ours, not a stranger's,
 * and are read as a tree of (field number, bytes); what is wrong with them is
 * an assert. */
#include "rpc/reflection.h"

#include "rpc/arena.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct symbol {
    const char *name;
    const struct reflection_file *file;
};

struct extension {
    const char *message; /* full name, without the leading dot */
    int32_t number;
    const struct reflection_file *file;
};

struct reflection {
    struct arena *arena;
    struct reflection_file *files; /* each once, imports before importers */
    size_t file_count;
    struct symbol *symbols; /* sorted by name */
    size_t symbol_count;
    struct extension *extensions;
    size_t extension_count;
    const char **services; /* sorted */
    size_t service_count;
};

/* Field numbers of descriptor.proto. */
enum { SET_FILE = 1 };
enum {
    FILE_NAME = 1,
    FILE_PACKAGE = 2,
    FILE_DEPENDENCY = 3,
    FILE_MESSAGE = 4,
    FILE_ENUM = 5,
    FILE_SERVICE = 6,
    FILE_EXTENSION = 7,
};
enum {
    MESSAGE_FIELD = 2,
    MESSAGE_NESTED = 3,
    MESSAGE_ENUM = 4,
    MESSAGE_EXTENSION = 6,
    MESSAGE_ONEOF = 8,
};
enum { ANY_NAME = 1, FIELD_EXTENDEE = 2, FIELD_NUMBER = 3 };
enum { ENUM_VALUE = 2, SERVICE_METHOD = 2 };

/* Reading */

struct reader {
    const uint8_t *at;
    const uint8_t *end;
};

struct record {
    uint32_t field;
    uint64_t number; /* of a varint */
    struct reader content;
};

static uint64_t read_varint(struct reader *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        assert(in->at < in->end);
        uint8_t byte = *in->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    abort();
}

static bool next_record(struct reader *in, struct record *record)
{
    if (in->at == in->end)
        return false;
    uint64_t tag = read_varint(in);
    *record = (struct record){.field = (uint32_t)(tag >> 3)};
    size_t size = (tag & 7) == 1 ? 8 : 4;
    if ((tag & 7) == 0) {
        record->number = read_varint(in);
        return true;
    }
    if ((tag & 7) == 2)
        size = (size_t)read_varint(in);
    assert(size <= (size_t)(in->end - in->at));
    record->content = (struct reader){in->at, in->at + size};
    in->at += size;
    return true;
}

/* The last record of a field; empty when there is none. */
static struct reader find(struct reader in, uint32_t field)
{
    struct reader found = {NULL, NULL};
    struct record record;
    while (next_record(&in, &record))
        if (record.field == field)
            found = record.content;
    return found;
}

static uint64_t find_number(struct reader in, uint32_t field)
{
    uint64_t found = 0;
    struct record record;
    while (next_record(&in, &record))
        if (record.field == field)
            found = record.number;
    return found;
}

static const char *text(struct arena *arena, struct reader content)
{
    return content.at == NULL
               ? ""
               : arena_strndup(arena, (const char *)content.at,
                               (size_t)(content.end - content.at));
}

/* Filling: the same walk counts first and stores second. */

struct walk {
    struct reflection *index;
    const struct reflection_file *file;
    bool store;
};

static void add_symbol(struct walk *walk, const char *name)
{
    struct reflection *index = walk->index;
    if (walk->store)
        index->symbols[index->symbol_count] = (struct symbol){name, walk->file};
    index->symbol_count++;
}

static const char *full_name(struct walk *walk, const char *scope,
                             struct reader item)
{
    const char *name = text(walk->index->arena, find(item, ANY_NAME));
    if (scope[0] == '\0')
        return name;
    return arena_printf(walk->index->arena, "%s.%s", scope, name);
}

static const char *add_named(struct walk *walk, const char *scope,
                             struct reader item)
{
    const char *name = full_name(walk, scope, item);
    add_symbol(walk, name);
    return name;
}

/* Values are siblings of their enum, as in C. */
static void add_enum(struct walk *walk, const char *scope, struct reader item)
{
    add_named(walk, scope, item);
    struct record record;
    while (next_record(&item, &record))
        if (record.field == ENUM_VALUE)
            add_named(walk, scope, record.content);
}

static void add_service(struct walk *walk, const char *scope,
                        struct reader item)
{
    const char *name = add_named(walk, scope, item);
    struct record record;
    while (next_record(&item, &record))
        if (record.field == SERVICE_METHOD)
            add_named(walk, name, record.content);
}

static void add_extension(struct walk *walk, const char *scope,
                          struct reader item)
{
    struct reflection *index = walk->index;
    add_named(walk, scope, item);
    const char *message = text(index->arena, find(item, FIELD_EXTENDEE));
    assert(message[0] == '.');
    if (walk->store)
        index->extensions[index->extension_count] = (struct extension){
            message + 1, (int32_t)find_number(item, FIELD_NUMBER), walk->file};
    index->extension_count++;
}

/* As deep as messages are nested in our own .proto files. */
static void add_message(struct walk *walk, const char *scope,
                        struct reader item)
{
    const char *name = add_named(walk, scope, item);
    struct record record;
    while (next_record(&item, &record)) {
        if (record.field == MESSAGE_FIELD || record.field == MESSAGE_ONEOF)
            add_named(walk, name, record.content);
        else if (record.field == MESSAGE_NESTED)
            add_message(walk, name, record.content);
        else if (record.field == MESSAGE_ENUM)
            add_enum(walk, name, record.content);
        else if (record.field == MESSAGE_EXTENSION)
            add_extension(walk, name, record.content);
    }
}

static void add_file(struct walk *walk, const struct reflection_file *file)
{
    struct reader in = {file->bytes, file->bytes + file->size};
    const char *package = text(walk->index->arena, find(in, FILE_PACKAGE));
    walk->file = file;
    struct record record;
    while (next_record(&in, &record)) {
        if (record.field == FILE_MESSAGE)
            add_message(walk, package, record.content);
        else if (record.field == FILE_ENUM)
            add_enum(walk, package, record.content);
        else if (record.field == FILE_SERVICE)
            add_service(walk, package, record.content);
        else if (record.field == FILE_EXTENSION)
            add_extension(walk, package, record.content);
    }
}

static void walk_all(struct reflection *index, bool store)
{
    struct walk walk = {index, NULL, store};
    index->symbol_count = 0;
    index->extension_count = 0;
    for (size_t i = 0; i < index->file_count; i++)
        add_file(&walk, &index->files[i]);
}

/* Files */

static struct reflection_file *file_named(const struct reflection *index,
                                          const char *name)
{
    for (size_t i = 0; i < index->file_count; i++)
        if (strcmp(index->files[i].name, name) == 0)
            return &index->files[i];
    return NULL;
}

static struct reader descriptors_of(const struct rpc_registry *registry)
{
    return (struct reader){registry->descriptors,
                           registry->descriptors + registry->descriptors_bytes};
}

static void collect_files(struct reflection *index,
                          const struct rpc_registry *const *registries)
{
    struct record record;
    size_t most = 0;
    for (size_t i = 0; registries[i] != NULL; i++)
        for (struct reader in = descriptors_of(registries[i]);
             next_record(&in, &record);)
            most++;
    index->files = arena_array(index->arena, most, sizeof *index->files);
    for (size_t i = 0; registries[i] != NULL; i++) {
        struct reader in = descriptors_of(registries[i]);
        while (next_record(&in, &record)) {
            assert(record.field == SET_FILE);
            struct reader file = record.content;
            const char *name = text(index->arena, find(file, FILE_NAME));
            if (file_named(index, name) == NULL)
                index->files[index->file_count++] = (struct reflection_file){
                    name, file.at, (size_t)(file.end - file.at), 0, NULL};
        }
    }
}

static void link_imports(struct reflection *index)
{
    for (size_t i = 0; i < index->file_count; i++) {
        struct reflection_file *file = &index->files[i];
        struct reader in = {file->bytes, file->bytes + file->size};
        file->imports =
            arena_array(index->arena, index->file_count, sizeof *file->imports);
        struct record record;
        while (next_record(&in, &record)) {
            if (record.field != FILE_DEPENDENCY)
                continue;
            const char *name = text(index->arena, record.content);
            file->imports[file->import_count] = file_named(index, name);
            assert(file->imports[file->import_count] != NULL);
            file->import_count++;
        }
    }
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void collect_services(struct reflection *index,
                             const struct rpc_registry *const *registries)
{
    size_t most = 0;
    for (size_t i = 0; registries[i] != NULL; i++)
        most += registries[i]->service_count;
    index->services = arena_array(index->arena, most, sizeof *index->services);
    for (size_t i = 0; registries[i] != NULL; i++)
        for (size_t j = 0; j < registries[i]->service_count; j++)
            index->services[index->service_count++] =
                registries[i]->services[j]->name;
    qsort(index->services, index->service_count, sizeof *index->services,
          compare_text);
}

static int compare_symbol(const void *a, const void *b)
{
    return strcmp(((const struct symbol *)a)->name,
                  ((const struct symbol *)b)->name);
}

struct reflection *reflection_create(
    const struct rpc_registry *const *registries)
{
    struct reflection *index = calloc(1, sizeof *index);
    if (index == NULL)
        abort();
    index->arena = arena_create();
    collect_files(index, registries);
    link_imports(index);
    collect_services(index, registries);
    walk_all(index, false);
    index->symbols =
        arena_array(index->arena, index->symbol_count, sizeof *index->symbols);
    index->extensions = arena_array(index->arena, index->extension_count,
                                    sizeof *index->extensions);
    walk_all(index, true);
    qsort(index->symbols, index->symbol_count, sizeof *index->symbols,
          compare_symbol);
    return index;
}

void reflection_destroy(struct reflection *index)
{
    if (index == NULL)
        return;
    arena_destroy(index->arena);
    free(index);
}

const struct reflection_file *reflection_file_named(
    const struct reflection *index, const char *name)
{
    return file_named(index, name);
}

const struct reflection_file *reflection_file_with(
    const struct reflection *index, const char *symbol)
{
    struct symbol key = {.name = symbol};
    const struct symbol *found =
        bsearch(&key, index->symbols, index->symbol_count,
                sizeof *index->symbols, compare_symbol);
    return found == NULL ? NULL : found->file;
}

const struct reflection_file *reflection_file_extending(
    const struct reflection *index, const char *message, int32_t number)
{
    for (size_t i = 0; i < index->extension_count; i++)
        if (index->extensions[i].number == number &&
            strcmp(index->extensions[i].message, message) == 0)
            return index->extensions[i].file;
    return NULL;
}

size_t reflection_extension_numbers(const struct reflection *index,
                                    const char *message, int32_t *numbers,
                                    size_t room)
{
    size_t count = 0;
    for (size_t i = 0; i < index->extension_count; i++) {
        if (strcmp(index->extensions[i].message, message) != 0)
            continue;
        if (count < room)
            numbers[count] = index->extensions[i].number;
        count++;
    }
    return count;
}

const char *const *reflection_services(const struct reflection *index,
                                       size_t *count)
{
    *count = index->service_count;
    return index->services;
}

size_t reflection_file_count(const struct reflection *index)
{
    return index->file_count;
}
