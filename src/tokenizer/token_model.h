// SPDX-License-Identifier: Apache-2.0
// From one piece of normalised text to token ids: the four kinds of models. Built once from a
// vocabulary, then only read.
#ifndef XL_TOKENIZER_TOKEN_MODEL_H
#define XL_TOKENIZER_TOKEN_MODEL_H

#include "tokenizer/byte_trie.h"
#include "tokenizer/text_map.h"
#include "tokenizer/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

enum token_model_kind {
    TOKEN_MODEL_MERGES, // BPE by merge rank
    TOKEN_MODEL_SCORES, // SentencePiece BPE: the pair whose union scores best
    TOKEN_MODEL_UNIGRAM,
    TOKEN_MODEL_WORDPIECE
};

struct merge_slot {
    uint64_t pair; // left id << 32 | right id; UINT64_MAX: free
    uint32_t rank;
    token_id merged;
};

struct token_model {
    enum token_model_kind kind;
    const struct vocabulary *vocabulary;
    struct text_map tokens; // raw bytes (byte level) or text -> id
    struct merge_slot *merges;
    uint64_t merges_mask;
    uint8_t *neighbours;    // bits: pairs of characters that may meet inside a token
    struct byte_trie trie;  // UNIGRAM: all pieces
    struct byte_trie whole; // SCORES, UNIGRAM: user-defined texts that are never cut
    bool byte_level;        // tokens are raw bytes
    bool byte_fallback;     // unknown characters become <0xNN> tokens
    bool fuse_unk;          // a run of unknown characters is one unknown token
    bool ignore_merges;
    bool single_precision;  // UNIGRAM: adds in float as SentencePiece does
    token_id byte_ids[256]; // <0xNN>, -1: none
    token_id unk;
    double unk_score;   // UNIGRAM
    double score_max;   // UNIGRAM
    int word_chars_max; // WORDPIECE
};

// Fills byte_ids; needed before token_model_init.
void token_model_find_bytes(struct token_model *model, const struct vocabulary *vocabulary);
// Texts of the tokens as the model looks them up; texts[id].data == NULL: not part of the model.
enum status token_model_init(struct token_model *model, const struct vocabulary *vocabulary,
                             const struct vocabulary_text *texts, struct error *err);
void token_model_deinit(struct token_model *model);
enum status token_model_encode(const struct token_model *model, const char *piece,
                               size_t piece_bytes, struct token_list *list, struct error *err);

enum status token_list_append(struct token_list *list, token_id id, struct error *err);

// The kinds, each in its file.
enum status merge_table_init(struct token_model *model, struct error *err);
enum status merge_encode(const struct token_model *model, const char *piece, size_t piece_bytes,
                         struct token_list *list, struct error *err);
enum status unigram_encode(const struct token_model *model, const char *piece, size_t piece_bytes,
                           struct token_list *list, struct error *err);
enum status wordpiece_encode(const struct token_model *model, const char *piece, size_t piece_bytes,
                             struct token_list *list, struct error *err);
// Ids for text that no token covers: bytes, or the unknown token (fused with one just written
// after list position `first`), or nothing if the model has no unknown token.
enum status token_model_unknown(const struct token_model *model, const char *text,
                                size_t text_bytes, size_t first, struct token_list *list,
                                struct error *err);

#ifdef __cplusplus
}
#endif
#endif
