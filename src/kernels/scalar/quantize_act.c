// SPDX-License-Identifier: Apache-2.0
// Activations to ACT_Q8, one block of 32 at a time.
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

// Block b of a chunk.
static void quantize_block(const float x[32], struct act_chunk_q8 *chunk, int b) {
    uint32_t largest = largest_bits(x);
    float max = float_from_bits(largest);
    bool is_finite = largest < 0x7f800000u;
    float inverse = is_finite && max >= SMALLEST_MAX ? 127.0f / max : 0;
    float scale = is_finite ? (inverse > 0 ? max / 127.0f : 0) : float_from_bits(0x7fc00000u);
    int8_t *q = chunk->q + 32 * b;
    int32_t sums[2] = {0, 0};
    for (int i = 0; i < 32; i++) {
        q[i] = inverse > 0 ? (int8_t)round_half_even(x[i] * inverse) : 0;
        sums[i / 16] += q[i];
    }
    chunk->scale[b] = scale;
    chunk->sum[b] = scale * (float)(sums[0] + sums[1]);
    chunk->sum16[2 * b] = scale * (float)sums[0];
    chunk->sum16[2 * b + 1] = scale * (float)sums[1];
}

void scalar_quantize_act(const float *x, struct act_chunk_q8 *row, int begin, int n) {
    assert(begin % 32 == 0 && n % 32 == 0);
    for (int i = 0; i < n; i += 32) {
        int block = (begin + i) / 32;
        quantize_block(x + i, row + block / ACT_CHUNK_BLOCKS, block % ACT_CHUNK_BLOCKS);
    }
}
