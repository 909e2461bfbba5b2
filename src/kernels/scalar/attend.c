// SPDX-License-Identifier: Apache-2.0
// One query head against its cached keys and values: scores, softmax, weighted sum.
#include "kernels/scalar/operations.h"

#include "numeric/float16.h"

#include <assert.h>
#include <math.h>
#include <string.h>

// Element i of position p.
static float cached(const void *base, const struct attend_args *args, int p, int i) {
    const uint8_t *vector = (const uint8_t *)base + (size_t)p * args->stride_bytes;
    if (args->kv_dtype == DTYPE_F32) {
        float value;
        memcpy(&value, vector + sizeof value * (size_t)i, sizeof value);
        return value;
    }
    uint16_t half;
    memcpy(&half, vector + sizeof half * (size_t)i, sizeof half);
    return float_from_f16(half);
}

void scalar_attend(const struct attend_args *args) {
    assert(args->kv_dtype == DTYPE_F32 || args->kv_dtype == DTYPE_F16);
    for (int p = 0; p < args->n_positions; p++) {
        double dot = 0;
        for (int i = 0; i < args->head_dim; i++)
            dot += (double)args->q[i] * (double)cached(args->keys, args, p, i);
        float score = (float)dot * args->scale;
        args->scores[p] = args->softcap > 0 ? args->softcap * tanhf(score / args->softcap) : score;
    }
    scalar_softmax(args->scores, args->n_positions);
    for (int i = 0; i < args->head_dim; i++) {
        double sum = 0;
        for (int p = 0; p < args->n_positions; p++)
            sum += (double)args->scores[p] * (double)cached(args->values, args, p, i);
        args->out[i] = (float)sum;
    }
}
