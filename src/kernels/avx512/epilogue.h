// SPDX-License-Identifier: Apache-2.0
// How exact integer sums become part of a float output, for 16 rows (lanes) of one token. The
// AVX-512 and the AMX products must give the same bytes, so both go through these words and through
// nothing else, once per block of 32 in the order of k. The sums are exact and already free of the
// zero point: sum of (quant - zero) * activation quant. Per block b of 32 (in a chunk of 256):
//
//   groups of 32 (q4_0 q4_1 q5_0 q5_1 q8_0 iq4_nl q4_k q5_k iq4_xs)
//       add(sum of the block, scale of the row for the block)
//   q6_k     add(sum of group 2b, d * s8[2b]), then add(sum of group 2b + 1, d * s8[2b + 1])
//   q2_k, q3_k   one sum for the block, with the integer scales of its two groups of 16 inside:
//       add(scale[2b] * sum16[2b] + scale[2b + 1] * sum16[2b + 1], d)
//       (|quant * scale| is below 256, so a product kernel may put it into the weight's byte)
//   then the minimum, where the type has one:
//       q4_1 q5_1     subtract_min(-m, token sum[b])
//       q4_k q5_k     subtract_min(dmin * u8[b], token sum[b])
//       q2_k          subtract_min(dmin * u4[2b], token sum16[2b]), then the same for 2b + 1
//
// token scale is act_chunk_q8.scale[b]. Every product d * integer is exact in a float. The
// accumulator of an output starts at +0, stays one number over the whole k (storing and loading it
// is fine) and no other float operation touches it. What is stored goes
// through epilogue_result.
#ifndef XL_KERNELS_AVX512_EPILOGUE_H
#define XL_KERNELS_AVX512_EPILOGUE_H

#include <immintrin.h>

#if defined(__AVX512F__)

static inline __attribute__((always_inline)) __m512
epilogue_add(__m512 acc, __m512i sums, __m512 row_scale, const float *token_scale) {
    __m512 factor = _mm512_mul_ps(row_scale, _mm512_set1_ps(*token_scale));
    return _mm512_fmadd_ps(factor, _mm512_cvtepi32_ps(sums), acc);
}

static inline __attribute__((always_inline)) __m512
epilogue_subtract_min(__m512 acc, __m512 row_min, const float *token_sum) {
    return _mm512_fnmadd_ps(row_min, _mm512_set1_ps(*token_sum), acc);
}

// What is stored. Which of several NaNs a fused multiply-add hands on depends on the instruction's
// form, which compilers choose: all become one.
static inline __attribute__((always_inline)) __m512 epilogue_result(__m512 acc) {
    __mmask16 is_nan = _mm512_cmp_ps_mask(acc, acc, _CMP_UNORD_Q);
    return _mm512_castsi512_ps(
        _mm512_mask_mov_epi32(_mm512_castps_si512(acc), is_nan, _mm512_set1_epi32(0x7fc00000)));
}

#endif
#endif
