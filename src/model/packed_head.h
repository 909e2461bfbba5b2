// SPDX-License-Identifier: Apache-2.0
// The first bytes of a cache file of packed weights, for the two files that make and compare them.
#ifndef XL_MODEL_PACKED_HEAD_H
#define XL_MODEL_PACKED_HEAD_H

#include <stdint.h>

// Source, then state: all files of one checkpoint begin alike.
#define PACKED_NAME_FORMAT "%016llx-%016llx.packed"

enum { HASH_BLOCK_BYTES = 1 << 20, PACKED_NAME_SOURCE = 16 };

struct packed_header {
    char magic[8];
    uint32_t byte_order, version;
    uint64_t source, state; // hashes of the checkpoint's path and of its files' states
    uint64_t n_tensors, head_bytes, panels_bytes;
    uint64_t head_hash; // of everything before the panels with this field 0
};

#endif
