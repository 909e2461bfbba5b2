// SPDX-License-Identifier: Apache-2.0
// Writes GGUF v3: metadata first, then the tensor directory, then data streamed in the order
// declared. Nothing appears under the final name before commit (base/atomic_file.h).
#ifndef XL_FORMAT_GGUF_WRITER_H
#define XL_FORMAT_GGUF_WRITER_H

#include "format/gguf.h"

#ifdef __cplusplus
extern "C" {
#endif

struct gguf_writer;

enum status gguf_writer_create(struct gguf_writer **writer, const char *path, struct error *err);
void gguf_writer_abort(struct gguf_writer *writer); // NULL is allowed; nothing is left on disk

// Metadata; errors are sticky and reported by gguf_writer_begin_data, so results need no check.
void gguf_writer_u32(struct gguf_writer *writer, const char *key, uint32_t value);
void gguf_writer_u64(struct gguf_writer *writer, const char *key, uint64_t value);
void gguf_writer_f32(struct gguf_writer *writer, const char *key, float value);
void gguf_writer_bool(struct gguf_writer *writer, const char *key, bool value);
void gguf_writer_text(struct gguf_writer *writer, const char *key, const char *text);
void gguf_writer_bytes(struct gguf_writer *writer, const char *key, const char *data, size_t size);
void gguf_writer_strings(struct gguf_writer *writer, const char *key,
                         const struct gguf_string *items, uint64_t n_items);
// Any scalar or array of scalars: payload is n_items little-endian values of item_type.
void gguf_writer_array(struct gguf_writer *writer, const char *key, enum gguf_type item_type,
                       const void *payload, uint64_t n_items);
// Copies a value of another file unchanged; what only describes that file (general.alignment,
// split.*) is left out.
void gguf_writer_copy(struct gguf_writer *writer, const struct gguf_value *value);

// Declares a tensor (GGUF order: dims[0] contiguous); data must follow in the same order.
enum status gguf_writer_declare(struct gguf_writer *writer, const char *name, enum dtype dtype,
                                int n_dims, const uint64_t *dims, struct error *err);
// Writes header, metadata and directory.
enum status gguf_writer_begin_data(struct gguf_writer *writer, struct error *err);
// Appends data of the current tensor; any number of pieces. Too much or too little is
// STATUS_FAILED.
enum status gguf_writer_data(struct gguf_writer *writer, const void *data, size_t size_bytes,
                             struct error *err);
// Pads the current tensor and goes to the next one.
enum status gguf_writer_end_tensor(struct gguf_writer *writer, struct error *err);
// Checks completeness, syncs, names the file; frees the writer in any case.
enum status gguf_writer_commit(struct gguf_writer *writer, struct error *err);

#ifdef __cplusplus
}
#endif
#endif
