// SPDX-License-Identifier: Apache-2.0
#include "grammar/token_trie.h"

#include <stdlib.h>
#include <string.h>

static int compare_texts(const void *a, const void *b) {
    const struct token_text *x = a, *y = b;
    uint32_t n = x->size_bytes < y->size_bytes ? x->size_bytes : y->size_bytes;
    int order = n > 0 ? memcmp(x->data, y->data, n) : 0;
    if (order != 0) return order;
    if (x->size_bytes != y->size_bytes) return x->size_bytes < y->size_bytes ? -1 : 1;
    return (x->token > y->token) - (x->token < y->token);
}

static uint32_t shared_bytes(const struct token_text *a, const struct token_text *b) {
    uint32_t n = a->size_bytes < b->size_bytes ? a->size_bytes : b->size_bytes, i = 0;
    while (i < n && a->data[i] == b->data[i])
        i++;
    return i;
}

// Appends what the sorted texts add to their predecessors.
static void fill(struct token_trie *trie, const struct token_text *texts, size_t n_texts) {
    uint32_t open[TOKEN_TEXT_MAX], n_open = 0; // nodes on the way to the current one
    for (size_t i = 0; i < n_texts; i++) {
        uint32_t shared = i > 0 ? shared_bytes(&texts[i - 1], &texts[i]) : 0;
        while (n_open > shared)
            trie->nodes[open[--n_open]].skip = trie->n_nodes;
        while (n_open < texts[i].size_bytes) {
            trie->nodes[trie->n_nodes] =
                (struct token_trie_node){.first_token = trie->n_tokens,
                                         .depth = (uint16_t)n_open,
                                         .byte = (uint8_t)texts[i].data[n_open]};
            open[n_open++] = trie->n_nodes++;
        }
        trie->tokens[trie->n_tokens++] = texts[i].token;
    }
    while (n_open > 0)
        trie->nodes[open[--n_open]].skip = trie->n_nodes;
    trie->nodes[trie->n_nodes] = (struct token_trie_node){.first_token = trie->n_tokens};
}

enum status token_trie_init(struct token_trie *trie, struct token_text *texts, size_t n_texts,
                            struct error *err) {
    *trie = (struct token_trie){0};
    size_t n = 0, n_nodes = 0;
    for (size_t i = 0; i < n_texts; i++)
        if (texts[i].size_bytes > 0 && texts[i].size_bytes <= TOKEN_TEXT_MAX) texts[n++] = texts[i];
    if (n > 1) qsort(texts, n, sizeof *texts, compare_texts);
    for (size_t i = 0; i < n; i++)
        n_nodes += texts[i].size_bytes - (i > 0 ? shared_bytes(&texts[i - 1], &texts[i]) : 0);
    if (n_nodes >= UINT32_MAX / 2)
        return error_set(err, STATUS_UNSUPPORTED, "vocabulary: its texts are too long for a tree");
    trie->nodes = malloc((n_nodes + 1) * sizeof *trie->nodes);
    trie->tokens = malloc((n + 1) * sizeof *trie->tokens);
    if (!trie->nodes || !trie->tokens) {
        token_trie_deinit(trie);
        return error_no_memory(err, "a tree of tokens", n_nodes * sizeof *trie->nodes);
    }
    fill(trie, texts, n);
    return STATUS_OK;
}

void token_trie_deinit(struct token_trie *trie) {
    free(trie->nodes);
    free(trie->tokens);
    *trie = (struct token_trie){0};
}
