// SPDX-License-Identifier: Apache-2.0
// What every check gets and gives. A check tries one operation of one ISA level on many inputs and
// reports the first failure; a benchmark measures it.
#ifndef XL_TESTS_CHECKS_H
#define XL_TESTS_CHECKS_H

#include "kernels/kernels.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct check_context {
    struct kernels scalar; // the specification
    struct kernels tested;
    enum dtype dtype; // of the weights, for matmul
    int n_threads;    // for benchmarks
    int trials_max;   // of a check: an emulator is a hundred times slower
};

static inline int check_trials(const struct check_context *context, int n_trials) {
    return n_trials < context->trials_max ? n_trials : context->trials_max;
}

struct check {
    const char *name;
    size_t offset_bytes; // of the operation in struct kernels
    bool (*run)(const struct check_context *context);
};

// Prints where and how a check failed; returns false.
bool check_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
// |got - expected| <= bound; both NaN and the same infinity count as equal.
bool check_close(double got, double expected, double bound);

bool check_matmul(const struct check_context *context);
bool check_quantize_act(const struct check_context *context);
bool check_rmsnorm(const struct check_context *context);
bool check_layernorm(const struct check_context *context);
bool check_rope(const struct check_context *context);
bool check_silu_mul(const struct check_context *context);
bool check_gelu_mul(const struct check_context *context);
bool check_gelu_erf(const struct check_context *context);
bool check_add(const struct check_context *context);
bool check_scale(const struct check_context *context);
bool check_softmax(const struct check_context *context);
bool check_attend(const struct check_context *context);
bool check_attend_merge(const struct check_context *context);
bool check_kv_store(const struct check_context *context);
bool check_to_f16(const struct check_context *context);
bool check_from_f16(const struct check_context *context);
bool check_to_bf16(const struct check_context *context);
bool check_from_bf16(const struct check_context *context);

// Memory that benchmarks read: larger than any cache, shared, never freed.
#define BENCH_MEMORY_BYTES ((size_t)256 << 20)
uint8_t *bench_memory(void);
void bench_roof(const struct check_context *context);
void bench_pack(const char *pattern, int n_threads);
void bench_matmul(const struct check_context *context);
void bench_attend(const struct check_context *context);
void bench_vectors(const struct check_context *context);

#endif
