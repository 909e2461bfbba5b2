// SPDX-License-Identifier: Apache-2.0
// From bound matrices to packed panels: where each belongs in one stretch of memory, and the
// packing itself. Every thread packs the panels that it will multiply later, so that on a
// machine with several memories they lie in the thread's own; what was packed is let go at once, so
// that source and packed pages are never both resident.
#ifndef XL_MODEL_WEIGHTS_PACK_H
#define XL_MODEL_WEIGHTS_PACK_H

#include "base/thread_pool.h"
#include "model/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

// Bytes of all panels of weights->sources, each matrix on a multiple of 64 after the one before.
// STATUS_UNSUPPORTED if a matrix is too large to be packed.
enum status weights_measure(const struct model_weights *weights, uint64_t *size_bytes,
                            struct error *err);
// Anonymous memory for that many bytes into weights->memory, aligned for huge pages.
enum status weights_allocate(struct model_weights *weights, uint64_t size_bytes, struct error *err);
// Packs every matrix into weights->memory; pool may be NULL.
enum status weights_pack(const struct model_weights *weights, const struct checkpoint *checkpoint,
                         struct thread_pool *pool, struct error *err);
// Points every matrix at its panels.
void weights_attach(struct model_weights *weights, const uint8_t *panels);

#ifdef __cplusplus
}
#endif
#endif
