// SPDX-License-Identifier: Apache-2.0
// One view of any checkpoint: named tensors with a type, a shape and bytes, whether they come from
// GGUF, safetensors (single or sharded) or PyTorch files (zip or legacy, single or sharded).
// It does not know what the tensors mean; model/ does.
#ifndef XL_FORMAT_CHECKPOINT_H
#define XL_FORMAT_CHECKPOINT_H

#include "base/status.h"
#include "format/gguf.h"
#include "format/hf_config.h"
#include "numeric/dtype.h"

#ifdef __cplusplus
extern "C" {
#endif

enum checkpoint_format {
    CHECKPOINT_AUTO, // look at the path
    CHECKPOINT_GGUF,
    CHECKPOINT_SAFETENSORS,
    CHECKPOINT_TORCH
};

enum { CHECKPOINT_DIMS_MAX = 4 };

struct checkpoint_tensor {
    const char *name; // terminated; unique in the checkpoint
    enum dtype dtype; // unsigned and boolean ones appear as the signed type of the same width
    int n_dims;
    uint64_t shape[CHECKPOINT_DIMS_MAX]; // slowest first, as PyTorch prints it: [rows, columns]
    uint64_t n_elements, size_bytes;     // size_bytes: contiguous
    // Contiguous bytes in a mapping, or NULL: use checkpoint_read (a transposed or packed tensor,
    // or one at an address that its type cannot be loaded from).
    const uint8_t *data;
};

struct checkpoint;

// `path`: a .gguf, .safetensors, .bin, .pth or .pt file, or a directory that holds a Hugging Face
// checkpoint (safetensors preferred over .bin) or exactly one such file. For a file, config.json
// and its siblings are looked for in the file's directory.
enum status checkpoint_open(struct checkpoint **checkpoint, const char *path,
                            enum checkpoint_format format, struct error *err);
void checkpoint_close(struct checkpoint *checkpoint); // NULL is allowed

enum checkpoint_format checkpoint_kind(const struct checkpoint *checkpoint);
const char *checkpoint_path(const struct checkpoint *checkpoint);
size_t checkpoint_n_tensors(const struct checkpoint *checkpoint);
const struct checkpoint_tensor *checkpoint_tensor_at(const struct checkpoint *checkpoint,
                                                     size_t index);
// NULL if there is none of that name (hash lookup).
const struct checkpoint_tensor *checkpoint_find(const struct checkpoint *checkpoint,
                                                const char *name);
// Copies the tensor's contiguous bytes (tensor->size_bytes of them) to dst.
enum status checkpoint_read(const struct checkpoint *checkpoint,
                            const struct checkpoint_tensor *tensor, void *dst, struct error *err);
// Lets the kernel drop the pages of a mapped tensor that has been used for now, or of a part of it.
void checkpoint_release(const struct checkpoint *checkpoint,
                        const struct checkpoint_tensor *tensor);
void checkpoint_release_part(const struct checkpoint *checkpoint,
                             const struct checkpoint_tensor *tensor, size_t offset_bytes,
                             size_t size_bytes);

// The files that hold the tensors, as they were when they were opened.
size_t checkpoint_n_files(const struct checkpoint *checkpoint);
const struct file_identity *checkpoint_file_identity(const struct checkpoint *checkpoint,
                                                     size_t index);

// The metadata that came along: exactly one of the two is not NULL when the checkpoint is GGUF or
// has a config.json; a bare tensor file has neither. Owned by the checkpoint.
const struct gguf *checkpoint_gguf(const struct checkpoint *checkpoint);
const struct hf_config *checkpoint_hf(const struct checkpoint *checkpoint);

#ifdef __cplusplus
}
#endif
#endif
