// SPDX-License-Identifier: Apache-2.0
// Reads the part of config.json that all families share, plus helpers for what several share.
#ifndef XL_MODEL_CONFIG_HF_H
#define XL_MODEL_CONFIG_HF_H

#include "model/model_config.h"

#ifdef __cplusplus
extern "C" {
#endif

// Sizes, norms, activation, biases, rotary embedding. Fields already set are defaults; sizes that
// are 0 and absent are errors.
enum status config_hf_read(struct model_config *config, const json_t *json, struct error *err);
// sliding_window: absent keeps the default, null means none.
enum status config_hf_window(struct model_config *config, const json_t *json, struct error *err);
// layer_types, if present, says which layers slide.
enum status config_hf_layer_types(struct model_config *config, const json_t *json,
                                  struct error *err);
// qwen: use_sliding_window, and layers from max_window_layers on slide.
enum status config_hf_late_window(struct model_config *config, const json_t *json,
                                  struct error *err);

#ifdef __cplusplus
}
#endif
#endif
