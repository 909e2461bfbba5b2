#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a model of the shape of Llama 3 8B with 8 layers and random weights, as a Hugging Face
folder of bfloat16 safetensors (about 4 GB; about 1 GB at 4 bits).

Speed does not depend on what the weights say, and every engine of the comparison opens this folder
or a GGUF made of it, so nobody has to download 16 GB to compare engines at a size that matters.
The same seed writes the same bytes. One tensor is in memory at a time. Needs numpy.

Its tokenizer is generated too: the 256 byte characters of the byte-level alphabet and pairs of
them up to 32000 tokens.
"""

import json
import sys
from pathlib import Path

import numpy as np

SEED = 20260101
LAYERS, EMBD, FF, HEADS, KV_HEADS, HEAD_DIM, VOCAB = 8, 4096, 14336, 32, 8, 128, 32000


def tensors_of_layer(layer):
    prefix = f"model.layers.{layer}."
    yield prefix + "input_layernorm.weight", (EMBD,)
    yield prefix + "self_attn.q_proj.weight", (HEADS * HEAD_DIM, EMBD)
    yield prefix + "self_attn.k_proj.weight", (KV_HEADS * HEAD_DIM, EMBD)
    yield prefix + "self_attn.v_proj.weight", (KV_HEADS * HEAD_DIM, EMBD)
    yield prefix + "self_attn.o_proj.weight", (EMBD, HEADS * HEAD_DIM)
    yield prefix + "post_attention_layernorm.weight", (EMBD,)
    yield prefix + "mlp.gate_proj.weight", (FF, EMBD)
    yield prefix + "mlp.up_proj.weight", (FF, EMBD)
    yield prefix + "mlp.down_proj.weight", (EMBD, FF)


def bfloat16(values):
    """float32 to bfloat16 bits, rounded to nearest even."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def tensor_bits(name, shape):
    """Every tensor has its own generator, so that order and shards do not matter."""
    if len(shape) == 1:
        return bfloat16(np.ones(shape, np.float32))
    generator = np.random.default_rng([SEED, *name.encode()])
    values = generator.standard_normal(shape, np.float32)
    values *= shape[1] ** -0.5
    return bfloat16(values)


def write_shard(path, tensors):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors:
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in tensors:
            tensor_bits(name, shape).tofile(file)
    return at


def write_weights(folder):
    shards = [list(tensors_of_layer(layer)) for layer in range(LAYERS)]
    shards.append([("model.embed_tokens.weight", (VOCAB, EMBD)), ("model.norm.weight", (EMBD,)),
                   ("lm_head.weight", (VOCAB, EMBD))])
    places, total = {}, 0
    for i, tensors in enumerate(shards, start=1):
        name = f"model-{i:05}-of-{len(shards):05}.safetensors"
        total += write_shard(folder / name, tensors)
        places.update({tensor: name for tensor, _ in tensors})
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1))


def byte_alphabet():
    """The printable stand-ins of the 256 bytes in byte-level vocabularies."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (256 + i for i in range(256))
    return [chr(b) if b in plain else chr(next(others)) for b in range(256)]


def write_tokenizer(folder):
    alphabet = byte_alphabet()
    specials = ["<|begin|>", "<|end|>"]
    tokens = specials + alphabet
    merges = []
    letters = sorted(alphabet[33:127])  # 94 * 94 pairs, then mixed ones
    for pair in [(a, b) for a in letters for b in letters] + \
                [(a, b) for a in alphabet[127:] + alphabet[:33] for b in alphabet]:
        if len(tokens) == VOCAB:
            break
        merges.append(f"{pair[0]} {pair[1]}")
        tokens.append(pair[0] + pair[1])
    added = [{"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for i, text in enumerate(specials)]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                  "use_regex": True}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": None, "pre_tokenizer": byte_level, "post_processor": None,
        "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False,
                  "vocab": {token: i for i, token in enumerate(tokens)}, "merges": merges}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": specials[0],
        "eos_token": specials[1], "model_max_length": 32768,
        "clean_up_tokenization_spaces": False}, indent=1))


def write_config(folder):
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "bfloat16",
        "hidden_size": EMBD, "intermediate_size": FF, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD_DIM,
        "vocab_size": VOCAB, "max_position_embeddings": 32768, "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0, "hidden_act": "silu", "tie_word_embeddings": False,
        "attention_bias": False, "mlp_bias": False, "bos_token_id": 0, "eos_token_id": 1}, indent=1))


def main():
    if len(sys.argv) != 2:
        print("usage: synthetic_model.py FOLDER", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    if (folder / "config.json").is_file():
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder)
    write_weights(folder)
    write_config(folder)  # last: a folder with it is complete
    return 0


if __name__ == "__main__":
    sys.exit(main())
