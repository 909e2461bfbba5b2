# SPDX-License-Identifier: Apache-2.0
"""What a training leaves behind: a checkpoint directory in which every prepared matrix holds the
values that training computed with, as float32. Everything else is as it is."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UnsupportedError, UsageError
from .layers import rounded_parameters

_TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def _write_safetensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Tensors that share memory are written once, under their first name."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    kept: list[Tensor] = []
    seen: set[int] = set()
    at = 0
    for name, tensor in tensors.items():
        if tensor.data_ptr() in seen:
            continue
        if tensor.dtype not in _TYPES:
            raise UnsupportedError(f"{name}: a safetensors file holds no {tensor.dtype}")
        if tensor.numel():
            seen.add(tensor.data_ptr())
        size = tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [at, at + size],
        }
        kept.append(tensor)
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in kept:
            data = tensor.detach().cpu().contiguous().view(-1)
            if data.numel():
                file.write(data.view(torch.uint8).numpy().data)


def _copy_companions(source: Path, directory: Path) -> None:
    """config.json, the tokenizer's files and whatever else is no weights."""
    if not (source / "config.json").is_file():
        raise UsageError(f"{source}: has no config.json, which says what the weights belong to")
    for path in source.iterdir():
        is_text = path.suffix in (".json", ".txt", ".jinja", ".model", ".md")
        if path.is_file() and is_text and not path.name.endswith(".index.json"):
            shutil.copyfile(path, directory / path.name)


@torch.no_grad()
def export(
    model: nn.Module,
    directory: str | os.PathLike[str],
    *,
    source: str | os.PathLike[str] | None = None,
    tokenizer: Any = None,
) -> str:
    """Writes a checkpoint directory for ``llm_convert`` with the type that :func:`xinglin.qat.prepare`
    was given; the conversion then loses nothing. Returns the directory's path.

    A model of transformers saves itself (``save_pretrained``). For any other module ``source`` is
    the directory of the checkpoint that it came from, whose config.json and tokenizer are copied;
    the names of its parameters must be that checkpoint's. ``tokenizer``: saved, too."""
    rounded = rounded_parameters(model)
    if not rounded:
        raise UsageError("no layer was prepared for training; call xinglin.qat.prepare() first")
    out = Path(directory)
    out.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for name, value in model.state_dict(keep_vars=True).items():
        tensors[name] = rounded[id(value)][1] if id(value) in rounded else value.detach()
    if source is not None:
        _copy_companions(Path(source), out)
    save = getattr(model, "save_pretrained", None)
    if save is not None:
        save(out, state_dict=tensors)
    elif source is None:
        raise UsageError("export() of a module that is no transformers model needs source=")
    else:
        _write_safetensors(out / "model.safetensors", tensors)
    if tokenizer is not None:
        tokenizer.save_pretrained(out)
    return os.fspath(out)
