// SPDX-License-Identifier: Apache-2.0
// The base of the climb: every operation exists here.
#include "kernels/levels.h"
#include "kernels/scalar/operations.h"

void kernels_fill_scalar(struct kernels *kernels) {
    struct matmul_op *matmul = kernels->matmul;
    matmul[DTYPE_F32] = (struct matmul_op){scalar_matmul_f32, ACT_F32};
    matmul[DTYPE_F16] = (struct matmul_op){scalar_matmul_f16, ACT_F32};
    matmul[DTYPE_BF16] = (struct matmul_op){scalar_matmul_bf16, ACT_F32};
    matmul[DTYPE_Q4_0] = (struct matmul_op){scalar_matmul_q4_0, ACT_Q8};
    matmul[DTYPE_Q4_1] = (struct matmul_op){scalar_matmul_q4_1, ACT_Q8};
    matmul[DTYPE_Q5_0] = (struct matmul_op){scalar_matmul_q5_0, ACT_Q8};
    matmul[DTYPE_Q5_1] = (struct matmul_op){scalar_matmul_q5_1, ACT_Q8};
    matmul[DTYPE_Q8_0] = (struct matmul_op){scalar_matmul_q8_0, ACT_Q8};
    matmul[DTYPE_Q2_K] = (struct matmul_op){scalar_matmul_q2_k, ACT_Q8};
    matmul[DTYPE_Q3_K] = (struct matmul_op){scalar_matmul_q3_k, ACT_Q8};
    matmul[DTYPE_Q4_K] = (struct matmul_op){scalar_matmul_q4_k, ACT_Q8};
    matmul[DTYPE_Q5_K] = (struct matmul_op){scalar_matmul_q5_k, ACT_Q8};
    matmul[DTYPE_Q6_K] = (struct matmul_op){scalar_matmul_q6_k, ACT_Q8};
    matmul[DTYPE_IQ4_NL] = (struct matmul_op){scalar_matmul_iq4_nl, ACT_Q8};
    matmul[DTYPE_IQ4_XS] = (struct matmul_op){scalar_matmul_iq4_xs, ACT_Q8};
    kernels->quantize_act = scalar_quantize_act;
    kernels->rmsnorm = scalar_rmsnorm;
    kernels->layernorm = scalar_layernorm;
    kernels->rope = scalar_rope;
    kernels->silu_mul = scalar_silu_mul;
    kernels->gelu_mul = scalar_gelu_mul;
    kernels->gelu_erf = scalar_gelu_erf;
    kernels->add = scalar_add;
    kernels->scale = scalar_scale;
    kernels->softmax = scalar_softmax;
    kernels->attend = scalar_attend;
    kernels->attend_merge = scalar_attend_merge;
    kernels->kv_store = scalar_kv_store;
    kernels->to_f16 = scalar_to_f16;
    kernels->from_f16 = scalar_from_f16;
    kernels->to_bf16 = scalar_to_bf16;
    kernels->from_bf16 = scalar_from_bf16;
}
