// SPDX-License-Identifier: Apache-2.0
// What torch.save wrote, from its value tree: names, types, shapes, strides and the storage each
// tensor looks into. Knows the allow-list; knows nothing of files.
#ifndef XL_FORMAT_TORCH_TENSORS_H
#define XL_FORMAT_TORCH_TENSORS_H

#include "format/checkpoint.h"
#include "format/pickle.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const struct pickle_global torch_globals[];
extern const size_t torch_n_globals;

// The storage that a persistent id names.
struct torch_storage_id {
    const char *key; // not terminated
    size_t key_bytes;
    enum dtype dtype; // DTYPE_COUNT: untyped bytes
    uint64_t n_elements, size_bytes;
    uint64_t view_begin, view_size; // in elements; the whole storage unless it is a view
};

// A view of a storage: element i of dimension d lies strides[d] * i elements further.
struct torch_tensor {
    struct checkpoint_tensor tensor; // data: NULL
    uint64_t strides[CHECKPOINT_DIMS_MAX];
    uint64_t begin; // first element, counted from the storage's begin
    struct torch_storage_id storage;
    size_t storage_number; // the file reader's
    bool is_contiguous;
};

struct torch_tensors {
    struct torch_tensor *items;
    size_t n_items;
};

// False if the value is no well-formed persistent id of a storage.
bool torch_storage_id_read(struct torch_storage_id *id, const struct pickle_value *value);

// `pickle` must outlive the result. Deinit also after a failure.
enum status torch_tensors_read(struct torch_tensors *tensors, const char *label,
                               uint64_t base_offset_bytes, const struct pickle *pickle,
                               struct error *err);
void torch_tensors_deinit(struct torch_tensors *tensors);

#ifdef __cplusplus
}
#endif
#endif
