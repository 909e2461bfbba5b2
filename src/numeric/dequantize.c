// SPDX-License-Identifier: Apache-2.0
// From any weight type to floats: the plain numbers here, the block formats in dequantize_small.c
// and dequantize_k.c. This is the meaning of the formats that every faster kernel is checked
// against, so it is written to be read, not to be fast.
#include "numeric/blocks.h"

#include "numeric/dequantize_rows.h"
#include "numeric/float16.h"

static uint16_t load_u16(const uint8_t *src) {
    return (uint16_t)(src[0] | src[1] << 8);
}

static void expand_f16(const uint8_t *src, float *dst, size_t n) {
    for (size_t i = 0; i < n; i++)
        dst[i] = float_from_f16(load_u16(src + 2 * i));
}

static void expand_bf16(const uint8_t *src, float *dst, size_t n) {
    for (size_t i = 0; i < n; i++)
        dst[i] = float_from_bf16(load_u16(src + 2 * i));
}

bool dequantize_row(enum dtype dtype, const void *src, float *dst, size_t n_elements) {
    const size_t n_small = n_elements / BLOCK_SMALL, n_super = n_elements / BLOCK_SUPER;
    switch (dtype) {
    case DTYPE_F32:
        memcpy(dst, src, n_elements * sizeof *dst);
        return true;
    case DTYPE_F16:
        expand_f16(src, dst, n_elements);
        return true;
    case DTYPE_BF16:
        expand_bf16(src, dst, n_elements);
        return true;
    case DTYPE_Q4_0:
        dequantize_q4_0(src, dst, n_small);
        return true;
    case DTYPE_Q4_1:
        dequantize_q4_1(src, dst, n_small);
        return true;
    case DTYPE_Q5_0:
        dequantize_q5_0(src, dst, n_small);
        return true;
    case DTYPE_Q5_1:
        dequantize_q5_1(src, dst, n_small);
        return true;
    case DTYPE_Q8_0:
        dequantize_q8_0(src, dst, n_small);
        return true;
    case DTYPE_IQ4_NL:
        dequantize_iq4_nl(src, dst, n_small);
        return true;
    case DTYPE_Q2_K:
        dequantize_q2_k(src, dst, n_super);
        return true;
    case DTYPE_Q3_K:
        dequantize_q3_k(src, dst, n_super);
        return true;
    case DTYPE_Q4_K:
        dequantize_q4_k(src, dst, n_super);
        return true;
    case DTYPE_Q5_K:
        dequantize_q5_k(src, dst, n_super);
        return true;
    case DTYPE_Q6_K:
        dequantize_q6_k(src, dst, n_super);
        return true;
    case DTYPE_IQ4_XS:
        dequantize_iq4_xs(src, dst, n_super);
        return true;
    default:
        return false;
    }
}
