// SPDX-License-Identifier: Apache-2.0
// A vocabulary as plain data: the common ground of tokenizer.json, SentencePiece, tiktoken and GGUF
// metadata. The fields follow GGUF's tokenizer.ggml.* keys, so reading and writing GGUF is a copy;
// what GGUF's keys cannot say (a pre-tokenizer without a name) rides along in huggingface_json.
#ifndef XL_TOKENIZER_VOCABULARY_H
#define XL_TOKENIZER_VOCABULARY_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t token_id; // -1: none

enum token_type { // GGUF tokenizer.ggml.token_type
    TOKEN_NORMAL = 1,
    TOKEN_UNKNOWN = 2,
    TOKEN_CONTROL = 3,      // special: recognised in text only when the caller allows it
    TOKEN_USER_DEFINED = 4, // always recognised in text, whole
    TOKEN_UNUSED = 5,
    TOKEN_BYTE = 6 // <0x00> … <0xFF>
};

enum vocabulary_model { // GGUF tokenizer.ggml.model
    VOCABULARY_LLAMA,   // "llama": SentencePiece BPE by score, byte fallback
    VOCABULARY_GPT2,    // "gpt2": byte-level BPE by merge rank, after a pre-tokenizer regex
    VOCABULARY_BERT,    // "bert": WordPiece
    VOCABULARY_UNIGRAM  // "t5": unigram language model
};

enum { VOCABULARY_TOKENS_MAX = 1 << 24 };

struct vocabulary_text { // bytes, not terminated
    const char *data;
    uint32_t size_bytes;
};

struct vocabulary {
    enum vocabulary_model model;
    char pre[64]; // tokenizer.ggml.pre: name of the pre-tokenizer ("qwen2", "llama-bpe", …) or "";
                  // which names exist and what they mean: pre_names.h
    int32_t n_tokens;
    struct vocabulary_text *texts; // [n_tokens] in GGUF's spelling (gpt2: byte-level alphabet)
    float *scores;                 // [n_tokens] or NULL
    int32_t *types;                // [n_tokens] enum token_type
    uint32_t n_merges;
    struct vocabulary_text *merges;                   // "left right" in rank order; gpt2 only
    token_id bos, eos, eot, eom, unk, sep, pad, mask; // -1: none
    bool add_bos, add_eos, add_sep, add_space_prefix, remove_extra_whitespaces;
    bool escape_whitespaces;
    bool ignore_merges;      // tiktoken-born: a whole word in the vocabulary needs no merging
    const uint8_t *charsmap; // SentencePiece precompiled_charsmap or NULL
    size_t charsmap_bytes;
    // The tokenizer.json it came from (tokenizer.huggingface.json), with or without the model's
    // vocabulary and merges, which the fields above hold. Where it is present it decides how text
    // is normalised and split; whoever prefers the name in `pre` leaves it NULL.
    const char *huggingface_json;
    size_t huggingface_json_bytes;
    char *chat_template; // terminated, or NULL
    void *storage;       // owns every pointer above (private to tokenizer/)
};

// An empty vocabulary: no tokens, all ids -1.
void vocabulary_init(struct vocabulary *vocabulary);
void vocabulary_deinit(struct vocabulary *vocabulary);
// Zeroed memory that lives as long as the vocabulary; NULL if there is none (or on overflow).
void *vocabulary_allocate(struct vocabulary *vocabulary, uint64_t n_items, size_t item_bytes);
// A terminated copy that lives as long as the vocabulary; NULL if there is no memory.
char *vocabulary_copy(struct vocabulary *vocabulary, const char *data, size_t size_bytes);
// The name "[PAD<id>]" of an unused token that stands where an id has no text and shows as nothing;
// returns its length.
enum { VOCABULARY_FILLER_BYTES = 32 };
size_t vocabulary_filler(token_id id, char name[VOCABULARY_FILLER_BYTES]);
// Appends such tokens until there are n_tokens (a model's embedding may have more rows than its
// tokenizer has tokens).
enum status vocabulary_pad(struct vocabulary *vocabulary, int32_t n_tokens, struct error *err);

// Bytes of a tokenizer.json; tokenizer_config_json may be NULL.
enum status vocabulary_from_tokenizer_json(struct vocabulary *vocabulary, const char *json,
                                           size_t json_bytes, const char *tokenizer_config_json,
                                           size_t config_bytes, struct error *err);
// BERT's vocab.txt, one token a line.
enum status vocabulary_from_vocab_txt(struct vocabulary *vocabulary, const char *text,
                                      size_t text_bytes, const char *tokenizer_config_json,
                                      size_t config_bytes, struct error *err);
// A SentencePiece model (protobuf).
enum status vocabulary_from_sentencepiece(struct vocabulary *vocabulary, const void *model,
                                          size_t model_bytes, const char *tokenizer_config_json,
                                          size_t config_bytes, struct error *err);
// tiktoken text: lines of "base64 rank". `pre` names the regex, e.g. "qwen2", "chatglm-bpe".
enum status vocabulary_from_tiktoken(struct vocabulary *vocabulary, const char *text,
                                     size_t text_bytes, const char *pre,
                                     const char *tokenizer_config_json, size_t config_bytes,
                                     struct error *err);

// For GGUF: the caller (model/) fills a struct vocabulary whose pointers point into the file and
// then checks it here: ids in range, merges refer to tokens, texts plausible, types known.
enum status vocabulary_check(const struct vocabulary *vocabulary, struct error *err);

#ifdef __cplusplus
}
#endif
#endif
