// SPDX-License-Identifier: Apache-2.0
// What AMX (TILE, INT8, BF16) does better than the level below.
#include "kernels/levels.h"

void kernels_fill_amx(struct kernels *kernels) {
    (void)kernels;
}
