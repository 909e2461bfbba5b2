// SPDX-License-Identifier: Apache-2.0
// The weights of a model as the forward pass wants them: matrices packed for the kernels
// (numeric/packed.h), vectors (norms, biases) as floats. Binding checks every tensor's presence,
// shape and type against the configuration; packing (weights_pack.h) follows.
#ifndef XL_MODEL_WEIGHTS_H
#define XL_MODEL_WEIGHTS_H

#include "base/status.h"
#include "format/checkpoint.h"
#include "model/model_config.h"
#include "numeric/dtype.h"

#ifdef __cplusplus
extern "C" {
#endif

// A matrix [n_rows][n_columns] as panels of PANEL_ROWS rows.
struct weight {
    const uint8_t *panels; // [ceil(n_rows / PANEL_ROWS)], panel_bytes apart, 64-byte aligned;
    size_t panel_bytes;    // NULL until packed
    int n_rows, n_columns;
    enum dtype dtype;
};

// The rows that tokens look up, one at a time. They stay in the checkpoint's mapping, where only
// pages that are touched become resident; they come from panels if the output matrix is the same
// tensor (which is in memory anyway) or the checkpoint cannot be mapped.
struct embedding {
    const uint8_t *rows; // [n_rows], row_bytes apart; NULL: see panels
    size_t row_bytes;
    struct weight panels; // n_rows, n_columns and dtype also if rows is used
};

// A matrix of the checkpoint and where its packed form belongs.
struct weight_source {
    struct weight *weight;
    const struct checkpoint_tensor *tensor;
};

// What a family does not have stays NULL.
struct layer_weights {
    struct weight q, k, v, o;                 // attention projections
    struct weight gate, up, down;             // feed-forward
    float *attn_norm, *ffn_norm;              // [n_embd], before the block
    float *attn_post_norm, *ffn_post_norm;    // [n_embd], after the block
    float *q_norm, *k_norm;                   // [head_dim]
    float *q_bias, *k_bias, *v_bias, *o_bias; // [n_heads*head_dim], [n_kv_heads*head_dim] …
    float *gate_bias, *up_bias, *down_bias;   // [n_ff], [n_ff], [n_embd]
    float *attn_post_norm_bias, *ffn_post_norm_bias; // [n_embd] of an encoder's LayerNorms
};

struct model_weights {
    struct embedding embedding; // [n_vocab][n_embd]
    struct weight output;       // [n_vocab][n_embd]
    float *output_norm;         // [n_embd]
    float *rope_factors;        // [n_rot/2] divisors of the frequencies (GGUF rope_freqs) or NULL
    // Of an encoder, which has no output.
    float *positions;                            // [n_context_train][n_embd]
    float *token_types;                          // [n_token_types][n_embd]
    float *embedding_norm, *embedding_norm_bias; // [n_embd]
    struct layer_weights *layers;
    int n_layers;
    struct weight_source *sources; // [n_sources] every matrix that is to be packed, in file order
    size_t n_sources;
    void *memory; // mapping that holds all panels
    size_t memory_bytes;
};

// Binds: fills vectors and `sources`; panels stay NULL until weights_pack(). The checkpoint must
// outlive `weights`, which must be deinitialised also after a failure.
enum status weights_init(struct model_weights *weights, const struct model_config *config,
                         const struct checkpoint *checkpoint, struct error *err);
void weights_deinit(struct model_weights *weights, const struct model_config *config);

// Row `row` of the embedding as floats [n_columns].
void embedding_row(const struct embedding *embedding, int row, float *out);

// Finds a tensor of a Hugging Face checkpoint under any of the prefixes in use ("model.", …).
// layer < 0: not in a layer. NULL if absent. *name (of name_size) receives the family's usual name.
const struct checkpoint_tensor *weights_find_hf(const struct checkpoint *checkpoint,
                                                const struct family *family, int layer,
                                                const char *suffix, char *name, size_t name_size);
const struct checkpoint_tensor *weights_find_gguf(const struct checkpoint *checkpoint, int layer,
                                                  const char *suffix, char *name, size_t name_size);
// STATUS_BAD_INPUT unless the tensor has this shape (columns 1: a vector) and a usable type.
enum status weights_check_tensor(const struct checkpoint *checkpoint,
                                 const struct checkpoint_tensor *tensor, uint64_t n_rows,
                                 uint64_t n_columns, struct error *err);
// The tensor's contiguous bytes: *data in the mapping, or in memory *owned that the caller frees.
enum status weights_load_bytes(const struct checkpoint *checkpoint,
                               const struct checkpoint_tensor *tensor, const uint8_t **data,
                               uint8_t **owned, struct error *err);
// STATUS_UNSUPPORTED if a layer has a tensor that the family does not use.
enum status weights_check_unused(const struct model_config *config,
                                 const struct checkpoint *checkpoint, struct error *err);
// n elements of any numeric type to floats. Blocks: n a multiple of the block.
bool weights_to_float(enum dtype dtype, const void *src, float *dst, size_t n);

#ifdef __cplusplus
}
#endif
#endif
