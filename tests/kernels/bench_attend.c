// SPDX-License-Identifier: Apache-2.0
// Speed of attention at the shape of an 8B model (one KV head of 128 with 4 query heads): prefill
// of 240 tokens behind 2k and 16k positions in GFLOPS, decode of one token at 16k positions in GB/s
// of keys and values. Decode walks over enough KV heads to come from memory. A page holds all
// heads.
#include "bench_team.h"
#include "checks.h"
#include "random_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_DIM = 128, GROUP = 4, TOKENS = 240, DEPTH = 16384 };

struct job {
    const struct check_context *context;
    struct attend_args args;
    int n_heads, next_head; // KV heads in memory
    size_t block_bytes;     // of keys or values of a page, with their scales
    uint8_t *pages[DEPTH / KV_PAGE];
    uint8_t *scratch;
    size_t scratch_bytes;
    float *out;
};

static struct kv_head head_at(const struct job *job, enum dtype dtype, int index) {
    struct kv_head head = {.dtype = dtype, .pages = job->pages};
    // As in a pool: a plane of keys and one of values for every head.
    size_t plane_bytes = job->block_bytes * (DEPTH / KV_PAGE);
    head.offsets[KV_KEYS] = 2 * (size_t)index * plane_bytes;
    head.offsets[KV_VALUES] = head.offsets[KV_KEYS] + plane_bytes;
    head.offsets[KV_KEY_SCALES] = head.offsets[KV_KEYS] + kv_keys_bytes(dtype, HEAD_DIM, KV_PAGE);
    head.offsets[KV_VALUE_SCALES] =
        head.offsets[KV_VALUES] + kv_values_bytes(dtype, HEAD_DIM, KV_PAGE);
    return head;
}

// Every thread attends a KV head of its own.
static void attend_share(void *argument, int index, int n_threads) {
    const struct job *job = argument;
    struct attend_args args = job->args;
    args.kv = head_at(job, args.kv.dtype, (job->next_head + index) % job->n_heads);
    args.scratch = job->scratch + (size_t)index * job->scratch_bytes;
    args.out = job->out + (size_t)index * TOKENS * args.out_stride;
    job->context->tested.attend(&args);
    (void)n_threads;
}

static void next_head(void *argument, int run) {
    struct job *job = argument;
    job->next_head = run * job->context->n_threads % job->n_heads;
}

static void fill_heads(struct job *job, enum dtype dtype) {
    float key[HEAD_DIM], value[HEAD_DIM];
    struct kv_head first = head_at(job, dtype, 0);
    for (int p = 0; p < DEPTH; p++) {
        if (p < 64) random_activations(key, HEAD_DIM, DATA_RANDOM);
        if (p < 64) random_activations(value, HEAD_DIM, DATA_RANDOM);
        struct kv_store_args args = {first, key, value, p, HEAD_DIM};
        job->context->tested.kv_store(&args);
    }
    size_t head_bytes = 2 * job->block_bytes * (DEPTH / KV_PAGE);
    for (int i = 1; i < job->n_heads; i++)
        memcpy(job->pages[0] + (size_t)i * head_bytes, job->pages[0], head_bytes);
}

static double seconds_at(struct job *job, int n_tokens, int depth) {
    job->args.n_tokens = n_tokens;
    job->args.first_position = depth - n_tokens;
    return bench_team_measure(attend_share, next_head, job, 0.1, n_tokens == 1 ? 32 : 2).best;
}

static void bench_type(struct job *job, enum dtype dtype) {
    int n_threads = job->context->n_threads;
    job->args.kv.dtype = dtype;
    job->block_bytes = kv_keys_bytes(dtype, HEAD_DIM, KV_PAGE) + kv_scales_bytes(dtype, KV_PAGE);
    size_t depth_bytes = 2 * job->block_bytes * (DEPTH / KV_PAGE); // of one head
    job->n_heads = (int)(BENCH_MEMORY_BYTES / depth_bytes) / n_threads * n_threads;
    for (int page = 0; page < DEPTH / KV_PAGE; page++)
        job->pages[page] = bench_memory() + (size_t)page * job->block_bytes;
    fill_heads(job, dtype);
    double flops = 4e-9 * HEAD_DIM * GROUP * TOKENS * n_threads;
    double shallow = seconds_at(job, TOKENS, 2048), deep = seconds_at(job, TOKENS, DEPTH);
    double decode = seconds_at(job, 1, DEPTH);
    printf("bench attend.%s/%s: %d threads: prefill of %d at 2k %.0f GFLOPS, at 16k %.0f GFLOPS; "
           "decode at 16k %.1f us, %.1f GB/s\n",
           dtype_info(dtype)->name, isa_name(job->context->tested.isa), n_threads, TOKENS,
           flops * (2048 - TOKENS / 2) / shallow, flops * (DEPTH - TOKENS / 2) / deep, decode * 1e6,
           1e-9 * (double)depth_bytes * n_threads / decode);
}

void bench_attend(const struct check_context *context) {
    static const enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_I8};
    struct job job = {.context = context};
    size_t n = (size_t)TOKENS * GROUP * HEAD_DIM, n_threads = (size_t)context->n_threads;
    if (context->tested.isa == ISA_SCALAR) return; // minutes
    float *q = malloc(n * sizeof *q);
    job.scratch_bytes = attend_scratch_bytes(TOKENS, GROUP, HEAD_DIM);
    job.scratch = aligned_alloc(64, job.scratch_bytes * n_threads);
    job.out = malloc(n * n_threads * sizeof *job.out);
    if (!q || !job.scratch || !job.out) exit(1);
    random_activations(q, (int)n, DATA_RANDOM);
    job.args = (struct attend_args){.q = q,
                                    .q_stride = GROUP * HEAD_DIM,
                                    .out_stride = GROUP * HEAD_DIM,
                                    .n_group = GROUP,
                                    .head_dim = HEAD_DIM,
                                    .scale = 0.09f};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        bench_type(&job, types[i]);
    free(q);
    free(job.scratch);
    free(job.out);
}
