// SPDX-License-Identifier: Apache-2.0
// The vocabulary for callers outside: single tokens by their spelling, and what the special ones
// are, as JSON. How text becomes tokens is text_tokens.c's business.
#include "engine/engine.h"

#include "engine/json_text.h"

#include <stdlib.h>
#include <string.h>

xl_status xl_token_text(const xl_engine *engine, int32_t token, char **text, size_t *text_bytes,
                        xl_error *error) {
    struct error err = {0};
    const struct tokenizer *tokenizer = NULL;
    enum status status = engine_tokenizer(engine, &tokenizer, &err);
    if (status == STATUS_OK && !text)
        status = error_set(&err, STATUS_USAGE, "nowhere to put a token's text");
    if (status != STATUS_OK) return engine_report(error, status, &err);
    const struct vocabulary *vocabulary = tokenizer_vocabulary(tokenizer);
    if (token < 0 || token >= vocabulary->n_tokens)
        return engine_report(error,
                             error_set(&err, STATUS_USAGE, "no token %d; there are 0 to %d", token,
                                       vocabulary->n_tokens - 1),
                             &err);
    struct vocabulary_text spelling = vocabulary->texts[token];
    *text = malloc((size_t)spelling.size_bytes + 1);
    if (!*text)
        return engine_report(error, error_no_memory(&err, "a token's text", spelling.size_bytes),
                             &err);
    if (spelling.size_bytes > 0) memcpy(*text, spelling.data, spelling.size_bytes);
    (*text)[spelling.size_bytes] = '\0';
    if (text_bytes) *text_bytes = spelling.size_bytes;
    return engine_report(error, STATUS_OK, NULL);
}

int32_t xl_token_find(const xl_engine *engine, const char *text, size_t text_bytes) {
    if (!engine || !engine->tokenizer || !text) return -1;
    return tokenizer_find(engine->tokenizer, text, text_bytes);
}

static json_t *describe_id(token_id id) {
    return id < 0 ? json_null() : json_integer(id);
}

// Ids of one type, in order.
static json_t *list_ids(const struct vocabulary *vocabulary, int32_t type) {
    json_t *ids = json_array();
    for (token_id id = 0; ids && id < vocabulary->n_tokens; id++)
        if (vocabulary->types[id] == type) json_array_append_new(ids, json_integer(id));
    return ids;
}

static json_t *list_ends(const struct tokenizer *tokenizer) {
    json_t *ids = json_array();
    token_id n_tokens = tokenizer_vocabulary(tokenizer)->n_tokens;
    for (token_id id = 0; ids && id < n_tokens; id++)
        if (tokenizer_is_end(tokenizer, id)) json_array_append_new(ids, json_integer(id));
    return ids;
}

static json_t *describe_vocabulary(const struct tokenizer *tokenizer) {
    static const char *const models[] = {"llama", "gpt2", "bert", "t5"};
    const struct vocabulary *v = tokenizer_vocabulary(tokenizer);
    const char *text = v->chat_template;
    json_t *chat_template = text ? json_text_create(text, strlen(text), strlen(text)) : json_null();
    return json_pack("{s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, "
                     "s:b}",
                     "model", models[v->model], "pre", v->pre, "tokens", (int)v->n_tokens, "bos",
                     describe_id(v->bos), "eos", describe_id(v->eos), "eot", describe_id(v->eot),
                     "eom", describe_id(v->eom), "unk", describe_id(v->unk), "sep",
                     describe_id(v->sep), "pad", describe_id(v->pad), "mask", describe_id(v->mask),
                     "ends", list_ends(tokenizer), "control", list_ids(v, TOKEN_CONTROL),
                     "chat_template", chat_template, "add_bos", (int)v->add_bos, "add_eos",
                     (int)v->add_eos);
}

xl_status xl_tokenizer_describe(const xl_engine *engine, char **json, xl_error *error) {
    struct error err = {0};
    const struct tokenizer *tokenizer = NULL;
    enum status status = engine_tokenizer(engine, &tokenizer, &err);
    if (status == STATUS_OK && !json) status = error_set(&err, STATUS_USAGE, "nowhere to put JSON");
    if (status == STATUS_OK) status = json_text_finish(describe_vocabulary(tokenizer), json, &err);
    return engine_report(error, status, &err);
}
