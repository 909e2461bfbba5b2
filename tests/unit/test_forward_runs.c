// SPDX-License-Identifier: Apache-2.0
// Passes over several timelines: whatever else is in a pass, however many threads carry it out and
// whoever shares its pages, a run's logits are the bytes that it gets alone. Runs that are
// cancelled before or during a pass disturb nobody.
#include "harness.h"

#include "model/model.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    N_TIMELINES = 14,
    BASE = 1700, // tokens that timelines begin with
    TAIL = 70,   // tokens that each goes on with
    RUN_MAX = 40,
    TOKENS_MAX = 150, // of a pass
    N_POSITIONS = BASE + TAIL
};

struct timeline {
    struct kv_cache cache;
    int begin; // how much of the base it shares
    int32_t tokens[TAIL];
    float *expected; // [TAIL][n_vocab]
    int cancel;      // atomic
};

struct fixture {
    struct checkpoint *checkpoint;
    struct model *model;
    struct kernels kernels;
    size_t n_vocab;
    struct kv_pool pages;
    struct kv_cache base;
    struct timeline timelines[N_TIMELINES];
    float *logits; // [2 * TOKENS_MAX][n_vocab]
};

static uint64_t random_state;

static int random_below(int n) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (int)((random_state >> 33) % (uint64_t)n);
}

static enum status open_model(struct fixture *f, const char *name, enum dtype kv_dtype,
                              struct error *err) {
    char relative[128], directory[1024];
    struct kv_layout layout;
    snprintf(relative, sizeof relative, "tests/golden/models/%s", name);
    if (!harness_repo_path(relative, directory, sizeof directory)) return STATUS_NOT_FOUND;
    TRY(checkpoint_open(&f->checkpoint, directory, CHECKPOINT_AUTO, err));
    TRY(model_open(&f->model, f->checkpoint, NULL, err));
    const struct model_config *config = model_configuration(f->model);
    f->n_vocab = (size_t)config->n_vocab;
    f->logits = calloc((size_t)2 * TOKENS_MAX * f->n_vocab, sizeof *f->logits);
    TRY(kv_layout_init(&layout, kv_dtype, config->n_layers, config->n_kv_heads, config->head_dim,
                       err));
    TRY(kv_pool_init(&f->pages, &layout, kv_pages_of(N_POSITIONS) + 4 * N_TIMELINES, err));
    return kv_cache_init_on(&f->base, &f->pages, N_POSITIONS, err);
}

// What a timeline gives alone, by one thread, in one chunk or token by token.
static enum status expect(struct fixture *f, struct timeline *one, struct forward_workspace *alone,
                          struct error *err) {
    one->begin = random_below(4) == 0 ? random_below(70) : random_below(BASE + 1);
    one->expected = calloc((size_t)TAIL * f->n_vocab, sizeof *one->expected);
    if (!one->expected) return STATUS_NO_MEMORY;
    for (int t = 0; t < TAIL; t++)
        one->tokens[t] = random_below((int)f->n_vocab);
    TRY(kv_cache_init_on(&one->cache, &f->pages, N_POSITIONS, err));
    kv_cache_fork(&one->cache, &f->base, one->begin);
    int chunk = random_below(2) ? TAIL : 1;
    for (int t = 0; t < TAIL; t += chunk)
        TRY(model_forward(f->model, &one->cache, alone, one->tokens + t, chunk, true,
                          one->expected + (size_t)t * f->n_vocab, err));
    kv_cache_rewind(&one->cache, 0);
    kv_cache_trim(&one->cache);
    return STATUS_OK;
}

static enum status prepare(struct fixture *f, const char *name, enum isa isa, enum dtype kv_dtype,
                           struct error *err) {
    static int32_t tokens[BASE];
    struct thread_pool *pool;
    struct forward_workspace *alone = NULL;
    memset(f, 0, sizeof *f);
    kernels_select(&f->kernels, isa);
    TRY(open_model(f, name, kv_dtype, err));
    for (int t = 0; t < BASE; t++)
        tokens[t] = random_below((int)f->n_vocab);
    TRY(thread_pool_create(&pool, 1, err));
    enum status status =
        forward_workspace_create(&alone, f->model, &f->kernels, pool, BASE, N_POSITIONS, err);
    if (status == STATUS_OK)
        status = model_forward(f->model, &f->base, alone, tokens, BASE, false, NULL, err);
    for (int i = 0; status == STATUS_OK && i < N_TIMELINES; i++)
        status = expect(f, &f->timelines[i], alone, err);
    forward_workspace_destroy(alone);
    thread_pool_destroy(pool);
    return status;
}

static void release(struct fixture *f) {
    for (int i = 0; i < N_TIMELINES; i++) {
        if (f->timelines[i].cache.pages) kv_cache_deinit(&f->timelines[i].cache);
        free(f->timelines[i].expected);
    }
    if (f->base.pages) kv_cache_deinit(&f->base);
    kv_pool_deinit(&f->pages);
    model_close(f->model);
    checkpoint_close(f->checkpoint);
    free(f->logits);
}

// Some timelines that have tokens left, in any order, with any number of tokens each.
static int choose_runs(struct fixture *f, struct forward_run *runs, int *owners, bool only_next) {
    int n_runs = 0, n_tokens = 0, first = random_below(N_TIMELINES), n_rows = 0;
    int n_max = 1 + random_below(N_TIMELINES);
    for (int i = 0; i < N_TIMELINES && n_runs < n_max; i++) {
        int owner = (first + 5 * i) % N_TIMELINES; // 5 and 14 have no common divisor
        struct timeline *one = &f->timelines[owner];
        int done = one->cache.n_used - one->begin, left = TAIL - done;
        int n = only_next || random_below(3) ? 1 : 1 + random_below(RUN_MAX);
        if (n > left) n = left;
        if (n < 1 || n_tokens + n > TOKENS_MAX) continue;
        n_tokens += n;
        one->cancel = 0;
        int n_outputs = random_below(3) ? 1 : random_below(n + 1);
        // Logits of neighbours follow each other or do not.
        int row = random_below(4) ? n_rows : 2 * TOKENS_MAX - n_tokens;
        if (row == n_rows) n_rows += n_outputs;
        runs[n_runs] = (struct forward_run){.cache = &one->cache,
                                            .tokens = one->tokens + done,
                                            .n_tokens = n,
                                            .n_outputs = n_outputs,
                                            .logits = f->logits + (size_t)row * f->n_vocab,
                                            .cancel = random_below(3) ? &one->cancel : NULL};
        owners[n_runs++] = owner;
    }
    return n_runs;
}

struct spoiler {
    struct timeline *victim;
    int delay; // turns of a loop
};

static void *spoil(void *argument) {
    struct spoiler *spoiler = argument;
    for (int i = 0; i < spoiler->delay; i++)
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&spoiler->victim->cancel, 1, __ATOMIC_RELAXED);
    return NULL;
}

static bool results_are_right(const struct fixture *f, const struct forward_run *runs,
                              const int *owners, const int *used, int n_runs) {
    for (int i = 0; i < n_runs; i++) {
        const struct timeline *one = &f->timelines[owners[i]];
        int n_used = used[i] + (runs[i].cancelled ? 0 : runs[i].n_tokens);
        if (one->cache.n_used != n_used || (runs[i].cancelled && !runs[i].cancel)) return false;
        size_t row = (size_t)(n_used - one->begin - runs[i].n_outputs);
        if (!runs[i].cancelled && runs[i].n_outputs > 0 &&
            memcmp(runs[i].logits, one->expected + row * f->n_vocab,
                   (size_t)runs[i].n_outputs * f->n_vocab * sizeof *runs[i].logits) != 0) {
            printf("    run %d of %d: %d tokens at %d, %d outputs differ\n", i, n_runs,
                   runs[i].n_tokens, used[i], runs[i].n_outputs);
            return false;
        }
    }
    return true;
}

// A random pass; with `cancels`, some runs are cancelled before it and one at any time.
static bool run_pass(struct fixture *f, struct forward_workspace *workspace, bool only_next,
                     bool cancels, bool *is_over) {
    struct forward_run runs[N_TIMELINES];
    struct error err = {0};
    int owners[N_TIMELINES], used[N_TIMELINES], n_runs = choose_runs(f, runs, owners, only_next);
    pthread_t thread;
    *is_over = n_runs == 0;
    if (n_runs == 0) return true;
    for (int i = 0; i < n_runs; i++) {
        used[i] = runs[i].cache->n_used;
        if (cancels && random_below(4) == 0) f->timelines[owners[i]].cancel = 1;
    }
    struct spoiler spoiler = {&f->timelines[owners[n_runs - 1 - random_below(n_runs) / 2]],
                              random_below(200000)};
    if (cancels && pthread_create(&thread, NULL, spoil, &spoiler) != 0) return false;
    enum status status = model_forward_runs(f->model, workspace, runs, n_runs, &err);
    if (cancels) pthread_join(thread, NULL);
    bool any = false;
    for (int i = 0; i < n_runs; i++)
        any = any || !runs[i].cancelled;
    if (status != (any ? STATUS_OK : STATUS_CANCELLED)) {
        printf("    %s\n", err.message);
        return false;
    }
    return results_are_right(f, runs, owners, used, n_runs);
}

// All timelines from their beginning to their end, in random passes.
static enum test_result run_all(struct fixture *f, int n_threads, bool cancels) {
    struct thread_pool *pool;
    struct forward_workspace *workspace;
    struct error err = {0};
    bool is_over = false;
    CHECK(thread_pool_create(&pool, n_threads, &err) == STATUS_OK);
    CHECK(forward_workspace_create(&workspace, f->model, &f->kernels, pool, TOKENS_MAX, N_POSITIONS,
                                   &err) == STATUS_OK);
    for (int i = 0; i < N_TIMELINES; i++)
        kv_cache_fork(&f->timelines[i].cache, &f->base, f->timelines[i].begin);
    int n_narrow = n_threads > 2 ? n_threads - 1 : n_threads;
    forward_workspace_set_threads(workspace, n_narrow, n_threads);
    for (int pass = 0; !is_over; pass++)
        CHECK(run_pass(f, workspace, pass % 3 == 0, cancels && pass % 4 != 0, &is_over));
    for (int i = 0; i < N_TIMELINES; i++) {
        kv_cache_rewind(&f->timelines[i].cache, 0);
        kv_cache_trim(&f->timelines[i].cache);
    }
    CHECK(kv_pool_used(&f->pages) == kv_pages_of(BASE));
    forward_workspace_destroy(workspace);
    thread_pool_destroy(pool);
    return TEST_PASS;
}

static enum test_result check_model(const char *name, enum isa isa, enum dtype kv_dtype) {
    static const int threads[] = {1, 2, 3, 8};
    struct fixture f;
    struct error err = {0};
    enum status status = prepare(&f, name, isa, kv_dtype, &err);
    CHECK_MESSAGE(status == STATUS_OK, "%s: %s", name, err.message);
    enum test_result result = TEST_PASS;
    for (size_t i = 0; result == TEST_PASS && i < sizeof threads / sizeof threads[0]; i++) {
        result = run_all(&f, threads[i], false);
        if (result == TEST_PASS) result = run_all(&f, threads[i], true);
        if (result != TEST_PASS)
            printf("    %s, %s cache, %d threads\n", name, dtype_info(kv_dtype)->name, threads[i]);
    }
    release(&f);
    return result;
}

static enum test_result mixes(void) {
    static const char *const names[] = {"llama", "gemma3", "qwen3-bias-window", "llama-tied-odd",
                                        "mistral-window"};
    static const enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_I8};
    random_state = 11;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (size_t t = 0; t < (i == 0 ? 4 : 2); t++)
            CHECK(check_model(names[i], isa_best(),
                              types[(i + 2 * t + (i == 0 ? t / 2 : 0)) % 4]) == TEST_PASS);
    return TEST_PASS;
}

static enum test_result avx2_mixes(void) {
    if (!isa_available(ISA_AVX2)) return harness_skip("this machine has no AVX2");
    random_state = 12;
    CHECK(check_model("qwen2", ISA_AVX2, DTYPE_F16) == TEST_PASS);
    return check_model("gemma3", ISA_AVX2, DTYPE_I8);
}

static const struct test tests[] = {
    {"mixes", "a run in any company gives the bytes that it gives alone", mixes},
    {"avx2_mixes", "the same with AVX2", avx2_mixes},
};

int main(int argc, char **argv) {
    return harness_main("forward_runs", tests, sizeof tests / sizeof tests[0], argc, argv);
}
