// SPDX-License-Identifier: Apache-2.0
// Quantizers: round-trip errors of every format against plain rounding, hostile magnitudes,
// determinism, importance, and which tensor gets which format.
#include "harness.h"
#include "numeric/blocks.h"
#include "numeric/float16.h"
#include "quantize/quantize.h"
#include "quantize/recipe.h"
#include "xinglin/xinglin.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { N_COLUMNS = 512, N_ROWS = 64, N = N_ROWS * N_COLUMNS };

// What a search must reach on Gaussian rows: root mean square error over standard deviation. The
// bounds are a little above what was measured; plain rounding to the largest element (what other
// quantizers do for q4_0, q4_1, q5_0, q5_1 and q8_0) is `plain`, computed from the formats' ranges.
static const struct format_case {
    enum dtype dtype;
    double error_max;
} formats[] = {
    {DTYPE_Q4_0, 0.0845}, {DTYPE_Q4_1, 0.0745},  {DTYPE_Q5_0, 0.0420}, {DTYPE_Q5_1, 0.0375},
    {DTYPE_Q8_0, 0.0055}, {DTYPE_Q4_K, 0.0745},  {DTYPE_Q5_K, 0.0380}, {DTYPE_Q6_K, 0.0180},
    {DTYPE_F16, 0.0003},  {DTYPE_BF16, 0.00200}, {DTYPE_F32, 0},
};
enum { N_FORMATS = sizeof formats / sizeof *formats };

static uint64_t random_state;

static double random_uniform(void) { // xorshift64*, in (0, 1)
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return ((double)(random_state * 2685821657736338717u >> 11) + 0.5) * 0x1p-53;
}

static void fill_gaussian(float *x, size_t n, uint64_t seed) {
    random_state = seed;
    for (size_t i = 0; i < n; i++) {
        double radius = sqrt(-2 * log(random_uniform()));
        x[i] = (float)(radius * cos(6.283185307179586 * random_uniform()));
    }
}

// Quantizes and expands n_rows of n_columns. The buffer is exactly as long as the format says.
static bool round_trip(enum dtype dtype, const float *x, size_t n_rows, size_t n_columns,
                       const float *importance, float *result) {
    uint64_t size_bytes;
    if (!dtype_size_bytes(dtype, n_rows * n_columns, &size_bytes)) return false;
    uint8_t *bytes = malloc(size_bytes + 1); // off alignment
    if (!bytes) return false;
    quantize_rows(dtype, x, bytes + 1, n_rows, n_columns, importance);
    bool done = dequantize_row(dtype, bytes + 1, result, n_rows * n_columns);
    free(bytes);
    return done;
}

static double rms_difference(const float *a, const float *b, size_t n) {
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        total += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    }
    return sqrt(total / (double)n);
}

static float x[N], y[N], z[N];

static enum test_result run_gaussian(void) {
    fill_gaussian(x, N, 42);
    for (int f = 0; f < N_FORMATS; f++) {
        CHECK(quantize_supported(formats[f].dtype));
        CHECK(round_trip(formats[f].dtype, x, N_ROWS, N_COLUMNS, NULL, y));
        double error = rms_difference(x, y, N);
        CHECK_MESSAGE(error <= formats[f].error_max, "%s: error %.5f, allowed %.5f",
                      dtype_info((uint32_t)formats[f].dtype)->name, error, formats[f].error_max);
    }
    CHECK(!quantize_supported(DTYPE_Q2_K) && !quantize_supported(DTYPE_I32));
    return TEST_PASS;
}

// Plain rounding: the element of largest magnitude (or the two ends) decides the scale.
static void round_plainly(const float *in, float *out, int levels, bool has_offset) {
    float low = in[0], high = in[0];
    for (int i = 1; i < BLOCK_SMALL; i++) {
        low = fminf(low, in[i]), high = fmaxf(high, in[i]);
    }
    float peak = high > -low ? high : low;
    float d = has_offset ? (high - low) / (float)(levels - 1) : peak / (float)(-levels / 2);
    float offset = has_offset ? low : 0, lowest = has_offset ? 0 : (float)(-levels / 2);
    for (int i = 0; i < BLOCK_SMALL; i++) {
        float q = d != 0 ? roundf((in[i] - offset) / d) : 0;
        q = fminf(fmaxf(q, lowest), lowest + (float)(levels - 1));
        out[i] = d * q + offset;
    }
}

static enum test_result run_better_than_rounding(void) {
    static const struct {
        enum dtype dtype;
        int levels;
        bool has_offset;
    } cases[] = {
        {DTYPE_Q4_0, 16, false},
        {DTYPE_Q4_1, 16, true},
        {DTYPE_Q5_0, 32, false},
        {DTYPE_Q5_1, 32, true},
    };
    fill_gaussian(x, N, 7);
    for (size_t i = 0; i < N; i += 37) {
        x[i] *= 4; // outliers, as real weights have them
    }
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        for (size_t i = 0; i < N; i += BLOCK_SMALL) {
            round_plainly(x + i, z + i, cases[c].levels, cases[c].has_offset);
        }
        CHECK(round_trip(cases[c].dtype, x, N_ROWS, N_COLUMNS, NULL, y));
        double ratio = rms_difference(x, y, N) / rms_difference(x, z, N);
        CHECK_MESSAGE(ratio < 0.99, "%s: %.4f of plain rounding's error",
                      dtype_info((uint32_t)cases[c].dtype)->name, ratio);
    }
    return TEST_PASS;
}

// What a format can say exactly must come back exactly: blocks made of its own levels.
static enum test_result run_exact_levels(void) {
    for (int i = 0; i < N; i++) {
        x[i] = 0.25f * (float)(i * 7 % 16 - 8);
    }
    const enum dtype exact[] = {DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0,
                                DTYPE_Q5_1, DTYPE_F16,  DTYPE_BF16};
    for (size_t f = 0; f < sizeof exact / sizeof *exact; f++) {
        CHECK(round_trip(exact[f], x, N_ROWS, N_COLUMNS, NULL, y));
        CHECK_MESSAGE(memcmp(x, y, sizeof x) == 0, "%s", dtype_info((uint32_t)exact[f])->name);
    }
    return TEST_PASS;
}

static void fill_extreme(float *out, int kind) {
    static const float big = 3.0e38f, tiny = 1.0e-42f;
    fill_gaussian(out, N_COLUMNS, (uint64_t)kind + 1);
    for (int i = 0; i < N_COLUMNS; i++) {
        float sign = out[i] < 0 ? -1 : 1;
        switch (kind) {
        case 0:
            out[i] = 0;
            break;
        case 1:
            out[i] = -0.0f;
            break;
        case 2:
            out[i] = 0.1f;
            break;
        case 3:
            out[i] = -1234.5f;
            break;
        case 4:
            out[i] = sign * big;
            break;
        case 5:
            out[i] = sign * tiny;
            break;
        case 6:
            out[i] *= 1e-7f;
            break;
        case 7:
            out[i] = i == 300 ? 1000.0f : out[i] * 1e-3f;
            break;
        case 8:
            out[i] = 1000 + out[i] * 1e-3f;
            break;
        case 9:
            out[i] = i % 2 ? 60000.0f : -60000.0f;
            break;
        case 10:
            out[i] = sign * FLT_MAX;
            break;
        default:
            out[i] = i % 32 ? 0 : sign;
            break;
        }
    }
}

// No input gives NaN or infinity, and no element is further off than one step of its row's range
// (values beyond the format saturate).
static enum test_result run_extremes(void) {
    for (int kind = 0; kind < 12; kind++) {
        float row[N_COLUMNS], back[N_COLUMNS];
        fill_extreme(row, kind);
        for (int f = 0; f < N_FORMATS; f++) {
            enum dtype dtype = formats[f].dtype;
            const char *name = dtype_info((uint32_t)dtype)->name;
            float most = quantize_magnitude_max(dtype), peak = 0;
            CHECK(round_trip(dtype, row, 1, N_COLUMNS, NULL, back));
            CHECK_MESSAGE(quantize_finite(back, N_COLUMNS), "%s, kind %d", name, kind);
            for (int i = 0; i < N_COLUMNS; i++) {
                peak = fmaxf(peak, fminf(fabsf(row[i]), most));
            }
            for (int i = 0; i < N_COLUMNS; i++) {
                float expected = fminf(fmaxf(row[i], -most), most);
                float difference = fabsf(back[i] - expected);
                CHECK_MESSAGE(difference <= 0.16f * peak + 0x1p-18f, "%s, kind %d: %g for %g", name,
                              kind, (double)back[i], (double)expected);
            }
        }
    }
    return TEST_PASS;
}

static enum test_result run_zero_and_constant(void) {
    float row[N_COLUMNS] = {0}, back[N_COLUMNS];
    for (int f = 0; f < N_FORMATS; f++) {
        CHECK(round_trip(formats[f].dtype, row, 1, N_COLUMNS, NULL, back));
        for (int i = 0; i < N_COLUMNS; i++) {
            CHECK(back[i] == 0);
        }
    }
    for (int i = 0; i < N_COLUMNS; i++) {
        row[i] = -0.375f;
    }
    for (int f = 0; f < N_FORMATS; f++) { // half floats hold it; scales of super-blocks round
        CHECK(round_trip(formats[f].dtype, row, 1, N_COLUMNS, NULL, back));
        for (int i = 0; i < N_COLUMNS; i++) {
            CHECK_MESSAGE(fabsf(back[i] + 0.375f) < 1e-3f, "%s: %g",
                          dtype_info((uint32_t)formats[f].dtype)->name, (double)back[i]);
        }
    }
    return TEST_PASS;
}

// The same bytes whether rows go together, alone, or from another address.
static enum test_result run_rows_independent(void) {
    fill_gaussian(x, N, 99);
    for (int f = 0; f < N_FORMATS; f++) {
        enum dtype dtype = formats[f].dtype;
        uint64_t row_bytes;
        CHECK(dtype_size_bytes(dtype, N_COLUMNS, &row_bytes));
        uint8_t *whole = calloc(4, row_bytes), *alone = calloc(1, row_bytes + 3);
        CHECK(whole && alone);
        quantize_rows(dtype, x, whole, 4, N_COLUMNS, NULL);
        for (size_t row = 4; row-- > 0;) {
            memmove(y + 5, x + row * N_COLUMNS, N_COLUMNS * sizeof *x);
            quantize_rows(dtype, y + 5, alone + 3, 1, N_COLUMNS, NULL);
            CHECK(memcmp(whole + row * row_bytes, alone + 3, row_bytes) == 0);
        }
        free(whole);
        free(alone);
    }
    return TEST_PASS;
}

static const enum dtype keepers[] = {DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0, DTYPE_Q5_1, DTYPE_Q8_0,
                                     DTYPE_Q6_K, DTYPE_F16,  DTYPE_BF16, DTYPE_F32};
enum { N_KEEPERS = sizeof keepers / sizeof *keepers, KINDS = 12 };

// Rows to which some block is equal, nearly equal, or equal to another format's: few levels, few
// bits, offsets far larger than steps, and all of fill_extreme.
static void fill_awkward(float *out, int kind) {
    if (kind < KINDS) {
        fill_extreme(out, kind);
        return;
    }
    fill_gaussian(out, N_COLUMNS, (uint64_t)kind);
    for (int i = 0; i < N_COLUMNS; i++) {
        float block = (float)(i / BLOCK_SMALL % 16);
        switch (kind - KINDS) {
        case 0: // few levels
            out[i] = 0.013671875f * (float)((int)(3 * out[i]));
            break;
        case 1: // even integers alone, threefold integers alone
            out[i] = (1 + block) * 0x1p-20f * (float)((int)(2 * out[i]) * (i / BLOCK_SMALL % 4));
            break;
        case 2: // weights as checkpoints have them
            out[i] = float_from_bf16(float_to_bf16(0.02f * out[i]));
            break;
        case 3:
            out[i] = float_from_f16(float_to_f16(0.02f * out[i]));
            break;
        case 4: // a step far below the offset
            out[i] = ldexpf(1, (int)block) + 1e-6f * out[i];
            break;
        case 5: // and far above
            out[i] = ldexpf(out[i], (int)block) + 1e-7f;
            break;
        case 6: // alike, but nothing that a half float holds
            out[i] = ldexpf(1.1f, (int)block * 3 - 30);
            break;
        case 7: // at the ends of the half floats
            out[i] = 65504.0f * (float)((int)(4 * out[i]));
            break;
        case 8: // smallest half floats
            out[i] = 0x1p-24f * (float)((int)(40 * out[i]));
            break;
        case 9: // alike in blocks, beyond the half floats too
            out[i] = (block - 8) * 16376.03f;
            break;
        default: // all magnitudes together
            out[i] = ldexpf(out[i], i * 7919 % 60 - 40);
            break;
        }
    }
}

static enum test_result check_kept(enum dtype dtype, const float *row, int kind) {
    uint8_t once[4 * N_COLUMNS], twice[4 * N_COLUMNS];
    float said[N_COLUMNS], importance[N_COLUMNS];
    const char *name = dtype_info((uint32_t)dtype)->name;
    uint64_t size_bytes;
    CHECK(quantize_keeps(dtype) && dtype_size_bytes(dtype, N_COLUMNS, &size_bytes));
    quantize_rows(dtype, row, once, 1, N_COLUMNS, NULL);
    CHECK(dequantize_row(dtype, once, said, N_COLUMNS));
    quantize_rows(dtype, said, twice, 1, N_COLUMNS, NULL);
    CHECK_MESSAGE(memcmp(once, twice, size_bytes) == 0, "%s, kind %d", name, kind);
    for (int i = 0; i < N_COLUMNS; i++) {
        importance[i] = (float)(i % 7);
    }
    quantize_rows(dtype, said, twice, 1, N_COLUMNS, importance);
    CHECK_MESSAGE(memcmp(once, twice, size_bytes) == 0, "%s, kind %d, weighed", name, kind);
    return TEST_PASS;
}

// The second time changes no byte, whatever the first saw.
static enum test_result run_keeps(void) {
    static float row[N_COLUMNS];
    for (int f = 0; f < N_KEEPERS; f++) {
        for (int kind = 0; kind < KINDS + 11; kind++) {
            fill_awkward(row, kind);
            CHECK(check_kept(keepers[f], row, kind) == TEST_PASS);
        }
        for (int kind = 0; kind < 200; kind++) {
            fill_gaussian(row, N_COLUMNS, (uint64_t)kind + 1000);
            for (int i = 0; i < N_COLUMNS; i++) {
                row[i] = ldexpf(row[i] + (float)(kind % 5), kind % 40 - 30);
            }
            CHECK(check_kept(keepers[f], row, 1000 + kind) == TEST_PASS);
        }
    }
    CHECK(!quantize_keeps(DTYPE_Q4_K) && !quantize_keeps(DTYPE_Q2_K));
    return TEST_PASS;
}

// Blocks that others wrote: whatever bytes they have, their values come back exactly.
static enum test_result run_foreign_blocks(void) {
    static const enum dtype symmetric[] = {DTYPE_Q4_0, DTYPE_Q5_0, DTYPE_Q8_0, DTYPE_Q6_K};
    uint8_t bytes[4 * N_COLUMNS], again[4 * N_COLUMNS];
    float said[N_COLUMNS], back[N_COLUMNS];
    random_state = 31;
    for (int turn = 0; turn < 2000; turn++) {
        enum dtype dtype = symmetric[turn % 4];
        const struct dtype_info *info = dtype_info((uint32_t)dtype);
        uint64_t size_bytes;
        CHECK(dtype_size_bytes(dtype, N_COLUMNS, &size_bytes));
        for (uint64_t i = 0; i < size_bytes; i++) {
            bytes[i] = (uint8_t)(random_uniform() * 256);
        }
        for (uint64_t at = 0; at < size_bytes; at += (uint64_t)info->block_bytes) {
            uint8_t *high = bytes + at + (dtype == DTYPE_Q6_K ? info->block_bytes - 1 : 1);
            if ((*high & 0x7c) == 0x7c) *high ^= 4; // finite
            for (int i = 2; dtype == DTYPE_Q8_0 && i < info->block_bytes; i++) {
                if (bytes[at + (uint64_t)i] == 0x80) bytes[at + (uint64_t)i] = 0;
            }
        }
        CHECK(dequantize_row(dtype, bytes, said, N_COLUMNS));
        quantize_rows(dtype, said, again, 1, N_COLUMNS, NULL);
        CHECK(dequantize_row(dtype, again, back, N_COLUMNS));
        for (int i = 0; i < N_COLUMNS; i++) {
            CHECK_MESSAGE(said[i] == back[i], "%s: %g for %g", info->name, (double)back[i],
                          (double)said[i]);
        }
    }
    return TEST_PASS;
}

static double weighted_error(const float *a, const float *b, const float *importance) {
    double total = 0;
    for (size_t i = 0; i < N; i++) {
        double difference = (double)a[i] - b[i];
        total += importance[i % N_COLUMNS] * difference * difference;
    }
    return total;
}

static enum test_result run_importance(void) {
    float importance[N_COLUMNS], scaled[N_COLUMNS];
    fill_gaussian(x, N, 5);
    random_state = 11;
    for (int i = 0; i < N_COLUMNS; i++) {
        importance[i] = (float)exp(4 * random_uniform());
        scaled[i] = importance[i] * 1e-12f;
    }
    for (int f = 0; f < N_FORMATS; f++) {
        if (dtype_info((uint32_t)formats[f].dtype)->block_elements == 1) continue;
        const char *name = dtype_info((uint32_t)formats[f].dtype)->name;
        CHECK(round_trip(formats[f].dtype, x, N_ROWS, N_COLUMNS, NULL, y));
        double without = weighted_error(x, y, importance);
        CHECK(round_trip(formats[f].dtype, x, N_ROWS, N_COLUMNS, importance, y));
        double with = weighted_error(x, y, importance);
        CHECK_MESSAGE(with < 0.97 * without, "%s: %.4f", name, with / without);
        CHECK(round_trip(formats[f].dtype, x, N_ROWS, N_COLUMNS, scaled, y)); // only ratios count
        CHECK_MESSAGE(weighted_error(x, y, importance) < 1.01 * with, "%s, scaled", name);
    }
    memset(importance, 0, sizeof importance); // says nothing: as if there were none
    CHECK(round_trip(DTYPE_Q4_0, x, N_ROWS, N_COLUMNS, importance, y));
    CHECK(rms_difference(x, y, N) < 0.086);
    return TEST_PASS;
}

static enum test_result run_finite(void) {
    float values[67];
    for (int i = 0; i < 67; i++) {
        values[i] = i % 2 ? FLT_MAX : -0.0f;
    }
    CHECK(quantize_finite(values, 67) && quantize_finite(values, 0));
    for (int i = 0; i < 67; i++) {
        float kept = values[i];
        values[i] = i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : -INFINITY;
        CHECK(!quantize_finite(values, 67));
        values[i] = kept;
    }
    return TEST_PASS;
}

static enum dtype choose(const char *recipe, const char *name, int layer, uint64_t n_columns) {
    struct recipe_tensor tensor = {.name = name,
                                   .is_matrix = !strstr(name, "norm"),
                                   .layer = layer,
                                   .n_layers = 24,
                                   .n_rows = 8,
                                   .n_columns = n_columns};
    return recipe_choose(recipe_find(recipe), &tensor);
}

static enum test_result run_recipes(void) {
    for (const char *const *name = recipe_names(); *name; name++) {
        const struct recipe *recipe = recipe_find(*name);
        CHECK(recipe && quantize_supported(recipe->dtype));
        CHECK(choose(*name, "blk.0.attn_norm.weight", 0, 512) == DTYPE_F32);
        CHECK(choose(*name, "blk.0.attn_q.weight", 0, 512) == recipe->dtype);
        CHECK(choose(*name, "blk.0.attn_q.weight", 0, 8) == (recipe->dtype == DTYPE_F32 ? DTYPE_F32
                                                             : recipe->dtype == DTYPE_BF16
                                                                 ? DTYPE_BF16
                                                                 : DTYPE_F16));
    }
    CHECK(recipe_find("SYM_INT4") == recipe_find("q4_0") && recipe_find("int4"));
    CHECK(recipe_find("asym_int4") == recipe_find("Q4_1"));
    CHECK(recipe_find("sym_int8") == recipe_find("q8_0"));
    CHECK(!recipe_find("int3") && !recipe_find(""));
    CHECK(choose("q4_0", "output.weight", -1, 512) == DTYPE_Q6_K);
    CHECK(choose("q4_0", "output.weight", -1, 96) == DTYPE_Q8_0);
    CHECK(choose("q8_0", "output.weight", -1, 512) == DTYPE_Q8_0);
    CHECK(choose("q4_0", "token_embd.weight", -1, 512) == DTYPE_Q4_0);
    CHECK(choose("q4_k_m", "blk.0.attn_v.weight", 0, 512) == DTYPE_Q6_K);
    CHECK(choose("q4_k_m", "blk.0.ffn_down.weight", 0, 96) == DTYPE_Q8_0);
    CHECK(choose("q4_k_m", "blk.3.attn_v.weight", 3, 512) == DTYPE_Q4_K);
    CHECK(choose("q4_k_m", "blk.5.ffn_down.weight", 5, 512) == DTYPE_Q6_K);
    CHECK(choose("q4_k_m", "blk.0.ffn_up.weight", 0, 512) == DTYPE_Q4_K);
    CHECK(choose("q4_k", "blk.0.attn_v.weight", 0, 96) == DTYPE_Q5_0);
    CHECK(choose("q5_k", "blk.0.attn_v.weight", 0, 96) == DTYPE_Q5_1);
    return TEST_PASS;
}

static enum test_result run_matrix(void) {
    static const struct {
        const char *type;
        bool is_output;
        enum dtype dtype;
    } cases[] = {{"sym_int4", false, DTYPE_Q4_0},
                 {"sym_int4", true, DTYPE_Q6_K},
                 {"asym_int4", false, DTYPE_Q4_1},
                 {"int8", true, DTYPE_Q8_0},
                 {"bf16", false, DTYPE_BF16}};
    xl_error error;
    fill_gaussian(x, N, 3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(round_trip(cases[i].dtype, x, N_ROWS, N_COLUMNS, NULL, y));
        CHECK(xl_quantize_matrix(cases[i].type, cases[i].is_output, x, N_ROWS, N_COLUMNS, z,
                                 &error) == XL_OK);
        CHECK(memcmp(y, z, sizeof y) == 0);
        CHECK(xl_quantize_matrix(cases[i].type, cases[i].is_output, z, N_ROWS, N_COLUMNS, z,
                                 &error) == XL_OK); // in place
        CHECK(memcmp(y, z, sizeof y) == 0);
    }
    CHECK(xl_quantize_matrix("int3", false, x, 1, 32, y, &error) == XL_USAGE);
    CHECK(xl_quantize_matrix("q4_k_m", false, x, 1, 256, y, &error) == XL_UNSUPPORTED);
    CHECK(xl_quantize_matrix("q4_k", false, x, 1, 256, y, NULL) == XL_UNSUPPORTED);
    CHECK(xl_quantize_matrix("int4", false, x, 0, 32, y, &error) == XL_OK);
    CHECK(xl_quantize_matrix("int4", false, x, 1, 0, y, &error) == XL_USAGE);
    CHECK(xl_quantize_matrix("int4", false, x, 3, 20, y, &error) == XL_OK); // half floats
    x[40] = 1e30f;
    CHECK(xl_quantize_matrix("int4", false, x, 2, 32, y, &error) == XL_BAD_INPUT);
    CHECK(strstr(error.message, "row 1"));
    x[40] = NAN;
    CHECK(xl_quantize_matrix("int4", false, x, 2, 32, y, &error) == XL_BAD_INPUT);
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"gaussian", "error of every format on Gaussian rows", run_gaussian},
        {"better_than_rounding", "below plain rounding's error", run_better_than_rounding},
        {"exact_levels", "a block of the format's own levels survives", run_exact_levels},
        {"extremes", "zeros, denormals, outliers, the largest floats", run_extremes},
        {"zero_and_constant", "zeros stay zeros, constants stay put", run_zero_and_constant},
        {"rows_independent", "same bytes together or alone", run_rows_independent},
        {"keeps", "what a block says gives that block again", run_keeps},
        {"foreign_blocks", "values of any block survive", run_foreign_blocks},
        {"importance", "important columns get smaller errors", run_importance},
        {"finite", "NaN and infinity are found", run_finite},
        {"matrix", "xl_quantize_matrix: the same values as a conversion's", run_matrix},
        {"recipes", "names, aliases and the format of each tensor", run_recipes},
    };
    return harness_main("quantize", tests, sizeof tests / sizeof *tests, argc, argv);
}
