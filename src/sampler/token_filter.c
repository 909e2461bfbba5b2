// SPDX-License-Identifier: Apache-2.0
// See token_filter.h. Written so that the passes over the whole vocabulary are branch-free loops
// that the compiler turns into vector code; exp is our own, so that every machine and C library
// gives the same bits.
#include "sampler/token_filter.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// exp(-40) is 4e-18: even a million such tokens together are below the resolution of a draw.
#define DISTANCE_CUTOFF 40.0f
#define BUCKETS 1024
#define BUCKETS_PER_UNIT (BUCKETS / DISTANCE_CUTOFF)

enum status token_filter_init(struct token_filter *filter, int n_vocab, struct error *err) {
    *filter = (struct token_filter){.n_vocab = n_vocab};
    size_t n = (size_t)n_vocab;
    filter->distances = malloc(n * sizeof *filter->distances);
    filter->weights = malloc(n * sizeof *filter->weights);
    filter->candidates = malloc(n * sizeof *filter->candidates);
    filter->kept = malloc(n * sizeof *filter->kept);
    if (filter->distances && filter->weights && filter->candidates && filter->kept)
        return STATUS_OK;
    token_filter_deinit(filter);
    return error_no_memory(err, "the sampler", n * 24);
}

void token_filter_deinit(struct token_filter *filter) {
    free(filter->distances);
    free(filter->weights);
    free(filter->candidates);
    free(filter->kept);
    *filter = (struct token_filter){0};
}

void logits_sanitize(float *logits, int n_vocab) {
    for (int i = 0; i < n_vocab; i++) {
        float x = logits[i];
        x = x > FLT_MAX ? FLT_MAX : x;
        logits[i] = x == x ? x : -INFINITY;
    }
}

// exp(x) for -40 <= x <= 0 within 2 units in the last place: x = n ln 2 + r with |r| <= ln 2 / 2,
// then a Taylor polynomial of degree 6 in r, scaled by 2^n through the exponent bits.
static inline float exp_negative(float x) {
    const float rounder = 0x1.8p23f; // adding it leaves the nearest integer in the low bits
    float shifted = x * 1.44269504f + rounder;
    float n = shifted - rounder;
    float r = x - n * 0.693359375f; // ln 2 in two parts (Cody & Waite 1980)
    r = r + n * 2.12194440e-4f;
    float p = 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    uint32_t bits = (uint32_t)((int32_t)n + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

static float largest(const float *values, int n) {
    float lanes[8]; // independent, so that the loop is vectorized without reordering promises
    for (int j = 0; j < 8; j++)
        lanes[j] = -INFINITY;
    int i = 0;
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++)
            lanes[j] = values[i + j] > lanes[j] ? values[i + j] : lanes[j];
    for (; i < n; i++)
        lanes[0] = values[i] > lanes[0] ? values[i] : lanes[0];
    for (int j = 1; j < 8; j++)
        lanes[0] = lanes[j] > lanes[0] ? lanes[j] : lanes[0];
    return lanes[0];
}

int32_t logits_argmax(const float *logits, int n_vocab) {
    float max = largest(logits, n_vocab);
    for (int32_t i = 0; i < n_vocab; i++)
        if (logits[i] == max) return i;
    return 0;
}

static double sum_weights(const float *weights, int n) {
    double lanes[8] = {0}; // a fixed order of addition, whatever the compiler does
    int i = 0;
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++)
            lanes[j] += (double)weights[i + j];
    for (; i < n; i++)
        lanes[0] += (double)weights[i];
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
           ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

double token_filter_weigh(struct token_filter *filter, const float *logits, float temperature) {
    int n = filter->n_vocab;
    float *restrict distances = filter->distances;
    float *restrict weights = filter->weights;
    double max = (double)largest(logits, n);
    if (!(max > -INFINITY)) return 0;
    double inverse = 1.0 / (double)temperature;
    for (int i = 0; i < n; i++) { // in double: max - logit may exceed a float
        double u = (max - (double)logits[i]) * inverse;
        distances[i] = (float)(u < 2.0 * DISTANCE_CUTOFF ? u : 2.0 * DISTANCE_CUTOFF);
    }
    for (int i = 0; i < n; i++) {
        float u = distances[i];
        float clamped = u < DISTANCE_CUTOFF ? u : DISTANCE_CUTOFF;
        float weight = exp_negative(-clamped);
        weights[i] = u < DISTANCE_CUTOFF ? weight : 0;
    }
    return sum_weights(weights, n);
}

static int bucket_of(float distance) {
    int bucket = (int)(distance * BUCKETS_PER_UNIT);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

// The distance up to which candidates must be looked at so that the best `top_k` are among them.
static float bound_by_count(const struct token_filter *filter, int top_k) {
    int counts[BUCKETS] = {0};
    for (int i = 0; i < filter->n_vocab; i++)
        if (filter->distances[i] < DISTANCE_CUTOFF) counts[bucket_of(filter->distances[i])]++;
    int seen = 0;
    for (int b = 0; b < BUCKETS; b++) {
        seen += counts[b];
        if (seen >= top_k) return (float)(b + 1) / BUCKETS_PER_UNIT;
    }
    return DISTANCE_CUTOFF;
}

// The same for the smallest set of weight `needed`; one bucket more, as sums round.
static float bound_by_weight(const struct token_filter *filter, double needed) {
    double sums[BUCKETS] = {0};
    for (int i = 0; i < filter->n_vocab; i++)
        if (filter->distances[i] < DISTANCE_CUTOFF)
            sums[bucket_of(filter->distances[i])] += (double)filter->weights[i];
    double seen = 0;
    for (int b = 0; b < BUCKETS; b++) {
        seen += sums[b];
        if (seen >= needed) return (float)(b + 2) / BUCKETS_PER_UNIT;
    }
    return DISTANCE_CUTOFF;
}

static bool is_better(struct token_candidate a, struct token_candidate b) {
    return a.distance < b.distance || (a.distance == b.distance && a.token < b.token);
}

static void sift_down(struct token_candidate *heap, int n, int at) {
    struct token_candidate moving = heap[at];
    for (int child = 2 * at + 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && is_better(heap[child + 1], heap[child])) child++;
        if (!is_better(heap[child], moving)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

// A heap with the best candidate at its root, of all tokens within `bound`.
static int gather(struct token_filter *filter, float bound) {
    struct token_candidate *heap = filter->candidates;
    int n = 0;
    for (int i = 0; i < filter->n_vocab; i++) {
        if (filter->distances[i] > bound || filter->distances[i] >= DISTANCE_CUTOFF) continue;
        heap[n++] = (struct token_candidate){filter->distances[i], i};
    }
    for (int at = n / 2 - 1; at >= 0; at--)
        sift_down(heap, n, at);
    return n;
}

static struct token_candidate take_best(struct token_candidate *heap, int *n) {
    struct token_candidate best = heap[0];
    heap[0] = heap[--*n];
    if (*n > 0) sift_down(heap, *n, 0);
    return best;
}

// Takes candidates, best first, until `n_max` are taken or their weight reaches `needed`.
static int take(struct token_filter *filter, int n_heap, int n_max, double needed, double *weight) {
    int n = 0;
    *weight = 0;
    while (n_heap > 0 && n < n_max && *weight < needed) {
        filter->kept[n] = take_best(filter->candidates, &n_heap);
        *weight += (double)filter->weights[filter->kept[n].token];
        n++;
    }
    return n;
}

// Cuts the ordered candidates to the fewest whose weight reaches `needed`.
static int cut_by_weight(const struct token_filter *filter, int n, double needed, double *weight) {
    double seen = 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && seen >= needed) {
            n = i;
            break;
        }
        seen += (double)filter->weights[filter->kept[i].token];
    }
    *weight = seen;
    return n;
}

int token_filter_select(struct token_filter *filter, double total_weight, int top_k, float top_p,
                        float min_p, double *kept_weight) {
    // min-p compares with the best token, which top-k and top-p always keep: a bound on distance.
    float min_p_bound = min_p > 0 ? -logf(min_p) : DISTANCE_CUTOFF;
    bool by_weight = top_p < 1;
    int n;
    if (top_k > 0 && top_k < filter->n_vocab) {
        float bound = bound_by_count(filter, top_k);
        n = take(filter, gather(filter, bound), top_k, INFINITY, kept_weight);
        if (by_weight) n = cut_by_weight(filter, n, (double)top_p * *kept_weight, kept_weight);
    } else {
        double needed = by_weight ? (double)top_p * total_weight : INFINITY;
        if (needed <= 0) needed = DBL_MIN; // top_p 0 keeps the best token
        float bound = by_weight ? bound_by_weight(filter, needed) : DISTANCE_CUTOFF;
        if (min_p_bound < bound) bound = min_p_bound;
        n = take(filter, gather(filter, bound), filter->n_vocab, needed, kept_weight);
    }
    while (n > 1 && filter->kept[n - 1].distance > min_p_bound)
        *kept_weight -= (double)filter->weights[filter->kept[--n].token];
    return n;
}
