// SPDX-License-Identifier: Apache-2.0
// Where a checkpoint keeps its tokenizer: GGUF metadata, tokenizer.json, a SentencePiece model or
// tiktoken text, in this order of trust.
#ifndef XL_ENGINE_VOCABULARY_SOURCE_H
#define XL_ENGINE_VOCABULARY_SOURCE_H

#include "base/status.h"
#include "format/checkpoint.h"
#include "tokenizer/vocabulary.h"

#ifdef __cplusplus
extern "C" {
#endif

// Fills *vocabulary (deinit it, or give it to tokenizer_create), chat template and end tokens
// included. STATUS_NOT_FOUND if the checkpoint has no tokenizer. The checkpoint must outlive it.
enum status vocabulary_from_checkpoint(struct vocabulary *vocabulary,
                                       const struct checkpoint *checkpoint, struct error *err);
// The same from a directory's files alone, without weights.
enum status vocabulary_from_hugging_face(struct vocabulary *vocabulary, const struct hf_config *hf,
                                         struct error *err);

#ifdef __cplusplus
}
#endif
#endif
