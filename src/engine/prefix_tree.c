// SPDX-License-Identifier: Apache-2.0
// See prefix_tree.h. Full nodes are found by a hash of their tokens and their parent; every find
// compares the tokens, so hashes decide nothing but the time. Whoever uses a node uses its parents,
// too, so a node that nobody uses has only such children: taking leaves is enough. Leaves that
// nobody uses stand in a list by the time of their last use.
#include "engine/prefix_tree.h"

#include "base/clock.h"
#include "base/hash64.h"

#include <stdlib.h>
#include <string.h>

enum { CHILDREN_TRIED_MAX = 1024 }; // by prefix_tree_find_part

struct prefix_node {
    int32_t parent;      // the root's index: nothing before it
    int32_t first_child; // of a list by next_sibling
    int32_t next_sibling, previous_sibling;
    int32_t next_in_bucket;
    int32_t newer, older; // of the leaves that nobody uses
    int32_t n_users;
    int32_t n_tokens; // 0: not a node
    bool is_listed;   // among the leaves that nobody uses
    uint64_t last_use;
    int32_t tokens[PAGE_TOKENS];
};

// The list of leaves hangs at the root, in a ring: root.newer is the one not used for longest.

static int32_t root_index(const struct prefix_tree *tree) {
    return tree->pool->n_pages;
}

static int32_t index_of(const struct prefix_tree *tree, int node) {
    return node == PAGE_NONE ? root_index(tree) : node;
}

enum status prefix_tree_init(struct prefix_tree *tree, struct kv_pool *pool, struct error *err) {
    *tree = (struct prefix_tree){.pool = pool, .n_buckets = 1};
    double now_s = clock_seconds();
    memcpy(&tree->seed, &now_s, sizeof now_s);
    tree->seed = hash64(&tree->seed, sizeof tree->seed, (uint64_t)(uintptr_t)pool->memory);
    size_t n = (size_t)pool->n_pages;
    while (tree->n_buckets < n * 2)
        tree->n_buckets *= 2;
    tree->nodes = calloc(n + 1, sizeof *tree->nodes);
    tree->buckets = malloc(tree->n_buckets * sizeof *tree->buckets);
    if (!tree->nodes || !tree->buckets) {
        prefix_tree_deinit(tree);
        return error_no_memory(err, "the tree of known beginnings", (n + 1) * sizeof *tree->nodes);
    }
    for (uint64_t i = 0; i < tree->n_buckets; i++)
        tree->buckets[i] = PAGE_NONE;
    struct prefix_node *root = &tree->nodes[n];
    root->newer = root->older = root_index(tree);
    root->first_child = PAGE_NONE;
    return STATUS_OK;
}

void prefix_tree_deinit(struct prefix_tree *tree) {
    for (int i = 0; tree->nodes && i < tree->pool->n_pages; i++) {
        struct prefix_node *node = &tree->nodes[i];
        if (node->n_tokens == 0) continue;
        kv_pool_release(tree->pool, prefix_tree_page(tree, i));
        explicit_bzero(node, sizeof *node);
    }
    free(tree->nodes);
    free(tree->buckets);
    *tree = (struct prefix_tree){0};
}

// ---- The list of leaves that nobody uses -------------------------------------------------------

static bool is_spare_leaf(const struct prefix_tree *tree, int32_t index) {
    const struct prefix_node *node = &tree->nodes[index];
    return index != root_index(tree) && node->n_users == 0 && node->first_child == PAGE_NONE;
}

static void unlist(struct prefix_tree *tree, int32_t index) {
    struct prefix_node *node = &tree->nodes[index];
    if (!node->is_listed) return;
    tree->nodes[node->newer].older = node->older;
    tree->nodes[node->older].newer = node->newer;
    node->is_listed = false;
}

// A parent becomes a leaf when its last child goes, and was used no earlier than that: its place is
// near the old end. What was just used belongs to the new end.
static void list(struct prefix_tree *tree, int32_t index, bool is_new) {
    struct prefix_node *node = &tree->nodes[index];
    int32_t older = is_new ? tree->nodes[root_index(tree)].older : root_index(tree);
    while (!is_new && tree->nodes[older].newer != root_index(tree) &&
           tree->nodes[tree->nodes[older].newer].last_use < node->last_use)
        older = tree->nodes[older].newer;
    node->older = older;
    node->newer = tree->nodes[older].newer;
    tree->nodes[node->newer].older = index;
    tree->nodes[older].newer = index;
    node->is_listed = true;
}

// ---- Places ------------------------------------------------------------------------------------

static uint64_t hash_of(const struct prefix_tree *tree, int32_t parent, const int32_t *tokens) {
    uint64_t seed = tree->seed + (uint64_t)parent;
    return hash64(tokens, PAGE_TOKENS * sizeof *tokens, seed) & (tree->n_buckets - 1);
}

static void attach(struct prefix_tree *tree, int32_t index, int32_t parent, const int32_t *tokens,
                   int n_tokens) {
    struct prefix_node *node = &tree->nodes[index], *above = &tree->nodes[parent];
    *node = (struct prefix_node){.parent = parent,
                                 .first_child = PAGE_NONE,
                                 .next_sibling = above->first_child,
                                 .previous_sibling = PAGE_NONE,
                                 .next_in_bucket = PAGE_NONE,
                                 .n_tokens = n_tokens,
                                 .last_use = ++tree->clock};
    memcpy(node->tokens, tokens, (size_t)n_tokens * sizeof *tokens);
    if (above->first_child != PAGE_NONE) tree->nodes[above->first_child].previous_sibling = index;
    above->first_child = index;
    unlist(tree, parent); // no leaf any more
    if (n_tokens < PAGE_TOKENS) return;
    int32_t *bucket = &tree->buckets[hash_of(tree, parent, tokens)];
    node->next_in_bucket = *bucket;
    *bucket = index;
}

static void detach(struct prefix_tree *tree, int32_t index) {
    struct prefix_node *node = &tree->nodes[index], *above = &tree->nodes[node->parent];
    unlist(tree, index);
    if (node->next_sibling != PAGE_NONE)
        tree->nodes[node->next_sibling].previous_sibling = node->previous_sibling;
    if (node->previous_sibling != PAGE_NONE)
        tree->nodes[node->previous_sibling].next_sibling = node->next_sibling;
    else
        above->first_child = node->next_sibling;
    if (node->n_tokens == PAGE_TOKENS) {
        int32_t *at = &tree->buckets[hash_of(tree, node->parent, node->tokens)];
        while (*at != index)
            at = &tree->nodes[*at].next_in_bucket;
        *at = node->next_in_bucket;
    }
    int32_t parent = node->parent;
    if (is_spare_leaf(tree, parent)) list(tree, parent, false);
    explicit_bzero(node, sizeof *node);
}

static void forget(struct prefix_tree *tree, int32_t index) {
    detach(tree, index);
    tree->n_kept--;
    kv_pool_release(tree->pool, prefix_tree_page(tree, index));
}

bool prefix_tree_make_room(struct prefix_tree *tree, int n_pages) {
    while (tree->pool->n_free < n_pages) {
        int32_t oldest = tree->nodes[root_index(tree)].newer;
        if (oldest == root_index(tree)) return false;
        forget(tree, oldest);
    }
    return true;
}

// ---- Known beginnings --------------------------------------------------------------------------

int prefix_tree_find(const struct prefix_tree *tree, int parent, const int32_t *tokens) {
    int32_t above = index_of(tree, parent);
    int32_t index = tree->buckets[hash_of(tree, above, tokens)];
    while (index != PAGE_NONE) {
        const struct prefix_node *node = &tree->nodes[index];
        if (node->parent == above && memcmp(node->tokens, tokens, sizeof node->tokens) == 0) break;
        index = node->next_in_bucket;
    }
    return index;
}

int prefix_tree_find_part(const struct prefix_tree *tree, int parent, const int32_t *tokens,
                          int n_tokens, int *n_common) {
    int best = PAGE_NONE, n_tried = 0;
    *n_common = 0;
    for (int32_t index = tree->nodes[index_of(tree, parent)].first_child;
         index != PAGE_NONE && n_tried < CHILDREN_TRIED_MAX;
         index = tree->nodes[index].next_sibling, n_tried++) {
        const struct prefix_node *node = &tree->nodes[index];
        int n = 0, n_max = n_tokens < node->n_tokens ? n_tokens : node->n_tokens;
        while (n < n_max && node->tokens[n] == tokens[n])
            n++;
        if (n <= *n_common) continue;
        *n_common = n;
        best = index;
    }
    return best;
}

int prefix_tree_parent(const struct prefix_tree *tree, int node) {
    int32_t parent = tree->nodes[node].parent;
    return parent == root_index(tree) ? PAGE_NONE : parent;
}

bool prefix_tree_is_idle(const struct prefix_tree *tree, int node) {
    return tree->nodes[node].n_users == 0;
}

void prefix_tree_use(struct prefix_tree *tree, int node) {
    struct prefix_node *used = &tree->nodes[node];
    if (used->n_users++ == 0) tree->n_kept--;
    used->last_use = ++tree->clock;
    unlist(tree, node);
}

void prefix_tree_leave(struct prefix_tree *tree, int node) {
    struct prefix_node *left = &tree->nodes[node];
    left->last_use = ++tree->clock;
    if (--left->n_users > 0) return;
    tree->n_kept++;
    if (is_spare_leaf(tree, node)) list(tree, node, true);
}

static int32_t keep(struct prefix_tree *tree, int parent, const int32_t *tokens, int n_tokens,
                    uint8_t *page) {
    size_t index = (size_t)(page - tree->pool->memory) / tree->pool->layout.block_bytes;
    kv_pool_retain(tree->pool, page);
    attach(tree, (int32_t)index, index_of(tree, parent), tokens, n_tokens);
    return (int32_t)index;
}

int prefix_tree_add(struct prefix_tree *tree, int parent, const int32_t *tokens, uint8_t *page) {
    int node = prefix_tree_find(tree, parent, tokens);
    if (node != PAGE_NONE) {
        prefix_tree_use(tree, node);
        return node;
    }
    node = keep(tree, parent, tokens, PAGE_TOKENS, page);
    tree->nodes[node].n_users = 1;
    return node;
}

void prefix_tree_add_part(struct prefix_tree *tree, int parent, const int32_t *tokens, int n_tokens,
                          uint8_t *page) {
    int n_common, known = prefix_tree_find_part(tree, parent, tokens, n_tokens, &n_common);
    if (known != PAGE_NONE && n_common == n_tokens) return;
    // What ends where this one goes on is of no more use.
    if (known != PAGE_NONE && n_common == tree->nodes[known].n_tokens && is_spare_leaf(tree, known))
        forget(tree, known);
    int32_t node = keep(tree, parent, tokens, n_tokens, page);
    tree->n_kept++;
    list(tree, node, true);
}
