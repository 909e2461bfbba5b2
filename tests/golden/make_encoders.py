#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tiny random encoders under tests/golden/models and their reference vectors.

  pip install torch transformers safetensors        (made with torch 2.13, transformers 5.23)
  python3 tests/golden/make_encoders.py

models/<name>/config.json, model.safetensors    the checkpoint
models/<name>/texts.bin      int32: number of texts, length of each, then all their token ids
models/<name>/vectors.bin    float32 [mean, first, last][text][n_embd] of the last hidden states
"""
import pathlib
import struct

import torch
import transformers

HERE = pathlib.Path(__file__).resolve().parent
LENGTHS = [1, 2, 3, 7, 16, 17, 40, 63, 64, 65, 100, 530]  # one is longer than a segment of attention
SMALL = dict(vocab_size=150, hidden_size=48, intermediate_size=72, num_hidden_layers=2,
             num_attention_heads=4, max_position_embeddings=540, pad_token_id=0)


def models():
    return {
        "bert": transformers.BertModel(transformers.BertConfig(**SMALL), add_pooling_layer=False),
        # Names begin with "bert.", and there is a head that nobody needs.
        "bert-masked": transformers.BertForMaskedLM(transformers.BertConfig(
            **{**SMALL, "hidden_size": 64, "num_hidden_layers": 3, "intermediate_size": 96},
            layer_norm_eps=1e-5, type_vocab_size=3)),
    }


def randomize(model, generator):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("LayerNorm.weight"):
                parameter.copy_(1 + 0.2 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.3 * noise)
            elif "embeddings" in name:
                parameter.copy_(0.4 * noise)
            else:
                parameter.copy_(noise * 1.5 / parameter.shape[-1] ** 0.5)


def make(name, model, seed):
    directory = HERE / "models" / name
    directory.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(seed)
    randomize(model, generator)
    model.save_pretrained(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)
    encoder = transformers.AutoModel.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager").eval()
    texts = [torch.randint(0, SMALL["vocab_size"], (n,), generator=generator).tolist()
             for n in LENGTHS]
    numbers = [len(texts), *LENGTHS, *(token for text in texts for token in text)]
    (directory / "texts.bin").write_bytes(struct.pack(f"<{len(numbers)}i", *numbers))
    with torch.no_grad():
        states = [encoder(torch.tensor([text])).last_hidden_state[0] for text in texts]
    vectors = torch.stack([torch.stack([s.mean(0) for s in states]),
                           torch.stack([s[0] for s in states]),
                           torch.stack([s[-1] for s in states])])
    (directory / "vectors.bin").write_bytes(vectors.numpy().astype("<f4").tobytes())
    size = sum(path.stat().st_size for path in directory.iterdir())
    print(f"{name:12s} {size / 1000:6.0f} kB  max |x| {vectors.abs().max():.2f}")


def main():
    transformers.logging.set_verbosity_error()
    for seed, (name, model) in enumerate(models().items()):
        make(name, model, seed + 500)


if __name__ == "__main__":
    main()
