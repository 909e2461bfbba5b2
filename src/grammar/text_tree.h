// SPDX-License-Identifier: Apache-2.0
// A list of texts as a network in which common beginnings are one: any of them, or (as the inside
// of a JSON string without escapes) anything but them.
#ifndef XL_GRAMMAR_TEXT_TREE_H
#define XL_GRAMMAR_TEXT_TREE_H

#include "base/buffer.h"
#include "grammar/grammar_builder.h"

#ifdef __cplusplus
extern "C" {
#endif

struct text_tree_text {
    size_t offset, size_bytes; // in `bytes`
};

struct text_tree {
    struct buffer bytes;
    struct text_tree_text *texts;
    uint32_t n_texts, capacity;
    bool failed, no_memory; // no_memory: that is why it failed
};

void text_tree_init(struct text_tree *tree);
void text_tree_add(struct text_tree *tree, const char *text, size_t text_bytes); // UTF-8, copied
void text_tree_deinit(struct text_tree *tree);
// The way into any of the texts, then `next`.
uint32_t text_tree_build_any(struct text_tree *tree, struct grammar_builder *builder,
                             uint32_t next);
// The way into any other text of plain characters (none that JSON escapes), then `next`.
uint32_t text_tree_build_other(struct text_tree *tree, struct grammar_builder *builder,
                               uint32_t next);

#ifdef __cplusplus
}
#endif
#endif
