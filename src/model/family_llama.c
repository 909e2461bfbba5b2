// SPDX-License-Identifier: Apache-2.0
// llama 1 to 3.x and everything that calls itself llama (SmolLM2, TinyLlama, …): RMS norm before
// each block, rotary embedding, grouped queries, SiLU-gated feed-forward. In GGUF the query and key
// rows of a head are interleaved, in Hugging Face checkpoints they are two halves.
#include "model/family.h"

#include <stddef.h>

#define AT(member) offsetof(struct layer_weights, member)

const struct weight_slot llama_slots[LLAMA_SLOTS] = {
    {"input_layernorm.weight", "attn_norm.weight", AT(attn_norm), SIZE_EMBD, SIZE_ONE,
     PRESENT_ALWAYS, EXPORT_NONE},
    {"self_attn.q_proj.weight", "attn_q.weight", AT(q), SIZE_Q, SIZE_EMBD, PRESENT_ALWAYS,
     EXPORT_PERMUTE},
    {"self_attn.k_proj.weight", "attn_k.weight", AT(k), SIZE_KV, SIZE_EMBD, PRESENT_ALWAYS,
     EXPORT_PERMUTE},
    {"self_attn.v_proj.weight", "attn_v.weight", AT(v), SIZE_KV, SIZE_EMBD, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"self_attn.o_proj.weight", "attn_output.weight", AT(o), SIZE_EMBD, SIZE_Q, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"self_attn.q_proj.bias", "attn_q.bias", AT(q_bias), SIZE_Q, SIZE_ONE, PRESENT_ATTENTION_BIAS,
     EXPORT_PERMUTE},
    {"self_attn.k_proj.bias", "attn_k.bias", AT(k_bias), SIZE_KV, SIZE_ONE, PRESENT_ATTENTION_BIAS,
     EXPORT_PERMUTE},
    {"self_attn.v_proj.bias", "attn_v.bias", AT(v_bias), SIZE_KV, SIZE_ONE, PRESENT_ATTENTION_BIAS,
     EXPORT_NONE},
    {"self_attn.o_proj.bias", "attn_output.bias", AT(o_bias), SIZE_EMBD, SIZE_ONE,
     PRESENT_ATTENTION_BIAS, EXPORT_NONE},
    {"post_attention_layernorm.weight", "ffn_norm.weight", AT(ffn_norm), SIZE_EMBD, SIZE_ONE,
     PRESENT_ALWAYS, EXPORT_NONE},
    {"mlp.gate_proj.weight", "ffn_gate.weight", AT(gate), SIZE_FF, SIZE_EMBD, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"mlp.up_proj.weight", "ffn_up.weight", AT(up), SIZE_FF, SIZE_EMBD, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"mlp.down_proj.weight", "ffn_down.weight", AT(down), SIZE_EMBD, SIZE_FF, PRESENT_ALWAYS,
     EXPORT_NONE},
    {"mlp.gate_proj.bias", "ffn_gate.bias", AT(gate_bias), SIZE_FF, SIZE_ONE, PRESENT_MLP_BIAS,
     EXPORT_NONE},
    {"mlp.up_proj.bias", "ffn_up.bias", AT(up_bias), SIZE_FF, SIZE_ONE, PRESENT_MLP_BIAS,
     EXPORT_NONE},
    {"mlp.down_proj.bias", "ffn_down.bias", AT(down_bias), SIZE_EMBD, SIZE_ONE, PRESENT_MLP_BIAS,
     EXPORT_NONE},
};

static void set_defaults(struct model_config *config) {
    config->n_context_train = 2048;
    config->norm_eps = 1e-6f;
    config->rope_base = 10000.0f;
}

static const char *const model_types[] = {"llama", NULL};

const struct family family_llama = {
    .name = "llama",
    .gguf_architecture = "llama",
    .hf_model_types = model_types,
    .hf_prefix = "model.",
    .hf_layers = "layers.",
    .slots = llama_slots,
    .n_slots = LLAMA_SLOTS,
    .gguf_rope_halves = false,
    .set_defaults = set_defaults,
};
