// SPDX-License-Identifier: Apache-2.0
// The body that all products of float weights share: 4 panels x up to 6 tokens, 24 accumulators in
// registers. Lane r of an accumulator is an output; it adds its products one by one in the order of
// k (or two by two where the instruction takes pairs), whatever the tile. Between blocks of k the
// sums wait in y, which changes nothing: they are floats there too.
//
// Up to 6 tokens, four panels stream from memory side by side. More tokens go over a block of k
// whose weights (4 panels, 32 KB) stay in the L1 cache.
#ifndef XL_KERNELS_AVX512_FLOAT_TILE_H
#define XL_KERNELS_AVX512_FLOAT_TILE_H

#include "kernels/avx512/epilogue.h"
#include "kernels/avx512/vec_avx512.h"
#include "kernels/kernels.h"
#include "kernels/unroll.h"
#include "numeric/packed.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)

enum { FLOAT_PANELS = 4, FLOAT_TOKENS = 6, FLOAT_TOKEN_BLOCK = 96, FLOAT_BLOCK_LINES = 128 };

// Always a compile-time constant. A line is one or two parts of 16 rows; a part meets one word of
// 32 bits of a token.
struct float_format {
    __m512 (*load)(const uint8_t *line, int part);
    __m512 (*add_product)(__m512 acc, __m512 weights, const uint8_t *word);
    int n_parts;        // of a line
    int words_per_line; // of a token; the last line may have fewer
    int k_per_word;
};

struct float_tile {
    const uint8_t *panels[FLOAT_PANELS]; // at the first line
    const uint8_t *tokens[FLOAT_TOKENS]; // at the first word
    float *y;                            // of token 0 and row 0
    size_t y_stride;
    int n_rows;    // from row 0 on
    int n_words;   // along k
    bool is_first; // along k; else y holds the sums so far
};

typedef __m512 float_sums[FLOAT_TOKENS][FLOAT_PANELS];

VEC512_INLINE void float_step(float_sums sums, const struct float_tile *tile, size_t line, int part,
                              int n_panels, int n_tokens, struct float_format format) {
    size_t word = (line * (size_t)format.words_per_line + (size_t)part) * sizeof(uint32_t);
    __m512 w[FLOAT_PANELS];
    UNROLL for (int p = 0; p < n_panels; p++) w[p] =
        format.load(tile->panels[p] + line * LINE_BYTES, part);
    UNROLL for (int t = 0; t < n_tokens; t++) UNROLL for (int p = 0; p < n_panels; p++) sums[t][p] =
        format.add_product(sums[t][p], w[p], tile->tokens[t] + word);
}

VEC512_INLINE void float_tile_run(const struct float_tile *tile, int n_panels, int n_tokens,
                                  struct float_format format) {
    float_sums sums;
    UNROLL for (int t = 0; t < n_tokens; t++) UNROLL for (int p = 0; p < n_panels; p++) {
        const float *y = tile->y + (size_t)t * tile->y_stride + p * PANEL_ROWS;
        sums[t][p] =
            tile->is_first ? _mm512_setzero_ps() : vec512_load(y, tile->n_rows - p * PANEL_ROWS);
    }
    size_t n_lines = (size_t)(tile->n_words / format.words_per_line), line = 0;
    for (; line < n_lines; line++)
        UNROLL for (int part = 0; part < format.n_parts; part++)
            float_step(sums, tile, line, part, n_panels, n_tokens, format);
    if (tile->n_words % format.words_per_line)
        float_step(sums, tile, line, 0, n_panels, n_tokens, format);
    UNROLL for (int t = 0; t < n_tokens; t++) UNROLL for (int p = 0; p < n_panels; p++)
        vec512_store(tile->y + (size_t)t * tile->y_stride + p * PANEL_ROWS,
                     epilogue_result(sums[t][p]), tile->n_rows - p * PANEL_ROWS);
}

VEC512_INLINE void float_tile_pick(const struct float_tile *tile, int n_panels, int n_tokens,
                                   struct float_format format) {
    switch (n_tokens) {
    case 6:
        float_tile_run(tile, n_panels, 6, format);
        break;
    case 5:
        float_tile_run(tile, n_panels, 5, format);
        break;
    case 4:
        float_tile_run(tile, n_panels, 4, format);
        break;
    case 3:
        float_tile_run(tile, n_panels, 3, format);
        break;
    case 2:
        float_tile_run(tile, n_panels, 2, format);
        break;
    default:
        float_tile_run(tile, n_panels, 1, format);
        break;
    }
}

// Words [word, word + n_words) of tokens [first, end), all rows.
VEC512_INLINE void float_block(const struct matmul_args *args, int first, int end, int word,
                               int n_words, struct float_format format) {
    struct float_tile tile = {.y_stride = args->y_stride, .n_words = n_words, .is_first = !word};
    size_t line_offset = (size_t)(word / format.words_per_line) * LINE_BYTES;
    int n_panels;
    for (int row = 0; row < args->n_rows; row += n_panels * PANEL_ROWS) {
        n_panels = args->n_rows - row > (FLOAT_PANELS - 1) * PANEL_ROWS ? FLOAT_PANELS : 1;
        tile.n_rows = args->n_rows - row;
        for (int p = 0; p < n_panels; p++)
            tile.panels[p] =
                args->panels + (size_t)(row / PANEL_ROWS + p) * args->panel_bytes + line_offset;
        int n_tokens;
        for (int t = first; t < end; t += n_tokens) {
            n_tokens = end - t < FLOAT_TOKENS ? end - t : FLOAT_TOKENS;
            for (int i = 0; i < n_tokens; i++)
                tile.tokens[i] = (const uint8_t *)args->activations +
                                 (size_t)(t + i) * args->act_bytes +
                                 (size_t)word * sizeof(uint32_t);
            tile.y = args->y + (size_t)t * args->y_stride + row;
            if (n_panels == FLOAT_PANELS)
                float_tile_pick(&tile, FLOAT_PANELS, n_tokens, format);
            else
                float_tile_pick(&tile, 1, n_tokens, format);
        }
    }
}

VEC512_INLINE void float_multiply(const struct matmul_args *args, struct float_format format) {
    int n_words = (args->k + format.k_per_word - 1) / format.k_per_word;
    int step = FLOAT_BLOCK_LINES * format.words_per_line;
    if (args->n_tokens <= FLOAT_TOKENS) step = n_words;
    for (int t = 0; t < args->n_tokens; t += FLOAT_TOKEN_BLOCK) {
        int end = args->n_tokens - t < FLOAT_TOKEN_BLOCK ? args->n_tokens : t + FLOAT_TOKEN_BLOCK;
        for (int word = 0; word < n_words; word += step)
            float_block(args, t, end, word, n_words - word < step ? n_words - word : step, format);
    }
}

#endif
#endif
