// SPDX-License-Identifier: Apache-2.0
// Matrix product speed of one weight type: prefill (many tokens, weights in the cache between
// token groups) in GOPS, decode (one token, weights from memory) in GB/s. An operation is one
// multiplication or one addition. Best and median of many slices of about a millisecond: on a
// machine that others use too, the best says what the kernel can do and the median what it got.
#include "checks.h"
#include "random_data.h"

#include "base/clock.h"
#include "base/thread_pool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    K = 4096,
    PREFILL_ROWS = 256,
    PREFILL_TOKENS = 64,
    PREFILL_SLICES = 60,
    DECODE_BYTES = 192 << 20, // far more than any cache
    SEGMENTS = 16,            // slices of one pass over them
    PASSES = 4
};

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

struct timing {
    double best, median; // seconds
};

static int compare_times(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct timing summarize(double *seconds, int n) {
    qsort(seconds, (size_t)n, sizeof *seconds, compare_times);
    return (struct timing){seconds[0], seconds[n / 2]};
}

// Runs the whole product again and again.
static struct timing measure_prefill(struct thread_pool *pool, struct job *job) {
    double seconds[PREFILL_SLICES];
    for (int i = 0; i < PREFILL_SLICES; i++) {
        double start = clock_seconds();
        thread_pool_run(pool, multiply_share, job);
        seconds[i] = clock_seconds() - start;
    }
    return summarize(seconds, PREFILL_SLICES);
}

// Walks over all rows, a segment a slice; the job's n_rows is one segment's.
static struct timing measure_decode(struct thread_pool *pool, struct job *job) {
    double seconds[PASSES * SEGMENTS];
    const uint8_t *weights = job->args.weights;
    for (int i = 0; i < PASSES * SEGMENTS; i++) {
        job->args.weights =
            weights + (size_t)(i % SEGMENTS) * (size_t)job->args.n_rows * job->args.row_bytes;
        double start = clock_seconds();
        thread_pool_run(pool, multiply_share, job);
        seconds[i] = clock_seconds() - start;
    }
    return summarize(seconds, PASSES * SEGMENTS);
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
    stream->sums[index % 64] += sum;
}

// What decode is measured against: reading as much memory and only adding it up.
void bench_roof(const struct check_context *context) {
    struct stream stream = {.n_words = DECODE_BYTES / SEGMENTS / sizeof(uint64_t)};
    double seconds[PASSES * SEGMENTS];
    uint64_t *words = malloc(DECODE_BYTES);
    struct thread_pool *pool;
    if (!words || thread_pool_create(&pool, context->n_threads, NULL) != STATUS_OK) exit(1);
    memset(words, 1, DECODE_BYTES);
    for (int i = 0; i < PASSES * SEGMENTS; i++) {
        stream.words = words + (size_t)(i % SEGMENTS) * stream.n_words;
        double start = clock_seconds();
        thread_pool_run(pool, read_share, &stream);
        seconds[i] = clock_seconds() - start;
    }
    struct timing timing = summarize(seconds, PASSES * SEGMENTS);
    double gigabytes = 1e-9 * DECODE_BYTES / SEGMENTS;
    printf("bench roof: %d threads read %.1f GB/s (median %.1f; checksum %llx)\n",
           context->n_threads, gigabytes / timing.best, gigabytes / timing.median,
           (unsigned long long)stream.sums[0]);
    thread_pool_destroy(pool);
    free(words);
}

// Tokens of the operation's format.
static void fill_tokens(const struct check_context *context, uint8_t *acts, int n_tokens) {
    enum act_format format = context->tested.matmul[context->dtype].act;
    for (int t = 0; t < n_tokens; t++) {
        float x[K];
        void *row = acts + (size_t)t * act_row_bytes(format, K);
        random_activations(x, K, DATA_RANDOM);
        if (format == ACT_Q8)
            context->scalar.quantize_act(x, row, K);
        else
            memcpy(row, x, sizeof x);
    }
}

static void report(const struct check_context *context, const struct job *job,
                   struct timing prefill, struct timing decode, int prefill_rows, int n_tokens) {
    double giga_ops = 2e-9 * K * (double)prefill_rows * n_tokens;
    double gigabytes = 1e-9 * (double)job->args.row_bytes * job->args.n_rows;
    printf("bench matmul.%s/%s: %d threads: prefill %.1f GOPS (median %.1f), decode %.1f GB/s "
           "(median %.1f)\n",
           dtype_info(context->dtype)->name, isa_name(context->tested.isa), context->n_threads,
           giga_ops / prefill.best, giga_ops / prefill.median, gigabytes / decode.best,
           gigabytes / decode.median);
}

void bench_matmul(const struct check_context *context) {
    struct job job = {.op = &context->tested.matmul[context->dtype]};
    struct matmul_args *args = &job.args;
    struct thread_pool *pool;
    uint64_t row_bytes;
    dtype_size_bytes(context->dtype, K, &row_bytes);
    bool is_slow = context->tested.isa == ISA_SCALAR;
    int segment_rows = (int)(DECODE_BYTES / row_bytes) / SEGMENTS / (is_slow ? 16 : 1);
    int prefill_rows = is_slow ? 16 : PREFILL_ROWS, n_tokens = is_slow ? 16 : PREFILL_TOKENS;
    *args = (struct matmul_args){.row_bytes = (size_t)row_bytes, .k = K};
    args->act_bytes = act_row_bytes(job.op->act, K);
    uint8_t *weights = malloc((size_t)segment_rows * SEGMENTS * args->row_bytes);
    uint8_t *acts = malloc((size_t)n_tokens * args->act_bytes);
    int n_y = prefill_rows * n_tokens > segment_rows ? prefill_rows * n_tokens : segment_rows;
    args->y = malloc((size_t)n_y * sizeof(float));
    if (!weights || !acts || !args->y) exit(1);
    if (thread_pool_create(&pool, context->n_threads, NULL) != STATUS_OK) exit(1);
    fill_rows(weights, context->dtype, args->row_bytes, segment_rows * SEGMENTS);
    fill_tokens(context, acts, n_tokens);
    args->weights = weights;
    args->activations = acts;
    args->n_rows = prefill_rows;
    args->n_tokens = n_tokens;
    args->y_stride = (size_t)prefill_rows;
    struct timing prefill = measure_prefill(pool, &job);
    args->n_rows = segment_rows;
    args->n_tokens = 1;
    args->y_stride = (size_t)segment_rows;
    struct timing decode = measure_decode(pool, &job);
    report(context, &job, prefill, decode, prefill_rows, n_tokens);
    thread_pool_destroy(pool);
    free(weights);
    free(acts);
    free(args->y);
}
