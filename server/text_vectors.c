// SPDX-License-Identifier: Apache-2.0
#include "server/text_vectors.h"

#include "server/audit_log.h"
#include "server/http_server.h"
#include "server/model_host.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH_TEXTS = 32 };

static bool check(struct exchange *exchange, const struct answer_prompts *inputs, const char *param,
                  size_t *n_all) {
    size_t context = (size_t)exchange->server->host->info.context;
    for (int i = 0; i < inputs->n_prompts; i++) {
        size_t n = inputs->n_tokens[i];
        *n_all += n;
        if (n == 0)
            return openai_error_set(&exchange->error, 400, "invalid_value", param,
                                    "%s: text %d has no tokens", param, i);
        if (n > context)
            return openai_error_set(&exchange->error, 400, "context_length_exceeded", param,
                                    "%s: text %d has %zu tokens; the model takes %zu, and nothing "
                                    "is cut off silently",
                                    param, i, n, context);
    }
    return true;
}

bool text_vectors_make(struct exchange *exchange, const struct answer_prompts *inputs,
                       const char *param, struct text_vectors *vectors) {
    const struct model_host *host = exchange->server->host;
    xl_error error;
    *vectors = (struct text_vectors){.n_texts = (size_t)inputs->n_prompts,
                                     .n_embd = (size_t)host->info.n_embd};
    if (!check(exchange, inputs, param, &vectors->n_tokens) || !audit_log_begin(exchange))
        return false;
    vectors->values = calloc(vectors->n_texts, vectors->n_embd * sizeof *vectors->values);
    if (!vectors->values) return openai_error_no_memory(&exchange->error);
    for (size_t at = 0; at < vectors->n_texts; at += BATCH_TEXTS) {
        size_t n = vectors->n_texts - at < BATCH_TEXTS ? vectors->n_texts - at : BATCH_TEXTS;
        if (exchange_is_gone(exchange))
            return openai_error_set(&exchange->error, 503, "cancelled", NULL, "nobody waits");
        if (xl_embed(host->engine, (const int32_t *const *)inputs->tokens + at,
                     inputs->n_tokens + at, n, XL_POOLING_AUTO, true,
                     vectors->values + at * vectors->n_embd, &error) != XL_OK)
            return openai_error_from_engine(&exchange->error, &error, param);
    }
    return true;
}

void text_vectors_free(struct text_vectors *vectors) {
    if (vectors->values)
        explicit_bzero(vectors->values,
                       vectors->n_texts * vectors->n_embd * sizeof *vectors->values);
    free(vectors->values);
    vectors->values = NULL;
}
