// SPDX-License-Identifier: Apache-2.0
// bfloat16 weights times bfloat16 activations by AVX512_BF16, which multiplies pairs: twice the
// speed of fused multiply-adds. This file alone is compiled for that extension.
#include "kernels/avx512/float_tile.h"
#include "kernels/avx512/operations.h"

VEC512_INLINE __m512 load_pairs(const uint8_t *line, int part) {
    (void)part;
    return _mm512_load_ps((const void *)line);
}

VEC512_INLINE __m512 add_pairs(__m512 acc, __m512 weights, const uint8_t *word) {
    int32_t x;
    memcpy(&x, word, sizeof x);
    return _mm512_dpbf16_ps(acc, (__m512bh)weights, (__m512bh)_mm512_set1_epi32(x));
}

void avx512_matmul_bf16_dot(const struct matmul_args *args) {
    float_multiply(args, (struct float_format){load_pairs, add_pairs, 1, 1, 2});
}
