// SPDX-License-Identifier: Apache-2.0
// Attention for levels with vectors, everything but the vectors: query rows are taken in blocks,
// positions in tiles of 64 at absolute multiples and in segments; which row sees which positions;
// where everything lies in the scratch. A level gives the steps that work on a tile.
//
// What is done for a query row depends on that row alone: it visits the tiles in which it sees
// anything, in ascending order, and in a tile it sees in part only those positions count. Keys
// outside are read (their scores are dropped), values outside are not: they may hold anything.
#ifndef XL_KERNELS_ATTEND_BLOCKS_H
#define XL_KERNELS_ATTEND_BLOCKS_H

#include "kernels/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    ATTEND_TILE = KV_PAGE, // positions: a tile is what a page holds of a head
    ATTEND_GROUP = 6,      // query rows that share the registers of a step
    ATTEND_LANES = 16,     // floats in the running sum of a row
    ATTEND_CONVERT_NEVER = INT32_MAX
};

// One block of query rows: n_tokens tokens times n_heads heads, row = token * n_heads + head.
// Every row array has room for whole groups.
struct attend_block {
    const struct attend_args *args;
    int first_token, n_tokens, first_head, n_heads, n_rows;
    int dim_padded;      // head_dim rounded up to 16: the stride of acc and of converted values
    struct kv_page tile; // the keys and values at hand,
    struct kv_page next; // and those of the tile behind it; there is none: the same
    bool is_converted;   // the tile's keys and values are in `keys` and `values`
    float *queries;      // as the level packs them: ATTEND_GROUP * dim_padded floats a group
    float *scores;       // [rows][64]: scores, then weights
    float *max;          // [rows] of the segment so far
    float *rescale;      // [rows] what the tile multiplies acc by
    float *sums;         // [rows][16] of the weights
    float *acc;          // [rows][dim_padded]
    float *query_scales; // [rows], and
    int32_t *query_sums; // [rows], for queries in integers
    float *total;        // [rows][2 + head_dim] states of the segments before
    float *keys;         // [4][head_dim][16] converted
    float *values;       // [64][dim_padded] converted, zeros behind head_dim
};

// What a level does with block->tile. Positions are counted from where the tile begins.
struct attend_steps {
    // From this many groups of rows on, a tile is converted to floats once for all of them.
    int convert_groups;
    bool needs_padding; // values must be converted if head_dim is no multiple of 16
    // All rows of the block, multiplied by scale / softcap or scale, into `queries`.
    void (*pack_queries)(const struct attend_block *block);
    // Keys of n_positions (a multiple of 16) and values of positions [begin, end).
    void (*convert)(const struct attend_block *block, int n_positions, int begin, int end);
    // scores of rows of groups [first_group, end_group) for n_positions (a multiple of 16).
    void (*score)(const struct attend_block *block, int n_positions, int first_group,
                  int end_group);
    // One row: scores outside [begin, end) are dropped, the others become weights; max, rescale and
    // sums follow.
    void (*soften)(const struct attend_block *block, int row, int begin, int end);
    // acc = acc * rescale + weights of positions [begin, end) times their values, for n_rows <=
    // ATTEND_GROUP rows.
    void (*weigh)(const struct attend_block *block, int first_row, int n_rows, int begin, int end);
    // The sum of 16 floats.
    float (*sum)(const float *x);
};

void attend_blocks(const struct attend_args *args, const struct attend_steps *steps);

// The query row's floats.
static inline const float *attend_query(const struct attend_block *block, int row) {
    const struct attend_args *args = block->args;
    int token = block->first_token + row / block->n_heads;
    int head = block->first_head + row % block->n_heads;
    return args->q + (size_t)token * args->q_stride + (size_t)head * (size_t)args->head_dim;
}

// What the queries are multiplied by, so that a score is a plain dot product (or the argument of
// the cap's tanh).
static inline float attend_query_factor(const struct attend_args *args) {
    return args->softcap > 0 ? args->scale / args->softcap : args->scale;
}

// Where the packed queries of a row begin; element d is ATTEND_GROUP * d further on.
static inline float *attend_packed_query(const struct attend_block *block, int row) {
    int first_row = row / ATTEND_GROUP * ATTEND_GROUP;
    return block->queries + (size_t)first_row * (size_t)block->dim_padded + row - first_row;
}

// Few rows stream through the cache: the next tile is fetched into the first level while one is at
// hand. With many rows a tile is in work long enough.
static inline bool attend_streams(const struct attend_block *block) {
    return block->n_rows <= 2 * ATTEND_GROUP;
}

// How far behind `tile` (the keys or values at hand) lies what attend_fetch() shall fetch: `next`,
// if the block streams; else 0, nothing new.
static inline uintptr_t attend_ahead(const struct attend_block *block, const void *tile,
                                     const void *next) {
    return attend_streams(block) ? (uintptr_t)next - (uintptr_t)tile : 0;
}

static inline void attend_fetch(const void *memory, uintptr_t offset_bytes) {
    __builtin_prefetch((const void *)((uintptr_t)memory + offset_bytes), 0, 3);
}

// The part of the next tile's keys and values that is fetched into the second level while group
// `group` of the block is at work; both have position_bytes a position.
static inline void attend_fetch_part(const struct attend_block *block, size_t position_bytes,
                                     int group) {
    size_t n_groups = (size_t)(block->n_rows + ATTEND_GROUP - 1) / ATTEND_GROUP;
    size_t n_bytes = ATTEND_TILE * position_bytes, index = (size_t)group;
    if (attend_streams(block)) return;
    for (size_t at = n_bytes * index / n_groups / 64 * 64; at < n_bytes * (index + 1) / n_groups;
         at += 64) {
        __builtin_prefetch((const char *)block->next.keys + at, 0, 2);
        __builtin_prefetch((const char *)block->next.values + at, 0, 2);
    }
}

#ifdef __cplusplus
}
#endif
#endif
