// SPDX-License-Identifier: Apache-2.0
// Packed weights that are floats of 32 or 16 bits, times float activations.
//
// The tiled form takes 16 rows x 6 tokens: 12 sums, 2 vectors of weights, 1 activation broadcast to
// all lanes. 16-bit weights are widened once, DEPTH columns of a panel at a time, for all tokens of
// a block. The direct form, for decoding and what is left of a multiple of 6, widens in registers
// and takes two panels at a time, because a single sum would wait for its own additions.
//
// Output (r, t) is the same in both: part = fused multiply-adds over k in ascending order, started
// anew every DEPTH columns, and the parts added up in ascending order.
#include "kernels/avx2/operations.h"
#include "kernels/avx2/vec_avx2.h"
#include "kernels/unroll.h"

#include "numeric/packed.h"

#include <stdbool.h>

enum {
    TILE_TOKENS = 6,
    DIRECT_TOKENS = 5,
    DIRECT_PANELS = 2,
    DEPTH = 128,      // even
    TOKEN_BLOCK = 96, // tokens that share widened weights
    PANEL_BLOCK = 4,  // panels that share DEPTH columns of activations in the cache
    PREFETCH_BYTES = 4096
};

// Columns k and k + 1 of 16 rows as floats: w[column][half]. For f32 two lines, else one.
typedef void (*pair_function)(const uint8_t *line, __m256 w[2][2]);

struct format {
    pair_function pair;
    int pair_bytes;
};

VEC_INLINE void pair_f32(const uint8_t *line, __m256 w[2][2]) {
    UNROLL for (int i = 0; i < 4; i++) w[i / 2][i % 2] =
        _mm256_load_ps((const float *)(const void *)(line + 32 * i));
}

VEC_INLINE void pair_f16(const uint8_t *line, __m256 w[2][2]) {
    UNROLL for (int i = 0; i < 4; i++) w[i / 2][i % 2] = vec_from_f16(line + 16 * i);
}

VEC_INLINE void pair_bf16(const uint8_t *line, __m256 w[2][2]) {
    __m256i high = _mm256_set1_epi32((int32_t)0xffff0000);
    UNROLL for (int h = 0; h < 2; h++) {
        __m256i v = _mm256_load_si256((const void *)(line + 32 * h));
        w[0][h] = _mm256_castsi256_ps(_mm256_slli_epi32(v, 16));
        w[1][h] = _mm256_castsi256_ps(_mm256_and_si256(v, high));
    }
}

VEC_INLINE void store_rows(float *y, __m256 low, __m256 high, int n_rows) {
    vec_store(y, low, n_rows);
    if (n_rows > 8) vec_store(y + 8, high, n_rows - 8);
}

// ---- The direct form ----------------------------------------------------------------------------

struct direct {
    const uint8_t *panels;
    size_t panel_bytes;
    const uint8_t *acts; // floats
    size_t act_bytes;
    float *y;
    size_t y_stride;
    int n_rows; // from the first panel's first row to the last row of all
    int k;
};

// part += columns k .. k + n_columns - 1 (1 or 2, constant).
VEC_INLINE void direct_step(__m256 part[DIRECT_PANELS][DIRECT_TOKENS][2], const struct direct *job,
                            int k, int n_columns, int n_panels, int n_tokens,
                            struct format format) {
    UNROLL for (int p = 0; p < n_panels; p++) {
        const uint8_t *line = job->panels + (size_t)p * job->panel_bytes;
        __m256 w[2][2];
        line += (size_t)(k / 2) * (size_t)format.pair_bytes;
        _mm_prefetch((const void *)(line + PREFETCH_BYTES), _MM_HINT_T0);
        if (format.pair_bytes > LINE_BYTES)
            _mm_prefetch((const void *)(line + PREFETCH_BYTES + LINE_BYTES), _MM_HINT_T0);
        if (n_columns == 1 && format.pair_bytes > LINE_BYTES) { // the second line does not exist
            w[0][0] = _mm256_load_ps((const float *)(const void *)line);
            w[0][1] = _mm256_load_ps((const float *)(const void *)(line + 32));
        } else {
            format.pair(line, w);
        }
        UNROLL for (int i = 0; i < n_columns; i++) UNROLL for (int t = 0; t < n_tokens; t++) {
            const float *x = (const float *)(const void *)(job->acts + (size_t)t * job->act_bytes);
            __m256 xk = _mm256_broadcast_ss(x + k + i);
            part[p][t][0] = _mm256_fmadd_ps(w[i][0], xk, part[p][t][0]);
            part[p][t][1] = _mm256_fmadd_ps(w[i][1], xk, part[p][t][1]);
        }
    }
}

VEC_INLINE void direct_panels(const struct direct *job, int n_panels, int n_tokens,
                              struct format format) {
    __m256 acc[DIRECT_PANELS][DIRECT_TOKENS][2];
    UNROLL for (int p = 0; p < n_panels; p++) UNROLL for (int t = 0; t < n_tokens; t++)
        acc[p][t][0] = acc[p][t][1] = _mm256_setzero_ps();
    for (int k = 0; k < job->k;) {
        __m256 part[DIRECT_PANELS][DIRECT_TOKENS][2];
        int end = job->k - k < DEPTH ? job->k : k + DEPTH;
        UNROLL for (int p = 0; p < n_panels; p++) UNROLL for (int t = 0; t < n_tokens; t++)
            part[p][t][0] = part[p][t][1] = _mm256_setzero_ps();
        for (; k + 2 <= end; k += 2)
            direct_step(part, job, k, 2, n_panels, n_tokens, format);
        for (; k < end; k++)
            direct_step(part, job, k, 1, n_panels, n_tokens, format);
        UNROLL for (int p = 0; p < n_panels; p++) UNROLL for (int t = 0; t < n_tokens; t++)
            UNROLL for (int h = 0; h < 2; h++) acc[p][t][h] =
                _mm256_add_ps(acc[p][t][h], part[p][t][h]);
    }
    UNROLL for (int p = 0; p < n_panels; p++) UNROLL for (int t = 0; t < n_tokens; t++)
        store_rows(job->y + (size_t)t * job->y_stride + p * PANEL_ROWS, acc[p][t][0], acc[p][t][1],
                   job->n_rows - p * PANEL_ROWS);
}

// All panels times n_tokens (constant): as many panels at once as sums fit into registers.
VEC_INLINE void direct_all(struct direct job, int n_tokens, struct format format) {
    int step = n_tokens <= 2 ? DIRECT_PANELS : 1;
    while (job.n_rows > 0) {
        int n_rows = step * PANEL_ROWS;
        if (step == DIRECT_PANELS && job.n_rows > PANEL_ROWS) {
            direct_panels(&job, DIRECT_PANELS, n_tokens, format);
        } else {
            direct_panels(&job, 1, n_tokens, format);
            n_rows = PANEL_ROWS;
        }
        job.panels += (size_t)(n_rows / PANEL_ROWS) * job.panel_bytes;
        job.y += n_rows;
        job.n_rows -= n_rows;
    }
}

VEC_INLINE void run_direct(const struct direct *job, int n_tokens, struct format format) {
    switch (n_tokens) {
    case 1:
        direct_all(*job, 1, format);
        break;
    case 2:
        direct_all(*job, 2, format);
        break;
    case 3:
        direct_all(*job, 3, format);
        break;
    case 4:
        direct_all(*job, 4, format);
        break;
    case 5:
        direct_all(*job, 5, format);
        break;
    default:
        break;
    }
}

// ---- The tiled form -----------------------------------------------------------------------------

// acc[t][16] += `depth` lines of 16 floats times 6 tokens, act_bytes apart.
VEC_INLINE void run_tile(const float *w, const uint8_t *acts, size_t act_bytes, int depth,
                         float (*acc)[16]) {
    __m256 part[TILE_TOKENS][2];
    const float *x[TILE_TOKENS];
    UNROLL for (int t = 0; t < TILE_TOKENS; t++) {
        x[t] = (const float *)(const void *)(acts + (size_t)t * act_bytes);
        part[t][0] = part[t][1] = _mm256_setzero_ps();
    }
    for (int k = 0; k < depth; k++, w += PANEL_ROWS) {
        __m256 w0 = _mm256_load_ps(w), w1 = _mm256_load_ps(w + 8);
        UNROLL for (int t = 0; t < TILE_TOKENS; t++) {
            __m256 xk = _mm256_broadcast_ss(x[t] + k);
            part[t][0] = _mm256_fmadd_ps(w0, xk, part[t][0]);
            part[t][1] = _mm256_fmadd_ps(w1, xk, part[t][1]);
        }
    }
    UNROLL for (int t = 0; t < TILE_TOKENS; t++) UNROLL for (int h = 0; h < 2; h++) {
        __m256 sum = _mm256_add_ps(_mm256_load_ps(acc[t] + 8 * h), part[t][h]);
        _mm256_store_ps(acc[t] + 8 * h, sum);
    }
}

// Asks for memory ahead; beyond the last panel that is harmless.
VEC_INLINE void prefetch(const uint8_t *lines, size_t n_bytes) {
    for (size_t i = 0; i < n_bytes; i += LINE_BYTES)
        _mm_prefetch((const void *)(lines + i), _MM_HINT_T1);
}

// `depth` columns of a panel as floats: where they are or in `buffer`.
VEC_INLINE const float *widen(const uint8_t *panel, int depth, float (*buffer)[PANEL_ROWS],
                              struct format format) {
    if (format.pair_bytes > LINE_BYTES) return (const float *)(const void *)panel;
    for (int k = 0; k < depth; k += 2, panel += LINE_BYTES) {
        __m256 w[2][2];
        format.pair(panel, w);
        UNROLL for (int i = 0; i < 4; i++)
            _mm256_store_ps(buffer[k + i / 2] + 8 * (i % 2), w[i / 2][i % 2]);
    }
    return buffer[0];
}

// A block of panels times n_tokens tokens, a multiple of TILE_TOKENS.
VEC_INLINE void run_block(const struct direct *job, int n_panels, int n_tokens,
                          struct format format) {
    _Alignas(64) float buffer[DEPTH][PANEL_ROWS];
    _Alignas(64) float acc[PANEL_BLOCK][TOKEN_BLOCK][16];
    for (int p = 0; p < n_panels; p++)
        memset(acc[p], 0, sizeof acc[p][0] * (size_t)n_tokens);
    const size_t size = (size_t)(DEPTH / 2 * format.pair_bytes); // of DEPTH columns of a panel
    for (int k = 0; k < job->k; k += DEPTH) {
        int depth = job->k - k < DEPTH ? job->k - k : DEPTH;
        for (int p = 0; p < n_panels; p++) {
            size_t offset = (size_t)p * job->panel_bytes + (size_t)(k / 2) * format.pair_bytes;
            const float *w = widen(job->panels + offset, depth, buffer, format);
            prefetch(job->panels + offset + size, size); // its next columns
            const uint8_t *acts = job->acts + (size_t)k * sizeof(float);
            for (int t = 0; t < n_tokens; t += TILE_TOKENS)
                run_tile(w, acts + (size_t)t * job->act_bytes, job->act_bytes, depth, acc[p] + t);
        }
    }
    for (int p = 0; p < n_panels; p++)
        for (int t = 0; t < n_tokens; t++)
            store_rows(job->y + (size_t)t * job->y_stride + p * PANEL_ROWS,
                       _mm256_load_ps(acc[p][t]), _mm256_load_ps(acc[p][t] + 8),
                       job->n_rows - p * PANEL_ROWS);
}

// A block of tokens: tiles, then the rest, a block of panels after the other.
VEC_INLINE void run_tokens(struct direct job, int n_tokens, struct format format) {
    int tiled = n_tokens / TILE_TOKENS * TILE_TOKENS;
    const int n_rows_all = job.n_rows;
    for (int r = 0; r < n_rows_all; r += PANEL_BLOCK * PANEL_ROWS) {
        int n_rows = n_rows_all - r;
        if (n_rows > PANEL_BLOCK * PANEL_ROWS) n_rows = PANEL_BLOCK * PANEL_ROWS;
        job.n_rows = n_rows;
        if (tiled) run_block(&job, (n_rows + PANEL_ROWS - 1) / PANEL_ROWS, tiled, format);
        struct direct rest = job;
        rest.acts += (size_t)tiled * job.act_bytes;
        rest.y += (size_t)tiled * job.y_stride;
        run_direct(&rest, n_tokens - tiled, format);
        job.panels += PANEL_BLOCK * job.panel_bytes;
        job.y += n_rows;
    }
}

VEC_INLINE void multiply(const struct matmul_args *args, struct format format) {
    struct direct job = {.panels = args->panels,
                         .panel_bytes = args->panel_bytes,
                         .acts = args->activations,
                         .act_bytes = args->act_bytes,
                         .y = args->y,
                         .y_stride = args->y_stride,
                         .n_rows = args->n_rows,
                         .k = args->k};
    for (int t = 0; t < args->n_tokens; t += TOKEN_BLOCK) {
        int n_tokens = args->n_tokens - t < TOKEN_BLOCK ? args->n_tokens - t : TOKEN_BLOCK;
        run_tokens(job, n_tokens, format);
        job.acts += TOKEN_BLOCK * args->act_bytes;
        job.y += TOKEN_BLOCK * args->y_stride;
    }
}

void avx2_matmul_f32(const struct matmul_args *args) {
    multiply(args, (struct format){pair_f32, 2 * LINE_BYTES});
}

void avx2_matmul_f16(const struct matmul_args *args) {
    multiply(args, (struct format){pair_f16, LINE_BYTES});
}

void avx2_matmul_bf16(const struct matmul_args *args) {
    multiply(args, (struct format){pair_bf16, LINE_BYTES});
}
