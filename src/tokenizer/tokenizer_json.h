// SPDX-License-Identifier: Apache-2.0
// Shared by the readers of tokenizer.json and its neighbours; private to this folder.
#ifndef XL_TOKENIZER_TOKENIZER_JSON_H
#define XL_TOKENIZER_TOKENIZER_JSON_H

#include "tokenizer/pre_names.h"
#include "tokenizer/pretokenizer.h"
#include "tokenizer/vocabulary.h"

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

// A JSON object; free with json_decref. `what` names the file in errors.
enum status tokenizer_json_parse(json_t **root, const char *text, size_t text_bytes,
                                 const char *what, struct error *err);
// "BPE", "Unigram", "WordPiece"; old files do not say it, their members do.
const char *tokenizer_json_model_type(const json_t *model);

// Compiles member "pre_tokenizer" (NULL or null: no steps).
enum status tokenizer_json_pretokenizer(struct pretokenizer *pretokenizer, const json_t *object,
                                        struct error *err);
// The named scheme that this file's normalizer and pre-tokenizer amount to; NULL: none.
const struct pre_scheme *tokenizer_json_recognise(const json_t *root);

// tokenizer_config.json (or NULL): special tokens by name, add_bos/add_eos, chat template. Ids that
// the vocabulary has already stay where the file says nothing.
enum status tokenizer_config_apply(struct vocabulary *vocabulary, const char *json,
                                   size_t json_bytes, struct error *err);
// Adds tokens of "added_tokens_decoder" that the vocabulary lacks, with their ids and types.
enum status tokenizer_config_add_tokens(struct vocabulary *vocabulary, const char *json,
                                        size_t json_bytes, struct error *err);
// Sets eot and eom by well-known names.
void tokenizer_config_well_known(struct vocabulary *vocabulary);
// The id of the token with exactly this text; -1: none. Slow (a scan).
token_id vocabulary_find(const struct vocabulary *vocabulary, const char *text, size_t text_bytes);

// Decodes base64 (padding optional); out needs 3 bytes per 4 characters, rounded up.
bool base64_decode(const char *text, size_t text_bytes, unsigned char *out, size_t *out_bytes);

#ifdef __cplusplus
}
#endif
#endif
