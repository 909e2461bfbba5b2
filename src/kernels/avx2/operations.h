// SPDX-License-Identifier: Apache-2.0
// The AVX2 operations, gathered by fill.c. Contracts: kernels.h.
#ifndef XL_KERNELS_AVX2_OPERATIONS_H
#define XL_KERNELS_AVX2_OPERATIONS_H

#include "kernels/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

void avx2_matmul_f32(const struct matmul_args *args);
void avx2_matmul_f16(const struct matmul_args *args);
void avx2_matmul_bf16(const struct matmul_args *args);
void avx2_matmul_q4_0(const struct matmul_args *args);
void avx2_matmul_q4_1(const struct matmul_args *args);
void avx2_matmul_q5_0(const struct matmul_args *args);
void avx2_matmul_q5_1(const struct matmul_args *args);
void avx2_matmul_q8_0(const struct matmul_args *args);
void avx2_matmul_q2_k(const struct matmul_args *args);
void avx2_matmul_q3_k(const struct matmul_args *args);
void avx2_matmul_q4_k(const struct matmul_args *args);
void avx2_matmul_q5_k(const struct matmul_args *args);
void avx2_matmul_q6_k(const struct matmul_args *args);
void avx2_matmul_iq4_nl(const struct matmul_args *args);
void avx2_matmul_iq4_xs(const struct matmul_args *args);
void avx2_quantize_act(const float *x, struct act_chunk_q8 *row, int begin, int n);
void avx2_rmsnorm(const float *x, const float *w, float *y, int n, float eps);
void avx2_layernorm(const float *x, const float *w, const float *b, float *y, int n, float eps);
void avx2_rope(float *x, const float *cosine, const float *sine, int n_heads, int head_dim,
               int n_rot, bool halves);
void avx2_silu_mul(float *gate, const float *up, int n);
void avx2_gelu_mul(float *gate, const float *up, int n);
void avx2_gelu_erf(float *x, int n);
void avx2_add(float *x, const float *y, int n);
void avx2_scale(float *x, float factor, int n);
void avx2_softmax(float *x, int n);
void avx2_attend(const struct attend_args *args);
void avx2_kv_store(const struct kv_store_args *args);
void avx2_to_f16(const float *x, uint16_t *out, int n);
void avx2_from_f16(const uint16_t *x, float *out, int n);
void avx2_to_bf16(const float *x, uint16_t *out, int n);
void avx2_from_bf16(const uint16_t *x, float *out, int n);

#ifdef __cplusplus
}
#endif
#endif
