// SPDX-License-Identifier: Apache-2.0
// Quantized weights times ACT_Q8 activations: one body for all packed types (formats.h), two paths
// with the same results.
//
//   up to 8 tokens   decode: a panel streams from memory through registers, once, in order. No
//                    scratch; the products hide behind the reads.
//   more             prefill: two panels' chunk of 256 is unpacked to bytes in the L1 cache and
//                    shared by up to 96 tokens, six at a time (tile.c).
//
// Output (r, t) is reduced block by block of 32 in the order of k, in lane r % 16: an exact integer
// sum of (quant - zero) * activation, to float, and one fused multiply-add (epilogue.h). So neither
// the path nor the split shows in the result, and the only errors are the roundings of that chain:
// |error| <= 1.01 * (k / 32) * 3 * 2^-24 * sum of |terms|.
//
// The zero point costs nothing in the inner loop: sums start at -zero * (sum of the group's
// activation quants), computed once per call and group.
#include "kernels/avx512/epilogue.h"
#include "kernels/avx512/formats.h"
#include "kernels/avx512/operations.h"
#include "kernels/avx512/tile.h"

#include <assert.h>

enum {
    DIRECT_TOKENS = 8,
    DIRECT_BLOCKS = 8, // of so many tokens, one after the other
    DIRECT_AHEAD_BYTES = 4096,
    TOKEN_BLOCK = 96, // of prefill: its activations of K_BLOCK stay in the L2 cache
    K_BLOCK = 4096,
    K_CHUNKS = K_BLOCK / ACT_CHUNK
};

// What all panels of a call share, for one block of tokens and one block of k.
struct token_block {
    const uint8_t *acts; // of the first token and chunk
    size_t act_bytes;
    float *y; // of the first token and row 0
    size_t y_stride;
    int n_tokens, n_rows;
    int k;          // in this block
    bool is_first;  // along k; else y holds the sums so far
    int32_t *start; // [chunk][n_tokens][CHUNK_GROUPS]
};

// The sums of the quants of the 16 groups of 16 of a chunk. A byte sum takes 8 unsigned bytes; a
// group is a lane of 128 bits, so lane l of quarter j is group 4 j + l.
VEC512_INLINE __m512i quant_sums(const int8_t q[ACT_CHUNK]) {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i quarter[4];
    UNROLL for (int j = 0; j < 4; j++) {
        __m512i bytes = _mm512_xor_si512(_mm512_load_si512((const void *)(q + 64 * j)),
                                         byte_mask(0x80)); // + 128
        __m512i halves = _mm512_sad_epu8(bytes, _mm512_setzero_si512());
        quarter[j] = _mm512_add_epi32(halves, _mm512_shuffle_epi32(halves, _MM_PERM_BADC));
    }
    __m512i low = _mm512_unpacklo_epi32(quarter[0], quarter[1]);
    __m512i high = _mm512_unpacklo_epi32(quarter[2], quarter[3]);
    __m512i sums = _mm512_permutexvar_epi32(order, _mm512_unpacklo_epi64(low, high));
    return _mm512_sub_epi32(sums, _mm512_set1_epi32(16 * 128));
}

// -zero * (sum of the quants) of every group of every token.
VEC512_INLINE void fill_starts(const struct token_block *block, struct format format) {
    const __m512i factor = _mm512_set1_epi32(-format.zero);
    int32_t *out = block->start;
    for (int done = 0; done < block->k; done += ACT_CHUNK)
        for (int t = 0; t < block->n_tokens; t++, out += CHUNK_GROUPS) {
            const struct act_chunk_q8 *row =
                (const void *)(block->acts + (size_t)t * block->act_bytes);
            __m512i sums = _mm512_mullo_epi32(quant_sums(row[done / ACT_CHUNK].q), factor);
            if (format.has_groups16) {
                _mm512_store_si512((void *)out, sums);
            } else {
                sums = _mm512_add_epi32(sums, _mm512_srli_epi64(sums, 32));
                _mm256_store_si256((void *)out, _mm512_cvtepi64_epi32(sums));
            }
        }
}

VEC512_INLINE __m512 load_y(const struct token_block *block, int t, int row) {
    if (block->is_first) return _mm512_setzero_ps();
    return vec512_load(block->y + (size_t)t * block->y_stride + row, block->n_rows - row);
}

VEC512_INLINE void store_y(const struct token_block *block, int t, int row, __m512 acc) {
    vec512_store(block->y + (size_t)t * block->y_stride + row, epilogue_result(acc),
                 block->n_rows - row);
}

// One block's share of a chunk, read ahead: the processor's own prefetcher keeps too little
// distance for loops of this size.
VEC512_INLINE void prefetch(const uint8_t *from, struct format format) {
    UNROLL for (int i = 0; i < (format.step_bytes / 8 + LINE_BYTES - 1) / LINE_BYTES; i++)
        _mm_prefetch((const void *)(from + i * LINE_BYTES), _MM_HINT_T0);
}

// ---- Few tokens --------------------------------------------------------------------------------

struct direct {
    const uint8_t *chunk;
    const uint8_t *acts; // of token 0, at the same chunk
    const int32_t *start;
    size_t act_bytes;
};

VEC512_INLINE const struct act_chunk_q8 *token(const struct direct *at, int t) {
    return (const void *)(at->acts + (size_t)t * at->act_bytes);
}

// acc[t] += the sum of n_quads lines, which are group `group` of block b from quad `first` on.
VEC512_INLINE void add_group(__m512 acc[DIRECT_TOKENS], const struct direct *at, const __m512i w[8],
                             int b, int first, int n_quads, int group, int n_tokens,
                             struct format format) {
    __m512i sums[DIRECT_TOKENS];
    UNROLL for (int t = 0; t < n_tokens; t++) sums[t] =
        format.zero ? _mm512_set1_epi32(at->start[t * CHUNK_GROUPS + group])
                    : _mm512_setzero_si512();
    UNROLL for (int i = first; i < first + n_quads; i++) UNROLL for (int t = 0; t < n_tokens; t++) {
        int32_t quad;
        memcpy(&quad, token(at, t)->q + 32 * b + 4 * i, sizeof quad);
        sums[t] = _mm512_dpbusd_epi32(sums[t], w[i], _mm512_set1_epi32(quad));
    }
    __m512 scale = format.scale(at->chunk, group);
    UNROLL for (int t = 0; t < n_tokens; t++) acc[t] =
        epilogue_add(acc[t], sums[t], scale, &token(at, t)->scale[b]);
}

VEC512_INLINE void direct_block(__m512 acc[DIRECT_TOKENS], const struct direct *at, int b,
                                int n_tokens, struct format format) {
    __m512i w[8];
    prefetch(at->chunk + b * (format.step_bytes / 8) + DIRECT_AHEAD_BYTES, format);
    format.lines(at->chunk, b, w);
    if (format.has_groups16) {
        add_group(acc, at, w, b, 0, 4, 2 * b, n_tokens, format);
        add_group(acc, at, w, b, 4, 4, 2 * b + 1, n_tokens, format);
    } else {
        add_group(acc, at, w, b, 0, 8, b, n_tokens, format);
    }
    if (format.min_kind == MIN_NONE) return;
    int n = format.min_kind == MIN_16 ? 2 : 1;
    for (int g = n * b; g < n * b + n; g++) {
        __m512 min = format.min(at->chunk, g);
        UNROLL for (int t = 0; t < n_tokens; t++) {
            const struct act_chunk_q8 *x = token(at, t);
            acc[t] = epilogue_subtract_min(acc[t], min, n == 2 ? &x->sum16[g] : &x->sum[g]);
        }
    }
}

// One panel times n_tokens (constant) tokens.
VEC512_INLINE void direct_panel(const struct token_block *block, const uint8_t *panel, int row,
                                int n_tokens, struct format format) {
    __m512 acc[DIRECT_TOKENS];
    struct direct at = {panel, block->acts, block->start, block->act_bytes};
    UNROLL for (int t = 0; t < n_tokens; t++) acc[t] = load_y(block, t, row);
    for (int left = block->k; left > 0; left -= ACT_CHUNK) {
        int n_blocks = left < ACT_CHUNK ? left / 32 : ACT_CHUNK_BLOCKS;
        for (int b = 0; b < n_blocks; b++)
            direct_block(acc, &at, b, n_tokens, format);
        at.chunk += format.step_bytes;
        at.acts += sizeof(struct act_chunk_q8);
        at.start += n_tokens * CHUNK_GROUPS;
    }
    UNROLL for (int t = 0; t < n_tokens; t++) store_y(block, t, row, acc[t]);
}

// ---- Many tokens -------------------------------------------------------------------------------

VEC512_INLINE void unpack(const uint8_t *chunk, int n_blocks, struct unpacked_chunk *out,
                          struct format format) {
    for (int b = 0; b < n_blocks; b++) {
        __m512i w[8];
        prefetch(chunk + format.step_bytes + b * (format.step_bytes / 8), format);
        format.lines(chunk, b, w);
        UNROLL for (int i = 0; i < 8; i++) _mm512_store_si512((void *)out->lines[8 * b + i], w[i]);
        if (!format.has_groups16) _mm512_store_ps(out->scale[b], format.scale(chunk, b));
        if (format.min_kind == MIN_32) _mm512_store_ps(out->min[b], format.min(chunk, b));
        for (int g = 2 * b; g < 2 * b + 2; g++) {
            if (format.has_groups16) _mm512_store_ps(out->scale[g], format.scale(chunk, g));
            if (format.min_kind == MIN_16) _mm512_store_ps(out->min[g], format.min(chunk, g));
        }
    }
}

VEC512_INLINE enum tile_kind kind_of(struct format format) {
    if (format.has_groups16) return TILE_ZERO_16;
    if (format.min_kind == MIN_NONE) return TILE_ZERO;
    return format.min_kind == MIN_32 ? TILE_MIN_32 : TILE_MIN_16;
}

// One or two panels times all tokens of the block.
VEC512_INLINE void shared_panels(const struct token_block *block, const uint8_t *panels,
                                 size_t panel_bytes, int n_panels, int row, struct format format) {
    struct unpacked_chunk weights[TILE_PANELS];
    _Alignas(64) float acc[TOKEN_BLOCK * TILE_PANELS][PANEL_ROWS];
    struct tile_job job = {weights, block->acts, block->act_bytes, block->start,
                           acc[0],  n_panels,    block->n_tokens,  ACT_CHUNK_BLOCKS};
    for (int i = 0; i < block->n_tokens * n_panels; i++)
        _mm512_store_ps(acc[i], load_y(block, i / n_panels, row + i % n_panels * PANEL_ROWS));
    for (int left = block->k; left > 0; left -= ACT_CHUNK) {
        if (left < ACT_CHUNK) job.n_blocks = left / 32;
        for (int p = 0; p < n_panels; p++)
            unpack(panels + (size_t)p * panel_bytes, job.n_blocks, &weights[p], format);
        avx512_tile_run(&job, kind_of(format));
        panels += format.step_bytes;
        job.acts += sizeof(struct act_chunk_q8);
        job.start += block->n_tokens * CHUNK_GROUPS;
    }
    for (int i = 0; i < block->n_tokens * n_panels; i++)
        store_y(block, i / n_panels, row + i % n_panels * PANEL_ROWS, _mm512_load_ps(acc[i]));
}

// ---- Both --------------------------------------------------------------------------------------

VEC512_INLINE void run_block(const struct matmul_args *args, const struct token_block *block,
                             size_t offset_bytes, struct format format) {
    int step = block->n_tokens > DIRECT_TOKENS ? TILE_PANELS : 1;
    for (int row = 0; row < args->n_rows; row += step * PANEL_ROWS) {
        const uint8_t *panel =
            args->panels + (size_t)(row / PANEL_ROWS) * args->panel_bytes + offset_bytes;
        switch (block->n_tokens) {
        case 1:
            direct_panel(block, panel, row, 1, format);
            break;
        case 2:
            direct_panel(block, panel, row, 2, format);
            break;
        case 3:
            direct_panel(block, panel, row, 3, format);
            break;
        case 4:
            direct_panel(block, panel, row, 4, format);
            break;
        case 5:
            direct_panel(block, panel, row, 5, format);
            break;
        case 6:
            direct_panel(block, panel, row, 6, format);
            break;
        case 7:
            direct_panel(block, panel, row, 7, format);
            break;
        case 8:
            direct_panel(block, panel, row, 8, format);
            break;
        default:
            shared_panels(block, panel, args->panel_bytes,
                          args->n_rows - row > PANEL_ROWS ? TILE_PANELS : 1, row, format);
            break;
        }
    }
}

// Unpacking pays for many tokens only: up to there it costs less to read a block of rows again for
// every few of them.
static int tokens_of_a_block(int n_tokens) {
    int n_blocks = (n_tokens + DIRECT_TOKENS - 1) / DIRECT_TOKENS;
    return n_blocks > DIRECT_BLOCKS ? TOKEN_BLOCK : (n_tokens + n_blocks - 1) / n_blocks;
}

VEC512_INLINE void multiply(const struct matmul_args *args, struct format format) {
    assert(args->k % 32 == 0);
    _Alignas(64) int32_t start[TOKEN_BLOCK * K_CHUNKS * CHUNK_GROUPS];
    int size = tokens_of_a_block(args->n_tokens);
    for (int t = 0; t < args->n_tokens; t += size) {
        struct token_block block = {.act_bytes = args->act_bytes,
                                    .y = args->y + (size_t)t * args->y_stride,
                                    .y_stride = args->y_stride,
                                    .n_rows = args->n_rows,
                                    .start = start};
        block.n_tokens = args->n_tokens - t < size ? args->n_tokens - t : size;
        for (int k = 0; k < args->k; k += K_BLOCK) {
            size_t n_chunks = (size_t)k / ACT_CHUNK;
            block.acts = (const uint8_t *)args->activations + (size_t)t * args->act_bytes +
                         n_chunks * sizeof(struct act_chunk_q8);
            block.k = args->k - k < K_BLOCK ? args->k - k : K_BLOCK;
            block.is_first = k == 0;
            if (format.zero) fill_starts(&block, format);
            run_block(args, &block, n_chunks * (size_t)format.step_bytes, format);
        }
    }
}

void avx512_matmul_q4_0(const struct matmul_args *args) {
    multiply(args,
             (struct format){lines_q4_0, scale_q4_0, NULL, 4 * Q4_0_BYTES, 8, MIN_NONE, false});
}

void avx512_matmul_q4_1(const struct matmul_args *args) {
    multiply(args,
             (struct format){lines_q4_1, scale_q4_1, min_q4_1, 4 * Q4_1_BYTES, 0, MIN_32, false});
}

void avx512_matmul_q5_0(const struct matmul_args *args) {
    multiply(args,
             (struct format){lines_q5_0, scale_q5_0, NULL, 4 * Q5_0_BYTES, 16, MIN_NONE, false});
}

void avx512_matmul_q5_1(const struct matmul_args *args) {
    multiply(args,
             (struct format){lines_q5_1, scale_q5_1, min_q5_1, 4 * Q5_1_BYTES, 0, MIN_32, false});
}

void avx512_matmul_q8_0(const struct matmul_args *args) {
    multiply(args,
             (struct format){lines_q8_0, scale_q8_0, NULL, 4 * Q8_0_BYTES, 128, MIN_NONE, false});
}

void avx512_matmul_iq4_nl(const struct matmul_args *args) {
    multiply(args,
             (struct format){lines_iq4_nl, scale_q4_0, NULL, 4 * Q4_0_BYTES, 128, MIN_NONE, false});
}

void avx512_matmul_q2_k(const struct matmul_args *args) {
    multiply(args, (struct format){lines_q2_k, scale_q2_k, min_q2_k, Q2_K_BYTES, 0, MIN_16, false});
}

void avx512_matmul_q3_k(const struct matmul_args *args) {
    multiply(args, (struct format){lines_q3_k, scale_q3_k, NULL, Q3_K_BYTES, 127, MIN_NONE, false});
}

void avx512_matmul_q4_k(const struct matmul_args *args) {
    multiply(args, (struct format){lines_q4_k, scale_q4_k, min_q4_k, Q4_K_BYTES, 0, MIN_32, false});
}

void avx512_matmul_q5_k(const struct matmul_args *args) {
    multiply(args, (struct format){lines_q5_k, scale_q5_k, min_q5_k, Q5_K_BYTES, 0, MIN_32, false});
}

void avx512_matmul_q6_k(const struct matmul_args *args) {
    multiply(args, (struct format){lines_q6_k, scale_q6_k, NULL, Q6_K_BYTES, 32, MIN_NONE, true});
}

void avx512_matmul_iq4_xs(const struct matmul_args *args) {
    multiply(args,
             (struct format){lines_iq4_xs, scale_iq4_xs, NULL, IQ4_XS_BYTES, 128, MIN_NONE, false});
}
