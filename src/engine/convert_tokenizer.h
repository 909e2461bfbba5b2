// SPDX-License-Identifier: Apache-2.0
// The tokenizer's part of a converted model's metadata.
#ifndef XL_ENGINE_CONVERT_TOKENIZER_H
#define XL_ENGINE_CONVERT_TOKENIZER_H

#include "format/checkpoint.h"
#include "format/gguf_writer.h"

#ifdef __cplusplus
extern "C" {
#endif

// Writes tokenizer.*: from `path` if it is not NULL (a GGUF file, a directory, or a file in the
// directory that holds the tokenizer; "none": the model takes token ids only), else from the
// checkpoint. GGUF to GGUF is a copy. Otherwise the vocabulary gets n_vocab tokens, one for each
// row of the embedding. STATUS_NOT_FOUND if there is no tokenizer.
enum status convert_tokenizer(struct gguf_writer *writer, const struct checkpoint *checkpoint,
                              const char *path, int n_vocab, struct error *err);

#ifdef __cplusplus
}
#endif
#endif
