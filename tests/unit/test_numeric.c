// SPDX-License-Identifier: Apache-2.0
// Number formats: half floats against an independent definition (all of them), block formats bit by
// bit against golden bytes (tests/golden/make_blocks.py), the table of types.
#include "harness.h"
#include "numeric/blocks.h"
#include "numeric/dtype.h"
#include "numeric/float16.h"

#include <math.h>
#include <stdlib.h>

// What a small float format means, from its definition: sign, exponent, fraction.
static double value_of(uint32_t bits, int exponent_bits, int fraction_bits) {
    int bias = (1 << (exponent_bits - 1)) - 1;
    uint32_t fraction = bits & ((1u << fraction_bits) - 1);
    int exponent = (int)(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
    double sign = bits >> (exponent_bits + fraction_bits) & 1 ? -1 : 1;
    if (exponent == (1 << exponent_bits) - 1) return fraction ? NAN : sign * INFINITY;
    if (exponent == 0) return sign * ldexp(fraction, 1 - bias - fraction_bits);
    return sign * ldexp(1 + ldexp(fraction, -fraction_bits), exponent - bias);
}

static enum test_result run_f16_expand(void) {
    for (uint32_t half = 0; half < 65536; half++) {
        double expected = value_of(half, 5, 10);
        float value = float_from_f16((uint16_t)half);
        if (isnan(expected)) {
            CHECK(isnan(value));
            CHECK(isnan(float_from_f16(float_to_f16(value))));
            continue;
        }
        CHECK_MESSAGE((double)value == expected && !signbit(value) == !(half >> 15), "%04x", half);
        CHECK_MESSAGE(float_to_f16(value) == half, "%04x does not survive", half);
    }
    return TEST_PASS;
}

static enum test_result run_bf16_expand(void) {
    for (uint32_t half = 0; half < 65536; half++) {
        double expected = value_of(half, 8, 7);
        float value = float_from_bf16((uint16_t)half);
        if (isnan(expected)) {
            CHECK(isnan(value));
            CHECK(isnan(float_from_bf16(float_to_bf16(value))));
            continue;
        }
        CHECK_MESSAGE((double)value == expected, "%04x", half);
        CHECK_MESSAGE(float_to_bf16(value) == half, "%04x does not survive", half);
    }
    return TEST_PASS;
}

// Between every two neighbours of a format: just below the middle goes down, just above goes up,
// the middle itself goes to the neighbour whose last bit is 0. `top` is the largest finite number.
static enum test_result check_rounding(uint16_t (*narrow)(float), int exponent_bits,
                                       int fraction_bits, uint32_t top) {
    for (uint32_t half = 0; half <= top; half++) {
        double low = value_of(half, exponent_bits, fraction_bits);
        double high = half == top ? 2 * low - value_of(half - 1, exponent_bits, fraction_bits)
                                  : value_of(half + 1, exponent_bits, fraction_bits);
        float middle = (float)((low + high) / 2);
        if ((double)middle != (low + high) / 2) continue; // below float's own subnormals
        uint32_t even = half + (half & 1);
        CHECK_MESSAGE(narrow(middle) == even, "tie above %04x", half);
        CHECK_MESSAGE(narrow(-middle) == (even | 0x8000), "tie below -%04x", half);
        CHECK_MESSAGE(narrow(nextafterf(middle, 0)) == half, "below the middle of %04x", half);
        CHECK_MESSAGE(narrow(nextafterf(middle, INFINITY)) == half + 1, "above %04x", half);
    }
    CHECK(narrow(INFINITY) == top + 1);
    CHECK(narrow(-INFINITY) == (top + 1 + 0x8000));
    CHECK(narrow(0.0f) == 0 && narrow(-0.0f) == 0x8000);
    CHECK((narrow(NAN) & 0x7fff) > top + 1);
    // A NaN whose payload sits only in low bits must not become an infinity.
    CHECK((narrow(float_from_bits(0x7f800001)) & 0x7fff) > top + 1);
    return TEST_PASS;
}

static enum test_result run_f16_rounding(void) {
    CHECK(float_to_f16(65519.9f) == 0x7bff && float_to_f16(65520.0f) == 0x7c00);
    CHECK(float_to_f16(1e30f) == 0x7c00 && float_to_f16(1e-30f) == 0);
    return check_rounding(float_to_f16, 5, 10, 0x7bff);
}

static enum test_result run_bf16_rounding(void) {
    return check_rounding(float_to_bf16, 8, 7, 0x7f7f);
}

static uint32_t load_u32(const uint8_t *data) {
    return (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 |
           (uint32_t)data[3] << 24;
}

static uint8_t *read_golden(size_t *size_bytes) {
    char path[4096];
    if (!harness_repo_path("tests/golden/blocks.bin", path, sizeof path)) return NULL;
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    enum { CAPACITY = 1 << 20 };
    uint8_t *data = malloc(CAPACITY);
    *size_bytes = data ? fread(data, 1, CAPACITY, file) : 0;
    fclose(file);
    return data;
}

// One record of blocks.bin; *used is its length.
static enum test_result check_record(const uint8_t *record, size_t left, size_t *used) {
    CHECK(left >= 12);
    uint32_t id = load_u32(record), n = load_u32(record + 4), block_bytes = load_u32(record + 8);
    CHECK(n <= 512 && left >= 12 + (size_t)block_bytes + 4 * (size_t)n);
    uint64_t size_bytes;
    CHECK(dtype_size_bytes((enum dtype)id, n, &size_bytes) && size_bytes == block_bytes);
    // An odd address: src needs no alignment. malloc so that a sanitizer sees overruns.
    uint8_t *shifted = malloc((size_t)block_bytes + 1);
    float *values = malloc(n * sizeof *values);
    CHECK(shifted && values);
    memcpy(shifted + 1, record + 12, block_bytes);
    CHECK(dequantize_row((enum dtype)id, shifted + 1, values, n));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t expected = load_u32(record + 12 + block_bytes + 4 * (size_t)i);
        CHECK_MESSAGE(float_to_bits(values[i]) == expected, "%s element %u: %a, expected %a",
                      dtype_info(id)->name, (unsigned)i, (double)values[i],
                      (double)float_from_bits(expected));
    }
    free(shifted);
    free(values);
    *used = 12 + (size_t)block_bytes + 4 * (size_t)n;
    return TEST_PASS;
}

static enum test_result run_golden(void) {
    size_t size_bytes = 0;
    uint8_t *golden = read_golden(&size_bytes);
    CHECK(golden);
    int n_records = 0;
    for (size_t at = 0, used = 0; at < size_bytes; at += used, n_records++) {
        if (check_record(golden + at, size_bytes - at, &used) != TEST_PASS) return TEST_FAIL;
    }
    free(golden);
    CHECK(n_records == 14); // every weight type but f32
    return TEST_PASS;
}

static enum test_result run_table(void) {
    int n_weights = 0;
    for (uint32_t id = 0; id < DTYPE_COUNT; id++) {
        const struct dtype_info *info = dtype_info(id);
        if (!info->name) continue;
        enum dtype dtype;
        CHECK(dtype_from_name(info->name, &dtype) && (uint32_t)dtype == id);
        CHECK(info->block_elements >= 1 && info->block_bytes >= 1);
        n_weights += info->is_weight;
        float values[BLOCK_SUPER];
        uint8_t zeros[BLOCK_SUPER * 8] = {0};
        CHECK(dequantize_row(dtype, zeros, values, BLOCK_SUPER) == info->is_weight);
    }
    CHECK(n_weights == 15);
    enum dtype dtype;
    CHECK(!dtype_from_name("q4_2", &dtype) && !dtype_from_name("", &dtype));
    CHECK(!dtype_info(4)->name && !dtype_info(DTYPE_COUNT)->name && !dtype_info(UINT32_MAX)->name);
    return TEST_PASS;
}

static enum test_result run_sizes(void) {
    uint64_t size_bytes = 7;
    CHECK(dtype_size_bytes(DTYPE_Q4_K, 512, &size_bytes) && size_bytes == 288);
    CHECK(dtype_size_bytes(DTYPE_Q4_0, 0, &size_bytes) && size_bytes == 0);
    CHECK(!dtype_size_bytes(DTYPE_Q4_0, 31, &size_bytes));
    CHECK(!dtype_size_bytes(DTYPE_Q6_K, 128, &size_bytes));
    CHECK(!dtype_size_bytes(DTYPE_F32, UINT64_MAX / 2, &size_bytes));
    CHECK(!dtype_size_bytes((enum dtype)4, 32, &size_bytes));
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"f16_expand", "every half float, and back", run_f16_expand},
        {"bf16_expand", "every bfloat16, and back", run_bf16_expand},
        {"f16_rounding", "ties and neighbours of every half float", run_f16_rounding},
        {"bf16_rounding", "ties and neighbours of every bfloat16", run_bf16_rounding},
        {"golden", "block formats bit by bit against the oracle's floats", run_golden},
        {"table", "names and ids", run_table},
        {"sizes", "sizes, partial blocks and overflow", run_sizes},
    };
    return harness_main("numeric", tests, sizeof tests / sizeof *tests, argc, argv);
}
