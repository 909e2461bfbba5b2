// SPDX-License-Identifier: Apache-2.0
#include "grammar/text_tree.h"

#include "base/utf8.h"

#include <stdlib.h>

enum { TREE_NODES_MAX = 1 << 18, CHILDREN_MAX = 4096 };

static uint32_t add_node(struct text_tree *tree, uint32_t code) {
    if (tree->n_nodes == tree->capacity) {
        uint32_t capacity = tree->capacity ? tree->capacity * 2 : 64;
        struct text_tree_node *nodes =
            capacity > TREE_NODES_MAX ? NULL : realloc(tree->nodes, capacity * sizeof *nodes);
        if (!nodes) {
            tree->failed = true;
            return 0;
        }
        tree->nodes = nodes;
        tree->capacity = capacity;
    }
    tree->nodes[tree->n_nodes] = (struct text_tree_node){.code = code};
    return tree->n_nodes++;
}

static uint32_t child_of(struct text_tree *tree, uint32_t parent, uint32_t code) {
    uint32_t child = tree->nodes[parent].first_child, n = 0;
    for (; child && tree->nodes[child].code != code; child = tree->nodes[child].next_sibling)
        n++;
    if (child) return child;
    if (n >= CHILDREN_MAX) tree->failed = true;
    child = add_node(tree, code);
    if (tree->failed) return 0;
    tree->nodes[child].next_sibling = tree->nodes[parent].first_child;
    tree->nodes[parent].first_child = child;
    return child;
}

void text_tree_add(struct text_tree *tree, const char *text, size_t text_bytes) {
    uint32_t node = 0, code;
    if (tree->n_nodes == 0) add_node(tree, 0);
    for (size_t i = 0; i < text_bytes && !tree->failed;) {
        i += utf8_decode(text + i, text_bytes - i, &code);
        node = child_of(tree, node, code);
    }
    if (!tree->failed) tree->nodes[node].is_end = true;
}

void text_tree_deinit(struct text_tree *tree) {
    free(tree->nodes);
    *tree = (struct text_tree){0};
}

static bool is_ready(struct text_tree *tree, struct grammar_builder *b) {
    if (tree->n_nodes == 0) add_node(tree, 0);
    if (tree->failed) build_failed(b, STATUS_UNSUPPORTED, "too many or too long texts");
    return b->status == STATUS_OK;
}

static uint32_t build_one(struct grammar_builder *b, uint32_t code, uint32_t next) {
    struct code_range range = {code, code};
    struct code_ranges set = {.items = &range, .n = 1, .capacity = 1};
    return build_before(b, build_code(b, &set), next);
}

uint32_t text_tree_build_any(struct text_tree *tree, struct grammar_builder *b, uint32_t next) {
    static const uint32_t capacity = CHILDREN_MAX + 2;
    if (!is_ready(tree, b)) return GRAMMAR_FAIL;
    uint32_t *ways = malloc(capacity * sizeof *ways);
    if (!ways) {
        build_failed(b, STATUS_NO_MEMORY, "no memory for a grammar");
        return GRAMMAR_FAIL;
    }
    for (uint32_t i = tree->n_nodes; i-- > 0 && b->status == STATUS_OK;) {
        struct text_tree_node *node = &tree->nodes[i];
        uint32_t n = 0;
        if (node->is_end) ways[n++] = next;
        for (uint32_t child = node->first_child; child; child = tree->nodes[child].next_sibling)
            ways[n++] = build_one(b, tree->nodes[child].code, tree->nodes[child].start);
        node->start = n > 0 ? build_fork(b, ways, n) : GRAMMAR_FAIL;
    }
    free(ways);
    return b->status == STATUS_OK ? tree->nodes[0].start : GRAMMAR_FAIL;
}

static void plain_characters(struct code_ranges *set) {
    code_ranges_add(set, 0x20, '"' - 1);
    code_ranges_add(set, '"' + 1, '\\' - 1);
    code_ranges_add(set, '\\' + 1, CODE_LAST);
}

uint32_t text_tree_build_other(struct text_tree *tree, struct grammar_builder *b, uint32_t next) {
    if (!is_ready(tree, b)) return GRAMMAR_FAIL;
    struct code_ranges set = {0};
    plain_characters(&set);
    struct fragment anything = build_repeat(b, build_code(b, &set), 0, GRAMMAR_NO_LIMIT);
    uint32_t rest = build_before(b, anything, next);
    code_ranges_deinit(&set);
    for (uint32_t i = tree->n_nodes; i-- > 0 && b->status == STATUS_OK;) {
        struct text_tree_node *node = &tree->nodes[i];
        plain_characters(&set);
        uint32_t way = GRAMMAR_FAIL, pair[2];
        for (uint32_t child = node->first_child; child; child = tree->nodes[child].next_sibling) {
            code_ranges_remove(&set, tree->nodes[child].code, tree->nodes[child].code);
            pair[0] = build_one(b, tree->nodes[child].code, tree->nodes[child].start);
            pair[1] = way;
            way = build_fork(b, pair, 2);
        }
        pair[0] = way;
        pair[1] = build_before(b, build_code(b, &set), rest);
        code_ranges_deinit(&set);
        pair[0] = build_fork(b, pair, 2);
        pair[1] = next;
        node->start = node->is_end ? pair[0] : build_fork(b, pair, 2);
    }
    return b->status == STATUS_OK ? tree->nodes[0].start : GRAMMAR_FAIL;
}
