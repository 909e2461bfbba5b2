#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tiny random models under tests/golden/models and their reference logits.

Each has odd sizes on purpose: shared key-value heads, a head dimension that is not
n_embd / n_heads, tied and untied outputs, every rotary scaling, windows shorter than the text.
Weights are random with a fixed seed, so the files can be made again; the logits are what the
transformers library computes in float32 with its plain ("eager") attention.

  pip install torch transformers safetensors        (made with torch 2.13, transformers 5.23)
  python3 tests/golden/make_models.py [NAME ...]

models/<name>/config.json, model.safetensors    the checkpoint
models/<name>/tokens.bin                        int32 token ids, little-endian
models/<name>/logits.bin                        float32 [n_tokens][n_vocab], every position
"""
import json
import pathlib
import struct
import sys

import torch
import transformers

HERE = pathlib.Path(__file__).resolve().parent
N_TOKENS = 40
SMALL = dict(vocab_size=192, hidden_size=48, intermediate_size=72, num_hidden_layers=2,
             num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
             bos_token_id=1, eos_token_id=2, pad_token_id=0)
QWEN_LAYERS = ["full_attention", "sliding_attention", "sliding_attention"]


def llama(**changes):
    return transformers.LlamaConfig(**{**SMALL, **changes})


def models():
    rope = dict(rope_theta=500.0)
    return {
        "llama": llama(),
        "llama-tied-odd": llama(tie_word_embeddings=True, head_dim=12, num_attention_heads=6,
                                hidden_size=54, num_key_value_heads=3, intermediate_size=70,
                                vocab_size=251, rms_norm_eps=1e-5),
        "llama-bias": llama(attention_bias=True, mlp_bias=True, num_key_value_heads=1),
        "llama-linear": llama(rope_parameters=dict(rope_type="linear", factor=4.0, **rope)),
        "llama-llama3": llama(rope_parameters=dict(
            rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
            original_max_position_embeddings=32, rope_theta=10000.0)),
        "llama-yarn": llama(rope_parameters=dict(
            rope_type="yarn", factor=4.0, original_max_position_embeddings=16, **rope)),
        "llama-yarn-mscale": llama(rope_parameters=dict(
            rope_type="yarn", factor=8.0, original_max_position_embeddings=64, beta_fast=8.0,
            beta_slow=2.0, attention_factor=0.83, **rope)),
        "llama-bf16": llama(dtype="bfloat16"),
        "mistral": transformers.MistralConfig(**SMALL, sliding_window=None),
        "mistral-window": transformers.MistralConfig(**SMALL, sliding_window=11, head_dim=20),
        "qwen2": transformers.Qwen2Config(**SMALL, tie_word_embeddings=True, rope_parameters=dict(
            rope_type="default", rope_theta=1e6)),
        "qwen2-window": transformers.Qwen2Config(
            **{**SMALL, "num_hidden_layers": 3}, use_sliding_window=True, sliding_window=7,
            max_window_layers=1),
        "qwen3": transformers.Qwen3Config(**SMALL, head_dim=32, rope_parameters=dict(
            rope_type="default", rope_theta=1e6)),
        "qwen3-bias-window": transformers.Qwen3Config(
            **{**SMALL, "num_key_value_heads": 4, "num_hidden_layers": 3}, head_dim=16, attention_bias=True,
            tie_word_embeddings=True, use_sliding_window=True, sliding_window=9,
            layer_types=QWEN_LAYERS),
        "gemma3": gemma3_text(),
        "gemma3-global-linear": gemma3_text(
            num_hidden_layers=4, sliding_window_pattern=2, query_pre_attn_scalar=20,
            final_logit_softcapping=20.0, attn_logit_softcapping=6.0, rope_parameters=dict(
                full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1e6),
                sliding_attention=dict(rope_type="default", rope_theta=1e4))),
        "gemma3-bf16": gemma3_text(dtype="bfloat16"),
    }


def gemma3_text(**changes):
    base = {**SMALL, "num_hidden_layers": 7, "hidden_size": 40, "intermediate_size": 56}
    return transformers.Gemma3TextConfig(**{**base, "head_dim": 16, "sliding_window": 8,
                                            "query_pre_attn_scalar": 16, **changes})


def randomize(model, seed):
    """Weights large enough that every part of the network shows in the logits."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("norm.weight"):
                center = 0.0 if "Gemma" in type(model).__name__ else 1.0
                parameter.copy_(center + 0.2 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.3 * noise)
            elif "embed" in name:
                parameter.copy_(0.4 * noise)
            else:
                parameter.copy_(noise * 1.5 / parameter.shape[-1] ** 0.5)


def reference_logits(directory, tokens):
    """float32, the reference's own arithmetic, from the files as written."""
    model = transformers.AutoModelForCausalLM.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager")
    model.eval()
    with torch.no_grad():
        return model(torch.tensor([tokens])).logits[0].float()


def make(name, config, seed):
    directory = HERE / "models" / name
    directory.mkdir(parents=True, exist_ok=True)
    model = transformers.AutoModelForCausalLM.from_config(
        config, dtype=getattr(config, "dtype", None) or torch.float32)
    randomize(model, seed)
    model.save_pretrained(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)
    generator = torch.Generator().manual_seed(seed + 1000)
    tokens = torch.randint(0, config.vocab_size, (N_TOKENS,), generator=generator).tolist()
    (directory / "tokens.bin").write_bytes(struct.pack(f"<{N_TOKENS}i", *tokens))
    logits = reference_logits(directory, tokens)
    assert torch.isfinite(logits).all()
    (directory / "logits.bin").write_bytes(logits.numpy().astype("<f4").tobytes())
    size = sum(path.stat().st_size for path in directory.iterdir())
    print(f"{name:24s} {size / 1000:7.0f} kB  max |logit| {logits.abs().max():.2f}")


def main():
    transformers.logging.set_verbosity_error()
    wanted = sys.argv[1:]
    for seed, (name, config) in enumerate(models().items()):
        if not wanted or name in wanted:
            make(name, config, seed)
    multimodal(wanted)


def multimodal(wanted):
    """The text weights of "gemma3" under the names and config of the model with a vision part."""
    name = "gemma3-multimodal"
    if wanted and name not in wanted:
        return
    from safetensors.torch import load_file, save_file
    source, directory = HERE / "models" / "gemma3", HERE / "models" / name
    directory.mkdir(parents=True, exist_ok=True)
    weights = load_file(source / "model.safetensors")
    renamed = {"language_model." + key: value for key, value in weights.items()}
    save_file(renamed, directory / "model.safetensors", metadata={"format": "pt"})
    text = json.loads((source / "config.json").read_text())
    config = {"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3",
              "text_config": text}
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    for file in ("tokens.bin", "logits.bin"):
        (directory / file).write_bytes((source / file).read_bytes())


if __name__ == "__main__":
    main()
