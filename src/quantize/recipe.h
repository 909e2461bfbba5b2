// SPDX-License-Identifier: Apache-2.0
// Names that users give ("sym_int4", "q4_k_m") to the format of each tensor. Knows tensors by their
// GGUF names and shapes only.
#ifndef XL_QUANTIZE_RECIPE_H
#define XL_QUANTIZE_RECIPE_H

#include "numeric/dtype.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct recipe {
    const char *name;   // canonical, lower case: goes into the file's name
    enum dtype dtype;   // of most matrices
    uint32_t file_type; // general.file_type of GGUF
    bool is_mix;        // sensitive matrices get more bits
};

struct recipe_tensor {
    const char *name; // GGUF: "blk.3.attn_v.weight"
    bool is_matrix;   // false: stays f32
    int layer;        // -1: not in a layer
    int n_layers;
    uint64_t n_rows, n_columns;
    bool tied_output; // the embedding is also the output matrix
};

// Finds a recipe by any of its names, upper or lower case. NULL if there is none.
const struct recipe *recipe_find(const char *name);
// All names, aliases too, NULL-terminated.
const char *const *recipe_names(void);
// The format for a tensor. Where the rows do not divide into the format's blocks it is one that
// they do divide into, with at least as many bits.
enum dtype recipe_choose(const struct recipe *recipe, const struct recipe_tensor *tensor);

#ifdef __cplusplus
}
#endif
#endif
