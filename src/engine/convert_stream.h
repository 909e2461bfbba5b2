// SPDX-License-Identifier: Apache-2.0
// The part of a conversion that takes the time: every tensor from its source rows to its bytes in
// the output, in slabs of rows that all threads share, so that memory does not grow with the model.
#ifndef XL_ENGINE_CONVERT_STREAM_H
#define XL_ENGINE_CONVERT_STREAM_H

#include "base/thread_pool.h"
#include "engine/convert_keep.h"
#include "format/gguf_writer.h"
#include "model/gguf_export.h"
#include "quantize/recipe.h"

#ifdef __cplusplus
extern "C" {
#endif

struct convert_job {
    const struct export_plan *plan;
    const struct recipe *recipe;
    struct convert_keep keep; // tensors that keep their type
    struct gguf_writer *writer;
    struct thread_pool *pool;
    int (*on_progress)(void *user, double done, const char *tensor); // may be NULL
    void *user;
};

// The type that tensor `index` of the plan gets.
enum dtype convert_dtype(const struct convert_job *job, size_t index);
// Declares every tensor. *size_bytes: of all their data.
enum status convert_declare(const struct convert_job *job, uint64_t *size_bytes, struct error *err);
// After gguf_writer_begin_data: writes every tensor. NaN, infinity and values that the type cannot
// hold are STATUS_BAD_INPUT.
enum status convert_stream(const struct convert_job *job, struct error *err);

#ifdef __cplusplus
}
#endif
#endif
