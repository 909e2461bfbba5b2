// SPDX-License-Identifier: Apache-2.0
// Text to token ids and back. Immutable after creation: any number of threads may use one.
#ifndef XL_TOKENIZER_TOKENIZER_H
#define XL_TOKENIZER_TOKENIZER_H

#include "tokenizer/vocabulary.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tokenizer;

// Grows by tokenizer_encode; free ids with free().
struct token_list {
    token_id *ids;
    size_t n_tokens;
    size_t capacity;
};

enum {
    ENCODE_ADD_SPECIAL = 1,  // BOS/EOS/CLS/SEP as the model wants them
    ENCODE_PARSE_SPECIAL = 2 // text like "<|im_end|>" becomes the control token
};

// Takes over *vocabulary (which is empty afterwards), also on failure.
enum status tokenizer_create(struct tokenizer **tokenizer, struct vocabulary *vocabulary,
                             struct error *err);
void tokenizer_destroy(struct tokenizer *tokenizer); // NULL is allowed
const struct vocabulary *tokenizer_vocabulary(const struct tokenizer *tokenizer);

// Appends the ids of text (any bytes; malformed UTF-8 encodes byte by byte where the scheme can).
enum status tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t text_bytes,
                             unsigned flags, struct token_list *list, struct error *err);
// The token's own bytes, without context (a piece of a character is possible). NULL if id is out of
// range. Control tokens give their text only if `with_special`, else an empty span.
const char *tokenizer_piece(const struct tokenizer *tokenizer, token_id id, bool with_special,
                            size_t *size_bytes);
// Whole sequence to text, byte for byte (*text: free with free()); strips the leading space that
// the scheme added.
enum status tokenizer_decode(const struct tokenizer *tokenizer, const token_id *ids,
                             size_t n_tokens, bool with_special, char **text, size_t *text_bytes,
                             struct error *err);
// The id whose vocabulary text is exactly this (special tokens by their visible name); -1 if none.
token_id tokenizer_find(const struct tokenizer *tokenizer, const char *text, size_t text_bytes);
// Does generation end here: EOS, EOT, EOM and tokens of the well-known end names.
bool tokenizer_is_end(const struct tokenizer *tokenizer, token_id id);

// Incremental detokenization: bytes come out only in whole UTF-8 characters; what is malformed for
// good becomes U+FFFD. All outputs together with the flush are what tokenizer_decode gives, with
// malformed bytes replaced.
struct detokenizer {
    const struct tokenizer *tokenizer;
    char pending[64];
    size_t pending_bytes;
    bool at_start;
    bool with_special;
};

void detokenizer_init(struct detokenizer *detokenizer, const struct tokenizer *tokenizer,
                      bool with_special);
// Appends to `out` (base/buffer.h) what can be shown after this token.
struct buffer;
enum status detokenizer_push(struct detokenizer *detokenizer, token_id id, struct buffer *out);
enum status detokenizer_flush(struct detokenizer *detokenizer, struct buffer *out);

#ifdef __cplusplus
}
#endif
#endif
