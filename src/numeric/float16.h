// SPDX-License-Identifier: Apache-2.0
// IEEE 754 half precision and bfloat16, by integer arithmetic: the definition of truth for the
// kernels, and the same result on every machine. Rounding is to nearest even; NaN stays NaN.
#ifndef XL_NUMERIC_FLOAT16_H
#define XL_NUMERIC_FLOAT16_H

#include <stdint.h>
#include <string.h>

static inline float float_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t float_to_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float float_from_bf16(uint16_t half) {
    return float_from_bits((uint32_t)half << 16);
}

static inline uint16_t float_to_bf16(float value) {
    uint32_t bits = float_to_bits(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40); // quiet NaN
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

static inline float float_from_f16(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = half >> 10 & 0x1f;
    uint32_t mantissa = half & 0x3ff;
    if (exponent == 0) { // zero or subnormal: mantissa * 2^-24, exact in float
        float magnitude = (float)mantissa * 0x1p-24f;
        return float_from_bits(float_to_bits(magnitude) | sign);
    }
    if (exponent == 31) return float_from_bits(sign | 0x7f800000u | mantissa << 13);
    return float_from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

static inline uint16_t float_to_f16(float value) {
    uint32_t bits = float_to_bits(value);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u) return sign | 0x7e00;  // NaN
    if (bits >= 0x477ff000u) return sign | 0x7c00; // rounds to 65536 or more: infinity
    if (bits <
        0x38800000u) { // below 2^-14: subnormal half; adding 0.5 lines the bits up and rounds
        float shifted = float_from_bits(bits) + 0.5f;
        return sign | (uint16_t)(float_to_bits(shifted) - 0x3f000000u);
    }
    bits += 0xfffu + (bits >> 13 & 1); // round to nearest even at bit 13
    return sign | (uint16_t)((bits - 0x38000000u) >> 13);
}

#endif
