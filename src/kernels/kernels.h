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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum isa { ISA_SCALAR, ISA_AVX2, ISA_AVX512, ISA_AMX, ISA_COUNT };

// The form in which a matmul wants its activations. A row of k takes act_row_bytes() bytes.
enum act_format {
    ACT_F32, // k floats
    ACT_Q8   // ceil(k/256) of struct act_chunk_q8
};

enum { ACT_CHUNK = 256, ACT_CHUNK_BLOCKS = 8 };

// 256 activations in 8 blocks of 32: x[i] = scale[i/32] * q[i]. The sums of each group of 16 let
// formats with a minimum or a zero point multiply their unsigned quants:
//   sum_i (s q_w[i] - m) x[i] = s * scale * dot(q_w, q) - m * sum.
// The last chunk of a row may be short: the blocks past k are all zero.
struct act_chunk_q8 {
    float scale[8];
    float sum[16]; // scale * (q[16 g] + .. + q[16 g + 15])
    int8_t q[256];
};

size_t act_row_bytes(enum act_format format, int k);

// y[t * y_stride + r] = sum_k w[r][k] * x[t][k]   for r < n_rows, t < n_tokens.
struct matmul_args {
    const void *weights; // n_rows rows of `k` elements, row_bytes apart; unaligned is fine
    size_t row_bytes;
    const void *activations; // [n_tokens], act_bytes apart, in the operation's act_format
    size_t act_bytes;
    float *y; // [n_tokens][y_stride]
    size_t y_stride;
    int n_rows;
    int n_tokens;
    int k; // a multiple of the weight type's block
};

// One query head of one token against the cached keys and values of its KV head:
// out = softmax(scale * q.K^T) V over n_positions positions (already cut to the window).
struct attend_args {
    const float *q;      // [head_dim]
    const void *keys;    // [n_positions][head_dim], stride_bytes apart, of kv_dtype
    const void *values;  // likewise
    enum dtype kv_dtype; // DTYPE_F32 or DTYPE_F16
    size_t stride_bytes;
    float *scores; // scratch [n_positions]
    float *out;    // [head_dim]
    float scale;
    float softcap; // > 0: scores become softcap * tanh(score / softcap); 0: off
    int n_positions;
    int head_dim;
};

struct matmul_op {
    void (*run)(const struct matmul_args *args); // NULL: this type cannot be multiplied
    enum act_format act;
};

struct kernels {
    enum isa isa;
    struct matmul_op matmul[DTYPE_COUNT]; // by weight type; every is_weight dtype has one

    // n floats (a multiple of 32) to ACT_Q8: scale = max|x| / 127 of each block, q rounded half to
    // even. A block whose largest value is below 2^-120 becomes zeros; one with an infinity or a
    // NaN gets scale and sums NaN, so that damage shows in the result. The same bytes on every ISA.
    void (*quantize_act)(const float *x, struct act_chunk_q8 *out, int n);
    // y = x / sqrt(mean(x^2) + eps) * w   (Zhang & Sennrich 2019). y may be x.
    void (*rmsnorm)(const float *x, const float *w, float *y, int n, float eps);
    // Rotary position embedding (Su et al. 2021) of n_heads vectors of head_dim floats, the first
    // n_rot of each: cos/sin [n_rot/2]. Pairs are (i, i + n_rot/2) if halves, else (2i, 2i+1).
    void (*rope)(float *x, const float *cosine, const float *sine, int n_heads, int head_dim,
                 int n_rot, bool halves);
    void (*silu_mul)(float *gate, const float *up, int n); // gate = silu(gate) * up
    void (*gelu_mul)(float *gate, const float *up, int n); // tanh approximation of GELU
    void (*add)(float *x, const float *y, int n);          // x += y
    void (*scale)(float *x, float factor, int n);          // x *= factor
    void (*softmax)(float *x, int n);                      // in place, max-subtracted
    void (*attend)(const struct attend_args *args);
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
