// SPDX-License-Identifier: Apache-2.0
// See hash64.h. Four running sums over stripes of 32 bytes, merged, then the tail byte by byte.
#include "base/hash64.h"

#include <string.h>

static const uint64_t PRIME_1 = 0x9e3779b185ebca87u;
static const uint64_t PRIME_2 = 0xc2b2ae3d27d4eb4fu;
static const uint64_t PRIME_3 = 0x165667b19e3779f9u;
static const uint64_t PRIME_4 = 0x85ebca77c2b2ae63u;
static const uint64_t PRIME_5 = 0x27d4eb2f165667c5u;

static uint64_t rotate(uint64_t x, int bits) {
    return x << bits | x >> (64 - bits);
}

static uint64_t read_u64(const uint8_t *p) { // little-endian, as all our machines are
    uint64_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

static uint64_t read_u32(const uint8_t *p) {
    uint32_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

static uint64_t mix(uint64_t sum, uint64_t lane) {
    return rotate(sum + lane * PRIME_2, 31) * PRIME_1;
}

static uint64_t hash_stripes(const uint8_t **data, size_t n_stripes, uint64_t seed) {
    uint64_t sums[4] = {seed + PRIME_1 + PRIME_2, seed + PRIME_2, seed, seed - PRIME_1};
    const uint8_t *p = *data;
    for (; n_stripes > 0; n_stripes--)
        for (int lane = 0; lane < 4; lane++, p += 8)
            sums[lane] = mix(sums[lane], read_u64(p));
    uint64_t hash =
        rotate(sums[0], 1) + rotate(sums[1], 7) + rotate(sums[2], 12) + rotate(sums[3], 18);
    for (int lane = 0; lane < 4; lane++)
        hash = (hash ^ mix(0, sums[lane])) * PRIME_1 + PRIME_4;
    *data = p;
    return hash;
}

uint64_t hash64(const void *data, size_t size_bytes, uint64_t seed) {
    const uint8_t *p = data;
    size_t left = size_bytes % 32;
    uint64_t hash = seed + PRIME_5;
    if (size_bytes >= 32) hash = hash_stripes(&p, size_bytes / 32, seed);
    hash += size_bytes;
    for (; left >= 8; left -= 8, p += 8)
        hash = rotate(hash ^ mix(0, read_u64(p)), 27) * PRIME_1 + PRIME_4;
    if (left >= 4) {
        hash = rotate(hash ^ read_u32(p) * PRIME_1, 23) * PRIME_2 + PRIME_3;
        left -= 4, p += 4;
    }
    for (; left > 0; left--, p++)
        hash = rotate(hash ^ *p * PRIME_5, 11) * PRIME_1;
    hash = (hash ^ hash >> 33) * PRIME_2;
    hash = (hash ^ hash >> 29) * PRIME_3;
    return hash ^ hash >> 32;
}
