// SPDX-License-Identifier: Apache-2.0
// What a tokenizer consists of; private to this folder. Text goes through these parts in order:
// added tokens, normalizer, added tokens again, pre-tokenizer, model; then prefix and suffix.
#ifndef XL_TOKENIZER_TOKENIZER_PARTS_H
#define XL_TOKENIZER_TOKENIZER_PARTS_H

#include "tokenizer/added_tokens.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pretokenizer.h"
#include "tokenizer/token_model.h"
#include "tokenizer/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

enum decoder_kind {
    DECODER_PLAIN,      // texts one after the other
    DECODER_BYTE_LEVEL, // texts are spelled in the byte-level alphabet
    DECODER_SPACE_MARK, // U+2581 is a space, <0xNN> a byte
    DECODER_WORDPIECE   // U+2581 starts a word
};

enum { FRAME_TOKENS_MAX = 8 };

struct frame { // what surrounds a text when special tokens are added
    token_id ids[FRAME_TOKENS_MAX];
    int n_tokens;
};

struct tokenizer {
    struct vocabulary vocabulary;
    struct added_tokens raw;        // searched in the text as given
    struct added_tokens normalized; // searched after normalisation
    struct normalizer normalizer;
    struct pretokenizer pretokenizer;
    struct token_model model;
    struct frame prefix, suffix;
    enum decoder_kind decoder;
    bool strip_leading_space; // decoding drops the space that encoding put in front
    struct text_map names;    // vocabulary text -> id
    char *piece_bytes;        // what each token shows as, one after the other
    uint32_t *piece_offsets;  // [n_tokens + 1]
    bool *is_end;             // [n_tokens]
};

// Fill raw, normalized, normalizer, pretokenizer, prefix, suffix, decoder and the options of model,
// from the tokenizer.json that the vocabulary carries or from its GGUF-style fields.
enum status parts_from_json(struct tokenizer *tokenizer, struct error *err);
enum status parts_from_fields(struct tokenizer *tokenizer, struct error *err);
// Computes piece_bytes and piece_offsets (needs `decoder`).
enum status parts_build_pieces(struct tokenizer *tokenizer, struct error *err);

#ifdef __cplusplus
}
#endif
#endif
