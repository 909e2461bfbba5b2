// SPDX-License-Identifier: Apache-2.0
// What AMX (TILE, INT8, BF16) does better than the level below: products. All else is AVX-512's.
#include "kernels/amx/operations.h"
#include "kernels/levels.h"

void kernels_fill_amx(struct kernels *kernels) {
    struct matmul_op *matmul = kernels->matmul;
    matmul[DTYPE_BF16] = (struct matmul_op){amx_matmul_bf16, ACT_BF16};
    matmul[DTYPE_Q4_0] = (struct matmul_op){amx_matmul_q4_0, ACT_Q8};
    matmul[DTYPE_Q4_1] = (struct matmul_op){amx_matmul_q4_1, ACT_Q8};
    matmul[DTYPE_Q5_0] = (struct matmul_op){amx_matmul_q5_0, ACT_Q8};
    matmul[DTYPE_Q5_1] = (struct matmul_op){amx_matmul_q5_1, ACT_Q8};
    matmul[DTYPE_Q8_0] = (struct matmul_op){amx_matmul_q8_0, ACT_Q8};
    matmul[DTYPE_Q2_K] = (struct matmul_op){amx_matmul_q2_k, ACT_Q8};
    matmul[DTYPE_Q3_K] = (struct matmul_op){amx_matmul_q3_k, ACT_Q8};
    matmul[DTYPE_Q4_K] = (struct matmul_op){amx_matmul_q4_k, ACT_Q8};
    matmul[DTYPE_Q5_K] = (struct matmul_op){amx_matmul_q5_k, ACT_Q8};
    matmul[DTYPE_Q6_K] = (struct matmul_op){amx_matmul_q6_k, ACT_Q8};
    matmul[DTYPE_IQ4_NL] = (struct matmul_op){amx_matmul_iq4_nl, ACT_Q8};
    matmul[DTYPE_IQ4_XS] = (struct matmul_op){amx_matmul_iq4_xs, ACT_Q8};
}
