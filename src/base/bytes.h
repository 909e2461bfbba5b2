// SPDX-License-Identifier: Apache-2.0
// A bounded little-endian reader over bytes that nobody trusts, and overflow-safe size arithmetic.
// A read past the end returns false and leaves the reader where it was.
#ifndef XL_BASE_BYTES_H
#define XL_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bytes_reader {
    const uint8_t *data;
    size_t size_bytes;
    size_t offset_bytes;
};

bool bytes_read_u8(struct bytes_reader *reader, uint8_t *value);
bool bytes_read_u16(struct bytes_reader *reader, uint16_t *value);
bool bytes_read_u32(struct bytes_reader *reader, uint32_t *value);
bool bytes_read_u64(struct bytes_reader *reader, uint64_t *value);
bool bytes_read_f32(struct bytes_reader *reader, float *value);
// Points *span at length_bytes bytes inside the data (not copied) and steps over them.
bool bytes_read_span(struct bytes_reader *reader, uint64_t length_bytes, const uint8_t **span);
size_t bytes_left(const struct bytes_reader *reader);

// a*b and a+b into *result; false on overflow.
bool size_multiply(uint64_t a, uint64_t b, uint64_t *result);
bool size_add(uint64_t a, uint64_t b, uint64_t *result);

#ifdef __cplusplus
}
#endif
#endif
