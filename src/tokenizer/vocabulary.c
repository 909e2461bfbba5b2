// SPDX-License-Identifier: Apache-2.0
// Owns the memory of a vocabulary (blocks that are freed together), its padding and its checks.
// Knows no file format: the readers beside it fill the fields.
#include "tokenizer/vocabulary.h"

#include "base/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 1 << 18 };

struct block {
    struct block *next;
    size_t used_bytes, size_bytes;
    max_align_t data[];
};

void vocabulary_init(struct vocabulary *vocabulary) {
    memset(vocabulary, 0, sizeof *vocabulary);
    vocabulary->model = VOCABULARY_GPT2;
    vocabulary->bos = vocabulary->eos = vocabulary->eot = vocabulary->eom = -1;
    vocabulary->unk = vocabulary->sep = vocabulary->pad = vocabulary->mask = -1;
    vocabulary->escape_whitespaces = true;
}

void vocabulary_deinit(struct vocabulary *vocabulary) {
    struct block *block = vocabulary->storage;
    while (block != NULL) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
    vocabulary_init(vocabulary);
}

void *vocabulary_allocate(struct vocabulary *vocabulary, uint64_t n_items, size_t item_bytes) {
    uint64_t wanted;
    if (!size_multiply(n_items, item_bytes, &wanted) || wanted > SIZE_MAX / 4) return NULL;
    size_t size_bytes = ((size_t)wanted + sizeof(max_align_t)) & ~(sizeof(max_align_t) - 1);
    struct block *block = vocabulary->storage;
    if (block == NULL || block->size_bytes - block->used_bytes < size_bytes) {
        size_t block_bytes = size_bytes > BLOCK_BYTES ? size_bytes : BLOCK_BYTES;
        block = malloc(sizeof *block + block_bytes);
        if (block == NULL) return NULL;
        block->next = vocabulary->storage;
        block->used_bytes = 0;
        block->size_bytes = block_bytes;
        vocabulary->storage = block;
    }
    char *memory = (char *)block->data + block->used_bytes;
    block->used_bytes += size_bytes;
    return memset(memory, 0, size_bytes);
}

char *vocabulary_copy(struct vocabulary *vocabulary, const char *data, size_t size_bytes) {
    char *copy = vocabulary_allocate(vocabulary, (uint64_t)size_bytes + 1, 1);
    if (copy != NULL && size_bytes > 0) memcpy(copy, data, size_bytes);
    return copy;
}

// The array of n items of item_bytes each, moved to a larger place; old memory goes with the rest.
static void *grow_array(struct vocabulary *vocabulary, const void *old, size_t n_old, size_t n_new,
                        size_t item_bytes) {
    void *array = vocabulary_allocate(vocabulary, n_new, item_bytes);
    if (array != NULL && n_old > 0) memcpy(array, old, n_old * item_bytes);
    return array;
}

size_t vocabulary_filler(token_id id, char name[VOCABULARY_FILLER_BYTES]) {
    return (size_t)snprintf(name, VOCABULARY_FILLER_BYTES, "[PAD%d]", (int)id);
}

enum status vocabulary_pad(struct vocabulary *vocabulary, int32_t n_tokens, struct error *err) {
    if (n_tokens > VOCABULARY_TOKENS_MAX)
        return error_set(err, STATUS_BAD_INPUT, "vocabulary of %d tokens is larger than %d",
                         n_tokens, VOCABULARY_TOKENS_MAX);
    if (n_tokens <= vocabulary->n_tokens) return STATUS_OK;
    size_t n_old = (size_t)vocabulary->n_tokens, n_new = (size_t)n_tokens;
    struct vocabulary_text *texts =
        grow_array(vocabulary, vocabulary->texts, n_old, n_new, sizeof *texts);
    int32_t *types = grow_array(vocabulary, vocabulary->types, n_old, n_new, sizeof *types);
    float *scores = NULL;
    if (vocabulary->scores != NULL)
        scores = grow_array(vocabulary, vocabulary->scores, n_old, n_new, sizeof *scores);
    if (texts == NULL || types == NULL || (scores == NULL && vocabulary->scores != NULL))
        return error_no_memory(err, "vocabulary", n_new * sizeof *texts);
    for (size_t i = n_old; i < n_new; i++) {
        char name[VOCABULARY_FILLER_BYTES];
        size_t length = vocabulary_filler((token_id)i, name);
        texts[i].data = vocabulary_copy(vocabulary, name, length);
        if (texts[i].data == NULL) return error_no_memory(err, "vocabulary", sizeof name);
        texts[i].size_bytes = (uint32_t)length;
        types[i] = TOKEN_UNUSED;
        if (scores != NULL) scores[i] = -10000.0f;
    }
    vocabulary->texts = texts;
    vocabulary->types = types;
    vocabulary->scores = scores;
    vocabulary->n_tokens = n_tokens;
    return STATUS_OK;
}

static enum status check_ids(const struct vocabulary *vocabulary, struct error *err) {
    const struct {
        const char *name;
        token_id id;
    } ids[] = {{"bos", vocabulary->bos}, {"eos", vocabulary->eos},     {"eot", vocabulary->eot},
               {"eom", vocabulary->eom}, {"unknown", vocabulary->unk}, {"sep", vocabulary->sep},
               {"pad", vocabulary->pad}, {"mask", vocabulary->mask}};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        if (ids[i].id < -1 || ids[i].id >= vocabulary->n_tokens)
            return error_set(err, STATUS_BAD_INPUT,
                             "vocabulary: %s token id %d is outside the %d tokens", ids[i].name,
                             ids[i].id, vocabulary->n_tokens);
    return STATUS_OK;
}

enum status vocabulary_check(const struct vocabulary *vocabulary, struct error *err) {
    if (vocabulary->n_tokens <= 0 || vocabulary->n_tokens > VOCABULARY_TOKENS_MAX)
        return error_set(err, STATUS_BAD_INPUT, "vocabulary: %d tokens (expected 1 to %d)",
                         vocabulary->n_tokens, VOCABULARY_TOKENS_MAX);
    if (vocabulary->texts == NULL || vocabulary->types == NULL)
        return error_set(err, STATUS_BAD_INPUT, "vocabulary: token texts or types are missing");
    for (int32_t i = 0; i < vocabulary->n_tokens; i++) {
        if (vocabulary->types[i] < TOKEN_NORMAL || vocabulary->types[i] > TOKEN_BYTE)
            return error_set(err, STATUS_BAD_INPUT, "vocabulary: token %d has unknown type %d", i,
                             vocabulary->types[i]);
        if (vocabulary->texts[i].size_bytes > UINT16_MAX)
            return error_set(err, STATUS_BAD_INPUT, "vocabulary: token %d is %u bytes long", i,
                             vocabulary->texts[i].size_bytes);
        if (vocabulary->scores != NULL && vocabulary->scores[i] != vocabulary->scores[i])
            return error_set(err, STATUS_BAD_INPUT, "vocabulary: the score of token %d is NaN", i);
    }
    if (vocabulary->scores == NULL &&
        (vocabulary->model == VOCABULARY_LLAMA || vocabulary->model == VOCABULARY_UNIGRAM))
        return error_set(err, STATUS_BAD_INPUT, "vocabulary: this kind needs token scores");
    for (uint32_t i = 0; i < vocabulary->n_merges; i++) {
        const struct vocabulary_text *merge = &vocabulary->merges[i];
        if (merge->size_bytes < 3 || merge->size_bytes > UINT16_MAX ||
            memchr(merge->data + 1, ' ', merge->size_bytes - 2) == NULL)
            return error_set(err, STATUS_BAD_INPUT,
                             "vocabulary: merge %u is not two parts with a space between", i);
    }
    return check_ids(vocabulary, err);
}
