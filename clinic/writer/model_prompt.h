// SPDX-License-Identifier: Apache-2.0
// From a writing task to tokens: messages, the model's own chat template, and text of records that
// can never become control tokens. The chart comes before the task, so that tasks share it.
#ifndef XL_CLINIC_MODEL_PROMPT_H
#define XL_CLINIC_MODEL_PROMPT_H

#include "clinic/draft/text_writer.h"

#include <stdint.h>

struct model_host;

// *tokens: xl_free(). A model that thinks is asked not to, and what its template opens is closed.
bool model_prompt_make(const struct model_host *host, const struct writing_task *task,
                       int32_t **tokens, size_t *n_tokens, struct clinic_error *error);

#endif
