// SPDX-License-Identifier: Apache-2.0
// See tiny_model.h. Uses our own GGUF writer, which has tests of its own.
#include "tiny_model.h"

#include "format/gguf_writer.h"

#include <stdio.h>
#include <string.h>

enum { EMBD = 32, HEADS = 4, KV_HEADS = 2, HEAD_DIM = 8, FF = 64, LAYERS = 2, CONTEXT = 128 };

static const char TEMPLATE[] =
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}";

static uint64_t random_state;

static float next_weight(void) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(random_state >> 32) * (0.5f / 2147483648.0f);
}

static void write_vocabulary(struct gguf_writer *writer) {
    static char texts[TINY_VOCAB][16];
    static struct gguf_string items[TINY_VOCAB];
    static float scores[TINY_VOCAB];
    static int32_t types[TINY_VOCAB];
    for (int i = 0; i < TINY_VOCAB; i++) {
        types[i] = 1;
        if (i < TINY_BYTES) {
            snprintf(texts[i], sizeof texts[i], "%s", i == 0 ? "<unk>" : i == 1 ? "<s>" : "</s>");
            types[i] = i == 0 ? 2 : 3;
        } else if (i < TINY_LETTERS) {
            snprintf(texts[i], sizeof texts[i], "<0x%02X>", i - TINY_BYTES);
            types[i] = 6;
        } else if (i < TINY_LETTERS + 26)
            snprintf(texts[i], sizeof texts[i], "%c", 'a' + i - TINY_LETTERS);
        else if (i < TINY_VOCAB - 1)
            snprintf(texts[i], sizeof texts[i], "\xe2\x96\x81%c", 'a' + i - TINY_LETTERS - 26);
        else
            snprintf(texts[i], sizeof texts[i], "\xe2\x96\x81");
        items[i] = (struct gguf_string){texts[i], strlen(texts[i])};
        scores[i] = -(float)i;
    }
    gguf_writer_text(writer, "tokenizer.ggml.model", "llama");
    gguf_writer_strings(writer, "tokenizer.ggml.tokens", items, TINY_VOCAB);
    gguf_writer_array(writer, "tokenizer.ggml.scores", GGUF_F32, scores, TINY_VOCAB);
    gguf_writer_array(writer, "tokenizer.ggml.token_type", GGUF_I32, types, TINY_VOCAB);
    gguf_writer_u32(writer, "tokenizer.ggml.bos_token_id", TINY_BOS);
    gguf_writer_u32(writer, "tokenizer.ggml.eos_token_id", TINY_END);
    gguf_writer_u32(writer, "tokenizer.ggml.unknown_token_id", 0);
    gguf_writer_bool(writer, "tokenizer.ggml.add_bos_token", true);
}

static void write_metadata(struct gguf_writer *writer, bool with_template) {
    gguf_writer_text(writer, "general.architecture", "llama");
    gguf_writer_text(writer, "general.name", "tiny");
    gguf_writer_u32(writer, "llama.block_count", LAYERS);
    gguf_writer_u32(writer, "llama.context_length", CONTEXT);
    gguf_writer_u32(writer, "llama.embedding_length", EMBD);
    gguf_writer_u32(writer, "llama.feed_forward_length", FF);
    gguf_writer_u32(writer, "llama.attention.head_count", HEADS);
    gguf_writer_u32(writer, "llama.attention.head_count_kv", KV_HEADS);
    gguf_writer_f32(writer, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    gguf_writer_u32(writer, "llama.rope.dimension_count", HEAD_DIM);
    write_vocabulary(writer);
    if (with_template) gguf_writer_text(writer, "tokenizer.chat_template", TEMPLATE);
}

struct tiny_tensor {
    char name[64];
    uint64_t columns, rows; // rows 0: a vector of ones
};

static int list_tensors(struct tiny_tensor *list) {
    static const struct tiny_tensor layer[] = {
        {"attn_norm.weight", EMBD, 0},
        {"attn_q.weight", EMBD, HEADS * HEAD_DIM},
        {"attn_k.weight", EMBD, KV_HEADS * HEAD_DIM},
        {"attn_v.weight", EMBD, KV_HEADS * HEAD_DIM},
        {"attn_output.weight", HEADS * HEAD_DIM, EMBD},
        {"ffn_norm.weight", EMBD, 0},
        {"ffn_gate.weight", EMBD, FF},
        {"ffn_up.weight", EMBD, FF},
        {"ffn_down.weight", FF, EMBD},
    };
    int n = 0;
    list[n++] = (struct tiny_tensor){"token_embd.weight", EMBD, TINY_VOCAB};
    for (int l = 0; l < LAYERS; l++)
        for (size_t i = 0; i < sizeof layer / sizeof *layer; i++, n++) {
            list[n] = layer[i];
            snprintf(list[n].name, sizeof list[n].name, "blk.%d.%.40s", l, layer[i].name);
        }
    list[n++] = (struct tiny_tensor){"output_norm.weight", EMBD, 0};
    list[n++] = (struct tiny_tensor){"output.weight", EMBD, TINY_VOCAB};
    return n;
}

static bool write_tensors(struct gguf_writer *writer) {
    static struct tiny_tensor list[9 * LAYERS + 3];
    int n = list_tensors(list);
    for (int i = 0; i < n; i++) {
        uint64_t dims[2] = {list[i].columns, list[i].rows};
        if (gguf_writer_declare(writer, list[i].name, DTYPE_F32, list[i].rows ? 2 : 1, dims, NULL))
            return false;
    }
    if (gguf_writer_begin_data(writer, NULL)) return false;
    for (int i = 0; i < n; i++) {
        uint64_t n_elements = list[i].columns * (list[i].rows ? list[i].rows : 1);
        for (uint64_t e = 0; e < n_elements; e++) {
            float value = list[i].rows ? next_weight() : 1.0f;
            if (gguf_writer_data(writer, &value, sizeof value, NULL)) return false;
        }
        if (gguf_writer_end_tensor(writer, NULL)) return false;
    }
    return true;
}

bool tiny_model_write(const char *path, uint64_t seed, bool with_template) {
    struct gguf_writer *writer;
    random_state = seed;
    if (gguf_writer_create(&writer, path, NULL)) return false;
    write_metadata(writer, with_template);
    if (!write_tensors(writer)) {
        gguf_writer_abort(writer);
        return false;
    }
    return gguf_writer_commit(writer, NULL) == STATUS_OK;
}
