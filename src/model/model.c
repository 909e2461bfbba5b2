// SPDX-License-Identifier: Apache-2.0
// Opening and describing a model: configuration, then weights, then what follows from both.
#include "model/loaded_model.h"

#include "base/clock.h"
#include "model/weights_load.h"
#include "numeric/packed.h"

#include <stdlib.h>

static void count_matrix(struct model *model, const struct weight *weight,
                         uint64_t bytes_by_type[DTYPE_COUNT]) {
    uint64_t bytes = packed_size_bytes(weight->dtype, weight->n_rows, weight->n_columns);
    model->weight_bytes += bytes;
    bytes_by_type[weight->dtype] += bytes;
}

static void count_weights(struct model *model) {
    uint64_t bytes_by_type[DTYPE_COUNT] = {0};
    for (int i = 0; i < model->weights.n_layers; i++) {
        const struct layer_weights *layer = &model->weights.layers[i];
        const struct weight *matrices[] = {&layer->q,    &layer->k,  &layer->v,   &layer->o,
                                           &layer->gate, &layer->up, &layer->down};
        for (size_t m = 0; m < sizeof matrices / sizeof matrices[0]; m++)
            count_matrix(model, matrices[m], bytes_by_type);
    }
    for (int type = 0; type < DTYPE_COUNT; type++)
        if (bytes_by_type[type] > bytes_by_type[model->main_dtype])
            model->main_dtype = (enum dtype)type;
    count_matrix(model, &model->weights.output, bytes_by_type);
}

static enum status fill(struct model *model, const struct checkpoint *checkpoint,
                        const struct model_load *load, struct error *err) {
    TRY(model_config_read(&model->config, checkpoint, load->family, err));
    TRY(weights_init(&model->weights, &model->config, checkpoint, err));
    double start = clock_seconds();
    TRY(weights_load(&model->weights, checkpoint, load, &model->weights_origin, err));
    model->weights_s = clock_seconds() - start;
    TRY(rope_table_init(&model->rope, &model->config, model->weights.rope_factors, err));
    count_weights(model);
    return STATUS_OK;
}

enum status model_open(struct model **model, const struct checkpoint *checkpoint,
                       const struct model_load *load, struct error *err) {
    static const struct model_load defaults = {0};
    *model = NULL;
    struct model *opened = calloc(1, sizeof *opened);
    if (!opened) return error_no_memory(err, "the model", sizeof *opened);
    enum status status = fill(opened, checkpoint, load ? load : &defaults, err);
    if (status != STATUS_OK) {
        model_close(opened);
        return status;
    }
    *model = opened;
    return STATUS_OK;
}

void model_close(struct model *model) {
    if (!model) return;
    rope_table_deinit(&model->rope);
    weights_deinit(&model->weights, &model->config);
    free(model);
}

const struct model_config *model_configuration(const struct model *model) {
    return &model->config;
}

uint64_t model_weight_bytes(const struct model *model) {
    return model->weight_bytes;
}

enum weights_origin model_weights_origin(const struct model *model, double *seconds) {
    *seconds = model->weights_s;
    return model->weights_origin;
}

enum dtype model_main_dtype(const struct model *model) {
    return model->main_dtype;
}
