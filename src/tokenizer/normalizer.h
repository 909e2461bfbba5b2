// SPDX-License-Identifier: Apache-2.0
// Brings text into the form that the vocabulary was trained on: a short list of steps, each from
// text to text. Bytes that are no UTF-8 pass through.
#ifndef XL_TOKENIZER_NORMALIZER_H
#define XL_TOKENIZER_NORMALIZER_H

#include "base/buffer.h"
#include "tokenizer/byte_trie.h"
#include "tokenizer/charsmap.h"
#include "tokenizer/split_regex.h"

#ifdef __cplusplus
extern "C" {
#endif

enum normalizer_kind {
    NORMALIZER_NFC,
    NORMALIZER_NFD,
    NORMALIZER_NFKC,
    NORMALIZER_NFKD,
    NORMALIZER_LOWERCASE,
    NORMALIZER_STRIP_ACCENTS,
    NORMALIZER_STRIP,
    NORMALIZER_PREPEND,
    NORMALIZER_REPLACE,
    NORMALIZER_BERT,
    NORMALIZER_NMT,
    NORMALIZER_PRECOMPILED,  // charsmap as Hugging Face applies it
    NORMALIZER_SENTENCEPIECE // charsmap, spaces and prefix as SentencePiece does it
};

enum { NORMALIZER_STEPS_MAX = 16 };

struct normalizer_step {
    enum normalizer_kind kind;
    bool left, right;                                         // STRIP
    bool clean_text, chinese_chars, strip_accents, lowercase; // BERT
    bool remove_extra_whitespaces, add_space_prefix, escape;  // SENTENCEPIECE
    struct split_regex *regex;                                // REPLACE; NULL: by `pattern`
    char *pattern, *content;                                  // REPLACE, PREPEND (content); owned
    size_t pattern_bytes, content_bytes;
    struct charsmap charsmap;      // PRECOMPILED, SENTENCEPIECE; points into the vocabulary
    uint8_t *charsmap_data;        // owned, if the bytes are not the vocabulary's
    const struct byte_trie *whole; // SENTENCEPIECE: texts that stay as they are, or NULL
};

struct normalizer {
    struct normalizer_step steps[NORMALIZER_STEPS_MAX];
    int n_steps;
};

void normalizer_deinit(struct normalizer *normalizer);
// Takes over what the step owns, also on failure.
enum status normalizer_add(struct normalizer *normalizer, const struct normalizer_step *step,
                           struct error *err);
void normalizer_step_deinit(struct normalizer_step *step);
// Appends the normal form of text to `out`. *scratch is created when needed.
enum status normalizer_run(const struct normalizer *normalizer, struct split_scratch **scratch,
                           const char *text, size_t text_bytes, struct buffer *out,
                           struct error *err);

#ifdef __cplusplus
}
#endif
#endif
