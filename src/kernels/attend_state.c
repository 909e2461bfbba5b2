// SPDX-License-Identifier: Apache-2.0
// States of the online softmax. Compiled once for all levels.
#include "kernels/attend_state.h"

#include <math.h>
#include <string.h>

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
    if (args->n_visible > 0) {
        *begin = 0;
        *end = args->n_visible;
        return;
    }
    *end = args->first_position + token + 1;
    *begin = args->window > 0 && *end > args->window ? *end - args->window : 0;
}
