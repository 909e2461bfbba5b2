// SPDX-License-Identifier: Apache-2.0
// Operations on plain vectors, against double arithmetic: every length from 0 to 70 and some long
// ones, so every tail.
#include "checks.h"
#include "guarded.h"
#include "random_data.h"

#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LENGTHS = 90, LENGTH_MAX = 5000 };

struct vectors {
    int n;
    float *x, *y, *z; // guarded, [n]
    float before[LENGTH_MAX];
};

static void make(struct vectors *v, int length_index, float low, float high) {
    v->n = length_index <= 70 ? length_index : random_between(71, LENGTH_MAX);
    bool at_end = length_index % 2 == 0;
    v->x = guarded_new((size_t)v->n * sizeof(float), at_end);
    v->y = guarded_new((size_t)v->n * sizeof(float), at_end);
    v->z = guarded_new((size_t)v->n * sizeof(float), at_end);
    for (int i = 0; i < v->n; i++) {
        v->x[i] = v->before[i] = random_float(low, high);
        v->y[i] = random_float(-2, 2);
        v->z[i] = -12345.0f;
    }
}

static bool wrong(const struct vectors *v, int i, float got, double expected) {
    return check_failed("n %d, element %d (x %.9g, y %.9g): %.9g, not %.9g", v->n, i,
                        (double)v->before[i], (double)v->y[i], (double)got, expected);
}

typedef bool (*trial_function)(const struct check_context *context, struct vectors *v);

static bool try_lengths(const struct check_context *context, trial_function trial, int first,
                        float low, float high) {
    static struct vectors v;
    for (int i = first; i < LENGTHS; i++) {
        make(&v, i, low, high);
        bool passed = trial(context, &v);
        if (!guarded_release()) return check_failed("wrote outside its buffers, n %d", v.n);
        if (!passed) return false;
    }
    return true;
}

static bool try_rmsnorm(const struct check_context *context, struct vectors *v) {
    double squares = 0;
    for (int i = 0; i < v->n; i++)
        squares += (double)v->x[i] * (double)v->x[i];
    double factor = 1 / sqrt(squares / v->n + 1e-5);
    bool in_place = v->n % 3 == 0;
    float *out = in_place ? v->x : v->z;
    context->tested.rmsnorm(v->x, v->y, out, v->n, 1e-5f);
    for (int i = 0; i < v->n; i++) {
        double expected = (double)v->before[i] * factor * (double)v->y[i];
        if (!check_close((double)out[i], expected, 1e-6 * fabs(expected) + 1e-42))
            return wrong(v, i, out[i], expected);
    }
    return true;
}

bool check_rmsnorm(const struct check_context *context) {
    return try_lengths(context, try_rmsnorm, 1, -3, 3) &&
           try_lengths(context, try_rmsnorm, 1, 0, 0) &&
           try_lengths(context, try_rmsnorm, 1, -1e30f, 1e30f) &&
           try_lengths(context, try_rmsnorm, 1, -1e-39f, 1e-39f);
}

// In place; the bias stands in z.
static bool try_layernorm(const struct check_context *context, struct vectors *v) {
    double sum = 0, squares = 0, largest = 0;
    for (int i = 0; i < v->n; i++) {
        sum += (double)v->x[i];
        largest = fmax(largest, fabs((double)v->x[i]));
        v->z[i] = 1.5f - v->y[i];
    }
    double mean = sum / v->n;
    for (int i = 0; i < v->n; i++)
        squares += ((double)v->x[i] - mean) * ((double)v->x[i] - mean);
    double factor = 1 / sqrt(squares / v->n + 1e-12);
    context->tested.layernorm(v->x, v->y, v->z, v->x, v->n, 1e-12f);
    for (int i = 0; i < v->n; i++) {
        double w = (double)v->y[i], b = (double)v->z[i];
        double expected = ((double)v->before[i] - mean) * factor * w + b;
        double bound = 1e-6 * (largest * factor * fabs(w) + fabs(b)) + 1e-42;
        if (!check_close((double)v->x[i], expected, bound)) return wrong(v, i, v->x[i], expected);
    }
    return true;
}

bool check_layernorm(const struct check_context *context) {
    return try_lengths(context, try_layernorm, 1, -3, 3) &&
           try_lengths(context, try_layernorm, 1, 5, 5.5f) &&
           try_lengths(context, try_layernorm, 1, 0, 0) &&
           try_lengths(context, try_layernorm, 1, -1e15f, 1e15f) &&
           try_lengths(context, try_layernorm, 1, -1e-39f, 1e-39f);
}

static bool try_silu(const struct check_context *context, struct vectors *v) {
    context->tested.silu_mul(v->x, v->y, v->n);
    for (int i = 0; i < v->n; i++) {
        double x = (double)v->before[i], expected = x / (1 + exp(-x)) * (double)v->y[i];
        if (!check_close((double)v->x[i], expected, 1e-6 * fabs(expected) + 1e-35))
            return wrong(v, i, v->x[i], expected);
    }
    return true;
}

bool check_silu_mul(const struct check_context *context) {
    return try_lengths(context, try_silu, 0, -20, 20) &&
           try_lengths(context, try_silu, 0, -1e4f, 1e4f) &&
           try_lengths(context, try_silu, 0, -1e-39f, 1e-39f) &&
           try_lengths(context, try_silu, 0, -1e38f, 1e38f);
}

static bool try_gelu(const struct check_context *context, struct vectors *v) {
    context->tested.gelu_mul(v->x, v->y, v->n);
    for (int i = 0; i < v->n; i++) {
        double x = (double)v->before[i], u = sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
        double expected = x / (1 + exp(-2 * u)) * (double)v->y[i];
        double bound = fabs(expected) * (1e-6 + 1e-6 * fmin(fabs(u), 100)) + 1e-35;
        if (!check_close((double)v->x[i], expected, bound)) return wrong(v, i, v->x[i], expected);
    }
    return true;
}

bool check_gelu_mul(const struct check_context *context) {
    return try_lengths(context, try_gelu, 0, -8, 8) &&
           try_lengths(context, try_gelu, 0, -1e4f, 1e4f) &&
           try_lengths(context, try_gelu, 0, -1e-39f, 1e-39f);
}

static bool try_gelu_erf(const struct check_context *context, struct vectors *v) {
    context->tested.gelu_erf(v->x, v->n);
    for (int i = 0; i < v->n; i++) {
        double x = (double)v->before[i], expected = x * 0.5 * erfc(-x * sqrt(0.5));
        double tail = fmin(x * x, 210); // its exponent is rounded before e is raised to it
        double bound = fabs(expected) * 1e-6 + 1e-42;
        if (x < 0) bound += fabs(expected) * 1e-7 * tail;
        if (!check_close((double)v->x[i], expected, bound)) return wrong(v, i, v->x[i], expected);
    }
    return true;
}

bool check_gelu_erf(const struct check_context *context) {
    return try_lengths(context, try_gelu_erf, 0, -3, 3) &&
           try_lengths(context, try_gelu_erf, 0, -20, 20) &&
           try_lengths(context, try_gelu_erf, 0, -1e38f, 1e38f) &&
           try_lengths(context, try_gelu_erf, 0, -1e-39f, 1e-39f);
}

static bool try_add(const struct check_context *context, struct vectors *v) {
    context->tested.add(v->x, v->y, v->n);
    for (int i = 0; i < v->n; i++)
        if (v->x[i] != v->before[i] + v->y[i])
            return wrong(v, i, v->x[i], (double)(v->before[i] + v->y[i]));
    return true;
}

bool check_add(const struct check_context *context) {
    return try_lengths(context, try_add, 0, -3, 3) &&
           try_lengths(context, try_add, 0, -3e38f, 3e38f);
}

static bool try_scale(const struct check_context *context, struct vectors *v) {
    context->tested.scale(v->x, 1.7f, v->n);
    for (int i = 0; i < v->n; i++)
        if (v->x[i] != v->before[i] * 1.7f)
            return wrong(v, i, v->x[i], (double)(v->before[i] * 1.7f));
    return true;
}

bool check_scale(const struct check_context *context) {
    return try_lengths(context, try_scale, 0, -3, 3) &&
           try_lengths(context, try_scale, 0, -1e-39f, 1e-39f);
}

static bool try_softmax(const struct check_context *context, struct vectors *v) {
    double largest = -INFINITY, sum = 0;
    if (v->n > 3) v->x[1] = v->before[1] = -INFINITY; // a masked position
    for (int i = 0; i < v->n; i++)
        largest = fmax(largest, (double)v->x[i]);
    for (int i = 0; i < v->n; i++)
        sum += exp((double)v->x[i] - largest);
    context->tested.softmax(v->x, v->n);
    for (int i = 0; i < v->n; i++) {
        double distance = largest - (double)v->before[i];
        double expected = exp(-distance) / sum;
        double bound = expected * (2e-6 + 2e-7 * fmin(distance, 200)) + 1e-40;
        if (!check_close((double)v->x[i], expected, bound)) return wrong(v, i, v->x[i], expected);
    }
    return true;
}

bool check_softmax(const struct check_context *context) {
    return try_lengths(context, try_softmax, 1, -5, 5) &&
           try_lengths(context, try_softmax, 1, -100, 100) &&
           try_lengths(context, try_softmax, 1, 7, 7) &&
           try_lengths(context, try_softmax, 1, -1e30f, 1e30f);
}

struct rotation {
    int n_heads, head_dim, n_rot;
    bool halves;
    float *x, *cosine, *sine;
    float before[4 * 140];
};

static void fill_rotation(struct rotation *r, int trial) {
    bool at_end = random_between(0, 1);
    r->head_dim = 2 * random_between(1, 70);
    r->n_heads = random_between(1, 4);
    r->n_rot = trial % 3 ? r->head_dim : 2 * random_between(1, r->head_dim / 2);
    r->halves = random_between(0, 1);
    size_t n = (size_t)(r->n_heads * r->head_dim), n_pairs = (size_t)r->n_rot / 2;
    r->x = guarded_new(n * sizeof(float), at_end);
    r->cosine = guarded_new(n_pairs * sizeof(float), at_end);
    r->sine = guarded_new(n_pairs * sizeof(float), at_end);
    random_activations(r->x, (int)n, trial % 5 ? DATA_RANDOM : DATA_HUGE);
    memcpy(r->before, r->x, n * sizeof(float));
    for (size_t i = 0; i < n_pairs; i++) {
        float angle = random_float(-4, 4);
        r->cosine[i] = cosf(angle);
        r->sine[i] = sinf(angle);
    }
}

static bool check_rotated(const struct rotation *r, int i) {
    int element = i % r->head_dim, half = r->n_rot / 2;
    double own = (double)r->before[i], expected = own, bound = 0;
    if (element < r->n_rot) {
        bool is_second = r->halves ? element >= half : element % 2;
        int pair = r->halves ? element % half : element / 2, step = r->halves ? half : 1;
        double other = (double)r->before[is_second ? i - step : i + step];
        double c = (double)r->cosine[pair], s = (double)r->sine[pair];
        expected = is_second ? other * s + own * c : own * c - other * s;
        bound = 2e-7 * (fabs(own) + fabs(other));
    }
    if (check_close((double)r->x[i], expected, bound)) return true;
    return check_failed("head_dim %d, n_rot %d, halves %d, element %d: %.9g, not %.9g", r->head_dim,
                        r->n_rot, r->halves, i, (double)r->x[i], expected);
}

// Heads of any even size, both pairings, and a rotated part that may be smaller than the head.
bool check_rope(const struct check_context *context) {
    static struct rotation r;
    for (int trial = 0; trial < 300; trial++) {
        fill_rotation(&r, trial);
        context->tested.rope(r.x, r.cosine, r.sine, r.n_heads, r.head_dim, r.n_rot, r.halves);
        bool passed = true;
        for (int i = 0; i < r.n_heads * r.head_dim && passed; i++)
            passed = check_rotated(&r, i);
        if (!guarded_release()) return check_failed("wrote outside its buffers");
        if (!passed) return false;
    }
    return true;
}

// Nanoseconds per element of vectors that stay in the L1 cache.
void bench_vectors(const struct check_context *context) {
    enum { N = 2048, ROUNDS = 200 };
    static float x[N], w[N], y[N];
    const struct kernels *k = &context->tested;
    static struct act_chunk_q8 chunks[N / ACT_CHUNK];
    static const char *const names[] = {"quantize_act", "rmsnorm", "silu_mul", "gelu_mul",
                                        "softmax"};
    for (int op = 0; op < 5; op++) {
        double best = INFINITY;
        for (int round = 0; round < ROUNDS; round++) {
            random_activations(x, N, DATA_RANDOM);
            random_activations(w, N, DATA_RANDOM);
            double start = clock_seconds();
            if (op == 0) k->quantize_act(x, chunks, 0, N);
            if (op == 1) k->rmsnorm(x, w, y, N, 1e-5f);
            if (op == 2) k->silu_mul(x, w, N);
            if (op == 3) k->gelu_mul(x, w, N);
            if (op == 4) k->softmax(x, N);
            best = fmin(best, clock_seconds() - start);
        }
        printf("bench %s/%s: %.3f ns an element\n", names[op], isa_name(k->isa), best * 1e9 / N);
    }
}
