// SPDX-License-Identifier: Apache-2.0
// One file that torch.save wrote: a zip archive (PyTorch 1.6 and later) or the older sequence of
// pickles and raw storages. Shards are checkpoint.c's business.
#ifndef XL_FORMAT_TORCH_FILE_H
#define XL_FORMAT_TORCH_FILE_H

#include "format/checkpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

struct torch_file;

enum status torch_file_open(struct torch_file **file, const char *path, struct error *err);
// Over bytes that outlive the result; `label` stands for the path in errors.
enum status torch_file_open_memory(struct torch_file **file, const char *label, const void *data,
                                   size_t size_bytes, struct error *err);
void torch_file_close(struct torch_file *file); // NULL is allowed

size_t torch_file_n_tensors(const struct torch_file *file);
// `data` is NULL for a view with gaps (a transposed tensor) and for a packed entry; else it may be
// unaligned.
const struct checkpoint_tensor *torch_file_tensor_at(const struct torch_file *file, size_t index);
// Gathers the tensor's contiguous bytes (size_bytes of them).
enum status torch_file_read(const struct torch_file *file, size_t index, void *dst,
                            struct error *err);
void torch_file_release(const struct torch_file *file, size_t index, size_t offset_bytes,
                        size_t size_bytes);
const struct file_identity *torch_file_identity(const struct torch_file *file);

#ifdef __cplusplus
}
#endif
#endif
