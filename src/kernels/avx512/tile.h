// SPDX-License-Identifier: Apache-2.0
// Products of one chunk of 256 along k whose weights are already bytes: what prefill does most of
// the time. Knows no format: it sees quad lines, scales and minima of one or two panels.
#ifndef XL_KERNELS_AVX512_TILE_H
#define XL_KERNELS_AVX512_TILE_H

#include "kernels/kernels.h"
#include "numeric/packed.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TILE_PANELS = 2, TILE_TOKENS = 6, CHUNK_QUADS = ACT_CHUNK / 4, CHUNK_GROUPS = 16 };

// One panel's chunk in a form that all tokens of a block share. Groups are blocks of 32 (the first
// eight) or, where the kind says so, groups of 16.
struct unpacked_chunk {
    _Alignas(64) uint8_t lines[CHUNK_QUADS][LINE_BYTES];
    float scale[CHUNK_GROUPS][PANEL_ROWS];
    float min[CHUNK_GROUPS][PANEL_ROWS];
};

enum tile_kind { // what a block of 32 needs besides its products
    TILE_ZERO,   // sums start at -zero * (sum of the activation quants)
    TILE_MIN_32, // minus a minimum; sums start at 0
    TILE_MIN_16, // minus two minima; sums start at 0
    TILE_ZERO_16 // two groups of 16 with their own scales, both starting as in TILE_ZERO
};

struct tile_job {
    const struct unpacked_chunk *weights; // [n_panels]
    const uint8_t *acts;                  // struct act_chunk_q8 of the first token,
    size_t act_bytes;                     // the next one's distance
    const int32_t *start;                 // [n_tokens][CHUNK_GROUPS] values at which sums start
    float *acc;                           // [n_tokens][n_panels][PANEL_ROWS], 64-byte aligned
    int n_panels, n_tokens, n_blocks;
};

// acc += one chunk's products, by epilogue.h.
void avx512_tile_run(const struct tile_job *job, enum tile_kind kind);

#ifdef __cplusplus
}
#endif
#endif
