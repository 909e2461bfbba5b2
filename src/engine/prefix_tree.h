// SPDX-License-Identifier: Apache-2.0
// Known beginnings: a tree of pages of KV memory. A node holds a reference to the page with the
// keys and values of PAGE_TOKENS tokens behind those of its parent. Requests share nodes by
// counting themselves in; a node that nobody uses stays known until its memory is needed, the
// longest unused first. The last page of a text is a node with fewer tokens: it is never shared as
// it grows, but can be copied.
//
// A node is named by the number of its page in the pool: there is one a page, allocated when the
// tree is made, so that nothing here can fail later.
#ifndef XL_ENGINE_PREFIX_TREE_H
#define XL_ENGINE_PREFIX_TREE_H

#include "cache/kv_pool.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PAGE_TOKENS = KV_PAGE, PAGE_NONE = -1 };

struct prefix_node; // see prefix_tree.c

struct prefix_tree {
    struct kv_pool *pool;
    struct prefix_node *nodes; // [pool->n_pages + 1], the last one is the root
    int32_t *buckets;          // [n_buckets] first node of a hash value; PAGE_NONE: none
    uint64_t n_buckets;        // a power of two
    uint64_t seed;             // so that nobody outside can choose texts of one bucket
    int n_kept;                // nodes that nobody uses
    uint64_t clock;            // counts uses
};

enum status prefix_tree_init(struct prefix_tree *tree, struct kv_pool *pool, struct error *err);
void prefix_tree_deinit(struct prefix_tree *tree); // releases all pages; wipes

static inline uint8_t *prefix_tree_page(const struct prefix_tree *tree, int node) {
    return kv_pool_page(tree->pool, node);
}

int prefix_tree_parent(const struct prefix_tree *tree, int node);   // PAGE_NONE: none before it
bool prefix_tree_is_idle(const struct prefix_tree *tree, int node); // used by nobody

// Forgets nodes that nobody uses until the pool has n_pages free ones; false if it never will.
bool prefix_tree_make_room(struct prefix_tree *tree, int n_pages);
// Pages that are free, or would be made so.
static inline int prefix_tree_available(const struct prefix_tree *tree) {
    return tree->pool->n_free + tree->n_kept;
}

// PAGE_NONE as a parent: the beginning of a text.
// The node behind `parent` that holds exactly these PAGE_TOKENS tokens; PAGE_NONE: unknown.
int prefix_tree_find(const struct prefix_tree *tree, int parent, const int32_t *tokens);
// The node behind `parent` whose beginning agrees longest with tokens [n_tokens], for copying;
// *n_common: how far. PAGE_NONE: none agrees.
int prefix_tree_find_part(const struct prefix_tree *tree, int parent, const int32_t *tokens,
                          int n_tokens, int *n_common);
// One more, one fewer request uses the node (and has counted itself in at its parents).
void prefix_tree_use(struct prefix_tree *tree, int node);
void prefix_tree_leave(struct prefix_tree *tree, int node);
// The node of these tokens behind `parent`, used by one more request: the one that is known already
// or a new one of this page, which the tree then retains.
int prefix_tree_add(struct prefix_tree *tree, int parent, const int32_t *tokens, uint8_t *page);
// Keeps the page of a text that ended within it (1 to PAGE_TOKENS - 1 tokens), unless it is known;
// used by nobody.
void prefix_tree_add_part(struct prefix_tree *tree, int parent, const int32_t *tokens, int n_tokens,
                          uint8_t *page);

#ifdef __cplusplus
}
#endif
#endif
