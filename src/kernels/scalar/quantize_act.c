// SPDX-License-Identifier: Apache-2.0
#include "kernels/scalar/operations.h"

#include "numeric/float16.h"

#include <assert.h>
#include <math.h>

// Below this, 127 / max would overflow; such values count as zero.
#define SMALLEST_MAX 0x1p-120f

static int32_t round_half_even(float value) {
    return (int32_t)lrintf(value); // the rounding mode is the default one everywhere
}

// The largest magnitude by its bits, where a NaN is larger than infinity.
static uint32_t largest_bits(const float x[32]) {
    uint32_t largest = 0;
    for (int i = 0; i < 32; i++) {
        uint32_t bits = float_to_bits(x[i]) & 0x7fffffffu;
        if (bits > largest) largest = bits;
    }
    return largest;
}

static void quantize_block(const float x[32], float *scale, float sum[2], int8_t q[32]) {
    uint32_t largest = largest_bits(x);
    float max = float_from_bits(largest);
    bool is_finite = largest < 0x7f800000u;
    float inverse = is_finite && max >= SMALLEST_MAX ? 127.0f / max : 0;
    *scale = is_finite ? (inverse > 0 ? max / 127.0f : 0) : float_from_bits(0x7fc00000u);
    int32_t sums[2] = {0, 0};
    for (int i = 0; i < 32; i++) {
        q[i] = inverse > 0 ? (int8_t)round_half_even(x[i] * inverse) : 0;
        sums[i / 16] += q[i];
    }
    sum[0] = *scale * (float)sums[0];
    sum[1] = *scale * (float)sums[1];
}

void scalar_quantize_act(const float *x, struct act_chunk_q8 *out, int n) {
    assert(n % 32 == 0);
    for (int done = 0; done < n; done += ACT_CHUNK, out++) {
        int n_blocks = n - done < ACT_CHUNK ? (n - done) / 32 : ACT_CHUNK_BLOCKS;
        for (int b = 0; b < n_blocks; b++)
            quantize_block(x + done + 32 * b, &out->scale[b], &out->sum[2 * b], &out->q[32 * b]);
        for (int b = n_blocks; b < ACT_CHUNK_BLOCKS; b++) {
            out->scale[b] = out->sum[2 * b] = out->sum[2 * b + 1] = 0;
            for (int i = 0; i < 32; i++)
                out->q[32 * b + i] = 0;
        }
    }
}
