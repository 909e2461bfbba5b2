// SPDX-License-Identifier: Apache-2.0
// Weights that are floats of 32 or 16 bits, times float activations, by fused multiply-add.
#include "kernels/avx512/float_tile.h"
#include "kernels/avx512/operations.h"

VEC512_INLINE __m512 load_f32(const uint8_t *line, int part) {
    (void)part;
    return _mm512_load_ps((const void *)line);
}

VEC512_INLINE __m512 load_f16(const uint8_t *line, int part) {
    return vec512_from_f16(line + part * (LINE_BYTES / 2));
}

// Neighbours k and k + 1 of a row share a word: the lower half moves up, the upper half is there.
VEC512_INLINE __m512 load_bf16(const uint8_t *line, int part) {
    __m512i words = _mm512_load_si512((const void *)line);
    return _mm512_castsi512_ps(part ? _mm512_and_si512(words, _mm512_set1_epi32((int)0xffff0000u))
                                    : _mm512_slli_epi32(words, 16));
}

VEC512_INLINE __m512 add_product(__m512 acc, __m512 weights, const uint8_t *word) {
    float x;
    memcpy(&x, word, sizeof x);
    return _mm512_fmadd_ps(weights, _mm512_set1_ps(x), acc);
}

void avx512_matmul_f32(const struct matmul_args *args) {
    float_multiply(args, (struct float_format){load_f32, add_product, 1, 1, 1});
}

void avx512_matmul_f16(const struct matmul_args *args) {
    float_multiply(args, (struct float_format){load_f16, add_product, 2, 2, 1});
}

void avx512_matmul_bf16(const struct matmul_args *args) {
    float_multiply(args, (struct float_format){load_bf16, add_product, 2, 2, 1});
}
