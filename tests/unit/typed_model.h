// SPDX-License-Identifier: Apache-2.0
// A random llama written as GGUF with all matrices in one weight type: some hundred thousand
// numbers, enough to run every kernel and every way of loading.
#ifndef XL_TESTS_TYPED_MODEL_H
#define XL_TESTS_TYPED_MODEL_H

#include "base/status.h"
#include "numeric/dtype.h"

enum {
    TYPED_LAYERS = 2,
    TYPED_EMBD = 256,
    TYPED_FF = 512,
    TYPED_HEADS = 4,
    TYPED_KV = 2,
    TYPED_VOCAB = 96,
    TYPED_TYPES = 15
};

enum typed_variant {
    TYPED_PLAIN = 1, // what the type's bytes mean, stored as f32
    TYPED_UNTIED = 2 // with an output matrix of its own
};

extern const enum dtype typed_model_types[TYPED_TYPES]; // every weight type

// The same arguments give the same file. variant: a mask. dtype may also be DTYPE_F64.
enum status typed_model_write(const char *path, enum dtype dtype, unsigned variant,
                              struct error *err);

#endif
