// SPDX-License-Identifier: Apache-2.0
// See typed_model.h.
#include "typed_model.h"

#include "format/gguf_writer.h"
#include "numeric/blocks.h"
#include "numeric/float16.h"
#include "quantize/quantize.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const enum dtype typed_model_types[TYPED_TYPES] = {
    DTYPE_F32,  DTYPE_F16,  DTYPE_BF16, DTYPE_Q4_0,   DTYPE_Q4_1,
    DTYPE_Q5_0, DTYPE_Q5_1, DTYPE_Q8_0, DTYPE_Q2_K,   DTYPE_Q3_K,
    DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K, DTYPE_IQ4_NL, DTYPE_IQ4_XS,
};

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
    if (dtype == DTYPE_F64)
        for (size_t i = 0; i < n; i++) {
            double value = floats[i];
            memcpy(bytes + i * sizeof value, &value, sizeof value);
        }
    else if (quantize_supported(dtype))
        quantize_rows(dtype, floats, bytes, n_rows, n_columns, NULL);
    else
        random_blocks(dtype, bytes, n / (size_t)dtype_info(dtype)->block_elements);
    if (dtype != DTYPE_F64) dequantize_row(dtype, bytes, floats, n);
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
    {"attn_norm", 1, TYPED_EMBD},
    {"attn_q", TYPED_EMBD, TYPED_EMBD},
    {"attn_k", TYPED_EMBD / 2, TYPED_EMBD},
    {"attn_v", TYPED_EMBD / 2, TYPED_EMBD},
    {"attn_output", TYPED_EMBD, TYPED_EMBD},
    {"ffn_norm", 1, TYPED_EMBD},
    {"ffn_gate", TYPED_FF, TYPED_EMBD},
    {"ffn_up", TYPED_FF, TYPED_EMBD},
    {"ffn_down", TYPED_EMBD, TYPED_FF},
};

enum {
    N_SHAPES = sizeof layer_shapes / sizeof layer_shapes[0],
    N_TENSORS_TIED = 2 + TYPED_LAYERS * N_SHAPES // then the output matrix
};

static struct shape shape_of(int tensor, char name[64]) {
    struct shape shape = {"token_embd", TYPED_VOCAB, TYPED_EMBD};
    if (tensor == 1) shape = (struct shape){"output_norm", 1, TYPED_EMBD};
    if (tensor == N_TENSORS_TIED) shape = (struct shape){"output", TYPED_VOCAB, TYPED_EMBD};
    if (tensor < 2 || tensor == N_TENSORS_TIED) {
        snprintf(name, 64, "%s.weight", shape.name);
        return shape;
    }
    shape = layer_shapes[(tensor - 2) % N_SHAPES];
    snprintf(name, 64, "blk.%d.%s.weight", (tensor - 2) / N_SHAPES, shape.name);
    return shape;
}

enum status typed_model_write(const char *path, enum dtype dtype, unsigned variant,
                              struct error *err) {
    bool plain = variant & TYPED_PLAIN;
    int n_tensors = N_TENSORS_TIED + (variant & TYPED_UNTIED ? 1 : 0);
    struct gguf_writer *writer;
    TRY(gguf_writer_create(&writer, path, err));
    gguf_writer_text(writer, "general.architecture", "llama");
    gguf_writer_u32(writer, "llama.block_count", TYPED_LAYERS);
    gguf_writer_u32(writer, "llama.context_length", 64);
    gguf_writer_u32(writer, "llama.embedding_length", TYPED_EMBD);
    gguf_writer_u32(writer, "llama.feed_forward_length", TYPED_FF);
    gguf_writer_u32(writer, "llama.attention.head_count", TYPED_HEADS);
    gguf_writer_u32(writer, "llama.attention.head_count_kv", TYPED_KV);
    enum status status = STATUS_OK;
    char name[64];
    for (int i = 0; status == STATUS_OK && i < n_tensors; i++) {
        struct shape shape = shape_of(i, name);
        uint64_t dims[2] = {(uint64_t)shape.n_columns, (uint64_t)shape.n_rows};
        enum dtype stored = plain || shape.n_rows == 1 ? DTYPE_F32 : dtype;
        status = gguf_writer_declare(writer, name, stored, shape.n_rows == 1 ? 1 : 2, dims, err);
    }
    if (status == STATUS_OK) status = gguf_writer_begin_data(writer, err);
    random_state = (uint64_t)dtype + 99;
    for (int i = 0; status == STATUS_OK && i < n_tensors; i++) {
        struct shape shape = shape_of(i, name);
        status = write_data(writer, shape.n_rows == 1 ? DTYPE_F32 : dtype, plain,
                            (size_t)shape.n_rows, (size_t)shape.n_columns, err);
    }
    if (status == STATUS_OK) return gguf_writer_commit(writer, err);
    gguf_writer_abort(writer);
    return status;
}
