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

#ifdef __cplusplus
}
#endif
#endif
