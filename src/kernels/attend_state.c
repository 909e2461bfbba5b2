// SPDX-License-Identifier: Apache-2.0
// States of the online softmax, and the sizes of what attention reads and writes. Compiled once for
// all levels.
#include "kernels/attend_state.h"

#include "kernels/attend_blocks.h"

#include <math.h>
#include <string.h>

static size_t round_up(size_t n, size_t unit) {
    return (n + unit - 1) / unit * unit;
}

size_t kv_keys_bytes(enum dtype dtype, int head_dim, int n_positions) {
    size_t dim = (size_t)head_dim, n = round_up((size_t)n_positions, KV_TILE);
    if (dtype == DTYPE_F32) return n * dim * sizeof(float);
    if (dtype == DTYPE_F16) return n * dim * sizeof(uint16_t);
    if (dtype == DTYPE_BF16) return n * round_up(dim, 2) * sizeof(uint16_t);
    return n * round_up(dim, 4);
}

size_t kv_values_bytes(enum dtype dtype, int head_dim, int n_positions) {
    size_t n = round_up((size_t)n_positions, KV_TILE) * (size_t)head_dim;
    if (dtype == DTYPE_F32) return n * sizeof(float);
    return dtype == DTYPE_I8 ? n : n * sizeof(uint16_t);
}

void attend_state_merge(float *total, const float *other, int head_dim) {
    size_t state_bytes = (STATE_ACC + (size_t)head_dim) * sizeof *total;
    if (other[STATE_SUM] == 0.0f) return; // a sum is at least 1, or NaN where the data is damaged
    if (total[STATE_SUM] == 0.0f) {
        memcpy(total, other, state_bytes);
        return;
    }
    float max = fmaxf(total[STATE_MAX], other[STATE_MAX]);
    float a = expf(total[STATE_MAX] - max), b = expf(other[STATE_MAX] - max);
    total[STATE_MAX] = max;
    for (int i = STATE_SUM; i < STATE_ACC + head_dim; i++)
        total[i] = total[i] * a + other[i] * b;
}

void attend_state_finish(const float *state, float *out, int head_dim) {
    float factor = 1.0f / state[STATE_SUM];
    for (int i = 0; i < head_dim; i++)
        out[i] = state[STATE_ACC + i] * factor;
}

float *attend_partial(const struct attend_args *args, int segment, int token, int head) {
    size_t row =
        ((size_t)segment * (size_t)args->n_tokens + (size_t)token) * (size_t)args->n_group +
        (size_t)head;
    return args->partial + row * (STATE_ACC + (size_t)args->head_dim);
}

void attend_visible(const struct attend_args *args, int token, int *begin, int *end) {
    *end = args->first_position + token + 1;
    *begin = args->window > 0 && *end > args->window ? *end - args->window : 0;
}
