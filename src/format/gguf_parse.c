// SPDX-License-Identifier: Apache-2.0
// See gguf_parse.h. The order of checks is the order of the file: every number is compared with
// what is left of the image before it is used for a size, an index or an allocation.
#include "format/gguf_parse.h"

#include "base/bytes.h"
#include "base/utf8.h"
#include "format/refuse.h"

#include <stdlib.h>
#include <string.h>

// The least that an entry can occupy; bounds the counts before anything is allocated.
enum { VALUE_BYTES_MIN = 8 + 1 + 4 + 1, TENSOR_BYTES_MIN = 8 + 1 + 4 + 4 + 8 };

struct parser {
    struct gguf_image *image;
    struct bytes_reader reader;
    struct error *err;
};

#define REFUSE(parser, status, at, ...)                                                            \
    refuse_at((parser)->err, status, (parser)->image->label, at, __VA_ARGS__)

size_t gguf_type_bytes(enum gguf_type type) {
    static const uint8_t sizes[] = {
        [GGUF_U8] = 1,  [GGUF_I8] = 1,  [GGUF_U16] = 2,  [GGUF_I16] = 2,    [GGUF_U32] = 4,
        [GGUF_I32] = 4, [GGUF_F32] = 4, [GGUF_BOOL] = 1, [GGUF_STRING] = 0, [GGUF_ARRAY] = 0,
        [GGUF_U64] = 8, [GGUF_I64] = 8, [GGUF_F64] = 8,
    };
    return (unsigned)type < sizeof sizes ? sizes[type] : 0;
}

static enum status truncated(struct parser *parser, const char *field) {
    return REFUSE(parser, STATUS_BAD_INPUT, parser->reader.offset_bytes,
                  "the file ends inside %s (%zu bytes in all); it is truncated", field,
                  parser->image->size_bytes);
}

static enum status read_u32(struct parser *parser, const char *field, uint32_t *value) {
    return bytes_read_u32(&parser->reader, value) ? STATUS_OK : truncated(parser, field);
}

static enum status read_u64(struct parser *parser, const char *field, uint64_t *value) {
    return bytes_read_u64(&parser->reader, value) ? STATUS_OK : truncated(parser, field);
}

static enum status read_string(struct parser *parser, const char *field,
                               struct gguf_string *string) {
    size_t at = parser->reader.offset_bytes;
    uint64_t size_bytes;
    const uint8_t *span;
    TRY(read_u64(parser, field, &size_bytes));
    if (!bytes_read_span(&parser->reader, size_bytes, &span))
        return REFUSE(parser, STATUS_BAD_INPUT, at, "%s claims %llu bytes, %zu are left", field,
                      (unsigned long long)size_bytes, bytes_left(&parser->reader));
    *string = (struct gguf_string){(const char *)span, (size_t)size_bytes};
    return STATUS_OK;
}

// Names that become C strings: no NUL, valid UTF-8, within a length.
static enum status read_name(struct parser *parser, const char *field, size_t bytes_max,
                             struct gguf_string *name) {
    size_t at = parser->reader.offset_bytes;
    TRY(read_string(parser, field, name));
    if (name->size_bytes == 0) return REFUSE(parser, STATUS_BAD_INPUT, at, "%s is empty", field);
    if (name->size_bytes > bytes_max)
        return REFUSE(parser, STATUS_BAD_INPUT, at, "%s has %zu bytes, more than %zu", field,
                      name->size_bytes, bytes_max);
    if (memchr(name->data, 0, name->size_bytes) || !utf8_is_valid(name->data, name->size_bytes))
        return REFUSE(parser, STATUS_BAD_INPUT, at, "%s is not valid UTF-8 text", field);
    return STATUS_OK;
}

static enum status parse_version(struct parser *parser) {
    struct gguf_image *image = parser->image;
    const uint8_t *magic;
    if (!bytes_read_span(&parser->reader, 4, &magic)) return truncated(parser, "the magic number");
    if (memcmp(magic, "GGUF", 4) != 0)
        return REFUSE(parser, STATUS_BAD_INPUT, 0, "the magic number is not GGUF");
    TRY(read_u32(parser, "the version", &image->version));
    if (image->version == 0) return REFUSE(parser, STATUS_BAD_INPUT, 4, "version 0 does not exist");
    if ((image->version & 0xffff) == 0)
        return REFUSE(parser, STATUS_UNSUPPORTED, 4,
                      "a big-endian GGUF file; convert it to "
                      "little-endian first");
    if (image->version != 2 && image->version != 3)
        return REFUSE(parser, STATUS_UNSUPPORTED, 4, "GGUF version %lu; versions 2 and 3 are known",
                      (unsigned long)image->version);
    return STATUS_OK;
}

static enum status read_count(struct parser *parser, const char *field, uint64_t bytes_min,
                              uint64_t count_max, uint64_t *count) {
    size_t at = parser->reader.offset_bytes;
    TRY(read_u64(parser, field, count));
    if (*count > bytes_left(&parser->reader) / bytes_min)
        return REFUSE(parser, STATUS_BAD_INPUT, at, "%s is %llu, more than the file can hold",
                      field, (unsigned long long)*count);
    if (*count > count_max)
        return REFUSE(parser, STATUS_UNSUPPORTED, at, "%s is %llu, more than the limit of %llu",
                      field, (unsigned long long)*count, (unsigned long long)count_max);
    return STATUS_OK;
}

static enum status parse_strings(struct parser *parser, struct gguf_value *value) {
    if (value->n_items == 0) return STATUS_OK;
    size_t size_bytes = (size_t)value->n_items * sizeof(struct gguf_string);
    struct gguf_string *strings = malloc(size_bytes);
    if (!strings) return error_no_memory(parser->err, "an array of strings", size_bytes);
    value->strings = strings;
    for (uint64_t i = 0; i < value->n_items; i++)
        TRY(read_string(parser, "a string of an array", &strings[i]));
    return STATUS_OK;
}

// Booleans must be 0 or 1, here as in C.
static enum status check_booleans(struct parser *parser, const struct gguf_value *value) {
    for (size_t i = 0; i < value->size_bytes; i++)
        if (value->data[i] > 1)
            return REFUSE(parser, STATUS_BAD_INPUT, (size_t)(value->data - parser->image->data) + i,
                          "boolean of key '%.*s' is %u, neither 0 nor 1",
                          refuse_quote(value->key.size_bytes), value->key.data, value->data[i]);
    return STATUS_OK;
}

static enum status parse_scalars(struct parser *parser, struct gguf_value *value,
                                 enum gguf_type type, uint64_t n_items) {
    size_t at = parser->reader.offset_bytes, item_bytes = gguf_type_bytes(type);
    if (item_bytes == 0)
        return REFUSE(parser, STATUS_BAD_INPUT, at, "key '%.*s' has the unknown value type %u",
                      refuse_quote(value->key.size_bytes), value->key.data, (unsigned)type);
    if (n_items > bytes_left(&parser->reader) / item_bytes)
        return REFUSE(parser, STATUS_BAD_INPUT, at, "key '%.*s' claims %llu items, %zu bytes left",
                      refuse_quote(value->key.size_bytes), value->key.data,
                      (unsigned long long)n_items, bytes_left(&parser->reader));
    value->size_bytes = (size_t)n_items * item_bytes;
    bytes_read_span(&parser->reader, value->size_bytes, &value->data);
    return type == GGUF_BOOL ? check_booleans(parser, value) : STATUS_OK;
}

static enum status parse_array(struct parser *parser, struct gguf_value *value) {
    size_t at = parser->reader.offset_bytes;
    uint32_t type;
    TRY(read_u32(parser, "an array's item type", &type));
    value->item_type = (enum gguf_type)type;
    if (type == GGUF_ARRAY)
        return REFUSE(parser, STATUS_UNSUPPORTED, at, "key '%.*s' is an array of arrays",
                      refuse_quote(value->key.size_bytes), value->key.data);
    if (type != GGUF_STRING) {
        TRY(read_u64(parser, "an array's length", &value->n_items));
        return parse_scalars(parser, value, value->item_type, value->n_items);
    }
    TRY(read_count(parser, "the length of an array of strings", 8, GGUF_STRINGS_MAX,
                   &value->n_items));
    size_t begin = parser->reader.offset_bytes;
    value->data = parser->image->data + begin;
    TRY(parse_strings(parser, value));
    value->size_bytes = parser->reader.offset_bytes - begin;
    return STATUS_OK;
}

static enum status parse_value(struct parser *parser, struct gguf_value *value) {
    uint32_t type;
    TRY(read_name(parser, "a key", GGUF_KEY_BYTES_MAX, &value->key));
    TRY(read_u32(parser, "a value's type", &type));
    value->type = (enum gguf_type)type;
    if (type == GGUF_ARRAY) return parse_array(parser, value);
    if (type != GGUF_STRING) return parse_scalars(parser, value, value->type, 1);
    struct gguf_string string;
    TRY(read_string(parser, "a string value", &string));
    value->data = (const uint8_t *)string.data;
    value->size_bytes = string.size_bytes;
    return STATUS_OK;
}

// Makes room for one more element; grows with what was really read, not with what was claimed.
static void *grow(void *items, size_t n_items, size_t *capacity, size_t item_bytes) {
    if (n_items < *capacity) return items;
    size_t larger = *capacity ? *capacity * 2 : 32;
    void *moved = realloc(items, larger * item_bytes);
    if (moved) *capacity = larger;
    return moved;
}

static enum status parse_values(struct parser *parser, uint64_t n_values) {
    struct gguf_image *image = parser->image;
    for (uint64_t i = 0; i < n_values; i++) {
        size_t at = parser->reader.offset_bytes;
        struct gguf_value *values =
            grow(image->values, image->n_values, &image->values_capacity, sizeof *values);
        if (!values) return error_no_memory(parser->err, "metadata", sizeof *values);
        image->values = values;
        struct gguf_value *value = &values[image->n_values++];
        memset(value, 0, sizeof *value);
        TRY(parse_value(parser, value));
        enum name_result result =
            name_index_add(&image->value_index, value->key.data, value->key.size_bytes, (size_t)i);
        if (result == NAME_NO_MEMORY) return error_no_memory(parser->err, "metadata keys", 0);
        if (result == NAME_EXISTS)
            return REFUSE(parser, STATUS_BAD_INPUT, at, "key '%.*s' appears twice",
                          refuse_quote(value->key.size_bytes), value->key.data);
    }
    return STATUS_OK;
}

static enum status set_alignment(struct parser *parser) {
    struct gguf_image *image = parser->image;
    image->alignment_bytes = GGUF_ALIGNMENT_DEFAULT;
    const struct gguf_value *value = gguf_image_find(image, "general.alignment");
    if (!value) return STATUS_OK;
    size_t at = (size_t)(value->data - image->data);
    if (value->type != GGUF_U32)
        return REFUSE(parser, STATUS_BAD_INPUT, at, "general.alignment is not a 32-bit unsigned");
    memcpy(&image->alignment_bytes, value->data, 4);
    uint32_t alignment = image->alignment_bytes;
    if (alignment == 0 || (alignment & (alignment - 1)) != 0 || alignment > GGUF_ALIGNMENT_MAX)
        return REFUSE(parser, STATUS_BAD_INPUT, at,
                      "general.alignment is %lu, not a power of two up to %d",
                      (unsigned long)alignment, GGUF_ALIGNMENT_MAX);
    return STATUS_OK;
}

static enum status parse_shape(struct parser *parser, struct gguf_tensor *tensor) {
    size_t at = parser->reader.offset_bytes;
    uint32_t n_dims;
    TRY(read_u32(parser, "a tensor's number of dimensions", &n_dims));
    if (n_dims > GGUF_DIMS_MAX)
        return REFUSE(parser, STATUS_BAD_INPUT, at, "tensor '%s' has %lu dimensions, more than %d",
                      tensor->name, (unsigned long)n_dims, GGUF_DIMS_MAX);
    tensor->n_dims = (int)n_dims;
    tensor->n_elements = 1;
    for (int i = 0; i < GGUF_DIMS_MAX; i++) {
        tensor->dims[i] = 1;
        if (i >= tensor->n_dims) continue;
        at = parser->reader.offset_bytes;
        TRY(read_u64(parser, "a tensor's dimensions", &tensor->dims[i]));
        // The product is checked without zeros too, so that strides never overflow.
        uint64_t dim = tensor->dims[i] ? tensor->dims[i] : 1;
        if (tensor->dims[i] > INT64_MAX ||
            !size_multiply(tensor->n_elements, dim, &tensor->n_elements) ||
            tensor->n_elements > INT64_MAX)
            return REFUSE(parser, STATUS_BAD_INPUT, at,
                          "dimension %d of tensor '%s' is %llu: "
                          "negative or too large",
                          i, tensor->name, (unsigned long long)tensor->dims[i]);
    }
    for (int i = 0; i < tensor->n_dims; i++)
        if (tensor->dims[i] == 0) tensor->n_elements = 0;
    return STATUS_OK;
}

static enum status parse_dtype(struct parser *parser, struct gguf_tensor *tensor) {
    size_t at = parser->reader.offset_bytes;
    uint32_t id;
    TRY(read_u32(parser, "a tensor's type", &id));
    const struct dtype_info *info = dtype_info(id);
    if (!info->name)
        return REFUSE(parser, STATUS_UNSUPPORTED, at, "tensor '%s' has type %lu, which is unknown",
                      tensor->name, (unsigned long)id);
    tensor->dtype = (enum dtype)id;
    if (tensor->dims[0] % (uint64_t)info->block_elements != 0)
        return REFUSE(parser, STATUS_BAD_INPUT, at,
                      "tensor '%s' has rows of %llu elements, no multiple of %s's block of %d",
                      tensor->name, (unsigned long long)tensor->dims[0], info->name,
                      info->block_elements);
    if (!dtype_size_bytes(tensor->dtype, tensor->n_elements, &tensor->size_bytes))
        return REFUSE(parser, STATUS_BAD_INPUT, at, "the size of tensor '%s' overflows",
                      tensor->name);
    return STATUS_OK;
}

static enum status parse_offset(struct parser *parser, struct gguf_tensor *tensor) {
    size_t at = parser->reader.offset_bytes;
    uint64_t offset;
    TRY(read_u64(parser, "a tensor's offset", &offset));
    if (offset % parser->image->alignment_bytes != 0)
        return REFUSE(parser, STATUS_BAD_INPUT, at,
                      "the offset %llu of tensor '%s' is no multiple of the alignment %lu",
                      (unsigned long long)offset, tensor->name,
                      (unsigned long)parser->image->alignment_bytes);
    if (offset > parser->image->size_bytes ||
        tensor->size_bytes > parser->image->size_bytes - offset)
        return REFUSE(parser, STATUS_BAD_INPUT, at,
                      "tensor '%s' (%llu bytes at offset %llu) reaches past the file's end",
                      tensor->name, (unsigned long long)tensor->size_bytes,
                      (unsigned long long)offset);
    // Relative to the image until place_tensors() knows where the data section begins.
    tensor->data = parser->image->data + offset;
    return STATUS_OK;
}

static enum status parse_tensor(struct parser *parser, struct gguf_tensor *tensor) {
    struct gguf_string name;
    TRY(read_name(parser, "a tensor name", GGUF_NAME_BYTES_MAX, &name));
    char *copy = malloc(name.size_bytes + 1);
    if (!copy) return error_no_memory(parser->err, "a tensor name", name.size_bytes + 1);
    memcpy(copy, name.data, name.size_bytes);
    copy[name.size_bytes] = '\0';
    tensor->name = copy;
    TRY(parse_shape(parser, tensor));
    TRY(parse_dtype(parser, tensor));
    return parse_offset(parser, tensor);
}

static enum status parse_tensors(struct parser *parser, uint64_t n_tensors) {
    struct gguf_image *image = parser->image;
    for (uint64_t i = 0; i < n_tensors; i++) {
        size_t at = parser->reader.offset_bytes;
        struct gguf_tensor *tensors =
            grow(image->tensors, image->n_tensors, &image->tensors_capacity, sizeof *tensors);
        if (!tensors) return error_no_memory(parser->err, "the tensor directory", sizeof *tensors);
        image->tensors = tensors;
        struct gguf_tensor *tensor = &tensors[image->n_tensors++];
        memset(tensor, 0, sizeof *tensor);
        TRY(parse_tensor(parser, tensor));
        enum name_result result =
            name_index_add(&image->tensor_index, tensor->name, strlen(tensor->name), (size_t)i);
        if (result == NAME_NO_MEMORY) return error_no_memory(parser->err, "tensor names", 0);
        if (result == NAME_EXISTS)
            return REFUSE(parser, STATUS_BAD_INPUT, at, "tensor '%s' appears twice", tensor->name);
    }
    return STATUS_OK;
}

static int compare_places(const void *a, const void *b) {
    const struct gguf_tensor *const *left = a, *const *right = b;
    if ((*left)->data != (*right)->data) return (*left)->data < (*right)->data ? -1 : 1;
    return (*left)->size_bytes < (*right)->size_bytes ? -1
                                                      : (*left)->size_bytes > (*right)->size_bytes;
}

static enum status check_overlap(struct parser *parser) {
    struct gguf_image *image = parser->image;
    if (image->n_tensors < 2) return STATUS_OK;
    const struct gguf_tensor **order = malloc(image->n_tensors * sizeof *order);
    if (!order)
        return error_no_memory(parser->err, "tensor places", image->n_tensors * sizeof *order);
    for (size_t i = 0; i < image->n_tensors; i++)
        order[i] = &image->tensors[i];
    qsort(order, image->n_tensors, sizeof *order, compare_places);
    enum status status = STATUS_OK;
    for (size_t i = 1; i < image->n_tensors && status == STATUS_OK; i++) {
        const struct gguf_tensor *previous = order[i - 1], *tensor = order[i];
        if (previous->size_bytes > (size_t)(tensor->data - previous->data))
            status = REFUSE(parser, STATUS_BAD_INPUT, (size_t)(tensor->data - image->data),
                            "tensors '%s' and '%s' overlap", previous->name, tensor->name);
    }
    free(order);
    return status;
}

static enum status place_tensors(struct parser *parser) {
    struct gguf_image *image = parser->image;
    uint64_t mask = image->alignment_bytes - 1;
    uint64_t begin = ((uint64_t)parser->reader.offset_bytes + mask) & ~mask;
    if (begin > image->size_bytes) begin = image->size_bytes;
    image->data_offset_bytes = (size_t)begin;
    size_t available = image->size_bytes - image->data_offset_bytes;
    for (size_t i = 0; i < image->n_tensors; i++) {
        struct gguf_tensor *tensor = &image->tensors[i];
        size_t offset = (size_t)(tensor->data - image->data);
        if (offset > available || tensor->size_bytes > available - offset)
            return REFUSE(parser, STATUS_BAD_INPUT, begin + offset,
                          "the file ends inside the data of tensor '%s' (%llu bytes); it is "
                          "truncated",
                          tensor->name, (unsigned long long)tensor->size_bytes);
        tensor->data = image->data + begin + offset;
    }
    return check_overlap(parser);
}

enum status gguf_parse(struct gguf_image *image, struct error *err) {
    struct parser parser = {.image = image,
                            .reader = {.data = image->data, .size_bytes = image->size_bytes},
                            .err = err};
    uint64_t n_tensors, n_values;
    name_index_init(&image->value_index);
    name_index_init(&image->tensor_index);
    TRY(parse_version(&parser));
    TRY(read_count(&parser, "the number of tensors", TENSOR_BYTES_MIN, GGUF_TENSORS_MAX,
                   &n_tensors));
    TRY(read_count(&parser, "the number of metadata values", VALUE_BYTES_MIN, GGUF_VALUES_MAX,
                   &n_values));
    TRY(parse_values(&parser, n_values));
    TRY(set_alignment(&parser));
    TRY(parse_tensors(&parser, n_tensors));
    return place_tensors(&parser);
}

void gguf_image_deinit(struct gguf_image *image) {
    for (size_t i = 0; i < image->n_values; i++)
        free((void *)image->values[i].strings);
    for (size_t i = 0; i < image->n_tensors; i++)
        free((void *)image->tensors[i].name);
    free(image->values);
    free(image->tensors);
    name_index_deinit(&image->value_index);
    name_index_deinit(&image->tensor_index);
}

const struct gguf_value *gguf_image_find(const struct gguf_image *image, const char *key) {
    size_t at;
    return name_index_find(&image->value_index, key, strlen(key), &at) ? &image->values[at] : NULL;
}
