// SPDX-License-Identifier: Apache-2.0
// A list of texts as a network in which common beginnings are one: any of them, or (as the inside
// of a JSON string without escapes) anything but them.
#ifndef XL_GRAMMAR_TEXT_TREE_H
#define XL_GRAMMAR_TEXT_TREE_H

#include "grammar/grammar_builder.h"

#ifdef __cplusplus
extern "C" {
#endif

struct text_tree_node {
    uint32_t code, first_child, next_sibling, start;
    bool is_end;
};

struct text_tree {
    struct text_tree_node *nodes; // 0 is the root; children come after their parents
    uint32_t n_nodes, capacity;
    bool failed;
};

// Starts as {0}. UTF-8.
void text_tree_add(struct text_tree *tree, const char *text, size_t text_bytes);
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
