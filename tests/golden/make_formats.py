#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small files of every format, written by the formats' own libraries, and what is in them.

The oracles are the libraries themselves: pip install torch numpy safetensors gguf.
Writes the folder formats/ beside this script, and in it
  tensors.txt   CHECKPOINT NAME DTYPE DIMS CRC32 for every tensor (DIMS: 2x3, or - for a scalar;
                CRC32 of its contiguous little-endian bytes)
  refused.txt   CHECKPOINT STATUS PHRASE for files that must be refused, and words of the message
All numbers come from fixed seeds; nothing here was downloaded.
"""
import collections
import json
import os
import pathlib
import shutil
import zipfile
import zlib

import gguf
import numpy as np
import torch
from safetensors.torch import save_file

ROOT = pathlib.Path(__file__).resolve().parent / "formats"
DTYPES = {torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16",
          torch.float64: "f64", torch.int64: "i64", torch.int32: "i32", torch.int16: "i16",
          torch.int8: "i8", torch.uint8: "i8", torch.bool: "i8", torch.uint16: "i16"}
GGUF_TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K",
              "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", "I8", "I16", "I32", "I64", "F64"]
expected, refused = [], []


def tensor_bytes(tensor):
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def expect(checkpoint, name, dtype, shape, data):
    dims = "x".join(str(n) for n in shape) or "-"
    expected.append(f"{checkpoint} {name} {dtype} {dims} {zlib.crc32(data):08x}")


def expect_state(checkpoint, state):
    for name, tensor in state.items():
        expect(checkpoint, name, DTYPES[tensor.dtype], tensor.shape, tensor_bytes(tensor))


def make_state():
    base = torch.arange(24, dtype=torch.float32) / 7
    return collections.OrderedDict([
        ("plain.weight", base.reshape(2, 12)),
        ("transposed", base.reshape(4, 6).t()),
        ("shared.with.offset", base[5:11]),
        ("strided", base[1::3]),
        ("permuted", torch.arange(120, dtype=torch.int16).reshape(2, 3, 4, 5).permute(3, 1, 0, 2)),
        ("scalar", torch.tensor(3.5, dtype=torch.float64)),
        ("half", torch.linspace(-2, 2, 15).reshape(3, 5).half()),
        ("brain", torch.linspace(-3, 3, 8).reshape(2, 2, 2).bfloat16()),
        ("long", torch.arange(-3, 4)),
        ("int", torch.arange(5, dtype=torch.int32)),
        ("char", torch.arange(-4, 4, dtype=torch.int8)),
        ("byte", torch.arange(250, 256, dtype=torch.uint8)),
        ("bool", torch.tensor([True, False, True])),
        ("word", torch.tensor([1, 2, 65535], dtype=torch.uint16)),
        ("empty", torch.zeros(0, 3)),
        ("parameter", torch.nn.Parameter(torch.full((2, 3), 0.25))),
        ("名.权重", torch.tensor([1.0, 2.0])),
    ])


class Hostile:
    def __reduce__(self):
        return (os.system, ("touch xinglin-was-here",))


def make_torch():
    state = make_state()
    for name, new in (("zip.pth", True), ("legacy.pth", False)):
        torch.save(state, ROOT / name, _use_new_zipfile_serialization=new)
        expect_state(name, state)
    with zipfile.ZipFile(ROOT / "zip.pth") as source, \
            zipfile.ZipFile(ROOT / "deflated.pth", "w", zipfile.ZIP_DEFLATED) as packed:
        for name in source.namelist():
            packed.writestr(zipfile.ZipInfo(name), source.read(name), zipfile.ZIP_DEFLATED)
    expect_state("deflated.pth", state)
    limit, zipfile.ZIP64_LIMIT = zipfile.ZIP64_LIMIT, 0  # as if the file were larger than 4 GB
    with zipfile.ZipFile(ROOT / "zip.pth") as source, \
            zipfile.ZipFile(ROOT / "zip64.pth", "w", zipfile.ZIP_STORED) as large:
        for name in source.namelist():
            large.writestr(zipfile.ZipInfo(name), source.read(name))
    zipfile.ZIP64_LIMIT = limit
    expect_state("zip64.pth", state)
    parameter = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3).t())
    parameter.note = "an attribute"
    torch.save({"with.state": parameter}, ROOT / "attribute.pt")
    expect_state("attribute.pt", {"with.state": parameter})
    training = {"model": {"_orig_mod." + k: v for k, v in list(state.items())[:4]},
                "optimizer": {"state": {0: {"exp_avg": torch.ones(3), "step": torch.tensor(7.0)}}},
                "model_args": dict(dim=3, vocab=None, eps=1e-5, bias=True, name="tiny"),
                "iter_num": 300, "large": 1 << 80, "best_val_loss": torch.tensor(1.25)}
    for name, new in (("training.pt", True), ("training-legacy.pt", False)):
        torch.save(training, ROOT / name, _use_new_zipfile_serialization=new)
        expect_state(name, collections.OrderedDict(list(state.items())[:4]))
    for protocol in (3, 4, 5):
        name = f"protocol{protocol}.pt"
        torch.save({"module." + k: v for k, v in list(state.items())[:3]}, ROOT / name,
                   pickle_protocol=protocol)
        expect_state(name, collections.OrderedDict(list(state.items())[:3]))


def make_refused_torch():
    module = torch.nn.Linear(3, 2)
    for new in (True, False):
        torch.save({"a": torch.ones(2), "b": Hostile()}, ROOT / f"hostile-{'zip' if new else 'legacy'}.pt",
                   _use_new_zipfile_serialization=new)
    refused.append(("hostile-zip.pt", "unsupported", "posix.system is not on the allow-list"))
    refused.append(("hostile-legacy.pt", "unsupported", "posix.system is not on the allow-list"))
    torch.save(module, ROOT / "module.pt")
    refused.append(("module.pt", "unsupported", "torch.nn.modules.linear.Linear is not on"))
    torch.jit.script(module).save(str(ROOT / "script.pt"))
    refused.append(("script.pt", "unsupported", "TorchScript"))
    torch.save([torch.ones(2)], ROOT / "list.pt")
    refused.append(("list.pt", "bad input", "no dictionary of named tensors"))
    torch.save({"x": torch.ones(1).expand(1000, 1000)}, ROOT / "broadcast.pt")
    refused.append(("broadcast.pt", "unsupported", "repeats its storage"))
    torch.save({"model": {"x": torch.ones(1)}, "state_dict": {"x": torch.zeros(1)}},
               ROOT / "ambiguous.pt")
    refused.append(("ambiguous.pt", "bad input", "both 'model' and 'state_dict'"))


def make_hugging_face():
    state = make_state()
    names = list(state)
    halves = [{k: state[k].detach().contiguous().clone() for k in names[i::2]} for i in (0, 1)]
    for folder, stem, ending in (("hf-safetensors", "model", "safetensors"),
                                 ("hf-torch", "pytorch_model", "bin")):
        (ROOT / folder).mkdir()
        weight_map = {}
        for i, half in enumerate(halves):
            name = f"{stem}-{i + 1:05}-of-00002.{ending}"
            if ending == "bin":
                torch.save(half, ROOT / folder / name)
            else:
                save_file(half, ROOT / folder / name, metadata={"format": "pt"})
            weight_map.update({k: name for k in half})
        index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
        (ROOT / folder / f"{stem}.{ending}.index.json").write_text(json.dumps(index, indent=1))
        (ROOT / folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
        expect_state(folder, state)
    whole = {k: v.detach().contiguous().clone() for k, v in state.items()}
    save_file(whole, ROOT / "single.safetensors")
    expect_state("single.safetensors", state)


def write_gguf(path, types, seed, **options):
    writer = gguf.GGUFWriter(path, "llama", **options)
    random = np.random.default_rng(seed)
    writer.add_uint8("t.u8", 250)
    writer.add_int8("t.i8", -5)
    writer.add_uint16("t.u16", 65535)
    writer.add_int16("t.i16", -300)
    writer.add_uint32("t.u32", 4000000000)
    writer.add_int32("t.i32", -70000)
    writer.add_float32("t.f32", 0.5)
    writer.add_bool("t.bool", True)
    writer.add_string("t.string", "杏林 \0 ok")
    writer.add_uint64("t.u64", 1 << 63)
    writer.add_int64("t.i64", -(1 << 40))
    writer.add_float64("t.f64", -0.1)
    writer.add_array("t.strings", ["a", "", "杏林"])
    writer.add_array("t.ints", [1, -2, 3])
    writer.add_array("t.floats", [1.5, -2.5])
    writer.add_array("t.bools", [True, False])
    for name in types:
        kind = getattr(gguf.GGMLQuantizationType, name)
        elements, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        columns = max(elements, 4) * 2
        data = random.integers(0, 256, (3, columns // elements * block_bytes), dtype=np.uint8)
        writer.add_tensor(f"blk.{name.lower()}.weight", data, raw_dtype=kind)
        yield f"blk.{name.lower()}.weight", name.lower(), (3, columns), data.tobytes()
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def make_gguf():
    for entry in write_gguf(ROOT / "types.gguf", GGUF_TYPES, 1):
        expect("types.gguf", *entry)
    for entry in write_gguf(ROOT / "split.gguf", ["F32", "F16", "Q4_0", "Q8_0", "Q6_K"], 2,
                            split_max_tensors=2):
        expect("split-00001-of-00003.gguf", *entry)


def main():
    torch.manual_seed(1)
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir()
    make_torch()
    make_refused_torch()
    make_hugging_face()
    make_gguf()
    (ROOT / "tensors.txt").write_text("\n".join(expected) + "\n", encoding="utf-8")
    lines = [f"{name} {status.replace(' ', '_')} {phrase}" for name, status, phrase in refused]
    (ROOT / "refused.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
