// SPDX-License-Identifier: Apache-2.0
// Attention of all query heads of a KV head, against double arithmetic on the numbers that were
// stored; and against itself: any split of the tokens over calls and of the segments over threads
// must give the same bytes. Everything that no token sees holds NaN; pages lie anywhere, in any
// order, and those of which no token sees anything lie nowhere.
#include "checks.h"
#include "guarded.h"
#include "random_data.h"

#include "numeric/float16.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIALS = 160, POSITIONS_MAX = 1700, HEAD_MAX = 260, TOKENS_MAX = 70, ROWS_CHECKED = 4 };

static const enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_I8};

// A call and what it was made from.
struct attend_case {
    struct attend_args args;
    int n_positions;
    uint8_t *pages[POSITIONS_MAX / KV_PAGE + 1];
    float *keys, *values; // [n_positions][head_dim] what the cache stands for; i8: rotated keys
    bool rounds_bf16;     // the level multiplies bf16 by bf16
};

static bool multiplies_bf16(const struct check_context *context, enum dtype dtype) {
    struct cpu_features cpu;
    cpu_features_read(&cpu);
    return dtype == DTYPE_BF16 && context->tested.isa >= ISA_AVX512 && cpu.avx512bf16;
}

static float rounded(enum dtype dtype, float x, float scale) {
    if (dtype == DTYPE_F16) return float_from_f16(float_to_f16(x));
    if (dtype == DTYPE_BF16) return float_from_bf16(float_to_bf16(x));
    if (dtype == DTYPE_I8) return scale > 0 ? scale * rintf(x * (1.0f / scale)) : 0.0f;
    return x;
}

// A vector as the cache gives it back.
static void round_vector(enum dtype dtype, float *x, int n) {
    float largest = 0;
    for (int i = 0; i < n; i++)
        largest = fmaxf(largest, fabsf(x[i]));
    for (int i = 0; i < n; i++)
        x[i] = rounded(dtype, x[i], largest / 127.0f);
}

static void rotate_vector(float *x, int n) {
    float copy[HEAD_MAX];
    memcpy(copy, x, (size_t)n * sizeof *x);
    kv_rotate(copy, x, n, kv_rotation_size(n));
}

static void choose_sizes(struct attend_args *args, int trial, bool is_slow) {
    args->head_dim = trial % 3 == 0 ? random_between(1, HEAD_MAX) : 16 * random_between(1, 16);
    args->n_group = random_between(1, trial % 7 == 0 ? 11 : 8);
    if (trial % 40 == 7) args->n_group = random_between(61, 75); // more rows than a block has
    args->n_tokens = trial % 2 ? random_between(1, 5) : random_between(1, TOKENS_MAX);
    int room = POSITIONS_MAX - args->n_tokens;
    args->first_position = trial % 4 == 0 ? random_between(0, 80) : random_between(0, room);
    if (trial % 5 == 0) args->first_position = 512 * random_between(0, 3) + random_between(0, 3);
    double budget = is_slow ? 4e5 : 4e6; // multiply-adds of one call
    while ((double)args->n_group * args->head_dim * args->n_tokens *
               (args->first_position + args->n_tokens) >
           budget) {
        if (args->n_tokens > 2)
            args->n_tokens /= 2;
        else if (args->head_dim > 40)
            args->head_dim /= 2;
        else
            args->first_position /= 2;
        if (args->first_position < 2) break;
    }
    if (random_between(0, 2) == 0) args->window = random_between(1, 700);
    // An encoder's text: all its tokens, or the rest of them, see all its positions.
    if (random_between(0, 3) == 0) args->n_visible = args->first_position + args->n_tokens;
    args->scale = random_float(0.02f, 3) / sqrtf((float)args->head_dim);
    if (trial % 3 == 0) args->softcap = random_float(1, 50);
}

static void *stale(size_t size_bytes, bool at_end) {
    size_t padded = (size_bytes + 63) / 64 * 64; // heads begin at whole cache lines
    void *memory = guarded_new(padded, at_end);
    memset(memory, 0xff, padded);
    return memory;
}

// The pages from that of position `first` on, with guards around each. A head's parts lie somewhere
// in a page, in any order.
static void place_pages(struct attend_case *c, int first, bool at_end) {
    enum dtype dtype = c->args.kv.dtype;
    int n_pages = (c->n_positions + KV_PAGE - 1) / KV_PAGE, dim = c->args.head_dim;
    const size_t sizes[KV_PARTS] = {
        kv_keys_bytes(dtype, dim, KV_PAGE), kv_values_bytes(dtype, dim, KV_PAGE),
        kv_scales_bytes(dtype, KV_PAGE), kv_scales_bytes(dtype, KV_PAGE)};
    size_t page_bytes = 0;
    for (int i = 0, from = random_between(0, KV_PARTS - 1); i < KV_PARTS; i++) {
        int part = (from + i) % KV_PARTS;
        page_bytes += 64 * (size_t)random_between(0, 2);
        c->args.kv.offsets[part] = page_bytes;
        page_bytes += (sizes[part] + 63) / 64 * 64;
    }
    for (int i = 0, from = random_between(0, n_pages - 1); i < n_pages; i++) {
        int page = (from + 7 * i) % n_pages; // each once, if 7 does not divide n_pages
        if (n_pages % 7 == 0) page = i;
        c->pages[page] = NULL;
        if (page >= first / KV_PAGE) c->pages[page] = stale(page_bytes, at_end);
    }
    c->args.kv.pages = c->pages;
}

// The cache, filled by the specification where some token sees it.
static void fill_cache(struct attend_case *c, const struct check_context *context, bool at_end) {
    struct attend_args *args = &c->args;
    enum dtype dtype = args->kv.dtype;
    int dim = args->head_dim, n = c->n_positions, first = args->first_position + 1 - args->window;
    if (args->n_visible > 0 || args->window == 0 || first < 0) first = 0;
    place_pages(c, first, at_end);
    c->keys = malloc((size_t)n * (size_t)dim * sizeof(float));
    c->values = malloc((size_t)n * (size_t)dim * sizeof(float));
    if (!c->keys || !c->values) exit(1);
    for (int p = first; p < n; p++) {
        float *key = c->keys + (size_t)p * (size_t)dim,
              *value = c->values + (size_t)p * (size_t)dim;
        random_activations(key, dim, DATA_RANDOM);
        random_activations(value, dim, DATA_RANDOM);
        struct kv_store_args store = {args->kv, key, value, p, dim};
        context->scalar.kv_store(&store);
        if (dtype == DTYPE_I8) rotate_vector(key, dim);
        round_vector(dtype, key, dim);
        round_vector(dtype, value, dim);
    }
}

static void make_case(struct attend_case *c, const struct check_context *context, int trial) {
    struct attend_args *args = &c->args;
    bool at_end = random_between(0, 1);
    memset(c, 0, sizeof *c);
    choose_sizes(args, trial, context->tested.isa == ISA_SCALAR);
    args->kv.dtype = types[trial % 4];
    c->rounds_bf16 = multiplies_bf16(context, args->kv.dtype);
    c->n_positions = args->first_position + args->n_tokens;
    size_t row = (size_t)args->n_group * (size_t)args->head_dim, tokens = (size_t)args->n_tokens;
    args->q_stride = row + (size_t)random_between(0, 20);
    args->out_stride = row + (size_t)random_between(0, 20);
    float *q = guarded_new(((tokens - 1) * args->q_stride + row) * sizeof(float), at_end);
    for (size_t t = 0; t < tokens; t++)
        random_activations(q + t * args->q_stride, (int)row, DATA_RANDOM);
    args->q = q;
    args->out = guarded_new(((tokens - 1) * args->out_stride + row) * sizeof(float), at_end);
    args->scratch =
        stale(attend_scratch_bytes(args->n_tokens, args->n_group, args->head_dim), at_end);
    fill_cache(c, context, at_end);
}

static double score(const struct attend_case *c, const float *q, int position, double *size) {
    const struct attend_args *args = &c->args;
    const float *key = c->keys + (size_t)position * (size_t)args->head_dim;
    double dot = 0;
    *size = 0;
    for (int i = 0; i < args->head_dim; i++) {
        dot += (double)q[i] * (double)key[i];
        *size += fabs((double)q[i] * (double)key[i]);
    }
    dot *= (double)args->scale;
    *size *= (double)args->scale;
    double cap = (double)args->softcap;
    return cap > 0 ? cap * tanh(dot / cap) : dot;
}

// The query row as the level multiplies it.
static void read_query(const struct attend_case *c, int token, int head, float *q) {
    const struct attend_args *args = &c->args;
    const float *row = args->q + (size_t)token * args->q_stride + (size_t)head * args->head_dim;
    memcpy(q, row, (size_t)args->head_dim * sizeof *q);
    if (args->kv.dtype != DTYPE_I8) return;
    rotate_vector(q, args->head_dim);
    round_vector(DTYPE_I8, q, args->head_dim);
    for (int i = 0; i < args->head_dim; i++)
        q[i] /= (float)kv_rotation_size(args->head_dim); // a power of two: exact
}

// One row against double arithmetic.
static bool row_is_right(const struct attend_case *c, int token, int head) {
    static double weights[POSITIONS_MAX];
    const struct attend_args *args = &c->args;
    float q[HEAD_MAX];
    int last = args->first_position + token, first = 0;
    double largest = -INFINITY, sum = 0, error = 0, size;
    if (args->window > 0 && last >= args->window) first = last - args->window + 1;
    if (args->n_visible > 0) first = 0, last = args->n_visible - 1;
    read_query(c, token, head, q);
    for (int p = first; p <= last; p++) {
        weights[p] = score(c, q, p, &size);
        // bf16 queries are half a unit of 2^-8 off at most, all of them in one direction
        double relative = c->rounds_bf16 ? 0x1p-8 : 1e-6;
        error = fmax(error, relative * size + 5e-7 * (double)args->softcap);
        largest = fmax(largest, weights[p]);
    }
    for (int p = first; p <= last; p++)
        sum += weights[p] = exp(weights[p] - largest);
    error += c->rounds_bf16 ? 0x1p-8 : 4e-6; // of a weight
    for (int i = 0; i < args->head_dim; i++) {
        double expected = 0, bound = 1e-40;
        for (int p = first; p <= last; p++) {
            double term = weights[p] / sum * (double)c->values[(size_t)p * args->head_dim + i];
            expected += term;
            bound += 2 * error * fabs(term);
        }
        float got = args->out[(size_t)token * args->out_stride + (size_t)head * args->head_dim + i];
        if (!check_close((double)got, expected, bound))
            return check_failed("%s, head_dim %d, group %d, %d tokens at %d, window %d, softcap "
                                "%g: token %d head %d element %d: %.9g, not %.9g",
                                dtype_info(args->kv.dtype)->name, args->head_dim, args->n_group,
                                args->n_tokens, args->first_position, args->window,
                                (double)args->softcap, token, head, i, (double)got, expected);
    }
    return true;
}

static bool same_rows(const struct attend_case *c, const float *out, const char *what) {
    const struct attend_args *args = &c->args;
    size_t row = (size_t)args->n_group * (size_t)args->head_dim;
    for (int t = 0; t < args->n_tokens; t++)
        if (memcmp(args->out + (size_t)t * args->out_stride, out + (size_t)t * args->out_stride,
                   row * sizeof *out) != 0)
            return check_failed("%s, head_dim %d, group %d, %d tokens at %d, window %d, softcap "
                                "%g: %s changes bytes of token %d",
                                dtype_info(args->kv.dtype)->name, args->head_dim, args->n_group,
                                args->n_tokens, args->first_position, args->window,
                                (double)args->softcap, what, t);
    return true;
}

static float *new_out(const struct attend_args *args) {
    size_t row = (size_t)args->n_group * (size_t)args->head_dim;
    return guarded_new(((size_t)(args->n_tokens - 1) * args->out_stride + row) * sizeof(float),
                       random_between(0, 1));
}

static bool check_token_split(const struct check_context *context, const struct attend_case *c) {
    struct attend_args args = c->args;
    float *out = new_out(&args);
    for (int t = 0; t < c->args.n_tokens; t += args.n_tokens) {
        args.n_tokens = random_between(1, c->args.n_tokens - t);
        args.first_position = c->args.first_position + t;
        args.q = c->args.q + (size_t)t * args.q_stride;
        args.out = out + (size_t)t * args.out_stride;
        context->tested.attend(&args);
    }
    return same_rows(c, out, "a split of the tokens");
}

static bool check_segments(const struct check_context *context, const struct attend_case *c) {
    struct attend_args args = c->args;
    int begin = args.window > 0 ? args.first_position + 1 - args.window : 0;
    if (args.n_visible > 0) begin = 0;
    int first = begin > 0 ? begin / KV_SEGMENT : 0;
    int end = (c->n_positions + KV_SEGMENT - 1) / KV_SEGMENT;
    size_t state = (size_t)args.n_tokens * (size_t)args.n_group * (2 + (size_t)args.head_dim);
    args.partial = guarded_new((size_t)end * state * sizeof(float), random_between(0, 1));
    memset(args.partial, 0xff, (size_t)end * state * sizeof(float));
    args.out = new_out(&args);
    for (int segment = first; segment < end; segment = args.segment_end) {
        args.segment_begin = segment;
        args.segment_end = random_between(segment + 1, end);
        context->tested.attend(&args);
    }
    args.segment_begin = first;
    args.segment_end = end;
    context->tested.attend_merge(&args);
    return same_rows(c, args.out, "a split of the segments");
}

bool check_attend(const struct check_context *context) {
    for (int trial = 0; trial < check_trials(context, TRIALS); trial++) {
        struct attend_case c;
        make_case(&c, context, trial);
        context->tested.attend(&c.args);
        bool passed = true;
        for (int i = 0; passed && i < ROWS_CHECKED; i++)
            passed = row_is_right(&c, i ? random_between(0, c.args.n_tokens - 1) : 0,
                                  random_between(0, c.args.n_group - 1));
        passed = passed && check_token_split(context, &c) && check_segments(context, &c);
        free(c.keys);
        free(c.values);
        if (!guarded_release()) return check_failed("wrote outside its buffers");
        if (!passed) return false;
    }
    return true;
}

// ---- Merging ------------------------------------------------------------------------------------

// Random states, some of them empty, as {max, sum, acc}.
static void fill_states(const struct attend_args *args, int n_segments) {
    size_t stride = 2 + (size_t)args->head_dim, n_rows = (size_t)(args->n_tokens * args->n_group);
    for (size_t i = 0; i < (size_t)n_segments * n_rows; i++) {
        float *state = args->partial + i * stride;
        bool is_empty = i >= n_rows && random_between(0, 3) == 0;
        random_activations(state, (int)stride, DATA_RANDOM);
        state[0] = is_empty ? -INFINITY : random_float(-40, 40);
        state[1] = is_empty ? 0.0f : random_float(1, 500);
    }
}

static bool merged_row_is_right(const struct attend_args *args, int token, int head) {
    size_t stride = 2 + (size_t)args->head_dim, n_rows = (size_t)(args->n_tokens * args->n_group);
    const float *states =
        args->partial + (size_t)(token * args->n_group + head) * stride; // of segment 0
    double max = -INFINITY, sum = 0;
    for (int s = args->segment_begin; s < args->segment_end; s++)
        max = fmax(max, (double)states[(size_t)s * n_rows * stride]);
    for (int s = args->segment_begin; s < args->segment_end; s++) {
        const float *state = states + (size_t)s * n_rows * stride;
        sum += exp((double)state[0] - max) * (double)state[1];
    }
    for (int i = 0; i < args->head_dim; i++) {
        double expected = 0, size = 0;
        for (int s = args->segment_begin; s < args->segment_end; s++) {
            const float *state = states + (size_t)s * n_rows * stride;
            double term = exp((double)state[0] - max) * (double)state[2 + i] / sum;
            expected += term;
            size += fabs(term);
        }
        float got = args->out[(size_t)token * args->out_stride + (size_t)head * args->head_dim + i];
        if (!check_close((double)got, expected, 1e-5 * size + 1e-40))
            return check_failed("head_dim %d, segments %d to %d: token %d head %d element %d: "
                                "%.9g, not %.9g",
                                args->head_dim, args->segment_begin, args->segment_end, token, head,
                                i, (double)got, expected);
    }
    return true;
}

bool check_attend_merge(const struct check_context *context) {
    for (int trial = 0; trial < check_trials(context, TRIALS); trial++) {
        struct attend_args args = {.n_tokens = random_between(1, 4),
                                   .n_group = random_between(1, 8),
                                   .head_dim = random_between(1, HEAD_MAX)};
        bool at_end = random_between(0, 1), passed = true;
        size_t row = (size_t)args.n_group * (size_t)args.head_dim;
        int n_segments = random_between(1, 9);
        size_t n_states = (size_t)(n_segments * args.n_tokens * args.n_group);
        args.out_stride = row + (size_t)random_between(0, 9);
        args.out = new_out(&args);
        args.partial = guarded_new(n_states * (2 + (size_t)args.head_dim) * sizeof(float), at_end);
        args.scratch =
            stale(attend_scratch_bytes(args.n_tokens, args.n_group, args.head_dim), at_end);
        args.segment_end = n_segments;
        fill_states(&args, n_segments);
        context->tested.attend_merge(&args);
        for (int t = 0; passed && t < args.n_tokens; t++)
            for (int h = 0; passed && h < args.n_group; h++)
                passed = merged_row_is_right(&args, t, h);
        if (!guarded_release()) return check_failed("wrote outside its buffers");
        if (!passed) return false;
    }
    return true;
}
