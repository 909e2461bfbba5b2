// SPDX-License-Identifier: Apache-2.0
// The tokenizer that a GGUF file carries in its metadata (tokenizer.*) as a struct vocabulary. It
// stands in model/ because only here both the format and the tokenizer are known.
#ifndef XL_MODEL_VOCABULARY_GGUF_H
#define XL_MODEL_VOCABULARY_GGUF_H

#include "format/gguf.h"
#include "tokenizer/vocabulary.h"

#ifdef __cplusplus
extern "C" {
#endif

// The texts point into the file, which must outlive the vocabulary. Everything is checked.
// STATUS_UNSUPPORTED for an unknown kind of tokenizer. *vocabulary is empty after a failure.
enum status vocabulary_from_gguf(struct vocabulary *vocabulary, const struct gguf *gguf,
                                 struct error *err);

#ifdef __cplusplus
}
#endif
#endif
