// SPDX-License-Identifier: Apache-2.0
// SentencePiece's precompiled_charsmap: a double-array trie from text to its normal form. The bytes
// come from a file; every step is bounds-checked.
#ifndef XL_TOKENIZER_CHARSMAP_H
#define XL_TOKENIZER_CHARSMAP_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct charsmap {
    const uint8_t *units; // little-endian 32-bit units of the double array
    size_t n_units;
    const char *forms; // normal forms, each ended by NUL
    size_t forms_bytes;
};

// Points into `data`. Zero bytes give an empty map.
enum status charsmap_open(struct charsmap *map, const uint8_t *data, size_t size_bytes,
                          struct error *err);
// The shortest or longest entry that is a prefix of text; returns its length (0: none) and the
// normal form.
size_t charsmap_match(const struct charsmap *map, const char *text, size_t text_bytes, bool longest,
                      const char **form, size_t *form_bytes);

#ifdef __cplusplus
}
#endif
#endif
