// SPDX-License-Identifier: Apache-2.0
// One GGUF image in memory, checked from the first byte to the last tensor. Knows nothing of files
// and splits; gguf.c does.
#ifndef XL_FORMAT_GGUF_PARSE_H
#define XL_FORMAT_GGUF_PARSE_H

#include "format/gguf.h"
#include "format/name_index.h"

#ifdef __cplusplus
extern "C" {
#endif

// Limits of what a file may ask us to keep in memory. Real files stay far below.
enum {
    GGUF_VALUES_MAX = 1 << 16,
    GGUF_TENSORS_MAX = 1 << 18,
    GGUF_STRINGS_MAX = 1 << 24, // items of one array of strings
    GGUF_KEY_BYTES_MAX = 65535,
    GGUF_NAME_BYTES_MAX = 64,
    GGUF_ALIGNMENT_DEFAULT = 32,
    GGUF_ALIGNMENT_MAX = 1 << 20
};

struct gguf_image {
    const char *label; // what errors call it (a path)
    const uint8_t *data;
    size_t size_bytes;
    uint32_t version;
    uint32_t alignment_bytes;
    size_t data_offset_bytes; // where tensor data begins
    struct gguf_value *values;
    size_t n_values, values_capacity;
    struct gguf_tensor *tensors;
    size_t n_tensors, tensors_capacity;
    struct name_index value_index, tensor_index;
};

// `image` holds label, data and size_bytes and is else zero. Deinit it also after a failure.
enum status gguf_parse(struct gguf_image *image, struct error *err);
void gguf_image_deinit(struct gguf_image *image);

const struct gguf_value *gguf_image_find(const struct gguf_image *image, const char *key);
// Bytes of one scalar of `type`; 0 for strings, arrays and unknown types.
size_t gguf_type_bytes(enum gguf_type type);

#ifdef __cplusplus
}
#endif
#endif
