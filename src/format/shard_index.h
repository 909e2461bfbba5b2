// SPDX-License-Identifier: Apache-2.0
// model.safetensors.index.json and pytorch_model.bin.index.json: which tensor is in which file.
#ifndef XL_FORMAT_SHARD_INDEX_H
#define XL_FORMAT_SHARD_INDEX_H

#include "base/status.h"

#include <jansson.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct shard_entry {
    const char *tensor;
    size_t file; // index into files
};

struct shard_index {
    char *path;         // of the index itself
    const char **files; // plain names, beside the index
    size_t n_files;
    struct shard_entry *entries;
    size_t n_entries;
    json_t *json; // owns the texts above
};

// Deinit also after a failure.
enum status shard_index_read(struct shard_index *index, const char *path, struct error *err);
void shard_index_deinit(struct shard_index *index);

#ifdef __cplusplus
}
#endif
#endif
