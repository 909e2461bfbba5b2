// SPDX-License-Identifier: Apache-2.0
// Activation quantization: the contract's arithmetic, and the same bytes as scalar.
#include "checks.h"
#include "guarded.h"
#include "random_data.h"

#include <math.h>
#include <string.h>

enum { TRIALS = 200 };

// Block b of a chunk.
static bool check_block(const float *x, const struct act_chunk_q8 *chunk, int b) {
    const float scale = chunk->scale[b], sum = chunk->sum[b], *sum16 = &chunk->sum16[2 * b];
    const int8_t *q = &chunk->q[32 * b];
    double largest = 0;
    bool is_finite = true;
    int sums[2] = {0, 0};
    for (int i = 0; i < 32; i++) {
        is_finite = is_finite && isfinite(x[i]);
        largest = fmax(largest, fabs((double)x[i]));
        sums[i / 16] += q[i];
    }
    if (!is_finite) return isnan(scale) && isnan(sum) && isnan(sum16[0]) && isnan(sum16[1]);
    if (largest < 0x1p-120) return scale == 0 && sums[0] == 0 && sums[1] == 0 && sum == 0;
    if (scale != (float)largest / 127.0f) return false;
    for (int i = 0; i < 32; i++)
        if (fabs((double)x[i] / (double)scale - q[i]) > 0.5001) return false;
    return sum == scale * (float)(sums[0] + sums[1]) && sum16[0] == scale * (float)sums[0] &&
           sum16[1] == scale * (float)sums[1];
}

// The blocks begin .. begin + n of a row follow the contract; x: their values.
static bool check_row(const float *x, const struct act_chunk_q8 *row, int begin, int n) {
    for (int i = 0; i < n; i += 32) {
        const int block = (begin + i) / 32;
        if (!check_block(x + i, &row[block / 8], block % 8))
            return check_failed("block %d, of %d from %d, breaks the contract", block, n / 32,
                                begin / 32);
    }
    return true;
}

// Values that lie exactly between two quants, damage, and a very small block.
static void add_special(float *x, int n) {
    static const float specials[] = {0.5f, 1.5f, -0.5f, -2.5f, 126.5f, -126.5f};
    int at = random_between(0, n / 32 - 1) * 32;
    for (int i = 0; i < 32; i++)
        x[at + i] = i ? specials[random_between(0, 5)] : 127.0f;
    at = random_between(0, n - 1);
    int kind = random_between(0, 5);
    if (kind == 0) x[at] = INFINITY;
    if (kind == 1) x[at] = -NAN;
    if (kind == 2) x[at] = 3e38f;
    for (int i = 0; kind == 3 && i < 32; i++)
        x[at / 32 * 32 + i] *= 0x1p-119f;
}

// A row in one call, in pieces, or only its middle: whatever is not asked for stays as it was.
static void quantize(const struct kernels *kernels, const float *x, struct act_chunk_q8 *row,
                     int begin, int n, bool in_pieces) {
    for (int done = 0, step; done < n; done += step) {
        step = in_pieces ? 32 * random_between(1, (n - done) / 32) : n - done;
        kernels->quantize_act(x + done, row, begin + done, step);
    }
}

bool check_quantize_act(const struct check_context *context) {
    for (int trial = 0; trial < check_trials(context, TRIALS); trial++) {
        const int n = 32 * random_between(1, 40), begin = 32 * random_between(0, 17);
        const bool at_end = random_between(0, 1);
        const size_t size_bytes = act_row_bytes(ACT_Q8, begin + n);
        float *x = guarded_new((size_t)n * sizeof *x, at_end);
        struct act_chunk_q8 *expected = guarded_new(size_bytes, at_end);
        struct act_chunk_q8 *got = guarded_new(size_bytes, at_end);
        random_activations(x, n, (enum data_mode)(trial % DATA_MODES));
        if (trial % 2) add_special(x, n);
        memset(expected, 0x77, size_bytes);
        memset(got, 0x77, size_bytes);
        quantize(&context->scalar, x, expected, begin, n, false);
        quantize(&context->tested, x, got, begin, n, trial % 3 == 0);
        bool passed = check_row(x, got, begin, n);
        if (passed && memcmp(got, expected, size_bytes) != 0)
            passed = check_failed("not the same bytes as scalar, from %d, n %d", begin, n);
        if (!guarded_release()) return check_failed("wrote outside its buffers");
        if (!passed) return false;
    }
    return true;
}
