// SPDX-License-Identifier: Apache-2.0
// A model's blueprint: the numbers that its family's forward pass needs, from GGUF metadata or from
// config.json, checked for plausibility.
#ifndef XL_MODEL_MODEL_CONFIG_H
#define XL_MODEL_MODEL_CONFIG_H

#include "base/status.h"
#include "format/checkpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MODEL_LAYERS_MAX = 512 };

enum rope_scaling { ROPE_NONE, ROPE_LINEAR, ROPE_LLAMA3, ROPE_YARN };
enum activation { ACTIVATION_SILU, ACTIVATION_GELU_TANH, ACTIVATION_GELU_ERF };

// How the states of a text become one vector. UNKNOWN: the files do not say; OTHER: in a way that
// is not supported (largest states, a layer behind the pooling, …).
enum model_pooling {
    MODEL_POOLING_UNKNOWN,
    MODEL_POOLING_MEAN,
    MODEL_POOLING_CLS,
    MODEL_POOLING_LAST,
    MODEL_POOLING_OTHER,
    MODEL_POOLING_NONE // every token's state
};

struct family; // model/family.h

struct model_config {
    const struct family *family;
    char name[128]; // general.name or the directory's name
    int n_layers, n_embd, n_heads, n_kv_heads, head_dim, n_ff, n_vocab;
    int n_context_train;
    float norm_eps;
    enum activation activation;
    bool tied_embeddings;          // the output matrix is the embedding matrix
    bool attention_bias, mlp_bias; // the projections have biases (where the family leaves it open)
    // Rotary embedding. Pairs are (i, i+n_rot/2) if rope_halves, else (2i, 2i+1).
    bool rope_halves;
    int n_rot;
    float rope_base, rope_base_local; // local: of sliding-window layers (gemma 3); 0: as the others
    enum rope_scaling rope_scaling;   // never applies to layers with rope_base_local
    float rope_factor, rope_low_freq_factor, rope_high_freq_factor;
    int rope_context_original;
    float rope_attention_factor; // cos and sin are multiplied by it (yarn); else 1
    float rope_beta_fast, rope_beta_slow;
    // Attention.
    int sliding_window;                     // 0: none
    bool layer_slides[MODEL_LAYERS_MAX];    // layers that see only the window
    float attention_scale;                  // usually 1/sqrt(head_dim)
    float embedding_scale;                  // gemma: sqrt(n_embd); else 1
    float attention_softcap, logit_softcap; // 0: off
    int n_token_types;                      // of an encoder: rows of the table; texts are of type 0
    enum model_pooling pooling;             // of a model that was trained for embeddings
};

// What a family must say for `config` from either source. Unknown architecture: STATUS_UNSUPPORTED
// naming it and the supported ones.
enum status model_config_read(struct model_config *config, const struct checkpoint *checkpoint,
                              const char *family, struct error *err);
// Does layer `layer` use the sliding window?
bool model_config_layer_slides(const struct model_config *config, int layer);

#ifdef __cplusplus
}
#endif
#endif
