// SPDX-License-Identifier: Apache-2.0
// Produces the numbers of one output tensor of an export, rows at a time, so that a converter needs
// no more memory than the rows it works on.
#include "model/family.h"
#include "model/gguf_export.h"
#include "model/rope_table.h"
#include "model/weights.h"

#include <stdlib.h>
#include <string.h>

enum status export_reader_init(struct export_reader *reader, const struct export_plan *plan,
                               size_t index, struct error *err) {
    memset(reader, 0, sizeof *reader);
    reader->plan = plan;
    reader->tensor = &plan->tensors[index];
    const struct checkpoint_tensor *source = reader->tensor->source;
    if (!source) return STATUS_OK;
    reader->data = source->data;
    if (reader->data) return STATUS_OK;
    reader->owned = malloc((size_t)source->size_bytes);
    if (!reader->owned) return error_no_memory(err, source->name, source->size_bytes);
    enum status status = checkpoint_read(plan->checkpoint, source, reader->owned, err);
    if (status != STATUS_OK) export_reader_deinit(reader);
    reader->data = reader->owned;
    return status;
}

void export_reader_deinit(struct export_reader *reader) {
    if (reader->tensor && reader->tensor->source && !reader->owned)
        checkpoint_release(reader->plan->checkpoint, reader->tensor->source);
    free(reader->owned);
    reader->owned = NULL;
    reader->data = NULL;
}

// Where output row (or element of a vector) `row` of a permuted tensor lies in the source: pairs
// (2i, 2i+1) of a head come from its halves (i, i + head_dim/2).
static uint64_t permuted(uint64_t row, uint64_t head_dim) {
    uint64_t within = row % head_dim;
    return row - within + (within % 2) * (head_dim / 2) + within / 2;
}

static uint64_t source_row(const struct export_tensor *tensor, uint64_t row) {
    bool moved = tensor->transform == EXPORT_PERMUTE && tensor->is_matrix;
    return moved ? permuted(row, (uint64_t)tensor->head_dim) : row;
}

static uint64_t source_row_bytes(const struct export_reader *reader) {
    const struct checkpoint_tensor *source = reader->tensor->source;
    return source->size_bytes / reader->tensor->n_rows;
}

static void permute_vector(const struct export_reader *reader, float *out) {
    const struct export_tensor *tensor = reader->tensor;
    const struct dtype_info *info = dtype_info((uint32_t)tensor->source->dtype);
    for (uint64_t i = 0; i < tensor->n_columns; i++) {
        uint64_t from = permuted(i, (uint64_t)tensor->head_dim);
        weights_to_float(tensor->source->dtype, reader->data + from * (uint64_t)info->block_bytes,
                         out + i, 1);
    }
}

void export_reader_rows(const struct export_reader *reader, uint64_t first_row, uint64_t n_rows,
                        float *out) {
    const struct export_tensor *tensor = reader->tensor;
    if (tensor->transform == EXPORT_ROPE_FREQS) {
        for (uint64_t i = 0; i < tensor->n_columns; i++)
            out[i] = rope_llama3_factor(&reader->plan->config, (int)i);
        return;
    }
    if (tensor->transform == EXPORT_PERMUTE && !tensor->is_matrix) {
        permute_vector(reader, out);
        return;
    }
    uint64_t row_bytes = source_row_bytes(reader);
    for (uint64_t i = 0; i < n_rows; i++) {
        const uint8_t *row = reader->data + source_row(tensor, first_row + i) * row_bytes;
        float *floats = out + i * tensor->n_columns;
        weights_to_float(tensor->source->dtype, row, floats, (size_t)tensor->n_columns);
        for (uint64_t c = 0; tensor->transform == EXPORT_ADD_ONE && c < tensor->n_columns; c++)
            floats[c] += 1.0f;
    }
}

const uint8_t *export_reader_raw_row(const struct export_reader *reader, uint64_t row,
                                     uint64_t *row_bytes) {
    const struct export_tensor *tensor = reader->tensor;
    if (!tensor->source || tensor->transform == EXPORT_ADD_ONE ||
        (tensor->transform == EXPORT_PERMUTE && !tensor->is_matrix))
        return NULL;
    *row_bytes = source_row_bytes(reader);
    return reader->data + source_row(tensor, row) * *row_bytes;
}
