// SPDX-License-Identifier: Apache-2.0
// What each token adds to a text, kept once asked for: log probabilities name the same tokens again
// and again.
#ifndef XL_SERVER_TOKEN_TEXTS_H
#define XL_SERVER_TOKEN_TEXTS_H

#include "xinglin/xinglin.h"

#include <stddef.h>

struct token_texts;

struct token_texts *token_texts_create(void);
void token_texts_destroy(struct token_texts *texts);
// Never NULL; valid as long as the object. One thread.
const char *token_texts_get(struct token_texts *texts, const xl_engine *engine, int n_vocab,
                            int32_t token, size_t *text_bytes);

#endif
