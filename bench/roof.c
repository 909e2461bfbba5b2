// SPDX-License-Identifier: Apache-2.0
// See roof.h. Each load runs in short slices on all threads at once; a slice lasts from the first
// start to the last end. Inner loops keep enough independent chains to fill every unit and are no
// kernel: they only say what a kernel could reach if its operands were always in registers.
#include "roof.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum {
    PART_BYTES = 128 << 20, // read by one thread in one slice: beyond every cache
    SLICES = 24,
    LOOPS = 200000, // of one compute slice: about 1 to 3 ms
    CHAINS = 12
};

// Returns something that depends on all the work, so that none of it can be left out.
typedef uint64_t load_fn(const uint8_t *memory);

struct load {
    const char *name, *unit;
    double amount; // bytes or operations of one slice of one thread
    load_fn *run;
};

struct crew {
    const struct load *load;
    pthread_mutex_t gate; // held until all members exist
    bool is_abandoned;
    pthread_barrier_t barrier;
    int n_threads;
};

struct member {
    struct crew *crew;
    uint8_t *memory;
    int cpu;
    uint64_t result;
    double start_s[SLICES], end_s[SLICES];
    pthread_t thread;
};

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint64_t read_avx2(const uint8_t *memory) {
    __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
    for (size_t at = 0; at < PART_BYTES; at += 128) {
        const __m256i *line = (const __m256i *)(memory + at);
        a = _mm256_add_epi64(a, _mm256_load_si256(line));
        b = _mm256_add_epi64(b, _mm256_load_si256(line + 1));
        c = _mm256_add_epi64(c, _mm256_load_si256(line + 2));
        d = _mm256_add_epi64(d, _mm256_load_si256(line + 3));
    }
    a = _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
    return (uint64_t)_mm256_extract_epi64(a, 0);
}

// Assembly, because compilers fold equal chains into one or keep them in memory. Twelve chains in
// registers 0 to 11; the operands are zero, which is as fast as any number that is not denormal.
__attribute__((target("avx2,fma"))) static uint64_t float_avx2(const uint8_t *memory) {
    uint64_t turns = LOOPS;
    __asm__ volatile("vzeroall\n1:\n.irp r,0,1,2,3,4,5,6,7,8,9,10,11\n"
                     "vfmadd231ps %%ymm14,%%ymm15,%%ymm\\r\n.endr\ndec %0\njnz 1b"
                     : "+r"(turns)::"cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm13");
    return turns + memory[0];
}

// Products of bytes summed in 16 bits: the longest chain that AVX2 allows before it must widen.
__attribute__((target("avx2"))) static uint64_t int8_avx2(const uint8_t *memory) {
    uint64_t turns = LOOPS;
    __asm__ volatile("vzeroall\n1:\n.irp r,0,1,2,3,4,5,6,7,8,9,10,11\n"
                     "vpmaddubsw %%ymm14,%%ymm15,%%ymm13\nvpaddw %%ymm13,%%ymm\\r,%%ymm\\r\n"
                     ".endr\ndec %0\njnz 1b"
                     : "+r"(turns)::"cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm13");
    return turns + memory[0];
}

__attribute__((target("avx512f"))) static uint64_t float_avx512(const uint8_t *memory) {
    uint64_t turns = LOOPS;
    __asm__ volatile("vzeroall\n1:\n.irp r,0,1,2,3,4,5,6,7,8,9,10,11\n"
                     "vfmadd231ps %%zmm14,%%zmm15,%%zmm\\r\n.endr\ndec %0\njnz 1b\nvzeroupper"
                     : "+r"(turns)::"cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm13");
    return turns + memory[0];
}

__attribute__((target("avx512f,avx512vnni"))) static uint64_t int8_avx512(const uint8_t *memory) {
    uint64_t turns = LOOPS;
    __asm__ volatile("vzeroall\n1:\n.irp r,0,1,2,3,4,5,6,7,8,9,10,11\n"
                     "vpdpbusd %%zmm14,%%zmm15,%%zmm\\r\n.endr\ndec %0\njnz 1b\nvzeroupper"
                     : "+r"(turns)::"cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm13");
    return turns + memory[0];
}

__attribute__((target("avx512f,avx512bf16"))) static uint64_t bf16_avx512(const uint8_t *memory) {
    uint64_t turns = LOOPS;
    __asm__ volatile("vzeroall\n1:\n.irp r,0,1,2,3,4,5,6,7,8,9,10,11\n"
                     "vdpbf16ps %%zmm14,%%zmm15,%%zmm\\r\n.endr\ndec %0\njnz 1b\nvzeroupper"
                     : "+r"(turns)::"cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm13");
    return turns + memory[0];
}
#endif

static uint64_t read_plain(const uint8_t *memory) {
    uint64_t sums[8] = {0};
    for (size_t at = 0; at < PART_BYTES; at += sizeof sums) {
        uint64_t words[8];
        memcpy(words, memory + at, sizeof words);
        for (int i = 0; i < 8; i++)
            sums[i] += words[i];
    }
    return sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7];
}

static int available_loads(struct load *loads) {
    int n = 0;
    loads[n++] = (struct load){"read", "B/s", PART_BYTES, read_plain};
#if defined(__x86_64__)
    const double turns = (double)LOOPS * CHAINS;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        loads[0].run = read_avx2;
        loads[n++] = (struct load){"avx2_float", "op/s", turns * 16, float_avx2};
        loads[n++] = (struct load){"avx2_int8", "op/s", turns * 64, int8_avx2};
    }
    if (__builtin_cpu_supports("avx512f"))
        loads[n++] = (struct load){"avx512_float", "op/s", turns * 32, float_avx512};
    if (__builtin_cpu_supports("avx512vnni"))
        loads[n++] = (struct load){"avx512_int8", "op/s", turns * 128, int8_avx512};
    if (__builtin_cpu_supports("avx512bf16"))
        loads[n++] = (struct load){"avx512_bf16", "op/s", turns * 64, bf16_avx512};
#endif
    return n;
}

static void *work(void *argument) {
    struct member *member = argument;
    struct crew *crew = member->crew;
    pthread_mutex_lock(&crew->gate);
    bool is_abandoned = crew->is_abandoned;
    pthread_mutex_unlock(&crew->gate);
    if (is_abandoned) return NULL; // waiting for a missing member would never end
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((unsigned)member->cpu, &set);
    sched_setaffinity(0, sizeof set, &set); // refused: the scheduler decides, as for anybody
    for (int slice = 0; slice < SLICES; slice++) {
        pthread_barrier_wait(&crew->barrier);
        member->start_s[slice] = now_s();
        member->result += crew->load->run(member->memory);
        member->end_s[slice] = now_s();
    }
    return NULL;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void summarise(const struct member *members, const struct crew *crew,
                      struct roof_figure *figure) {
    double rates[SLICES];
    for (int slice = 0; slice < SLICES; slice++) {
        double start = members[0].start_s[slice], end = members[0].end_s[slice];
        for (int i = 1; i < crew->n_threads; i++) {
            if (members[i].start_s[slice] < start) start = members[i].start_s[slice];
            if (members[i].end_s[slice] > end) end = members[i].end_s[slice];
        }
        rates[slice] = crew->load->amount * crew->n_threads / (end - start);
    }
    qsort(rates, SLICES, sizeof *rates, compare);
    *figure = (struct roof_figure){crew->load->name, crew->load->unit, rates[SLICES - 1],
                                   rates[SLICES / 2]};
}

static bool measure_one(struct member *members, int n_threads, const struct load *load,
                        struct roof_figure *figure) {
    struct crew crew = {.load = load, .n_threads = n_threads};
    if (pthread_barrier_init(&crew.barrier, NULL, (unsigned)n_threads) != 0) return false;
    pthread_mutex_init(&crew.gate, NULL);
    pthread_mutex_lock(&crew.gate);
    int n_started = 0;
    for (; n_started < n_threads; n_started++) {
        members[n_started].crew = &crew;
        if (pthread_create(&members[n_started].thread, NULL, work, &members[n_started]) != 0) break;
    }
    crew.is_abandoned = n_started < n_threads;
    pthread_mutex_unlock(&crew.gate);
    for (int i = 0; i < n_started; i++)
        pthread_join(members[i].thread, NULL);
    if (!crew.is_abandoned) summarise(members, &crew, figure);
    pthread_mutex_destroy(&crew.gate);
    pthread_barrier_destroy(&crew.barrier);
    return !crew.is_abandoned;
}

// The i-th CPU of those this process may use, round again if there are too few.
static int cpu_of(int index) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
    int left = index % CPU_COUNT(&set);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set) && left-- == 0) return (int)cpu;
    return 0;
}

int roof_measure(struct roof_figure *figures, int n_threads, bool only_read) {
    struct load loads[ROOF_FIGURES_MAX];
    int n_loads = available_loads(loads), n_figures = 0;
    if (only_read) n_loads = 1;
    struct member *members = calloc((size_t)n_threads, sizeof *members);
    uint8_t *memory = aligned_alloc(64, (size_t)n_threads * PART_BYTES);
    for (int i = 0; members && memory && i < n_threads; i++) {
        members[i].memory = memory + (size_t)i * PART_BYTES;
        members[i].cpu = cpu_of(i);
        memset(members[i].memory, 1, PART_BYTES); // real pages
    }
    for (int i = 0; members && memory && i < n_loads; i++)
        if (measure_one(members, n_threads, &loads[i], &figures[n_figures])) n_figures++;
    free(memory);
    free(members);
    return n_figures;
}
