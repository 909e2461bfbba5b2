// SPDX-License-Identifier: Apache-2.0
// Matrix products of every weight type: against a double sum of dequantized weights, exactly where
// every partial sum is an integer below 2^24, and bit for bit under any split of rows and tokens.
#include "checks.h"
#include "guarded.h"
#include "random_data.h"

#include "numeric/blocks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRIALS = 180, K_MAX = 1536 };

struct product {
    struct matmul_args args;
    size_t n_y; // floats in y, with the gaps between rows
    enum data_mode mode;
    float w[K_MAX]; // one weight row as floats
    float x[K_MAX]; // one token's activations as the kernel sees them
};

static int random_k(enum dtype dtype, enum data_mode mode) {
    int block = dtype_info(dtype)->block_elements;
    int n = mode == DATA_EXACT || mode == DATA_EXTREME ? 256 : random_between(1, K_MAX);
    return n / block * block > 0 ? n / block * block : block;
}

static void fill(struct product *p, const struct check_context *context, enum data_mode mode) {
    static const int token_counts[] = {1, 2, 3, 4, 5, 7, 32, 35, 67};
    const struct matmul_op *op = &context->tested.matmul[context->dtype];
    struct matmul_args *args = &p->args;
    uint64_t row_bytes;
    p->mode = mode;
    args->k = random_k(context->dtype, mode);
    args->n_rows = random_between(1, 11);
    args->n_tokens = token_counts[random_between(0, 8)];
    dtype_size_bytes(context->dtype, (uint64_t)args->k, &row_bytes);
    args->row_bytes = (size_t)row_bytes + (size_t)random_between(0, 3); // rows may lie anywhere
    args->act_bytes = act_row_bytes(op->act, args->k) + 4 * (size_t)random_between(0, 2);
    args->y_stride = (size_t)args->n_rows + (size_t)random_between(0, 5);
    bool at_end = random_between(0, 1);
    size_t weights_bytes = args->row_bytes * (size_t)(args->n_rows - 1) + row_bytes;
    uint8_t *weights = guarded_new(weights_bytes, at_end);
    for (int r = 0; r < args->n_rows; r++)
        random_weights(weights + (size_t)r * args->row_bytes, context->dtype, (size_t)args->k,
                       mode);
    size_t acts_bytes =
        args->act_bytes * (size_t)(args->n_tokens - 1) + act_row_bytes(op->act, args->k);
    uint8_t *acts = guarded_new(acts_bytes, at_end);
    for (int t = 0; t < args->n_tokens; t++) {
        void *row = acts + (size_t)t * args->act_bytes;
        random_activations(p->x, args->k, mode);
        if (op->act == ACT_Q8)
            context->scalar.quantize_act(p->x, row, args->k);
        else
            memcpy(row, p->x, (size_t)args->k * sizeof(float));
    }
    p->n_y = args->y_stride * (size_t)(args->n_tokens - 1) + (size_t)args->n_rows;
    args->weights = weights;
    args->activations = acts;
    args->y = guarded_new(p->n_y * sizeof(float), at_end);
    for (size_t i = 0; i < p->n_y; i++)
        args->y[i] = -12345.0f;
}

static void load_token(struct product *p, enum act_format act, int token) {
    const uint8_t *row = (const uint8_t *)p->args.activations + (size_t)token * p->args.act_bytes;
    if (act == ACT_F32) {
        memcpy(p->x, row, (size_t)p->args.k * sizeof(float));
        return;
    }
    const struct act_chunk_q8 *chunks = (const void *)row;
    for (int i = 0; i < p->args.k; i++)
        p->x[i] = chunks[i / 256].scale[i % 256 / 32] * (float)chunks[i / 256].q[i % 256];
}

// The largest |w| of the chunk of 256 around i bounds the terms that cancel inside a weight.
static double largest_near(const float *w, int i, int k) {
    double largest = 0;
    for (int j = i / 256 * 256; j < k && j < i / 256 * 256 + 256; j++)
        largest = fmax(largest, fabs((double)w[j]));
    return largest;
}

static bool check_values(struct product *p, const struct check_context *context) {
    const struct matmul_args *args = &p->args;
    enum act_format act = context->tested.matmul[context->dtype].act;
    bool is_exact = p->mode == DATA_EXACT || p->mode == DATA_EXTREME || p->mode == DATA_ZERO;
    for (int r = 0; r < args->n_rows; r++) {
        dequantize_row(context->dtype, (const uint8_t *)args->weights + (size_t)r * args->row_bytes,
                       p->w, (size_t)args->k);
        for (int t = 0; t < args->n_tokens; t++) {
            load_token(p, act, t);
            double sum = 0, size = 0, largest = 0;
            for (int i = 0; i < args->k; i++) {
                if (i % 256 == 0) largest = largest_near(p->w, i, args->k);
                sum += (double)p->w[i] * (double)p->x[i];
                size += 3 * largest * fabs((double)p->x[i]);
            }
            float got = args->y[(size_t)t * args->y_stride + (size_t)r];
            double bound = is_exact ? 0 : 2e-6 * size + 1e-42;
            if (!check_close((double)got, sum, bound))
                return check_failed("row %d of %d, token %d of %d, k %d, %s: %.9g, not %.9g (%.2g)",
                                    r, args->n_rows, t, args->n_tokens, args->k,
                                    data_mode_names[p->mode], (double)got, sum, bound);
        }
    }
    return true;
}

static bool check_gaps(const struct product *p) {
    for (size_t i = 0; i < p->n_y; i++)
        if (i % p->args.y_stride >= (size_t)p->args.n_rows && p->args.y[i] != -12345.0f)
            return check_failed("wrote between the rows of y");
    return true;
}

// The same product in pieces must give the same bytes.
static bool check_splits(const struct product *p, const struct matmul_op *op) {
    struct matmul_args part = p->args;
    float *whole = p->args.y;
    float *y = guarded_new(p->n_y * sizeof(float), true);
    memcpy(y, whole, p->n_y * sizeof(float));
    for (int t = 0; t < p->args.n_tokens; t += part.n_tokens) {
        part.n_tokens = random_between(1, p->args.n_tokens - t);
        for (int r = 0; r < p->args.n_rows; r += part.n_rows) {
            part.n_rows = random_between(1, p->args.n_rows - r);
            part.weights = (const uint8_t *)p->args.weights + (size_t)r * part.row_bytes;
            part.activations = (const uint8_t *)p->args.activations + (size_t)t * part.act_bytes;
            part.y = y + (size_t)t * part.y_stride + r;
            for (int i = 0; i < part.n_rows; i++)
                part.y[i] = -1;
            op->run(&part);
        }
    }
    if (memcmp(whole, y, p->n_y * sizeof(float)) != 0)
        return check_failed(
            "split into rows and tokens gives other bytes (rows %d, tokens %d, k %d)",
            p->args.n_rows, p->args.n_tokens, p->args.k);
    return true;
}

bool check_matmul(const struct check_context *context) {
    static struct product product;
    const struct matmul_op *op = &context->tested.matmul[context->dtype];
    for (int trial = 0; trial < TRIALS; trial++) {
        fill(&product, context, (enum data_mode)(trial % DATA_MODES));
        op->run(&product.args);
        bool passed =
            check_values(&product, context) && check_gaps(&product) && check_splits(&product, op);
        if (!guarded_release()) return check_failed("wrote outside its buffers");
        if (!passed) return false;
    }
    return true;
}
