// SPDX-License-Identifier: Apache-2.0
// Binds a checkpoint's tensors to the slots of a family. Refuses anything whose shape or type is
// not what the configuration says, before a byte of it is used.
#include "model/weights.h"

#include "base/bytes.h"
#include "model/family.h"
#include "numeric/blocks.h"
#include "numeric/packed.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { NAME_MAX_BYTES = 128 };

static const char *const hf_prefixes[] = {
    "model.", "model.language_model.", "language_model.model.", "language_model.", "bert.", ""};

// The first BERT checkpoints call a LayerNorm's weight and bias gamma and beta.
static const char *older_suffix(const char *suffix, char *out, size_t out_size) {
    static const char *const ends[][2] = {{"LayerNorm.weight", "gamma"},
                                          {"LayerNorm.bias", "beta"}};
    size_t n = strlen(suffix);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t end = strlen(ends[i][0]);
        if (n < end || strcmp(suffix + n - end, ends[i][0]) != 0) continue;
        snprintf(out, out_size, "%.*sLayerNorm.%s", (int)(n - end), suffix, ends[i][1]);
        return out;
    }
    return NULL;
}

static const struct checkpoint_tensor *find_under(const struct checkpoint *checkpoint,
                                                  const struct family *family, const char *prefix,
                                                  int layer, const char *suffix, char *name,
                                                  size_t name_size) {
    if (layer < 0)
        snprintf(name, name_size, "%s%s", prefix, suffix);
    else
        snprintf(name, name_size, "%s%s%d.%s", prefix, family->hf_layers, layer, suffix);
    return checkpoint_find(checkpoint, name);
}

const struct checkpoint_tensor *weights_find_hf(const struct checkpoint *checkpoint,
                                                const struct family *family, int layer,
                                                const char *suffix, char *name, size_t name_size) {
    char older[NAME_MAX_BYTES];
    const char *suffixes[] = {suffix, older_suffix(suffix, older, sizeof older)};
    for (size_t i = 0; i < sizeof hf_prefixes / sizeof hf_prefixes[0]; i++)
        for (int s = 0; s < 2 && suffixes[s]; s++) {
            const struct checkpoint_tensor *tensor =
                find_under(checkpoint, family, hf_prefixes[i], layer, suffixes[s], name, name_size);
            if (tensor) return tensor;
        }
    find_under(checkpoint, family, family->hf_prefix, layer, suffix, name, name_size);
    return NULL;
}

const struct checkpoint_tensor *weights_find_gguf(const struct checkpoint *checkpoint, int layer,
                                                  const char *suffix, char *name,
                                                  size_t name_size) {
    if (layer < 0)
        snprintf(name, name_size, "%s", suffix);
    else
        snprintf(name, name_size, "blk.%d.%s", layer, suffix);
    return checkpoint_find(checkpoint, name);
}

static const struct checkpoint_tensor *find(const struct checkpoint *checkpoint,
                                            const struct family *family, int layer, const char *hf,
                                            const char *gguf, char name[NAME_MAX_BYTES]) {
    return checkpoint_gguf(checkpoint)
               ? weights_find_gguf(checkpoint, layer, gguf, name, NAME_MAX_BYTES)
               : weights_find_hf(checkpoint, family, layer, hf, name, NAME_MAX_BYTES);
}

static enum status missing(const struct checkpoint *checkpoint, const char *name,
                           struct error *err) {
    return error_set(err, STATUS_BAD_INPUT, "%s: tensor %s is missing", checkpoint_path(checkpoint),
                     name);
}

enum status weights_check_tensor(const struct checkpoint *checkpoint,
                                 const struct checkpoint_tensor *tensor, uint64_t n_rows,
                                 uint64_t n_columns, struct error *err) {
    bool is_vector = n_columns == 1;
    bool fits = is_vector ? tensor->n_dims == 1 && tensor->shape[0] == n_rows
                          : tensor->n_dims == 2 && tensor->shape[0] == n_rows &&
                                tensor->shape[1] == n_columns;
    if (!fits) {
        unsigned long long rows = tensor->n_dims > 0 ? tensor->shape[0] : 0;
        unsigned long long columns = tensor->n_dims > 1 ? tensor->shape[1] : 1;
        return error_set(err, STATUS_BAD_INPUT,
                         "%s: tensor %s is %llu x %llu (%d dimensions), the configuration needs "
                         "%llu x %llu",
                         checkpoint_path(checkpoint), tensor->name, rows, columns, tensor->n_dims,
                         (unsigned long long)n_rows, (unsigned long long)n_columns);
    }
    const struct dtype_info *info = dtype_info((uint32_t)tensor->dtype);
    uint64_t size, row = is_vector ? n_rows : n_columns;
    if (!info->name || !(info->is_weight || tensor->dtype == DTYPE_F64))
        return error_set(err, STATUS_UNSUPPORTED, "%s: tensor %s has type %s, not a weight type",
                         checkpoint_path(checkpoint), tensor->name,
                         info->name ? info->name : "unknown");
    if (row % (uint64_t)info->block_elements != 0)
        return error_set(err, STATUS_BAD_INPUT,
                         "%s: tensor %s: rows of %llu are no multiple of %s's block of %d",
                         checkpoint_path(checkpoint), tensor->name, (unsigned long long)row,
                         info->name, info->block_elements);
    if (!dtype_size_bytes(tensor->dtype, tensor->n_elements, &size) || size != tensor->size_bytes)
        return error_set(err, STATUS_BAD_INPUT, "%s: tensor %s has the wrong number of bytes",
                         checkpoint_path(checkpoint), tensor->name);
    return STATUS_OK;
}

bool weights_to_float(enum dtype dtype, const void *src, float *dst, size_t n) {
    if (dtype != DTYPE_F64) return dequantize_row(dtype, src, dst, n);
    for (size_t i = 0; i < n; i++) {
        double value;
        memcpy(&value, (const char *)src + i * sizeof value, sizeof value);
        dst[i] = (float)value;
    }
    return true;
}

enum status weights_load_bytes(const struct checkpoint *checkpoint,
                               const struct checkpoint_tensor *tensor, const uint8_t **data,
                               uint8_t **owned, struct error *err) {
    *owned = NULL;
    *data = tensor->data;
    if (*data) return STATUS_OK;
    *owned = malloc((size_t)tensor->size_bytes);
    if (!*owned) return error_no_memory(err, tensor->name, tensor->size_bytes);
    enum status status = checkpoint_read(checkpoint, tensor, *owned, err);
    if (status != STATUS_OK) {
        free(*owned);
        *owned = NULL;
        return status;
    }
    *data = *owned;
    return STATUS_OK;
}

// n numbers of a tensor that was checked, each with `added` on top.
static enum status load_floats(float **vector, const struct checkpoint *checkpoint,
                               const struct checkpoint_tensor *tensor, uint64_t n, float added,
                               struct error *err) {
    const uint8_t *data;
    uint8_t *owned;
    TRY(weights_load_bytes(checkpoint, tensor, &data, &owned, err));
    *vector = malloc((size_t)n * sizeof **vector);
    bool ok = *vector && weights_to_float(tensor->dtype, data, *vector, (size_t)n);
    free(owned);
    if (!*vector) return error_no_memory(err, tensor->name, n * sizeof **vector);
    if (!ok)
        return error_set(err, STATUS_UNSUPPORTED, "%s: tensor %s cannot be read as numbers",
                         checkpoint_path(checkpoint), tensor->name);
    for (uint64_t i = 0; added != 0.0f && i < n; i++)
        (*vector)[i] += added;
    return STATUS_OK;
}

static enum status bind_vector(float **vector, const struct checkpoint *checkpoint,
                               const struct checkpoint_tensor *tensor, uint64_t n, float added,
                               struct error *err) {
    TRY(weights_check_tensor(checkpoint, tensor, n, 1, err));
    return load_floats(vector, checkpoint, tensor, n, added, err);
}

// Checks a matrix and notes it for packing. No kernel multiplies f64: it becomes f32.
static enum status bind_matrix(struct model_weights *weights, struct weight *weight,
                               const struct checkpoint *checkpoint,
                               const struct checkpoint_tensor *tensor, uint64_t n_rows,
                               uint64_t n_columns, struct error *err) {
    TRY(weights_check_tensor(checkpoint, tensor, n_rows, n_columns, err));
    weight->n_rows = (int)n_rows;
    weight->n_columns = (int)n_columns;
    weight->dtype = tensor->dtype == DTYPE_F64 ? DTYPE_F32 : tensor->dtype;
    weight->panel_bytes = packed_panel_bytes(weight->dtype, weight->n_columns);
    weights->sources[weights->n_sources++] = (struct weight_source){weight, tensor};
    return STATUS_OK;
}

static enum status bind_slot(struct model_weights *weights, const struct model_config *config,
                             const struct checkpoint *checkpoint, const struct weight_slot *slot,
                             int index, struct error *err) {
    char name[NAME_MAX_BYTES];
    const struct checkpoint_tensor *tensor =
        find(checkpoint, config->family, index, slot->hf, slot->gguf, name);
    bool is_gguf = checkpoint_gguf(checkpoint) != NULL;
    if (!family_slot_present(config, slot, is_gguf, tensor != NULL)) return STATUS_OK;
    if (!tensor) return missing(checkpoint, name, err);
    uint64_t rows = family_size(config, slot->rows), columns = family_size(config, slot->columns);
    char *field = (char *)&weights->layers[index] + slot->offset;
    if (slot->columns == SIZE_ONE) {
        float added = !is_gguf && slot->transform == EXPORT_ADD_ONE ? 1.0f : 0.0f;
        return bind_vector((float **)(void *)field, checkpoint, tensor, rows, added, err);
    }
    return bind_matrix(weights, (struct weight *)(void *)field, checkpoint, tensor, rows, columns,
                       err);
}

static const struct checkpoint_tensor *find_output(const struct checkpoint *checkpoint,
                                                   char name[NAME_MAX_BYTES]) {
    if (checkpoint_gguf(checkpoint))
        return weights_find_gguf(checkpoint, -1, "output.weight", name, NAME_MAX_BYTES);
    snprintf(name, NAME_MAX_BYTES, "lm_head.weight");
    const struct checkpoint_tensor *tensor = checkpoint_find(checkpoint, name);
    return tensor ? tensor : checkpoint_find(checkpoint, "language_model.lm_head.weight");
}

// Rows that are looked up: where the checkpoint has them, else from panels.
static enum status bind_table(struct model_weights *weights, struct embedding *embedding,
                              const struct checkpoint *checkpoint,
                              const struct checkpoint_tensor *tensor, uint64_t n_rows,
                              uint64_t n_columns, struct error *err) {
    uint64_t row_bytes;
    TRY(bind_matrix(weights, &embedding->panels, checkpoint, tensor, n_rows, n_columns, err));
    if (!tensor->data) return STATUS_OK;
    weights->n_sources--; // it is read where it is
    embedding->panels.dtype = tensor->dtype;
    embedding->rows = tensor->data;
    dtype_size_bytes(tensor->dtype, n_columns, &row_bytes);
    embedding->row_bytes = (size_t)row_bytes;
    return STATUS_OK;
}

static enum status bind_embedding(struct model_weights *weights, const struct model_config *config,
                                  const struct checkpoint *checkpoint, struct error *err) {
    char name[NAME_MAX_BYTES];
    uint64_t n_vocab = (uint64_t)config->n_vocab, n_embd = (uint64_t)config->n_embd;
    const struct checkpoint_tensor *tensor =
        find(checkpoint, config->family, -1, "embed_tokens.weight", "token_embd.weight", name);
    if (!tensor) return missing(checkpoint, name, err);
    struct embedding *embedding = &weights->embedding;
    if (config->tied_embeddings)
        return bind_matrix(weights, &weights->output, checkpoint, tensor, n_vocab, n_embd, err);
    TRY(bind_table(weights, embedding, checkpoint, tensor, n_vocab, n_embd, err));
    tensor = find_output(checkpoint, name);
    if (!tensor) return missing(checkpoint, name, err);
    return bind_matrix(weights, &weights->output, checkpoint, tensor, n_vocab, n_embd, err);
}

// An encoder's small tables become floats; words are looked up in the checkpoint.
static enum status bind_encoder_slot(struct model_weights *weights,
                                     const struct model_config *config,
                                     const struct checkpoint *checkpoint,
                                     const struct weight_slot *slot, struct error *err) {
    char name[NAME_MAX_BYTES];
    const struct checkpoint_tensor *tensor =
        find(checkpoint, config->family, -1, slot->hf, slot->gguf, name);
    if (!tensor) return missing(checkpoint, name, err);
    uint64_t rows = family_size(config, slot->rows), columns = family_size(config, slot->columns);
    if (slot->offset == offsetof(struct model_weights, embedding))
        return bind_table(weights, &weights->embedding, checkpoint, tensor, rows, columns, err);
    TRY(weights_check_tensor(checkpoint, tensor, rows, columns, err));
    float **field = (float **)(void *)((char *)weights + slot->offset);
    return load_floats(field, checkpoint, tensor, rows * columns, 0.0f, err);
}

static enum status bind_globals(struct model_weights *weights, const struct model_config *config,
                                const struct checkpoint *checkpoint, struct error *err) {
    for (size_t i = 0; i < config->family->n_globals; i++)
        TRY(bind_encoder_slot(weights, config, checkpoint, &config->family->globals[i], err));
    if (config->family->is_encoder) return STATUS_OK;
    TRY(bind_embedding(weights, config, checkpoint, err));
    char name[NAME_MAX_BYTES];
    const struct checkpoint_tensor *tensor =
        find(checkpoint, config->family, -1, "norm.weight", "output_norm.weight", name);
    if (!tensor) return missing(checkpoint, name, err);
    bool is_gguf = checkpoint_gguf(checkpoint) != NULL;
    float added = !is_gguf && config->family->norm_transform == EXPORT_ADD_ONE ? 1.0f : 0.0f;
    TRY(bind_vector(&weights->output_norm, checkpoint, tensor, (uint64_t)config->n_embd, added,
                    err));
    tensor = is_gguf ? checkpoint_find(checkpoint, "rope_freqs.weight") : NULL;
    if (tensor) {
        uint64_t n = (uint64_t)config->n_rot / 2;
        TRY(bind_vector(&weights->rope_factors, checkpoint, tensor, n, 0.0f, err));
        for (uint64_t i = 0; i < n; i++)
            if (!(weights->rope_factors[i] > 0))
                return error_set(err, STATUS_BAD_INPUT,
                                 "%s: rope_freqs.weight holds a value that is not positive",
                                 checkpoint_path(checkpoint));
    }
    return STATUS_OK;
}

// The slot name of a layer's tensor, e.g. "attn_q.weight"; NULL if the name is of no layer.
static const char *layer_suffix(const struct family *family, const char *name, bool is_gguf,
                                int *layer) {
    int used = 0;
    size_t n_layers = strlen(family->hf_layers);
    if (is_gguf)
        return sscanf(name, "blk.%d.%n", layer, &used) == 1 && used > 0 ? name + used : NULL;
    for (size_t i = 0; i < sizeof hf_prefixes / sizeof hf_prefixes[0]; i++) {
        size_t n = strlen(hf_prefixes[i]);
        if (strncmp(name, hf_prefixes[i], n) == 0 &&
            strncmp(name + n, family->hf_layers, n_layers) == 0 &&
            sscanf(name + n + n_layers, "%d.%n", layer, &used) == 1 && used > 0)
            return name + n + n_layers + used;
    }
    return NULL;
}

static bool is_known(const struct model_config *config, const char *suffix, bool is_gguf) {
    // Tables of rotary frequencies that follow from the configuration.
    if (strstr(suffix, "rotary_emb.inv_freq") || strstr(suffix, "attn_rot_embd") ||
        strstr(suffix, "rope_freqs"))
        return true;
    for (size_t i = 0; i < config->family->n_slots; i++) {
        const struct weight_slot *slot = &config->family->slots[i];
        char buffer[NAME_MAX_BYTES];
        const char *older = is_gguf ? NULL : older_suffix(slot->hf, buffer, sizeof buffer);
        if (strcmp(suffix, is_gguf ? slot->gguf : slot->hf) == 0 ||
            (older && strcmp(suffix, older) == 0))
            return family_slot_present(config, slot, is_gguf, true);
    }
    return false;
}

// A weight in a layer that we would not use means a model that we would compute wrongly.
enum status weights_check_unused(const struct model_config *config,
                                 const struct checkpoint *checkpoint, struct error *err) {
    bool is_gguf = checkpoint_gguf(checkpoint) != NULL;
    for (size_t i = 0; i < checkpoint_n_tensors(checkpoint); i++) {
        const char *name = checkpoint_tensor_at(checkpoint, i)->name;
        int layer = 0;
        const char *suffix = layer_suffix(config->family, name, is_gguf, &layer);
        if (!suffix) continue;
        if (layer < 0 || layer >= config->n_layers)
            return error_set(err, STATUS_BAD_INPUT,
                             "%s: tensor %.128s is in layer %d, the configuration has %d layers",
                             checkpoint_path(checkpoint), name, layer, config->n_layers);
        if (!is_known(config, suffix, is_gguf))
            return error_set(err, STATUS_UNSUPPORTED,
                             "%s: tensor %.128s is not part of family %s as configured",
                             checkpoint_path(checkpoint), name, config->family->name);
    }
    return STATUS_OK;
}

enum status weights_init(struct model_weights *weights, const struct model_config *config,
                         const struct checkpoint *checkpoint, struct error *err) {
    memset(weights, 0, sizeof *weights);
    size_t n_layers = (size_t)config->n_layers;
    size_t n_sources = n_layers * config->family->n_slots + 2; // at most
    weights->layers = calloc(n_layers, sizeof *weights->layers);
    weights->sources = calloc(n_sources, sizeof *weights->sources);
    if (!weights->layers || !weights->sources)
        return error_no_memory(err, "layers", n_layers * sizeof *weights->layers);
    weights->n_layers = config->n_layers;
    TRY(bind_globals(weights, config, checkpoint, err));
    for (int layer = 0; layer < config->n_layers; layer++)
        for (size_t i = 0; i < config->family->n_slots; i++)
            TRY(bind_slot(weights, config, checkpoint, &config->family->slots[i], layer, err));
    return weights_check_unused(config, checkpoint, err);
}

void embedding_row(const struct embedding *embedding, int row, float *out) {
    const struct weight *panels = &embedding->panels;
    if (embedding->rows)
        weights_to_float(panels->dtype, embedding->rows + (size_t)row * embedding->row_bytes, out,
                         (size_t)panels->n_columns);
    else
        unpack_panel_row(panels->dtype,
                         panels->panels + (size_t)(row / PANEL_ROWS) * panels->panel_bytes,
                         row % PANEL_ROWS, panels->n_columns, out);
}

void weights_deinit(struct model_weights *weights, const struct model_config *config) {
    for (int layer = 0; layer < weights->n_layers; layer++) {
        for (size_t i = 0; i < config->family->n_slots; i++) {
            const struct weight_slot *slot = &config->family->slots[i];
            char *field = (char *)&weights->layers[layer] + slot->offset;
            if (slot->columns == SIZE_ONE) free(*(float **)(void *)field);
        }
    }
    free(weights->layers);
    free(weights->sources);
    free(weights->output_norm);
    free(weights->positions);
    free(weights->token_types);
    free(weights->embedding_norm);
    free(weights->embedding_norm_bias);
    free(weights->rope_factors);
    if (weights->memory) munmap(weights->memory, weights->memory_bytes);
    memset(weights, 0, sizeof *weights);
}
