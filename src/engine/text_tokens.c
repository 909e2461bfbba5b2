// SPDX-License-Identifier: Apache-2.0
// Text to tokens and back, for callers outside.
#include "engine/engine.h"

#include <stdlib.h>

enum status engine_tokenizer(const struct xl_engine *engine, const struct tokenizer **tokenizer,
                             struct error *err) {
    if (!engine) return error_set(err, STATUS_USAGE, "no engine given");
    if (!engine->tokenizer)
        return error_set(err, STATUS_UNSUPPORTED,
                         "%s: the model came without a tokenizer; give it token ids",
                         engine_path(engine));
    *tokenizer = engine->tokenizer;
    return STATUS_OK;
}

static enum status tokenize(const xl_engine *engine, const char *text, size_t text_bytes,
                            unsigned flags, struct token_list *list, struct error *err) {
    const struct tokenizer *tokenizer = NULL;
    TRY(engine_tokenizer(engine, &tokenizer, err));
    if (!text && text_bytes > 0) return error_set(err, STATUS_USAGE, "no text given");
    return tokenizer_encode(tokenizer, text ? text : "", text_bytes, flags, list, err);
}

xl_status xl_tokenize(const xl_engine *engine, const char *text, size_t text_bytes,
                      bool add_special, bool parse_special, int32_t **tokens, size_t *n_tokens,
                      xl_error *error) {
    struct error err = {0};
    struct token_list list = {0};
    unsigned flags =
        (add_special ? ENCODE_ADD_SPECIAL : 0u) | (parse_special ? ENCODE_PARSE_SPECIAL : 0u);
    if (!tokens || !n_tokens)
        return engine_report(error, error_set(&err, STATUS_USAGE, "nowhere to put tokens"), &err);
    *tokens = NULL;
    *n_tokens = 0;
    enum status status = tokenize(engine, text, text_bytes, flags, &list, &err);
    if (status == STATUS_OK && !list.ids) { // never NULL for a caller to free
        list.ids = malloc(sizeof *list.ids);
        if (!list.ids) status = error_no_memory(&err, "tokens", sizeof *list.ids);
    }
    if (status != STATUS_OK) {
        free(list.ids);
        return engine_report(error, status, &err);
    }
    *tokens = list.ids;
    *n_tokens = list.n_tokens;
    return engine_report(error, STATUS_OK, NULL);
}

xl_status xl_detokenize(const xl_engine *engine, const int32_t *tokens, size_t n_tokens,
                        bool with_special, char **text, size_t *text_bytes, xl_error *error) {
    struct error err = {0};
    const struct tokenizer *tokenizer = NULL;
    size_t own_bytes;
    enum status status = engine_tokenizer(engine, &tokenizer, &err);
    if (status == STATUS_OK && (!text || (!tokens && n_tokens > 0)))
        status = error_set(&err, STATUS_USAGE, "no tokens, or nowhere to put the text");
    if (status == STATUS_OK)
        status = tokenizer_decode(tokenizer, tokens, n_tokens, with_special, text,
                                  text_bytes ? text_bytes : &own_bytes, &err);
    return engine_report(error, status, &err);
}

bool xl_token_is_end(const xl_engine *engine, int32_t token) {
    return engine && engine->tokenizer && tokenizer_is_end(engine->tokenizer, token);
}
