// SPDX-License-Identifier: Apache-2.0
// See gguf_writer.h. Metadata is collected in memory (it holds vocabularies, not weights); tensor
// data goes straight to the file.
#include "format/gguf_writer.h"

#include "base/atomic_file.h"
#include "base/buffer.h"
#include "base/bytes.h"
#include "format/gguf_parse.h"
#include "format/name_index.h"
#include "format/refuse.h"

#include <stdlib.h>
#include <string.h>

enum { VERSION = 3, NAME_BYTES_WRITE_MAX = 63 }; // other readers keep names in 64 bytes with a NUL

static const size_t METADATA_BYTES_MAX = (size_t)1 << 31;

struct entry {
    char *name;
    uint64_t size_bytes;
};

struct gguf_writer {
    char *path;
    struct atomic_file *file;
    struct buffer values, directory;
    struct name_index keys, names;
    struct key_copy *key_copies; // the index needs keys that stay
    struct entry *tensors;
    size_t n_values, n_tensors, tensors_capacity;
    uint64_t data_bytes;    // of all declared tensors, padded
    bool writing;           // begin_data was called
    size_t tensor_index;    // the current tensor while writing
    uint64_t written_bytes; // of the current tensor
    struct error failure;   // sticky
};

struct key_copy {
    struct key_copy *next;
    size_t size_bytes;
    char text[];
};

static void destroy(struct gguf_writer *writer) {
    for (size_t i = 0; i < writer->n_tensors; i++)
        free(writer->tensors[i].name);
    while (writer->key_copies) {
        struct key_copy *next = writer->key_copies->next;
        free(writer->key_copies);
        writer->key_copies = next;
    }
    free(writer->tensors);
    free(writer->path);
    buffer_deinit(&writer->values);
    buffer_deinit(&writer->directory);
    name_index_deinit(&writer->keys);
    name_index_deinit(&writer->names);
    free(writer);
}

enum status gguf_writer_create(struct gguf_writer **result, const char *path, struct error *err) {
    *result = NULL;
    struct gguf_writer *writer = calloc(1, sizeof *writer);
    if (!writer) return error_no_memory(err, "a GGUF writer", sizeof *writer);
    buffer_init(&writer->values, METADATA_BYTES_MAX);
    buffer_init(&writer->directory, METADATA_BYTES_MAX);
    name_index_init(&writer->keys);
    name_index_init(&writer->names);
    writer->path = strdup(path);
    enum status status = writer->path ? atomic_file_create(&writer->file, path, err)
                                      : error_no_memory(err, "a path", strlen(path));
    if (status != STATUS_OK)
        destroy(writer);
    else
        *result = writer;
    return status;
}

void gguf_writer_abort(struct gguf_writer *writer) {
    if (!writer) return;
    atomic_file_abort(writer->file);
    destroy(writer);
}

static void put_u32(struct buffer *buffer, uint32_t value) {
    buffer_append(buffer, &value, 4);
}

static void put_u64(struct buffer *buffer, uint64_t value) {
    buffer_append(buffer, &value, 8);
}

static void put_bytes(struct buffer *buffer, const char *data, uint64_t size_bytes) {
    put_u64(buffer, size_bytes);
    buffer_append(buffer, data, (size_t)size_bytes);
}

static bool failed(const struct gguf_writer *writer) {
    return writer->failure.status != STATUS_OK;
}

// Begins a key/value pair; false after an error.
static bool put_key(struct gguf_writer *writer, const char *key, size_t key_bytes,
                    enum gguf_type type) {
    if (failed(writer)) return false;
    struct error *failure = &writer->failure;
    if (writer->writing || key_bytes == 0 || key_bytes > GGUF_KEY_BYTES_MAX) {
        error_set(failure, STATUS_FAILED, "%s: key '%.*s' is %s", writer->path,
                  refuse_quote(key_bytes), key,
                  writer->writing ? "set after the data began" : "empty or too long");
        return false;
    }
    struct key_copy *copy = malloc(sizeof *copy + key_bytes);
    if (!copy) {
        error_no_memory(failure, "a metadata key", sizeof *copy + key_bytes);
        return false;
    }
    *copy = (struct key_copy){.next = writer->key_copies, .size_bytes = key_bytes};
    memcpy(copy->text, key, key_bytes);
    writer->key_copies = copy;
    enum name_result added = name_index_add(&writer->keys, copy->text, key_bytes, 0);
    if (added == NAME_NO_MEMORY) error_no_memory(failure, "metadata keys", key_bytes);
    if (added == NAME_EXISTS)
        error_set(failure, STATUS_FAILED, "%s: key '%.*s' is set twice", writer->path,
                  refuse_quote(key_bytes), key);
    put_bytes(&writer->values, key, key_bytes);
    put_u32(&writer->values, (uint32_t)type);
    writer->n_values++;
    return !failed(writer);
}

static void put_scalar(struct gguf_writer *writer, const char *key, enum gguf_type type,
                       const void *value) {
    if (put_key(writer, key, strlen(key), type))
        buffer_append(&writer->values, value, gguf_type_bytes(type));
}

void gguf_writer_u32(struct gguf_writer *writer, const char *key, uint32_t value) {
    put_scalar(writer, key, GGUF_U32, &value);
}

void gguf_writer_u64(struct gguf_writer *writer, const char *key, uint64_t value) {
    put_scalar(writer, key, GGUF_U64, &value);
}

void gguf_writer_f32(struct gguf_writer *writer, const char *key, float value) {
    put_scalar(writer, key, GGUF_F32, &value);
}

void gguf_writer_bool(struct gguf_writer *writer, const char *key, bool value) {
    uint8_t byte = value;
    put_scalar(writer, key, GGUF_BOOL, &byte);
}

void gguf_writer_text(struct gguf_writer *writer, const char *key, const char *text) {
    gguf_writer_bytes(writer, key, text, strlen(text));
}

void gguf_writer_bytes(struct gguf_writer *writer, const char *key, const char *data, size_t size) {
    if (put_key(writer, key, strlen(key), GGUF_STRING)) put_bytes(&writer->values, data, size);
}

static void put_strings(struct gguf_writer *writer, const struct gguf_string *items,
                        uint64_t n_items) {
    put_u32(&writer->values, GGUF_STRING);
    put_u64(&writer->values, n_items);
    for (uint64_t i = 0; i < n_items; i++)
        put_bytes(&writer->values, items[i].data, items[i].size_bytes);
}

void gguf_writer_strings(struct gguf_writer *writer, const char *key,
                         const struct gguf_string *items, uint64_t n_items) {
    if (put_key(writer, key, strlen(key), GGUF_ARRAY)) put_strings(writer, items, n_items);
}

static void put_array(struct gguf_writer *writer, enum gguf_type item_type, const void *payload,
                      uint64_t n_items) {
    uint64_t size_bytes;
    if (gguf_type_bytes(item_type) == 0 ||
        !size_multiply(n_items, gguf_type_bytes(item_type), &size_bytes)) {
        error_set(&writer->failure, STATUS_FAILED, "%s: an array of items of type %d", writer->path,
                  (int)item_type);
        return;
    }
    put_u32(&writer->values, (uint32_t)item_type);
    put_u64(&writer->values, n_items);
    buffer_append(&writer->values, payload, (size_t)size_bytes);
}

void gguf_writer_array(struct gguf_writer *writer, const char *key, enum gguf_type item_type,
                       const void *payload, uint64_t n_items) {
    if (put_key(writer, key, strlen(key), GGUF_ARRAY))
        put_array(writer, item_type, payload, n_items);
}

static bool describes_the_file(const struct gguf_string *key) {
    static const char alignment[] = "general.alignment", split[] = "split.";
    if (key->size_bytes == sizeof alignment - 1 &&
        memcmp(key->data, alignment, sizeof alignment - 1) == 0)
        return true;
    return key->size_bytes >= sizeof split - 1 && memcmp(key->data, split, sizeof split - 1) == 0;
}

void gguf_writer_copy(struct gguf_writer *writer, const struct gguf_value *value) {
    if (describes_the_file(&value->key)) return;
    if (!put_key(writer, value->key.data, value->key.size_bytes, value->type)) return;
    if (value->type == GGUF_STRING)
        put_bytes(&writer->values, (const char *)value->data, value->size_bytes);
    else if (value->type != GGUF_ARRAY)
        buffer_append(&writer->values, value->data, gguf_type_bytes(value->type));
    else if (value->item_type == GGUF_STRING)
        put_strings(writer, value->strings, value->n_items);
    else
        put_array(writer, value->item_type, value->data, value->n_items);
}

static uint64_t padding(uint64_t size_bytes) {
    return (GGUF_ALIGNMENT_DEFAULT - size_bytes % GGUF_ALIGNMENT_DEFAULT) % GGUF_ALIGNMENT_DEFAULT;
}

static enum status check_declaration(struct gguf_writer *writer, const char *name, enum dtype dtype,
                                     int n_dims, const uint64_t *dims, uint64_t *size_bytes,
                                     struct error *err) {
    size_t name_bytes = strlen(name);
    if (writer->writing || name_bytes == 0 || name_bytes > NAME_BYTES_WRITE_MAX)
        return error_set(err, STATUS_FAILED,
                         "%s: tensor '%s' is declared too late or its name is "
                         "not of 1 to %d bytes",
                         writer->path, name, NAME_BYTES_WRITE_MAX);
    const struct dtype_info *info = dtype_info((uint32_t)dtype);
    uint64_t n_elements = 1, total;
    bool fits = info->name && n_dims >= 1 && n_dims <= GGUF_DIMS_MAX &&
                dims[0] % (uint64_t)info->block_elements == 0;
    for (int i = 0; fits && i < n_dims; i++)
        fits = size_multiply(n_elements, dims[i], &n_elements) && n_elements <= INT64_MAX;
    if (!fits || !dtype_size_bytes(dtype, n_elements, size_bytes) ||
        !size_add(writer->data_bytes, *size_bytes, &total) || total > INT64_MAX)
        return error_set(err, STATUS_FAILED,
                         "%s: tensor '%s' cannot have type %s and these "
                         "dimensions",
                         writer->path, name, info->name ? info->name : "unknown");
    return STATUS_OK;
}

static enum status add_entry(struct gguf_writer *writer, const char *name, uint64_t size_bytes,
                             struct error *err) {
    if (writer->n_tensors == writer->tensors_capacity) {
        size_t capacity = writer->tensors_capacity ? 2 * writer->tensors_capacity : 64;
        struct entry *tensors = realloc(writer->tensors, capacity * sizeof *tensors);
        if (!tensors) return error_no_memory(err, "tensor entries", capacity * sizeof *tensors);
        writer->tensors = tensors;
        writer->tensors_capacity = capacity;
    }
    char *copy = strdup(name);
    if (!copy) return error_no_memory(err, "a tensor name", strlen(name) + 1);
    enum name_result added = name_index_add(&writer->names, copy, strlen(copy), writer->n_tensors);
    if (added != NAME_ADDED) {
        free(copy);
        if (added == NAME_NO_MEMORY) return error_no_memory(err, "tensor names", 0);
        return error_set(err, STATUS_FAILED, "%s: tensor '%s' is declared twice", writer->path,
                         name);
    }
    writer->tensors[writer->n_tensors++] = (struct entry){copy, size_bytes};
    return STATUS_OK;
}

enum status gguf_writer_declare(struct gguf_writer *writer, const char *name, enum dtype dtype,
                                int n_dims, const uint64_t *dims, struct error *err) {
    uint64_t size_bytes;
    TRY(check_declaration(writer, name, dtype, n_dims, dims, &size_bytes, err));
    TRY(add_entry(writer, name, size_bytes, err));
    struct buffer *directory = &writer->directory;
    put_bytes(directory, name, strlen(name));
    put_u32(directory, (uint32_t)n_dims);
    for (int i = 0; i < n_dims; i++)
        put_u64(directory, dims[i]);
    put_u32(directory, (uint32_t)dtype);
    put_u64(directory, writer->data_bytes);
    writer->data_bytes += size_bytes + padding(size_bytes);
    if (directory->status != STATUS_OK)
        return error_no_memory(err, "the tensor directory", directory->size_bytes);
    return STATUS_OK;
}

static enum status pad(struct gguf_writer *writer, struct error *err) {
    static const uint8_t zeros[GGUF_ALIGNMENT_DEFAULT];
    return atomic_file_write(writer->file, zeros, (size_t)padding(atomic_file_offset(writer->file)),
                             err);
}

enum status gguf_writer_begin_data(struct gguf_writer *writer, struct error *err) {
    if (failed(writer))
        return error_set(err, writer->failure.status, "%s", writer->failure.message);
    if (writer->writing)
        return error_set(err, STATUS_FAILED, "%s: the data began already", writer->path);
    if (writer->values.status != STATUS_OK)
        return error_no_memory(err, "metadata", writer->values.size_bytes);
    uint8_t header[24] = {'G', 'G', 'U', 'F', VERSION};
    uint64_t counts[2] = {writer->n_tensors, writer->n_values};
    memcpy(header + 8, counts, sizeof counts);
    TRY(atomic_file_write(writer->file, header, sizeof header, err));
    TRY(atomic_file_write(writer->file, writer->values.data, writer->values.size_bytes, err));
    TRY(atomic_file_write(writer->file, writer->directory.data, writer->directory.size_bytes, err));
    writer->writing = true;
    return pad(writer, err);
}

enum status gguf_writer_data(struct gguf_writer *writer, const void *data, size_t size_bytes,
                             struct error *err) {
    if (!writer->writing || writer->tensor_index >= writer->n_tensors)
        return error_set(err, STATUS_FAILED, "%s: data without a declared tensor", writer->path);
    const struct entry *tensor = &writer->tensors[writer->tensor_index];
    if (size_bytes > tensor->size_bytes - writer->written_bytes)
        return error_set(err, STATUS_FAILED, "%s: too much data for tensor '%s' (%llu bytes)",
                         writer->path, tensor->name, (unsigned long long)tensor->size_bytes);
    TRY(atomic_file_write(writer->file, data, size_bytes, err));
    writer->written_bytes += size_bytes;
    return STATUS_OK;
}

enum status gguf_writer_end_tensor(struct gguf_writer *writer, struct error *err) {
    if (!writer->writing || writer->tensor_index >= writer->n_tensors)
        return error_set(err, STATUS_FAILED, "%s: no tensor to end", writer->path);
    const struct entry *tensor = &writer->tensors[writer->tensor_index];
    if (writer->written_bytes != tensor->size_bytes)
        return error_set(err, STATUS_FAILED, "%s: tensor '%s' got %llu of %llu bytes", writer->path,
                         tensor->name, (unsigned long long)writer->written_bytes,
                         (unsigned long long)tensor->size_bytes);
    writer->tensor_index++;
    writer->written_bytes = 0;
    return pad(writer, err);
}

enum status gguf_writer_commit(struct gguf_writer *writer, struct error *err) {
    if (!writer->writing || writer->tensor_index != writer->n_tensors) {
        enum status status = error_set(err, STATUS_FAILED, "%s: %zu of %zu tensors were written",
                                       writer->path, writer->tensor_index, writer->n_tensors);
        gguf_writer_abort(writer);
        return status;
    }
    enum status status = atomic_file_commit(writer->file, err);
    destroy(writer);
    return status;
}
