// SPDX-License-Identifier: Apache-2.0
// Counts the tile instructions that the AMX products execute, for every weight type and a range of
// token counts. It fails if 32 tokens or more take more tile loads than tile products, or more
// products than the tokens fill tiles. Linked with a build of kernels/amx that counts.
#include "kernels/amx/tiles.h"
#include "kernels/kernels.h"
#include "numeric/packed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { K = 256, N_ROWS = 64, TOKENS_MAX = 280 };

struct tile_counts tile_counts;

static const int token_counts[] = {1,  4,  16, 17, 31,  32,  33,  40,  47,
                                   48, 49, 64, 72, 100, 128, 250, 256, 280};

// What the tokens need at least: tiles of 16 tokens x 16 rows x 64 bytes of k, or one group of k
// that has its own scale.
static uint64_t least_products(enum dtype dtype, int n_tiles) {
    const int group = dtype == DTYPE_BF16 ? 32 : dtype == DTYPE_Q6_K ? 16 : 32;
    return (uint64_t)n_tiles * (N_ROWS / PANEL_ROWS) * (K / group);
}

static bool count(const struct matmul_op *op, enum dtype dtype, const struct matmul_args *args) {
    memset(&tile_counts, 0, sizeof tile_counts);
    op->run(args);
    const uint64_t n_loads = tile_counts.n_loads, n_products = tile_counts.n_products;
    const int n_tiles = (args->n_tokens + TILE_TOKENS - 1) / TILE_TOKENS;
    // bfloat16 takes an even number of tiles, the others may leave some tokens to AVX-512
    const uint64_t most = least_products(dtype, n_tiles + (dtype == DTYPE_BF16 && n_tiles % 2));
    const bool is_good = args->n_tokens < 32 || (n_loads <= n_products && n_products <= most);
    printf("%-4s tiles.%s %3d tokens: %6llu loads %6llu products %6llu stores",
           is_good ? "ok" : "FAIL", dtype_info(dtype)->name, args->n_tokens,
           (unsigned long long)n_loads, (unsigned long long)n_products,
           (unsigned long long)tile_counts.n_stores);
    if (n_products) printf(", %.2f loads a product", (double)n_loads / (double)n_products);
    printf("\n");
    return is_good;
}

static int count_type(const struct kernels *kernels, enum dtype dtype) {
    const struct matmul_op *op = &kernels->matmul[dtype];
    static float y[TOKENS_MAX * N_ROWS];
    struct matmul_args args = {.y = y, .y_stride = N_ROWS, .n_rows = N_ROWS, .k = K};
    args.panel_bytes = packed_panel_bytes(dtype, K);
    args.act_bytes = act_row_bytes(op->act, K);
    uint8_t *panels = aligned_alloc(64, N_ROWS / PANEL_ROWS * args.panel_bytes);
    uint8_t *acts = aligned_alloc(64, TOKENS_MAX * args.act_bytes);
    int n_failed = 0;
    if (!panels || !acts) return 1;
    memset(panels, 0, N_ROWS / PANEL_ROWS * args.panel_bytes);
    memset(acts, 0, TOKENS_MAX * args.act_bytes);
    args.panels = panels;
    args.activations = acts;
    for (size_t i = 0; i < sizeof token_counts / sizeof token_counts[0]; i++) {
        args.n_tokens = token_counts[i];
        n_failed += !count(op, dtype, &args);
    }
    free(panels);
    free(acts);
    return n_failed;
}

int main(void) {
    struct kernels below, kernels;
    const char *reason = isa_missing_reason(ISA_AMX);
    int n_types = 0, n_failed = 0;
    if (reason) {
        printf("skip tiles (%s)\ntiles: 0 passed, 0 failed, 1 skipped\n", reason);
        return 77;
    }
    kernels_select(&below, ISA_AVX512);
    kernels_select(&kernels, ISA_AMX);
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        if (kernels.matmul[dtype].run == below.matmul[dtype].run) continue;
        n_types++;
        n_failed += count_type(&kernels, (enum dtype)dtype) > 0;
    }
    printf("tiles: %d passed, %d failed, 0 skipped\n", n_types - n_failed, n_failed);
    return n_failed || n_types == 0;
}
