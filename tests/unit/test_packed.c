// SPDX-License-Identifier: Apache-2.0
// The packed layout: every weight type, every number of rows, whole and partial chunks. A panel's
// rows read back must be what dequantize_row makes of the GGUF rows, bit for bit (of a NaN only
// that it is one: its sign is nobody's business), in panels that end where their size says.
#include "harness.h"
#include "numeric/blocks.h"
#include "numeric/float16.h"
#include "numeric/packed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_K = 1536, GUARD = 128, GUARD_BYTE = 0xA5 };

static uint64_t random_state = 0x9E3779B97F4A7C15u;

static uint64_t random_next(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * 0x2545F4914F6CDD1Du >> 8;
}

static bool same_float(float a, float b) {
    return float_to_bits(a) == float_to_bits(b) || (isnan(a) && isnan(b));
}

struct trial {
    enum dtype dtype;
    int n_rows, k;
    uint8_t *rows; // n_rows, row_bytes apart, at an odd address
    size_t row_bytes;
    uint8_t *panel; // between guards
    size_t panel_bytes;
    uint8_t *memory; // of rows and panel
};

static bool trial_init(struct trial *t, enum dtype dtype, int n_rows, int k) {
    const struct dtype_info *info = dtype_info(dtype);
    *t = (struct trial){.dtype = dtype, .n_rows = n_rows, .k = k};
    t->row_bytes = (size_t)(k / info->block_elements) * (size_t)info->block_bytes + 3;
    t->panel_bytes = packed_panel_bytes(dtype, k);
    const size_t rows_bytes = (t->row_bytes * (size_t)n_rows + 1 + 63) / 64 * 64;
    t->memory = aligned_alloc(64, rows_bytes + 2 * GUARD + t->panel_bytes);
    if (t->memory == NULL) return false;
    t->rows = t->memory + 1;
    t->panel = t->memory + rows_bytes + GUARD;
    for (size_t i = 0; i < rows_bytes; i++)
        t->memory[i] = (uint8_t)random_next();
    memset(t->panel - GUARD, GUARD_BYTE, t->panel_bytes + 2 * GUARD);
    pack_panel(dtype, t->rows, t->row_bytes, n_rows, k, t->panel);
    return true;
}

static bool guards_intact(const struct trial *t) {
    for (int i = 0; i < GUARD; i++)
        if (t->panel[-1 - i] != GUARD_BYTE || t->panel[t->panel_bytes + (size_t)i] != GUARD_BYTE)
            return false;
    return true;
}

static enum test_result compare_rows(const struct trial *t) {
    static float expected[MAX_K], actual[MAX_K];
    const char *name = dtype_info(t->dtype)->name;
    for (int r = 0; r < PANEL_ROWS; r++) {
        memset(expected, 0, sizeof expected);
        if (r < t->n_rows)
            CHECK(dequantize_row(t->dtype, t->rows + (size_t)r * t->row_bytes, expected,
                                 (size_t)t->k));
        unpack_panel_row(t->dtype, t->panel, r, t->k, actual);
        for (int i = 0; i < t->k; i++)
            CHECK_MESSAGE(r < t->n_rows ? same_float(expected[i], actual[i]) : actual[i] == 0,
                          "%s, %d rows, k %d: row %d, element %d: %g, not %g", name, t->n_rows,
                          t->k, r, i, (double)actual[i], (double)expected[i]);
    }
    return TEST_PASS;
}

static enum test_result check_trial(enum dtype dtype, int n_rows, int k) {
    struct trial t;
    CHECK(trial_init(&t, dtype, n_rows, k));
    enum test_result result = compare_rows(&t);
    if (result == TEST_PASS && !guards_intact(&t)) {
        printf("    %s, %d rows, k %d: bytes around the panel changed\n", dtype_info(dtype)->name,
               n_rows, k);
        result = TEST_FAIL;
    }
    free(t.memory);
    return result;
}

static enum test_result run_round_trip(void) {
    static const int blocks[] = {1, 2, 3, 4, 5, 6};
    static const int plain[] = {1, 2, 3, 15, 16, 17, 31, 32, 33, 34, 63, 64, 100, 255};
    for (int d = 0; d < DTYPE_COUNT; d++) {
        const struct dtype_info *info = dtype_info((uint32_t)d);
        if (!info->is_weight) continue;
        const bool is_plain = info->block_elements == 1;
        const size_t n = is_plain ? sizeof plain / sizeof *plain : sizeof blocks / sizeof *blocks;
        for (size_t i = 0; i < n; i++)
            for (int n_rows = 1; n_rows <= PANEL_ROWS; n_rows++) {
                const int k = is_plain ? plain[i] : blocks[i] * info->block_elements;
                CHECK(check_trial((enum dtype)d, n_rows, k) == TEST_PASS);
            }
    }
    return TEST_PASS;
}

// What kernels rely on: missing rows and columns are zero bytes, so scales and minima are zeros.
static enum test_result run_padding(void) {
    for (int d = 0; d < DTYPE_COUNT; d++) {
        const struct packed_info *info = packed_info((enum dtype)d);
        if (info->chunk_elements != 64) continue;
        struct trial t;
        CHECK(trial_init(&t, (enum dtype)d, 5, 3 * 32));
        const uint8_t *tail = t.panel + info->chunk_bytes + info->tail_offset;
        for (int plane = 0; plane * LINE_BYTES < info->chunk_bytes - info->tail_offset; plane++)
            for (int g = 0; g < 2; g++)
                for (int r = 0; r < PANEL_ROWS; r++) {
                    const uint8_t *half = tail + plane * LINE_BYTES + g * 32 + r * 2;
                    if (g == 1 || r >= 5) CHECK(half[0] == 0 && half[1] == 0);
                }
        free(t.memory);
    }
    return TEST_PASS;
}

static enum test_result run_table(void) {
    for (int d = 0; d < DTYPE_COUNT; d++) {
        const struct dtype_info *type = dtype_info((uint32_t)d);
        const struct packed_info *info = packed_info((enum dtype)d);
        CHECK_MESSAGE(type->is_weight == (info->chunk_elements > 0), "type %d", d);
        if (!type->is_weight) continue;
        CHECK(info->chunk_bytes % LINE_BYTES == 0 && info->tail_offset % LINE_BYTES == 0);
        CHECK(info->chunk_elements % info->group_elements == 0);
        CHECK(info->chunk_elements % type->block_elements == 0);
        CHECK(packed_panel_bytes((enum dtype)d, 0) == 0);
        const size_t chunk_bytes = (size_t)info->chunk_bytes;
        CHECK(packed_panel_bytes((enum dtype)d, info->chunk_elements) == chunk_bytes);
        CHECK(packed_panel_bytes((enum dtype)d, info->chunk_elements + 1) == 2 * chunk_bytes);
        CHECK(packed_size_bytes((enum dtype)d, 0, 256) == 0);
        CHECK(packed_size_bytes((enum dtype)d, 17, 256) ==
              2 * (uint64_t)packed_panel_bytes((enum dtype)d, 256));
    }
    CHECK(packed_info(DTYPE_COUNT)->chunk_elements == 0);
    // 2^28 rows of 2^16 floats: 2^46 bytes need more than 32 bits everywhere.
    CHECK(packed_size_bytes(DTYPE_F32, 1 << 28, 1 << 16) == (uint64_t)1 << 46);
    return TEST_PASS;
}

// One panel by hand: q4_0, where each byte goes.
static enum test_result run_layout_q4_0(void) {
    uint8_t rows[PANEL_ROWS][36], panel[9 * LINE_BYTES];
    for (int r = 0; r < PANEL_ROWS; r++)
        for (int i = 0; i < 36; i++)
            rows[r][i] = (uint8_t)random_next();
    pack_panel(DTYPE_Q4_0, rows[0], 36, PANEL_ROWS, 64, panel);
    for (int r = 0; r < PANEL_ROWS; r++) {
        for (int e = 0; e < 64; e++) {
            const uint8_t *block = rows[r] + e / 32 * 18;
            const int expected = block[2 + e % 16] >> (e / 16 % 2 * 4) & 15;
            const int line = e / 8, high = e / 4 % 2;
            CHECK((panel[line * 64 + r * 4 + e % 4] >> (4 * high) & 15) == expected);
        }
        CHECK(memcmp(panel + 512 + 2 * r, rows[r], 2) == 0);
        CHECK(memcmp(panel + 544 + 2 * r, rows[r] + 18, 2) == 0);
    }
    return TEST_PASS;
}

// 2-bit and 1-bit lines of q3_k, by the formulas of packed.h. All scales are 1, so an element's
// value is its quant less 4.
static enum test_result run_layout_q3_k(void) {
    static struct block_q3_k blocks[PANEL_ROWS];
    static uint8_t panel[29 * LINE_BYTES];
    for (int r = 0; r < PANEL_ROWS; r++) {
        uint8_t *bytes = (uint8_t *)&blocks[r];
        for (size_t i = 0; i < sizeof blocks[r]; i++)
            bytes[i] = (uint8_t)random_next();
        memset(blocks[r].scales, 0x11, 8); // 33 - 32
        memset(blocks[r].scales + 8, 0xaa, 4);
        blocks[r].d = 0x3c00;
    }
    pack_panel(DTYPE_Q3_K, (const uint8_t *)blocks, sizeof *blocks, PANEL_ROWS, 256, panel);
    for (int r = 0; r < PANEL_ROWS; r++) {
        float values[256];
        CHECK(dequantize_row(DTYPE_Q3_K, &blocks[r], values, 256));
        for (int e = 0; e < 256; e++) {
            const int quant = (int)values[e] + 4, q = e / 4, i = e % 4;
            uint64_t word;
            memcpy(&word, panel + (16 + q / 8) * 64 + q % 8 * 8, sizeof word);
            CHECK((panel[q / 4 * 64 + r * 4 + i] >> (q % 4 * 2) & 3) == (quant & 3));
            CHECK((word >> (r * 4 + i) & 1) == (uint64_t)quant >> 2);
        }
        for (int g = 0; g < 16; g++)
            CHECK(panel[24 * 64 + g * 16 + r] == 1);
        CHECK(panel[28 * 64 + 2 * r] == 0 && panel[28 * 64 + 2 * r + 1] == 0x3c);
    }
    return TEST_PASS;
}

// f16 keeps a plane of each k; bf16 keeps k and k + 1 of a row together.
static enum test_result run_layout_halves(void) {
    uint16_t rows[PANEL_ROWS][6], f16[3][2][PANEL_ROWS], bf16[3][PANEL_ROWS][2];
    for (int r = 0; r < PANEL_ROWS; r++)
        for (int i = 0; i < 6; i++)
            rows[r][i] = (uint16_t)random_next();
    pack_panel(DTYPE_F16, (const uint8_t *)rows, sizeof rows[0], PANEL_ROWS, 6, (uint8_t *)f16);
    pack_panel(DTYPE_BF16, (const uint8_t *)rows, sizeof rows[0], PANEL_ROWS, 6, (uint8_t *)bf16);
    for (int r = 0; r < PANEL_ROWS; r++)
        for (int i = 0; i < 6; i++)
            CHECK(f16[i / 2][i % 2][r] == rows[r][i] && bf16[i / 2][r][i % 2] == rows[r][i]);
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"table", "every weight type has a packed form of whole lines", run_table},
        {"round_trip", "a panel's rows are the rows that went in", run_round_trip},
        {"padding", "missing rows and columns have zero scales", run_padding},
        {"layout_q4_0", "where each byte of a q4_0 panel lies", run_layout_q4_0},
        {"layout_q3_k", "where each bit of a q3_k panel lies", run_layout_q3_k},
        {"layout_halves", "the order of 16-bit floats", run_layout_halves},
    };
    return harness_main("packed", tests, sizeof tests / sizeof *tests, argc, argv);
}
