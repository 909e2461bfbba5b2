// SPDX-License-Identifier: Apache-2.0
// The tile registers by their roles: two of tokens (A), two of weight panels (B), and the sums of
// each pair (C). An instruction names its tiles, so a role is a constant that picks one of a few
// instructions. A build with XL_COUNT_TILES counts what was executed.
//
//   tile 0..3  C: token tile a times panel b at 2 a + b       [tokens][16 rows] of 32 bits
//   tile 4, 5  A: 16 tokens, one row of bytes each
//   tile 6, 7  B: lines of a packed panel, 16 rows each
#ifndef XL_KERNELS_AMX_TILES_H
#define XL_KERNELS_AMX_TILES_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__AMX_TILE__) || defined(__AMXTILE__) // the latter: clang before 17

#define AMX_INLINE static inline __attribute__((always_inline))

enum { TILE_TOKENS = 16, TILE_ROW_BYTES = 64 };

#ifdef XL_COUNT_TILES
struct tile_counts {
    uint64_t n_loads, n_products, n_stores;
};
extern struct tile_counts tile_counts; // of the one thread that counts

AMX_INLINE void tiles_count(int n_loads, int n_products, int n_stores) {
    tile_counts.n_loads += (uint64_t)n_loads;
    tile_counts.n_products += (uint64_t)n_products;
    tile_counts.n_stores += (uint64_t)n_stores;
}
#else
AMX_INLINE void tiles_count(int n_loads, int n_products, int n_stores) {
    (void)n_loads, (void)n_products, (void)n_stores;
}
#endif

// gcc's tile loads do not tell the compiler which memory they read: what was stored with other
// instructions must be in memory here.
AMX_INLINE void tiles_fence(void) {
    __asm__ volatile("" ::: "memory");
}

// A: n_tokens rows of token_bytes (at most 64, a multiple of 4); B: token_bytes / 4 lines.
AMX_INLINE void tiles_configure(int n_tokens, int token_bytes) {
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t n_rows[16];
    } config __attribute__((aligned(64))) = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        config.row_bytes[i] = (uint16_t)(i == 4 || i == 5 ? token_bytes : TILE_ROW_BYTES);
        config.n_rows[i] = (uint8_t)(i < 6 ? n_tokens : token_bytes / 4);
    }
    tiles_fence();
    _tile_loadconfig(&config);
}

// Live tiles cost every context switch and keep the core from its deepest sleep.
AMX_INLINE void tiles_release(void) {
    _tile_release();
}

AMX_INLINE void tiles_load_tokens(int a, const void *src, size_t stride_bytes) {
    tiles_count(1, 0, 0);
    if (a == 0)
        _tile_loadd(4, src, stride_bytes);
    else
        _tile_loadd(5, src, stride_bytes);
}

AMX_INLINE void tiles_load_lines(int b, const void *lines) {
    tiles_count(1, 0, 0);
    if (b == 0)
        _tile_loadd(6, lines, TILE_ROW_BYTES);
    else
        _tile_loadd(7, lines, TILE_ROW_BYTES);
}

AMX_INLINE void tiles_zero(int a, int b) {
    switch (2 * a + b) {
    case 0:
        _tile_zero(0);
        break;
    case 1:
        _tile_zero(1);
        break;
    case 2:
        _tile_zero(2);
        break;
    default:
        _tile_zero(3);
    }
}

// C += A * B of signed bytes.
AMX_INLINE void tiles_multiply_i8(int a, int b) {
    tiles_count(0, 1, 0);
    switch (2 * a + b) {
    case 0:
        _tile_dpbssd(0, 4, 6);
        break;
    case 1:
        _tile_dpbssd(1, 4, 7);
        break;
    case 2:
        _tile_dpbssd(2, 5, 6);
        break;
    default:
        _tile_dpbssd(3, 5, 7);
    }
}

// C += A * B of bfloat16.
AMX_INLINE void tiles_multiply_bf16(int a, int b) {
    tiles_count(0, 1, 0);
    switch (2 * a + b) {
    case 0:
        _tile_dpbf16ps(0, 4, 6);
        break;
    case 1:
        _tile_dpbf16ps(1, 4, 7);
        break;
    case 2:
        _tile_dpbf16ps(2, 5, 6);
        break;
    default:
        _tile_dpbf16ps(3, 5, 7);
    }
}

AMX_INLINE void tiles_store(int a, int b, void *dst, size_t stride_bytes) {
    tiles_count(0, 0, 1);
    switch (2 * a + b) {
    case 0:
        _tile_stored(0, dst, stride_bytes);
        break;
    case 1:
        _tile_stored(1, dst, stride_bytes);
        break;
    case 2:
        _tile_stored(2, dst, stride_bytes);
        break;
    default:
        _tile_stored(3, dst, stride_bytes);
    }
}

#endif
#endif
