// SPDX-License-Identifier: Apache-2.0
// The table of families and the look-ups in it.
#include "model/family.h"

#include <string.h>

static const struct family *const families[] = {
    &family_llama, &family_mistral, &family_qwen2, &family_qwen3, &family_gemma3, &family_bert,
};

enum { N_FAMILIES = sizeof families / sizeof families[0] };

const char *const *family_name_list(void) {
    static const char *const names[N_FAMILIES + 1] = {"llama", "mistral", "qwen2",
                                                      "qwen3", "gemma3",  "bert"};
    return names;
}

const char *family_names(void) {
    return "llama, mistral, qwen2, qwen3, gemma3, bert";
}

const struct family *family_by_name(const char *name) {
    for (size_t i = 0; i < N_FAMILIES; i++)
        if (strcmp(families[i]->name, name) == 0) return families[i];
    return NULL;
}

const struct family *family_by_hf_model_type(const char *model_type) {
    for (size_t i = 0; i < N_FAMILIES; i++)
        for (const char *const *type = families[i]->hf_model_types; *type; type++)
            if (strcmp(*type, model_type) == 0) return families[i];
    return NULL;
}

const struct family *family_by_gguf_architecture(struct gguf_string architecture) {
    for (size_t i = 0; i < N_FAMILIES; i++) {
        const char *name = families[i]->gguf_architecture;
        if (strlen(name) == architecture.size_bytes &&
            memcmp(name, architecture.data, architecture.size_bytes) == 0)
            return families[i];
    }
    return NULL;
}

uint64_t family_size(const struct model_config *config, enum weight_size size) {
    switch (size) {
    case SIZE_ONE:
        return 1;
    case SIZE_EMBD:
        return (uint64_t)config->n_embd;
    case SIZE_Q:
        return (uint64_t)config->n_heads * (uint64_t)config->head_dim;
    case SIZE_KV:
        return (uint64_t)config->n_kv_heads * (uint64_t)config->head_dim;
    case SIZE_FF:
        return (uint64_t)config->n_ff;
    case SIZE_HEAD:
        return (uint64_t)config->head_dim;
    case SIZE_VOCAB:
        return (uint64_t)config->n_vocab;
    case SIZE_POSITIONS:
        return (uint64_t)config->n_context_train;
    case SIZE_TOKEN_TYPES:
        return (uint64_t)config->n_token_types;
    }
    return 0;
}

bool family_slot_present(const struct model_config *config, const struct weight_slot *slot,
                         bool is_gguf, bool found) {
    switch (slot->presence) {
    case PRESENT_ALWAYS:
        return true;
    case PRESENT_ATTENTION_BIAS:
        return is_gguf ? found : config->attention_bias;
    case PRESENT_MLP_BIAS:
        return is_gguf ? found : config->mlp_bias;
    }
    return false;
}
