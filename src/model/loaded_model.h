// SPDX-License-Identifier: Apache-2.0
// The inside of a struct model, for the files that make and run it.
#ifndef XL_MODEL_LOADED_MODEL_H
#define XL_MODEL_LOADED_MODEL_H

#include "model/model.h"
#include "model/rope_table.h"
#include "model/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

struct model {
    struct model_config config;
    struct model_weights weights;
    struct rope_table rope;
    uint64_t weight_bytes;
    enum dtype main_dtype;
    enum weights_origin weights_origin;
    double weights_s; // that packing or mapping took
};

#ifdef __cplusplus
}
#endif
#endif
