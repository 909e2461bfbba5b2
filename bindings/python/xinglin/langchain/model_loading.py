# SPDX-License-Identifier: Apache-2.0
"""Engines for LangChain objects. Objects that name the same model share one engine, so that
TransformersLLM and TransformersEmbeddings over one path load it once, as long as one of them lives.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..convert import inspect
from ..engine import Engine
from ..errors import XinglinError

_NO_EFFECT = ("trust_remote_code", "optimize_model", "use_cache", "low_cpu_mem_usage")
ENCODERS = ("bert",)  # families that were made for embeddings

_lock = threading.Lock()
_engines: weakref.WeakValueDictionary[tuple[Any, ...], Engine] = weakref.WeakValueDictionary()


def _state(path: str | os.PathLike[str]) -> tuple[Any, ...]:
    """What tells one model from another, and a file from what replaced it."""
    try:
        place = Path(path).expanduser().resolve()
        info = place.stat()
    except (OSError, TypeError, ValueError):
        return (str(path),)  # the engine says what is wrong with it
    return (str(place), info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns)


def is_one_file(path: str | os.PathLike[str]) -> bool:
    """A GGUF file, or a directory with one instead of a checkpoint: it stays as it is."""
    place = Path(path).expanduser()
    if not place.is_dir():
        return place.suffix == ".gguf"
    suffixes = {file.suffix for file in place.iterdir()}
    return ".gguf" in suffixes and not suffixes & {".safetensors", ".bin", ".pth", ".pt"}


def low_bit_arguments(
    path: str | os.PathLike[str], arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """BigDL-LLM quantizes checkpoints to 4 bits unless another type is named."""
    given = dict(arguments)
    named = given.get("load_in_low_bit") is not None or "load_in_4bit" in given
    if not named and not is_one_file(path) and not _is_encoder(path):
        given["load_in_4bit"] = True
    return given


def _is_encoder(path: str | os.PathLike[str]) -> bool:
    try:
        return inspect(path).get("family") in ENCODERS
    except XinglinError:
        return False  # the engine says what is wrong with it


def _open(path: str | os.PathLike[str], arguments: Mapping[str, Any]) -> Engine:
    from ..transformers.loading import load, read_request

    loaded = load(read_request(path, arguments))
    if loaded.temporary is not None:  # the file lives as long as its engine
        weakref.finalize(loaded.engine, loaded.temporary.cleanup)
    return loaded.engine


def shared_engine(path: str | os.PathLike[str], arguments: Mapping[str, Any]) -> Engine:
    """The open engine of this model and these arguments (those of ``from_pretrained``)."""
    told = {name: value for name, value in arguments.items() if name not in _NO_EFFECT and value}
    key = (_state(path), tuple(sorted((name, repr(value)) for name, value in told.items())))
    with _lock:
        engine = _engines.get(key)
        if engine is None or engine.is_closed or engine._handle.is_forked:
            engine = _engines[key] = _open(path, arguments)
        return engine


def chosen_engine(
    who: str,
    path: str | None,
    engine: Engine | None,
    model_kwargs: Mapping[str, Any],
    load_in_low_bit: str | None,
) -> Engine:
    """The engine that an object's fields name: an open one, or a model with how to load it."""
    if engine is not None:
        if model_kwargs or load_in_low_bit:
            raise ValueError("an open engine= takes no model_kwargs and no load_in_low_bit")
        return engine
    if not path:
        raise ValueError(f"{who} needs model= (a path) or engine= (an open Engine)")
    arguments = dict(model_kwargs)
    if load_in_low_bit is not None:
        arguments["load_in_low_bit"] = load_in_low_bit
    return shared_engine(path, arguments)
