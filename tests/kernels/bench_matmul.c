// SPDX-License-Identifier: Apache-2.0
// Matrix product speed of one weight type: prefill (many tokens) in GOPS, decode (one token) in
// GB/s of panels. The weights are larger than any cache and every run takes the next ones, as the
// matrices of a model follow each other. An operation is one multiplication or one addition. Best
// and median of many runs: on a machine that others use too, the best says what the kernel can do
// and the median what it got.
#include "bench_team.h"
#include "checks.h"
#include "random_data.h"

#include "numeric/float16.h"
#include "numeric/packed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { K = 4096, TOKENS_MAX = 512, DECODE_SLICES = 8 };

struct job {
    const struct matmul_op *op;
    struct matmul_args args;
    int n_panels; // of one run
    int n_slices; // runs until the weights are through
    const uint8_t *panels;
};

uint8_t *bench_memory(void) {
    static uint8_t *memory;
    if (memory) return memory;
    memory = aligned_alloc(4096, BENCH_MEMORY_BYTES);
    if (!memory) exit(1);
    memset(memory, 1, BENCH_MEMORY_BYTES);
    return memory;
}

static void multiply_share(void *argument, int index, int n_threads) {
    const struct job *job = argument;
    struct matmul_args args = job->args;
    const int first = (int)((long)job->n_panels * index / n_threads);
    const int end = (int)((long)job->n_panels * (index + 1) / n_threads);
    if (first == end) return;
    args.panels += (size_t)first * args.panel_bytes;
    args.y += first * PANEL_ROWS;
    args.n_rows = (end - first) * PANEL_ROWS;
    job->op->run(&args);
}

static void next_slice(void *argument, int run) {
    struct job *job = argument;
    job->args.panels =
        job->panels + (size_t)(run % job->n_slices) * (size_t)job->n_panels * job->args.panel_bytes;
}

// One panel of random weights, repeated: content does not matter for speed, packing does.
static void fill_panels(struct job *job, enum dtype dtype, int n_panels) {
    static uint8_t rows[PANEL_ROWS * K * 4];
    uint8_t *panels = bench_memory();
    const size_t panel_bytes = job->args.panel_bytes;
    const struct dtype_info *info = dtype_info(dtype);
    random_weights(rows, dtype, PANEL_ROWS * K, DATA_RANDOM);
    pack_panel(dtype, rows, (size_t)(K / info->block_elements) * (size_t)info->block_bytes,
               PANEL_ROWS, K, panels);
    for (int i = 1; i < n_panels; i++)
        memcpy(panels + (size_t)i * panel_bytes, panels, panel_bytes);
    job->panels = panels;
}

// Tokens of the operation's format.
static void fill_tokens(const struct check_context *context, struct job *job, uint8_t *acts) {
    const enum act_format format = job->op->act;
    for (int t = 0; t < TOKENS_MAX; t++) {
        float x[K];
        void *row = acts + (size_t)t * job->args.act_bytes;
        random_activations(x, K, DATA_RANDOM);
        if (format == ACT_Q8)
            context->scalar.quantize_act(x, row, 0, K);
        else if (format == ACT_BF16)
            context->scalar.to_bf16(x, row, K);
        else
            memcpy(row, x, sizeof x);
    }
}

static double prefill_speed(struct job *job, int n_tokens, int n_panels, int n_in_memory,
                            double *median) {
    job->n_panels = n_panels;
    job->n_slices = n_in_memory / n_panels;
    job->args.n_tokens = n_tokens;
    job->args.y_stride = (size_t)n_panels * PANEL_ROWS;
    struct bench_timing timing = bench_team_measure(multiply_share, next_slice, job, 0.1, 3);
    const double ops = 2e-9 * K * (double)(n_panels * PANEL_ROWS) * n_tokens;
    *median = ops / timing.median;
    return ops / timing.best;
}

// GB/s of panels; a run takes a share of the memory, so that a disturbance costs one run.
static double decode_speed(struct job *job, int n_panels, double *median) {
    job->n_panels = n_panels / DECODE_SLICES;
    job->n_slices = DECODE_SLICES;
    job->args.n_tokens = 1;
    job->args.y_stride = (size_t)job->n_panels * PANEL_ROWS;
    struct bench_timing timing = bench_team_measure(multiply_share, next_slice, job, 0.12, 16);
    const double gigabytes = 1e-9 * (double)job->args.panel_bytes * job->n_panels;
    *median = gigabytes / timing.median;
    return gigabytes / timing.best;
}

static void run_sizes(const struct check_context *context, struct job *job, int n_in_memory) {
    static const int token_counts[] = {512, 64, 16};
    const bool is_slow = context->tested.isa == ISA_SCALAR;
    double median;
    printf("bench matmul.%s/%s: %d threads: prefill", dtype_info(context->dtype)->name,
           isa_name(context->tested.isa), context->n_threads);
    for (int i = is_slow ? 2 : 0; i < 3; i++) {
        const int n_panels = (is_slow ? 1 : 32) * context->n_threads;
        const double speed = prefill_speed(job, token_counts[i], n_panels, n_in_memory, &median);
        printf(" M=%d %.0f (median %.0f)", token_counts[i], speed, median);
    }
    const double speed = decode_speed(job, is_slow ? n_in_memory / 64 : n_in_memory, &median);
    printf(" GOPS; decode %.1f GB/s (median %.1f)\n", speed, median);
}

void bench_matmul(const struct check_context *context) {
    struct job job = {.op = &context->tested.matmul[context->dtype]};
    struct matmul_args *args = &job.args;
    *args = (struct matmul_args){.panel_bytes = packed_panel_bytes(context->dtype, K), .k = K};
    // an odd number of lines apart, as the model keeps them: else tokens compete for cache sets
    args->act_bytes = ((act_row_bytes(job.op->act, K) + 63) / 64 | 1) * 64;
    const int n_in_memory = (int)(BENCH_MEMORY_BYTES / args->panel_bytes);
    // prefill: 32 panels a thread and 512 tokens; decode: all rows, one token
    const size_t n_prefill = (size_t)context->n_threads * 32 * PANEL_ROWS * TOKENS_MAX;
    const size_t n_decode = (size_t)n_in_memory * PANEL_ROWS;
    uint8_t *acts = aligned_alloc(64, TOKENS_MAX * args->act_bytes);
    args->y = malloc((n_prefill > n_decode ? n_prefill : n_decode) * sizeof(float));
    if (!acts || !args->y) exit(1);
    fill_panels(&job, context->dtype, n_in_memory);
    fill_tokens(context, &job, acts);
    args->activations = acts;
    run_sizes(context, &job, n_in_memory);
    free(acts);
    free(args->y);
}
