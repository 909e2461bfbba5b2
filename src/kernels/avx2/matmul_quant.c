// SPDX-License-Identifier: Apache-2.0
// Packed quantized weights times ACT_Q8 activations: one body for all types (avx2/formats.h), in
// two forms. The tiled form unpacks a chunk of 256 columns of a panel to bytes once and multiplies
// it by 6 tokens at a time (avx2/tile.h). The direct form, for what is left of a multiple of 6 and
// for decoding, multiplies each quad line as it comes from memory.
//
// Both compute, for output (r, t), exact integer sums of blocks of 32 and then the same float
// operations in the same order, so the result does not depend on the form. Chunks of 64 (x a
// block):
//   acc += d * (scale * sum - zero_sum)   [ acc += offset * activation sum ]
// and chunks of 256:
//   part += scale * sum;  at the end acc += d * part   [ acc += offset * activation sum, by group ]
#include "kernels/avx2/formats.h"
#include "kernels/avx2/operations.h"
#include "kernels/avx2/tile.h"
#include "kernels/unroll.h"

#include <assert.h>

enum {
    DIRECT_TOKENS = 5,
    TOKEN_BLOCK = 96, // tokens that share an unpacked chunk: 16 tiles
    PREFETCH_BYTES = 8192,
    PANEL_BLOCK = 4 // panels that share a chunk of activations in the L1 cache
};

// ---- The direct form ----------------------------------------------------------------------------

struct direct {
    const uint8_t *panel;
    const uint8_t *acts;
    size_t act_bytes;
    int k;
};

// s[t][h] += 4 quad lines of signed bytes times x: |w| times x with the sign of w.
VEC_INLINE void direct_bytes(__m256i s[2], __m256i w[2][4], const int8_t *x,
                             const __m256i scale[2]) {
    UNROLL for (int j = 0; j < 4; j++) UNROLL for (int h = 0; h < 2; h++) {
        __m256i quad = broadcast_quad(x + 4 * j);
        __m256i p = _mm256_maddubs_epi16(_mm256_abs_epi8(w[h][j]), _mm256_sign_epi8(quad, w[h][j]));
        s[h] = _mm256_add_epi32(s[h], _mm256_madd_epi16(p, scale[h]));
    }
}

// s[t][h] = the integer sums of a block of 32: block b of the chunk of activations, `block` of the
// chunk of weights.
VEC_INLINE void direct_sums(__m256i s[DIRECT_TOKENS][2], const uint8_t *weights, int block,
                            const struct tile_tokens *tokens, int b, int n_tokens,
                            struct format format) {
    __m256i c[DIRECT_TOKENS][2], w[2][4], scale[2];
    int n_groups = 32 / format.group;
    UNROLL for (int t = 0; t < n_tokens; t++) s[t][0] = s[t][1] = _mm256_setzero_si256();
    UNROLL for (int i = 0; i < 2; i++) {
        bool is_first = i == 0 || format.group == 16, is_last = i == 1 || format.group == 16;
        UNROLL for (int h = 0; h < 2; h++) {
            format.quads(weights, 2 * block + i, h, w[h]);
            scale[h] = _mm256_set1_epi16(1);
            if (is_super(format) && (is_last || format.is_byte))
                scale[h] = group_scale16(weights, n_groups * block + i * n_groups / 2, h, format);
        }
        UNROLL for (int t = 0; t < n_tokens; t++) {
            if (!is_first) continue;
            c[t][0] = c[t][1] =
                format.center && !format.is_byte
                    ? _mm256_set1_epi32(tokens->sides[t].start[start_index(b, i, format.group)])
                    : _mm256_setzero_si256();
        }
        int n_quads = format.is_byte ? 0 : 4;
        UNROLL for (int j = 0; j < n_quads; j++) UNROLL for (int t = 0; t < n_tokens; t++)
            add_quad1(c[t], w[0][j], w[1][j], tile_chunk(tokens, t)->q + 32 * b + 16 * i + 4 * j);
        UNROLL for (int t = 0; t < n_tokens; t++) {
            if (format.is_byte) {
                direct_bytes(s[t], w, tile_chunk(tokens, t)->q + 32 * b + 16 * i, scale);
            } else if (is_last) {
                UNROLL for (int h = 0; h < 2; h++) s[t][h] =
                    _mm256_add_epi32(s[t][h], _mm256_madd_epi16(c[t][h], scale[h]));
            }
        }
    }
}

VEC_INLINE void direct_block(__m256 acc[DIRECT_TOKENS][2], const uint8_t *weights, int block,
                             const struct tile_tokens *tokens, int b, int n_tokens,
                             struct format format) {
    __m256i s[DIRECT_TOKENS][2];
    direct_sums(s, weights, block, tokens, b, n_tokens, format);
    UNROLL for (int t = 0; t < n_tokens; t++) UNROLL for (int h = 0; h < 2; h++) {
        const struct act_chunk_q8 *x = tile_chunk(tokens, t);
        __m256 sum = _mm256_cvtepi32_ps(s[t][h]);
        __m256 scale = _mm256_broadcast_ss(x->scale + b);
        if (is_super(format)) {
            acc[t][h] = _mm256_fmadd_ps(sum, scale, acc[t][h]);
            continue;
        }
        sum = format.zero
                  ? _mm256_fmsub_ps(sum, scale, _mm256_broadcast_ss(tokens->sides[t].zero_sum + b))
                  : _mm256_mul_ps(sum, scale);
        acc[t][h] = _mm256_fmadd_ps(block_scale(weights, block, h, format), sum, acc[t][h]);
        if (format.has_min)
            acc[t][h] = _mm256_fmadd_ps(block_offset(weights, block, h, format),
                                        _mm256_broadcast_ss(x->sum + b), acc[t][h]);
    }
}

// acc += d * part + the minima of a chunk of 256.
VEC_INLINE void direct_super(__m256 acc[DIRECT_TOKENS][2], __m256 part[DIRECT_TOKENS][2],
                             const uint8_t *weights, const struct tile_tokens *tokens, int n_tokens,
                             struct format format) {
    UNROLL for (int h = 0; h < 2; h++) {
        __m256 d = super_scale(weights, h, format);
        UNROLL for (int t = 0; t < n_tokens; t++) acc[t][h] =
            _mm256_fmadd_ps(d, part[t][h], acc[t][h]);
    }
    if (!format.has_min) return;
    for (int g = 0; g < ACT_CHUNK / format.group; g++) {
        UNROLL for (int h = 0; h < 2; h++) {
            __m256 offset = group_offset(weights, g, h, format);
            UNROLL for (int t = 0; t < n_tokens; t++) {
                const struct act_chunk_q8 *x = tile_chunk(tokens, t);
                __m256 sum = _mm256_broadcast_ss((format.group == 16 ? x->sum16 : x->sum) + g);
                acc[t][h] = _mm256_fmadd_ps(offset, sum, acc[t][h]);
            }
        }
    }
}

// The processor's own prefetcher follows a run of lines, but not one whose scales and high bits are
// read out of turn. Beyond the last panel this asks for what is not there, which is harmless.
VEC_INLINE void prefetch(const uint8_t *lines, int n_bytes) {
    UNROLL for (int i = 0; i < n_bytes; i += LINE_BYTES)
        _mm_prefetch((const void *)(lines + i), _MM_HINT_T0);
}

// acc += one chunk of 256 columns, or n_blocks blocks of chunks of 64.
VEC_INLINE void direct_chunk(__m256 acc[DIRECT_TOKENS][2], const uint8_t *weights,
                             const struct tile_tokens *tokens, int n_blocks, int n_tokens,
                             struct format format) {
    const int n_shares = is_super(format) ? 8 : 2;
    const int share = (format.chunk_bytes / n_shares + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    if (!is_super(format)) {
        for (int b = 0; b < n_blocks; b += 2, weights += format.chunk_bytes) {
            prefetch(weights + PREFETCH_BYTES, share);
            direct_block(acc, weights, 0, tokens, b, n_tokens, format);
            prefetch(weights + PREFETCH_BYTES + share, share);
            if (b + 1 < n_blocks) direct_block(acc, weights, 1, tokens, b + 1, n_tokens, format);
        }
        return;
    }
    __m256 part[DIRECT_TOKENS][2];
    UNROLL for (int t = 0; t < n_tokens; t++) part[t][0] = part[t][1] = _mm256_setzero_ps();
    for (int b = 0; b < ACT_CHUNK_BLOCKS; b++) {
        prefetch(weights + PREFETCH_BYTES + b * share, share);
        direct_block(part, weights, b, tokens, b, n_tokens, format);
    }
    direct_super(acc, part, weights, tokens, n_tokens, format);
}

VEC_INLINE int blocks_of(int left) { // of 32, in the next chunk of 256
    return left < ACT_CHUNK ? left / 32 : ACT_CHUNK_BLOCKS;
}

VEC_INLINE size_t step_bytes(struct format format) { // of 256 columns
    return (size_t)format.chunk_bytes * (is_super(format) ? 1 : 4);
}

// One panel times n_tokens (constant) tokens.
VEC_INLINE void direct_panel(const struct direct *job, float *y, size_t y_stride, int n_rows,
                             int n_tokens, struct format format) {
    __m256 acc[DIRECT_TOKENS][2];
    struct token_side sides[DIRECT_TOKENS];
    struct tile_tokens tokens = {job->acts, job->act_bytes, sides};
    const uint8_t *weights = job->panel;
    UNROLL for (int t = 0; t < n_tokens; t++) acc[t][0] = acc[t][1] = _mm256_setzero_ps();
    for (int left = job->k; left > 0; left -= ACT_CHUNK) {
        UNROLL for (int t = 0; t < n_tokens; t++)
            set_token_side(tile_chunk(&tokens, t), format, &sides[t]);
        direct_chunk(acc, weights, &tokens, blocks_of(left), n_tokens, format);
        weights += step_bytes(format);
        tokens.chunks += sizeof(struct act_chunk_q8);
    }
    UNROLL for (int t = 0; t < n_tokens; t++) {
        float *out = y + (size_t)t * y_stride;
        vec_store(out, acc[t][0], n_rows);
        if (n_rows > 8) vec_store(out + 8, acc[t][1], n_rows - 8);
    }
}

VEC_INLINE void run_direct(const struct direct *job, float *y, size_t y_stride, int n_rows,
                           int n_tokens, struct format format) {
    switch (n_tokens) {
    case 1:
        direct_panel(job, y, y_stride, n_rows, 1, format);
        break;
    case 2:
        direct_panel(job, y, y_stride, n_rows, 2, format);
        break;
    case 3:
        direct_panel(job, y, y_stride, n_rows, 3, format);
        break;
    case 4:
        direct_panel(job, y, y_stride, n_rows, 4, format);
        break;
    case 5:
        direct_panel(job, y, y_stride, n_rows, 5, format);
        break;
    default:
        break;
    }
}

// ---- The tiled form -----------------------------------------------------------------------------

VEC_INLINE void unpack_scales(struct unpacked *w, const uint8_t *weights, int n_blocks,
                              struct format format) {
    UNROLL for (int h = 0; h < 2; h++) {
        if (!is_super(format)) {
            for (int b = 0; b < n_blocks; b++) {
                const uint8_t *chunk = weights + b / 2 * format.chunk_bytes;
                _mm256_store_ps(w->d[b][h], block_scale(chunk, b % 2, h, format));
                if (format.has_min)
                    _mm256_store_ps(w->offset[b][h], block_offset(chunk, b % 2, h, format));
            }
            continue;
        }
        _mm256_store_ps(w->d[0][h], super_scale(weights, h, format));
        for (int g = 0; g < ACT_CHUNK / format.group; g++) {
            __m256i scale = group_scale16(weights, g, h, format);
            _mm256_store_si256((void *)w->scale[g][h], scale);
            if (format.is_byte)
                _mm256_store_si256((void *)w->scale_high[g][h], _mm256_slli_epi16(scale, 4));
            if (format.has_min)
                _mm256_store_ps(w->offset[g][h], group_offset(weights, g, h, format));
        }
    }
}

VEC_INLINE void unpack_quads(struct unpacked *w, const uint8_t *weights, int n_blocks,
                             struct format format) {
    for (int g = 0; g < 2 * n_blocks; g++) {
        const uint8_t *chunk = is_super(format) ? weights : weights + g / 4 * format.chunk_bytes;
        UNROLL for (int h = 0; h < 2; h++) {
            __m256i q[4];
            format.quads(chunk, is_super(format) ? g : g % 4, h, q);
            UNROLL for (int i = 0; i < 4; i++) {
                uint8_t *low = w->q[4 * g + i] + 32 * h, *high = w->high[4 * g + i] + 32 * h;
                if (format.is_byte) {
                    __m256i v = _mm256_xor_si256(q[i], _mm256_set1_epi8((char)0x80));
                    _mm256_store_si256((void *)high, mask_bytes(_mm256_srli_epi16(v, 4), 15));
                    q[i] = mask_bytes(v, 15);
                }
                _mm256_store_si256((void *)low, q[i]);
            }
        }
    }
}

// Scales that do not come from the weights.
VEC_INLINE void set_unit_scales(struct unpacked *w, struct format format) {
    if (is_super(format)) return;
    for (int g = 0; g < 8; g++)
        for (int h = 0; h < 2; h++)
            for (int i = 0; i < 16; i++) {
                w->scale[g][h][i] = 1;
                w->scale_high[g][h][i] = 16;
            }
}

struct block { // a block of tokens times a block of panels
    const uint8_t *panels;
    size_t panel_bytes;
    const uint8_t *acts;
    size_t act_bytes;
    int n_panels;
    int n_tokens; // a multiple of TILE_TOKENS
    int k;
};

VEC_INLINE void run_block(const struct block *block, struct unpacked *w,
                          float (*acc)[TOKEN_BLOCK][16], struct format format) {
    struct token_side sides[TOKEN_BLOCK];
    const uint8_t *acts = block->acts;
    for (int p = 0; p < block->n_panels; p++)
        memset(acc[p], 0, sizeof acc[p][0] * (size_t)block->n_tokens);
    for (int done = 0; done < block->k; done += ACT_CHUNK, acts += sizeof(struct act_chunk_q8)) {
        int n_blocks = blocks_of(block->k - done);
        size_t offset = (size_t)(done / ACT_CHUNK) * step_bytes(format);
        for (int t = 0; t < block->n_tokens; t++)
            set_token_side((const void *)(acts + (size_t)t * block->act_bytes), format, &sides[t]);
        for (int p = 0; p < block->n_panels; p++) {
            const uint8_t *weights = block->panels + (size_t)p * block->panel_bytes + offset;
            unpack_scales(w, weights, n_blocks, format);
            unpack_quads(w, weights, n_blocks, format);
            prefetch(weights + step_bytes(format), (int)step_bytes(format)); // the next chunk
            for (int t = 0; t < block->n_tokens; t += TILE_TOKENS) {
                struct tile_tokens tokens = {acts + (size_t)t * block->act_bytes, block->act_bytes,
                                             sides + t};
                run_tile(w, &tokens, n_blocks, acc[p] + t, format);
            }
        }
    }
}

VEC_INLINE void store_block(const struct block *block, float (*acc)[TOKEN_BLOCK][16], float *y,
                            size_t y_stride, int n_rows) {
    for (int p = 0; p < block->n_panels; p++, y += PANEL_ROWS, n_rows -= PANEL_ROWS)
        for (int t = 0; t < block->n_tokens; t++) {
            float *out = y + (size_t)t * y_stride;
            vec_store(out, _mm256_load_ps(acc[p][t]), n_rows);
            if (n_rows > 8) vec_store(out + 8, _mm256_load_ps(acc[p][t] + 8), n_rows - 8);
        }
}

VEC_INLINE void multiply(const struct matmul_args *args, struct format format) {
    struct unpacked w;
    _Alignas(32) float acc[PANEL_BLOCK][TOKEN_BLOCK][16];
    int n_panels = (args->n_rows + PANEL_ROWS - 1) / PANEL_ROWS;
    assert(args->k % (is_super(format) ? ACT_CHUNK : 32) == 0);
    set_unit_scales(&w, format);
    for (int t = 0; t < args->n_tokens; t += TOKEN_BLOCK) {
        int left = args->n_tokens - t < TOKEN_BLOCK ? args->n_tokens - t : TOKEN_BLOCK;
        struct block block = {.panel_bytes = args->panel_bytes, .act_bytes = args->act_bytes};
        block.acts = (const uint8_t *)args->activations + (size_t)t * args->act_bytes;
        block.n_tokens = left / TILE_TOKENS * TILE_TOKENS;
        block.k = args->k;
        for (int p = 0; p < n_panels; p += PANEL_BLOCK) {
            int n_rows = args->n_rows - p * PANEL_ROWS;
            float *y = args->y + (size_t)t * args->y_stride + p * PANEL_ROWS;
            block.panels = args->panels + (size_t)p * args->panel_bytes;
            block.n_panels = n_panels - p < PANEL_BLOCK ? n_panels - p : PANEL_BLOCK;
            if (block.n_tokens) {
                run_block(&block, &w, acc, format);
                store_block(&block, acc, y, args->y_stride, n_rows);
            }
            if (left == block.n_tokens) continue;
            struct direct job = {block.panels, block.acts, args->act_bytes, args->k};
            job.acts += (size_t)block.n_tokens * args->act_bytes;
            y += (size_t)block.n_tokens * args->y_stride;
            for (int i = 0; i < block.n_panels; i++, job.panel += args->panel_bytes)
                run_direct(&job, y + i * PANEL_ROWS, args->y_stride, n_rows - i * PANEL_ROWS,
                           left - block.n_tokens, format);
        }
    }
}

void avx2_matmul_q4_0(const struct matmul_args *args) {
    multiply(args, (struct format){.quads = quads_nibble,
                                   .quant_bytes = 8 * LINE_BYTES,
                                   .chunk_bytes = 576,
                                   .group = 32,
                                   .scales = SCALE_F16,
                                   .zero = 8});
}

void avx2_matmul_q4_1(const struct matmul_args *args) {
    multiply(args, (struct format){.quads = quads_nibble,
                                   .quant_bytes = 8 * LINE_BYTES,
                                   .chunk_bytes = 640,
                                   .group = 32,
                                   .scales = SCALE_F16,
                                   .has_min = true});
}

void avx2_matmul_q5_0(const struct matmul_args *args) {
    multiply(args, (struct format){.quads = quads_q5_small,
                                   .quant_bytes = 10 * LINE_BYTES,
                                   .chunk_bytes = 704,
                                   .group = 32,
                                   .scales = SCALE_F16,
                                   .center = 16});
}

void avx2_matmul_q5_1(const struct matmul_args *args) {
    multiply(args, (struct format){.quads = quads_q5_small,
                                   .quant_bytes = 10 * LINE_BYTES,
                                   .chunk_bytes = 768,
                                   .group = 32,
                                   .scales = SCALE_F16,
                                   .center = 16,
                                   .has_min = true});
}

void avx2_matmul_q8_0(const struct matmul_args *args) {
    multiply(args, (struct format){.quads = quads_q8_0,
                                   .quant_bytes = 16 * LINE_BYTES,
                                   .chunk_bytes = 1088,
                                   .group = 32,
                                   .scales = SCALE_F16,
                                   .center = 8,
                                   .is_byte = true});
}

void avx2_matmul_q2_k(const struct matmul_args *args) {
    multiply(args, (struct format){.quads = quads_q2_k,
                                   .quant_bytes = 16 * LINE_BYTES,
                                   .chunk_bytes = 1344,
                                   .group = 16,
                                   .scales = SCALE_U4_MIN,
                                   .has_min = true});
}

void avx2_matmul_q3_k(const struct matmul_args *args) {
    multiply(args, (struct format){.quads = quads_q3_k,
                                   .quant_bytes = 24 * LINE_BYTES,
                                   .chunk_bytes = 1856,
                                   .group = 16,
                                   .scales = SCALE_S8,
                                   .center = 4});
}

void avx2_matmul_q4_k(const struct matmul_args *args) {
    multiply(args, (struct format){.quads = quads_nibble,
                                   .quant_bytes = 32 * LINE_BYTES,
                                   .chunk_bytes = 2368,
                                   .group = 32,
                                   .scales = SCALE_U8_MIN,
                                   .has_min = true});
}

void avx2_matmul_q5_k(const struct matmul_args *args) {
    multiply(args, (struct format){.quads = quads_q5_k,
                                   .quant_bytes = 40 * LINE_BYTES,
                                   .chunk_bytes = 2880,
                                   .group = 32,
                                   .scales = SCALE_U8_MIN,
                                   .center = 16,
                                   .has_min = true});
}

void avx2_matmul_q6_k(const struct matmul_args *args) {
    multiply(args, (struct format){.quads = quads_q6_k,
                                   .quant_bytes = 48 * LINE_BYTES,
                                   .chunk_bytes = 3392,
                                   .group = 16,
                                   .scales = SCALE_S8,
                                   .center = 32});
}

void avx2_matmul_iq4_nl(const struct matmul_args *args) {
    multiply(args, (struct format){.quads = quads_codebook,
                                   .quant_bytes = 8 * LINE_BYTES,
                                   .chunk_bytes = 576,
                                   .group = 32,
                                   .scales = SCALE_F16,
                                   .center = 8,
                                   .is_byte = true});
}

void avx2_matmul_iq4_xs(const struct matmul_args *args) {
    multiply(args, (struct format){.quads = quads_codebook,
                                   .quant_bytes = 32 * LINE_BYTES,
                                   .chunk_bytes = 2240,
                                   .group = 32,
                                   .scales = SCALE_S8,
                                   .center = 8,
                                   .is_byte = true});
}
