// SPDX-License-Identifier: Apache-2.0
// See attention_items.h. The dearest items come first, so that what is dealt last is small.
#include "model/attention_items.h"

#include "model/forward.h"

#include <stdlib.h>

// Fewer query rows than this cost as much: the cache is read for one row as for a few.
enum { ROWS_MIN = 6, OVERHEAD_POSITIONS = 64 };

struct cutting {
    const struct forward_pass *pass;
    enum attention_kind kind;
    int window; // 0: none
    int n_group;
    struct attention_items *items;
    uint64_t partial_floats, n_used_floats;
    uint64_t fair_cost; // of a thread
};

// The positions that the first of the tokens sees first and the last sees last.
static struct share positions_of(const struct cutting *cutting, struct share tokens) {
    int first = forward_position(cutting->pass, tokens.begin);
    int end = forward_position(cutting->pass, tokens.end - 1) + 1;
    int begin =
        cutting->window > 0 && first + 1 > cutting->window ? first + 1 - cutting->window : 0;
    return (struct share){begin, end};
}

static uint64_t cost_of(const struct cutting *cutting, struct share tokens) {
    struct share positions = positions_of(cutting, tokens);
    uint64_t rows = (uint64_t)(tokens.end - tokens.begin) * (uint64_t)cutting->n_group;
    return (rows < ROWS_MIN ? ROWS_MIN : rows) *
           (uint64_t)(positions.end - positions.begin + OVERHEAD_POSITIONS);
}

static void add_item(const struct cutting *cutting, struct attention_item item) {
    struct attention_items *items = cutting->items;
    items->items[cutting->kind][items->n_items[cutting->kind]++] = item;
}

// Blocks of every run's tokens that are attended.
static void add_blocks(const struct cutting *cutting) {
    const struct forward_pass *pass = cutting->pass;
    int size = cutting->n_group < ATTEND_ROWS ? ATTEND_ROWS / cutting->n_group : 1;
    for (int i = 0; i < pass->n_runs; i++) {
        const struct pass_run *run = &pass->runs[i];
        int end = run->first_token + run->n_tokens;
        int begin = cutting->kind == ATTENTION_LAST ? end - run->n_wanted : run->first_token;
        for (; begin < end; begin += size) {
            struct share tokens = {begin, begin + size < end ? begin + size : end};
            add_item(cutting,
                     (struct attention_item){.tokens = tokens, .cost = cost_of(cutting, tokens)});
        }
    }
}

// Cuts an item into pieces of a quarter of what a thread has to do, if there is memory for their
// states.
static void cut(struct cutting *cutting, int index) {
    struct attention_items *items = cutting->items;
    struct attention_item *item = &items->items[cutting->kind][index];
    struct share positions = positions_of(cutting, item->tokens);
    struct share all = {positions.begin / KV_SEGMENT,
                        (positions.end + KV_SEGMENT - 1) / KV_SEGMENT};
    int n = all.end - all.begin, n_items = items->n_items[cutting->kind];
    uint64_t n_floats = (uint64_t)all.end * (uint64_t)(item->tokens.end - item->tokens.begin) *
                        (uint64_t)cutting->n_group *
                        (2 + (uint64_t)cutting->pass->model->config.head_dim);
    int size = (int)((uint64_t)n * (cutting->fair_cost / 4) / item->cost);
    if (size < 1) size = 1;
    int n_pieces = (n + size - 1) / size;
    if (n_pieces < 2 || n_items + n_pieces - 1 > items->n_items_max ||
        n_floats > cutting->partial_floats - cutting->n_used_floats)
        return;
    struct attention_item piece = *item;
    piece.cost = item->cost / (uint64_t)n_pieces;
    piece.partial_offset = cutting->n_used_floats;
    cutting->n_used_floats += n_floats;
    items->has_pieces[cutting->kind] = true;
    for (int begin = all.begin; begin < all.end; begin += size) {
        piece.segments = (struct share){begin, begin + size < all.end ? begin + size : all.end};
        if (begin == all.begin) {
            *item = piece;
            item->merged = all;
        } else {
            add_item(cutting, piece);
        }
    }
}

static int dearest_first(const void *a, const void *b) {
    const struct attention_item *one = a, *other = b;
    if (one->cost != other->cost) return one->cost < other->cost ? 1 : -1;
    if (one->tokens.begin != other->tokens.begin)
        return one->tokens.begin < other->tokens.begin ? -1 : 1;
    return (one->segments.begin > other->segments.begin) -
           (one->segments.begin < other->segments.begin);
}

static void make_kind(struct cutting *cutting) {
    const struct model_config *config = &cutting->pass->model->config;
    struct attention_items *items = cutting->items;
    uint64_t total = 0;
    items->n_items[cutting->kind] = 0;
    items->has_pieces[cutting->kind] = false;
    add_blocks(cutting);
    int n = items->n_items[cutting->kind];
    for (int i = 0; i < n; i++)
        total += items->items[cutting->kind][i].cost;
    cutting->fair_cost = total * (uint64_t)config->n_kv_heads / (uint64_t)cutting->pass->n_threads;
    bool is_even = config->n_kv_heads % cutting->pass->n_threads == 0; // every item is
    for (int i = 0; i < n && !is_even; i++)
        if (items->items[cutting->kind][i].cost > cutting->fair_cost / 2) cut(cutting, i);
    qsort(items->items[cutting->kind], (size_t)items->n_items[cutting->kind],
          sizeof(struct attention_item), dearest_first);
}

void attention_items_make(const struct forward_pass *pass, uint64_t partial_floats) {
    const struct model_config *config = &pass->model->config;
    bool last_slides = model_config_layer_slides(config, config->n_layers - 1);
    for (int kind = 0; kind < ATTENTION_KINDS; kind++) {
        bool slides = kind == ATTENTION_SLIDING || (kind == ATTENTION_LAST && last_slides);
        if (kind == ATTENTION_SLIDING && config->sliding_window < 1) continue;
        struct cutting cutting = {.pass = pass,
                                  .kind = (enum attention_kind)kind,
                                  .window = slides ? config->sliding_window : 0,
                                  .n_group = config->n_heads / config->n_kv_heads,
                                  .items = &pass->workspace->items,
                                  .partial_floats = partial_floats};
        make_kind(&cutting);
    }
}
