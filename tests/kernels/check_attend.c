// SPDX-License-Identifier: Apache-2.0
// Attention of one head, against double arithmetic.
#include "checks.h"
#include "guarded.h"
#include "random_data.h"

#include "base/clock.h"
#include "numeric/float16.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIALS = 150, POSITIONS_MAX = 300, HEAD_MAX = 260 };

static size_t element_bytes(enum dtype dtype) {
    return dtype == DTYPE_F32 ? sizeof(float) : sizeof(uint16_t);
}

static double cached(const struct attend_args *args, const void *base, int position, int i) {
    const uint8_t *p = (const uint8_t *)base + (size_t)position * args->stride_bytes +
                       (size_t)i * element_bytes(args->kv_dtype);
    float value;
    uint16_t half;
    if (args->kv_dtype == DTYPE_F32) {
        memcpy(&value, p, sizeof value);
        return (double)value;
    }
    memcpy(&half, p, sizeof half);
    return (double)float_from_f16(half);
}

static uint8_t *random_cache(const struct attend_args *args, bool at_end) {
    size_t row_bytes = (size_t)args->head_dim * element_bytes(args->kv_dtype);
    uint8_t *data =
        guarded_new(args->stride_bytes * (size_t)(args->n_positions - 1) + row_bytes, at_end);
    for (int p = 0; p < args->n_positions; p++)
        random_weights(data + (size_t)p * args->stride_bytes, args->kv_dtype,
                       (size_t)args->head_dim, DATA_RANDOM);
    return data;
}

static void fill(struct attend_args *args, int trial) {
    bool at_end = random_between(0, 1);
    args->kv_dtype = trial % 2 ? DTYPE_F16 : DTYPE_F32;
    args->head_dim = trial % 4 == 0 ? random_between(1, HEAD_MAX) : 8 * random_between(1, 32);
    args->n_positions = trial < 20 ? trial + 1 : random_between(1, POSITIONS_MAX);
    size_t row_bytes = (size_t)args->head_dim * element_bytes(args->kv_dtype);
    args->stride_bytes = row_bytes + element_bytes(args->kv_dtype) * (size_t)random_between(0, 40);
    args->scale = random_float(0.05f, 6);
    args->softcap = trial % 3 == 0 ? random_float(1, 50) : 0;
    float *q = guarded_new((size_t)args->head_dim * sizeof(float), at_end);
    random_activations(q, args->head_dim, DATA_RANDOM);
    args->q = q;
    args->keys = random_cache(args, at_end);
    args->values = random_cache(args, at_end);
    args->scores = guarded_new((size_t)args->n_positions * sizeof(float), at_end);
    args->out = guarded_new((size_t)args->head_dim * sizeof(float), at_end);
}

// Returns a bound on the error of any score; fills the weights.
static double reference_weights(const struct attend_args *args, double *weights) {
    double largest = -INFINITY, sum = 0, error = 0;
    for (int p = 0; p < args->n_positions; p++) {
        double dot = 0, size = 0;
        for (int i = 0; i < args->head_dim; i++) {
            double term = (double)args->q[i] * cached(args, args->keys, p, i);
            dot += term;
            size += fabs(term);
        }
        weights[p] = dot * (double)args->scale;
        if (args->softcap > 0)
            weights[p] = (double)args->softcap * tanh(weights[p] / (double)args->softcap);
        error = fmax(error, 1e-6 * size * (double)args->scale + 5e-7 * (double)args->softcap);
        largest = fmax(largest, weights[p]);
    }
    for (int p = 0; p < args->n_positions; p++)
        sum += weights[p] = exp(weights[p] - largest);
    for (int p = 0; p < args->n_positions; p++)
        weights[p] /= sum;
    return error + 2e-6;
}

static bool check_values(const struct attend_args *args) {
    double weights[POSITIONS_MAX];
    double error = reference_weights(args, weights);
    for (int i = 0; i < args->head_dim; i++) {
        double expected = 0, size = 0;
        for (int p = 0; p < args->n_positions; p++) {
            double term = weights[p] * cached(args, args->values, p, i);
            expected += term;
            size += fabs(term);
        }
        if (!check_close((double)args->out[i], expected, 2 * error * size + 1e-40))
            return check_failed(
                "head_dim %d, %d positions, %s, softcap %g, element %d: %.9g, not %.9g",
                args->head_dim, args->n_positions, dtype_info(args->kv_dtype)->name,
                (double)args->softcap, i, (double)args->out[i], expected);
    }
    return true;
}

bool check_attend(const struct check_context *context) {
    for (int trial = 0; trial < TRIALS; trial++) {
        struct attend_args args;
        fill(&args, trial);
        context->tested.attend(&args);
        bool passed = check_values(&args);
        if (!guarded_release()) return check_failed("wrote outside its buffers");
        if (!passed) return false;
    }
    return true;
}

void bench_attend(const struct check_context *context) {
    enum { POSITIONS = 2048, HEAD_DIM = 128 };
    size_t cache_bytes = (size_t)POSITIONS * HEAD_DIM * sizeof(uint16_t);
    uint16_t *keys = malloc(cache_bytes), *values = malloc(cache_bytes);
    float *scores = malloc(POSITIONS * sizeof *scores), q[HEAD_DIM], out[HEAD_DIM];
    if (!keys || !values || !scores) exit(1);
    random_weights((void *)keys, DTYPE_F16, (size_t)POSITIONS * HEAD_DIM, DATA_RANDOM);
    random_weights((void *)values, DTYPE_F16, (size_t)POSITIONS * HEAD_DIM, DATA_RANDOM);
    random_activations(q, HEAD_DIM, DATA_RANDOM);
    struct attend_args args = {.q = q,
                               .keys = keys,
                               .values = values,
                               .kv_dtype = DTYPE_F16,
                               .stride_bytes = HEAD_DIM * sizeof(uint16_t),
                               .scores = scores,
                               .out = out,
                               .scale = 0.09f,
                               .n_positions = POSITIONS,
                               .head_dim = HEAD_DIM};
    double best = INFINITY;
    for (int i = 0; i < 20; i++) {
        double start = clock_seconds();
        context->tested.attend(&args);
        best = fmin(best, clock_seconds() - start);
    }
    printf("bench attend/%s: f16, %d positions of %d: %.1f us, %.1f GFLOP/s, %.1f GB/s\n",
           isa_name(context->tested.isa), POSITIONS, HEAD_DIM, best * 1e6,
           4e-9 * POSITIONS * HEAD_DIM / best, 2e-9 * (double)cache_bytes / best);
    free(keys);
    free(values);
    free(scores);
}
