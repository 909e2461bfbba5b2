// SPDX-License-Identifier: Apache-2.0
// What AVX2 with FMA and F16C does better than scalar.
#include "kernels/avx2/operations.h"
#include "kernels/levels.h"

void kernels_fill_avx2(struct kernels *kernels) {
    struct matmul_op *matmul = kernels->matmul;
    matmul[DTYPE_F32] = (struct matmul_op){avx2_matmul_f32, ACT_F32};
    matmul[DTYPE_F16] = (struct matmul_op){avx2_matmul_f16, ACT_F32};
    matmul[DTYPE_BF16] = (struct matmul_op){avx2_matmul_bf16, ACT_F32};
    matmul[DTYPE_Q4_0] = (struct matmul_op){avx2_matmul_q4_0, ACT_Q8};
    matmul[DTYPE_Q4_1] = (struct matmul_op){avx2_matmul_q4_1, ACT_Q8};
    matmul[DTYPE_Q5_0] = (struct matmul_op){avx2_matmul_q5_0, ACT_Q8};
    matmul[DTYPE_Q5_1] = (struct matmul_op){avx2_matmul_q5_1, ACT_Q8};
    matmul[DTYPE_Q8_0] = (struct matmul_op){avx2_matmul_q8_0, ACT_Q8};
    matmul[DTYPE_Q2_K] = (struct matmul_op){avx2_matmul_q2_k, ACT_Q8};
    matmul[DTYPE_Q3_K] = (struct matmul_op){avx2_matmul_q3_k, ACT_Q8};
    matmul[DTYPE_Q4_K] = (struct matmul_op){avx2_matmul_q4_k, ACT_Q8};
    matmul[DTYPE_Q5_K] = (struct matmul_op){avx2_matmul_q5_k, ACT_Q8};
    matmul[DTYPE_Q6_K] = (struct matmul_op){avx2_matmul_q6_k, ACT_Q8};
    matmul[DTYPE_IQ4_NL] = (struct matmul_op){avx2_matmul_iq4_nl, ACT_Q8};
    matmul[DTYPE_IQ4_XS] = (struct matmul_op){avx2_matmul_iq4_xs, ACT_Q8};
    kernels->quantize_act = avx2_quantize_act;
    kernels->rmsnorm = avx2_rmsnorm;
    kernels->layernorm = avx2_layernorm;
    kernels->rope = avx2_rope;
    kernels->silu_mul = avx2_silu_mul;
    kernels->gelu_mul = avx2_gelu_mul;
    kernels->gelu_erf = avx2_gelu_erf;
    kernels->add = avx2_add;
    kernels->scale = avx2_scale;
    kernels->softmax = avx2_softmax;
    kernels->attend = avx2_attend;
    kernels->kv_store = avx2_kv_store;
    kernels->to_f16 = avx2_to_f16;
    kernels->from_f16 = avx2_from_f16;
    kernels->to_bf16 = avx2_to_bf16;
    kernels->from_bf16 = avx2_from_bf16;
}
