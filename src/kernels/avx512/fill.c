// SPDX-License-Identifier: Apache-2.0
// What AVX-512 (F BW VL DQ VNNI, BF16 where present) does better than the level below: everything.
#include "kernels/avx512/operations.h"
#include "kernels/levels.h"

void kernels_fill_avx512(struct kernels *kernels, bool has_bf16) {
    struct matmul_op *matmul = kernels->matmul;
    matmul[DTYPE_F32] = (struct matmul_op){avx512_matmul_f32, ACT_F32};
    matmul[DTYPE_F16] = (struct matmul_op){avx512_matmul_f16, ACT_F32};
    matmul[DTYPE_BF16] = has_bf16 ? (struct matmul_op){avx512_matmul_bf16_dot, ACT_BF16}
                                  : (struct matmul_op){avx512_matmul_bf16, ACT_F32};
    matmul[DTYPE_Q4_0] = (struct matmul_op){avx512_matmul_q4_0, ACT_Q8};
    matmul[DTYPE_Q4_1] = (struct matmul_op){avx512_matmul_q4_1, ACT_Q8};
    matmul[DTYPE_Q5_0] = (struct matmul_op){avx512_matmul_q5_0, ACT_Q8};
    matmul[DTYPE_Q5_1] = (struct matmul_op){avx512_matmul_q5_1, ACT_Q8};
    matmul[DTYPE_Q8_0] = (struct matmul_op){avx512_matmul_q8_0, ACT_Q8};
    matmul[DTYPE_Q2_K] = (struct matmul_op){avx512_matmul_q2_k, ACT_Q8};
    matmul[DTYPE_Q3_K] = (struct matmul_op){avx512_matmul_q3_k, ACT_Q8};
    matmul[DTYPE_Q4_K] = (struct matmul_op){avx512_matmul_q4_k, ACT_Q8};
    matmul[DTYPE_Q5_K] = (struct matmul_op){avx512_matmul_q5_k, ACT_Q8};
    matmul[DTYPE_Q6_K] = (struct matmul_op){avx512_matmul_q6_k, ACT_Q8};
    matmul[DTYPE_IQ4_NL] = (struct matmul_op){avx512_matmul_iq4_nl, ACT_Q8};
    matmul[DTYPE_IQ4_XS] = (struct matmul_op){avx512_matmul_iq4_xs, ACT_Q8};
    kernels->quantize_act = avx512_quantize_act;
    kernels->rmsnorm = avx512_rmsnorm;
    kernels->layernorm = avx512_layernorm;
    kernels->rope = avx512_rope;
    kernels->silu_mul = avx512_silu_mul;
    kernels->gelu_mul = avx512_gelu_mul;
    kernels->gelu_erf = avx512_gelu_erf;
    kernels->add = avx512_add;
    kernels->scale = avx512_scale;
    kernels->softmax = avx512_softmax;
    kernels->attend = has_bf16 ? avx512_attend_bf16 : avx512_attend;
    kernels->to_f16 = avx512_to_f16;
    kernels->from_f16 = avx512_from_f16;
    kernels->to_bf16 = avx512_to_bf16;
    kernels->from_bf16 = avx512_from_bf16;
}
