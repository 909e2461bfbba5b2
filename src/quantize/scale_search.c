// SPDX-License-Identifier: Apache-2.0
// Scale and offset by grid, least squares and polishing. Sums run over eight lanes in a fixed
// order, so compilers may use vector registers and every build gets the same bits.
#include "quantize/scale_search.h"

#include "numeric/float16.h"

enum { LANES = 8 };

// Below this magnitude every format's half-float scale would round to zero.
static const float magnitude_min = 0x1p-26f;

static float add_lanes(const float lanes[LANES]) {
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

// Round to nearest even for |x| < 2^22 by letting the fraction fall off the end of a float.
static inline float round_near(float x) {
    const float shift = 12582912.0f; // 1.5 * 2^23
    return (x + shift) - shift;
}

static inline float nearest(float x, float lo, float hi) {
    x = x < lo ? lo : x;
    x = x > hi ? hi : x;
    return round_near(x);
}

void run_init(struct run *run, const float *x, const float *w, int n) {
    run->x = x;
    run->n = n;
    run->min = run->max = x[0];
    float total = 0;
    for (int i = 0; i < n; i++) {
        run->w[i] = w ? w[i] : 1.0f;
        total += run->w[i];
    }
    run->sum_w = run->sum_wx = run->sum_wxx = 0;
    for (int i = 0; i < n; i++) {
        if (!(total > 0 && total < 1e30f)) run->w[i] = 1.0f;
        run->wx[i] = run->w[i] * x[i];
        run->sum_w += run->w[i];
        run->sum_wx += run->wx[i];
        run->sum_wxx += run->wx[i] * x[i];
        run->min = x[i] < run->min ? x[i] : run->min;
        run->max = x[i] > run->max ? x[i] : run->max;
    }
}

float run_magnitude(const struct run *run) {
    return run->max > -run->min ? run->max : -run->min;
}

uint16_t half_saturated(float value) {
    if (value > 65504.0f) value = 65504.0f;
    if (value < -65504.0f) value = -65504.0f;
    return float_to_f16(value);
}

// ---- One scale ----------------------------------------------------------------------------------

struct scale_sums {
    float wqx, wqq; // sums of w q x and w q q
};

static struct scale_sums sum_scaled(const struct run *run, float inverse, float lo, float hi) {
    float wqx[LANES] = {0}, wqq[LANES] = {0};
    for (int i = 0; i < run->n; i += LANES) {
        for (int j = 0; j < LANES; j++) {
            float q = nearest(run->x[i + j] * inverse, lo, hi);
            wqx[j] += run->wx[i + j] * q;
            wqq[j] += run->w[i + j] * q * q;
        }
    }
    return (struct scale_sums){add_lanes(wqx), add_lanes(wqq)};
}

// How much of the weighted square the integers explain with their least-squares scale.
static float explained(struct scale_sums sums) {
    return sums.wqq > 0 ? sums.wqx / sums.wqq * sums.wqx : 0;
}

float run_fit_scale(const struct run *run, int lo, int hi) {
    float magnitude = run_magnitude(run);
    if (magnitude < magnitude_min) return 0;
    // Where the largest element lands: a little below the end of the range, up to beyond it (then
    // it is clipped and the others get finer steps). Ranges have one more step below zero than
    // above; the sign of the scale decides which end of the run gets it.
    const float reach = (float)-lo, first = reach * 0.8f, last = reach * (reach > 16 ? 1.1f : 1.5f);
    const int n_steps = reach > 64 ? 8 : 16;
    float best_inverse = reach / magnitude, best = -1;
    struct scale_sums best_sums = {0, 0};
    for (int k = 0; k <= n_steps; k++) {
        float inverse = (first + (last - first) * (float)k / (float)n_steps) / magnitude;
        for (int sign = 0; sign < 2; sign++, inverse = -inverse) {
            struct scale_sums sums = sum_scaled(run, inverse, (float)lo, (float)hi);
            float gain = explained(sums);
            if (gain <= best) continue;
            best = gain, best_sums = sums, best_inverse = inverse;
        }
    }
    for (int turn = 0; turn < 6 && best_sums.wqx != 0; turn++) {
        float inverse = best_sums.wqq / best_sums.wqx;
        struct scale_sums sums = sum_scaled(run, inverse, (float)lo, (float)hi);
        if (explained(sums) <= best) break;
        best = explained(sums), best_sums = sums, best_inverse = inverse;
    }
    return best_sums.wqq > 0 ? best_sums.wqx / best_sums.wqq : 1 / best_inverse;
}

float run_scale_error(const struct run *run, float scale, int lo, int hi) {
    if (scale == 0) return run->sum_wxx;
    const float inverse = 1 / scale;
    float error[LANES] = {0};
    for (int i = 0; i < run->n; i += LANES) {
        for (int j = 0; j < LANES; j++) {
            float q = nearest(run->x[i + j] * inverse, (float)lo, (float)hi);
            float difference = run->x[i + j] - scale * q;
            error[j] += run->w[i + j] * difference * difference;
        }
    }
    return add_lanes(error);
}

uint16_t run_fit_scale_f16(const struct run *run, int lo, int hi) {
    uint16_t start = half_saturated(run_fit_scale(run, lo, hi)), best = start;
    float best_error = run_scale_error(run, float_from_f16(start), lo, hi);
    for (int step = -2; step <= 2; step++) {
        int half = (start & 0x7fff) + step;
        if (step == 0 || half < 0 || half > 0x7bff) continue;
        uint16_t candidate = (uint16_t)(half | (start & 0x8000));
        float error = run_scale_error(run, float_from_f16(candidate), lo, hi);
        if (error < best_error) best = candidate, best_error = error;
    }
    return best;
}

// ---- Scale and offset ---------------------------------------------------------------------------

struct affine_sums {
    float wq, wqq, wqx;
};

static struct affine_sums sum_affine(const struct run *run, struct affine fit, float hi) {
    const float inverse = 1 / fit.scale;
    float wq[LANES] = {0}, wqq[LANES] = {0}, wqx[LANES] = {0};
    for (int i = 0; i < run->n; i += LANES) {
        for (int j = 0; j < LANES; j++) {
            float q = nearest((run->x[i + j] - fit.offset) * inverse, 0, hi);
            wq[j] += run->w[i + j] * q;
            wqq[j] += run->w[i + j] * q * q;
            wqx[j] += run->wx[i + j] * q;
        }
    }
    return (struct affine_sums){add_lanes(wq), add_lanes(wqq), add_lanes(wqx)};
}

// Least squares for given integers; false where they are all alike.
static bool solve_affine(const struct run *run, struct affine_sums sums, bool negative_offset,
                         struct affine *fit) {
    float determinant = run->sum_w * sums.wqq - sums.wq * sums.wq;
    if (!(determinant > 0)) return false;
    fit->scale = (run->sum_w * sums.wqx - sums.wq * run->sum_wx) / determinant;
    fit->offset = (sums.wqq * run->sum_wx - sums.wq * sums.wqx) / determinant;
    if (negative_offset && fit->offset > 0) {
        fit->offset = 0;
        fit->scale = sums.wqx / sums.wqq;
    }
    return fit->scale > 0;
}

float run_affine_error(const struct run *run, struct affine fit, int hi) {
    const float inverse = fit.scale > 0 ? 1 / fit.scale : 0;
    float error[LANES] = {0};
    for (int i = 0; i < run->n; i += LANES) {
        for (int j = 0; j < LANES; j++) {
            float q = nearest((run->x[i + j] - fit.offset) * inverse, 0, (float)hi);
            float difference = run->x[i + j] - (fit.scale * q + fit.offset);
            error[j] += run->w[i + j] * difference * difference;
        }
    }
    return add_lanes(error);
}

struct affine run_fit_affine(const struct run *run, int hi, bool negative_offset) {
    float low = negative_offset && run->min > 0 ? 0 : run->min;
    struct affine best = {0, low};
    if (run->max - low < magnitude_min) return best;
    best.scale = (run->max - low) / (float)hi; // plain rounding, to be beaten
    float best_error = run_affine_error(run, best, hi);
    // Both ends of the range move in by up to a few steps (clipping what lies outside) or out.
    enum { N_MOVES = 5 };
    const float step = (run->max - low) / (float)hi;
    for (int a = 0; a < N_MOVES; a++) {
        for (int b = 0; b < N_MOVES; b++) {
            float from = low + step * (0.7f * (float)a - 0.5f);
            float to = run->max - step * (0.7f * (float)b - 0.5f);
            struct affine fit = {(to - from) / (float)hi, from};
            if (negative_offset && from > 0) fit = (struct affine){to / (float)hi, 0};
            for (int turn = 0; turn < 2; turn++) {
                if (!(fit.scale > 0)) break;
                if (!solve_affine(run, sum_affine(run, fit, (float)hi), negative_offset, &fit))
                    break;
                float error = run_affine_error(run, fit, hi);
                if (!(error < best_error)) break;
                best = fit, best_error = error;
            }
        }
    }
    for (int turn = 0; turn < 4 && best.scale > 0; turn++) {
        struct affine fit;
        if (!solve_affine(run, sum_affine(run, best, (float)hi), negative_offset, &fit)) break;
        float error = run_affine_error(run, fit, hi);
        if (!(error < best_error)) break;
        best = fit, best_error = error;
    }
    return best;
}

void run_integers(const struct run *run, float scale, float offset, int lo, int hi, int *q) {
    const float inverse = scale != 0 ? 1 / scale : 0;
    for (int i = 0; i < run->n; i++) {
        q[i] = (int)nearest((run->x[i] - offset) * inverse, (float)lo, (float)hi);
    }
}
