// SPDX-License-Identifier: Apache-2.0
// What a model family is: which names it goes by, which weights a layer has under which names, and
// how its configuration departs from the common one. One file per family fills one struct family;
// the forward pass (forward.c) reads only the configuration and which weights are present.
// To add a family: write family_<name>.c and add it to the table in family.c.
#ifndef XL_MODEL_FAMILY_H
#define XL_MODEL_FAMILY_H

#include "format/gguf_writer.h"
#include "model/gguf_export.h"
#include "model/model_config.h"
#include "model/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

// Sizes that the shapes of weights are made of.
enum weight_size {
    SIZE_ONE,
    SIZE_EMBD,
    SIZE_Q,
    SIZE_KV,
    SIZE_FF,
    SIZE_HEAD,
    SIZE_VOCAB,
    SIZE_POSITIONS,
    SIZE_TOKEN_TYPES
};

enum weight_presence {
    PRESENT_ALWAYS,
    PRESENT_ATTENTION_BIAS, // if the configuration says so; in GGUF: if it is there
    PRESENT_MLP_BIAS
};

// One weight of a layer. columns == SIZE_ONE: a vector of `rows` floats, else a matrix.
struct weight_slot {
    const char *hf;   // after "model.layers.N."
    const char *gguf; // after "blk.N."
    size_t offset; // of a struct weight or a float * in struct layer_weights (an encoder's globals:
                   // of a struct embedding or a float * in struct model_weights)
    enum weight_size rows, columns;
    enum weight_presence presence;
    enum export_transform transform; // from Hugging Face to GGUF
};

struct family {
    const char *name; // as given to -x
    const char *gguf_architecture;
    const char *const *hf_model_types; // ends with NULL
    const struct weight_slot *slots;
    size_t n_slots;
    enum export_transform norm_transform; // of the final norm
    const char *hf_prefix, *hf_layers; // before a tensor's name: "model.", and a layer's: "layers."
    // Encoders see the whole text at once and end in states, not in logits (encoder.h).
    bool is_encoder;
    const struct weight_slot *globals; // of an encoder: what is in no layer
    size_t n_globals;
    int gguf_window_pattern; // where a GGUF file with a window has no pattern key
    bool gguf_rope_halves;   // pairing of the GGUF checkpoint's query and key rows
    // Before the common keys are read: what the family assumes where config.json is silent.
    void (*set_defaults)(struct model_config *config);
    // After the common keys; may be NULL. `json` is config.json (or its text_config).
    enum status (*read_hf)(struct model_config *config, const json_t *json, struct error *err);
    enum status (*read_gguf)(struct model_config *config, const struct gguf *gguf,
                             struct error *err);
    // Keys beyond the common ones; may be NULL.
    void (*write_gguf)(const struct model_config *config, struct gguf_writer *writer);
};

extern const struct family family_llama, family_mistral, family_qwen2, family_qwen3, family_gemma3,
    family_bert;

// The weight slots of the llama layout, which mistral shares.
enum { LLAMA_SLOTS = 16 };
extern const struct weight_slot llama_slots[LLAMA_SLOTS];

const struct family *family_by_name(const char *name);
const struct family *family_by_hf_model_type(const char *model_type);
// `text` is not terminated.
const struct family *family_by_gguf_architecture(struct gguf_string architecture);
// All names, NULL-terminated.
const char *const *family_name_list(void);
// "llama, mistral, …" for messages.
const char *family_names(void);

// The number behind a weight_size.
uint64_t family_size(const struct model_config *config, enum weight_size size);
// Is this slot's weight expected? `found`: a tensor of that name exists in the checkpoint.
bool family_slot_present(const struct model_config *config, const struct weight_slot *slot,
                         bool is_gguf, bool found);

#ifdef __cplusplus
}
#endif
#endif
