// SPDX-License-Identifier: Apache-2.0
// Rows to blocks: chooses the weights of the search and the writer of the format.
#include "quantize/quantize.h"

#include "numeric/blocks.h"
#include "numeric/float16.h"
#include "quantize/block_writers.h"

#include <float.h>
#include <math.h>

static const float half_max = 65504.0f;

struct format {
    block_writer write; // NULL for plain numbers
    block_keeper keep;  // NULL where no search for exact blocks is offered
    float reach;        // largest multiple of the half-float scale that every sign can have
};

static struct format format_of(enum dtype dtype) {
    switch (dtype) {
    case DTYPE_Q4_0:
        return (struct format){write_q4_0, keep_q4_0, 7};
    case DTYPE_Q4_1:
        return (struct format){write_q4_1, keep_q4_1, 1};
    case DTYPE_Q5_0:
        return (struct format){write_q5_0, keep_q5_0, 15};
    case DTYPE_Q5_1:
        return (struct format){write_q5_1, keep_q5_1, 1};
    case DTYPE_Q8_0:
        return (struct format){write_q8_0, keep_q8_0, 127};
    case DTYPE_Q4_K:
        return (struct format){write_q4_k, NULL, 63};
    case DTYPE_Q5_K:
        return (struct format){write_q5_k, NULL, 63};
    case DTYPE_Q6_K:
        return (struct format){write_q6_k, keep_q6_k, 127 * 31};
    default:
        return (struct format){NULL, NULL, 0};
    }
}

bool quantize_supported(enum dtype dtype) {
    return dtype == DTYPE_F32 || dtype == DTYPE_F16 || dtype == DTYPE_BF16 ||
           format_of(dtype).write;
}

bool quantize_keeps(enum dtype dtype) {
    struct format format = format_of(dtype);
    return format.write ? format.keep != NULL : quantize_supported(dtype);
}

float quantize_magnitude_max(enum dtype dtype) {
    if (dtype == DTYPE_F32) return FLT_MAX;
    if (dtype == DTYPE_BF16) return 0x1.fep127f;
    if (dtype == DTYPE_F16) return half_max;
    return format_of(dtype).reach * half_max;
}

bool quantize_finite(const float *x, size_t n) {
    uint32_t bad = 0; // no branch, so that the compiler can use vectors
    for (size_t i = 0; i < n; i++) {
        bad |= (uint32_t)((float_to_bits(x[i]) & 0x7f800000u) == 0x7f800000u);
    }
    return bad == 0;
}

// An error in a large weight costs more than the same error in a small one: large weights meet the
// activations that matter. sigma keeps small weights from being forgotten.
static void weigh_block(const float *x, int n, float mean_square, const float *importance,
                        float *w) {
    for (int i = 0; i < n; i++) {
        w[i] = sqrtf(mean_square + x[i] * x[i]);
        if (importance) w[i] *= importance[i];
    }
}

static void write_row(struct format format, const struct dtype_info *info, const float *x,
                      uint8_t *dst, size_t n_columns, const float *importance) {
    const int block_elements = info->block_elements;
    double total = 0;
    for (size_t i = 0; i < n_columns; i++) {
        total += (double)x[i] * (double)x[i];
    }
    const float mean_square = (float)(total / (double)n_columns);
    const float limit = format.reach * half_max;
    for (size_t at = 0; at < n_columns; at += (size_t)block_elements, dst += info->block_bytes) {
        if (format.keep && format.keep(x + at, dst)) continue;
        float block[BLOCK_SUPER], w[BLOCK_SUPER];
        for (int i = 0; i < block_elements; i++) {
            float value = x[at + (size_t)i];
            block[i] = value > limit ? limit : value < -limit ? -limit : value;
        }
        weigh_block(block, block_elements, mean_square, importance ? importance + at : NULL, w);
        format.write(block, w, dst);
    }
}

static void write_halves(enum dtype dtype, const float *x, uint8_t *dst, size_t n) {
    const float limit = quantize_magnitude_max(dtype);
    for (size_t i = 0; i < n; i++) {
        float value = x[i] > limit ? limit : x[i] < -limit ? -limit : x[i];
        uint16_t half = dtype == DTYPE_BF16 ? float_to_bf16(value) : float_to_f16(value);
        dst[2 * i] = (uint8_t)half;
        dst[2 * i + 1] = (uint8_t)(half >> 8);
    }
}

void quantize_rows(enum dtype dtype, const float *x, void *dst, size_t n_rows, size_t n_columns,
                   const float *importance) {
    const struct dtype_info *info = dtype_info((uint32_t)dtype);
    const struct format format = format_of(dtype);
    if (dtype == DTYPE_F32) {
        memcpy(dst, x, n_rows * n_columns * sizeof *x);
    } else if (!format.write) {
        write_halves(dtype, x, dst, n_rows * n_columns);
    } else {
        size_t row_bytes = n_columns / (size_t)info->block_elements * (size_t)info->block_bytes;
        for (size_t row = 0; row < n_rows; row++) {
            write_row(format, info, x + row * n_columns, (uint8_t *)dst + row * row_bytes,
                      n_columns, importance);
        }
    }
}
