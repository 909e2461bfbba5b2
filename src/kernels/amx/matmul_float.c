// SPDX-License-Identifier: Apache-2.0
// bfloat16 weights times bfloat16 activations with TDPBF16PS. A line of a packed panel holds two
// neighbouring k of 16 rows, which is a row of a B tile, so weights and activations are loaded
// where they lie. The float sums stay in tiles over the whole k: one order for every number of
// tokens, down to one (whose tiles have one row). TDPBF16PS rounds differently from VDPBF16PS,
// hence no other instruction may do a part of this.
//
//   block    2 tiles of tokens x 2 panels: 4 loads for 4 products
#include "kernels/amx/operations.h"
#include "kernels/amx/tiles.h"
#include "numeric/packed.h"

#include <string.h>

enum { PANELS = 2, TILES = 2, TILE_K = 32, TILE_LINES = 16 };

// The last lines of each panel if k is no multiple of 32, followed by zeros: a tile must not read
// what lies behind a panel, which may be a NaN.
struct tail_lines {
    _Alignas(64) uint8_t lines[PANELS][TILE_LINES][LINE_BYTES];
};

struct block {
    const uint8_t *acts[TILES]; // first token of each tile
    const uint8_t *panels[PANELS];
    size_t act_bytes;
    int k;
    int tokens[TILES]; // first of each tile
    int n_tiles, n_panels;
};

static void copy_tail(struct tail_lines *tail, const struct block *block) {
    const int done = block->k / TILE_K * TILE_K, n_lines = (block->k - done + 1) / 2;
    memset(tail, 0, sizeof *tail);
    for (int p = 0; n_lines > 0 && p < block->n_panels; p++)
        memcpy(tail->lines[p], block->panels[p] + (size_t)done / 2 * LINE_BYTES,
               (size_t)n_lines * LINE_BYTES);
}

AMX_INLINE void multiply_tiles(const struct block *block, size_t act_offset,
                               const uint8_t *const lines[PANELS], int n_tiles, int n_panels) {
    for (int p = 0; p < n_panels; p++)
        tiles_load_lines(p, lines[p]);
    for (int a = 0; a < n_tiles; a++) {
        tiles_load_tokens(a, block->acts[a] + act_offset, block->act_bytes);
        for (int p = 0; p < n_panels; p++)
            tiles_multiply_bf16(a, p);
    }
}

// sums[a][p]: n_tiles x n_panels (constants) tiles over the whole k.
AMX_INLINE void run_block(const struct block *block, const struct tail_lines *tail, int n_tiles,
                          int n_panels, float (*sums)[PANELS][TILE_TOKENS][PANEL_ROWS]) {
    const uint8_t *lines[PANELS];
    size_t act_offset = 0;
    for (int p = 0; p < n_panels; p++)
        lines[p] = block->panels[p];
    for (int a = 0; a < n_tiles; a++)
        for (int p = 0; p < n_panels; p++)
            tiles_zero(a, p);
    for (int k = 0; k < block->k / TILE_K; k++) {
        multiply_tiles(block, act_offset, lines, n_tiles, n_panels);
        act_offset += TILE_ROW_BYTES;
        for (int p = 0; p < n_panels; p++)
            lines[p] += TILE_LINES * LINE_BYTES;
    }
    if (block->k % TILE_K) {
        const uint8_t *const rest[PANELS] = {tail->lines[0][0], tail->lines[1][0]};
        multiply_tiles(block, act_offset, rest, n_tiles, n_panels);
    }
    for (int a = 0; a < n_tiles; a++)
        for (int p = 0; p < n_panels; p++)
            tiles_store(a, p, sums[a][p], TILE_ROW_BYTES);
}

static void choose_and_run(const struct block *block, const struct tail_lines *tail,
                           float (*sums)[PANELS][TILE_TOKENS][PANEL_ROWS]) {
    if (block->n_tiles == 2 && block->n_panels == 2)
        run_block(block, tail, 2, 2, sums);
    else if (block->n_tiles == 2)
        run_block(block, tail, 2, 1, sums);
    else if (block->n_panels == 2)
        run_block(block, tail, 1, 2, sums);
    else
        run_block(block, tail, 1, 1, sums);
}

static void store_block(const struct matmul_args *args, const struct block *block, int first_row,
                        int tile_tokens, float (*sums)[PANELS][TILE_TOKENS][PANEL_ROWS]) {
    for (int a = 0; a < block->n_tiles; a++) {
        for (int p = 0; p < block->n_panels; p++) {
            const int row = first_row + p * PANEL_ROWS, left = args->n_rows - row;
            const __mmask16 mask = left >= PANEL_ROWS ? 0xffff : (__mmask16)((1u << left) - 1);
            float *y = args->y + (size_t)block->tokens[a] * args->y_stride + (size_t)row;
            for (int t = 0; t < tile_tokens; t++, y += args->y_stride)
                _mm512_mask_storeu_ps(y, mask, _mm512_load_ps(sums[a][p][t]));
        }
    }
}

// Tiles of equal height, an even number of them above 16 tokens; neighbours overlap where the
// tokens do not divide, and give the same bytes.
struct tiling {
    int n_tiles, tile_tokens;
};

static struct tiling choose_tiling(int n_tokens) {
    struct tiling tiling = {1, n_tokens};
    if (n_tokens <= TILE_TOKENS) return tiling;
    tiling.n_tiles = (n_tokens + 2 * TILE_TOKENS - 1) / (2 * TILE_TOKENS) * 2;
    tiling.tile_tokens = (n_tokens + tiling.n_tiles - 1) / tiling.n_tiles;
    return tiling;
}

static int tile_start(const struct tiling *tiling, int n_tokens, int tile) {
    if (tile == 0) return 0;
    return (int)((int64_t)tile * (n_tokens - tiling->tile_tokens) / (tiling->n_tiles - 1));
}

// All tokens times one or two panels.
static void run_panels(const struct matmul_args *args, const struct tiling *tiling, int first_row) {
    _Alignas(64) float sums[TILES][PANELS][TILE_TOKENS][PANEL_ROWS];
    struct block block = {.act_bytes = args->act_bytes, .k = args->k};
    struct tail_lines tail;
    block.n_tiles = tiling->n_tiles > 1 ? TILES : 1;
    block.n_panels = args->n_rows - first_row > PANEL_ROWS ? PANELS : 1;
    for (int p = 0; p < block.n_panels; p++)
        block.panels[p] = args->panels + (size_t)(first_row / PANEL_ROWS + p) * args->panel_bytes;
    copy_tail(&tail, &block);
    tiles_fence();
    for (int tile = 0; tile < tiling->n_tiles; tile += block.n_tiles) {
        for (int a = 0; a < block.n_tiles; a++) {
            block.tokens[a] = tile_start(tiling, args->n_tokens, tile + a);
            block.acts[a] =
                (const uint8_t *)args->activations + (size_t)block.tokens[a] * args->act_bytes;
        }
        choose_and_run(&block, &tail, sums);
        store_block(args, &block, first_row, tiling->tile_tokens, sums);
    }
}

void amx_matmul_bf16(const struct matmul_args *args) {
    if (args->n_tokens <= 0) return;
    const struct tiling tiling = choose_tiling(args->n_tokens);
    tiles_configure(tiling.tile_tokens, TILE_ROW_BYTES);
    for (int r = 0; r < args->n_rows; r += PANELS * PANEL_ROWS)
        run_panels(args, &tiling, r);
    tiles_release();
}
