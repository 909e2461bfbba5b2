// SPDX-License-Identifier: Apache-2.0
// The table of number formats. Ids that GGUF assigns to formats which this program does not read
// stay empty, so a file that uses one is refused by number instead of misread.
#include "numeric/dtype.h"

#include "numeric/blocks.h"

#include <stddef.h>
#include <string.h>

// The files store these structs as they lie in memory; a compiler that pads them must not build.
_Static_assert(sizeof(struct block_q4_0) == 18, "q4_0 layout");
_Static_assert(sizeof(struct block_q4_1) == 20, "q4_1 layout");
_Static_assert(sizeof(struct block_q5_0) == 22, "q5_0 layout");
_Static_assert(sizeof(struct block_q5_1) == 24, "q5_1 layout");
_Static_assert(sizeof(struct block_q8_0) == 34, "q8_0 layout");
_Static_assert(sizeof(struct block_q2_k) == 84, "q2_k layout");
_Static_assert(sizeof(struct block_q3_k) == 110, "q3_k layout");
_Static_assert(sizeof(struct block_q4_k) == 144, "q4_k layout");
_Static_assert(sizeof(struct block_q5_k) == 176, "q5_k layout");
_Static_assert(sizeof(struct block_q6_k) == 210, "q6_k layout");
_Static_assert(sizeof(struct block_iq4_nl) == 18, "iq4_nl layout");
_Static_assert(sizeof(struct block_iq4_xs) == 136, "iq4_xs layout");

static const struct dtype_info table[DTYPE_COUNT] = {
    [DTYPE_F32] = {"f32", 1, 4, true},
    [DTYPE_F16] = {"f16", 1, 2, true},
    [DTYPE_Q4_0] = {"q4_0", BLOCK_SMALL, sizeof(struct block_q4_0), true},
    [DTYPE_Q4_1] = {"q4_1", BLOCK_SMALL, sizeof(struct block_q4_1), true},
    [DTYPE_Q5_0] = {"q5_0", BLOCK_SMALL, sizeof(struct block_q5_0), true},
    [DTYPE_Q5_1] = {"q5_1", BLOCK_SMALL, sizeof(struct block_q5_1), true},
    [DTYPE_Q8_0] = {"q8_0", BLOCK_SMALL, sizeof(struct block_q8_0), true},
    [DTYPE_Q2_K] = {"q2_k", BLOCK_SUPER, sizeof(struct block_q2_k), true},
    [DTYPE_Q3_K] = {"q3_k", BLOCK_SUPER, sizeof(struct block_q3_k), true},
    [DTYPE_Q4_K] = {"q4_k", BLOCK_SUPER, sizeof(struct block_q4_k), true},
    [DTYPE_Q5_K] = {"q5_k", BLOCK_SUPER, sizeof(struct block_q5_k), true},
    [DTYPE_Q6_K] = {"q6_k", BLOCK_SUPER, sizeof(struct block_q6_k), true},
    [DTYPE_IQ4_NL] = {"iq4_nl", BLOCK_SMALL, sizeof(struct block_iq4_nl), true},
    [DTYPE_IQ4_XS] = {"iq4_xs", BLOCK_SUPER, sizeof(struct block_iq4_xs), true},
    [DTYPE_I8] = {"i8", 1, 1, false},
    [DTYPE_I16] = {"i16", 1, 2, false},
    [DTYPE_I32] = {"i32", 1, 4, false},
    [DTYPE_I64] = {"i64", 1, 8, false},
    [DTYPE_F64] = {"f64", 1, 8, false},
    [DTYPE_BF16] = {"bf16", 1, 2, true},
};

const struct dtype_info *dtype_info(uint32_t id) {
    static const struct dtype_info unknown = {NULL, 1, 0, false};
    return id < DTYPE_COUNT ? &table[id] : &unknown;
}

bool dtype_from_name(const char *name, enum dtype *dtype) {
    for (int id = 0; id < DTYPE_COUNT; id++) {
        if (!table[id].name || strcmp(table[id].name, name) != 0) continue;
        *dtype = (enum dtype)id;
        return true;
    }
    return false;
}

bool dtype_size_bytes(enum dtype dtype, uint64_t n_elements, uint64_t *size_bytes) {
    const struct dtype_info *info = dtype_info((uint32_t)dtype);
    if (!info->name || n_elements % (uint64_t)info->block_elements != 0) return false;
    uint64_t n_blocks = n_elements / (uint64_t)info->block_elements;
    if (n_blocks > UINT64_MAX / (uint64_t)info->block_bytes) return false;
    *size_bytes = n_blocks * (uint64_t)info->block_bytes;
    return true;
}
