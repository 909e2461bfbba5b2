// SPDX-License-Identifier: Apache-2.0
// A text, an array of texts, an array of token ids, or an array of those: how prompts and inputs of
// embeddings may be given. Always ends as tokens.
#ifndef XL_SERVER_PROMPT_INPUT_H
#define XL_SERVER_PROMPT_INPUT_H

#include "server/answer.h"
#include "server/openai_error.h"

#include <jansson.h>
#include <stdbool.h>

struct model_host;

// Fills prompts; free them in any case. `max` inputs at most. add_special as in xl_tokenize.
bool prompt_input_read(const struct model_host *host, const json_t *input, const char *param,
                       size_t max, bool add_special, struct answer_prompts *prompts,
                       struct openai_error *error);
// 400 for a text of more bytes than the context can hold: taking it apart would take seconds.
bool prompt_input_check_bytes(const struct model_host *host, size_t text_bytes, const char *param,
                              struct openai_error *error);
// An array of ids; *tokens: xl_free().
bool prompt_input_ids(const struct model_host *host, const json_t *ids, const char *param,
                      int32_t **tokens, size_t *n_tokens, struct openai_error *error);

#endif
