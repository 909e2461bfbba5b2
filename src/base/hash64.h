// SPDX-License-Identifier: Apache-2.0
// XXH64 (Yann Collet's published specification): finds damage, not malice.
#ifndef XL_BASE_HASH64_H
#define XL_BASE_HASH64_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

uint64_t hash64(const void *data, size_t size_bytes, uint64_t seed);

#ifdef __cplusplus
}
#endif
#endif
