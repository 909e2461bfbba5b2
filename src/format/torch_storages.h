// SPDX-License-Identifier: Apache-2.0
// The storages of one PyTorch file by key, and where their bytes are.
#ifndef XL_FORMAT_TORCH_STORAGES_H
#define XL_FORMAT_TORCH_STORAGES_H

#include "format/torch_tensors.h"
#include "format/zip_directory.h"

#ifdef __cplusplus
extern "C" {
#endif

struct torch_storage {
    struct torch_storage_id id;
    const uint8_t *data;            // id.size_bytes of them; NULL: unpack `packed`
    const struct zip_entry *packed; // NULL in the older format
};

struct torch_storages {
    const char *label; // a path, for errors
    struct torch_storage *items;
    size_t n_items, capacity;
    struct name_index keys;
};

void torch_storages_init(struct torch_storages *storages, const char *label);
void torch_storages_deinit(struct torch_storages *storages);
// Adds the storage unless its key is there already with the same size; *number is its index.
enum status torch_storages_add(struct torch_storages *storages, const struct torch_storage_id *id,
                               size_t *number, struct error *err);

// Finds the bytes of the storages that the tensors name, in a zip archive whose entries' names
// begin with `root`.
enum status torch_storages_from_zip(struct torch_storages *storages, struct torch_tensors *tensors,
                                    const struct zip_directory *directory, const char *root,
                                    size_t root_bytes, struct error *err);
// The same in the older format, where a pickled list of keys and the raw storages follow the
// pickle `pickle`, which ends at data[begin_bytes].
enum status torch_storages_from_legacy(struct torch_storages *storages,
                                       struct torch_tensors *tensors, const struct pickle *pickle,
                                       const uint8_t *data, size_t size_bytes, size_t begin_bytes,
                                       struct error *err);

#ifdef __cplusplus
}
#endif
#endif
