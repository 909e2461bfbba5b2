// SPDX-License-Identifier: Apache-2.0
// The AMX operations, gathered by fill.c. Contracts: kernels.h.
#ifndef XL_KERNELS_AMX_OPERATIONS_H
#define XL_KERNELS_AMX_OPERATIONS_H

#include "kernels/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

void amx_matmul_bf16(const struct matmul_args *args);
void amx_matmul_q4_0(const struct matmul_args *args);
void amx_matmul_q4_1(const struct matmul_args *args);
void amx_matmul_q5_0(const struct matmul_args *args);
void amx_matmul_q5_1(const struct matmul_args *args);
void amx_matmul_q8_0(const struct matmul_args *args);
void amx_matmul_q2_k(const struct matmul_args *args);
void amx_matmul_q3_k(const struct matmul_args *args);
void amx_matmul_q4_k(const struct matmul_args *args);
void amx_matmul_q5_k(const struct matmul_args *args);
void amx_matmul_q6_k(const struct matmul_args *args);
void amx_matmul_iq4_nl(const struct matmul_args *args);
void amx_matmul_iq4_xs(const struct matmul_args *args);

#ifdef __cplusplus
}
#endif
#endif
