// SPDX-License-Identifier: Apache-2.0
// What AVX2 with FMA and F16C does better than scalar.
#include "kernels/avx2/operations.h"
#include "kernels/levels.h"

void kernels_fill_avx2(struct kernels *kernels) {
    kernels->quantize_act = avx2_quantize_act;
    kernels->rmsnorm = avx2_rmsnorm;
    kernels->rope = avx2_rope;
    kernels->silu_mul = avx2_silu_mul;
    kernels->gelu_mul = avx2_gelu_mul;
    kernels->add = avx2_add;
    kernels->scale = avx2_scale;
    kernels->softmax = avx2_softmax;
    kernels->to_f16 = avx2_to_f16;
    kernels->from_f16 = avx2_from_f16;
    kernels->to_bf16 = avx2_to_bf16;
    kernels->from_bf16 = avx2_from_bf16;
}
