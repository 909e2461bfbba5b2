// SPDX-License-Identifier: Apache-2.0
#include "server/token_texts.h"

#include <stdlib.h>
#include <string.h>

struct text_entry {
    char *text; // NULL: not asked for yet
    size_t size;
};

struct token_texts {
    struct text_entry *entries; // [n_entries]
    int n_entries;
    int32_t anchor; // a token before the one asked for, because a text's first one may lose a space
    size_t anchor_bytes;
};

struct token_texts *token_texts_create(void) {
    return calloc(1, sizeof(struct token_texts));
}

void token_texts_destroy(struct token_texts *texts) {
    if (!texts) return;
    for (int i = 0; i < texts->n_entries; i++)
        xl_free(texts->entries[i].text);
    free(texts->entries);
    free(texts);
}

static void prepare(struct token_texts *texts, const xl_engine *engine, int n_vocab) {
    int32_t *tokens;
    size_t n_tokens;
    char *text;
    texts->entries = calloc((size_t)n_vocab, sizeof *texts->entries);
    if (!texts->entries) return;
    texts->n_entries = n_vocab;
    texts->anchor = -1;
    if (xl_tokenize(engine, "a", 1, false, false, &tokens, &n_tokens, NULL) != XL_OK) return;
    if (n_tokens > 0 && xl_detokenize(engine, &tokens[n_tokens - 1], 1, true, &text,
                                      &texts->anchor_bytes, NULL) == XL_OK) {
        texts->anchor = tokens[n_tokens - 1];
        xl_free(text);
    }
    xl_free(tokens);
}

static void look_up(struct token_texts *texts, const xl_engine *engine, int32_t token) {
    struct text_entry *entry = &texts->entries[token];
    int32_t pair[2] = {texts->anchor, token};
    size_t n_skipped = texts->anchor >= 0 ? 1 : 0,
           cut = texts->anchor >= 0 ? texts->anchor_bytes : 0;
    if (xl_detokenize(engine, pair + 1 - n_skipped, 1 + n_skipped, true, &entry->text, &entry->size,
                      NULL) != XL_OK)
        return;
    if (cut > entry->size) cut = entry->size;
    memmove(entry->text, entry->text + cut, entry->size - cut);
    entry->size -= cut;
}

const char *token_texts_get(struct token_texts *texts, const xl_engine *engine, int n_vocab,
                            int32_t token, size_t *text_bytes) {
    *text_bytes = 0;
    if (!texts->entries) prepare(texts, engine, n_vocab);
    if (token < 0 || token >= texts->n_entries) return "";
    if (!texts->entries[token].text) look_up(texts, engine, token);
    if (!texts->entries[token].text) return "";
    *text_bytes = texts->entries[token].size;
    return texts->entries[token].text;
}
