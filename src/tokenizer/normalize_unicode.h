// SPDX-License-Identifier: Apache-2.0
// The Unicode side of normalisation: normal forms, case, accents, and BERT's cleaning. Each
// function appends to `out`, whose sticky status says whether there was memory.
#ifndef XL_TOKENIZER_NORMALIZE_UNICODE_H
#define XL_TOKENIZER_NORMALIZE_UNICODE_H

#include "base/buffer.h"

#ifdef __cplusplus
extern "C" {
#endif

enum unicode_form { UNICODE_NFC, UNICODE_NFD, UNICODE_NFKC, UNICODE_NFKD };

void unicode_normalize(enum unicode_form form, const char *text, size_t text_bytes,
                       struct buffer *out);
void unicode_lowercase(const char *text, size_t text_bytes, struct buffer *out);
// Drops combining marks: all of them, or only the non-spacing ones.
void unicode_strip_marks(const char *text, size_t text_bytes, bool only_nonspacing,
                         struct buffer *out);
// BERT: drops control characters and makes every space ' '.
void unicode_clean(const char *text, size_t text_bytes, struct buffer *out);
// BERT: a space on both sides of each CJK ideograph.
void unicode_separate_ideographs(const char *text, size_t text_bytes, struct buffer *out);
// The table of SentencePiece's nmt rules.
void unicode_clean_nmt(const char *text, size_t text_bytes, struct buffer *out);
bool unicode_is_space(uint32_t code); // property White_Space
// End of the grapheme cluster that starts at text[0].
size_t unicode_grapheme(const char *text, size_t text_bytes);

#ifdef __cplusplus
}
#endif
#endif
