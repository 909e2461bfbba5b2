// SPDX-License-Identifier: Apache-2.0
// The regular part of ECMAScript's patterns, as fragments that match the inside of a JSON string
// (characters that JSON escapes come out escaped). As JSON Schema has it, a pattern without ^ or $
// may stand anywhere in the text. What is not regular (\b, look-around, back references) and \p are
// refused.
#ifndef XL_GRAMMAR_SCHEMA_PATTERN_H
#define XL_GRAMMAR_SCHEMA_PATTERN_H

#include "grammar/grammar_builder.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PATTERN_DEPTH_MAX = 60, PATTERN_NODES_MAX = 1 << 14, PATTERN_REPEAT_MAX = 1000000 };

// Texts of length_min to length_max code points (GRAMMAR_NO_LIMIT: any) that match. A length that
// the pattern neither implies nor can be made to keep is STATUS_UNSUPPORTED.
enum status pattern_build(struct grammar_builder *builder, const char *pattern, uint32_t length_min,
                          uint32_t length_max, struct fragment *fragment, struct error *err);
// One character of a JSON string out of a normalised set.
struct fragment pattern_build_class(struct grammar_builder *builder, const struct code_ranges *set);

#ifdef __cplusplus
}
#endif
#endif
