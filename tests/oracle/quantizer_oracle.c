// SPDX-License-Identifier: Apache-2.0
// Our quantizers beside ggml's on the same random rows: root mean square errors, plain and weighted
// by the search's own weights, without and with column importance. Ours must not be worse.
// Built and run by check-quantizers.
#include "ggml.h"

#include "numeric/blocks.h"
#include "quantize/quantize.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { N_ROWS = 256, N_COLUMNS = 1024, N = N_ROWS * N_COLUMNS };

static uint64_t random_state = 20240117;

static double random_uniform(void) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return ((double)(random_state >> 11) + 0.5) * 0x1p-53;
}

static double random_gaussian(void) {
    double radius = sqrt(-2 * log(random_uniform()));
    return radius * cos(6.283185307179586 * random_uniform());
}

// The shapes that weights have: thin tails, thicker ones, outliers.
enum shape { GAUSSIAN, LAPLACE, STUDENT, N_SHAPES };
static const char *const shape_names[N_SHAPES] = {"gaussian", "laplace", "student-4"};

static void fill(float *x, enum shape shape) {
    for (int i = 0; i < N; i++) {
        double value = random_gaussian();
        if (shape == LAPLACE) value = copysign(log(random_uniform()), value);
        if (shape == STUDENT) {
            double sum = 0;
            for (int k = 0; k < 4; k++) {
                double part = random_gaussian();
                sum += part * part;
            }
            value /= sqrt(sum / 4);
        }
        x[i] = (float)(0.02 * value);
    }
}

static double error_of(enum dtype dtype, const uint8_t *bytes, const float *x,
                       const float *importance) {
    static float values[N];
    double total = 0;
    dequantize_row(dtype, bytes, values, N);
    for (int i = 0; i < N; i++) {
        double difference = (double)values[i] - x[i];
        total += (importance ? importance[i % N_COLUMNS] : 1) * difference * difference;
    }
    return sqrt(total);
}

static double ratio(enum dtype dtype, const float *x, const float *importance) {
    uint64_t size_bytes;
    if (!dtype_size_bytes(dtype, N, &size_bytes)) return INFINITY;
    uint8_t *bytes = malloc(size_bytes);
    if (!bytes) return INFINITY;
    quantize_rows(dtype, x, bytes, N_ROWS, N_COLUMNS, importance);
    double ours = error_of(dtype, bytes, x, importance);
    ggml_quantize_chunk((enum ggml_type)dtype, x, bytes, 0, N_ROWS, N_COLUMNS, importance);
    double theirs = error_of(dtype, bytes, x, importance);
    free(bytes);
    return ours / theirs;
}

int main(void) {
    static const enum dtype dtypes[] = {DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0, DTYPE_Q5_1,
                                        DTYPE_Q8_0, DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K};
    static float x[N], importance[N_COLUMNS];
    int n_worse = 0;
    for (int i = 0; i < N_COLUMNS; i++)
        importance[i] = (float)exp(3 * random_uniform());
    printf("%-10s %-6s %10s %12s\n", "rows", "type", "error", "importance");
    for (int shape = 0; shape < N_SHAPES; shape++) {
        fill(x, (enum shape)shape);
        for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
            double plain = ratio(dtypes[i], x, NULL), weighted = ratio(dtypes[i], x, importance);
            bool worse = plain > 1 || weighted > 1;
            printf("%-10s %-6s %10.4f %12.4f%s\n", shape_names[shape],
                   dtype_info((uint32_t)dtypes[i])->name, plain, weighted, worse ? " WORSE" : "");
            n_worse += worse;
        }
    }
    printf("ratios of our error to ggml's; %d above 1\n", n_worse);
    return n_worse ? 1 : 0;
}
