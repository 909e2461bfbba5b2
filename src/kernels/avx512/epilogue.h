// SPDX-License-Identifier: Apache-2.0
// How exact integer sums of a group become part of a float output, for 16 rows (lanes) of one
// token. The AVX-512 and the AMX products must give the same bytes, so both go through these words
// and through nothing else, once per group in the order of k:
//
//   group of 32   acc += (row scale * token scale) * sum;  acc -= row minimum * token sum
//   group of 16   the same with scale[g / 2] and sum16[g]
//
// where a row's minimum is scale * zero + m (numeric/packed.h) and every step rounds once.
// The accumulator of an output starts at +0 and no other float operation touches it.
#ifndef XL_KERNELS_AVX512_EPILOGUE_H
#define XL_KERNELS_AVX512_EPILOGUE_H

#include <immintrin.h>

#if defined(__AVX512F__)

static inline __attribute__((always_inline)) __m512
epilogue_add_group(__m512 acc, __m512i sums, __m512 row_scale, __m512 row_min,
                   const float *token_scale, const float *token_sum) {
    __m512 factor = _mm512_mul_ps(row_scale, _mm512_set1_ps(*token_scale));
    acc = _mm512_fmadd_ps(factor, _mm512_cvtepi32_ps(sums), acc);
    return _mm512_fnmadd_ps(row_min, _mm512_set1_ps(*token_sum), acc);
}

#endif
#endif
