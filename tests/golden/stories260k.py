#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Converts llama2.c's stories260K (a trained llama of 260,000 parameters) into the three kinds of
checkpoint that we read. Standard library only.

  python3 tests/golden/stories260k.py DIRECTORY_WITH_stories260K.bin OUT_DIRECTORY

OUT/stories260K.gguf                     GGUF v3, float32
OUT/safetensors/model.safetensors        Hugging Face directory: config.json, tokenizer.model, …
OUT/pth/pytorch_model.pth                the same with PyTorch's zip format

llama2.c stores query and key rows as interleaved pairs, as GGUF does; Hugging Face's llama wants
each head's rows as two halves.
"""
import collections
import io
import json
import pathlib
import pickle
import struct
import sys
import types
import zipfile

ROPE_BASE, NORM_EPS = 10000.0, 1e-5
UNKNOWN, BOS, EOS = 0, 1, 2
NORMAL, UNK_TYPE, CONTROL, BYTE = 1, 2, 3, 6


class Tensor:
    """Float32 rows as bytes, with a shape, slowest dimension first."""

    def __init__(self, shape, data):
        self.shape, self.data = shape, data

    def halves(self, n_heads):
        """Reorders each head's rows from pairs (2i, 2i+1) to halves (i, i + head_dim / 2)."""
        rows, row_bytes = self.shape[0], 4 * self.shape[1]
        head_dim = rows // n_heads
        order = [head * head_dim + 2 * i + half for head in range(n_heads) for half in (0, 1)
                 for i in range(head_dim // 2)]
        data = b"".join(self.data[r * row_bytes:(r + 1) * row_bytes] for r in order)
        return Tensor(self.shape, data)


def read_model(path):
    """The header and the tensors of a llama2.c file, by their GGUF names."""
    data = path.read_bytes()
    header = dict(zip(("dim", "hidden", "layers", "heads", "kv_heads", "vocab", "context"),
                      struct.unpack_from("<7i", data)))
    shared, header["vocab"] = header["vocab"] > 0, abs(header["vocab"])
    dim, hidden, layers = header["dim"], header["hidden"], header["layers"]
    kv_dim = dim // header["heads"] * header["kv_heads"]
    tensors, offset = {}, 28

    def take(shape):
        nonlocal offset
        size = 4
        for n in shape:
            size *= n
        offset += size
        return Tensor(shape, data[offset - size:offset])

    def take_layers(name, shape):
        for layer in range(layers):
            tensors[f"blk.{layer}.{name}.weight"] = take(shape)

    tensors["token_embd.weight"] = take((header["vocab"], dim))
    for name, shape in (("attn_norm", (dim,)), ("attn_q", (dim, dim)), ("attn_k", (kv_dim, dim)),
                        ("attn_v", (kv_dim, dim)), ("attn_output", (dim, dim)),
                        ("ffn_norm", (dim,)), ("ffn_gate", (hidden, dim)),
                        ("ffn_down", (dim, hidden)), ("ffn_up", (hidden, dim))):
        take_layers(name, shape)
    tensors["output_norm.weight"] = take((dim,))
    offset += 4 * header["context"] * dim // header["heads"]  # rotary tables, not needed
    if not shared:
        tensors["output.weight"] = take((header["vocab"], dim))
    assert offset == len(data), "not a llama2.c model of the first version"
    return header, tensors


def read_tokenizer(path):
    """[(text with '▁' for a space, score, type)] of a llama2.c tokenizer."""
    data, offset, tokens = path.read_bytes(), 4, []
    while offset < len(data):
        score, length = struct.unpack_from("<fi", data, offset)
        text = data[offset + 8:offset + 8 + length].decode("utf-8")
        offset += 8 + length
        kind = NORMAL
        if len(tokens) == UNKNOWN:
            kind = UNK_TYPE
        elif len(tokens) in (BOS, EOS):
            text, kind = text.strip(), CONTROL
        elif len(text) == 6 and text.startswith("<0x"):
            kind = BYTE
        tokens.append((text.replace(" ", "\u2581"), score, kind))
    return tokens


# GGUF -------------------------------------------------------------------------------------------

U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
PACK = {U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}
ALIGNMENT = 32


def gguf_string(text):
    data = text.encode("utf-8")
    return struct.pack("<Q", len(data)) + data


def gguf_scalar(kind, value):
    return gguf_string(value) if kind == STRING else struct.pack(PACK[kind], value)


def gguf_value(key, kind, value, item=None):
    out = gguf_string(key) + struct.pack("<I", kind)
    if kind != ARRAY:
        return out + gguf_scalar(kind, value)
    return out + struct.pack("<IQ", item, len(value)) + b"".join(gguf_scalar(item, v) for v in value)


def write_gguf(path, header, tensors, tokens):
    head_dim = header["dim"] // header["heads"]
    values = [
        gguf_value("general.architecture", STRING, "llama"),
        gguf_value("general.name", STRING, "stories260K"),
        gguf_value("llama.block_count", U32, header["layers"]),
        gguf_value("llama.context_length", U32, header["context"]),
        gguf_value("llama.embedding_length", U32, header["dim"]),
        gguf_value("llama.feed_forward_length", U32, header["hidden"]),
        gguf_value("llama.attention.head_count", U32, header["heads"]),
        gguf_value("llama.attention.head_count_kv", U32, header["kv_heads"]),
        gguf_value("llama.attention.layer_norm_rms_epsilon", F32, NORM_EPS),
        gguf_value("llama.rope.dimension_count", U32, head_dim),
        gguf_value("llama.rope.freq_base", F32, ROPE_BASE),
        gguf_value("llama.vocab_size", U32, header["vocab"]),
        gguf_value("tokenizer.ggml.model", STRING, "llama"),
        gguf_value("tokenizer.ggml.tokens", ARRAY, [t[0] for t in tokens], STRING),
        gguf_value("tokenizer.ggml.scores", ARRAY, [t[1] for t in tokens], F32),
        gguf_value("tokenizer.ggml.token_type", ARRAY, [t[2] for t in tokens], I32),
        gguf_value("tokenizer.ggml.unknown_token_id", U32, UNKNOWN),
        gguf_value("tokenizer.ggml.bos_token_id", U32, BOS),
        gguf_value("tokenizer.ggml.eos_token_id", U32, EOS),
        gguf_value("tokenizer.ggml.add_bos_token", BOOL, True),
        gguf_value("tokenizer.ggml.add_eos_token", BOOL, False),
    ]
    directory, blob = b"", b""
    for name, tensor in tensors.items():
        directory += gguf_string(name) + struct.pack("<I", len(tensor.shape))
        directory += b"".join(struct.pack("<Q", n) for n in reversed(tensor.shape))
        directory += struct.pack("<IQ", 0, len(blob))
        blob += tensor.data + b"\0" * (-len(tensor.data) % ALIGNMENT)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values)) + b"".join(values) + directory
    path.write_bytes(head + b"\0" * (-len(head) % ALIGNMENT) + blob)


# Hugging Face -----------------------------------------------------------------------------------

HF_NAMES = {"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj",
            "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
            "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
            "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
HF_GLOBALS = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight":
              "model.norm.weight", "output.weight": "lm_head.weight"}


def hf_tensors(header, tensors):
    renamed = collections.OrderedDict()
    for name, tensor in tensors.items():
        if name in HF_GLOBALS:
            renamed[HF_GLOBALS[name]] = tensor
            continue
        _, layer, part, _ = name.split(".")
        if part == "attn_q":
            tensor = tensor.halves(header["heads"])
        elif part == "attn_k":
            tensor = tensor.halves(header["kv_heads"])
        renamed[f"model.layers.{layer}.{HF_NAMES[part]}.weight"] = tensor
    return renamed


def write_hf_files(directory, header, tokens, tied):
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "vocab_size": header["vocab"], "hidden_size": header["dim"],
        "intermediate_size": header["hidden"], "num_hidden_layers": header["layers"],
        "num_attention_heads": header["heads"], "num_key_value_heads": header["kv_heads"],
        "max_position_embeddings": header["context"], "rms_norm_eps": NORM_EPS,
        "rope_theta": ROPE_BASE, "tie_word_embeddings": tied, "bos_token_id": BOS,
        "eos_token_id": EOS, "torch_dtype": "float32"}
    tokenizer = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True,
                 "add_eos_token": False, "bos_token": "<s>", "eos_token": "</s>",
                 "unk_token": "<unk>", "legacy": True}
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (directory / "tokenizer_config.json").write_text(json.dumps(tokenizer, indent=2) + "\n")
    (directory / "tokenizer.model").write_bytes(sentencepiece(tokens))


def varint(number):
    number &= (1 << 64) - 1
    out = b""
    while number > 0x7f:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    """A protobuf field: an int as varint, a float as fixed32, bytes as a span."""
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def sentencepiece(tokens):
    pieces = b"".join(field(1, field(1, text.encode("utf-8")) + field(2, float(score)) +
                            field(3, kind)) for text, score, kind in tokens)
    trainer = (field(3, 2) + field(4, len(tokens)) + field(35, 1) + field(40, UNKNOWN) +
               field(41, BOS) + field(42, EOS) + field(43, -1))
    normalizer = field(1, b"identity") + field(3, 1) + field(4, 0) + field(5, 1)
    return pieces + field(2, trainer) + field(3, normalizer)


def write_safetensors(path, tensors):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, tensor in tensors.items():
        end = offset + len(tensor.data)
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text +
                     b"".join(tensor.data for tensor in tensors.values()))


# PyTorch ----------------------------------------------------------------------------------------

def fake_torch():
    """Just the names that a pickled state dict refers to, so that pickle can write them."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2():
        raise NotImplementedError

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = utils.__name__, "_rebuild_tensor_v2"
    storage = type("FloatStorage", (), {"__module__": "torch"})
    utils._rebuild_tensor_v2, torch.FloatStorage, torch._utils = _rebuild_tensor_v2, storage, utils
    sys.modules.setdefault("torch", torch)
    sys.modules.setdefault("torch._utils", utils)
    return torch


class Storage:
    def __init__(self, key, tensor):
        self.key, self.n = key, len(tensor.data) // 4


class StatePickler(pickle.Pickler):
    def __init__(self, file, torch):
        super().__init__(file, protocol=2)
        self.torch, self.keys = torch, {}

    def persistent_id(self, thing):
        if isinstance(thing, Storage):
            return ("storage", self.torch.FloatStorage, thing.key, "cpu", thing.n)
        return None

    def reducer_override(self, thing):
        if not isinstance(thing, Tensor):
            return NotImplemented
        key = self.keys.setdefault(id(thing), str(len(self.keys)))
        strides = [1] * len(thing.shape)
        for i in range(len(strides) - 2, -1, -1):
            strides[i] = strides[i + 1] * thing.shape[i + 1]
        return self.torch._utils._rebuild_tensor_v2, (
            Storage(key, thing), 0, tuple(thing.shape), tuple(strides), False,
            collections.OrderedDict())


def write_pth(path, tensors):
    torch, pickled = fake_torch(), io.BytesIO()
    pickler = StatePickler(pickled, torch)
    pickler.dump(tensors)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        def add(name, data):
            archive.writestr(zipfile.ZipInfo(f"{path.stem}/{name}", (1980, 1, 1, 0, 0, 0)), data)

        add("data.pkl", pickled.getvalue())
        add("byteorder", "little")
        for tensor in tensors.values():
            add("data/" + pickler.keys[id(tensor)], tensor.data)
        add("version", "3\n")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    header, tensors = read_model(source / "stories260K.bin")
    tokens = read_tokenizer(source / "tok512.bin")
    renamed = hf_tensors(header, tensors)
    for name in ("safetensors", "pth"):
        (out / name).mkdir(parents=True, exist_ok=True)
        write_hf_files(out / name, header, tokens, "output.weight" not in tensors)
    write_gguf(out / "stories260K.gguf", header, tensors, tokens)
    write_safetensors(out / "safetensors" / "model.safetensors", renamed)
    write_pth(out / "pth" / "pytorch_model.pth", renamed)


if __name__ == "__main__":
    main()
