// SPDX-License-Identifier: Apache-2.0
// A name stands for whole parts of a tensor's name between dots: "mlp" is in "layers.0.mlp.up", but
// "ml" and "p.up" are not. A tied output matrix is the embedding and answers to both names.
#include "engine/convert_keep.h"

#include <string.h>

static bool is_part(const char *name, const char *tensor) {
    size_t name_bytes = strlen(name);
    if (name_bytes == 0) return false;
    for (const char *at = tensor; at; at = strchr(at, '.')) {
        if (*at == '.') at++;
        if (strncmp(at, name, name_bytes) == 0 && (at[name_bytes] == '.' || at[name_bytes] == '\0'))
            return true;
    }
    return false;
}

static bool names_tensor(const char *name, const struct export_plan *plan, size_t index) {
    const struct export_tensor *tensor = &plan->tensors[index];
    if (is_part(name, tensor->name)) return true;
    if (tensor->source && is_part(name, tensor->source->name)) return true;
    return plan->config.tied_embeddings && strcmp(tensor->name, "token_embd.weight") == 0 &&
           (strcmp(name, "lm_head") == 0 || strcmp(name, "output") == 0);
}

bool convert_keep_has(const struct convert_keep *keep, const struct export_plan *plan,
                      size_t index) {
    for (size_t i = 0; i < keep->n_names; i++)
        if (names_tensor(keep->names[i], plan, index)) return true;
    return false;
}

enum status convert_keep_check(const struct convert_keep *keep, const struct export_plan *plan,
                               struct error *err) {
    if (keep->n_names > 0 && !keep->names)
        return error_set(err, STATUS_USAGE, "no names of modules to keep");
    for (size_t i = 0; i < keep->n_names; i++) {
        const char *name = keep->names[i];
        size_t index = 0;
        while (name && index < plan->n_tensors && !names_tensor(name, plan, index))
            index++;
        if (!name || index == plan->n_tensors)
            return error_set(err, STATUS_USAGE,
                             "no tensor of the model is or belongs to \"%.64s\"; xinglin inspect "
                             "lists the names",
                             name ? name : "");
    }
    return STATUS_OK;
}
