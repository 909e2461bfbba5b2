// SPDX-License-Identifier: Apache-2.0
// Which level runs, and the climb: scalar fills every operation, each further level overrides what
// it does better. The result is a plain struct that callers hand around, never a global, so that a
// test may hold two at once.
#include "kernels/kernels.h"
#include "kernels/levels.h"

#include <string.h>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#ifndef XL_HAVE_X86_LEVELS
#define XL_HAVE_X86_LEVELS 0
#endif

static const char *const names[ISA_COUNT] = {"scalar", "avx2", "avx512", "amx"};

size_t act_row_bytes(enum act_format format, int k) {
    if (format == ACT_F32) return (size_t)k * sizeof(float);
    if (format == ACT_BF16) return ((size_t)k * sizeof(uint16_t) + 63) / 64 * 64;
    return ((size_t)k + ACT_CHUNK - 1) / ACT_CHUNK * sizeof(struct act_chunk_q8);
}

const char *isa_name(enum isa isa) {
    return isa >= ISA_SCALAR && isa < ISA_COUNT ? names[isa] : "unknown";
}

bool isa_from_name(const char *name, enum isa *isa) {
    for (int i = 0; i < ISA_COUNT; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *isa = (enum isa)i;
        return true;
    }
    return false;
}

static const char *avx2_missing_reason(const struct cpu_features *cpu) {
    if (!cpu->avx2 || !cpu->fma || !cpu->f16c) return "this CPU lacks AVX2, FMA or F16C";
    if (!cpu->os_avx) return "the operating system does not save the AVX registers";
    return NULL;
}

static const char *avx512_missing_reason(const struct cpu_features *cpu) {
    const char *reason = avx2_missing_reason(cpu);
    if (reason) return reason;
    if (!cpu->avx512f || !cpu->avx512bw || !cpu->avx512vl || !cpu->avx512dq || !cpu->avx512vnni)
        return "this CPU lacks AVX-512 F, BW, VL, DQ or VNNI";
    if (!cpu->os_avx512) return "the operating system does not save the AVX-512 registers";
    return NULL;
}

// Linux gives the tile registers only to a process that asked (once, before its threads start; the
// kernel's documentation "x86/xstate"). Asking again is harmless.
static bool amx_permitted(void) {
#if defined(__linux__) && defined(__x86_64__)
    enum { ARCH_REQUEST_PERMISSION = 0x1023, FEATURE_TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQUEST_PERMISSION, FEATURE_TILE_DATA) == 0;
#else
    return false;
#endif
}

static const char *amx_missing_reason(const struct cpu_features *cpu) {
    const char *reason = avx512_missing_reason(cpu);
    if (reason) return reason;
    if (!cpu->amx_tile || !cpu->amx_int8 || !cpu->amx_bf16 || !cpu->avx512bf16)
        return "this CPU lacks AMX (TILE, INT8, BF16) or AVX-512 BF16";
    if (!cpu->os_amx) return "the operating system does not save the AMX registers";
    if (!amx_permitted()) return "the operating system did not permit AMX to this process";
    return NULL;
}

const char *isa_missing_reason(enum isa isa) {
    struct cpu_features cpu;
    if (isa == ISA_SCALAR) return NULL;
    if (isa < 0 || isa >= ISA_COUNT) return "there is no such level";
    if (!XL_HAVE_X86_LEVELS) return "this build has no kernels for x86-64";
    cpu_features_read(&cpu);
    if (isa == ISA_AVX2) return avx2_missing_reason(&cpu);
    return isa == ISA_AVX512 ? avx512_missing_reason(&cpu) : amx_missing_reason(&cpu);
}

bool isa_available(enum isa isa) {
    return isa_missing_reason(isa) == NULL;
}

enum isa isa_best(void) {
    enum isa best = ISA_SCALAR;
    for (int i = ISA_SCALAR + 1; i < ISA_COUNT; i++)
        if (isa_available((enum isa)i)) best = (enum isa)i;
    return best;
}

void kernels_select(struct kernels *kernels, enum isa isa) {
    memset(kernels, 0, sizeof *kernels);
    kernels_fill_scalar(kernels);
    kernels->isa = ISA_SCALAR;
#if XL_HAVE_X86_LEVELS
    struct cpu_features cpu;
    cpu_features_read(&cpu);
    if (isa >= ISA_AVX2 && isa_available(ISA_AVX2)) {
        kernels_fill_avx2(kernels);
        kernels->isa = ISA_AVX2;
    }
    if (isa >= ISA_AVX512 && isa_available(ISA_AVX512)) {
        kernels_fill_avx512(kernels, cpu.avx512bf16);
        kernels->isa = ISA_AVX512;
    }
    if (isa >= ISA_AMX && isa_available(ISA_AMX)) {
        kernels_fill_amx(kernels);
        kernels->isa = ISA_AMX;
    }
#else
    (void)isa;
#endif
}
