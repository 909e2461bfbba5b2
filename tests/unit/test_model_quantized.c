// SPDX-License-Identifier: Apache-2.0
// The forward pass on every weight type: a random llama is written as GGUF in that type, and then
// chunking, rewinding and threads may change no bit, and every ISA must agree with the f32 model of
// the same numbers as well as 8-bit activations allow.
#include "harness.h"

#include "format/gguf_writer.h"
#include "model/model.h"
#include "numeric/blocks.h"
#include "numeric/float16.h"
#include "quantize/quantize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_LAYERS = 2, N_EMBD = 256, N_FF = 512, N_HEADS = 4, N_KV = 2, N_VOCAB = 96, N_TOKENS = 21 };

static const enum dtype types[] = {
    DTYPE_F32,  DTYPE_F16,  DTYPE_BF16, DTYPE_Q4_0,   DTYPE_Q4_1,
    DTYPE_Q5_0, DTYPE_Q5_1, DTYPE_Q8_0, DTYPE_Q2_K,   DTYPE_Q3_K,
    DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K, DTYPE_IQ4_NL, DTYPE_IQ4_XS,
};

enum { N_TYPES = sizeof types / sizeof types[0] };

static uint64_t random_state;

static uint32_t random_bits(void) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 32);
}

static float random_float(void) {
    return (float)random_bits() / 2147483648.0f - 1.0f;
}

// Types that we only read get random quants; their scales are set so that weights are small.
static void random_blocks(enum dtype dtype, uint8_t *blocks, size_t n_blocks) {
    size_t block_bytes = (size_t)dtype_info(dtype)->block_bytes;
    for (size_t i = 0; i < n_blocks * block_bytes; i++)
        blocks[i] = (uint8_t)random_bits();
    uint16_t d = float_to_f16(dtype == DTYPE_IQ4_NL   ? 0.0008f
                              : dtype == DTYPE_IQ4_XS ? 0.00006f
                                                      : 0.001f);
    uint16_t d_and_min[2] = {float_to_f16(0.005f), float_to_f16(0.0075f)};
    for (size_t i = 0; i < n_blocks; i++) {
        uint8_t *block = blocks + i * block_bytes;
        if (dtype == DTYPE_Q2_K)
            memcpy(block + offsetof(struct block_q2_k, d), d_and_min, sizeof d_and_min);
        else if (dtype == DTYPE_Q3_K)
            memcpy(block + offsetof(struct block_q3_k, d), &d, sizeof d);
        else
            memcpy(block, &d, sizeof d);
    }
}

// Writes one tensor's data in `dtype`, or (plain) what those bytes mean as f32.
static enum status write_data(struct gguf_writer *writer, enum dtype dtype, bool plain,
                              size_t n_rows, size_t n_columns, struct error *err) {
    size_t n = n_rows * n_columns;
    uint64_t size_bytes;
    dtype_size_bytes(dtype, n, &size_bytes);
    float *floats = malloc(n * sizeof *floats);
    uint8_t *bytes = malloc((size_t)size_bytes);
    for (size_t i = 0; i < n; i++)
        floats[i] = n_rows == 1 ? 1.0f + 0.1f * random_float()
                                : random_float() * 1.7f / sqrtf((float)n_columns);
    if (quantize_supported(dtype))
        quantize_rows(dtype, floats, bytes, n_rows, n_columns, NULL);
    else
        random_blocks(dtype, bytes, n / (size_t)dtype_info(dtype)->block_elements);
    dequantize_row(dtype, bytes, floats, n);
    enum status status = plain ? gguf_writer_data(writer, floats, n * sizeof *floats, err)
                               : gguf_writer_data(writer, bytes, (size_t)size_bytes, err);
    free(floats);
    free(bytes);
    return status == STATUS_OK ? gguf_writer_end_tensor(writer, err) : status;
}

struct shape {
    const char *name;
    int n_rows, n_columns; // n_rows 1: a vector
};

static const struct shape layer_shapes[] = {
    {"attn_norm", 1, N_EMBD},       {"attn_q", N_EMBD, N_EMBD},      {"attn_k", N_EMBD / 2, N_EMBD},
    {"attn_v", N_EMBD / 2, N_EMBD}, {"attn_output", N_EMBD, N_EMBD}, {"ffn_norm", 1, N_EMBD},
    {"ffn_gate", N_FF, N_EMBD},     {"ffn_up", N_FF, N_EMBD},        {"ffn_down", N_EMBD, N_FF},
};

enum { N_SHAPES = sizeof layer_shapes / sizeof layer_shapes[0], N_TENSORS = 2 + 2 * N_SHAPES };

static struct shape shape_of(int tensor, char name[64]) {
    struct shape shape = {"token_embd", N_VOCAB, N_EMBD};
    if (tensor == 1) shape = (struct shape){"output_norm", 1, N_EMBD};
    if (tensor < 2) {
        snprintf(name, 64, "%s.weight", shape.name);
        return shape;
    }
    shape = layer_shapes[(tensor - 2) % N_SHAPES];
    snprintf(name, 64, "blk.%d.%s.weight", (tensor - 2) / N_SHAPES, shape.name);
    return shape;
}

static enum status write_model(const char *path, enum dtype dtype, bool plain, struct error *err) {
    struct gguf_writer *writer;
    TRY(gguf_writer_create(&writer, path, err));
    gguf_writer_text(writer, "general.architecture", "llama");
    gguf_writer_u32(writer, "llama.block_count", N_LAYERS);
    gguf_writer_u32(writer, "llama.context_length", 64);
    gguf_writer_u32(writer, "llama.embedding_length", N_EMBD);
    gguf_writer_u32(writer, "llama.feed_forward_length", N_FF);
    gguf_writer_u32(writer, "llama.attention.head_count", N_HEADS);
    gguf_writer_u32(writer, "llama.attention.head_count_kv", N_KV);
    enum status status = STATUS_OK;
    char name[64];
    for (int i = 0; status == STATUS_OK && i < N_TENSORS; i++) {
        struct shape shape = shape_of(i, name);
        uint64_t dims[2] = {(uint64_t)shape.n_columns, (uint64_t)shape.n_rows};
        enum dtype stored = plain || shape.n_rows == 1 ? DTYPE_F32 : dtype;
        status = gguf_writer_declare(writer, name, stored, shape.n_rows == 1 ? 1 : 2, dims, err);
    }
    if (status == STATUS_OK) status = gguf_writer_begin_data(writer, err);
    random_state = (uint64_t)dtype + 99;
    for (int i = 0; status == STATUS_OK && i < N_TENSORS; i++) {
        struct shape shape = shape_of(i, name);
        status = write_data(writer, shape.n_rows == 1 ? DTYPE_F32 : dtype, plain,
                            (size_t)shape.n_rows, (size_t)shape.n_columns, err);
    }
    if (status == STATUS_OK) return gguf_writer_commit(writer, err);
    gguf_writer_abort(writer);
    return status;
}

struct setup {
    enum isa isa;
    int n_threads, chunk, rewind_to;
};

static float logits[N_TOKENS * N_VOCAB], reference[N_TOKENS * N_VOCAB];

static enum status feed(const struct model *model, struct kv_cache *cache,
                        struct forward_workspace *workspace, struct setup setup, float *out,
                        struct error *err) {
    int32_t tokens[N_TOKENS];
    for (int i = 0; i < N_TOKENS; i++)
        tokens[i] = (i * i * 7 + 3) % N_VOCAB;
    if (setup.rewind_to > 0) {
        TRY(model_forward(model, cache, workspace, tokens, N_TOKENS, true, out, err));
        kv_cache_rewind(cache, setup.rewind_to);
    }
    while (cache->n_used < N_TOKENS) {
        int at = cache->n_used, n = N_TOKENS - at < setup.chunk ? N_TOKENS - at : setup.chunk;
        TRY(model_forward(model, cache, workspace, tokens + at, n, true, out + at * N_VOCAB, err));
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
        status = kv_cache_init(&cache, DTYPE_F16, N_LAYERS, N_KV, N_EMBD / N_HEADS, N_TOKENS, err);
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
    for (int i = 0; i < N_TYPES; i++) {
        struct error err = {0};
        const char *path = type_path(types[i], false);
        CHECK_MESSAGE(write_model(path, types[i], false, &err) == STATUS_OK, "%s", err.message);
        struct setup whole = {isa, 1, N_TOKENS, 0};
        CHECK_MESSAGE(run(path, whole, reference, &err) == STATUS_OK, "%s", err.message);
        size_t n_setups = isa == ISA_SCALAR ? 3 : sizeof setups / sizeof setups[0]; // it is slow
        for (size_t s = 0; s < n_setups; s++) {
            struct setup setup = setups[s];
            setup.isa = isa;
            CHECK_MESSAGE(run(path, setup, logits, &err) == STATUS_OK, "%s", err.message);
            CHECK_MESSAGE(memcmp(logits, reference, sizeof logits) == 0,
                          "%s (%s): %d threads, chunks of %d, rewind to %d differ",
                          dtype_info(types[i])->name, isa_name(isa), setup.n_threads, setup.chunk,
                          setup.rewind_to);
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

static double relative_error(void) {
    double sum = 0, scale = 0;
    for (int i = 0; i < N_TOKENS * N_VOCAB; i++) {
        double d = (double)logits[i] - reference[i];
        sum += d * d;
        scale += (double)reference[i] * reference[i];
    }
    return sqrt(sum / scale);
}

static enum test_result near_float(enum isa isa) {
    if (!isa_available(isa)) return harness_skip("this machine has no %s", isa_name(isa));
    for (int i = 0; i < N_TYPES; i++) {
        struct error err = {0};
        const char *path = type_path(types[i], true);
        CHECK_MESSAGE(write_model(path, types[i], true, &err) == STATUS_OK, "%s", err.message);
        struct setup setup = {isa_best(), 2, N_TOKENS, 0};
        CHECK_MESSAGE(run(path, setup, reference, &err) == STATUS_OK, "%s", err.message);
        path = type_path(types[i], false);
        CHECK_MESSAGE(write_model(path, types[i], false, &err) == STATUS_OK, "%s", err.message);
        setup.isa = isa;
        CHECK_MESSAGE(run(path, setup, logits, &err) == STATUS_OK, "%s", err.message);
        double error = relative_error();
        bool is_float = types[i] == DTYPE_F32 || types[i] == DTYPE_F16 || types[i] == DTYPE_BF16;
        // 8-bit activations cost one or two percent of these noisy logits; floats only rounding.
        CHECK_MESSAGE(error < (is_float ? 1e-4 : 0.04), "%s (%s): relative error %.3g",
                      dtype_info(types[i])->name, isa_name(isa), error);
    }
    return TEST_PASS;
}

static enum test_result near_float_scalar(void) {
    return near_float(ISA_SCALAR);
}
static enum test_result near_float_avx2(void) {
    return near_float(ISA_AVX2);
}

static const struct test tests[] = {
    {"same_bits_scalar", "scalar: chunks, rewind and threads change no bit", same_bits_scalar},
    {"same_bits_avx2", "AVX2: chunks, rewind and threads change no bit", same_bits_avx2},
    {"near_float_scalar", "scalar: every type is near its f32 twin", near_float_scalar},
    {"near_float_avx2", "AVX2: every type is near its f32 twin", near_float_avx2},
};

int main(int argc, char **argv) {
    return harness_main("model_quantized", tests, sizeof tests / sizeof tests[0], argc, argv);
}
