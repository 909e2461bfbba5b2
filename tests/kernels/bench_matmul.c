// SPDX-License-Identifier: Apache-2.0
// Matrix product speed of one weight type: prefill (many tokens, weights in the cache between
// token groups) in GOPS, decode (one token, weights from memory) in GB/s. An operation is one
// multiplication or one addition.
#include "checks.h"
#include "random_data.h"

#include "base/clock.h"
#include "base/thread_pool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { K = 4096, PREFILL_ROWS = 512, PREFILL_TOKENS = 256, DECODE_BYTES = 192 << 20, REPEATS = 8 };

struct job {
    const struct matmul_op *op;
    struct matmul_args args;
};

static void multiply_share(void *argument, int index, int n_threads) {
    const struct job *job = argument;
    struct matmul_args args = job->args;
    int panels = (args.n_rows + 3) / 4;
    int first = panels * index / n_threads * 4, end = panels * (index + 1) / n_threads * 4;
    if (end > args.n_rows) end = args.n_rows;
    args.weights = (const uint8_t *)args.weights + (size_t)first * args.row_bytes;
    args.y += first;
    args.n_rows = end - first;
    job->op->run(&args);
}

static double measure(struct thread_pool *pool, struct job *job) {
    double best = INFINITY;
    for (int i = 0; i < REPEATS; i++) {
        double start = clock_seconds();
        thread_pool_run(pool, multiply_share, job);
        best = fmin(best, clock_seconds() - start);
    }
    return best;
}

// One row of random weights, repeated: content does not matter for speed, writing it does.
static void fill_rows(uint8_t *weights, enum dtype dtype, size_t row_bytes, int n_rows) {
    random_weights(weights, dtype, K, DATA_RANDOM);
    for (int r = 1; r < n_rows; r++)
        memcpy(weights + (size_t)r * row_bytes, weights, row_bytes);
}

struct stream {
    const uint64_t *words;
    size_t n_words;
    uint64_t sums[64]; // by thread, so that the reading is not removed
};

static void read_share(void *argument, int index, int n_threads) {
    struct stream *stream = argument;
    size_t first = stream->n_words * (size_t)index / (size_t)n_threads;
    size_t end = stream->n_words * (size_t)(index + 1) / (size_t)n_threads;
    uint64_t sum = 0;
    for (size_t i = first; i < end; i++)
        sum += stream->words[i];
    stream->sums[index % 64] = sum;
}

// What decode is measured against: reading as much memory and only adding it up.
void bench_roof(const struct check_context *context) {
    struct stream stream = {.n_words = DECODE_BYTES / sizeof(uint64_t)};
    uint64_t *words = malloc(DECODE_BYTES);
    struct thread_pool *pool;
    if (!words || thread_pool_create(&pool, context->n_threads, NULL) != STATUS_OK) exit(1);
    memset(words, 1, DECODE_BYTES);
    stream.words = words;
    double best = INFINITY;
    for (int i = 0; i < 2 * REPEATS; i++) {
        double start = clock_seconds();
        thread_pool_run(pool, read_share, &stream);
        best = fmin(best, clock_seconds() - start);
    }
    printf("bench roof: %d threads read %.1f GB/s (checksum %llx)\n", context->n_threads,
           1e-9 * DECODE_BYTES / best, (unsigned long long)stream.sums[0]);
    thread_pool_destroy(pool);
    free(words);
}

void bench_matmul(const struct check_context *context) {
    struct job job = {.op = &context->tested.matmul[context->dtype]};
    uint64_t row_bytes;
    dtype_size_bytes(context->dtype, K, &row_bytes);
    bool is_slow = context->tested.isa == ISA_SCALAR;
    int decode_rows = (int)(DECODE_BYTES / row_bytes) / (is_slow ? 16 : 1);
    int prefill_rows = is_slow ? 32 : PREFILL_ROWS, n_tokens = is_slow ? 32 : PREFILL_TOKENS;
    struct matmul_args *args = &job.args;
    *args = (struct matmul_args){.row_bytes = (size_t)row_bytes, .k = K};
    args->act_bytes = act_row_bytes(job.op->act, K);
    uint8_t *weights = malloc((size_t)decode_rows * args->row_bytes);
    uint8_t *acts = malloc((size_t)n_tokens * args->act_bytes);
    size_t n_y = (size_t)prefill_rows * (size_t)n_tokens;
    args->y = malloc((n_y > (size_t)decode_rows ? n_y : (size_t)decode_rows) * sizeof(float));
    struct thread_pool *pool;
    if (!weights || !acts || !args->y || thread_pool_create(&pool, context->n_threads, NULL) != 0)
        exit(1);
    fill_rows(weights, context->dtype, args->row_bytes, decode_rows);
    for (int t = 0; t < n_tokens; t++) {
        float x[K];
        random_activations(x, K, DATA_RANDOM);
        void *row = acts + (size_t)t * args->act_bytes;
        if (job.op->act == ACT_Q8)
            context->scalar.quantize_act(x, row, K);
        else
            memcpy(row, x, sizeof x);
    }
    args->weights = weights;
    args->activations = acts;
    args->n_rows = prefill_rows;
    args->n_tokens = n_tokens;
    args->y_stride = (size_t)prefill_rows;
    double prefill = measure(pool, &job);
    args->n_rows = decode_rows;
    args->n_tokens = 1;
    args->y_stride = (size_t)decode_rows;
    double decode = measure(pool, &job);
    printf("bench matmul.%s/%s: %d threads: prefill %.1f GOPS, decode %.1f GB/s\n",
           dtype_info(context->dtype)->name, isa_name(context->tested.isa), context->n_threads,
           2e-9 * K * (double)n_y / prefill, 1e-9 * (double)row_bytes * decode_rows / decode);
    thread_pool_destroy(pool);
    free(weights);
    free(acts);
    free(args->y);
}
