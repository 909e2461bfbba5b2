// SPDX-License-Identifier: Apache-2.0
// The input rows of a product, one a token, in each form that some weight's kernel reads (floats,
// bf16, q8). Each product of a layer has rows of its own, so that a thread may write the input of
// the next product while a slower one still reads that of the last.
#ifndef XL_MODEL_INPUT_ROWS_H
#define XL_MODEL_INPUT_ROWS_H

#include "kernels/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ACT_FORMATS = 3 };

struct input_rows {
    int n_columns;
    uint8_t *rows[ACT_FORMATS];       // by enum act_format; NULL: nobody reads this form
    size_t stride_bytes[ACT_FORMATS]; // of each form, whether present or not
};

// Sizes for rows of n_columns. Strides are an odd number of cache lines, so that the rows of a tile
// of tokens fall into different sets of the caches.
void input_rows_init(struct input_rows *input, int n_columns);
static inline uint8_t *input_row(const struct input_rows *input, enum act_format form, int token) {
    return input->rows[form] + (size_t)token * input->stride_bytes[form];
}
// Numbers [begin, end) of a token's row, given at x, into the forms (a mask of 1 << form); begin is
// a multiple of 32, and end too unless it is n_columns. x may lie in the float row itself.
void input_rows_convert(const struct input_rows *input, const struct kernels *kernels,
                        unsigned forms, int token, const float *x, int begin, int end);

#ifdef __cplusplus
}
#endif
#endif
