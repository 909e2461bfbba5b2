// SPDX-License-Identifier: Apache-2.0
// What a converter must know to write any checkpoint as GGUF under the names and conventions that
// GGUF readers expect: the metadata of the configuration, the list of output tensors, and the float
// rows of each. It decides no types, writes no tensor data and knows no tokenizer.
//
// A Hugging Face checkpoint differs from GGUF in three ways: names; llama's query and key rows are
// stored per head as two halves (GGUF: interleaved pairs); gemma's norms lack a "+ 1". A GGUF
// source passes through unchanged.
#ifndef XL_MODEL_GGUF_EXPORT_H
#define XL_MODEL_GGUF_EXPORT_H

#include "format/checkpoint.h"
#include "format/gguf_writer.h"
#include "model/model_config.h"

#ifdef __cplusplus
extern "C" {
#endif

enum export_transform {
    EXPORT_NONE,
    EXPORT_PERMUTE,   // rows of each head of head_dim rows: two halves -> interleaved pairs
    EXPORT_ADD_ONE,   // gemma norms
    EXPORT_ROPE_FREQS // no source: llama3 rope factors, computed from the configuration
};

struct export_tensor {
    char name[128]; // in the GGUF file
    enum export_transform transform;
    const struct checkpoint_tensor *source; // NULL for EXPORT_ROPE_FREQS
    int head_dim;                           // for EXPORT_PERMUTE
    int n_dims;                             // 1 or 2 for what a family binds
    uint64_t dims[GGUF_DIMS_MAX];           // GGUF order: dims[0] contiguous
    uint64_t n_rows, n_columns;             // n_columns = dims[0]; n_rows = all other dims
    // May this be stored in a block type? Vectors (norms, biases) and rope factors stay f32.
    bool is_matrix;
    int layer; // -1: not in a layer
};

struct export_plan {
    const struct checkpoint *checkpoint;
    struct model_config config;
    struct export_tensor *tensors;
    size_t n_tensors;
};

// Reads the configuration and checks every tensor's presence, shape and type before anything is
// written. `family` as in model_config_read.
enum status export_plan_create(struct export_plan *plan, const struct checkpoint *checkpoint,
                               const char *family, struct error *err);
void export_plan_destroy(struct export_plan *plan);

// general.architecture, general.name and every <arch>.* key; for a GGUF source all its metadata but
// tokenizer.*, general.file_type, general.quantization_version, general.alignment and split.*.
void export_plan_metadata(const struct export_plan *plan, struct gguf_writer *writer);

// One output tensor opened for reading. Sources that lie in no mapping are read whole.
struct export_reader {
    const struct export_plan *plan;
    const struct export_tensor *tensor;
    const uint8_t *data; // contiguous source bytes
    uint8_t *owned;      // NULL if mapped
};

enum status export_reader_init(struct export_reader *reader, const struct export_plan *plan,
                               size_t index, struct error *err);
void export_reader_deinit(struct export_reader *reader); // frees, or lets the mapped pages go
// Rows first_row … of the output as floats at out [n_rows][n_columns]. The rows must exist.
void export_reader_rows(const struct export_reader *reader, uint64_t first_row, uint64_t n_rows,
                        float *out);
// The bytes of one output row in the source's own type, or NULL where rows cannot be copied as they
// are (added or computed values).
const uint8_t *export_reader_raw_row(const struct export_reader *reader, uint64_t row,
                                     uint64_t *row_bytes);

#ifdef __cplusplus
}
#endif
#endif
