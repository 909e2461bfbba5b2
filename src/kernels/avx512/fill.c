// SPDX-License-Identifier: Apache-2.0
// What AVX-512 (F BW VL DQ VNNI, BF16 where present) does better than the level below.
#include "kernels/levels.h"

void kernels_fill_avx512(struct kernels *kernels, bool has_bf16) {
    (void)kernels;
    (void)has_bf16;
}
