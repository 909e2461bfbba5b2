// SPDX-License-Identifier: Apache-2.0
// qwen2 and qwen2.5: the llama layout with biases on query, key and value; halves in GGUF too. A
// sliding window, where enabled, begins at a given layer.
#include "model/config_hf.h"
#include "model/family.h"

#include <stddef.h>

#define AT(member) offsetof(struct layer_weights, member)

static const struct weight_slot slots[] = {
    {"input_layernorm.weight", "attn_norm.weight", AT(attn_norm), SIZE_EMBD, SIZE_ONE,
     PRESENT_ALWAYS, EXPORT_NONE},
    {"self_attn.q_proj.weight", "attn_q.weight", AT(q), SIZE_Q, SIZE_EMBD, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"self_attn.q_proj.bias", "attn_q.bias", AT(q_bias), SIZE_Q, SIZE_ONE, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"self_attn.k_proj.weight", "attn_k.weight", AT(k), SIZE_KV, SIZE_EMBD, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"self_attn.k_proj.bias", "attn_k.bias", AT(k_bias), SIZE_KV, SIZE_ONE, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"self_attn.v_proj.weight", "attn_v.weight", AT(v), SIZE_KV, SIZE_EMBD, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"self_attn.v_proj.bias", "attn_v.bias", AT(v_bias), SIZE_KV, SIZE_ONE, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"self_attn.o_proj.weight", "attn_output.weight", AT(o), SIZE_EMBD, SIZE_Q, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"post_attention_layernorm.weight", "ffn_norm.weight", AT(ffn_norm), SIZE_EMBD, SIZE_ONE,
     PRESENT_ALWAYS, EXPORT_NONE},
    {"mlp.gate_proj.weight", "ffn_gate.weight", AT(gate), SIZE_FF, SIZE_EMBD, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"mlp.up_proj.weight", "ffn_up.weight", AT(up), SIZE_FF, SIZE_EMBD, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"mlp.down_proj.weight", "ffn_down.weight", AT(down), SIZE_EMBD, SIZE_FF, PRESENT_ALWAYS,
     EXPORT_NONE},
};

static void set_defaults(struct model_config *config) {
    config->n_context_train = 32768;
    config->norm_eps = 1e-6f;
    config->rope_base = 10000.0f;
}

static const char *const model_types[] = {"qwen2", NULL};

const struct family family_qwen2 = {
    .name = "qwen2",
    .gguf_architecture = "qwen2",
    .hf_model_types = model_types,
    .hf_prefix = "model.",
    .hf_layers = "layers.",
    .slots = slots,
    .n_slots = sizeof slots / sizeof slots[0],
    .gguf_rope_halves = true,
    .set_defaults = set_defaults,
    .read_hf = config_hf_late_window,
};
