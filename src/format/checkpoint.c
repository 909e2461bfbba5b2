// SPDX-License-Identifier: Apache-2.0
// See checkpoint.h. A checkpoint is a list of tensors, each with its origin: a part (one open file)
// and its number there.
#include "format/checkpoint.h"

#include "format/checkpoint_locate.h"
#include "format/json_file.h"
#include "format/name_index.h"
#include "format/refuse.h"
#include "format/safetensors.h"
#include "format/shard_index.h"
#include "format/torch_file.h"

#include <stdlib.h>
#include <string.h>

// An open file of a Hugging Face checkpoint; which pointer is set depends on the format.
struct part {
    struct safetensors *safetensors;
    struct torch_file *torch;
};

struct origin {
    size_t part, number; // the number-th tensor of the part
    const uint8_t *data; // contiguous bytes, perhaps unaligned; NULL: the part's reader must gather
};

struct checkpoint {
    struct checkpoint_place place;
    struct gguf *gguf;
    struct hf_config *hf;
    struct part *parts;
    size_t n_parts;
    struct checkpoint_tensor *tensors;
    struct origin *origins;
    size_t n_tensors, tensors_capacity;
    struct name_index names;
};

void checkpoint_close(struct checkpoint *checkpoint) {
    if (!checkpoint) return;
    for (size_t i = 0; i < checkpoint->n_parts; i++) {
        safetensors_close(checkpoint->parts[i].safetensors);
        torch_file_close(checkpoint->parts[i].torch);
    }
    gguf_close(checkpoint->gguf);
    hf_config_close(checkpoint->hf);
    name_index_deinit(&checkpoint->names);
    free(checkpoint->parts);
    free(checkpoint->tensors);
    free(checkpoint->origins);
    checkpoint_place_deinit(&checkpoint->place);
    free(checkpoint);
}

static enum status allocate(struct checkpoint *checkpoint, size_t n_tensors, struct error *err) {
    size_t n = n_tensors ? n_tensors : 1;
    checkpoint->tensors = calloc(n, sizeof *checkpoint->tensors);
    checkpoint->origins = calloc(n, sizeof *checkpoint->origins);
    checkpoint->tensors_capacity = n;
    if (checkpoint->tensors && checkpoint->origins) return STATUS_OK;
    return error_no_memory(err, "the tensor list", n * sizeof *checkpoint->tensors);
}

// What a load of one element or block needs; a file may place tensors at any byte.
static size_t alignment_of(enum dtype dtype) {
    const struct dtype_info *info = dtype_info((uint32_t)dtype);
    size_t bytes = (size_t)info->block_bytes, lowest_bit = bytes & (~bytes + 1);
    return lowest_bit < 8 ? lowest_bit : 8;
}

static enum status add_tensor(struct checkpoint *checkpoint, const struct checkpoint_tensor *tensor,
                              size_t part, size_t number, struct error *err) {
    size_t at = checkpoint->n_tensors;
    enum name_result added =
        name_index_add(&checkpoint->names, tensor->name, strlen(tensor->name), at);
    if (added == NAME_NO_MEMORY) return error_no_memory(err, "tensor names", 0);
    if (added == NAME_EXISTS)
        return error_set(err, STATUS_BAD_INPUT, "%s: tensor '%.*s' appears twice",
                         checkpoint->place.file, refuse_quote(strlen(tensor->name)), tensor->name);
    checkpoint->origins[at] = (struct origin){part, number, tensor->data};
    checkpoint->tensors[at] = *tensor;
    if ((uintptr_t)tensor->data % alignment_of(tensor->dtype) != 0)
        checkpoint->tensors[at].data = NULL;
    checkpoint->n_tensors++;
    return STATUS_OK;
}

static enum status open_gguf(struct checkpoint *checkpoint, struct error *err) {
    TRY(gguf_open(&checkpoint->gguf, checkpoint->place.file, err));
    size_t n = gguf_n_tensors(checkpoint->gguf);
    TRY(allocate(checkpoint, n, err));
    for (size_t i = 0; i < n; i++) {
        const struct gguf_tensor *from = gguf_tensor_at(checkpoint->gguf, i);
        struct checkpoint_tensor tensor = {.name = from->name,
                                           .dtype = from->dtype,
                                           .n_dims = from->n_dims,
                                           .n_elements = from->n_elements,
                                           .size_bytes = from->size_bytes,
                                           .data = from->data};
        for (int d = 0; d < from->n_dims; d++)
            tensor.shape[d] = from->dims[from->n_dims - 1 - d];
        TRY(add_tensor(checkpoint, &tensor, 0, i, err));
    }
    return STATUS_OK;
}

static enum status open_part(const struct checkpoint *checkpoint, struct part *part,
                             const char *path, struct error *err) {
    if (checkpoint->place.format == CHECKPOINT_TORCH)
        return torch_file_open(&part->torch, path, err);
    return safetensors_open(&part->safetensors, path, err);
}

static size_t part_n_tensors(const struct part *part) {
    return part->torch ? torch_file_n_tensors(part->torch)
                       : safetensors_n_tensors(part->safetensors);
}

static const struct checkpoint_tensor *part_tensor_at(const struct part *part, size_t number) {
    return part->torch ? torch_file_tensor_at(part->torch, number)
                       : safetensors_tensor_at(part->safetensors, number);
}

static enum status open_single(struct checkpoint *checkpoint, struct error *err) {
    checkpoint->parts = calloc(1, sizeof *checkpoint->parts);
    if (!checkpoint->parts) return error_no_memory(err, "a model file", sizeof(struct part));
    checkpoint->n_parts = 1;
    struct part *part = &checkpoint->parts[0];
    TRY(open_part(checkpoint, part, checkpoint->place.file, err));
    size_t n = part_n_tensors(part);
    TRY(allocate(checkpoint, n, err));
    for (size_t i = 0; i < n; i++)
        TRY(add_tensor(checkpoint, part_tensor_at(part, i), 0, i, err));
    return STATUS_OK;
}

static enum status open_shard(struct checkpoint *checkpoint, const struct shard_index *index,
                              size_t number, struct error *err) {
    char *path = path_join(checkpoint->place.directory, index->files[number]);
    if (!path) return error_no_memory(err, "a path", strlen(index->files[number]));
    enum status status = open_part(checkpoint, &checkpoint->parts[number], path, err);
    if (status == STATUS_NOT_FOUND)
        error_set(err, status, "%s: shard %s is missing", index->path, index->files[number]);
    free(path);
    return status;
}

// Takes the tensors that the index promises; each must be in the file that it names.
static enum status add_promised(struct checkpoint *checkpoint, const struct shard_index *index,
                                struct name_index *names, struct error *err) {
    for (size_t p = 0; p < checkpoint->n_parts; p++) {
        const struct part *part = &checkpoint->parts[p];
        name_index_init(&names[p]);
        for (size_t i = 0; i < part_n_tensors(part); i++) {
            const char *name = part_tensor_at(part, i)->name;
            if (name_index_add(&names[p], name, strlen(name), i) == NAME_NO_MEMORY)
                return error_no_memory(err, "tensor names", 0);
        }
    }
    for (size_t i = 0; i < index->n_entries; i++) {
        const struct shard_entry *entry = &index->entries[i];
        size_t number;
        if (!name_index_find(&names[entry->file], entry->tensor, strlen(entry->tensor), &number))
            return error_set(err, STATUS_BAD_INPUT, "%s: tensor '%.*s' is not in %s", index->path,
                             refuse_quote(strlen(entry->tensor)), entry->tensor,
                             index->files[entry->file]);
        TRY(add_tensor(checkpoint, part_tensor_at(&checkpoint->parts[entry->file], number),
                       entry->file, number, err));
    }
    return STATUS_OK;
}

static enum status open_shards(struct checkpoint *checkpoint, const struct shard_index *index,
                               struct error *err) {
    checkpoint->parts = calloc(index->n_files, sizeof *checkpoint->parts);
    if (!checkpoint->parts) return error_no_memory(err, "shards", index->n_files);
    checkpoint->n_parts = index->n_files;
    for (size_t i = 0; i < index->n_files; i++)
        TRY(open_shard(checkpoint, index, i, err));
    TRY(allocate(checkpoint, index->n_entries, err));
    struct name_index *names = calloc(index->n_files, sizeof *names);
    if (!names) return error_no_memory(err, "tensor names", index->n_files * sizeof *names);
    enum status status = add_promised(checkpoint, index, names, err);
    for (size_t i = 0; i < index->n_files; i++)
        name_index_deinit(&names[i]);
    free(names);
    return status;
}

static enum status open_sharded(struct checkpoint *checkpoint, struct error *err) {
    struct shard_index index;
    enum status status = shard_index_read(&index, checkpoint->place.file, err);
    if (status == STATUS_OK) status = open_shards(checkpoint, &index, err);
    shard_index_deinit(&index);
    return status;
}

static enum status open_config(struct checkpoint *checkpoint, struct error *err) {
    TRY(hf_config_open(&checkpoint->hf, checkpoint->place.directory, err));
    if (checkpoint->hf->config) return STATUS_OK;
    hf_config_close(checkpoint->hf); // a bare tensor file
    checkpoint->hf = NULL;
    return STATUS_OK;
}

static enum status open_located(struct checkpoint *checkpoint, struct error *err) {
    if (checkpoint->place.format == CHECKPOINT_GGUF) return open_gguf(checkpoint, err);
    TRY(open_config(checkpoint, err));
    return checkpoint->place.is_index ? open_sharded(checkpoint, err)
                                      : open_single(checkpoint, err);
}

enum status checkpoint_open(struct checkpoint **result, const char *path,
                            enum checkpoint_format format, struct error *err) {
    *result = NULL;
    struct checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    if (!checkpoint) return error_no_memory(err, "a checkpoint", sizeof *checkpoint);
    name_index_init(&checkpoint->names);
    enum status status = checkpoint_locate(&checkpoint->place, path, format, err);
    if (status == STATUS_OK) status = open_located(checkpoint, err);
    if (status == STATUS_OK)
        *result = checkpoint;
    else
        checkpoint_close(checkpoint);
    return status;
}

enum checkpoint_format checkpoint_kind(const struct checkpoint *checkpoint) {
    return checkpoint->place.format;
}

const char *checkpoint_path(const struct checkpoint *checkpoint) {
    return checkpoint->place.file;
}

size_t checkpoint_n_tensors(const struct checkpoint *checkpoint) {
    return checkpoint->n_tensors;
}

const struct checkpoint_tensor *checkpoint_tensor_at(const struct checkpoint *checkpoint,
                                                     size_t index) {
    return &checkpoint->tensors[index];
}

const struct checkpoint_tensor *checkpoint_find(const struct checkpoint *checkpoint,
                                                const char *name) {
    size_t at;
    if (!name_index_find(&checkpoint->names, name, strlen(name), &at)) return NULL;
    return &checkpoint->tensors[at];
}

static const struct origin *origin_of(const struct checkpoint *checkpoint,
                                      const struct checkpoint_tensor *tensor) {
    return &checkpoint->origins[tensor - checkpoint->tensors];
}

enum status checkpoint_read(const struct checkpoint *checkpoint,
                            const struct checkpoint_tensor *tensor, void *dst, struct error *err) {
    const struct origin *origin = origin_of(checkpoint, tensor);
    if (!origin->data)
        return torch_file_read(checkpoint->parts[origin->part].torch, origin->number, dst, err);
    if (tensor->size_bytes) memcpy(dst, origin->data, (size_t)tensor->size_bytes);
    return STATUS_OK;
}

void checkpoint_release_part(const struct checkpoint *checkpoint,
                             const struct checkpoint_tensor *tensor, size_t offset_bytes,
                             size_t size_bytes) {
    const struct origin *origin = origin_of(checkpoint, tensor);
    if (checkpoint->gguf) {
        gguf_release(checkpoint->gguf, gguf_tensor_at(checkpoint->gguf, origin->number),
                     offset_bytes, size_bytes);
        return;
    }
    const struct part *part = &checkpoint->parts[origin->part];
    if (part->torch)
        torch_file_release(part->torch, origin->number, offset_bytes, size_bytes);
    else
        safetensors_release(part->safetensors, origin->number, offset_bytes, size_bytes);
}

void checkpoint_release(const struct checkpoint *checkpoint,
                        const struct checkpoint_tensor *tensor) {
    checkpoint_release_part(checkpoint, tensor, 0, (size_t)tensor->size_bytes);
}

size_t checkpoint_n_files(const struct checkpoint *checkpoint) {
    return checkpoint->gguf ? gguf_n_files(checkpoint->gguf) : checkpoint->n_parts;
}

const struct file_identity *checkpoint_file_identity(const struct checkpoint *checkpoint,
                                                     size_t index) {
    if (checkpoint->gguf) return gguf_file_identity(checkpoint->gguf, index);
    const struct part *part = &checkpoint->parts[index];
    return part->torch ? torch_file_identity(part->torch)
                       : safetensors_file_identity(part->safetensors);
}

const struct gguf *checkpoint_gguf(const struct checkpoint *checkpoint) {
    return checkpoint->gguf;
}

const struct hf_config *checkpoint_hf(const struct checkpoint *checkpoint) {
    return checkpoint->hf;
}
