// SPDX-License-Identifier: Apache-2.0
// The forward pass against transformers: tiny random models of every family (made by
// tests/golden/make_models.py) whose float32 logits are known at every position; and the promise
// that chunking, rewinding and threads change no bit.
#include "harness.h"

#include "model/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const model_names[] = {
    "llama",
    "llama-tied-odd",
    "llama-bias",
    "llama-linear",
    "llama-llama3",
    "llama-yarn",
    "llama-yarn-mscale",
    "llama-bf16",
    "mistral",
    "mistral-window",
    "qwen2",
    "qwen2-window",
    "qwen3",
    "qwen3-bias-window",
    "gemma3",
    "gemma3-global-linear",
    "gemma3-bf16",
    "gemma3-multimodal",
};

enum { N_MODELS = sizeof model_names / sizeof model_names[0], N_POSITIONS = 64 };

static const double max_relative_error = 1e-4;

// An opened golden model with its reference.
struct golden {
    struct checkpoint *checkpoint;
    struct model *model;
    int n_tokens, n_vocab;
    int32_t *tokens;
    float *reference; // [n_tokens][n_vocab]
};

// How to run it.
struct setup {
    enum isa isa;
    int n_threads;
    enum dtype kv_dtype;
};

static void *read_file(const char *directory, const char *name, size_t *size_bytes) {
    char path[1200];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    *size_bytes = (size_t)ftell(file);
    rewind(file);
    void *data = malloc(*size_bytes);
    if (data && fread(data, 1, *size_bytes, file) != *size_bytes) {
        free(data);
        data = NULL;
    }
    fclose(file);
    return data;
}

static void close_golden(struct golden *golden) {
    model_close(golden->model);
    checkpoint_close(golden->checkpoint);
    free(golden->tokens);
    free(golden->reference);
}

static bool open_golden(struct golden *golden, const char *name) {
    memset(golden, 0, sizeof *golden);
    char relative[128], directory[1024];
    snprintf(relative, sizeof relative, "tests/golden/models/%s", name);
    if (!harness_repo_path(relative, directory, sizeof directory)) return false;
    struct error err = {0};
    if (checkpoint_open(&golden->checkpoint, directory, CHECKPOINT_AUTO, &err) != STATUS_OK ||
        model_open(&golden->model, golden->checkpoint, NULL, &err) != STATUS_OK) {
        printf("    %s: %s\n", name, err.message);
        return false;
    }
    size_t token_bytes = 0, logit_bytes = 0;
    golden->tokens = read_file(directory, "tokens.bin", &token_bytes);
    golden->reference = read_file(directory, "logits.bin", &logit_bytes);
    golden->n_tokens = (int)(token_bytes / sizeof(int32_t));
    golden->n_vocab = model_configuration(golden->model)->n_vocab;
    return golden->tokens && golden->reference &&
           logit_bytes == sizeof(float) * (size_t)golden->n_tokens * (size_t)golden->n_vocab;
}

// Logits of all tokens fed in chunks of `chunk`; if rewind_to >= 0, everything after that position
// is first fed with other tokens, then forgotten.
static float *run(const struct golden *golden, struct setup setup, int chunk, int rewind_to) {
    struct error err = {0};
    struct kernels kernels;
    struct thread_pool *pool = NULL;
    struct kv_cache cache = {0};
    struct forward_workspace *workspace = NULL;
    const struct model_config *config = model_configuration(golden->model);
    size_t n_vocab = (size_t)golden->n_vocab;
    float *logits = calloc((size_t)golden->n_tokens * n_vocab, sizeof *logits);
    kernels_select(&kernels, setup.isa);
    enum status status = thread_pool_create(&pool, setup.n_threads, &err);
    if (status == STATUS_OK)
        status = kv_cache_init(&cache, setup.kv_dtype, config->n_layers, config->n_kv_heads,
                               config->head_dim, N_POSITIONS, &err);
    if (status == STATUS_OK)
        status = forward_workspace_create(&workspace, golden->model, &kernels, pool,
                                          golden->n_tokens, N_POSITIONS, &err);
    if (status == STATUS_OK && rewind_to >= 0) {
        status = model_forward(golden->model, &cache, workspace, golden->tokens, rewind_to, true,
                               logits, &err);
        if (status == STATUS_OK) // the wrong future
            status = model_forward(golden->model, &cache, workspace, golden->tokens, 5, false, NULL,
                                   &err);
        kv_cache_rewind(&cache, rewind_to);
    }
    for (int at = cache.n_used; status == STATUS_OK && at < golden->n_tokens; at += chunk) {
        int n = golden->n_tokens - at < chunk ? golden->n_tokens - at : chunk;
        status = model_forward(golden->model, &cache, workspace, golden->tokens + at, n, true,
                               logits + (size_t)at * n_vocab, &err);
    }
    if (status != STATUS_OK) {
        printf("    %s\n", err.message);
        free(logits);
        logits = NULL;
    }
    forward_workspace_destroy(workspace);
    kv_cache_deinit(&cache);
    thread_pool_destroy(pool);
    return logits;
}

static double worst_error(const struct golden *golden, const float *logits) {
    double worst = 0;
    for (int t = 0; t < golden->n_tokens; t++) {
        double difference = 0, largest = 0;
        for (int v = 0; v < golden->n_vocab; v++) {
            size_t i = (size_t)t * (size_t)golden->n_vocab + (size_t)v;
            double d = fabs((double)logits[i] - golden->reference[i]);
            if (!(d <= difference)) difference = d; // NaN counts
            if (fabs(golden->reference[i]) > largest) largest = fabs(golden->reference[i]);
        }
        if (!(difference / largest <= worst)) worst = difference / largest;
    }
    return worst;
}

static enum test_result compare_all(enum isa isa, int n_threads, enum dtype kv_dtype,
                                    double error_max) {
    if (!isa_available(isa)) return harness_skip("this machine has no %s", isa_name(isa));
    for (int i = 0; i < N_MODELS; i++) {
        struct golden golden;
        CHECK_MESSAGE(open_golden(&golden, model_names[i]), "%s does not open", model_names[i]);
        float *logits = run(&golden, (struct setup){isa, n_threads, kv_dtype}, golden.n_tokens, -1);
        CHECK_MESSAGE(logits, "%s does not run", model_names[i]);
        double error = worst_error(&golden, logits);
        CHECK_MESSAGE(error <= error_max, "%s (%s, %s cache): relative error %.3g", model_names[i],
                      isa_name(isa), dtype_info(kv_dtype)->name, error);
        free(logits);
        close_golden(&golden);
    }
    return TEST_PASS;
}

static enum test_result logits_scalar(void) {
    return compare_all(ISA_SCALAR, 1, DTYPE_F32, max_relative_error);
}
static enum test_result logits_avx2(void) {
    return compare_all(ISA_AVX2, 2, DTYPE_F32, max_relative_error);
}

// Rounded caches stay near what they round (and so do the products of models in bf16, 0.026). The
// models are small and random: what a real one makes of it is a perplexity, docs/KERNELS.md.
static enum test_result rounded_caches(void) {
    CHECK(compare_all(isa_best(), 2, DTYPE_F16, 0.04) == TEST_PASS);
    CHECK(compare_all(isa_best(), 2, DTYPE_BF16, 0.05) == TEST_PASS);
    return compare_all(isa_best(), 2, DTYPE_I8, 0.12);
}

// Prefill at once, token by token, in odd chunks, after a rewind, with 1 to 8 threads.
static enum test_result same_bits(enum isa isa, enum dtype kv_dtype) {
    if (!isa_available(isa)) return harness_skip("this machine has no %s", isa_name(isa));
    static const struct {
        int n_threads, chunk, rewind_to;
    } runs[] = {{1, 1, -1},  {2, 64, -1}, {3, 64, -1}, {2, 7, -1},  {3, 5, -1},
                {2, 13, 17}, {5, 64, -1}, {8, 64, -1}, {5, 11, -1}, {3, 4, -1},
                {8, 2, -1},  {5, 1, -1},  {2, 3, -1},  {8, 33, 20}, {2, 1, -1}};
    for (int i = 0; i < N_MODELS; i++) {
        struct golden golden;
        CHECK_MESSAGE(open_golden(&golden, model_names[i]), "%s does not open", model_names[i]);
        float *whole = run(&golden, (struct setup){isa, 1, kv_dtype}, golden.n_tokens, -1);
        CHECK(whole);
        size_t size_bytes = sizeof(float) * (size_t)golden.n_tokens * (size_t)golden.n_vocab;
        for (size_t r = 0; r < sizeof runs / sizeof runs[0]; r++) {
            float *other = run(&golden, (struct setup){isa, runs[r].n_threads, kv_dtype},
                               runs[r].chunk, runs[r].rewind_to);
            CHECK_MESSAGE(other && memcmp(whole, other, size_bytes) == 0,
                          "%s (%s): %d threads, chunks of %d, rewind to %d differ", model_names[i],
                          isa_name(isa), runs[r].n_threads, runs[r].chunk, runs[r].rewind_to);
            free(other);
        }
        free(whole);
        close_golden(&golden);
    }
    return TEST_PASS;
}

static enum test_result same_bits_scalar(void) {
    return same_bits(ISA_SCALAR, DTYPE_F32);
}
static enum test_result same_bits_avx2(void) {
    return same_bits(ISA_AVX2, DTYPE_F32);
}
static enum test_result same_bits_f16_cache(void) {
    return same_bits(isa_best(), DTYPE_F16);
}

static enum test_result same_bits_bf16_cache(void) {
    return same_bits(isa_best(), DTYPE_BF16);
}
static enum test_result same_bits_i8_cache(void) {
    return same_bits(isa_best(), DTYPE_I8);
}

enum { LONG_POSITIONS = 1100, LONG_TAIL = 6 };

// The golden tokens again and again.
static void repeat_tokens(const struct golden *golden, int32_t *tokens) {
    for (int i = 0; i < LONG_POSITIONS; i++)
        tokens[i] = golden->tokens[i % golden->n_tokens];
}

// Logits of the last LONG_TAIL tokens, fed in chunks of `chunk` by n_threads behind a cache that is
// filled to there already; n_threads 0: fills it first.
static enum status run_tail(const struct golden *golden, struct kv_cache *cache, int n_threads,
                            int chunk, float *logits, struct error *err) {
    static int32_t tokens[LONG_POSITIONS];
    const int begin = LONG_POSITIONS - LONG_TAIL;
    struct kernels kernels;
    struct thread_pool *pool;
    struct forward_workspace *workspace = NULL;
    kernels_select(&kernels, isa_best());
    repeat_tokens(golden, tokens);
    TRY(thread_pool_create(&pool, n_threads > 0 ? n_threads : 2, err));
    enum status status = forward_workspace_create(&workspace, golden->model, &kernels, pool, begin,
                                                  LONG_POSITIONS, err);
    if (status == STATUS_OK && n_threads == 0)
        status = model_forward(golden->model, cache, workspace, tokens, begin, false, NULL, err);
    kv_cache_rewind(cache, begin);
    for (int at = 0; status == STATUS_OK && at < LONG_TAIL; at += chunk) {
        int n = LONG_TAIL - at < chunk ? LONG_TAIL - at : chunk;
        status = model_forward(golden->model, cache, workspace, tokens + begin + at, n, true,
                               logits + (size_t)at * (size_t)golden->n_vocab, err);
    }
    forward_workspace_destroy(workspace);
    thread_pool_destroy(pool);
    return status;
}

// Several segments of the cache, cut over threads in every way.
static enum test_result check_long_context(const char *name, enum dtype kv_dtype) {
    struct golden golden;
    struct kv_cache cache;
    struct error err;
    CHECK(open_golden(&golden, name));
    const struct model_config *config = model_configuration(golden.model);
    size_t n = (size_t)LONG_TAIL * (size_t)golden.n_vocab;
    float *whole = calloc(n, sizeof *whole), *other = calloc(n, sizeof *other);
    CHECK(kv_cache_init(&cache, kv_dtype, config->n_layers, config->n_kv_heads, config->head_dim,
                        LONG_POSITIONS, &err) == STATUS_OK);
    CHECK(run_tail(&golden, &cache, 0, LONG_TAIL, whole, &err) == STATUS_OK);
    for (int chunk = 1; chunk <= LONG_TAIL; chunk++)
        for (int n_threads = 1; n_threads <= 8; n_threads += 1 + n_threads / 3) {
            CHECK(run_tail(&golden, &cache, n_threads, chunk, other, &err) == STATUS_OK);
            CHECK_MESSAGE(memcmp(whole, other, n * sizeof *whole) == 0,
                          "%s: %s cache, %d threads, chunks of %d differ", name,
                          dtype_info(kv_dtype)->name, n_threads, chunk);
        }
    free(whole);
    free(other);
    kv_cache_deinit(&cache);
    close_golden(&golden);
    return TEST_PASS;
}

static enum test_result long_context(void) {
    static const char *const names[] = {"llama", "gemma3", "mistral-window", "qwen3-bias-window"};
    static const enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_I8};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        CHECK(check_long_context(names[i], types[i]) == TEST_PASS);
    return TEST_PASS;
}

// Logits of the last token only are those of its row among all.
static enum test_result last_logits(void) {
    struct golden golden;
    CHECK(open_golden(&golden, "qwen3"));
    const struct model_config *config = model_configuration(golden.model);
    struct error err;
    struct kernels kernels;
    struct thread_pool *pool;
    struct kv_cache cache;
    struct forward_workspace *workspace;
    kernels_select(&kernels, isa_best());
    CHECK(thread_pool_create(&pool, 2, &err) == STATUS_OK);
    CHECK(kv_cache_init(&cache, DTYPE_F32, config->n_layers, config->n_kv_heads, config->head_dim,
                        golden.n_tokens, &err) == STATUS_OK);
    CHECK(forward_workspace_create(&workspace, golden.model, &kernels, pool, golden.n_tokens,
                                   golden.n_tokens, &err) == STATUS_OK);
    float *last = calloc((size_t)golden.n_vocab, sizeof *last);
    CHECK(model_forward(golden.model, &cache, workspace, golden.tokens, golden.n_tokens, false,
                        last, &err) == STATUS_OK);
    float *all = run(&golden, (struct setup){isa_best(), 1, DTYPE_F32}, golden.n_tokens, -1);
    CHECK(memcmp(last, all + (size_t)(golden.n_tokens - 1) * (size_t)golden.n_vocab,
                 sizeof(float) * (size_t)golden.n_vocab) == 0);
    CHECK(model_forward(golden.model, &cache, workspace, golden.tokens, 1, false, last, &err) ==
          STATUS_CONTEXT_FULL);
    CHECK(cache.n_used == golden.n_tokens);
    kv_cache_rewind(&cache, 3);
    int32_t outside[2] = {1, golden.n_vocab};
    CHECK(model_forward(golden.model, &cache, workspace, outside, 2, false, last, &err) ==
          STATUS_BAD_INPUT);
    CHECK(cache.n_used == 3);
    CHECK(model_forward(golden.model, &cache, workspace, outside, 0, false, last, &err) ==
          STATUS_USAGE);
    CHECK(model_weight_bytes(golden.model) > 0 && model_main_dtype(golden.model) == DTYPE_F32);
    free(last);
    free(all);
    forward_workspace_destroy(workspace);
    kv_cache_deinit(&cache);
    thread_pool_destroy(pool);
    close_golden(&golden);
    return TEST_PASS;
}

// A pass that is told to stop leaves the cache as it was; the next one gives what it would have
// given, also with other numbers of threads for few tokens and for many.
static enum test_result cancelled_pass(void) {
    struct golden golden;
    CHECK(open_golden(&golden, "gemma3"));
    const struct model_config *config = model_configuration(golden.model);
    struct error err;
    struct kernels kernels;
    struct thread_pool *pool;
    struct kv_cache cache;
    struct forward_workspace *workspace;
    int n = golden.n_tokens, cancel = 0;
    size_t n_vocab = (size_t)golden.n_vocab;
    kernels_select(&kernels, isa_best());
    CHECK(thread_pool_create(&pool, 5, &err) == STATUS_OK);
    CHECK(kv_cache_init(&cache, DTYPE_F32, config->n_layers, config->n_kv_heads, config->head_dim,
                        n, &err) == STATUS_OK);
    CHECK(forward_workspace_create(&workspace, golden.model, &kernels, pool, n, n, &err) ==
          STATUS_OK);
    forward_workspace_set_cancel(workspace, &cancel);
    forward_workspace_set_threads(workspace, 2, 4);
    float *logits = calloc((size_t)n * n_vocab, sizeof *logits);
    float *all = run(&golden, (struct setup){isa_best(), 1, DTYPE_F32}, n, -1);
    for (int at = 0, step = 1; at < n; at += step, step = step * 2 % 13) {
        if (step > n - at) step = n - at;
        cancel = 1;
        CHECK(model_forward(golden.model, &cache, workspace, golden.tokens + at, step, true,
                            logits + (size_t)at * n_vocab, &err) == STATUS_CANCELLED);
        CHECK(cache.n_used == at);
        cancel = 0;
        CHECK(model_forward(golden.model, &cache, workspace, golden.tokens + at, step, true,
                            logits + (size_t)at * n_vocab, &err) == STATUS_OK);
    }
    CHECK(memcmp(logits, all, (size_t)n * n_vocab * sizeof *logits) == 0);
    free(logits);
    free(all);
    forward_workspace_destroy(workspace);
    kv_cache_deinit(&cache);
    thread_pool_destroy(pool);
    close_golden(&golden);
    return TEST_PASS;
}

static enum test_result wrong_family(void) {
    char directory[1024];
    CHECK(harness_repo_path("tests/golden/models/qwen3", directory, sizeof directory));
    struct error err;
    struct checkpoint *checkpoint;
    struct model *model;
    CHECK(checkpoint_open(&checkpoint, directory, CHECKPOINT_AUTO, &err) == STATUS_OK);
    CHECK(model_open(&model, checkpoint, &(struct model_load){.family = "llama"}, &err) ==
          STATUS_USAGE);
    CHECK(strstr(err.message, "qwen3"));
    CHECK(model_open(&model, checkpoint, &(struct model_load){.family = "bloom"}, &err) ==
          STATUS_USAGE);
    CHECK(strstr(err.message, "llama, mistral"));
    CHECK(model_open(&model, checkpoint, &(struct model_load){.family = "auto"}, &err) ==
          STATUS_OK);
    model_close(model);
    checkpoint_close(checkpoint);
    return TEST_PASS;
}

static const struct test tests[] = {
    {"logits_scalar", "scalar logits are transformers' within 1e-4, every family", logits_scalar},
    {"logits_avx2", "AVX2 logits are transformers' within 1e-4, every family", logits_avx2},
    {"rounded_caches", "f16, bf16 and 8-bit caches stay near the reference", rounded_caches},
    {"same_bits_scalar", "scalar: chunks, rewind and threads change no bit", same_bits_scalar},
    {"same_bits_avx2", "AVX2: chunks, rewind and threads change no bit", same_bits_avx2},
    {"same_bits_f16_cache", "the same with keys and values in f16", same_bits_f16_cache},
    {"same_bits_bf16_cache", "the same in bf16", same_bits_bf16_cache},
    {"same_bits_i8_cache", "the same in 8 bits", same_bits_i8_cache},
    {"long_context", "a cache of several segments, cut over threads, changes no bit", long_context},
    {"last_logits", "last-token logits; errors leave the cache alone", last_logits},
    {"cancelled", "a cancelled pass leaves no trace; threads for few and many tokens",
     cancelled_pass},
    {"wrong_family", "a wrong family is refused and the right one named", wrong_family},
};

int main(int argc, char **argv) {
    return harness_main("model", tests, sizeof tests / sizeof tests[0], argc, argv);
}
