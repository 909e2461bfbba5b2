// SPDX-License-Identifier: Apache-2.0
// Tokens that are recognised in text as a whole before the model sees the rest: control tokens and
// user-defined ones. Leftmost longest match.
#ifndef XL_TOKENIZER_ADDED_TOKENS_H
#define XL_TOKENIZER_ADDED_TOKENS_H

#include "tokenizer/byte_trie.h"
#include "tokenizer/vocabulary.h"

#ifdef __cplusplus
extern "C" {
#endif

struct added_token {
    token_id id;
    bool special;        // only where the caller allows special tokens in text
    bool lstrip, rstrip; // swallows the spaces before or after
    bool single_word;    // not inside a word
};

struct added_tokens {
    struct byte_trie trie; // text -> index into tokens
    struct added_token *tokens;
    size_t n_tokens, capacity;
};

enum status added_tokens_init(struct added_tokens *set, struct error *err);
void added_tokens_deinit(struct added_tokens *set);
enum status added_tokens_add(struct added_tokens *set, const char *text, size_t text_bytes,
                             const struct added_token *token, struct error *err);

struct added_scan { // start with zeros
    size_t search_bytes, done_bytes;
};
// The next token in text: its place (with swallowed spaces) and id. False: none left.
bool added_tokens_next(const struct added_tokens *set, const char *text, size_t text_bytes,
                       bool with_special, struct added_scan *scan, size_t *begin_bytes,
                       size_t *end_bytes, token_id *id);

#ifdef __cplusplus
}
#endif
#endif
