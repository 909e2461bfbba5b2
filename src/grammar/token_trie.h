// SPDX-License-Identifier: Apache-2.0
// The texts of a vocabulary's tokens as a tree in the order of a walk through it: a walk reads one
// array from front to back and jumps over what does not fit. Knows bytes and numbers only.
#ifndef XL_GRAMMAR_TOKEN_TRIE_H
#define XL_GRAMMAR_TOKEN_TRIE_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TOKEN_TEXT_MAX = 1024 }; // longer tokens are never allowed

struct token_text {
    const char *data;
    uint32_t size_bytes;
    int32_t token;
};

struct token_trie_node {
    uint32_t skip;        // the node after everything below this one
    uint32_t first_token; // tokens[first_token .. next node's first_token) end here
    uint16_t depth;       // 0: first byte
    uint8_t byte;
};

struct token_trie {
    struct token_trie_node *nodes; // [n_nodes + 1], the last one only ends the tokens
    int32_t *tokens;
    uint32_t n_nodes, n_tokens;
};

// Sorts `texts`; those that are empty or longer than TOKEN_TEXT_MAX are left out.
enum status token_trie_init(struct token_trie *trie, struct token_text *texts, size_t n_texts,
                            struct error *err);
void token_trie_deinit(struct token_trie *trie);

#ifdef __cplusplus
}
#endif
#endif
