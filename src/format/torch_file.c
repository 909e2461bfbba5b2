// SPDX-License-Identifier: Apache-2.0
// See torch_file.h.
#include "format/torch_file.h"

#include "base/mapped_file.h"
#include "format/refuse.h"
#include "format/torch_storages.h"

#include <stdlib.h>
#include <string.h>

enum { PICKLE_BYTES_MAX = 64 << 20, LEGACY_PROTOCOL = 1001 };

struct torch_file {
    struct mapped_file mapping;
    char *label;
    const uint8_t *data;
    size_t size_bytes;
    struct zip_directory directory;
    uint8_t *unpacked_pickle; // if its entry was deflated
    struct torch_tensors tensors;
    struct torch_storages storages;
};

void torch_file_close(struct torch_file *file) {
    if (!file) return;
    torch_tensors_deinit(&file->tensors);
    torch_storages_deinit(&file->storages);
    zip_directory_deinit(&file->directory);
    free(file->unpacked_pickle);
    mapped_file_close(&file->mapping);
    free(file->label);
    free(file);
}

static bool name_is(const struct zip_entry *entry, const char *root, size_t root_bytes,
                    const char *rest) {
    return entry->name_bytes == root_bytes + strlen(rest) &&
           memcmp(entry->name, root, root_bytes) == 0 &&
           memcmp(entry->name + root_bytes, rest, strlen(rest)) == 0;
}

// "<root>/data.pkl": the root is whatever the file was called when it was saved.
static enum status find_pickle(const struct torch_file *file, const struct zip_entry **found,
                               size_t *root_bytes, struct error *err) {
    static const char end[] = "/data.pkl";
    *found = NULL;
    *root_bytes = 0;
    for (size_t i = 0; i < file->directory.n_entries; i++) {
        const struct zip_entry *entry = &file->directory.entries[i];
        size_t n = entry->name_bytes;
        if (n < sizeof end ||
            memcmp(entry->name + n - (sizeof end - 1), end, sizeof end - 1) != 0 ||
            memchr(entry->name, '/', n - (sizeof end - 1)))
            continue;
        if (*found)
            return error_set(err, STATUS_BAD_INPUT, "%s: two entries are called data.pkl",
                             file->label);
        *found = entry;
        *root_bytes = n - (sizeof end - 1);
    }
    if (*found) return STATUS_OK;
    return error_set(err, STATUS_BAD_INPUT,
                     "%s: a zip archive without data.pkl: not a PyTorch checkpoint", file->label);
}

static enum status check_archive(const struct torch_file *file, const char *root, size_t root_bytes,
                                 struct error *err) {
    for (size_t i = 0; i < file->directory.n_entries; i++) {
        const struct zip_entry *entry = &file->directory.entries[i];
        if (name_is(entry, root, root_bytes, "/constants.pkl"))
            return error_set(err, STATUS_UNSUPPORTED,
                             "%s: a TorchScript archive holds code; save its state_dict instead",
                             file->label);
        if (name_is(entry, root, root_bytes, "/byteorder") && entry->stored &&
            !(entry->size_bytes == 6 && memcmp(entry->data, "little", 6) == 0))
            return refuse_at(err, STATUS_UNSUPPORTED, file->label,
                             (uint64_t)(entry->data - file->data), "byteorder is not little");
    }
    return STATUS_OK;
}

static enum status locate_pickle(struct torch_file *file, const struct zip_entry *entry,
                                 struct pickle_input *input, struct error *err) {
    input->label = file->label;
    input->globals = torch_globals;
    input->n_globals = torch_n_globals;
    input->base_offset_bytes = (uint64_t)(entry->data - file->data);
    input->size_bytes = (size_t)entry->size_bytes;
    input->data = entry->data;
    if (entry->size_bytes > PICKLE_BYTES_MAX)
        return refuse_at(err, STATUS_BAD_INPUT, file->label, input->base_offset_bytes,
                         "data.pkl has %llu bytes, more than the limit of %d",
                         (unsigned long long)entry->size_bytes, (int)PICKLE_BYTES_MAX);
    if (entry->stored) return STATUS_OK;
    file->unpacked_pickle = malloc(input->size_bytes + 1);
    if (!file->unpacked_pickle) return error_no_memory(err, "data.pkl", input->size_bytes + 1);
    input->data = file->unpacked_pickle;
    return zip_directory_unpack(&file->directory, entry, file->unpacked_pickle, err);
}

static enum status read_zip(struct torch_file *file, struct error *err) {
    const struct zip_entry *entry;
    size_t root_bytes;
    struct pickle_input input;
    struct pickle pickle;
    TRY(zip_directory_read(&file->directory, file->label, file->data, file->size_bytes, err));
    TRY(find_pickle(file, &entry, &root_bytes, err));
    TRY(check_archive(file, entry->name, root_bytes, err));
    TRY(locate_pickle(file, entry, &input, err));
    enum status status = pickle_load(&pickle, &input, err);
    if (status == STATUS_OK)
        status =
            torch_tensors_read(&file->tensors, file->label, input.base_offset_bytes, &pickle, err);
    pickle_deinit(&pickle);
    TRY(status);
    return torch_storages_from_zip(&file->storages, &file->tensors, &file->directory, entry->name,
                                   root_bytes, err);
}

// The next pickle of a sequence at *offset, which moves behind it.
static enum status next_pickle(const struct torch_file *file, struct pickle *pickle, size_t *offset,
                               struct error *err) {
    size_t left = file->size_bytes - *offset;
    struct pickle_input input = {
        .label = file->label,
        .base_offset_bytes = *offset,
        .data = file->data + *offset,
        .size_bytes = left < PICKLE_BYTES_MAX ? left : PICKLE_BYTES_MAX,
        .globals = torch_globals,
        .n_globals = torch_n_globals,
    };
    enum status status = pickle_load(pickle, &input, err);
    *offset += pickle->used_bytes;
    return status;
}

static bool is_magic(const struct pickle_value *value) {
    static const char magic[] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"; // LONG1, little-endian
    return value->kind == PICKLE_BIG && value->as.text.size_bytes == sizeof magic - 1 &&
           memcmp(value->as.text.data, magic, sizeof magic - 1) == 0;
}

// Magic number, protocol version and the writer's byte order, each a pickle of its own.
static enum status read_legacy_head(const struct torch_file *file, size_t *offset,
                                    struct error *err) {
    static const char *const wrong[] = {
        "the first pickle is not PyTorch's magic number",
        "the protocol version is not 1001",
        "the writer was not a little-endian machine",
    };
    for (int i = 0; i < 3; i++) {
        struct pickle pickle;
        size_t at = *offset;
        enum status status = next_pickle(file, &pickle, offset, err);
        if (status == STATUS_OK) {
            const struct pickle_value *root = pickle.root;
            const struct pickle_value *little = pickle_dict_get(root, "little_endian");
            bool right = i == 0 ? is_magic(root)
                         : i == 1
                             ? root->kind == PICKLE_INTEGER && root->as.integer == LEGACY_PROTOCOL
                             : little && little->kind == PICKLE_BOOL && little->as.integer == 1;
            if (!right) status = refuse_at(err, STATUS_BAD_INPUT, file->label, at, "%s", wrong[i]);
        }
        pickle_deinit(&pickle);
        TRY(status);
    }
    return STATUS_OK;
}

static enum status read_legacy(struct torch_file *file, struct error *err) {
    struct pickle pickle;
    size_t offset = 0;
    TRY(read_legacy_head(file, &offset, err));
    size_t begin = offset;
    enum status status = next_pickle(file, &pickle, &offset, err);
    if (status == STATUS_OK)
        status = torch_tensors_read(&file->tensors, file->label, begin, &pickle, err);
    if (status == STATUS_OK)
        status = torch_storages_from_legacy(&file->storages, &file->tensors, &pickle, file->data,
                                            file->size_bytes, offset, err);
    pickle_deinit(&pickle);
    return status;
}

// Tensors whose bytes lie together in the mapping need no copy.
static void point_at_data(struct torch_file *file) {
    for (size_t i = 0; i < file->tensors.n_items; i++) {
        struct torch_tensor *tensor = &file->tensors.items[i];
        const struct torch_storage *storage = &file->storages.items[tensor->storage_number];
        if (!tensor->is_contiguous || !storage->data) continue;
        uint64_t element_bytes = (uint64_t)dtype_info((uint32_t)tensor->tensor.dtype)->block_bytes;
        tensor->tensor.data = storage->data;
        if (tensor->tensor.n_elements > 0) tensor->tensor.data += tensor->begin * element_bytes;
    }
}

static enum status parse(struct torch_file *file, struct error *err) {
    const uint8_t *p = file->data;
    torch_storages_init(&file->storages, file->label);
    if (file->size_bytes >= 4 && memcmp(p, "PK\3\4", 4) == 0)
        TRY(read_zip(file, err));
    else if (file->size_bytes >= 2 && p[0] == 0x80)
        TRY(read_legacy(file, err));
    else
        return refuse_at(err, STATUS_BAD_INPUT, file->label, 0,
                         "neither a zip archive nor a pickle: not a PyTorch file");
    point_at_data(file);
    return STATUS_OK;
}

static enum status open_any(struct torch_file **result, const char *label, const void *data,
                            size_t size_bytes, struct error *err) {
    *result = NULL;
    struct torch_file *file = calloc(1, sizeof *file);
    if (!file) return error_no_memory(err, "a PyTorch file", sizeof *file);
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
        torch_file_close(file);
    return status;
}

enum status torch_file_open(struct torch_file **file, const char *path, struct error *err) {
    return open_any(file, path, NULL, 0, err);
}

enum status torch_file_open_memory(struct torch_file **file, const char *label, const void *data,
                                   size_t size_bytes, struct error *err) {
    return open_any(file, label, data ? data : "", size_bytes, err);
}

size_t torch_file_n_tensors(const struct torch_file *file) {
    return file->tensors.n_items;
}

const struct checkpoint_tensor *torch_file_tensor_at(const struct torch_file *file, size_t index) {
    return &file->tensors.items[index].tensor;
}

static void copy_row(uint8_t *dst, const uint8_t *src, uint64_t n, uint64_t stride_bytes,
                     size_t element_bytes) {
    if (stride_bytes == element_bytes) {
        memcpy(dst, src, (size_t)n * element_bytes);
        return;
    }
    for (uint64_t i = 0; i < n; i++)
        memcpy(dst + i * element_bytes, src + i * stride_bytes, element_bytes);
}

// src: the view's first element. Missing dimensions count as size 1 in front.
static void gather(uint8_t *dst, const uint8_t *src, const struct torch_tensor *tensor,
                   size_t element_bytes) {
    uint64_t shape[CHECKPOINT_DIMS_MAX], strides[CHECKPOINT_DIMS_MAX];
    int missing = CHECKPOINT_DIMS_MAX - tensor->tensor.n_dims;
    for (int d = 0; d < CHECKPOINT_DIMS_MAX; d++) {
        shape[d] = d < missing ? 1 : tensor->tensor.shape[d - missing];
        strides[d] = d < missing ? 0 : tensor->strides[d - missing] * element_bytes;
    }
    for (uint64_t a = 0; a < shape[0]; a++)
        for (uint64_t b = 0; b < shape[1]; b++)
            for (uint64_t c = 0; c < shape[2]; c++) {
                copy_row(dst, src + a * strides[0] + b * strides[1] + c * strides[2], shape[3],
                         strides[3], element_bytes);
                dst += shape[3] * element_bytes;
            }
}

enum status torch_file_read(const struct torch_file *file, size_t index, void *dst,
                            struct error *err) {
    const struct torch_tensor *tensor = &file->tensors.items[index];
    const struct torch_storage *storage = &file->storages.items[tensor->storage_number];
    size_t element_bytes = (size_t)dtype_info((uint32_t)tensor->tensor.dtype)->block_bytes;
    const uint8_t *bytes = storage->data;
    uint8_t *unpacked = NULL;
    if (tensor->tensor.n_elements == 0) return STATUS_OK;
    if (!bytes) {
        unpacked = malloc((size_t)storage->id.size_bytes);
        if (!unpacked) return error_no_memory(err, tensor->tensor.name, storage->id.size_bytes);
        bytes = unpacked;
        enum status status = zip_directory_unpack(&file->directory, storage->packed, unpacked, err);
        if (status != STATUS_OK) {
            free(unpacked);
            return status;
        }
    }
    gather(dst, bytes + tensor->begin * element_bytes, tensor, element_bytes);
    free(unpacked);
    return STATUS_OK;
}

const struct file_identity *torch_file_identity(const struct torch_file *file) {
    return &file->mapping.identity;
}

void torch_file_release(const struct torch_file *file, size_t index, size_t offset_bytes,
                        size_t size_bytes) {
    const struct torch_tensor *tensor = &file->tensors.items[index];
    if (file->mapping.data && tensor->tensor.data)
        mapped_file_release(&file->mapping,
                            (size_t)(tensor->tensor.data - file->data) + offset_bytes, size_bytes);
}
