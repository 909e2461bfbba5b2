# SPDX-License-Identifier: Apache-2.0
"""What a model's directory says about it: config.json and generation_config.json, as attributes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..engine import EngineInfo
from ..errors import BadInputError, UsageError


class Attributes:
    """Named values; what is not there is None if ``_default_none``, else an AttributeError."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def to_dict(self) -> dict[str, Any]:
        return dict(self.__dict__)

    def to_json_string(self) -> str:
        return json.dumps(self.__dict__, indent=2, ensure_ascii=False, default=str) + "\n"

    def update(self, **values: Any) -> None:
        self.__dict__.update(values)

    def get(self, name: str, default: Any = None) -> Any:
        return self.__dict__.get(name, default)

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.to_json_string()}"


class Config(Attributes):
    """The model's config.json, and what the engine knows of a GGUF file under the same names."""


class GenerationConfig(Attributes):
    """Defaults of ``generate``. A value that is absent or None is not decided here."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


def read_json(path: Path) -> dict[str, Any]:
    """An object, empty if there is no such file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as problem:
        raise BadInputError(f"{path}: {problem}") from None
    if not isinstance(found, dict):
        raise BadInputError(f"{path}: is no JSON object")
    return found


def make_config(directory: Path | None, info: EngineInfo, name_or_path: str) -> Config:
    """``directory``: where a config.json may be; None for a lone file."""
    known: dict[str, Any] = {
        "model_type": info.family,
        "vocab_size": info.n_vocab,
        "hidden_size": info.n_embd,
        "num_hidden_layers": info.n_layers,
        "max_position_embeddings": info.context_train,
        "is_encoder_decoder": False,
        "use_cache": True,
    }
    said = read_json(directory / "config.json") if directory is not None else {}
    if isinstance(said.get("text_config"), dict):
        said = {**said, **said["text_config"]}
    return Config(**{**known, **said, "_name_or_path": name_or_path, "name_or_path": name_or_path})


def as_mapping(config: Any) -> dict[str, Any]:
    """A generation config of ours or of transformers, or a dict; without what it leaves open."""
    if config is None:
        return {}
    if isinstance(config, Mapping):
        values = dict(config)
    elif isinstance(config, Attributes):
        values = config.to_dict()
    elif hasattr(config, "to_diff_dict"):
        values = config.to_diff_dict()
    else:
        raise UsageError(f"generation_config is a GenerationConfig or a dict, not "
                         f"{type(config).__name__}")
    return {name: value for name, value in values.items() if value is not None}
