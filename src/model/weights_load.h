// SPDX-License-Identifier: Apache-2.0
// Where the panels of a bound model come from: the cache file if there is a good one, else packed
// into a new cache file, else packed into memory.
#ifndef XL_MODEL_WEIGHTS_LOAD_H
#define XL_MODEL_WEIGHTS_LOAD_H

#include "model/model.h"
#include "model/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

enum status weights_load(struct model_weights *weights, const struct checkpoint *checkpoint,
                         const struct model_load *load, enum weights_origin *origin,
                         struct error *err);

#ifdef __cplusplus
}
#endif
#endif
