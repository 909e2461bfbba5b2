// SPDX-License-Identifier: Apache-2.0
// See weight_multiply.h.
#include "model/weight_multiply.h"

#include "numeric/packed.h"

struct share share_of(int n, int thread_index, int n_threads) {
    struct share share = {(int)((int64_t)n * thread_index / n_threads),
                          (int)((int64_t)n * (thread_index + 1) / n_threads)};
    return share;
}

struct share share_of_groups(int n, int group, int thread_index, int n_threads) {
    struct share share = share_of((n + group - 1) / group, thread_index, n_threads);
    share.begin *= group;
    share.end *= group;
    if (share.begin > n) share.begin = n;
    if (share.end > n) share.end = n;
    return share;
}

void weight_multiply(const struct kernels *kernels, const struct weight *weight,
                     const struct input_rows *input, struct share rows, struct share tokens,
                     float *y, size_t y_stride) {
    if (rows.begin >= rows.end || tokens.begin >= tokens.end) return;
    const struct matmul_op *op = &kernels->matmul[weight->dtype];
    struct matmul_args args = {
        .panels = weight->panels + (size_t)(rows.begin / PANEL_ROWS) * weight->panel_bytes,
        .panel_bytes = weight->panel_bytes,
        .activations = input_row(input, op->act, tokens.begin),
        .act_bytes = input->stride_bytes[op->act],
        .y = y,
        .y_stride = y_stride,
        .n_rows = rows.end - rows.begin,
        .n_tokens = tokens.end - tokens.begin,
        .k = weight->n_columns,
    };
    op->run(&args);
}

enum status weight_check_kernel(const struct weight *weight, const struct kernels *kernels,
                                struct error *err) {
    const struct matmul_op *op = &kernels->matmul[weight->dtype];
    if (op->run && (op->act != ACT_Q8 || weight->n_columns % 32 == 0)) return STATUS_OK;
    return error_set(err, STATUS_UNSUPPORTED,
                     "weights of type %s with rows of %d cannot be multiplied by the %s kernels",
                     dtype_info((uint32_t)weight->dtype)->name, weight->n_columns,
                     isa_name(kernels->isa));
}
