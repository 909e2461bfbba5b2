// SPDX-License-Identifier: Apache-2.0
// Inputs to vectors of length 1, in batches small enough that other requests get their turn.
#ifndef XL_SERVER_TEXT_VECTORS_H
#define XL_SERVER_TEXT_VECTORS_H

#include "server/answer.h"

#include <stdbool.h>
#include <stddef.h>

enum { TEXTS_MAX = 2048 };

struct text_vectors {
    float *values; // [n_texts][n_embd]
    size_t n_texts, n_embd;
    size_t n_tokens;
};

// Checks lengths and computes; on failure exchange->error is set. Free in any case.
bool text_vectors_make(struct exchange *exchange, const struct answer_prompts *inputs,
                       const char *param, struct text_vectors *vectors);
void text_vectors_free(struct text_vectors *vectors);

#endif
