// SPDX-License-Identifier: Apache-2.0
// The weights of a model as the forward pass wants them: matrices stay in the checkpoint's mapping
// in their own type where a kernel can multiply that type; vectors (norms, biases) become floats.
// Every tensor's presence, shape and type is checked against the configuration first.
#ifndef XL_MODEL_WEIGHTS_H
#define XL_MODEL_WEIGHTS_H

#include "base/status.h"
#include "format/checkpoint.h"
#include "model/model_config.h"
#include "numeric/dtype.h"

#ifdef __cplusplus
extern "C" {
#endif

// A matrix [n_rows][n_columns], rows row_bytes apart.
struct weight {
    const uint8_t *data;
    size_t row_bytes;
    int n_rows, n_columns;
    enum dtype dtype;
    uint8_t *owned; // memory behind data if it is ours
};

// What a family does not have stays NULL (data == NULL for a matrix).
struct layer_weights {
    struct weight q, k, v, o;                 // attention projections
    struct weight gate, up, down;             // feed-forward
    float *attn_norm, *ffn_norm;              // [n_embd], before the block
    float *attn_post_norm, *ffn_post_norm;    // [n_embd], after the block
    float *q_norm, *k_norm;                   // [head_dim]
    float *q_bias, *k_bias, *v_bias, *o_bias; // [n_heads*head_dim], [n_kv_heads*head_dim] …
    float *gate_bias, *up_bias, *down_bias;   // [n_ff], [n_ff], [n_embd]
};

struct model_weights {
    struct weight embedding; // [n_vocab][n_embd]
    struct weight output;    // [n_vocab][n_embd]; shares embedding's data if tied
    float *output_norm;      // [n_embd]
    float *rope_factors;     // [n_rot/2] divisors of the frequencies (GGUF rope_freqs) or NULL
    struct layer_weights *layers;
    int n_layers;
};

// `weights` must be deinitialised also after a failure.
enum status weights_init(struct model_weights *weights, const struct model_config *config,
                         const struct checkpoint *checkpoint, struct error *err);
void weights_deinit(struct model_weights *weights, const struct model_config *config);

// Finds a tensor of a Hugging Face checkpoint under any of the prefixes in use ("model.", …).
// layer < 0: not in a layer. NULL if absent. *name (of name_size) receives the usual name.
const struct checkpoint_tensor *weights_find_hf(const struct checkpoint *checkpoint, int layer,
                                                const char *suffix, char *name, size_t name_size);
const struct checkpoint_tensor *weights_find_gguf(const struct checkpoint *checkpoint, int layer,
                                                  const char *suffix, char *name, size_t name_size);
// STATUS_BAD_INPUT unless the tensor has this shape (columns 1: a vector) and a usable type.
enum status weights_check_tensor(const struct checkpoint *checkpoint,
                                 const struct checkpoint_tensor *tensor, uint64_t n_rows,
                                 uint64_t n_columns, struct error *err);
// STATUS_UNSUPPORTED if a layer has a tensor that the family does not use.
enum status weights_check_unused(const struct model_config *config,
                                 const struct checkpoint *checkpoint, struct error *err);
// n elements of any numeric type to floats. Blocks: n a multiple of the block.
bool weights_to_float(enum dtype dtype, const void *src, float *dst, size_t n);

#ifdef __cplusplus
}
#endif
#endif
