// SPDX-License-Identifier: Apache-2.0
// The recipes, and the three rules beyond "every matrix gets the type asked for": the output matrix
// has more bits because every logit passes through it; a mix spends bits on values and down
// projections of the outer and every third layer, where errors hurt most; odd widths fall back.
#include "quantize/recipe.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

enum { F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q4_K_M, Q5_K, Q6_K, N_RECIPES };

static const struct recipe recipes[N_RECIPES] = {
    [F32] = {"fp32", DTYPE_F32, 0, false},    [F16] = {"fp16", DTYPE_F16, 1, false},
    [BF16] = {"bf16", DTYPE_BF16, 32, false}, [Q4_0] = {"q4_0", DTYPE_Q4_0, 2, false},
    [Q4_1] = {"q4_1", DTYPE_Q4_1, 3, false},  [Q5_0] = {"q5_0", DTYPE_Q5_0, 8, false},
    [Q5_1] = {"q5_1", DTYPE_Q5_1, 9, false},  [Q8_0] = {"q8_0", DTYPE_Q8_0, 7, false},
    [Q4_K] = {"q4_k", DTYPE_Q4_K, 14, false}, [Q4_K_M] = {"q4_k_m", DTYPE_Q4_K, 15, true},
    [Q5_K] = {"q5_k", DTYPE_Q5_K, 16, false}, [Q6_K] = {"q6_k", DTYPE_Q6_K, 18, false},
};

static const char *const names[] = {
    "fp32", "fp16", "bf16", "sym_int8", "int8", "sym_int4", "int4", "asym_int4", "q4_0",
    "q4_1", "q5_0", "q5_1", "q8_0",     "q4_k", "q5_k",     "q6_k", "q4_k_m",    NULL,
};

static const struct {
    const char *name;
    int recipe;
} aliases[] = {
    {"f32", F32},       {"float32", F32},    {"f16", F16},       {"float16", F16},
    {"bfloat16", BF16}, {"sym_int4", Q4_0},  {"int4", Q4_0},     {"asym_int4", Q4_1},
    {"sym_int5", Q5_0}, {"asym_int5", Q5_1}, {"sym_int8", Q8_0}, {"int8", Q8_0},
};

const struct recipe *recipe_find(const char *name) {
    for (int i = 0; i < N_RECIPES; i++) {
        if (strcasecmp(name, recipes[i].name) == 0) return &recipes[i];
    }
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        if (strcasecmp(name, aliases[i].name) == 0) return &recipes[aliases[i].recipe];
    }
    return NULL;
}

const char *const *recipe_names(void) {
    return names;
}

// Layers whose values and down projections a mix stores with more bits: the first and last eighth
// and every third in between.
static bool is_sensitive_layer(int layer, int n_layers) {
    int eighth = n_layers / 8;
    return layer < eighth || layer >= 7 * n_layers / 8 || (layer - eighth) % 3 == 2;
}

static bool ends_with(const char *text, const char *end) {
    size_t text_bytes = strlen(text), end_bytes = strlen(end);
    return text_bytes >= end_bytes && strcmp(text + text_bytes - end_bytes, end) == 0;
}

static bool divides(enum dtype dtype, uint64_t n_columns) {
    return n_columns % (uint64_t)dtype_info((uint32_t)dtype)->block_elements == 0;
}

// Formats with smaller blocks and at least the same precision.
static enum dtype fall_back(enum dtype dtype, uint64_t n_columns) {
    if (divides(dtype, n_columns)) return dtype;
    enum dtype next = dtype == DTYPE_Q4_K   ? DTYPE_Q5_0
                      : dtype == DTYPE_Q5_K ? DTYPE_Q5_1
                      : dtype == DTYPE_Q6_K ? DTYPE_Q8_0
                                            : DTYPE_F16;
    return divides(next, n_columns) ? next : DTYPE_F16;
}

enum dtype recipe_choose(const struct recipe *recipe, const struct recipe_tensor *tensor) {
    enum dtype dtype = recipe->dtype;
    if (!tensor->is_matrix) return DTYPE_F32;
    if (dtype_info((uint32_t)dtype)->block_elements == 1) return dtype;
    bool is_output = strcmp(tensor->name, "output.weight") == 0 ||
                     (tensor->tied_output && strcmp(tensor->name, "token_embd.weight") == 0);
    bool is_sensitive =
        recipe->is_mix && tensor->layer >= 0 &&
        is_sensitive_layer(tensor->layer, tensor->n_layers) &&
        (ends_with(tensor->name, ".attn_v.weight") || ends_with(tensor->name, ".ffn_down.weight"));
    if ((is_output && dtype != DTYPE_Q8_0) || is_sensitive) dtype = DTYPE_Q6_K;
    return fall_back(dtype, tensor->n_columns);
}
