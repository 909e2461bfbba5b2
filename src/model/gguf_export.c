// SPDX-License-Identifier: Apache-2.0
// The plan of an export: what the output's metadata and tensors are, checked against the
// configuration before anything is written. Producing the numbers is export_reader.c's business.
#include "model/gguf_export.h"

#include "model/config_gguf.h"
#include "model/family.h"
#include "model/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GLOBAL_TENSORS_MAX = 8 };

static enum status add_source(struct export_plan *plan, const struct checkpoint_tensor *source,
                              const char *gguf_suffix, int layer, uint64_t n_rows,
                              uint64_t n_columns, enum export_transform transform,
                              struct error *err) {
    TRY(weights_check_tensor(plan->checkpoint, source, n_rows, n_columns, err));
    struct export_tensor *tensor = &plan->tensors[plan->n_tensors++];
    if (layer < 0)
        snprintf(tensor->name, sizeof tensor->name, "%s", gguf_suffix);
    else
        snprintf(tensor->name, sizeof tensor->name, "blk.%d.%s", layer, gguf_suffix);
    tensor->transform = transform;
    tensor->source = source;
    tensor->head_dim = plan->config.head_dim;
    tensor->is_matrix = n_columns != 1;
    tensor->n_dims = tensor->is_matrix ? 2 : 1;
    tensor->dims[0] = tensor->n_columns = tensor->is_matrix ? n_columns : n_rows;
    tensor->n_rows = tensor->is_matrix ? n_rows : 1;
    if (tensor->is_matrix) tensor->dims[1] = n_rows;
    tensor->layer = layer;
    return STATUS_OK;
}

static enum status missing(const struct export_plan *plan, const char *name, struct error *err) {
    return error_set(err, STATUS_BAD_INPUT, "%s: tensor %s is missing",
                     checkpoint_path(plan->checkpoint), name);
}

// Tables of which only a few rows are read, or which every token reads: not worth a block type.
static bool is_small_table(const char *name) {
    return strncmp(name, "rope_", 5) == 0 || strcmp(name, "position_embd.weight") == 0 ||
           strcmp(name, "token_types.weight") == 0;
}

static enum status add_encoder_globals(struct export_plan *plan, struct error *err) {
    const struct family *family = plan->config.family;
    for (size_t i = 0; i < family->n_globals; i++) {
        const struct weight_slot *slot = &family->globals[i];
        char name[128];
        const struct checkpoint_tensor *source =
            weights_find_hf(plan->checkpoint, family, -1, slot->hf, name, sizeof name);
        if (!source) return missing(plan, name, err);
        TRY(add_source(plan, source, slot->gguf, -1, family_size(&plan->config, slot->rows),
                       family_size(&plan->config, slot->columns), EXPORT_NONE, err));
        if (is_small_table(slot->gguf)) plan->tensors[plan->n_tensors - 1].is_matrix = false;
    }
    return STATUS_OK;
}

static enum status add_globals(struct export_plan *plan, struct error *err) {
    const struct model_config *config = &plan->config;
    uint64_t n_vocab = (uint64_t)config->n_vocab, n_embd = (uint64_t)config->n_embd;
    char name[128];
    const struct checkpoint_tensor *source = weights_find_hf(
        plan->checkpoint, config->family, -1, "embed_tokens.weight", name, sizeof name);
    if (!source) return missing(plan, name, err);
    TRY(add_source(plan, source, "token_embd.weight", -1, n_vocab, n_embd, EXPORT_NONE, err));
    source =
        weights_find_hf(plan->checkpoint, config->family, -1, "norm.weight", name, sizeof name);
    if (!source) return missing(plan, name, err);
    TRY(add_source(plan, source, "output_norm.weight", -1, n_embd, 1,
                   config->family->norm_transform, err));
    if (config->tied_embeddings) return STATUS_OK;
    source = checkpoint_find(plan->checkpoint, "lm_head.weight");
    if (!source) source = checkpoint_find(plan->checkpoint, "language_model.lm_head.weight");
    if (!source) return missing(plan, "lm_head.weight", err);
    return add_source(plan, source, "output.weight", -1, n_vocab, n_embd, EXPORT_NONE, err);
}

static void add_rope_freqs(struct export_plan *plan) {
    if (plan->config.rope_scaling != ROPE_LLAMA3) return;
    struct export_tensor *tensor = &plan->tensors[plan->n_tensors++];
    snprintf(tensor->name, sizeof tensor->name, "rope_freqs.weight");
    tensor->transform = EXPORT_ROPE_FREQS;
    tensor->n_dims = 1;
    tensor->dims[0] = tensor->n_columns = (uint64_t)plan->config.n_rot / 2;
    tensor->n_rows = 1;
    tensor->layer = -1;
}

static enum status add_layer(struct export_plan *plan, int layer, struct error *err) {
    const struct family *family = plan->config.family;
    for (size_t i = 0; i < family->n_slots; i++) {
        const struct weight_slot *slot = &family->slots[i];
        char name[128];
        const struct checkpoint_tensor *source =
            weights_find_hf(plan->checkpoint, family, layer, slot->hf, name, sizeof name);
        if (!family_slot_present(&plan->config, slot, false, source != NULL)) continue;
        if (!source) return missing(plan, name, err);
        TRY(add_source(plan, source, slot->gguf, layer, family_size(&plan->config, slot->rows),
                       family_size(&plan->config, slot->columns), slot->transform, err));
    }
    return STATUS_OK;
}

static enum status plan_hf(struct export_plan *plan, struct error *err) {
    size_t n_max =
        GLOBAL_TENSORS_MAX + (size_t)plan->config.n_layers * plan->config.family->n_slots;
    plan->tensors = calloc(n_max, sizeof *plan->tensors);
    if (!plan->tensors) return error_no_memory(err, "the plan", n_max * sizeof *plan->tensors);
    if (plan->config.family->is_encoder)
        TRY(add_encoder_globals(plan, err));
    else
        TRY(add_globals(plan, err));
    add_rope_freqs(plan);
    for (int layer = 0; layer < plan->config.n_layers; layer++)
        TRY(add_layer(plan, layer, err));
    return weights_check_unused(&plan->config, plan->checkpoint, err);
}

static enum status copy_gguf_tensor(struct export_plan *plan,
                                    const struct checkpoint_tensor *source, struct error *err) {
    struct export_tensor *tensor = &plan->tensors[plan->n_tensors];
    int n = snprintf(tensor->name, sizeof tensor->name, "%s", source->name);
    if (n < 0 || (size_t)n >= sizeof tensor->name)
        return error_set(err, STATUS_UNSUPPORTED, "%s: tensor name \"%.40s…\" is too long",
                         checkpoint_path(plan->checkpoint), source->name);
    if (source->n_dims < 1 || source->n_elements == 0)
        return error_set(err, STATUS_UNSUPPORTED, "%s: tensor %s is empty",
                         checkpoint_path(plan->checkpoint), source->name);
    tensor->source = source;
    tensor->n_dims = source->n_dims;
    for (int d = 0; d < source->n_dims; d++)
        tensor->dims[d] = source->shape[source->n_dims - 1 - d];
    tensor->n_columns = tensor->dims[0];
    tensor->n_rows = source->n_elements / tensor->n_columns;
    tensor->is_matrix = source->n_dims == 2 && !is_small_table(source->name);
    if (sscanf(source->name, "blk.%d.", &tensor->layer) != 1) tensor->layer = -1;
    plan->n_tensors++;
    return STATUS_OK;
}

// Binding the weights checks names, shapes and types of a GGUF source; then all tensors are copied.
static enum status plan_gguf(struct export_plan *plan, struct error *err) {
    struct model_weights weights;
    enum status status = weights_init(&weights, &plan->config, plan->checkpoint, err);
    weights_deinit(&weights, &plan->config);
    TRY(status);
    size_t n = checkpoint_n_tensors(plan->checkpoint);
    plan->tensors = calloc(n, sizeof *plan->tensors);
    if (!plan->tensors) return error_no_memory(err, "the plan", n * sizeof *plan->tensors);
    for (size_t i = 0; i < n; i++)
        TRY(copy_gguf_tensor(plan, checkpoint_tensor_at(plan->checkpoint, i), err));
    return STATUS_OK;
}

enum status export_plan_create(struct export_plan *plan, const struct checkpoint *checkpoint,
                               const char *family, struct error *err) {
    memset(plan, 0, sizeof *plan);
    plan->checkpoint = checkpoint;
    TRY(model_config_read(&plan->config, checkpoint, family, err));
    enum status status = checkpoint_gguf(checkpoint) ? plan_gguf(plan, err) : plan_hf(plan, err);
    if (status != STATUS_OK) export_plan_destroy(plan);
    return status;
}

void export_plan_destroy(struct export_plan *plan) {
    free(plan->tensors);
    memset(plan, 0, sizeof *plan);
}

static bool starts_with(struct gguf_string text, const char *prefix) {
    size_t n = strlen(prefix);
    return text.size_bytes >= n && memcmp(text.data, prefix, n) == 0;
}

// Keys that describe the file itself or that others write.
static bool is_dropped(struct gguf_string key) {
    return starts_with(key, "tokenizer.") || starts_with(key, "split.") ||
           starts_with(key, "general.file_type") || starts_with(key, "general.alignment") ||
           starts_with(key, "general.quantization_version");
}

void export_plan_metadata(const struct export_plan *plan, struct gguf_writer *writer) {
    const struct gguf *gguf = checkpoint_gguf(plan->checkpoint);
    if (!gguf) {
        config_gguf_write(&plan->config, writer);
        return;
    }
    for (size_t i = 0; i < gguf_n_values(gguf); i++) {
        const struct gguf_value *value = gguf_value_at(gguf, i);
        if (!is_dropped(value->key)) gguf_writer_copy(writer, value);
    }
}
