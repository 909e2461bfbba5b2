// SPDX-License-Identifier: Apache-2.0
// What this machine allows, measured in the same run as the kernels: reading memory, and
// multiply-adds that never leave the registers. One multiplication and one addition are two
// operations. No kernel can be faster; how near it comes is the figure that counts.
#include "bench_team.h"
#include "checks.h"

#include "kernels/unroll.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

enum { STEPS = 200000 };
// Independent sums: enough to hide the latency, few enough to stay in registers.
enum { CHAINS = 12, BYTE_CHAINS = 10 };

struct roof {
    const uint8_t *memory;
    size_t size_bytes;
    volatile int sink; // so that nothing is computed for nobody
};

__attribute__((target("avx2"))) static void read_memory(void *argument, int index, int n_threads) {
    struct roof *roof = argument;
    const size_t n_lines = roof->size_bytes / 64;
    const uint8_t *p = roof->memory + n_lines * (size_t)index / (size_t)n_threads * 64;
    const uint8_t *end = roof->memory + n_lines * (size_t)(index + 1) / (size_t)n_threads * 64;
    __m256i sum[4] = {_mm256_setzero_si256()};
    for (; p + 128 <= end; p += 128)
        UNROLL for (int i = 0; i < 4; i++) sum[i] =
            _mm256_xor_si256(sum[i], _mm256_load_si256((const void *)(p + 32 * i)));
    __m256i all = _mm256_xor_si256(_mm256_xor_si256(sum[0], sum[1]), //
                                   _mm256_xor_si256(sum[2], sum[3]));
    roof->sink = _mm256_extract_epi32(all, 0);
}

__attribute__((target("avx2,fma"))) static void fma_avx2(void *argument, int index, int n) {
    __m256 x[CHAINS], a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps((float)(index + n));
    UNROLL for (int i = 0; i < CHAINS; i++) x[i] = _mm256_set1_ps((float)i);
    for (int step = 0; step < STEPS; step++)
        UNROLL for (int i = 0; i < CHAINS; i++) x[i] = _mm256_fmadd_ps(x[i], a, b);
    UNROLL for (int i = 1; i < CHAINS; i++) x[0] = _mm256_add_ps(x[0], x[i]);
    ((struct roof *)argument)->sink = (int)_mm256_cvtss_f32(x[0]);
}

// Unsigned bytes times signed ones: pairs to 16 bits, pairs of those to 32, then the sum.
__attribute__((target("avx2"))) static void maddubs_avx2(void *argument, int index, int n) {
    __m256i x[BYTE_CHAINS], a = _mm256_set1_epi8((char)(index + 1)), ones = _mm256_set1_epi16(1);
    UNROLL for (int i = 0; i < BYTE_CHAINS; i++) x[i] = _mm256_set1_epi32(i + n);
    for (int step = 0; step < STEPS; step++)
        UNROLL for (int i = 0; i < BYTE_CHAINS; i++) {
            __m256i pairs = _mm256_maddubs_epi16(a, x[i]);
            x[i] = _mm256_add_epi32(x[i], _mm256_madd_epi16(pairs, ones));
        }
    UNROLL for (int i = 1; i < BYTE_CHAINS; i++) x[0] = _mm256_add_epi32(x[0], x[i]);
    ((struct roof *)argument)->sink = _mm256_extract_epi32(x[0], 0);
}

__attribute__((target("avx512f"))) static void fma_avx512(void *argument, int index, int n) {
    __m512 x[CHAINS], a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps((float)(index + n));
    UNROLL for (int i = 0; i < CHAINS; i++) x[i] = _mm512_set1_ps((float)i);
    for (int step = 0; step < STEPS; step++)
        UNROLL for (int i = 0; i < CHAINS; i++) x[i] = _mm512_fmadd_ps(x[i], a, b);
    UNROLL for (int i = 1; i < CHAINS; i++) x[0] = _mm512_add_ps(x[0], x[i]);
    ((struct roof *)argument)->sink = (int)_mm512_cvtss_f32(x[0]);
}

__attribute__((target("avx512f,avx512vnni"))) static void dpbusd_avx512(void *argument, int index,
                                                                        int n) {
    __m512i x[CHAINS], a = _mm512_set1_epi32(0x01020304 * (index + 1)), b = _mm512_set1_epi32(n);
    UNROLL for (int i = 0; i < CHAINS; i++) x[i] = _mm512_set1_epi32(i);
    for (int step = 0; step < STEPS; step++)
        UNROLL for (int i = 0; i < CHAINS; i++) x[i] = _mm512_dpbusd_epi32(x[i], a, b);
    UNROLL for (int i = 1; i < CHAINS; i++) x[0] = _mm512_add_epi32(x[0], x[i]);
    ((struct roof *)argument)->sink = _mm_cvtsi128_si32(_mm512_castsi512_si128(x[0]));
}

static double giga_ops(bench_work work, struct roof *roof, double ops_per_step, int n_threads) {
    struct bench_timing timing = bench_team_measure(work, NULL, roof, 0.02, 3);
    return 1e-9 * STEPS * ops_per_step * n_threads / timing.best;
}

void bench_roof(const struct check_context *context) {
    const int n_threads = context->n_threads;
    struct roof roof = {.memory = bench_memory(), .size_bytes = BENCH_MEMORY_BYTES};
    if (!isa_available(ISA_AVX2)) return;
    struct bench_timing timing = bench_team_measure(read_memory, NULL, &roof, 0.1, 4);
    printf("bench roof: %d threads read %.1f GB/s (median %.1f)\n", n_threads,
           1e-9 * BENCH_MEMORY_BYTES / timing.best, 1e-9 * BENCH_MEMORY_BYTES / timing.median);
    if (context->tested.isa < ISA_AVX512)
        printf("bench roof: %d threads multiply and add %.0f GOPS in ymm f32, %.0f in ymm bytes\n",
               n_threads, giga_ops(fma_avx2, &roof, CHAINS * 16, n_threads),
               giga_ops(maddubs_avx2, &roof, BYTE_CHAINS * 64, n_threads));
    else
        printf("bench roof: %d threads multiply and add %.0f GOPS in zmm f32, %.0f in zmm bytes\n",
               n_threads, giga_ops(fma_avx512, &roof, CHAINS * 32, n_threads),
               giga_ops(dpbusd_avx512, &roof, CHAINS * 128, n_threads));
}

#else
void bench_roof(const struct check_context *context) {
    (void)context;
}
#endif
