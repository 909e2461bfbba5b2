// SPDX-License-Identifier: Apache-2.0
// The list of operations: math on plain arrays, one contract each. scalar/ is the specification;
// every other ISA folder overrides what it does better (select.c). Kernels know no file, no tensor
// object and no thread pool; they assert their contract and return nothing.
//
// Determinism: each output element of a matmul is reduced over k in a fixed order that depends on
// neither the number of rows nor the number of tokens in the call, so that any split of the work
// over threads and any chunking of a prompt gives the same bytes.
#ifndef XL_KERNELS_KERNELS_H
#define XL_KERNELS_KERNELS_H

#include "numeric/dtype.h"
#include "numeric/kv_tiles.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum isa { ISA_SCALAR, ISA_AVX2, ISA_AVX512, ISA_AMX, ISA_COUNT };

// The form in which a matmul wants its activations. A row of k takes act_row_bytes() bytes.
enum act_format {
    ACT_F32,  // k floats
    ACT_BF16, // k bfloat16, then zeros up to a multiple of 64 bytes
    ACT_Q8    // ceil(k/256) of struct act_chunk_q8
};

enum { ACT_CHUNK = 256, ACT_CHUNK_BLOCKS = 8 };

// 256 activations in 8 blocks of 32: x[i] = scale[i/32] * q[i]. The sums let formats with a minimum
// or a zero point multiply their unsigned quants:
//   sum_i (s (q_w[i] - zero) - m) x[i] = s * scale * dot(q_w, q) - (s * zero + m) * sum.
// Six cache lines. Blocks past k in the last chunk of a row may hold anything: nobody reads them.
struct act_chunk_q8 {
    float scale[8];
    float sum[8];    // of each block of 32: scale * (q[32 b] + .. + q[32 b + 31])
    float sum16[16]; // of each group of 16: scale * (q[16 g] + .. + q[16 g + 15])
    int8_t q[256];
};

size_t act_row_bytes(enum act_format format, int k);

// y[t * y_stride + r] = sum_k w[r][k] * x[t][k]   for r < n_rows, t < n_tokens.
struct matmul_args {
    const uint8_t *panels;   // ceil(n_rows / 16) packed panels (numeric/packed.h), 64-byte aligned,
    size_t panel_bytes;      // this far apart: packed_panel_bytes(type, k)
    const void *activations; // [n_tokens], act_bytes apart, in the operation's act_format;
    size_t act_bytes;        // ACT_BF16 and ACT_Q8: 64-byte aligned and a multiple of 64 apart
    float *y;                // [n_tokens][y_stride], any alignment
    size_t y_stride;
    int n_rows;
    int n_tokens;
    int k; // a multiple of the weight type's block
};

// ---- Attention ---------------------------------------------------------------------------------
// Keys and values lie in pages of tiles (numeric/kv_tiles.h). The query rows of an i8 cache are
// rotated and rounded like its keys, so that scores come from exact integer sums. Positions are
// absolute; their number is rounded up to KV_TILE. Positions that no token of a call sees may hold
// anything; pages in which no token sees any are not touched.
enum { KV_SEGMENT = 512 };
// A call takes query rows (tokens times n_group) in blocks of up to this many: whole tokens, whose
// keys and values are read once. Callers that deal tokens deal ATTEND_ROWS / n_group at a time.
enum { ATTEND_ROWS = 60 };

// All query heads of one KV head, for n_tokens tokens in a row:
//   out = softmax(scale * q.K^T) V   over the positions first .. last of the token,
// last = first_position + t, first = max(0, last + 1 - window), unless n_visible says otherwise (an
// encoder's tokens see the whole text). The positions are cut into segments
// of KV_SEGMENT at absolute multiples; each segment is reduced by itself in a fixed order and the
// segments are merged in ascending order, so the result depends neither on how many tokens are in
// the call nor on which segments are computed where.
struct attend_args {
    const float *q; // [n_tokens][q_stride], of which n_group * head_dim are used
    float *out;     // likewise, out_stride apart
    size_t q_stride, out_stride;
    struct kv_head kv;
    int n_tokens, n_group, head_dim;
    int first_position; // of token 0
    int n_visible;      // > 0: every token sees positions 0 .. n_visible - 1, whatever its own is
    int window;         // 0: no sliding window
    float scale;
    float softcap; // > 0: scores become softcap * tanh(score / softcap); 0: off
    void *scratch; // attend_scratch_bytes(), 64-byte aligned
    // Split over threads: only segments [segment_begin, segment_end) are computed, and instead of
    // `out` each gets its state {max, sum, acc[head_dim]} at
    // partial + ((segment * n_tokens + t) * n_group + h) * (2 + head_dim). NULL: all, into out.
    float *partial;
    int segment_begin, segment_end;
};

// Enough for any call of at most n_tokens tokens; the same for all n_tokens >= ATTEND_ROWS.
size_t attend_scratch_bytes(int n_tokens, int n_group, int head_dim);

// Appends one position: x [head_dim] as keys or values of kv.
struct kv_store_args {
    struct kv_head kv;
    const float *keys, *values; // [head_dim] each
    int position, head_dim;
};

struct matmul_op {
    void (*run)(const struct matmul_args *args); // NULL: this type cannot be multiplied
    enum act_format act;
};

struct kernels {
    enum isa isa;
    struct matmul_op matmul[DTYPE_COUNT]; // by weight type; every is_weight dtype has one

    // n floats (a multiple of 32) to elements begin .. (a multiple of 32) of an ACT_Q8 row:
    // scale = max|x| / 127 of each block, q rounded half to even. A block whose largest value is
    // below 2^-120 becomes zeros; one with an infinity or a NaN gets scale and sums NaN, so that
    // damage shows in the result. The same bytes on every ISA.
    void (*quantize_act)(const float *x, struct act_chunk_q8 *row, int begin, int n);
    // y = x / sqrt(mean(x^2) + eps) * w   (Zhang & Sennrich 2019). y may be x.
    void (*rmsnorm)(const float *x, const float *w, float *y, int n, float eps);
    // y = (x - mean(x)) / sqrt(variance(x) + eps) * w + b   (Ba, Kiros & Hinton 2016). y may be x.
    void (*layernorm)(const float *x, const float *w, const float *b, float *y, int n, float eps);
    // Rotary position embedding (Su et al. 2021) of n_heads vectors of head_dim floats, the first
    // n_rot of each: cos/sin [n_rot/2]. Pairs are (i, i + n_rot/2) if halves, else (2i, 2i+1).
    void (*rope)(float *x, const float *cosine, const float *sine, int n_heads, int head_dim,
                 int n_rot, bool halves);
    void (*silu_mul)(float *gate, const float *up, int n); // gate = silu(gate) * up
    void (*gelu_mul)(float *gate, const float *up, int n); // tanh approximation of GELU
    void (*gelu_erf)(float *x, int n); // in place, x P(N(0, 1) <= x): GELU by the error function
    void (*add)(float *x, const float *y, int n); // x += y
    void (*scale)(float *x, float factor, int n); // x *= factor
    void (*softmax)(float *x, int n);             // in place, max-subtracted
    void (*attend)(const struct attend_args *args);
    // Merges the states of segments [segment_begin, segment_end) of args->partial into args->out.
    void (*attend_merge)(const struct attend_args *args);
    void (*kv_store)(const struct kv_store_args *args);
    void (*to_f16)(const float *x, uint16_t *out, int n);
    void (*from_f16)(const uint16_t *x, float *out, int n);
    void (*to_bf16)(const float *x, uint16_t *out, int n);
    void (*from_bf16)(const uint16_t *x, float *out, int n);
};

// What this machine and its operating system allow, and why a level is missing.
struct cpu_features {
    bool avx2, fma, f16c;
    bool avx512f, avx512bw, avx512vl, avx512dq, avx512vnni, avx512bf16;
    bool amx_tile, amx_int8, amx_bf16;
    bool os_avx, os_avx512, os_amx; // XCR0 says the OS saves these registers
    char brand[49];
};

void cpu_features_read(struct cpu_features *features);
const char *isa_name(enum isa isa);
bool isa_from_name(const char *name, enum isa *isa);
// The best level that this machine can run and this build has.
enum isa isa_best(void);
bool isa_available(enum isa isa);
// NULL if isa_available(), else why not, for a person: "this CPU has no AVX2".
const char *isa_missing_reason(enum isa isa);
// Fills the operations for one level: scalar first, then each level's overrides up to `isa`.
void kernels_select(struct kernels *kernels, enum isa isa);

#ifdef __cplusplus
}
#endif
#endif
