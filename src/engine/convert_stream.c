// SPDX-License-Identifier: Apache-2.0
// A slab is the largest number of whole rows that keeps its floats near SLAB_ELEMENTS. Each thread
// expands, checks and quantizes its own rows of the slab into its own part of the output buffer.
#include "engine/convert_stream.h"

#include "base/bytes.h"
#include "quantize/quantize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SLAB_ELEMENTS = 1 << 21 }; // 8 MiB of floats, all threads together

// What one tensor's slabs share.
struct slab {
    const struct export_reader *reader;
    enum dtype dtype;
    bool is_copy; // rows already have the type
    uint64_t first_row, n_rows, n_columns, row_bytes;
    float *floats;   // [n_rows][n_columns]
    uint8_t *bytes;  // [n_rows][row_bytes]
    float *worst;    // [n_threads] largest magnitude; infinity: a row was not finite
    uint64_t *where; // [n_threads] row of it
};

static struct recipe_tensor describe(const struct export_plan *plan, size_t index) {
    const struct export_tensor *tensor = &plan->tensors[index];
    return (struct recipe_tensor){
        .name = tensor->name,
        .is_matrix = tensor->is_matrix,
        .layer = tensor->layer,
        .n_layers = plan->config.n_layers,
        .n_rows = tensor->n_rows,
        .n_columns = tensor->n_columns,
        .tied_output = plan->config.tied_embeddings,
    };
}

enum dtype convert_dtype(const struct convert_job *job, size_t index) {
    const struct export_tensor *exported = &job->plan->tensors[index];
    struct recipe_tensor tensor = describe(job->plan, index);
    if (exported->is_matrix && exported->source && convert_keep_has(&job->keep, job->plan, index))
        return exported->source->dtype;
    return recipe_choose(job->recipe, &tensor);
}

enum status convert_declare(const struct convert_job *job, uint64_t *size_bytes,
                            struct error *err) {
    *size_bytes = 0;
    for (size_t i = 0; i < job->plan->n_tensors; i++) {
        const struct export_tensor *tensor = &job->plan->tensors[i];
        enum dtype dtype = convert_dtype(job, i);
        TRY(gguf_writer_declare(job->writer, tensor->name, dtype, tensor->n_dims, tensor->dims,
                                err));
        uint64_t n_elements, tensor_bytes;
        if (!size_multiply(tensor->n_rows, tensor->n_columns, &n_elements) ||
            !dtype_size_bytes(dtype, n_elements, &tensor_bytes) ||
            !size_add(*size_bytes, tensor_bytes, size_bytes))
            return error_set(err, STATUS_BAD_INPUT, "tensor '%s' has an impossible size",
                             tensor->name);
    }
    return STATUS_OK;
}

static float largest_magnitude(const float *x, size_t n) {
    if (!quantize_finite(x, n)) return INFINITY;
    float largest = 0;
    for (size_t i = 0; i < n; i++) {
        float magnitude = fabsf(x[i]);
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}

static void convert_row(const struct slab *slab, uint64_t row, int thread_index) {
    float *floats = slab->floats + row * slab->n_columns;
    uint8_t *bytes = slab->bytes + row * slab->row_bytes;
    export_reader_rows(slab->reader, slab->first_row + row, 1, floats);
    float magnitude = largest_magnitude(floats, slab->n_columns);
    if (magnitude > slab->worst[thread_index]) {
        slab->worst[thread_index] = magnitude;
        slab->where[thread_index] = slab->first_row + row;
    }
    if (magnitude > quantize_magnitude_max(slab->dtype)) return;
    if (slab->is_copy) {
        uint64_t row_bytes;
        memcpy(bytes, export_reader_raw_row(slab->reader, slab->first_row + row, &row_bytes),
               slab->row_bytes);
    } else {
        quantize_rows(slab->dtype, floats, bytes, 1, slab->n_columns, NULL);
    }
}

static void convert_slab(void *argument, int thread_index, int n_threads) {
    const struct slab *slab = argument;
    uint64_t from = slab->n_rows * (uint64_t)thread_index / (uint64_t)n_threads;
    uint64_t to = slab->n_rows * ((uint64_t)thread_index + 1) / (uint64_t)n_threads;
    slab->worst[thread_index] = -1;
    for (uint64_t row = from; row < to; row++)
        convert_row(slab, row, thread_index);
}

static enum status check_values(const struct convert_job *job, const struct slab *slab,
                                struct error *err) {
    const char *name = slab->reader->tensor->name;
    float most = quantize_magnitude_max(slab->dtype);
    for (int i = 0; i < thread_pool_size(job->pool); i++) {
        if (!(slab->worst[i] > most)) continue;
        unsigned long long row = slab->where[i];
        const char *source = checkpoint_path(job->plan->checkpoint);
        if (isinf(slab->worst[i]))
            return error_set(err, STATUS_BAD_INPUT,
                             "%s: tensor '%s', row %llu: holds NaN or infinity; the checkpoint is "
                             "damaged or was saved from a failed training run",
                             source, name, row);
        return error_set(err, STATUS_BAD_INPUT,
                         "%s: tensor '%s', row %llu: holds %g, but %s ends at %g; convert to bf16 "
                         "or fp32",
                         source, name, row, (double)slab->worst[i],
                         dtype_info((uint32_t)slab->dtype)->name, (double)most);
    }
    return STATUS_OK;
}

static enum status report(const struct convert_job *job, double done, const char *tensor,
                          struct error *err) {
    if (!(done <= 1)) done = 1; // a sum of shares may end a little above
    if (!job->on_progress || job->on_progress(job->user, done, tensor) == 0) return STATUS_OK;
    return error_set(err, STATUS_CANCELLED, "conversion stopped at tensor '%s'", tensor);
}

// Memory of one tensor's slabs.
static enum status allocate(struct slab *slab, uint64_t n_rows, int n_threads, struct error *err) {
    uint64_t n_floats = n_rows * slab->n_columns, bytes = n_rows * slab->row_bytes;
    slab->floats = malloc((size_t)n_floats * sizeof *slab->floats);
    slab->bytes = malloc((size_t)bytes);
    slab->worst = malloc((size_t)n_threads * sizeof *slab->worst);
    slab->where = calloc((size_t)n_threads, sizeof *slab->where);
    if (slab->floats && slab->bytes && slab->worst && slab->where) return STATUS_OK;
    return error_no_memory(err, "conversion buffers", n_floats * sizeof *slab->floats + bytes);
}

static enum status run_slabs(const struct convert_job *job, struct slab *slab, uint64_t total_rows,
                             double done, double share, struct error *err) {
    const char *name = slab->reader->tensor->name;
    uint64_t slab_rows = slab->n_columns < SLAB_ELEMENTS ? SLAB_ELEMENTS / slab->n_columns : 1;
    if (slab_rows > total_rows) slab_rows = total_rows;
    TRY(allocate(slab, slab_rows, thread_pool_size(job->pool), err));
    for (uint64_t row = 0; row < total_rows; row += slab->n_rows) {
        TRY(report(job, done + share * (double)row / (double)total_rows, name, err));
        slab->first_row = row;
        slab->n_rows = total_rows - row < slab_rows ? total_rows - row : slab_rows;
        thread_pool_run(job->pool, convert_slab, slab);
        TRY(check_values(job, slab, err));
        TRY(gguf_writer_data(job->writer, slab->bytes, (size_t)(slab->n_rows * slab->row_bytes),
                             err));
    }
    return STATUS_OK;
}

static enum status convert_tensor(const struct convert_job *job, size_t index, double done,
                                  double share, struct error *err) {
    const struct export_tensor *tensor = &job->plan->tensors[index];
    struct export_reader reader;
    TRY(export_reader_init(&reader, job->plan, index, err));
    struct slab slab = {.reader = &reader, .n_columns = tensor->n_columns};
    slab.dtype = convert_dtype(job, index);
    slab.is_copy = false;
    uint64_t raw_bytes;
    if (tensor->source && tensor->source->dtype == slab.dtype && tensor->n_rows > 0)
        slab.is_copy = export_reader_raw_row(&reader, 0, &raw_bytes) != NULL;
    enum status status = STATUS_OK;
    if (!dtype_size_bytes(slab.dtype, tensor->n_columns, &slab.row_bytes) || slab.row_bytes == 0)
        status = error_set(err, STATUS_BAD_INPUT, "tensor '%s' has rows of no size", tensor->name);
    if (status == STATUS_OK) status = run_slabs(job, &slab, tensor->n_rows, done, share, err);
    free(slab.floats);
    free(slab.bytes);
    free(slab.worst);
    free(slab.where);
    export_reader_deinit(&reader);
    TRY(status);
    return gguf_writer_end_tensor(job->writer, err);
}

enum status convert_stream(const struct convert_job *job, struct error *err) {
    double total = 0, done = 0;
    for (size_t i = 0; i < job->plan->n_tensors; i++)
        total += (double)job->plan->tensors[i].n_rows * (double)job->plan->tensors[i].n_columns;
    for (size_t i = 0; i < job->plan->n_tensors; i++) {
        const struct export_tensor *tensor = &job->plan->tensors[i];
        double share = (double)tensor->n_rows * (double)tensor->n_columns / total;
        TRY(convert_tensor(job, i, done, share, err));
        done += share;
    }
    return report(job, 1, "", err);
}
