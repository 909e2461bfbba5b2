// SPDX-License-Identifier: Apache-2.0
// Sorted texts become a tree of characters: a text's next node is either the newest child or new.
#include "grammar/text_tree.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

enum { TEXTS_MAX = 1 << 18, BYTES_MAX = 16 << 20, CHARACTERS_MAX = 1 << 17 };

struct tree_node {
    uint32_t code, newest_child, older_sibling, start;
    bool is_end;
};

struct tree_nodes { // 0 is the root; children come after their parents
    struct tree_node *items;
    uint32_t n, capacity, *ways; // ways: [n + 1] scratch
};

void text_tree_init(struct text_tree *tree) {
    *tree = (struct text_tree){0};
    buffer_init(&tree->bytes, BYTES_MAX);
}

void text_tree_deinit(struct text_tree *tree) {
    buffer_deinit(&tree->bytes);
    free(tree->texts);
}

void text_tree_add(struct text_tree *tree, const char *text, size_t text_bytes) {
    if (tree->n_texts == tree->capacity) {
        uint32_t capacity = tree->capacity ? tree->capacity * 2 : 64;
        struct text_tree_text *texts =
            capacity > TEXTS_MAX ? NULL : realloc(tree->texts, capacity * sizeof *texts);
        if (!texts) {
            tree->failed = true;
            tree->no_memory = capacity <= TEXTS_MAX;
            return;
        }
        tree->texts = texts;
        tree->capacity = capacity;
    }
    tree->texts[tree->n_texts++] = (struct text_tree_text){tree->bytes.size_bytes, text_bytes};
    // The end of each text keeps it apart from the next one.
    if (buffer_append(&tree->bytes, text, text_bytes) == STATUS_OK &&
        buffer_append(&tree->bytes, "", 1) == STATUS_OK)
        return;
    tree->failed = true;
    tree->no_memory = tree->bytes.status == STATUS_NO_MEMORY;
}

// ---- The tree ----------------------------------------------------------------------------------

// A text by its bytes, while it is sorted.
struct sorted_text {
    const char *text;
    size_t size_bytes;
};

static int compare_texts(const void *a, const void *b) {
    const struct sorted_text *x = a, *y = b;
    size_t n = x->size_bytes < y->size_bytes ? x->size_bytes : y->size_bytes;
    int order = memcmp(x->text, y->text, n);
    return order ? order : (x->size_bytes > y->size_bytes) - (x->size_bytes < y->size_bytes);
}

static bool add_node(struct tree_nodes *nodes, uint32_t code) {
    if (nodes->n == nodes->capacity) {
        uint32_t capacity = nodes->capacity ? nodes->capacity * 2 : 256;
        struct tree_node *items =
            capacity > CHARACTERS_MAX ? NULL : realloc(nodes->items, capacity * sizeof *items);
        if (!items) return false;
        nodes->items = items;
        nodes->capacity = capacity;
    }
    nodes->items[nodes->n++] = (struct tree_node){.code = code};
    return true;
}

static bool add_text(struct tree_nodes *nodes, const char *text, size_t text_bytes) {
    uint32_t node = 0, code;
    for (size_t i = 0; i < text_bytes;) {
        i += utf8_decode(text + i, text_bytes - i, &code);
        uint32_t child = nodes->items[node].newest_child;
        if (!child || nodes->items[child].code != code) {
            child = nodes->n;
            if (!add_node(nodes, code)) return false;
            nodes->items[child].older_sibling = nodes->items[node].newest_child;
            nodes->items[node].newest_child = child;
        }
        node = child;
    }
    nodes->items[node].is_end = true;
    return true;
}

static bool fill(struct tree_nodes *nodes, const struct text_tree *tree) {
    struct sorted_text *sorted = malloc(((size_t)tree->n_texts + 1) * sizeof *sorted);
    bool good = sorted && !tree->failed && add_node(nodes, 0);
    for (uint32_t i = 0; i < tree->n_texts && good; i++)
        sorted[i] = (struct sorted_text){tree->bytes.data + tree->texts[i].offset,
                                         tree->texts[i].size_bytes};
    if (good && tree->n_texts > 1) qsort(sorted, tree->n_texts, sizeof *sorted, compare_texts);
    for (uint32_t i = 0; i < tree->n_texts && good; i++)
        good = add_text(nodes, sorted[i].text, sorted[i].size_bytes);
    free(sorted);
    if (good) nodes->ways = malloc(((size_t)nodes->n + 2) * sizeof *nodes->ways);
    return good && nodes->ways;
}

// ---- Networks ----------------------------------------------------------------------------------

static uint32_t build_one(struct grammar_builder *b, uint32_t code, uint32_t next) {
    struct code_range range = {code, code};
    struct code_ranges set = {.items = &range, .n = 1, .capacity = 1};
    return build_before(b, build_code(b, &set), next);
}

static bool is_plain(uint32_t code) {
    return code >= 0x20 && code != '"' && code != '\\';
}

// The ways to all children (or those of plain characters); returns how many.
static uint32_t list_children(struct tree_nodes *nodes, struct grammar_builder *b, uint32_t node,
                              bool plain_only) {
    uint32_t n = 0;
    for (uint32_t child = nodes->items[node].newest_child; child;
         child = nodes->items[child].older_sibling)
        if (!plain_only || is_plain(nodes->items[child].code))
            nodes->ways[n++] = build_one(b, nodes->items[child].code, nodes->items[child].start);
    return n;
}

// Plain characters that no child begins with.
static struct fragment build_no_child(struct tree_nodes *nodes, struct grammar_builder *b,
                                      uint32_t node) {
    struct code_ranges set = {0};
    code_ranges_add(&set, 0, 0x1f);
    code_ranges_add(&set, '"', '"');
    code_ranges_add(&set, '\\', '\\');
    for (uint32_t child = nodes->items[node].newest_child; child;
         child = nodes->items[child].older_sibling)
        code_ranges_add(&set, nodes->items[child].code, nodes->items[child].code);
    code_ranges_normalise(&set);
    code_ranges_negate(&set);
    struct fragment result = build_code(b, &set);
    code_ranges_deinit(&set);
    return result;
}

static uint32_t build(struct text_tree *tree, struct grammar_builder *b, uint32_t next,
                      bool others) {
    struct tree_nodes nodes = {0};
    uint32_t start = GRAMMAR_FAIL, rest = GRAMMAR_FAIL;
    bool good = fill(&nodes, tree);
    if (tree->no_memory || (!good && !tree->failed && nodes.n < CHARACTERS_MAX))
        build_failed(b, STATUS_NO_MEMORY, "no memory for a list of texts");
    if (!good) build_failed(b, STATUS_UNSUPPORTED, "too many or too long texts");
    if (good && others) {
        struct fragment anything = build_no_child(&nodes, b, nodes.n - 1); // a leaf
        rest = build_before(b, build_repeat(b, anything, 0, GRAMMAR_NO_LIMIT), next);
    }
    for (uint32_t i = nodes.n; good && i-- > 0 && b->status == STATUS_OK;) {
        uint32_t n = list_children(&nodes, b, i, others);
        if (others) nodes.ways[n++] = build_before(b, build_no_child(&nodes, b, i), rest);
        if (nodes.items[i].is_end != others) nodes.ways[n++] = next;
        nodes.items[i].start = n > 0 ? build_fork(b, nodes.ways, n) : GRAMMAR_FAIL;
    }
    if (good && b->status == STATUS_OK) start = nodes.items[0].start;
    free(nodes.items);
    free(nodes.ways);
    return start;
}

uint32_t text_tree_build_any(struct text_tree *tree, struct grammar_builder *b, uint32_t next) {
    return build(tree, b, next, false);
}

uint32_t text_tree_build_other(struct text_tree *tree, struct grammar_builder *b, uint32_t next) {
    return build(tree, b, next, true);
}
