// SPDX-License-Identifier: Apache-2.0
// Which level runs, and the climb: scalar fills every operation, each further level overrides what
// it does better. The result is a plain struct that callers hand around, never a global, so that a
// test may hold two at once.
#include "kernels/kernels.h"
#include "kernels/levels.h"

#include <string.h>

#ifndef XL_HAVE_AVX2
#define XL_HAVE_AVX2 0
#endif

static const char *const names[ISA_COUNT] = {"scalar", "avx2", "avx512", "amx"};

size_t act_row_bytes(enum act_format format, int k) {
    if (format == ACT_F32) return (size_t)k * sizeof(float);
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

static const char *avx2_missing_reason(void) {
    struct cpu_features cpu;
    cpu_features_read(&cpu);
    if (!XL_HAVE_AVX2) return "this build has no AVX2 kernels";
    if (!cpu.avx2 || !cpu.fma || !cpu.f16c) return "this CPU lacks AVX2, FMA or F16C";
    if (!cpu.os_avx) return "the operating system does not save the AVX registers";
    return NULL;
}

const char *isa_missing_reason(enum isa isa) {
    switch (isa) {
    case ISA_SCALAR:
        return NULL;
    case ISA_AVX2:
        return avx2_missing_reason();
    case ISA_AVX512:
        return "this build has no AVX-512 kernels";
    case ISA_AMX:
        return "this build has no AMX kernels";
    default:
        return "there is no such level";
    }
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
    if (isa < ISA_AVX2 || !isa_available(ISA_AVX2)) return;
#if XL_HAVE_AVX2
    kernels_fill_avx2(kernels);
#endif
    kernels->isa = ISA_AVX2;
}
