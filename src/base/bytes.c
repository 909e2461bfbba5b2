// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <string.h>

size_t bytes_left(const struct bytes_reader *reader) {
    return reader->size_bytes - reader->offset_bytes;
}

bool bytes_read_span(struct bytes_reader *reader, uint64_t length_bytes, const uint8_t **span) {
    if (length_bytes > bytes_left(reader)) return false;
    *span = reader->data + reader->offset_bytes;
    reader->offset_bytes += (size_t)length_bytes;
    return true;
}

// Assembles n little-endian bytes; n is 1, 2, 4 or 8.
static bool read_integer(struct bytes_reader *reader, int n, uint64_t *value) {
    const uint8_t *p;
    if (!bytes_read_span(reader, (uint64_t)n, &p)) return false;
    uint64_t v = 0;
    for (int i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    *value = v;
    return true;
}

bool bytes_read_u8(struct bytes_reader *reader, uint8_t *value) {
    uint64_t v;
    if (!read_integer(reader, 1, &v)) return false;
    *value = (uint8_t)v;
    return true;
}

bool bytes_read_u16(struct bytes_reader *reader, uint16_t *value) {
    uint64_t v;
    if (!read_integer(reader, 2, &v)) return false;
    *value = (uint16_t)v;
    return true;
}

bool bytes_read_u32(struct bytes_reader *reader, uint32_t *value) {
    uint64_t v;
    if (!read_integer(reader, 4, &v)) return false;
    *value = (uint32_t)v;
    return true;
}

bool bytes_read_u64(struct bytes_reader *reader, uint64_t *value) {
    return read_integer(reader, 8, value);
}

bool bytes_read_f32(struct bytes_reader *reader, float *value) {
    uint32_t bits;
    if (!bytes_read_u32(reader, &bits)) return false;
    memcpy(value, &bits, sizeof bits);
    return true;
}

bool size_multiply(uint64_t a, uint64_t b, uint64_t *result) {
    return !__builtin_mul_overflow(a, b, result);
}

bool size_add(uint64_t a, uint64_t b, uint64_t *result) {
    return !__builtin_add_overflow(a, b, result);
}
