// SPDX-License-Identifier: Apache-2.0
// xl_quantize_matrix: what a conversion would make of a matrix, as floats. It writes the blocks row
// by row and reads them back, so it cannot differ from a conversion; it accepts only types whose
// blocks come out the same when those floats are converted.
#include "engine/engine.h"

#include "numeric/blocks.h"
#include "quantize/quantize.h"
#include "quantize/recipe.h"

#include <math.h>
#include <stdlib.h>

static enum status choose_dtype(const char *type, bool is_output, size_t n_columns,
                                enum dtype *dtype, struct error *err) {
    const struct recipe *recipe = recipe_find(type);
    if (!recipe)
        return error_set(err, STATUS_USAGE, "unknown type \"%.32s\"; see xl_convert_types()", type);
    const struct recipe_tensor tensor = {.name = is_output ? "output.weight" : "weight",
                                         .is_matrix = true,
                                         .layer = -1,
                                         .n_columns = n_columns};
    *dtype = recipe_choose(recipe, &tensor);
    if (quantize_keeps(*dtype) && !recipe->is_mix) return STATUS_OK;
    return error_set(err, STATUS_UNSUPPORTED,
                     "%s: values of this type change when they are converted again; sym_int4, "
                     "asym_int4, sym_int5, asym_int5 and sym_int8 keep them",
                     type);
}

static enum status check_row(const float *row, size_t index, size_t n_columns, enum dtype dtype,
                             struct error *err) {
    if (!quantize_finite(row, n_columns))
        return error_set(err, STATUS_BAD_INPUT, "row %zu holds NaN or infinity", index);
    const float most = quantize_magnitude_max(dtype);
    for (size_t i = 0; i < n_columns; i++)
        if (fabsf(row[i]) > most)
            return error_set(err, STATUS_BAD_INPUT, "row %zu holds %g, but %s ends at %g", index,
                             (double)row[i], dtype_info((uint32_t)dtype)->name, (double)most);
    return STATUS_OK;
}

static enum status quantize_matrix(enum dtype dtype, const float *weights, size_t n_rows,
                                   size_t n_columns, float *values, struct error *err) {
    uint64_t row_bytes;
    if (!dtype_size_bytes(dtype, n_columns, &row_bytes) || row_bytes > SIZE_MAX)
        return error_set(err, STATUS_USAGE, "rows of %zu elements are impossible", n_columns);
    void *bytes = malloc(row_bytes);
    if (!bytes) return error_no_memory(err, "a row of blocks", row_bytes);
    enum status status = STATUS_OK;
    for (size_t row = 0; status == STATUS_OK && row < n_rows; row++) {
        const float *source = weights + row * n_columns;
        status = check_row(source, row, n_columns, dtype, err);
        if (status != STATUS_OK) break;
        quantize_rows(dtype, source, bytes, 1, n_columns, NULL);
        dequantize_row(dtype, bytes, values + row * n_columns, n_columns);
    }
    free(bytes);
    return status;
}

xl_status xl_quantize_matrix(const char *type, bool is_output, const float *weights, size_t n_rows,
                             size_t n_columns, float *values, xl_error *error) {
    struct error err = {.status = STATUS_OK};
    enum dtype dtype = DTYPE_F32;
    if (!type || !weights || !values || n_columns == 0)
        return engine_report(
            error,
            error_set(&err, STATUS_USAGE, "xl_quantize_matrix needs a type, weights and a place"),
            &err);
    enum status status = choose_dtype(type, is_output, n_columns, &dtype, &err);
    if (status == STATUS_OK)
        status = quantize_matrix(dtype, weights, n_rows, n_columns, values, &err);
    return engine_report(error, status, &err);
}
