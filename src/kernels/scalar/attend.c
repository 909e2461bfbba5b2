// SPDX-License-Identifier: Apache-2.0
// Attention as defined: for each query row and segment all scores, their largest, the weights and
// the weighted sum of values, in double arithmetic. An 8-bit cache has 8-bit queries: their
// rounding is part of the definition, so that the scores are exact integer sums at every level.
#include "kernels/attend_state.h"
#include "kernels/scalar/operations.h"

#include "numeric/float16.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static double key_element(const struct kv_head *kv, int head_dim, int position, int i) {
    const void *keys = kv_page_at(kv, position).keys;
    size_t tile = (size_t)(position % KV_PAGE / KV_TILE), lane = (size_t)(position % KV_TILE);
    size_t dim = (size_t)head_dim, d = (size_t)i;
    if (kv->dtype == DTYPE_F32)
        return (double)((const float *)keys)[(tile * dim + d) * KV_TILE + lane];
    if (kv->dtype == DTYPE_I8)
        return (
            (const int8_t *)keys)[((tile * ((dim + 3) / 4) + d / 4) * KV_TILE + lane) * 4 + d % 4];
    const uint16_t *halves = keys;
    if (kv->dtype == DTYPE_F16)
        return (double)float_from_f16(halves[(tile * dim + d) * KV_TILE + lane]);
    size_t at = ((tile * ((dim + 1) / 2) + d / 2) * KV_TILE + lane) * 2 + d % 2;
    return (double)float_from_bf16(halves[at]);
}

static double value_element(const struct kv_head *kv, int head_dim, int position, int i) {
    struct kv_page page = kv_page_at(kv, position);
    size_t p = (size_t)(position % KV_PAGE), dim = (size_t)head_dim, d = (size_t)i;
    if (kv->dtype == DTYPE_F32) return (double)((const float *)page.values)[p * dim + d];
    if (kv->dtype == DTYPE_I8)
        return (double)page.value_scales[p] * ((const int8_t *)page.values)[p * dim + d];
    const uint16_t *halves = page.values;
    if (kv->dtype == DTYPE_F16) return (double)float_from_f16(halves[p * dim + d]);
    return (double)float_from_bf16(halves[(p / 2 * dim + d) * 2 + p % 2]);
}

// The factor by which the 8-bit form of a rotated query row is multiplied.
static float query_scale(const struct attend_args *args, const float *q) {
    float largest = 0;
    for (int i = 0; i < args->head_dim; i++) {
        if (!isfinite(q[i])) return NAN;
        largest = fmaxf(largest, fabsf(q[i]));
    }
    return largest < 0x1p-120f ? 0.0f : largest / 127.0f;
}

static double score(const struct attend_args *args, const float *q, float q_scale, int position) {
    bool is_i8 = args->kv.dtype == DTYPE_I8;
    double dot = 0;
    for (int i = 0; i < args->head_dim; i++) {
        double element = (double)q[i];
        if (is_i8) element = q_scale > 0 ? (double)rintf(q[i] * (1.0f / q_scale)) : 0;
        dot += element * key_element(&args->kv, args->head_dim, position, i);
    }
    if (is_i8)
        dot *= (double)q_scale *
               (double)kv_page_at(&args->kv, position).key_scales[position % KV_PAGE] /
               kv_rotation_size(args->head_dim);
    dot *= (double)args->scale;
    double cap = (double)args->softcap;
    return cap > 0 ? cap * tanh(dot / cap) : dot;
}

// The state of one row over positions [begin, end) of one segment.
static void attend_segment(const struct attend_args *args, const float *q, int begin, int end,
                           float *state) {
    double weights[KV_SEGMENT], largest = -INFINITY, sum = 0;
    float q_scale = args->kv.dtype == DTYPE_I8 ? query_scale(args, q) : 1.0f;
    for (int p = begin; p < end; p++) {
        weights[p - begin] = score(args, q, q_scale, p);
        largest = fmax(largest, weights[p - begin]);
    }
    state[STATE_MAX] = (float)largest;
    for (int p = begin; p < end; p++)
        sum += weights[p - begin] = exp(weights[p - begin] - (double)state[STATE_MAX]);
    state[STATE_SUM] = (float)sum;
    for (int i = 0; i < args->head_dim; i++) {
        double acc = 0;
        for (int p = begin; p < end; p++)
            acc += weights[p - begin] * value_element(&args->kv, args->head_dim, p, i);
        state[STATE_ACC + i] = (float)acc;
    }
}

static void attend_row(const struct attend_args *args, int token, int head) {
    const float *q = args->q + (size_t)token * args->q_stride + (size_t)head * args->head_dim;
    float *total = args->scratch, *state = total + STATE_ACC + args->head_dim;
    int begin, end;
    if (args->kv.dtype == DTYPE_I8) {
        float *rotated = state + STATE_ACC + args->head_dim;
        kv_rotate(q, rotated, args->head_dim, kv_rotation_size(args->head_dim));
        q = rotated;
    }
    attend_visible(args, token, &begin, &end);
    int first = args->partial ? args->segment_begin : begin / KV_SEGMENT;
    int last = args->partial ? args->segment_end : (end + KV_SEGMENT - 1) / KV_SEGMENT;
    total[STATE_MAX] = -INFINITY;
    total[STATE_SUM] = 0;
    for (int segment = first; segment < last; segment++) {
        int from = segment * KV_SEGMENT, to = from + KV_SEGMENT;
        if (args->partial) state = attend_partial(args, segment, token, head);
        attend_segment(args, q, from > begin ? from : begin, to < end ? to : end, state);
        if (!args->partial) attend_state_merge(total, state, args->head_dim);
    }
    if (args->partial) return;
    float *out = args->out + (size_t)token * args->out_stride + (size_t)head * args->head_dim;
    attend_state_finish(total, out, args->head_dim);
}

void scalar_attend(const struct attend_args *args) {
    assert(args->kv.dtype == DTYPE_F32 || args->kv.dtype == DTYPE_F16 ||
           args->kv.dtype == DTYPE_BF16 || args->kv.dtype == DTYPE_I8);
    for (int token = 0; token < args->n_tokens; token++)
        for (int head = 0; head < args->n_group; head++)
            attend_row(args, token, head);
}

void scalar_attend_merge(const struct attend_args *args) {
    float *total = args->scratch;
    for (int token = 0; token < args->n_tokens; token++)
        for (int head = 0; head < args->n_group; head++) {
            total[STATE_MAX] = -INFINITY;
            total[STATE_SUM] = 0;
            for (int segment = args->segment_begin; segment < args->segment_end; segment++)
                attend_state_merge(total, attend_partial(args, segment, token, head),
                                   args->head_dim);
            float *out =
                args->out + (size_t)token * args->out_stride + (size_t)head * args->head_dim;
            attend_state_finish(total, out, args->head_dim);
        }
}
