// SPDX-License-Identifier: Apache-2.0
// GGUF v2 and v3 files, single or split: metadata and tensor directory, checked completely before
// anything is handed out. Tensor data stays in the mapping. Writer: gguf_writer.h.
#ifndef XL_FORMAT_GGUF_H
#define XL_FORMAT_GGUF_H

#include "base/mapped_file.h"
#include "base/status.h"
#include "numeric/dtype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum gguf_type { // ids of the specification
    GGUF_U8 = 0,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64
};

// Bytes inside the mapping: not terminated, may hold anything.
struct gguf_string {
    const char *data;
    size_t size_bytes;
};

struct gguf_value {
    struct gguf_string key;
    enum gguf_type type;
    enum gguf_type item_type;          // for GGUF_ARRAY
    uint64_t n_items;                  // for GGUF_ARRAY
    const uint8_t *data;               // little-endian payload; for arrays the first item
    size_t size_bytes;                 // of the payload
    const struct gguf_string *strings; // for an array of strings: [n_items]
};

enum { GGUF_DIMS_MAX = 4 };

struct gguf_tensor {
    const char *name; // terminated, unique in the file(s)
    enum dtype dtype;
    int n_dims;
    uint64_t dims[GGUF_DIMS_MAX]; // GGUF order: dims[0] is contiguous
    uint64_t n_elements, size_bytes;
    // Inside the mapping, general.alignment apart (32 by default, but a file may say 1: whoever
    // needs aligned loads from any file goes through checkpoint.h).
    const uint8_t *data;
};

struct gguf;

// Opens `path`; for the first file of a split (…-00001-of-00003.gguf) opens all of them.
enum status gguf_open(struct gguf **gguf, const char *path, struct error *err);
// The same over bytes in memory, which must outlive the result. `label` stands for the path in
// errors. The first part of a split is refused: there is no place to look for the others.
enum status gguf_open_memory(struct gguf **gguf, const char *label, const void *data,
                             size_t size_bytes, struct error *err);
void gguf_close(struct gguf *gguf); // NULL is allowed

const char *gguf_path(const struct gguf *gguf);
uint32_t gguf_version(const struct gguf *gguf);
size_t gguf_n_values(const struct gguf *gguf);
const struct gguf_value *gguf_value_at(const struct gguf *gguf, size_t index);
const struct gguf_value *gguf_find(const struct gguf *gguf, const char *key); // NULL: absent
size_t gguf_n_tensors(const struct gguf *gguf);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *gguf, size_t index);
// By name (hash lookup); NULL: absent.
const struct gguf_tensor *gguf_find_tensor(const struct gguf *gguf, const char *name);
// Lets the kernel drop the pages of a part of a tensor that has been used for now. A hint only.
void gguf_release(const struct gguf *gguf, const struct gguf_tensor *tensor, size_t offset_bytes,
                  size_t size_bytes);
// The files that were opened: the only one, or the parts of a split.
size_t gguf_n_files(const struct gguf *gguf);
const struct file_identity *gguf_file_identity(const struct gguf *gguf, size_t index);

// Typed getters: false if absent or of a kind that does not fit (any integer type converts if the
// value fits; f32/f64/integers convert to double). Strings are not copied.
bool gguf_get_u64(const struct gguf *gguf, const char *key, uint64_t *value);
bool gguf_get_f64(const struct gguf *gguf, const char *key, double *value);
bool gguf_get_bool(const struct gguf *gguf, const char *key, bool *value);
bool gguf_get_string(const struct gguf *gguf, const char *key, struct gguf_string *value);
// Item `index` of an array value.
bool gguf_item_u64(const struct gguf_value *value, uint64_t index, uint64_t *item);
bool gguf_item_f64(const struct gguf_value *value, uint64_t index, double *item);

#ifdef __cplusplus
}
#endif
#endif
