// SPDX-License-Identifier: Apache-2.0
// What each ISA folder gives to select.c: one function that overrides the operations it does
// better.
#ifndef XL_KERNELS_LEVELS_H
#define XL_KERNELS_LEVELS_H

#include "kernels/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

void kernels_fill_scalar(struct kernels *kernels); // every operation
void kernels_fill_avx2(struct kernels *kernels);   // needs AVX2, FMA and F16C
// Needs AVX-512 F BW VL DQ VNNI; what needs BF16 is taken only if has_bf16.
void kernels_fill_avx512(struct kernels *kernels, bool has_bf16);
// Needs AMX tiles, INT8 and BF16, all of AVX-512 above with BF16, and the system's permission.
void kernels_fill_amx(struct kernels *kernels);

#ifdef __cplusplus
}
#endif
#endif
