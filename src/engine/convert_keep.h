// SPDX-License-Identifier: Apache-2.0
// Modules that a conversion leaves as they are, by the names that users know: those of the
// checkpoint ("lm_head", "q_proj", "model.layers.0.mlp") or of GGUF ("output", "blk.0.ffn_up").
#ifndef XL_ENGINE_CONVERT_KEEP_H
#define XL_ENGINE_CONVERT_KEEP_H

#include "model/gguf_export.h"

#ifdef __cplusplus
extern "C" {
#endif

struct convert_keep {
    const char *const *names; // [n_names]
    size_t n_names;
};

// Is tensor `index` of the plan, or a module that it is part of, among the names?
bool convert_keep_has(const struct convert_keep *keep, const struct export_plan *plan,
                      size_t index);
// STATUS_USAGE names the first one that is part of no tensor: a misspelt name must not pass.
enum status convert_keep_check(const struct convert_keep *keep, const struct export_plan *plan,
                               struct error *err);

#ifdef __cplusplus
}
#endif
#endif
