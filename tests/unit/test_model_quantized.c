// SPDX-License-Identifier: Apache-2.0
// The forward pass on every weight type: a random llama is written as GGUF in that type, and then
// chunking, rewinding and threads may change no bit, and every ISA must agree with the f32 model of
// the same numbers as well as 8-bit activations allow.
#include "harness.h"

#include "model/model.h"
#include "typed_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_TOKENS = 21 };

struct setup {
    enum isa isa;
    int n_threads, chunk, rewind_to;
};

static float logits[N_TOKENS * TYPED_VOCAB], reference[N_TOKENS * TYPED_VOCAB];

static enum status feed(const struct model *model, struct kv_cache *cache,
                        struct forward_workspace *workspace, struct setup setup, float *out,
                        struct error *err) {
    int32_t tokens[N_TOKENS];
    for (int i = 0; i < N_TOKENS; i++)
        tokens[i] = (i * i * 7 + 3) % TYPED_VOCAB;
    if (setup.rewind_to > 0) {
        TRY(model_forward(model, cache, workspace, tokens, N_TOKENS, true, out, err));
        kv_cache_rewind(cache, setup.rewind_to);
    }
    while (cache->n_used < N_TOKENS) {
        int at = cache->n_used, n = N_TOKENS - at < setup.chunk ? N_TOKENS - at : setup.chunk;
        TRY(model_forward(model, cache, workspace, tokens + at, n, true, out + at * TYPED_VOCAB,
                          err));
    }
    return STATUS_OK;
}

static enum status run(const char *path, struct setup setup, float *out, struct error *err) {
    struct checkpoint *checkpoint = NULL;
    struct model *model = NULL;
    struct thread_pool *pool = NULL;
    struct kv_cache cache = {0};
    struct forward_workspace *workspace = NULL;
    struct kernels kernels;
    kernels_select(&kernels, setup.isa);
    enum status status = checkpoint_open(&checkpoint, path, CHECKPOINT_AUTO, err);
    if (status == STATUS_OK) status = model_open(&model, checkpoint, NULL, err);
    if (status == STATUS_OK) status = thread_pool_create(&pool, setup.n_threads, err);
    if (status == STATUS_OK)
        status = kv_cache_init(&cache, DTYPE_F16, TYPED_LAYERS, TYPED_KV, TYPED_EMBD / TYPED_HEADS,
                               N_TOKENS, err);
    if (status == STATUS_OK)
        status =
            forward_workspace_create(&workspace, model, &kernels, pool, N_TOKENS, N_TOKENS, err);
    if (status == STATUS_OK) status = feed(model, &cache, workspace, setup, out, err);
    forward_workspace_destroy(workspace);
    kv_cache_deinit(&cache);
    thread_pool_destroy(pool);
    model_close(model);
    checkpoint_close(checkpoint);
    return status;
}

static const char *type_path(enum dtype dtype, bool plain) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s%s.gguf", harness_scratch(), dtype_info(dtype)->name,
             plain ? "-plain" : "");
    return path;
}

static enum test_result same_bits(enum isa isa) {
    if (!isa_available(isa)) return harness_skip("this machine has no %s", isa_name(isa));
    static const struct setup setups[] = {{0, 1, 1, 0}, {0, 2, 21, 0}, {0, 3, 21, 0},
                                          {0, 2, 4, 0}, {0, 3, 7, 10}, {0, 5, 6, 0}};
    for (int i = 0; i < TYPED_TYPES; i++) {
        struct error err = {0};
        const char *path = type_path(typed_model_types[i], false);
        CHECK_MESSAGE(typed_model_write(path, typed_model_types[i], 0, &err) == STATUS_OK, "%s",
                      err.message);
        struct setup whole = {isa, 1, N_TOKENS, 0};
        CHECK_MESSAGE(run(path, whole, reference, &err) == STATUS_OK, "%s", err.message);
        size_t n_setups = isa == ISA_SCALAR ? 3 : sizeof setups / sizeof setups[0]; // it is slow
        for (size_t s = 0; s < n_setups; s++) {
            struct setup setup = setups[s];
            setup.isa = isa;
            CHECK_MESSAGE(run(path, setup, logits, &err) == STATUS_OK, "%s", err.message);
            CHECK_MESSAGE(memcmp(logits, reference, sizeof logits) == 0,
                          "%s (%s): %d threads, chunks of %d, rewind to %d differ",
                          dtype_info(typed_model_types[i])->name, isa_name(isa), setup.n_threads,
                          setup.chunk, setup.rewind_to);
        }
    }
    return TEST_PASS;
}

static enum test_result same_bits_scalar(void) {
    return same_bits(ISA_SCALAR);
}
static enum test_result same_bits_avx2(void) {
    return same_bits(ISA_AVX2);
}
static enum test_result same_bits_avx512(void) {
    return same_bits(ISA_AVX512);
}
static enum test_result same_bits_amx(void) {
    return same_bits(ISA_AMX);
}

static double relative_error(void) {
    double sum = 0, scale = 0;
    for (int i = 0; i < N_TOKENS * TYPED_VOCAB; i++) {
        double d = (double)logits[i] - reference[i];
        sum += d * d;
        scale += (double)reference[i] * reference[i];
    }
    return sqrt(sum / scale);
}

// 8-bit activations cost one or two percent of these noisy logits, bfloat16 ones half a percent;
// floats only rounding.
static double error_limit(enum dtype dtype, enum isa isa) {
    if (dtype == DTYPE_F32 || dtype == DTYPE_F16) return 1e-4;
    if (dtype == DTYPE_BF16) return isa >= ISA_AVX512 ? 0.01 : 1e-4;
    return 0.04;
}

static enum test_result near_float(enum isa isa) {
    if (!isa_available(isa)) return harness_skip("this machine has no %s", isa_name(isa));
    for (int i = 0; i < TYPED_TYPES; i++) {
        struct error err = {0};
        const char *path = type_path(typed_model_types[i], true);
        CHECK_MESSAGE(typed_model_write(path, typed_model_types[i], TYPED_PLAIN, &err) == STATUS_OK,
                      "%s", err.message);
        struct setup setup = {isa_best(), 2, N_TOKENS, 0};
        CHECK_MESSAGE(run(path, setup, reference, &err) == STATUS_OK, "%s", err.message);
        path = type_path(typed_model_types[i], false);
        CHECK_MESSAGE(typed_model_write(path, typed_model_types[i], 0, &err) == STATUS_OK, "%s",
                      err.message);
        setup.isa = isa;
        CHECK_MESSAGE(run(path, setup, logits, &err) == STATUS_OK, "%s", err.message);
        double error = relative_error();
        CHECK_MESSAGE(error < error_limit(typed_model_types[i], isa),
                      "%s (%s): relative error %.3g", dtype_info(typed_model_types[i])->name,
                      isa_name(isa), error);
    }
    return TEST_PASS;
}

static enum test_result near_float_scalar(void) {
    return near_float(ISA_SCALAR);
}
static enum test_result near_float_avx2(void) {
    return near_float(ISA_AVX2);
}
static enum test_result near_float_avx512(void) {
    return near_float(ISA_AVX512);
}
static enum test_result near_float_amx(void) {
    return near_float(ISA_AMX);
}

static const struct test tests[] = {
    {"same_bits_scalar", "scalar: chunks, rewind and threads change no bit", same_bits_scalar},
    {"same_bits_avx2", "AVX2: chunks, rewind and threads change no bit", same_bits_avx2},
    {"same_bits_avx512", "AVX-512: chunks, rewind and threads change no bit", same_bits_avx512},
    {"same_bits_amx", "AMX: chunks, rewind and threads change no bit", same_bits_amx},
    {"near_float_scalar", "scalar: every type is near its f32 twin", near_float_scalar},
    {"near_float_avx2", "AVX2: every type is near its f32 twin", near_float_avx2},
    {"near_float_avx512", "AVX-512: every type is near its f32 twin", near_float_avx512},
    {"near_float_amx", "AMX: every type is near its f32 twin", near_float_amx},
};

int main(int argc, char **argv) {
    return harness_main("model_quantized", tests, sizeof tests / sizeof tests[0], argc, argv);
}
