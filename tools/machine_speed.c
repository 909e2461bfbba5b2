// SPDX-License-Identifier: Apache-2.0
// See machine_speed.h. Plain sums and multiply-adds; on x86 with AVX2 and FMA the inner loops use
// those, because they are what the kernels use.
#include "tools/machine_speed.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define XL_SPEED_X86 1
#else
#define XL_SPEED_X86 0
#endif

enum {
    PART_BYTES = 128 << 20, // a thread reads this much: beyond every cache
    READ_TURNS = 4,
    FLOAT_TURNS = 4,
    TURNS = READ_TURNS + FLOAT_TURNS,
    FLOAT_LOOPS = 1 << 21,
    FLOAT_LANES = 8, // of one accumulator
    ACCUMULATORS = 10
};

struct measurement {
    pthread_mutex_t gate; // held until all members exist
    bool is_abandoned;    // read behind the gate
    pthread_barrier_t barrier;
    uint8_t *memory; // [n_threads][PART_BYTES]
    bool has_avx2;
    int n_threads;
};

struct member {
    struct measurement *measurement;
    int index;
    uint64_t result;                     // keeps the work from being optimised away
    double start_s[TURNS], end_s[TURNS]; // reads first, then multiply-adds
    pthread_t thread;
};

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static uint64_t read_plain(const uint8_t *memory) {
    uint64_t sums[8] = {0};
    for (size_t i = 0; i < PART_BYTES; i += sizeof sums) {
        uint64_t words[8];
        memcpy(words, memory + i, sizeof words);
        for (int j = 0; j < 8; j++)
            sums[j] += words[j];
    }
    return sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7];
}

static uint64_t multiply_plain(void) {
    float sums[FLOAT_LANES * ACCUMULATORS] = {0};
    for (int loop = 0; loop < FLOAT_LOOPS; loop++)
        for (int i = 0; i < FLOAT_LANES * ACCUMULATORS; i++)
            sums[i] = sums[i] * 0.999f + 0.001f;
    return (uint64_t)(sums[0] + sums[FLOAT_LANES * ACCUMULATORS - 1]);
}

#if XL_SPEED_X86
__attribute__((target("avx2,fma"))) static uint64_t read_avx2(const uint8_t *memory) {
    __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
    for (size_t i = 0; i < PART_BYTES; i += 128) {
        const __m256i *p = (const __m256i *)(memory + i);
        a = _mm256_add_epi64(a, _mm256_loadu_si256(p));
        b = _mm256_add_epi64(b, _mm256_loadu_si256(p + 1));
        c = _mm256_add_epi64(c, _mm256_loadu_si256(p + 2));
        d = _mm256_add_epi64(d, _mm256_loadu_si256(p + 3));
    }
    a = _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
    return (uint64_t)_mm256_extract_epi64(a, 0) + (uint64_t)_mm256_extract_epi64(a, 2);
}

// Ten independent chains hide the latency of two units with four or five cycles each.
__attribute__((target("avx2,fma"))) static uint64_t multiply_avx2(void) {
    __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0, s4 = s0;
    __m256 s5 = s0, s6 = s0, s7 = s0, s8 = s0, s9 = s0;
    const __m256 m = _mm256_set1_ps(0.999f), n = _mm256_set1_ps(0.001f);
    for (int loop = 0; loop < FLOAT_LOOPS; loop++) {
        s0 = _mm256_fmadd_ps(s0, m, n);
        s1 = _mm256_fmadd_ps(s1, m, n);
        s2 = _mm256_fmadd_ps(s2, m, n);
        s3 = _mm256_fmadd_ps(s3, m, n);
        s4 = _mm256_fmadd_ps(s4, m, n);
        s5 = _mm256_fmadd_ps(s5, m, n);
        s6 = _mm256_fmadd_ps(s6, m, n);
        s7 = _mm256_fmadd_ps(s7, m, n);
        s8 = _mm256_fmadd_ps(s8, m, n);
        s9 = _mm256_fmadd_ps(s9, m, n);
        __asm__ volatile("" : "+x"(s0)); // ten equal chains must stay ten
        __asm__ volatile("" : "+x"(s1), "+x"(s2), "+x"(s3), "+x"(s4), "+x"(s5));
        __asm__ volatile("" : "+x"(s6), "+x"(s7), "+x"(s8), "+x"(s9));
    }
    __m256 sum = _mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3));
    sum = _mm256_add_ps(sum, _mm256_add_ps(_mm256_add_ps(s4, s5), _mm256_add_ps(s6, s7)));
    sum = _mm256_add_ps(sum, _mm256_add_ps(s8, s9));
    return (uint64_t)_mm256_cvtss_f32(sum);
}
#else
static uint64_t read_avx2(const uint8_t *memory) {
    return read_plain(memory);
}
static uint64_t multiply_avx2(void) {
    return multiply_plain();
}
#endif

static void *work(void *argument) {
    struct member *member = argument;
    struct measurement *m = member->measurement;
    pthread_mutex_lock(&m->gate);
    bool is_abandoned = m->is_abandoned;
    pthread_mutex_unlock(&m->gate);
    if (is_abandoned) return NULL; // waiting for a missing member would never end
    uint8_t *part = m->memory + (size_t)member->index * PART_BYTES;
    memset(part, member->index + 1, PART_BYTES); // real pages, near this thread
    for (int turn = 0; turn < TURNS; turn++) {
        pthread_barrier_wait(&m->barrier);
        member->start_s[turn] = now_s();
        if (turn < READ_TURNS)
            member->result += m->has_avx2 ? read_avx2(part) : read_plain(part);
        else
            member->result += m->has_avx2 ? multiply_avx2() : multiply_plain();
        member->end_s[turn] = now_s();
    }
    return NULL;
}

// The shortest turn, from the first member's start to the last one's end: what the machine does
// when nobody else is in the way.
static double best_turn_s(const struct member *members, int n_members, int first, int n_turns) {
    double best = 1e30;
    for (int turn = first; turn < first + n_turns; turn++) {
        double start = members[0].start_s[turn], end = members[0].end_s[turn];
        for (int i = 1; i < n_members; i++) {
            start = members[i].start_s[turn] < start ? members[i].start_s[turn] : start;
            end = members[i].end_s[turn] > end ? members[i].end_s[turn] : end;
        }
        if (end - start < best) best = end - start;
    }
    return best;
}

static bool measure(struct measurement *m, struct member *members, struct machine_speed *speed) {
    int n = m->n_threads, n_started = 0;
    if (pthread_barrier_init(&m->barrier, NULL, (unsigned)n) != 0) return false;
    pthread_mutex_lock(&m->gate);
    for (; n_started < n; n_started++) {
        struct member *member = &members[n_started];
        *member = (struct member){.measurement = m, .index = n_started};
        if (pthread_create(&member->thread, NULL, work, member) != 0) break;
    }
    m->is_abandoned = n_started < n;
    pthread_mutex_unlock(&m->gate);
    for (int i = 0; i < n_started; i++)
        pthread_join(members[i].thread, NULL);
    pthread_barrier_destroy(&m->barrier);
    if (m->is_abandoned) return false;
    double read_s = best_turn_s(members, n, 0, READ_TURNS);
    double float_s = best_turn_s(members, n, READ_TURNS, FLOAT_TURNS);
    speed->read_bytes_per_s = (double)n * PART_BYTES / read_s;
    speed->float_ops_per_s = 2.0 * n * FLOAT_LOOPS * FLOAT_LANES * ACCUMULATORS / float_s;
    return true;
}

bool machine_speed_measure(struct machine_speed *speed, int n_threads) {
    struct measurement m = {.n_threads = n_threads, .gate = PTHREAD_MUTEX_INITIALIZER};
    *speed = (struct machine_speed){0};
#if XL_SPEED_X86
    m.has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    struct member *members = calloc((size_t)n_threads, sizeof *members);
    m.memory = malloc((size_t)n_threads * PART_BYTES);
    bool good = members && m.memory && measure(&m, members, speed);
    free(members);
    free(m.memory);
    return good;
}
