// SPDX-License-Identifier: Apache-2.0
// What the CPU has (CPUID) and what the operating system saves (XCR0). A level needs both: an
// instruction set whose registers the system does not save would corrupt other threads.
#include "kernels/kernels.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

static bool bit(unsigned value, int index) {
    return value >> index & 1;
}

// The registers that the operating system saves and restores; only valid if OSXSAVE is set.
static unsigned read_xcr0(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static void read_brand(char brand[49]) {
    unsigned a, b, c, d;
    if (!__get_cpuid(0x80000000u, &a, &b, &c, &d) || a < 0x80000004u) return;
    for (unsigned i = 0; i < 3; i++) {
        unsigned words[4];
        __get_cpuid(0x80000002u + i, &words[0], &words[1], &words[2], &words[3]);
        memcpy(brand + 16 * i, words, sizeof words);
    }
    brand[48] = '\0';
}

void cpu_features_read(struct cpu_features *features) {
    unsigned a, b, c, d;
    memset(features, 0, sizeof *features);
    read_brand(features->brand);
    if (!__get_cpuid(1, &a, &b, &c, &d)) return;
    features->fma = bit(c, 12);
    features->f16c = bit(c, 29);
    unsigned xcr0 = bit(c, 27) ? read_xcr0() : 0;
    features->os_avx = (xcr0 & 0x6) == 0x6;         // xmm, ymm
    features->os_avx512 = (xcr0 & 0xe6) == 0xe6;    // and masks, zmm
    features->os_amx = (xcr0 & 0x60000) == 0x60000; // tile configuration, tiles
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
    features->avx2 = bit(b, 5);
    features->avx512f = bit(b, 16);
    features->avx512dq = bit(b, 17);
    features->avx512bw = bit(b, 30);
    features->avx512vl = bit(b, 31);
    features->avx512vnni = bit(c, 11);
    features->amx_bf16 = bit(d, 22);
    features->amx_tile = bit(d, 24);
    features->amx_int8 = bit(d, 25);
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d)) features->avx512bf16 = bit(a, 5);
}
#else
void cpu_features_read(struct cpu_features *features) {
    memset(features, 0, sizeof *features);
}
#endif
