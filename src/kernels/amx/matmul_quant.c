// SPDX-License-Identifier: Apache-2.0
// Quantized weights times ACT_Q8 activations with TDPBSSD; the same bytes as the AVX-512 level,
// whose functions take what is too few for a tile.
//
//   chunk    256 of k of two panels (32 rows), unpacked once to quad lines of signed bytes without
//            the zero point and used for up to 256 tokens
//   step     2 or 3 tiles of 16 tokens x 2 panels x two groups of k that have a scale of their own
//   unit     one token tile x one group: load A (and B at a group's first tile, so that there is at
//            most one load a product), multiply with both panels, store the exact integer sums
//   combine  one token tile x one panel: AVX-512 adds the stored sums to the float accumulators
//            (avx512/epilogue.h), two groups at a time
//
// Sums of a group of 32 fill half of a tile's depth; that is the price of formats whose scale
// changes every 32 elements, and what bounds this kernel is not the tile unit but the four vector
// operations that every 16 sums need. So the units of the next step are issued between the combines
// of this one, into the other of two buffers.
//
// Tiles are always full: the last one overlaps the one before it and writes the same bytes again.
#include "kernels/amx/operations.h"
#include "kernels/amx/tiles.h"
#include "kernels/avx512/epilogue.h"
#include "kernels/avx512/formats.h"
#include "kernels/avx512/operations.h"
#include "kernels/unroll.h"

#include <assert.h>

enum {
    PANELS = 2,
    STEP_TILES = 3,  // of tokens
    STEP_GROUPS = 2, // along k
    BLOCK_TILES = 16,
    TAIL_TOKENS = 8 // fewer than this beyond whole tiles are left to AVX-512
};

// One activation chunk of one panel. Groups are blocks of 32, or groups of 16 where the format has
// them.
struct panel_chunk {
    _Alignas(64) int8_t lines[ACT_CHUNK / 4][LINE_BYTES]; // quad lines: quant - zero
    float scale[16][PANEL_ROWS];
    float min[16][PANEL_ROWS];
};

// The head of an act_chunk_q8.
struct token_factors {
    float scale[8], sum[8], sum16[16];
};

struct step {
    int first_tile, n_tiles;   // in the block of tokens
    int first_group, n_groups; // in the chunk
};

struct work {
    _Alignas(64) int32_t sums[2][STEP_GROUPS][STEP_TILES][PANELS][TILE_TOKENS][PANEL_ROWS];
    _Alignas(64) float acc[BLOCK_TILES][PANELS][TILE_TOKENS][PANEL_ROWS];
    struct panel_chunk panels[PANELS];
    struct token_factors factors[STEP_TILES][TILE_TOKENS];
    const uint8_t *acts; // this chunk of token 0
    size_t act_bytes;
    int n_tokens, block_first_tile, n_tiles, n_panels;
};

// Sums of a block of 32: as many as it has scales.
AMX_INLINE int sums_per_block(struct format format) {
    return format.has_groups16 ? 2 : 1;
}

AMX_INLINE int minima_per_block(struct format format) {
    return format.min_kind == MIN_NONE ? 0 : format.min_kind == MIN_32 ? 1 : 2;
}

// Where quant - zero may be 128 (q3_k: 255 - 127), which is no signed byte, lines and sums are
// negative.
AMX_INLINE bool is_negative(struct format format) {
    return format.zero == 127;
}

AMX_INLINE void unpack(struct format format, const uint8_t *chunk, int n_blocks,
                       struct panel_chunk *out) {
    const __m512i zero = byte_mask(format.zero);
    const int n_sums = sums_per_block(format), n_minima = minima_per_block(format);
    for (int b = 0; b < n_blocks; b++) {
        __m512i w[8];
        format.lines(chunk, b, w);
        UNROLL for (int i = 0; i < 8; i++) {
            __m512i line =
                is_negative(format) ? _mm512_sub_epi8(zero, w[i]) : _mm512_sub_epi8(w[i], zero);
            _mm512_store_si512((void *)out->lines[8 * b + i], line);
        }
        for (int g = n_sums * b; g < n_sums * (b + 1); g++)
            _mm512_store_ps(out->scale[g], format.scale(chunk, g));
        for (int g = n_minima * b; g < n_minima * (b + 1); g++)
            _mm512_store_ps(out->min[g], format.min(chunk, g));
    }
}

// Tile i of the call's tokens; the last one is pulled back so that it is full.
static int tile_token(int n_tokens, int i) {
    int token = i * TILE_TOKENS;
    return token <= n_tokens - TILE_TOKENS ? token : n_tokens - TILE_TOKENS;
}

AMX_INLINE const uint8_t *tile_acts(const struct work *work, int tile) {
    int token = tile_token(work->n_tokens, work->block_first_tile + tile);
    return work->acts + (size_t)token * work->act_bytes;
}

static int n_units(const struct step *step) {
    return step->n_tiles * step->n_groups;
}

// The steps of a chunk: all pairs of groups for two or three token tiles, then the next tiles.
static bool next_step(const struct work *work, int n_groups, struct step *step) {
    step->first_group += step->n_groups;
    if (step->first_group >= n_groups) {
        step->first_group = 0;
        step->first_tile += step->n_tiles;
    }
    int left = work->n_tiles - step->first_tile;
    step->n_tiles = left <= STEP_TILES ? left : STEP_TILES - 1;
    int groups_left = n_groups - step->first_group;
    step->n_groups = groups_left < STEP_GROUPS ? groups_left : STEP_GROUPS;
    return left > 0;
}

AMX_INLINE void multiply_unit(struct work *work, const struct step *step, int unit, int buffer,
                              int group_elements) {
    const int g = unit / step->n_tiles, tile = unit % step->n_tiles, a = unit % 2;
    const int group = step->first_group + g;
    int32_t(*sums)[TILE_TOKENS][PANEL_ROWS] = work->sums[buffer][g][tile];
    if (tile == 0) {
        const int line = group * (group_elements / 4);
        tiles_load_lines(0, work->panels[0].lines[line]);
        if (work->n_panels == PANELS) tiles_load_lines(1, work->panels[1].lines[line]);
    }
    const uint8_t *quants =
        tile_acts(work, step->first_tile + tile) + offsetof(struct act_chunk_q8, q);
    quants += (size_t)group * (size_t)group_elements;
    for (int role = 0; role < 2; role++) { // instructions name their tiles: one copy a role
        if (role != a) continue;
        tiles_load_tokens(role, quants, work->act_bytes);
        for (int p = 0; p < PANELS; p++) {
            if (p >= work->n_panels) continue;
            tiles_zero(role, p);
            tiles_multiply_i8(role, p);
            tiles_store(role, p, sums[p], TILE_ROW_BYTES);
        }
    }
}

AMX_INLINE void copy_factors(struct work *work, const struct step *step, bool has_sum16) {
    const size_t size =
        has_sum16 ? sizeof(struct token_factors) : offsetof(struct token_factors, sum16);
    for (int i = 0; i < step->n_tiles; i++) {
        const uint8_t *acts = tile_acts(work, step->first_tile + i);
        for (int t = 0; t < TILE_TOKENS; t++)
            memcpy(&work->factors[i][t], acts + (size_t)t * work->act_bytes, size);
    }
}

AMX_INLINE void combine(struct format format, struct work *work, const struct step *step, int tile,
                        int p, int buffer) {
    const struct token_factors *x = work->factors[tile];
    const struct panel_chunk *panel = &work->panels[p];
    float(*acc)[PANEL_ROWS] = work->acc[step->first_tile + tile][p];
    const int n_minima = minima_per_block(format);
    __m512 sum[TILE_TOKENS];
    UNROLL for (int t = 0; t < TILE_TOKENS; t++) sum[t] = _mm512_load_ps(acc[t]);
    for (int g = 0; g < step->n_groups; g++) {
        const int group = step->first_group + g, b = group / sums_per_block(format);
        int32_t(*ints)[PANEL_ROWS] = work->sums[buffer][g][tile][p];
        const __m512 scale = _mm512_load_ps(panel->scale[group]);
        const int m = n_minima * b;
        __m512 min[2];
        UNROLL for (int i = 0; i < n_minima; i++) min[i] = _mm512_load_ps(panel->min[m + i]);
        UNROLL for (int t = 0; t < TILE_TOKENS; t++) {
            __m512i whole = _mm512_load_si512((const void *)ints[t]);
            if (is_negative(format)) whole = _mm512_sub_epi32(_mm512_setzero_si512(), whole);
            sum[t] = epilogue_add(sum[t], whole, scale, &x[t].scale[b]);
            UNROLL for (int i = 0; i < n_minima; i++) {
                const float *token_sum = n_minima == 1 ? &x[t].sum[b] : &x[t].sum16[m + i];
                sum[t] = epilogue_subtract_min(sum[t], min[i], token_sum);
            }
        }
    }
    UNROLL for (int t = 0; t < TILE_TOKENS; t++) _mm512_store_ps(acc[t], sum[t]);
}

// One chunk of all tokens of the block.
AMX_INLINE void run_chunk(struct format format, struct work *work, int n_blocks) {
    const int n_groups = n_blocks * sums_per_block(format),
              group_elements = 32 / sums_per_block(format);
    struct step now = {0, 0, 0, 0}, next;
    int buffer = 0;
    tiles_fence();
    next_step(work, n_groups, &now);
    for (int i = 0; i < n_units(&now); i++)
        multiply_unit(work, &now, i, buffer, group_elements);
    for (bool has_next = true; has_next; now = next, buffer ^= 1) {
        next = now;
        has_next = next_step(work, n_groups, &next);
        if (now.first_group == 0) copy_factors(work, &now, format.min_kind == MIN_16);
        const int units = has_next ? n_units(&next) : 0;
        const int combines = now.n_tiles * work->n_panels;
        for (int i = 0; i < units || i < combines; i++) {
            if (i < units) multiply_unit(work, &next, i, buffer ^ 1, group_elements);
            if (i < combines)
                combine(format, work, &now, i / work->n_panels, i % work->n_panels, buffer);
        }
    }
}

static void store_block(const struct matmul_args *args, const struct work *work, int first_row) {
    for (int i = 0; i < work->n_tiles; i++) {
        const int token = tile_token(work->n_tokens, work->block_first_tile + i);
        for (int p = 0; p < work->n_panels; p++) {
            const int row = first_row + p * PANEL_ROWS, left = args->n_rows - row;
            const __mmask16 mask = left >= PANEL_ROWS ? 0xffff : (__mmask16)((1u << left) - 1);
            float *y = args->y + (size_t)token * args->y_stride + (size_t)row;
            for (int t = 0; t < TILE_TOKENS; t++, y += args->y_stride)
                _mm512_mask_storeu_ps(y, mask, epilogue_result(_mm512_load_ps(work->acc[i][p][t])));
        }
    }
}

// One or two panels from first_row on, for the block of tokens that `work` names.
AMX_INLINE void run_panels(struct format format, const struct matmul_args *args, struct work *work,
                           int first_row) {
    const uint8_t *panel = args->panels + (size_t)(first_row / PANEL_ROWS) * args->panel_bytes;
    work->n_panels = args->n_rows - first_row > PANEL_ROWS ? PANELS : 1;
    memset(work->acc, 0, (size_t)work->n_tiles * sizeof work->acc[0]);
    for (int c = 0; c * ACT_CHUNK < args->k; c++) {
        const int left = args->k - c * ACT_CHUNK;
        const int n_blocks = left < ACT_CHUNK ? left / 32 : ACT_CHUNK_BLOCKS;
        for (int p = 0; p < work->n_panels; p++)
            unpack(format, panel + (size_t)p * args->panel_bytes, n_blocks, &work->panels[p]);
        work->acts = (const uint8_t *)args->activations + (size_t)c * sizeof(struct act_chunk_q8);
        run_chunk(format, work, n_blocks);
        panel += format.step_bytes;
    }
    store_block(args, work, first_row);
}

// Whole tiles of tokens, in blocks of about the same size: a block of one tile would need more
// loads than products.
AMX_INLINE void run_tiles(struct format format, const struct matmul_args *args) {
    struct work work;
    const int n_tiles = (args->n_tokens + TILE_TOKENS - 1) / TILE_TOKENS;
    const int n_blocks = (n_tiles + BLOCK_TILES - 1) / BLOCK_TILES;
    work.act_bytes = args->act_bytes;
    work.n_tokens = args->n_tokens;
    tiles_configure(TILE_TOKENS, 32 / sums_per_block(format));
    for (int i = 0; i < n_blocks; i++) {
        work.block_first_tile = (int)((int64_t)n_tiles * i / n_blocks);
        work.n_tiles = (int)((int64_t)n_tiles * (i + 1) / n_blocks) - work.block_first_tile;
        for (int r = 0; r < args->n_rows; r += PANELS * PANEL_ROWS)
            run_panels(format, args, &work, r);
    }
    tiles_release();
}

AMX_INLINE void multiply(struct format format, const struct matmul_args *args,
                         void (*few)(const struct matmul_args *)) {
    assert(args->k % 32 == 0);
    const int beyond = args->n_tokens % TILE_TOKENS;
    const int n_few = args->n_tokens < TILE_TOKENS ? args->n_tokens
                      : beyond < TAIL_TOKENS       ? beyond
                                                   : 0;
    struct matmul_args part = *args;
    part.n_tokens = args->n_tokens - n_few;
    if (part.n_tokens > 0) run_tiles(format, &part);
    if (n_few == 0) return;
    part.activations = (const uint8_t *)args->activations + (size_t)part.n_tokens * args->act_bytes;
    part.y = args->y + (size_t)part.n_tokens * args->y_stride;
    part.n_tokens = n_few;
    few(&part);
}

void amx_matmul_q4_0(const struct matmul_args *args) {
    multiply((struct format){lines_q4_0, scale_q4_0, NULL, 4 * Q4_0_BYTES, 8, MIN_NONE, false},
             args, avx512_matmul_q4_0);
}

void amx_matmul_q4_1(const struct matmul_args *args) {
    multiply((struct format){lines_q4_1, scale_q4_1, min_q4_1, 4 * Q4_1_BYTES, 0, MIN_32, false},
             args, avx512_matmul_q4_1);
}

void amx_matmul_q5_0(const struct matmul_args *args) {
    multiply((struct format){lines_q5_0, scale_q5_0, NULL, 4 * Q5_0_BYTES, 16, MIN_NONE, false},
             args, avx512_matmul_q5_0);
}

void amx_matmul_q5_1(const struct matmul_args *args) {
    multiply((struct format){lines_q5_1, scale_q5_1, min_q5_1, 4 * Q5_1_BYTES, 0, MIN_32, false},
             args, avx512_matmul_q5_1);
}

void amx_matmul_q8_0(const struct matmul_args *args) {
    multiply((struct format){lines_q8_0, scale_q8_0, NULL, 4 * Q8_0_BYTES, 128, MIN_NONE, false},
             args, avx512_matmul_q8_0);
}

void amx_matmul_q2_k(const struct matmul_args *args) {
    multiply((struct format){lines_q2_k, scale_q2_k, min_q2_k, Q2_K_BYTES, 0, MIN_16, false}, args,
             avx512_matmul_q2_k);
}

void amx_matmul_q3_k(const struct matmul_args *args) {
    multiply((struct format){lines_q3_k, scale_q3_k, NULL, Q3_K_BYTES, 127, MIN_NONE, false}, args,
             avx512_matmul_q3_k);
}

void amx_matmul_q4_k(const struct matmul_args *args) {
    multiply((struct format){lines_q4_k, scale_q4_k, min_q4_k, Q4_K_BYTES, 0, MIN_32, false}, args,
             avx512_matmul_q4_k);
}

void amx_matmul_q5_k(const struct matmul_args *args) {
    multiply((struct format){lines_q5_k, scale_q5_k, min_q5_k, Q5_K_BYTES, 0, MIN_32, false}, args,
             avx512_matmul_q5_k);
}

void amx_matmul_q6_k(const struct matmul_args *args) {
    multiply((struct format){lines_q6_k, scale_q6_k, NULL, Q6_K_BYTES, 32, MIN_NONE, true}, args,
             avx512_matmul_q6_k);
}

void amx_matmul_iq4_nl(const struct matmul_args *args) {
    multiply((struct format){lines_iq4_nl, scale_q4_0, NULL, 4 * Q4_0_BYTES, 128, MIN_NONE, false},
             args, avx512_matmul_iq4_nl);
}

void amx_matmul_iq4_xs(const struct matmul_args *args) {
    multiply((struct format){lines_iq4_xs, scale_iq4_xs, NULL, IQ4_XS_BYTES, 128, MIN_NONE, false},
             args, avx512_matmul_iq4_xs);
}
