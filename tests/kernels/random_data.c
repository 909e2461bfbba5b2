// SPDX-License-Identifier: Apache-2.0
#include "random_data.h"

#include "numeric/blocks.h"
#include "numeric/float16.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

const char *const data_mode_names[DATA_MODES] = {"random",   "exact", "extreme", "zero",
                                                 "denormal", "huge",  "damaged"};

static uint64_t state;

void random_seed(uint64_t seed) {
    state = seed * 2 + 1;
}

uint32_t random_bits(void) { // splitmix64 (Steele et al. 2014)
    state += 0x9e3779b97f4a7c15u;
    uint64_t z = state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 32);
}

int random_between(int low, int high) {
    return low + (int)(random_bits() % (uint32_t)(high - low + 1));
}

float random_float(float low, float high) {
    return low + (high - low) * ((float)(random_bits() >> 8) * 0x1p-24f);
}

void random_activations(float *x, int n, enum data_mode mode) {
    int direction = random_between(0, 2); // of extremes: all -127, all 127, mixed
    for (int i = 0; i < n; i++) {
        int sign = random_between(0, 1) ? 1 : -1;
        switch (mode) {
        case DATA_EXACT:
            x[i] = (float)(i % 32 == 0 ? 127 * sign : random_between(-127, 127));
            break;
        case DATA_EXTREME:
            x[i] = (float)(127 * (direction == 2 ? sign : 2 * direction - 1));
            break;
        case DATA_ZERO:
            x[i] = sign > 0 ? 0.0f : -0.0f;
            break;
        case DATA_DENORMAL:
            x[i] = random_float(-1, 1) * 0x1p-128f;
            break;
        case DATA_HUGE:
            x[i] = random_float(-1e20f, 1e20f);
            break;
        case DATA_DAMAGED:
            x[i] = random_between(0, 2000) == 0 ? NAN : random_float(-1, 1);
            break;
        default:
            x[i] = random_float(-1, 1) * random_float(0, 3);
        }
    }
}

static float random_weight(enum data_mode mode) {
    switch (mode) {
    case DATA_EXACT:
        return (float)random_between(-127, 127);
    case DATA_EXTREME:
        return 127.0f;
    case DATA_ZERO:
        return 0.0f;
    case DATA_DENORMAL:
        return random_float(-1, 1) * 0x1p-14f; // denormal as a half
    case DATA_HUGE:
        return random_float(-65504, 65504);
    case DATA_DAMAGED:
        return random_between(0, 2000) == 0 ? NAN : random_float(-0.2f, 0.2f);
    default:
        return random_float(-0.2f, 0.2f);
    }
}

// Where a block keeps its half-float scales, and the bytes of its group scales with the bits that
// an exact input may use there (so that sums stay below 2^24).
struct scale_place {
    int halves[2]; // offsets; -1: none
    int groups_offset, groups_bytes;
    uint8_t groups_mask;
};

static struct scale_place place_of(enum dtype dtype) {
    struct scale_place place = {{0, -1}, 0, 0, 0};
    switch (dtype) {
    case DTYPE_Q4_1:
    case DTYPE_Q5_1:
        place.halves[1] = 2;
        break;
    case DTYPE_Q2_K:
        place = (struct scale_place){
            {offsetof(struct block_q2_k, d), offsetof(struct block_q2_k, dmin)}, 0, 16, 0x33};
        break;
    case DTYPE_Q3_K: // scales of 32 to 35, that is 0 to 3
        place = (struct scale_place){
            {offsetof(struct block_q3_k, d), -1}, offsetof(struct block_q3_k, scales), 8, 0x33};
        break;
    case DTYPE_Q4_K:
    case DTYPE_Q5_K:
        place = (struct scale_place){{0, 2}, offsetof(struct block_q4_k, scales), 12, 0x03};
        break;
    case DTYPE_Q6_K:
        place = (struct scale_place){
            {offsetof(struct block_q6_k, d), -1}, offsetof(struct block_q6_k, scales), 16, 0x03};
        break;
    case DTYPE_IQ4_XS:
        place = (struct scale_place){{0, -1}, offsetof(struct block_iq4_xs, scales_l), 4, 0x33};
        break;
    default:
        break;
    }
    return place;
}

static uint16_t random_scale(enum data_mode mode) {
    switch (mode) {
    case DATA_EXACT:
    case DATA_EXTREME:
        return 0x3c00; // 1
    case DATA_ZERO:
        return 0;
    case DATA_DENORMAL:
        return (uint16_t)random_between(1, 0x3ff);
    case DATA_HUGE:
        return (uint16_t)(0x7bff | random_between(0, 1) << 15);
    case DATA_DAMAGED:
        return float_to_f16(random_between(0, 60) == 0 ? NAN : random_float(-0.02f, 0.02f));
    default:
        return float_to_f16(random_float(-0.02f, 0.02f));
    }
}

static void random_block(uint8_t *out, enum dtype dtype, int size_bytes, enum data_mode mode) {
    int direction = random_between(0, 1);
    for (int i = 0; i < size_bytes; i++)
        out[i] = mode == DATA_EXTREME ? (direction ? 0xff : 0x00) : (uint8_t)random_bits();
    struct scale_place place = place_of(dtype);
    if (mode == DATA_EXTREME && dtype == DTYPE_Q8_0) memset(out, direction ? 0x7f : 0x80, 34);
    for (int h = 0; h < 2; h++) {
        uint16_t half = random_scale(mode);
        if (place.halves[h] >= 0) memcpy(out + place.halves[h], &half, sizeof half);
    }
    if (mode != DATA_EXACT && mode != DATA_EXTREME) return;
    for (int i = 0; i < place.groups_bytes; i++)
        out[place.groups_offset + i] = (uint8_t)(random_bits() & place.groups_mask);
    if (dtype == DTYPE_Q3_K) memset(out + offsetof(struct block_q3_k, scales) + 8, 0xaa, 4);
    if (dtype == DTYPE_IQ4_XS) memset(out + offsetof(struct block_iq4_xs, scales_h), 0xaa, 2);
}

void random_weights(uint8_t *out, enum dtype dtype, size_t n_elements, enum data_mode mode) {
    const struct dtype_info *info = dtype_info(dtype);
    size_t n_blocks = n_elements / (size_t)info->block_elements;
    for (size_t b = 0; b < n_blocks; b++, out += info->block_bytes) {
        float value = random_weight(mode);
        uint16_t half = dtype == DTYPE_BF16 ? float_to_bf16(value) : float_to_f16(value);
        if (dtype == DTYPE_F32)
            memcpy(out, &value, sizeof value);
        else if (dtype == DTYPE_F16 || dtype == DTYPE_BF16)
            memcpy(out, &half, sizeof half);
        else
            random_block(out, dtype, info->block_bytes, mode);
    }
}
