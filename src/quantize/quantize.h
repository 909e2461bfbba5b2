// SPDX-License-Identifier: Apache-2.0
// Floats to the storage formats. It knows rows and how much a column matters, not tensors or files.
// Rows are independent and results do not depend on threads, compiler or machine: callers may split
// a matrix as they like.
#ifndef XL_QUANTIZE_QUANTIZE_H
#define XL_QUANTIZE_QUANTIZE_H

#include "numeric/dtype.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Formats that can be written: f32 f16 bf16 q4_0 q4_1 q5_0 q5_1 q8_0 q4_k q5_k q6_k.
bool quantize_supported(enum dtype dtype);

// True if values that a block says already are written as just that block again, whatever
// importance says: so the second time loses nothing, and the bytes are the same.
bool quantize_keeps(enum dtype dtype);

// No NaN and no infinity among n floats. quantize_rows must not see any.
bool quantize_finite(const float *x, size_t n);

// The largest magnitude that the format can hold: beyond it values saturate.
float quantize_magnitude_max(enum dtype dtype);

// x [n_rows][n_columns] to dst (dtype_size_bytes of it, no alignment needed). n_columns is a
// multiple of the format's block. importance [n_columns] >= 0 says how much an error in a column
// costs, e.g. the mean squared activation that meets it; NULL: all columns alike. dtype must be
// supported.
void quantize_rows(enum dtype dtype, const float *x, void *dst, size_t n_rows, size_t n_columns,
                   const float *importance);

#ifdef __cplusplus
}
#endif
#endif
