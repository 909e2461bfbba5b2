// SPDX-License-Identifier: Apache-2.0
// The state of one forward pass, shared by the files that carry it out. All members of the thread
// pool run the same phases; a barrier stands between a phase that writes and one that reads.
#ifndef XL_MODEL_FORWARD_H
#define XL_MODEL_FORWARD_H

#include "model/loaded_model.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    ROW_GROUP = 16 // matmul rows are dealt to threads in groups of this many
};

// n_tokens_max = T tokens at most in one chunk.
struct forward_workspace {
    const struct model *model;
    const struct kernels *kernels;
    struct thread_pool *pool;
    int n_tokens_max, n_positions_max, n_threads;
    float *x;                       // [T][n_embd] the residual stream
    float *normed;                  // [T][n_embd]
    float *q;                       // [T][n_heads * head_dim]
    float *k, *v;                   // [T][n_kv_heads * head_dim]
    float *attended;                // [T][n_heads * head_dim]
    float *projected;               // [T][n_embd] output of a block
    float *gate, *up;               // [T][n_ff]
    struct act_chunk_q8 *quantized; // [T][quantized_chunks]
    size_t quantized_chunks;        // chunks of the widest input of a matmul
    float *cosine[2], *sine[2];     // [T][n_rot/2]; index 1: of sliding layers
    float *scores;                  // [n_threads][n_positions_max]
    void *memory;                   // all of the above
    size_t memory_bytes;
};

struct forward_pass {
    const struct model *model;
    struct forward_workspace *workspace;
    const struct kernels *kernels;
    struct thread_pool *pool;
    struct kv_cache *cache;
    const int32_t *tokens;
    int n_tokens, first_position;
    int first_output; // tokens before this one need no logits; n_tokens: none does
    float *logits;
};

// Which part of a phase's work a thread does.
struct share {
    int begin, end;
};

// Thread `thread_index`'s part of n units, contiguous.
struct share share_of(int n, int thread_index, int n_threads);
// The same in groups of `group` (the last group may be short).
struct share share_of_groups(int n, int group, int thread_index, int n_threads);

// y[t][r] for rows r of the share and tokens t of [first_token, n_tokens). Input rows
// x [n_tokens][weight->n_columns]; if the kernel wants them quantized, they are in quantized.
void forward_multiply(const struct forward_pass *pass, const struct weight *weight, const float *x,
                      struct share rows, int first_token, float *y, size_t y_stride);
// Does this weight's kernel read quantized activations?
bool forward_wants_quantized(const struct forward_pass *pass, const struct weight *weight);
// Quantizes numbers [begin, end) of a token's input x; begin is a multiple of ACT_CHUNK.
void forward_quantize(const struct forward_pass *pass, const float *x, int token, int begin,
                      int end);

// Biases, query and key norms, rotation; keys and values into the cache.
void attention_prepare(const struct forward_pass *pass, int layer, int thread_index);
// attended, for tokens from first_token on.
void attention_run(const struct forward_pass *pass, int layer, int first_token, int thread_index);

#ifdef __cplusplus
}
#endif
#endif
