// SPDX-License-Identifier: Apache-2.0
// mistral: the llama layout with a sliding window on every layer (version 0.1; later ones have
// none). GGUF files of it say "llama" and usually keep silent about the window.
#include "model/config_hf.h"
#include "model/family.h"

#include <string.h>

static void set_defaults(struct model_config *config) {
    config->n_context_train = 131072;
    config->n_kv_heads = 8;
    config->norm_eps = 1e-6f;
    config->rope_base = 10000.0f;
    config->sliding_window = 4096;
}

static enum status read_hf(struct model_config *config, const json_t *json, struct error *err) {
    TRY(config_hf_window(config, json, err));
    for (int layer = 0; layer < config->n_layers; layer++)
        config->layer_slides[layer] = config->sliding_window > 0;
    return STATUS_OK;
}

static const char *const model_types[] = {"mistral", NULL};

const struct family family_mistral = {
    .name = "mistral",
    .gguf_architecture = "llama",
    .hf_model_types = model_types,
    .hf_prefix = "model.",
    .hf_layers = "layers.",
    .slots = llama_slots,
    .n_slots = LLAMA_SLOTS,
    .gguf_rope_halves = false,
    .set_defaults = set_defaults,
    .read_hf = read_hf,
};
