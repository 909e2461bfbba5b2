// SPDX-License-Identifier: Apache-2.0
// Blocks, tiles and segments of attention; see the header. Nothing here is hot: every step works on
// a whole tile.
#include "kernels/attend_blocks.h"

#include "kernels/attend_state.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static size_t floats_padded(size_t n) { // to whole cache lines
    return (n + 15) / 16 * 16;
}

static int rows_padded(int n_rows) {
    return (n_rows + ATTEND_GROUP - 1) / ATTEND_GROUP * ATTEND_GROUP;
}

// The next n floats of the scratch; with memory NULL only counts them.
static float *take(float *memory, size_t *n_used, size_t n) {
    float *part = memory ? memory + *n_used : NULL;
    *n_used += floats_padded(n);
    return part;
}

// Lays the arrays of a block of up to n_rows rows into memory; returns how many floats they need.
static size_t lay_out(struct attend_block *block, float *memory, int n_rows, int head_dim) {
    size_t rows = (size_t)rows_padded(n_rows), n = 0;
    size_t dim = floats_padded((size_t)head_dim);
    block->dim_padded = (int)dim;
    block->queries = take(memory, &n, rows * dim);
    block->scores = take(memory, &n, rows * ATTEND_TILE);
    block->max = take(memory, &n, rows);
    block->rescale = take(memory, &n, rows);
    block->sums = take(memory, &n, rows * ATTEND_LANES);
    block->acc = take(memory, &n, rows * dim);
    block->query_scales = take(memory, &n, rows);
    block->query_sums = (int32_t *)take(memory, &n, rows);
    block->total = take(memory, &n, rows * (STATE_ACC + (size_t)head_dim));
    block->keys = take(memory, &n, ATTEND_TILE * dim);
    block->values = take(memory, &n, ATTEND_TILE * dim);
    return n;
}

static int tokens_of_a_block(int n_tokens, int n_group) {
    int n = n_group < ATTEND_ROWS ? ATTEND_ROWS / n_group : 1;
    return n < n_tokens ? n : n_tokens;
}

size_t attend_scratch_bytes(int n_tokens, int n_group, int head_dim) {
    struct attend_block block;
    int n_heads = n_group < ATTEND_ROWS ? n_group : ATTEND_ROWS;
    int n_rows = tokens_of_a_block(n_tokens, n_group) * n_heads;
    return lay_out(&block, NULL, n_rows, head_dim) * sizeof(float);
}

static int round_to_lanes(int n_positions) {
    return (n_positions + KV_TILE - 1) / KV_TILE * KV_TILE;
}

// Rows of the block whose tokens see positions [*begin, *end) of the tile, all the same.
static void weigh_evenly(const struct attend_block *block, const struct attend_steps *steps,
                         int first_row, int end_row, int begin, int end) {
    for (int row = first_row; row < end_row; row += ATTEND_GROUP) {
        int n_rows = end_row - row < ATTEND_GROUP ? end_row - row : ATTEND_GROUP;
        steps->weigh(block, row, n_rows, begin, end);
    }
}

struct range {
    int begin, end;
};

// What a token of the block sees of positions [from, to); begin >= end: nothing.
static struct range seen(const struct attend_block *block, int token, int from, int to) {
    struct range range;
    attend_visible(block->args, block->first_token + token, &range.begin, &range.end);
    if (range.begin < from) range.begin = from;
    if (range.end > to) range.end = to;
    return range;
}

// The tokens of the block that see anything of [from, to); they are neighbours.
static struct range tokens_that_see(const struct attend_block *block, int from, int to) {
    struct range tokens = {0, block->n_tokens}, range;
    for (; tokens.begin < tokens.end; tokens.begin++) {
        range = seen(block, tokens.begin, from, to);
        if (range.begin < range.end) break;
    }
    for (; tokens.begin < tokens.end; tokens.end--) {
        range = seen(block, tokens.end - 1, from, to);
        if (range.begin < range.end) break;
    }
    return tokens;
}

// The page at `position`, and the next one if any token of the call sees something of it.
static void set_tile(struct attend_block *block, int position) {
    const struct attend_args *args = block->args;
    int begin, end;
    attend_visible(args, args->n_tokens - 1, &begin, &end);
    block->tile = kv_page_at(&args->kv, position);
    block->next = block->tile;
    if (position + ATTEND_TILE < end) block->next = kv_page_at(&args->kv, position + ATTEND_TILE);
    if (args->kv.dtype == DTYPE_I8)
        for (uintptr_t at = 0; at < ATTEND_TILE * sizeof(float); at += 64) {
            attend_fetch(block->next.key_scales, at);
            attend_fetch(block->next.value_scales, at);
        }
}

// One tile for all tokens that see something of it.
static void visit_tile(struct attend_block *block, const struct attend_steps *steps, int position,
                       struct range tokens) {
    int n_heads = block->n_heads, tile_end = position + ATTEND_TILE;
    int first_row = tokens.begin * n_heads, end_row = tokens.end * n_heads;
    int first_group = first_row / ATTEND_GROUP;
    int end_group = (end_row + ATTEND_GROUP - 1) / ATTEND_GROUP;
    struct range all = {seen(block, tokens.begin, position, tile_end).begin,
                        seen(block, tokens.end - 1, position, tile_end).end};
    int n_positions = round_to_lanes(all.end - position);
    block->is_converted = end_group - first_group >= steps->convert_groups ||
                          (steps->needs_padding && block->dim_padded != block->args->head_dim);
    set_tile(block, position);
    if (block->is_converted)
        steps->convert(block, n_positions, all.begin - position, all.end - position);
    steps->score(block, n_positions, first_group, end_group);
    int n_whole = 0; // rows before `token` that see the whole tile and wait for their values
    for (int token = tokens.begin; token <= tokens.end; token++) {
        struct range range = {0, 0};
        if (token < tokens.end) range = seen(block, token, position, tile_end);
        int row = token * n_heads;
        bool is_whole = range.end - range.begin == ATTEND_TILE;
        for (int i = 0; token < tokens.end && i < n_heads; i++)
            steps->soften(block, row + i, range.begin - position, range.end - position);
        if (is_whole) {
            n_whole += n_heads;
            continue;
        }
        weigh_evenly(block, steps, row - n_whole, row, 0, ATTEND_TILE);
        n_whole = 0;
        if (token < tokens.end)
            weigh_evenly(block, steps, row, row + n_heads, range.begin - position,
                         range.end - position);
    }
}

static void begin_segment(const struct attend_block *block) {
    for (int row = 0; row < block->n_rows; row++) {
        block->max[row] = -INFINITY;
        memset(block->sums + (size_t)row * ATTEND_LANES, 0, ATTEND_LANES * sizeof(float));
    }
    memset(block->acc, 0, (size_t)block->n_rows * (size_t)block->dim_padded * sizeof(float));
}

// A row's state goes where it is asked for: to the caller, or into the total of the row.
static void end_segment(const struct attend_block *block, const struct attend_steps *steps,
                        int segment) {
    const struct attend_args *args = block->args;
    size_t dim = (size_t)args->head_dim, dim_padded = (size_t)block->dim_padded;
    float *own = block->keys; // free between segments
    for (int row = 0; row < block->n_rows; row++) {
        int token = block->first_token + row / block->n_heads;
        int head = block->first_head + row % block->n_heads;
        float *state = args->partial ? attend_partial(args, segment, token, head) : own;
        state[STATE_MAX] = block->max[row];
        state[STATE_SUM] = steps->sum(block->sums + (size_t)row * ATTEND_LANES);
        memcpy(state + STATE_ACC, block->acc + (size_t)row * dim_padded, dim * sizeof *state);
        if (args->partial) continue;
        attend_state_merge(block->total + (size_t)row * (STATE_ACC + dim), state, args->head_dim);
    }
}

static void run_segments(struct attend_block *block, const struct attend_steps *steps) {
    const struct attend_args *args = block->args;
    int begin = seen(block, 0, 0, INT32_MAX).begin;
    int end = seen(block, block->n_tokens - 1, 0, INT32_MAX).end;
    int first = args->partial ? args->segment_begin : begin / KV_SEGMENT;
    int last = args->partial ? args->segment_end : (end + KV_SEGMENT - 1) / KV_SEGMENT;
    for (int segment = first; segment < last; segment++) {
        begin_segment(block);
        for (int i = 0; i < KV_SEGMENT / ATTEND_TILE; i++) {
            int position = segment * KV_SEGMENT + i * ATTEND_TILE;
            struct range tokens = tokens_that_see(block, position, position + ATTEND_TILE);
            if (tokens.begin < tokens.end) visit_tile(block, steps, position, tokens);
        }
        end_segment(block, steps, segment);
    }
}

static void run_block(struct attend_block *block, const struct attend_steps *steps) {
    const struct attend_args *args = block->args;
    size_t state_floats = STATE_ACC + (size_t)args->head_dim;
    block->n_rows = block->n_tokens * block->n_heads;
    steps->pack_queries(block);
    for (int row = 0; row < block->n_rows; row++) {
        float *total = block->total + (size_t)row * state_floats;
        total[STATE_MAX] = -INFINITY;
        total[STATE_SUM] = 0;
    }
    run_segments(block, steps);
    if (args->partial) return;
    for (int row = 0; row < block->n_rows; row++) {
        size_t token = (size_t)(block->first_token + row / block->n_heads);
        size_t head = (size_t)(block->first_head + row % block->n_heads);
        float *out = args->out + token * args->out_stride + head * (size_t)args->head_dim;
        attend_state_finish(block->total + (size_t)row * state_floats, out, args->head_dim);
    }
}

void attend_blocks(const struct attend_args *args, const struct attend_steps *steps) {
    struct attend_block block = {.args = args};
    int n_tokens = tokens_of_a_block(args->n_tokens, args->n_group);
    int n_heads = args->n_group < ATTEND_ROWS ? args->n_group : ATTEND_ROWS;
    assert((uintptr_t)args->scratch % 64 == 0);
    lay_out(&block, args->scratch, n_tokens * n_heads, args->head_dim);
    for (int token = 0; token < args->n_tokens; token += n_tokens)
        for (int head = 0; head < args->n_group; head += n_heads) {
            int tokens_left = args->n_tokens - token, heads_left = args->n_group - head;
            block.first_token = token;
            block.first_head = head;
            block.n_tokens = tokens_left < n_tokens ? tokens_left : n_tokens;
            block.n_heads = heads_left < n_heads ? heads_left : n_heads;
            run_block(&block, steps);
        }
}
