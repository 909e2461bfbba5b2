// SPDX-License-Identifier: Apache-2.0
// See gguf.h. A file is one or more mapped parts, each parsed by gguf_parse.c; metadata comes from
// the first part, tensors from all.
#include "format/gguf.h"

#include "base/mapped_file.h"
#include "format/gguf_parse.h"
#include "format/refuse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "payloads are handed out as they are in the file, which is little-endian"
#endif

enum { PARTS_MAX = 4096 };

struct part {
    char *path;
    struct mapped_file file;
    struct gguf_image image;
};

struct gguf {
    struct part *parts;
    size_t n_parts;
    const struct gguf_tensor **tensors; // of all parts, in order
    size_t n_tensors;
    struct name_index tensor_index;
};

void gguf_close(struct gguf *gguf) {
    if (!gguf) return;
    for (size_t i = 0; i < gguf->n_parts; i++) {
        gguf_image_deinit(&gguf->parts[i].image);
        mapped_file_close(&gguf->parts[i].file);
        free(gguf->parts[i].path);
    }
    name_index_deinit(&gguf->tensor_index);
    free(gguf->tensors);
    free(gguf->parts);
    free(gguf);
}

static enum status create(struct gguf **result, const char *path, struct error *err) {
    struct gguf *gguf = calloc(1, sizeof *gguf);
    struct part *part = calloc(1, sizeof *part);
    char *copy = strdup(path);
    *result = NULL;
    if (!gguf || !part || !copy) {
        free(gguf);
        free(part);
        free(copy);
        return error_no_memory(err, "a GGUF file", sizeof *gguf);
    }
    name_index_init(&gguf->tensor_index);
    part->path = copy;
    gguf->parts = part;
    gguf->n_parts = 1;
    *result = gguf;
    return STATUS_OK;
}

static enum status open_part(struct part *part, struct error *err) {
    TRY(mapped_file_open(&part->file, part->path, err));
    part->image.label = part->path;
    part->image.data = part->file.data;
    part->image.size_bytes = part->file.size_bytes;
    return gguf_parse(&part->image, err);
}

// One array over the tensors of all parts; a name may appear once.
static enum status gather_tensors(struct gguf *gguf, struct error *err) {
    size_t n = 0;
    for (size_t i = 0; i < gguf->n_parts; i++)
        n += gguf->parts[i].image.n_tensors;
    gguf->tensors = malloc((n ? n : 1) * sizeof *gguf->tensors);
    if (!gguf->tensors) return error_no_memory(err, "the tensor list", n * sizeof *gguf->tensors);
    for (size_t i = 0; i < gguf->n_parts; i++) {
        const struct gguf_image *image = &gguf->parts[i].image;
        for (size_t j = 0; j < image->n_tensors; j++) {
            const struct gguf_tensor *tensor = &image->tensors[j];
            enum name_result added = name_index_add(&gguf->tensor_index, tensor->name,
                                                    strlen(tensor->name), gguf->n_tensors);
            if (added == NAME_NO_MEMORY) return error_no_memory(err, "tensor names", 0);
            if (added == NAME_EXISTS)
                return refuse_at(err, STATUS_BAD_INPUT, image->label, 0,
                                 "tensor '%s' is in another part too", tensor->name);
            gguf->tensors[gguf->n_tensors++] = tensor;
        }
    }
    return STATUS_OK;
}

static bool value_u64(const struct gguf_value *value, uint64_t *number);

static bool image_u64(const struct gguf_image *image, const char *key, uint64_t *number) {
    const struct gguf_value *value = gguf_image_find(image, key);
    return value && value_u64(value, number);
}

// "dir/model-00001-of-00003.gguf" for part `number` of `count`, from the first part's path.
static enum status part_path(const struct gguf *gguf, uint64_t number, uint64_t count, char **path,
                             struct error *err) {
    const char *first = gguf->parts[0].path;
    char suffix[40];
    int n = snprintf(suffix, sizeof suffix, "-%05u-of-%05u.gguf", 1u, (unsigned)count);
    size_t length = strlen(first);
    *path = NULL;
    if (length < (size_t)n || strcmp(first + length - (size_t)n, suffix) != 0)
        return error_set(
            err, STATUS_BAD_INPUT,
            "%s: the file is part 1 of %llu (split.count) but its name does not end in "
            "%s, so the other parts cannot be found",
            first, (unsigned long long)count, suffix);
    *path = malloc(length + 1);
    if (!*path) return error_no_memory(err, "a path", length + 1);
    memcpy(*path, first, length - (size_t)n);
    snprintf(*path + length - (size_t)n, (size_t)n + 1, "-%05u-of-%05u.gguf", (unsigned)number,
             (unsigned)count);
    return STATUS_OK;
}

// split.no counts from 0, file names from 1.
static enum status check_part(const struct gguf *gguf, size_t index, struct error *err) {
    const struct gguf_image *first = &gguf->parts[0].image, *image = &gguf->parts[index].image;
    uint64_t number, count, n_tensors, expected;
    if (!image_u64(image, "split.no", &number) || !image_u64(image, "split.count", &count))
        return error_set(err, STATUS_BAD_INPUT,
                         "%s: split.no and split.count are missing: not a part of %s", image->label,
                         first->label);
    if (number != index || count != gguf->n_parts)
        return error_set(err, STATUS_BAD_INPUT,
                         "%s: split.no and split.count say part %llu of %llu, expected %zu of %zu: "
                         "it belongs to another model",
                         image->label, (unsigned long long)number + 1, (unsigned long long)count,
                         index + 1, gguf->n_parts);
    bool stated = image_u64(image, "split.tensors.count", &n_tensors);
    bool wanted = image_u64(first, "split.tensors.count", &expected);
    if (stated != wanted || (stated && n_tensors != expected))
        return error_set(err, STATUS_BAD_INPUT,
                         "%s: split.tensors.count differs from that of %s: it belongs to another "
                         "model",
                         image->label, first->label);
    return STATUS_OK;
}

static enum status open_parts(struct gguf *gguf, uint64_t count, struct error *err) {
    struct part *parts = realloc(gguf->parts, (size_t)count * sizeof *parts);
    if (!parts) return error_no_memory(err, "GGUF parts", (size_t)count * sizeof *parts);
    memset(parts + 1, 0, ((size_t)count - 1) * sizeof *parts);
    gguf->parts = parts;
    gguf->n_parts = (size_t)count;
    TRY(check_part(gguf, 0, err));
    for (size_t i = 1; i < gguf->n_parts; i++) {
        TRY(part_path(gguf, i + 1, count, &parts[i].path, err));
        enum status status = open_part(&parts[i], err);
        if (status == STATUS_NOT_FOUND)
            return error_set(err, STATUS_NOT_FOUND, "%s: part %zu of %llu is missing: %s",
                             parts[0].path, i + 1, (unsigned long long)count, parts[i].path);
        TRY(status);
        TRY(check_part(gguf, i, err));
    }
    return STATUS_OK;
}

static enum status open_split(struct gguf *gguf, bool in_memory, struct error *err) {
    const struct gguf_image *image = &gguf->parts[0].image;
    const struct gguf_value *value = gguf_image_find(image, "split.count");
    uint64_t count = 0, number = 0, n_tensors;
    if (!value) return STATUS_OK;
    if (!value_u64(value, &count) || count > PARTS_MAX)
        return refuse_at(err, STATUS_BAD_INPUT, image->label, (size_t)(value->data - image->data),
                         "split.count is not a number up to %d", PARTS_MAX);
    if (count < 2) return STATUS_OK;
    if (image_u64(image, "split.no", &number) && number != 0)
        return error_set(err, STATUS_USAGE, "%s: this is part %llu of %llu (split.no); open part 1",
                         image->label, (unsigned long long)number + 1, (unsigned long long)count);
    if (in_memory)
        return error_set(err, STATUS_UNSUPPORTED, "%s: split.count is %llu: one part of a split",
                         image->label, (unsigned long long)count);
    TRY(open_parts(gguf, count, err));
    size_t found = 0;
    for (size_t i = 0; i < gguf->n_parts; i++)
        found += gguf->parts[i].image.n_tensors;
    if (image_u64(&gguf->parts[0].image, "split.tensors.count", &n_tensors) && n_tensors != found)
        return error_set(err, STATUS_BAD_INPUT,
                         "%s: split.tensors.count is %llu, the parts hold %zu tensors",
                         gguf->parts[0].path, (unsigned long long)n_tensors, found);
    return STATUS_OK;
}

static enum status finish(struct gguf *gguf, enum status status, bool in_memory,
                          struct gguf **result, struct error *err) {
    if (status == STATUS_OK) status = open_split(gguf, in_memory, err);
    if (status == STATUS_OK) status = gather_tensors(gguf, err);
    if (status == STATUS_OK)
        *result = gguf;
    else
        gguf_close(gguf);
    return status;
}

enum status gguf_open(struct gguf **result, const char *path, struct error *err) {
    struct gguf *gguf;
    *result = NULL;
    TRY(create(&gguf, path, err));
    return finish(gguf, open_part(&gguf->parts[0], err), false, result, err);
}

enum status gguf_open_memory(struct gguf **result, const char *label, const void *data,
                             size_t size_bytes, struct error *err) {
    struct gguf *gguf;
    *result = NULL;
    TRY(create(&gguf, label, err));
    struct gguf_image *image = &gguf->parts[0].image;
    image->label = gguf->parts[0].path;
    image->data = data;
    image->size_bytes = size_bytes;
    return finish(gguf, gguf_parse(image, err), true, result, err);
}

const char *gguf_path(const struct gguf *gguf) {
    return gguf->parts[0].path;
}

uint32_t gguf_version(const struct gguf *gguf) {
    return gguf->parts[0].image.version;
}

size_t gguf_n_values(const struct gguf *gguf) {
    return gguf->parts[0].image.n_values;
}

const struct gguf_value *gguf_value_at(const struct gguf *gguf, size_t index) {
    return &gguf->parts[0].image.values[index];
}

const struct gguf_value *gguf_find(const struct gguf *gguf, const char *key) {
    return gguf_image_find(&gguf->parts[0].image, key);
}

size_t gguf_n_tensors(const struct gguf *gguf) {
    return gguf->n_tensors;
}

const struct gguf_tensor *gguf_tensor_at(const struct gguf *gguf, size_t index) {
    return gguf->tensors[index];
}

const struct gguf_tensor *gguf_find_tensor(const struct gguf *gguf, const char *name) {
    size_t at;
    return name_index_find(&gguf->tensor_index, name, strlen(name), &at) ? gguf->tensors[at] : NULL;
}

size_t gguf_n_files(const struct gguf *gguf) {
    return gguf->n_parts;
}

const struct file_identity *gguf_file_identity(const struct gguf *gguf, size_t index) {
    return &gguf->parts[index].file.identity;
}

void gguf_release(const struct gguf *gguf, const struct gguf_tensor *tensor, size_t offset_bytes,
                  size_t size_bytes) {
    for (size_t i = 0; i < gguf->n_parts; i++) {
        const struct gguf_image *image = &gguf->parts[i].image;
        if (tensor < image->tensors || tensor >= image->tensors + image->n_tensors) continue;
        mapped_file_release(&gguf->parts[i].file,
                            (size_t)(tensor->data - image->data) + offset_bytes, size_bytes);
    }
}

// One scalar of `type` as a signed or unsigned integer; false for other types and negatives.
static bool scalar_u64(enum gguf_type type, const uint8_t *data, uint64_t *number) {
    size_t size_bytes = gguf_type_bytes(type);
    uint64_t bits = 0;
    if (size_bytes == 0) return false;
    memcpy(&bits, data, size_bytes);
    switch (type) {
    case GGUF_U8:
    case GGUF_U16:
    case GGUF_U32:
    case GGUF_U64:
        *number = bits;
        return true;
    case GGUF_I8:
    case GGUF_I16:
    case GGUF_I32:
    case GGUF_I64:
        *number = bits;
        return (bits >> (8 * size_bytes - 1)) == 0;
    default:
        return false;
    }
}

static bool scalar_f64(enum gguf_type type, const uint8_t *data, double *number) {
    if (type == GGUF_F64) {
        memcpy(number, data, sizeof *number);
        return true;
    }
    if (type == GGUF_F32) {
        float single;
        memcpy(&single, data, sizeof single);
        *number = (double)single;
        return true;
    }
    uint64_t bits = 0;
    if (scalar_u64(type, data, &bits)) {
        *number = (double)bits;
        return true;
    }
    // What is left of the integer types is negative: sign-extend it.
    if (type != GGUF_I8 && type != GGUF_I16 && type != GGUF_I32 && type != GGUF_I64) return false;
    unsigned shift = 64 - 8 * (unsigned)gguf_type_bytes(type);
    uint64_t magnitude = 0 - (bits | (shift ? ~(uint64_t)0 << (64 - shift) : 0));
    *number = -(double)magnitude;
    return true;
}

static bool value_u64(const struct gguf_value *value, uint64_t *number) {
    return scalar_u64(value->type, value->data, number);
}

bool gguf_get_u64(const struct gguf *gguf, const char *key, uint64_t *value) {
    const struct gguf_value *found = gguf_find(gguf, key);
    uint64_t number;
    if (!found || !value_u64(found, &number)) return false;
    *value = number;
    return true;
}

bool gguf_get_f64(const struct gguf *gguf, const char *key, double *value) {
    const struct gguf_value *found = gguf_find(gguf, key);
    return found && scalar_f64(found->type, found->data, value);
}

bool gguf_get_bool(const struct gguf *gguf, const char *key, bool *value) {
    const struct gguf_value *found = gguf_find(gguf, key);
    if (!found || found->type != GGUF_BOOL) return false;
    *value = found->data[0] != 0;
    return true;
}

bool gguf_get_string(const struct gguf *gguf, const char *key, struct gguf_string *value) {
    const struct gguf_value *found = gguf_find(gguf, key);
    if (!found || found->type != GGUF_STRING) return false;
    *value = (struct gguf_string){(const char *)found->data, found->size_bytes};
    return true;
}

bool gguf_item_u64(const struct gguf_value *value, uint64_t index, uint64_t *item) {
    if (value->type != GGUF_ARRAY || index >= value->n_items) return false;
    uint64_t number;
    size_t item_bytes = gguf_type_bytes(value->item_type);
    if (!scalar_u64(value->item_type, value->data + index * item_bytes, &number)) return false;
    *item = number;
    return true;
}

bool gguf_item_f64(const struct gguf_value *value, uint64_t index, double *item) {
    if (value->type != GGUF_ARRAY || index >= value->n_items) return false;
    size_t item_bytes = gguf_type_bytes(value->item_type);
    return scalar_f64(value->item_type, value->data + index * item_bytes, item);
}
