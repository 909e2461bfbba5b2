// SPDX-License-Identifier: Apache-2.0
// One .safetensors file: a JSON header and tensor bytes that follow each other without holes.
// Shards are checkpoint.c's business.
#ifndef XL_FORMAT_SAFETENSORS_H
#define XL_FORMAT_SAFETENSORS_H

#include "format/checkpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

struct safetensors;

enum status safetensors_open(struct safetensors **file, const char *path, struct error *err);
// Over bytes that outlive the result; `label` stands for the path in errors.
enum status safetensors_open_memory(struct safetensors **file, const char *label, const void *data,
                                    size_t size_bytes, struct error *err);
void safetensors_close(struct safetensors *file); // NULL is allowed

size_t safetensors_n_tensors(const struct safetensors *file);
// `data` is never NULL here, but may be unaligned.
const struct checkpoint_tensor *safetensors_tensor_at(const struct safetensors *file, size_t index);
void safetensors_release(const struct safetensors *file, size_t index, size_t offset_bytes,
                         size_t size_bytes);
const struct file_identity *safetensors_file_identity(const struct safetensors *file);

#ifdef __cplusplus
}
#endif
#endif
