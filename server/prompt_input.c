// SPDX-License-Identifier: Apache-2.0
#include "server/prompt_input.h"

#include "server/model_host.h"

#include <stdlib.h>

// In memory that xl_free() takes, as tokens of texts are: it is free() underneath a name.
bool prompt_input_ids(const struct model_host *host, const json_t *ids, const char *param,
                      int32_t **tokens, size_t *n_tokens, struct openai_error *error) {
    size_t i, n = json_array_size(ids);
    json_t *id;
    *tokens = NULL;
    *n_tokens = 0;
    int32_t *list = malloc((n ? n : 1) * sizeof *list);
    if (!list) return openai_error_no_memory(error);
    json_array_foreach((json_t *)ids, i, id) {
        json_int_t value = json_integer_value(id);
        if (!json_is_integer(id) || value < 0 || value >= host->info.n_vocab) {
            free(list);
            return openai_error_set(error, 400, "invalid_value", param,
                                    "%s: token %zu is no id from 0 to %d", param, i,
                                    host->info.n_vocab - 1);
        }
        list[i] = (int32_t)value;
    }
    *tokens = list;
    *n_tokens = n;
    return true;
}

bool prompt_input_check_bytes(const struct model_host *host, size_t text_bytes, const char *param,
                              struct openai_error *error) {
    return text_bytes <= host->text_bytes_max ||
           openai_error_set(error, 400, "context_length_exceeded", param,
                            "the text has %zu bytes; the context of %d tokens holds %zu bytes at "
                            "most",
                            text_bytes, host->info.context, host->text_bytes_max);
}

static bool read_one(const struct model_host *host, const json_t *input, const char *param,
                     bool add_special, int32_t **tokens, size_t *n_tokens,
                     struct openai_error *error) {
    xl_error engine_error;
    if (json_is_array(input)) return prompt_input_ids(host, input, param, tokens, n_tokens, error);
    if (!json_is_string(input))
        return openai_error_set(error, 400, "invalid_type", param,
                                "%s must be a string, an array of strings, an array of token ids "
                                "or an array of those",
                                param);
    if (!prompt_input_check_bytes(host, json_string_length(input), param, error)) return false;
    return xl_tokenize(host->engine, json_string_value(input), json_string_length(input),
                       add_special, true, tokens, n_tokens, &engine_error) == XL_OK ||
           openai_error_from_engine(error, &engine_error, param);
}

bool prompt_input_read(const struct model_host *host, const json_t *input, const char *param,
                       size_t max, bool add_special, struct answer_prompts *prompts,
                       struct openai_error *error) {
    bool is_one = !json_is_array(input) || json_is_integer(json_array_get(input, 0));
    size_t n = is_one ? 1 : json_array_size(input);
    if (n == 0 || n > max)
        return openai_error_set(error, 400, "invalid_value", param, "%s must have 1 to %zu texts",
                                param, max);
    prompts->tokens = calloc(n, sizeof *prompts->tokens);
    prompts->n_tokens = calloc(n, sizeof *prompts->n_tokens);
    if (!prompts->tokens || !prompts->n_tokens) return openai_error_no_memory(error);
    prompts->n_prompts = (int)n;
    for (size_t i = 0; i < n; i++)
        if (!read_one(host, is_one ? input : json_array_get(input, i), param, add_special,
                      &prompts->tokens[i], &prompts->n_tokens[i], error))
            return false;
    return true;
}
