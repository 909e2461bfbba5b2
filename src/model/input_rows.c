// SPDX-License-Identifier: Apache-2.0
// See input_rows.h.
#include "model/input_rows.h"

#include <string.h>

enum { CACHE_LINE_BYTES = 64 };

void input_rows_init(struct input_rows *input, int n_columns) {
    memset(input, 0, sizeof *input);
    input->n_columns = n_columns;
    for (int form = 0; form < ACT_FORMATS; form++) {
        size_t lines = (act_row_bytes((enum act_format)form, n_columns) + CACHE_LINE_BYTES - 1) /
                       CACHE_LINE_BYTES;
        input->stride_bytes[form] = (lines | 1) * CACHE_LINE_BYTES;
    }
}

// The bytes between the last number and the next multiple of 64 are zeros by contract.
static void convert_bf16(const struct kernels *kernels, const float *x, uint16_t *row, int begin,
                         int end, int n_columns) {
    kernels->to_bf16(x, row + begin, end - begin);
    if (end == n_columns)
        memset(row + end, 0, act_row_bytes(ACT_BF16, n_columns) - (size_t)n_columns * sizeof *row);
}

void input_rows_convert(const struct input_rows *input, const struct kernels *kernels,
                        unsigned forms, int token, const float *x, int begin, int end) {
    if (begin >= end) return;
    if (forms & 1u << ACT_F32) {
        float *part = (float *)(void *)input_row(input, ACT_F32, token) + begin;
        if (part != x) memcpy(part, x, (size_t)(end - begin) * sizeof *part);
    }
    if (forms & 1u << ACT_BF16)
        convert_bf16(kernels, x, (void *)input_row(input, ACT_BF16, token), begin, end,
                     input->n_columns);
    if (forms & 1u << ACT_Q8)
        kernels->quantize_act(x, (void *)input_row(input, ACT_Q8, token), begin, end - begin);
}
