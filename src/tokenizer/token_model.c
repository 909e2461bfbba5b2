// SPDX-License-Identifier: Apache-2.0
// Builds the lookup tables that the model kinds share and sends pieces to the right kind.
#include "tokenizer/token_model.h"

#include <stdlib.h>
#include <string.h>

enum { WORD_CHARS_MAX = 100 };

enum status token_list_append(struct token_list *list, token_id id, struct error *err) {
    if (list->n_tokens == list->capacity) {
        size_t capacity = list->capacity < 64 ? 64 : list->capacity + list->capacity / 2;
        token_id *ids = realloc(list->ids, capacity * sizeof *ids);
        if (ids == NULL) return error_no_memory(err, "token ids", capacity * sizeof *ids);
        list->ids = ids;
        list->capacity = capacity;
    }
    list->ids[list->n_tokens++] = id;
    return STATUS_OK;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// "<0x0A>" in a model with byte tokens.
void token_model_find_bytes(struct token_model *model, const struct vocabulary *vocabulary) {
    for (int i = 0; i < 256; i++)
        model->byte_ids[i] = -1;
    for (token_id id = 0; id < vocabulary->n_tokens; id++) {
        const struct vocabulary_text *text = &vocabulary->texts[id];
        if (text->size_bytes != 6 || memcmp(text->data, "<0x", 3) != 0 || text->data[5] != '>')
            continue;
        int high = hex_digit(text->data[3]), low = hex_digit(text->data[4]);
        if (high >= 0 && low >= 0 && model->byte_ids[high * 16 + low] < 0)
            model->byte_ids[high * 16 + low] = id;
    }
}

static enum status fill_maps(struct token_model *model, const struct vocabulary_text *texts,
                             struct error *err) {
    const struct vocabulary *vocabulary = model->vocabulary;
    TRY(text_map_init(&model->tokens, (size_t)vocabulary->n_tokens, err));
    TRY(byte_trie_init(&model->whole, err));
    if (model->kind == TOKEN_MODEL_UNIGRAM) TRY(byte_trie_init(&model->trie, err));
    for (token_id id = 0; id < vocabulary->n_tokens; id++) {
        const struct vocabulary_text *text = &texts[id];
        if (text->data == NULL || text->size_bytes == 0) continue;
        text_map_put(&model->tokens, text->data, text->size_bytes, id);
        if (model->kind == TOKEN_MODEL_UNIGRAM)
            TRY(byte_trie_add(&model->trie, text->data, text->size_bytes, id, err));
        if (vocabulary->types[id] == TOKEN_USER_DEFINED &&
            (model->kind == TOKEN_MODEL_SCORES || model->kind == TOKEN_MODEL_UNIGRAM))
            TRY(byte_trie_add(&model->whole, text->data, text->size_bytes, id, err));
    }
    return STATUS_OK;
}

static void find_score_range(struct token_model *model) {
    const struct vocabulary *vocabulary = model->vocabulary;
    double lowest = 0, highest = 0;
    bool any = false;
    for (token_id id = 0; id < vocabulary->n_tokens; id++) {
        if (vocabulary->types[id] != TOKEN_NORMAL) continue;
        double score = vocabulary->scores[id];
        if (!any || score < lowest) lowest = score;
        if (score > highest) highest = score; // never below 0, as SentencePiece has it
        any = true;
    }
    model->unk_score = lowest - 10.0;
    model->score_max = highest;
}

enum status token_model_init(struct token_model *model, const struct vocabulary *vocabulary,
                             const struct vocabulary_text *texts, struct error *err) {
    model->vocabulary = vocabulary;
    if (model->word_chars_max == 0) model->word_chars_max = WORD_CHARS_MAX;
    TRY(fill_maps(model, texts, err));
    if (model->kind == TOKEN_MODEL_MERGES || model->kind == TOKEN_MODEL_SCORES)
        return merge_table_init(model, err);
    if (model->kind == TOKEN_MODEL_UNIGRAM) find_score_range(model);
    return STATUS_OK;
}

void token_model_deinit(struct token_model *model) {
    text_map_deinit(&model->tokens);
    byte_trie_deinit(&model->trie);
    byte_trie_deinit(&model->whole);
    free(model->merges);
    free(model->neighbours);
    memset(model, 0, sizeof *model);
}

enum status token_model_encode(const struct token_model *model, const char *piece,
                               size_t piece_bytes, struct token_list *list, struct error *err) {
    if (piece_bytes == 0) return STATUS_OK;
    if (piece_bytes > INT32_MAX / 8)
        return error_set(err, STATUS_USAGE, "text of %zu bytes is too long for one call",
                         piece_bytes);
    switch (model->kind) {
    case TOKEN_MODEL_MERGES:
    case TOKEN_MODEL_SCORES:
        return merge_encode(model, piece, piece_bytes, list, err);
    case TOKEN_MODEL_UNIGRAM:
        return unigram_encode(model, piece, piece_bytes, list, err);
    case TOKEN_MODEL_WORDPIECE:
        return wordpiece_encode(model, piece, piece_bytes, list, err);
    }
    return error_set(err, STATUS_FAILED, "unknown kind of tokenizer model");
}

enum status token_model_unknown(const struct token_model *model, const char *text,
                                size_t text_bytes, size_t first, struct token_list *list,
                                struct error *err) {
    bool has_bytes = model->byte_fallback;
    for (size_t i = 0; i < text_bytes && has_bytes; i++)
        has_bytes = model->byte_ids[(uint8_t)text[i]] >= 0;
    if (has_bytes) {
        for (size_t i = 0; i < text_bytes; i++)
            TRY(token_list_append(list, model->byte_ids[(uint8_t)text[i]], err));
        return STATUS_OK;
    }
    if (model->unk < 0) return STATUS_OK;
    if (model->fuse_unk && list->n_tokens > first && list->ids[list->n_tokens - 1] == model->unk)
        return STATUS_OK;
    return token_list_append(list, model->unk, err);
}
