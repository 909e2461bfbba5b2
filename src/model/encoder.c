// SPDX-License-Identifier: Apache-2.0
// See encoder.h. If there are units enough, every thread takes one after the other and works alone,
// without a barrier; else all threads share each unit. Neither changes a bit of the result.
#include "model/encoder.h"

#include "model/encoder_pass.h"
#include "model/weight_multiply.h"

#include <stdlib.h>
#include <string.h>

// Products run at full speed from about a hundred tokens on; the rows of more than a few hundred do
// not stay in a core's second-level cache.
enum { UNIT_TOKENS = 256, UNIT_TOKENS_MIN = 32, ALIGNMENT_BYTES = 64 };

struct unit {
    size_t first; // text
    int n_texts, n_tokens;
};

struct encoder_job {
    struct encoder_text *texts; // a copy, longest first
    struct unit *units;
    size_t n_units;
    struct encoder_pass *passes; // one of each thread, or one of all
    int n_passes;
    size_t next_unit; // atomic
};

static int longest_first(const void *a, const void *b) {
    const struct encoder_text *one = a, *other = b;
    return (one->n_tokens < other->n_tokens) - (one->n_tokens > other->n_tokens);
}

// Texts in their order, as many as fit; a longer one is alone.
static int cut_units(struct encoder_job *job, size_t n_texts, int n_threads) {
    uint64_t total = 0;
    for (size_t i = 0; i < n_texts; i++)
        total += (uint64_t)job->texts[i].n_tokens;
    uint64_t even = (total + (uint64_t)n_threads - 1) / (uint64_t)n_threads;
    int size = even > UNIT_TOKENS       ? UNIT_TOKENS
               : even < UNIT_TOKENS_MIN ? UNIT_TOKENS_MIN
                                        : (int)even;
    int largest = 0;
    for (size_t i = 0; i < n_texts; i++) {
        int n = job->texts[i].n_tokens;
        struct unit *unit = job->n_units ? &job->units[job->n_units - 1] : NULL;
        if (!unit || unit->n_tokens + n > size) {
            unit = &job->units[job->n_units++];
            *unit = (struct unit){.first = i};
        }
        unit->n_texts++;
        unit->n_tokens += n;
        if (unit->n_tokens > largest) largest = unit->n_tokens;
    }
    return largest;
}

static void run_unit(struct encoder_job *job, struct encoder_pass *pass, size_t index,
                     int member_index) {
    struct encoder_pass own = *pass;
    const struct unit *unit = &job->units[index];
    own.texts = job->texts + unit->first;
    own.n_texts = unit->n_texts;
    own.n_tokens = unit->n_tokens;
    encoder_pass_run(&own, member_index);
}

static void run(void *argument, int thread_index, int n_threads) {
    struct encoder_job *job = argument;
    (void)n_threads;
    if (job->n_passes == 1) {
        for (size_t i = 0; i < job->n_units; i++) {
            if (i > 0 && job->passes->n_members > 1) thread_pool_barrier(job->passes->pool);
            run_unit(job, job->passes, i, thread_index);
        }
        return;
    }
    for (;;) {
        size_t i = __atomic_fetch_add(&job->next_unit, 1, __ATOMIC_RELAXED);
        if (i >= job->n_units) return;
        run_unit(job, &job->passes[thread_index], i, 0);
    }
}

// Lays all passes out in one stretch of memory and runs them.
static enum status run_passes(struct encoder_job *job, struct thread_pool *pool, int n_threads,
                              const struct encoder_sizes *sizes, struct error *err) {
    uint64_t bytes = encoder_pass_lay_out(job->passes, sizes, NULL);
    if (bytes > SIZE_MAX / 2 / (uint64_t)job->n_passes)
        return error_no_memory(err, "the texts' states", bytes);
    size_t total = (size_t)bytes * (size_t)job->n_passes;
    uint8_t *memory = aligned_alloc(ALIGNMENT_BYTES, total);
    if (!memory) return error_no_memory(err, "the texts' states", total);
    for (int i = 0; i < job->n_passes; i++)
        encoder_pass_lay_out(&job->passes[i], sizes, memory + (size_t)i * (size_t)bytes);
    thread_pool_run_some(pool, n_threads, run, job);
    explicit_bzero(memory, total);
    free(memory);
    return STATUS_OK;
}

static enum status check_kernels(const struct model *model, const struct kernels *kernels,
                                 struct error *err) {
    for (int i = 0; i < model->weights.n_layers; i++) {
        const struct layer_weights *layer = &model->weights.layers[i];
        const struct weight *weights[] = {&layer->q, &layer->k,  &layer->v,
                                          &layer->o, &layer->up, &layer->down};
        for (size_t w = 0; w < sizeof weights / sizeof weights[0]; w++)
            TRY(weight_check_kernel(weights[w], kernels, err));
    }
    return STATUS_OK;
}

static enum status embed(struct encoder_job *job, const struct encoder_pass *pattern,
                         size_t n_texts, int n_threads, struct error *err) {
    job->texts = malloc(n_texts * sizeof *job->texts);
    job->units = malloc(n_texts * sizeof *job->units);
    job->passes = malloc((size_t)n_threads * sizeof *job->passes);
    if (!job->texts || !job->units || !job->passes)
        return error_no_memory(err, "a list of texts", n_texts * sizeof *job->texts);
    memcpy(job->texts, pattern->texts, n_texts * sizeof *job->texts);
    qsort(job->texts, n_texts, sizeof *job->texts, longest_first);
    struct encoder_sizes sizes = {.n_longest = job->texts[0].n_tokens};
    sizes.n_tokens = cut_units(job, n_texts, n_threads);
    bool is_alone = job->n_units >= (size_t)n_threads;
    job->n_passes = is_alone ? n_threads : 1;
    sizes.n_members = is_alone ? 1 : n_threads;
    for (int i = 0; i < job->n_passes; i++)
        job->passes[i] = *pattern;
    return run_passes(job, pattern->pool, n_threads, &sizes, err);
}

enum status encoder_embed(const struct model *model, const struct kernels *kernels,
                          struct thread_pool *pool, int n_threads, const struct encoder_text *texts,
                          size_t n_texts, enum model_pooling pooling, struct error *err) {
    if (n_texts == 0) return STATUS_OK;
    if (n_texts > SIZE_MAX / 2 / sizeof *texts)
        return error_no_memory(err, "a list of texts", UINT64_MAX);
    TRY(check_kernels(model, kernels, err));
    int largest = thread_pool_size(pool);
    if (n_threads < 1 || n_threads > largest) n_threads = largest;
    const struct encoder_pass pattern = {
        .model = model, .kernels = kernels, .pool = pool, .pooling = pooling, .texts = texts};
    struct encoder_job job = {0};
    enum status status = embed(&job, &pattern, n_texts, n_threads, err);
    free(job.texts);
    free(job.units);
    free(job.passes);
    return status;
}
