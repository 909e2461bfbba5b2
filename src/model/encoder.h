// SPDX-License-Identifier: Apache-2.0
// Embeddings of an encoder (family_bert.c): many texts at once, each to one vector. Texts are
// sorted by length and packed into units of some hundred tokens without any padding, so that
// products run with many tokens; a token sees its own text only. The vector of a text depends
// neither on its neighbours nor on the number of threads.
#ifndef XL_MODEL_ENCODER_H
#define XL_MODEL_ENCODER_H

#include "model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

struct encoder_text {
    const int32_t *tokens; // 1 .. n_context_train of them, each below n_vocab: the caller checks
    int n_tokens;
    float *vector; // [n_embd] result; for NONE [n_tokens][n_embd]
};

// pooling: MEAN, CLS, LAST or NONE. Uses the first n_threads threads of the pool. Scratch memory is
// allocated for the call and wiped behind it.
enum status encoder_embed(const struct model *model, const struct kernels *kernels,
                          struct thread_pool *pool, int n_threads, const struct encoder_text *texts,
                          size_t n_texts, enum model_pooling pooling, struct error *err);

#ifdef __cplusplus
}
#endif
#endif
