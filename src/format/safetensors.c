// SPDX-License-Identifier: Apache-2.0
// See safetensors.h. Layout: u64 header size, JSON header, data. The header's rules (Hugging Face's
// format description): offsets count from the data's begin, ranges neither overlap nor leave holes
// and end where the file ends.
#include "format/safetensors.h"

#include "base/bytes.h"
#include "base/mapped_file.h"
#include "format/json_file.h"
#include "format/refuse.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER_BYTES_MAX = 32 << 20, NAME_BYTES_MAX = 1024 };

struct safetensors {
    struct mapped_file mapping;
    char *label;
    const uint8_t *data;
    size_t size_bytes, begin_bytes; // begin: of the tensor data
    struct checkpoint_tensor *tensors;
    size_t n_tensors;
};

struct named_dtype {
    const char *name;
    enum dtype dtype;
};

// Unsigned and boolean types appear as the signed type of the same width, bits unchanged.
static const struct named_dtype named_dtypes[] = {
    {"F32", DTYPE_F32}, {"F16", DTYPE_F16}, {"BF16", DTYPE_BF16}, {"F64", DTYPE_F64},
    {"I64", DTYPE_I64}, {"I32", DTYPE_I32}, {"I16", DTYPE_I16},   {"I8", DTYPE_I8},
    {"U64", DTYPE_I64}, {"U32", DTYPE_I32}, {"U16", DTYPE_I16},   {"U8", DTYPE_I8},
    {"BOOL", DTYPE_I8},
};

enum { HEADER_AT = 8 }; // where the JSON begins

void safetensors_close(struct safetensors *file) {
    if (!file) return;
    for (size_t i = 0; i < file->n_tensors; i++)
        free((void *)file->tensors[i].name);
    free(file->tensors);
    mapped_file_close(&file->mapping);
    free(file->label);
    free(file);
}

static enum status refuse_tensor(const struct safetensors *file, enum status status,
                                 const char *name, const char *what, struct error *err) {
    return refuse_at(err, status, file->label, HEADER_AT, "tensor '%.*s': %s",
                     refuse_quote(strlen(name)), name, what);
}

static enum status check_metadata(const struct safetensors *file, json_t *metadata,
                                  struct error *err) {
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return refuse_at(err, STATUS_BAD_INPUT, file->label, HEADER_AT,
                         "__metadata__ is not an object");
    json_object_foreach(metadata, key, value) {
        if (!json_is_string(value))
            return refuse_at(err, STATUS_BAD_INPUT, file->label, HEADER_AT,
                             "__metadata__ entry '%.*s' is not text", refuse_quote(strlen(key)),
                             key);
    }
    return STATUS_OK;
}

static enum status set_dtype(const struct safetensors *file, struct checkpoint_tensor *tensor,
                             const json_t *info, struct error *err) {
    const char *name = json_get_text(info, "dtype");
    if (!name) return refuse_tensor(file, STATUS_BAD_INPUT, tensor->name, "dtype is no text", err);
    for (size_t i = 0; i < sizeof named_dtypes / sizeof *named_dtypes; i++) {
        if (strcmp(name, named_dtypes[i].name) != 0) continue;
        tensor->dtype = named_dtypes[i].dtype;
        return STATUS_OK;
    }
    return refuse_at(err, STATUS_UNSUPPORTED, file->label, HEADER_AT,
                     "tensor '%.*s' has dtype '%.*s', which is unknown",
                     refuse_quote(strlen(tensor->name)), tensor->name, refuse_quote(strlen(name)),
                     name);
}

static enum status set_shape(const struct safetensors *file, struct checkpoint_tensor *tensor,
                             const json_t *info, struct error *err) {
    const json_t *shape = json_object_get(info, "shape");
    if (!json_is_array(shape))
        return refuse_tensor(file, STATUS_BAD_INPUT, tensor->name, "shape is no list", err);
    if (json_array_size(shape) > CHECKPOINT_DIMS_MAX)
        return refuse_tensor(file, STATUS_UNSUPPORTED, tensor->name,
                             "shape has more than 4 dimensions", err);
    uint64_t n_elements = 1, product = 1;
    tensor->n_dims = (int)json_array_size(shape);
    for (size_t i = 0; i < json_array_size(shape); i++) {
        const json_t *item = json_array_get(shape, i);
        json_int_t size = json_is_integer(item) ? json_integer_value(item) : -1;
        tensor->shape[i] = (uint64_t)size;
        // `product` skips zeros, so that no part of the shape may overflow.
        if (size < 0 || !size_multiply(product, size ? (uint64_t)size : 1, &product) ||
            product > INT64_MAX)
            return refuse_tensor(file, STATUS_BAD_INPUT, tensor->name,
                                 "shape has a size that is no number, negative or too large", err);
        n_elements *= (uint64_t)size;
    }
    tensor->n_elements = n_elements;
    if (!dtype_size_bytes(tensor->dtype, n_elements, &tensor->size_bytes))
        return refuse_tensor(file, STATUS_BAD_INPUT, tensor->name, "shape overflows", err);
    return STATUS_OK;
}

static enum status set_place(const struct safetensors *file, struct checkpoint_tensor *tensor,
                             const json_t *info, struct error *err) {
    const json_t *offsets = json_object_get(info, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *second = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(second) ||
        json_integer_value(first) < 0)
        return refuse_tensor(file, STATUS_BAD_INPUT, tensor->name,
                             "data_offsets is not a list of two numbers", err);
    json_int_t begin = json_integer_value(first), end = json_integer_value(second);
    size_t available = file->size_bytes - file->begin_bytes;
    if (end < begin || (uint64_t)end > available)
        return refuse_at(err, STATUS_BAD_INPUT, file->label, HEADER_AT,
                         "tensor '%.*s': data_offsets [%lld, %lld] reach outside the %zu bytes of "
                         "data; the file is damaged or truncated",
                         refuse_quote(strlen(tensor->name)), tensor->name, (long long)begin,
                         (long long)end, available);
    if ((uint64_t)(end - begin) != tensor->size_bytes)
        return refuse_at(err, STATUS_BAD_INPUT, file->label, HEADER_AT,
                         "tensor '%.*s': data_offsets span %lld bytes, dtype and shape need %llu",
                         refuse_quote(strlen(tensor->name)), tensor->name, (long long)(end - begin),
                         (unsigned long long)tensor->size_bytes);
    tensor->data = file->data + file->begin_bytes + (size_t)begin;
    return STATUS_OK;
}

static enum status add_tensor(struct safetensors *file, const char *name, const json_t *info,
                              struct error *err) {
    if (!*name || strlen(name) > NAME_BYTES_MAX)
        return refuse_tensor(file, STATUS_BAD_INPUT, name, "the name is empty or too long", err);
    if (!json_is_object(info) || json_object_size(info) != 3)
        return refuse_tensor(file, STATUS_BAD_INPUT, name,
                             "expected an object of dtype, shape and data_offsets", err);
    struct checkpoint_tensor *tensor = &file->tensors[file->n_tensors];
    tensor->name = strdup(name);
    if (!tensor->name) return error_no_memory(err, "a tensor name", strlen(name) + 1);
    file->n_tensors++;
    TRY(set_dtype(file, tensor, info, err));
    TRY(set_shape(file, tensor, info, err));
    return set_place(file, tensor, info, err);
}

static int compare_places(const void *a, const void *b) {
    const struct checkpoint_tensor *const *left = a, *const *right = b;
    if ((*left)->data != (*right)->data) return (*left)->data < (*right)->data ? -1 : 1;
    return (*left)->size_bytes < (*right)->size_bytes ? -1
                                                      : (*left)->size_bytes > (*right)->size_bytes;
}

// Sorted by place, each tensor must begin where the one before it ends.
static enum status check_places(const struct safetensors *file, struct error *err) {
    size_t bytes = (file->n_tensors ? file->n_tensors : 1) * sizeof(struct checkpoint_tensor *);
    const struct checkpoint_tensor **order = malloc(bytes);
    if (!order) return error_no_memory(err, "tensor places", bytes);
    for (size_t i = 0; i < file->n_tensors; i++)
        order[i] = &file->tensors[i];
    qsort(order, file->n_tensors, sizeof *order, compare_places);
    const uint8_t *expected = file->data + file->begin_bytes;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < file->n_tensors && status == STATUS_OK; i++) {
        if (order[i]->data != expected)
            status = refuse_at(
                err, STATUS_BAD_INPUT, file->label, (uint64_t)(order[i]->data - file->data),
                "tensor '%.*s': data_offsets %s", refuse_quote(strlen(order[i]->name)),
                order[i]->name,
                order[i]->data < expected ? "overlap another tensor" : "leave a hole before it");
        expected = order[i]->data + order[i]->size_bytes;
    }
    free(order);
    if (status == STATUS_OK && expected != file->data + file->size_bytes)
        status = refuse_at(err, STATUS_BAD_INPUT, file->label, (uint64_t)(expected - file->data),
                           "bytes that no tensor's data_offsets cover");
    return status;
}

static enum status parse_tensors(struct safetensors *file, json_t *header, struct error *err) {
    size_t n = json_object_size(header);
    file->tensors = calloc(n ? n : 1, sizeof *file->tensors);
    if (!file->tensors) return error_no_memory(err, "tensors", n * sizeof *file->tensors);
    const char *name;
    json_t *info;
    json_object_foreach(header, name, info) {
        if (strcmp(name, "__metadata__") == 0)
            TRY(check_metadata(file, info, err));
        else
            TRY(add_tensor(file, name, info, err));
    }
    return check_places(file, err);
}

static enum status parse(struct safetensors *file, struct error *err) {
    struct bytes_reader reader = {.data = file->data, .size_bytes = file->size_bytes};
    uint64_t header_bytes;
    const uint8_t *text;
    if (!bytes_read_u64(&reader, &header_bytes))
        return refuse_at(err, STATUS_BAD_INPUT, file->label, 0,
                         "%zu bytes are too few for the header's size", file->size_bytes);
    if (!bytes_read_span(&reader, header_bytes, &text))
        return refuse_at(err, STATUS_BAD_INPUT, file->label, 0,
                         "the header claims %llu bytes, %zu are left; not a safetensors file, or a "
                         "truncated one",
                         (unsigned long long)header_bytes, bytes_left(&reader));
    if (header_bytes > HEADER_BYTES_MAX)
        return refuse_at(err, STATUS_BAD_INPUT, file->label, 0,
                         "the header has %llu bytes, more than the limit of %d",
                         (unsigned long long)header_bytes, HEADER_BYTES_MAX);
    if (header_bytes == 0 || text[0] != '{')
        return refuse_at(err, STATUS_BAD_INPUT, file->label, HEADER_AT,
                         "the header does not begin with '{'");
    file->begin_bytes = reader.offset_bytes;
    json_t *header;
    TRY(json_text_parse(&header, file->label, HEADER_AT, (const char *)text, (size_t)header_bytes,
                        (size_t)header_bytes / 4 + 16, err));
    enum status status = parse_tensors(file, header, err);
    json_decref(header);
    return status;
}

static enum status open_any(struct safetensors **result, const char *label, const void *data,
                            size_t size_bytes, struct error *err) {
    *result = NULL;
    struct safetensors *file = calloc(1, sizeof *file);
    if (!file) return error_no_memory(err, "a safetensors file", sizeof *file);
    enum status status = STATUS_OK;
    file->label = strdup(label);
    if (!file->label) status = error_no_memory(err, "a path", strlen(label) + 1);
    if (status == STATUS_OK && !data) status = mapped_file_open(&file->mapping, label, err);
    if (status == STATUS_OK) {
        file->data = data ? data : file->mapping.data;
        file->size_bytes = data ? size_bytes : file->mapping.size_bytes;
        status = parse(file, err);
    }
    if (status == STATUS_OK)
        *result = file;
    else
        safetensors_close(file);
    return status;
}

enum status safetensors_open(struct safetensors **file, const char *path, struct error *err) {
    return open_any(file, path, NULL, 0, err);
}

enum status safetensors_open_memory(struct safetensors **file, const char *label, const void *data,
                                    size_t size_bytes, struct error *err) {
    return open_any(file, label, data ? data : "", size_bytes, err);
}

size_t safetensors_n_tensors(const struct safetensors *file) {
    return file->n_tensors;
}

const struct checkpoint_tensor *safetensors_tensor_at(const struct safetensors *file,
                                                      size_t index) {
    return &file->tensors[index];
}

const struct file_identity *safetensors_file_identity(const struct safetensors *file) {
    return &file->mapping.identity;
}

void safetensors_release(const struct safetensors *file, size_t index, size_t offset_bytes,
                         size_t size_bytes) {
    const struct checkpoint_tensor *tensor = &file->tensors[index];
    if (file->mapping.data)
        mapped_file_release(&file->mapping, (size_t)(tensor->data - file->data) + offset_bytes,
                            size_bytes);
}
