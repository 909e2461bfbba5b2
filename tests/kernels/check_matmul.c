// SPDX-License-Identifier: Apache-2.0
// Matrix products of every weight type: against a double sum of dequantized weights, exactly where
// every partial sum is an integer below 2^24, and bit for bit under any split of rows (at multiples
// of 16) and tokens. Panels, activations and y touch unreadable pages; what no kernel may use
// (blocks past k, gaps between rows) holds NaNs; the gaps of y hold canaries.
#include "checks.h"
#include "guarded.h"
#include "random_data.h"

#include "numeric/blocks.h"
#include "numeric/float16.h"
#include "numeric/packed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRIALS = 182, K_MAX = 1536, ROWS_MAX = 40, TOKENS_MAX = 70, CHUNKS_MAX = K_MAX / 256 };
enum { ALL_TOKEN_COUNTS = 35 }; // the first trials take 1, 2, 3 .. tokens; later ones any number
static const float canary = -12345.0f;

struct product {
    struct matmul_args args;
    enum act_format act;
    size_t n_y; // floats in y, with the gaps between rows
    enum data_mode mode;
    float w[ROWS_MAX][K_MAX];             // weights as floats
    float x[TOKENS_MAX][K_MAX];           // activations as the kernel sees them
    double largest[ROWS_MAX][CHUNKS_MAX]; // |w| of each 256: bounds the terms that cancel inside it
    double sizes[TOKENS_MAX][CHUNKS_MAX]; // sum of |x| of each 256
};

static int random_k(enum dtype dtype, enum data_mode mode) {
    int block = dtype_info(dtype)->block_elements;
    int n = random_between(1, mode == DATA_EXACT || mode == DATA_EXTREME ? 256 : K_MAX);
    return n / block * block > 0 ? n / block * block : block;
}

static void fill_weights(struct product *p, enum dtype dtype, bool at_end) {
    static uint8_t rows[PANEL_ROWS * (K_MAX * 4 + 3)];
    struct matmul_args *args = &p->args;
    const struct dtype_info *info = dtype_info(dtype);
    const int n_panels = (args->n_rows + PANEL_ROWS - 1) / PANEL_ROWS;
    const size_t row_bytes = (size_t)(args->k / info->block_elements) * (size_t)info->block_bytes;
    args->panel_bytes = packed_panel_bytes(dtype, args->k);
    uint8_t *panels = guarded_new((size_t)n_panels * args->panel_bytes, at_end);
    for (int first = 0; first < args->n_rows; first += PANEL_ROWS) {
        const int n = args->n_rows - first < PANEL_ROWS ? args->n_rows - first : PANEL_ROWS;
        for (int r = 0; r < n; r++) {
            uint8_t *row = rows + (size_t)r * row_bytes;
            random_weights(row, dtype, (size_t)args->k, p->mode);
            dequantize_row(dtype, row, p->w[first + r], (size_t)args->k);
        }
        pack_panel(dtype, rows, row_bytes, n, args->k,
                   panels + (size_t)(first / PANEL_ROWS) * args->panel_bytes);
    }
    args->panels = panels;
}

// One token into the kernel's format, and what that format keeps of it back into x.
static void store_token(const struct check_context *context, struct product *p, int t, void *row) {
    const int k = p->args.k;
    float *x = p->x[t];
    random_activations(x, k, p->mode);
    if (p->act == ACT_F32) {
        memcpy(row, x, (size_t)k * sizeof *x);
    } else if (p->act == ACT_BF16) {
        uint16_t *halves = row;
        memset(halves, 0, act_row_bytes(ACT_BF16, k));
        for (int i = 0; i < k; i++) {
            halves[i] = float_to_bf16(x[i]);
            x[i] = float_from_bf16(halves[i]);
        }
    } else {
        struct act_chunk_q8 *chunks = row;
        context->scalar.quantize_act(x, chunks, 0, k);
        for (int i = 0; i < k; i++)
            x[i] = chunks[i / 256].scale[i % 256 / 32] * (float)chunks[i / 256].q[i % 256];
    }
}

static void fill_activations(const struct check_context *context, struct product *p, bool at_end) {
    struct matmul_args *args = &p->args;
    const size_t row_bytes = act_row_bytes(p->act, args->k);
    const size_t step = p->act == ACT_F32 ? sizeof(float) : 64;
    args->act_bytes = row_bytes + step * (size_t)random_between(0, 2);
    const size_t size_bytes = args->act_bytes * (size_t)(args->n_tokens - 1) + row_bytes;
    uint8_t *acts = guarded_new(size_bytes, at_end);
    memset(acts, 0xff, size_bytes);
    for (int t = 0; t < args->n_tokens; t++)
        store_token(context, p, t, acts + (size_t)t * args->act_bytes);
    args->activations = acts;
}

static void measure_sizes(struct product *p) {
    memset(p->largest, 0, sizeof p->largest);
    memset(p->sizes, 0, sizeof p->sizes);
    for (int i = 0; i < p->args.k; i++) {
        for (int r = 0; r < p->args.n_rows; r++)
            p->largest[r][i / 256] = fmax(p->largest[r][i / 256], fabs((double)p->w[r][i]));
        for (int t = 0; t < p->args.n_tokens; t++)
            p->sizes[t][i / 256] += fabs((double)p->x[t][i]);
    }
}

static void fill(const struct check_context *context, struct product *p, int trial) {
    struct matmul_args *args = &p->args;
    const bool at_end = random_between(0, 1);
    p->mode = (enum data_mode)(trial % DATA_MODES);
    p->act = context->tested.matmul[context->dtype].act;
    args->k = random_k(context->dtype, p->mode);
    args->n_rows = random_between(1, ROWS_MAX);
    args->n_tokens = trial < ALL_TOKEN_COUNTS ? trial + 1 : random_between(1, TOKENS_MAX);
    args->y_stride = (size_t)args->n_rows + (size_t)random_between(0, 5);
    fill_weights(p, context->dtype, at_end);
    fill_activations(context, p, at_end);
    measure_sizes(p);
    p->n_y = args->y_stride * (size_t)(args->n_tokens - 1) + (size_t)args->n_rows;
    args->y = guarded_new(p->n_y * sizeof(float), at_end);
    for (size_t i = 0; i < p->n_y; i++)
        args->y[i] = canary;
}

// How far a float computation may be from the double sum. ACT_BF16 products may take numbers below
// 2^-126 as zeros, inputs and sums alike.
static double error_bound(const struct product *p, int r, int t) {
    if (p->mode == DATA_EXACT || p->mode == DATA_EXTREME || p->mode == DATA_ZERO) return 0;
    double size = 0, lost = 0;
    for (int c = 0; c * 256 < p->args.k; c++) {
        size += 3 * p->largest[r][c] * p->sizes[t][c];
        lost += 256 * (1 + p->largest[r][c]) + p->sizes[t][c];
    }
    return 2e-6 * size + 1e-42 + (p->act == ACT_BF16 ? lost * 0x1p-126 : 0);
}

static bool check_values(const struct product *p) {
    const struct matmul_args *args = &p->args;
    for (int r = 0; r < args->n_rows; r++)
        for (int t = 0; t < args->n_tokens; t++) {
            double sum = 0;
            for (int i = 0; i < args->k; i++)
                sum += (double)p->w[r][i] * (double)p->x[t][i];
            const float got = args->y[(size_t)t * args->y_stride + (size_t)r];
            const double bound = error_bound(p, r, t);
            if (!check_close((double)got, sum, bound))
                return check_failed("row %d of %d, token %d of %d, k %d, %s: %.9g, not %.9g (%.2g)",
                                    r, args->n_rows, t, args->n_tokens, args->k,
                                    data_mode_names[p->mode], (double)got, sum, bound);
        }
    return true;
}

static bool check_gaps(const struct product *p) {
    for (size_t i = 0; i < p->n_y; i++)
        if (i % p->args.y_stride >= (size_t)p->args.n_rows && p->args.y[i] != canary)
            return check_failed("wrote between the rows of y");
    return true;
}

static bool same_floats(const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (float_to_bits(a[i]) != float_to_bits(b[i]) && !(isnan(a[i]) && isnan(b[i])))
            return false;
    return true;
}

// The same product in pieces must give the same bytes: tokens one by one, or in random groups.
static bool check_splits(const struct product *p, const struct matmul_op *op, bool one_by_one) {
    struct matmul_args part = p->args;
    float *whole = p->args.y;
    float *y = guarded_new(p->n_y * sizeof(float), true);
    for (size_t i = 0; i < p->n_y; i++)
        y[i] = canary;
    for (int t = 0; t < p->args.n_tokens; t += part.n_tokens) {
        part.n_tokens = one_by_one ? 1 : random_between(1, p->args.n_tokens - t);
        for (int r = 0; r < p->args.n_rows; r += part.n_rows) {
            const int rest = p->args.n_rows - r;
            part.n_rows = random_between(1, (rest + PANEL_ROWS - 1) / PANEL_ROWS) * PANEL_ROWS;
            if (part.n_rows > rest) part.n_rows = rest;
            part.panels = p->args.panels + (size_t)(r / PANEL_ROWS) * part.panel_bytes;
            part.activations = (const uint8_t *)p->args.activations + (size_t)t * part.act_bytes;
            part.y = y + (size_t)t * part.y_stride + r;
            op->run(&part);
        }
    }
    if (!same_floats(whole, y, p->n_y))
        return check_failed("split into rows and tokens%s gives other bytes (rows %d, tokens %d, "
                            "k %d)",
                            one_by_one ? " one by one" : "", p->args.n_rows, p->args.n_tokens,
                            p->args.k);
    return true;
}

bool check_matmul(const struct check_context *context) {
    static struct product product;
    const struct matmul_op *op = &context->tested.matmul[context->dtype];
    for (int trial = 0; trial < check_trials(context, TRIALS); trial++) {
        fill(context, &product, trial);
        op->run(&product.args);
        bool passed = check_values(&product) && check_gaps(&product) &&
                      check_splits(&product, op, trial % 2 == 0);
        if (!guarded_release()) return check_failed("wrote outside its buffers");
        if (!passed) return false;
    }
    return true;
}
