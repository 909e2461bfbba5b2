// SPDX-License-Identifier: Apache-2.0
// How the attention of a wide pass is cut into items, which are dealt to threads once for each KV
// head: blocks of a run's tokens and, where one block would hold up the others, pieces of the cache
// that it sees. Made once a pass, before its threads begin; how it is cut changes no bit.
#ifndef XL_MODEL_ATTENTION_ITEMS_H
#define XL_MODEL_ATTENTION_ITEMS_H

#include "model/weight_multiply.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct forward_pass;

struct attention_item {
    struct share tokens;   // of the pass, all of one run
    struct share segments; // of the cache: its states go to the item's partial memory;
                           // empty: all that the tokens see, straight into `attended`
    // Of the first piece of a block that was cut, what all its pieces cover; else empty.
    struct share merged;
    uint64_t partial_offset; // floats, in each KV head's partial memory
    uint64_t cost;
};

// Layers see the whole text or a window of it; the last one attends only tokens with an output.
enum attention_kind { ATTENTION_WHOLE, ATTENTION_SLIDING, ATTENTION_LAST, ATTENTION_KINDS };

struct attention_items {
    struct attention_item *items[ATTENTION_KINDS]; // [n_items_max]
    int n_items[ATTENTION_KINDS];
    int n_items_max;
    bool has_pieces[ATTENTION_KINDS];
};

enum { ATTENTION_PIECES_MAX = 512 }; // items of a kind beyond one a token

// Fills workspace->items. partial_floats: memory for states of each KV head.
void attention_items_make(const struct forward_pass *pass, uint64_t partial_floats);

#ifdef __cplusplus
}
#endif
#endif
