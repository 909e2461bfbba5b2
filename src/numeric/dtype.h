// SPDX-License-Identifier: Apache-2.0
// The number formats that a tensor may have. The numbers are GGUF's type ids (GGUF specification,
// section "tensor info"), so that a file's id needs no translation.
#ifndef XL_NUMERIC_DTYPE_H
#define XL_NUMERIC_DTYPE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum dtype {
    DTYPE_F32 = 0,
    DTYPE_F16 = 1,
    DTYPE_Q4_0 = 2,
    DTYPE_Q4_1 = 3,
    DTYPE_Q5_0 = 6,
    DTYPE_Q5_1 = 7,
    DTYPE_Q8_0 = 8,
    DTYPE_Q2_K = 10,
    DTYPE_Q3_K = 11,
    DTYPE_Q4_K = 12,
    DTYPE_Q5_K = 13,
    DTYPE_Q6_K = 14,
    DTYPE_IQ4_NL = 20,
    DTYPE_IQ4_XS = 23,
    DTYPE_I8 = 24,
    DTYPE_I16 = 25,
    DTYPE_I32 = 26,
    DTYPE_I64 = 27,
    DTYPE_F64 = 28,
    DTYPE_BF16 = 30,
    DTYPE_COUNT = 40
};

struct dtype_info {
    const char *name;   // lower case as in GGUF tools: "q4_0"; NULL for an id that we do not know
    int block_elements; // elements in one block; 1 for plain numbers
    int block_bytes;    // bytes of one block
    bool is_weight;     // may be the type of a weight matrix (integers and f64 may not)
};

// Never NULL; info->name is NULL for an unknown id.
const struct dtype_info *dtype_info(uint32_t id);
// The id of a (lower case) name; false if there is none.
bool dtype_from_name(const char *name, enum dtype *dtype);
// Bytes of n_elements contiguous elements; false if n_elements is no multiple of the block or the
// size overflows.
bool dtype_size_bytes(enum dtype dtype, uint64_t n_elements, uint64_t *size_bytes);

#ifdef __cplusplus
}
#endif
#endif
