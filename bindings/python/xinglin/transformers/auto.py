# SPDX-License-Identifier: Apache-2.0
"""``AutoModelForCausalLM``, ``AutoModel`` and ``AutoTokenizer``; and the other Auto classes, which
say that they are not offered."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

from ..engine import Engine
from ..errors import UnsupportedError, UsageError
from .loading import Loaded, Request, load, local_path, read_mark, read_request
from .model import CausalLM, HiddenModel, PreTrainedModel
from .tokenizer import Tokenizer

_Model = TypeVar("_Model", bound=PreTrainedModel)
PathLike = str | os.PathLike[str]


class _Auto(Generic[_Model]):
    _model: type[Any]

    def __init__(self, *_: Any, **__: Any) -> None:
        name = type(self).__name__
        raise UsageError(f"{name} is not made directly; use {name}.from_pretrained(path)")

    @classmethod
    def _open(cls, request: Request) -> Any:
        loaded = load(request)
        try:
            cls._check(loaded)
            return cls._model(loaded, request.generation)
        except BaseException:
            loaded.engine.close()
            raise

    @classmethod
    def _check(cls, loaded: Loaded) -> None:
        pass


def _open_low_bit(cls: Any, directory: PathLike, arguments: dict[str, Any]) -> Any:
    path = local_path(directory)
    for name in ("load_in_4bit", "load_in_low_bit", "torch_dtype"):
        arguments.pop(name, None)
    if path.is_dir() and not read_mark(path) and not list(path.glob("*.gguf")):
        raise UsageError(f"{path} was not written by save_low_bit; use from_pretrained()")
    return cls._open(read_request(path, arguments))


def _open_gguf(cls: Any, path: PathLike, arguments: dict[str, Any]) -> Any:
    file = local_path(path)
    if file.is_dir() or file.suffix != ".gguf":
        raise UsageError(f"{file} is no GGUF file; use from_pretrained()")
    low_bit = arguments.pop("low_bit", None)
    if low_bit is not None and "load_in_low_bit" not in arguments:
        arguments["load_in_low_bit"] = low_bit
    model = cls._open(read_request(file, arguments))
    return model, AutoTokenizer.from_pretrained(file)


class AutoModelForCausalLM(_Auto[CausalLM]):
    """Models that continue texts."""

    _model = CausalLM

    @classmethod
    def _check(cls, loaded: Loaded) -> None:
        if loaded.engine.info.family == "bert":
            raise UnsupportedError(f"{loaded.source} is an embedding model; load it with AutoModel")

    @classmethod
    def from_pretrained(cls, path: PathLike, *args: Any, **arguments: Any) -> CausalLM:
        """A checkpoint directory or a GGUF file. ``load_in_4bit=True`` or ``load_in_low_bit=type``
        quantizes once (the result is kept for the next time); ``threads`` and ``context`` are the
        engine's. Nothing is fetched from the network and no code of a checkpoint is executed."""
        model: CausalLM = cls._open(read_request(path, _with_config(args, arguments)))
        return model

    @classmethod
    def from_gguf(cls, path: PathLike, **arguments: Any) -> tuple[CausalLM, Tokenizer]:
        """The model and the tokenizer of a GGUF file."""
        pair: tuple[CausalLM, Tokenizer] = _open_gguf(cls, path, arguments)
        return pair

    @classmethod
    def load_low_bit(cls, directory: PathLike, *args: Any, **arguments: Any) -> CausalLM:
        """What ``model.save_low_bit(directory)`` wrote."""
        model: CausalLM = _open_low_bit(cls, directory, _with_config(args, arguments))
        return model


class AutoModel(_Auto[HiddenModel]):
    """Models for vectors of texts, and for chat models that were documented with this class."""

    _model = HiddenModel

    @classmethod
    def from_pretrained(cls, path: PathLike, *args: Any, **arguments: Any) -> HiddenModel:
        """As :meth:`AutoModelForCausalLM.from_pretrained`."""
        model: HiddenModel = cls._open(read_request(path, _with_config(args, arguments)))
        return model

    @classmethod
    def from_gguf(cls, path: PathLike, **arguments: Any) -> tuple[HiddenModel, Tokenizer]:
        """The model and the tokenizer of a GGUF file."""
        pair: tuple[HiddenModel, Tokenizer] = _open_gguf(cls, path, arguments)
        return pair

    @classmethod
    def load_low_bit(cls, directory: PathLike, *args: Any, **arguments: Any) -> HiddenModel:
        """What ``model.save_low_bit(directory)`` wrote."""
        model: HiddenModel = _open_low_bit(cls, directory, _with_config(args, arguments))
        return model


def _with_config(args: tuple[Any, ...], arguments: dict[str, Any]) -> dict[str, Any]:
    """transformers allows a config as an argument; here the files say everything."""
    config = args[0] if args else arguments.pop("config", None)
    if len(args) > 1 or isinstance(config, (str, int, float)):
        raise UsageError("from_pretrained() takes a path and named arguments")
    return arguments


class AutoTokenizer:
    """The tokenizer of a checkpoint directory or a GGUF file."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise UsageError(
            "AutoTokenizer is not made directly; use AutoTokenizer.from_pretrained(path)"
        )

    @classmethod
    def from_pretrained(cls, path: PathLike, *_: Any, **arguments: Any) -> Tokenizer:
        """``padding_side`` and special tokens (``pad_token=...``) may be given; arguments of
        transformers that concern downloads and code are accepted and not needed."""
        place = local_path(path, "tokenizer")
        if place.is_dir():
            place = _tokenizer_place(place)
        engine = Engine(place, tokenizer_only=True)
        tokenizer = Tokenizer(engine, str(place), arguments.get("padding_side", "right"))
        tokenizer.name_or_path = str(path)
        for name in ("padding_side", "truncation_side", "model_max_length", "chat_template"):
            if arguments.get(name) is not None:
                setattr(tokenizer, name, arguments[name])
        for name, value in arguments.items():
            if name.endswith("_token") and name.removesuffix("_token") in (
                "bos", "eos", "unk", "sep", "pad", "cls", "mask",
            ) and value is not None:
                setattr(tokenizer, name, str(value))
        return tokenizer


def _tokenizer_place(directory: Path) -> Path:
    """The tokenizer's own files if they are there, else the one GGUF file."""
    names = ("tokenizer.json", "tokenizer.model", "vocab.txt", "qwen.tiktoken", "vocab.json")
    if any((directory / name).is_file() for name in names):
        return directory
    mark = read_mark(directory)
    files = [directory / str(mark["file"])] if mark else sorted(directory.glob("*.gguf"))
    return files[0] if len(files) == 1 else directory


def _refused(name: str, task: str, instead: str) -> Any:
    text = f"{name}: {task} are not run by this engine; {instead}"

    class Refused:
        __doc__ = f"Not offered: {task}."

        def __init__(self, *_: Any, **__: Any) -> None:
            raise UnsupportedError(text)

        @classmethod
        def from_pretrained(cls, *_: Any, **__: Any) -> NoReturn:
            raise UnsupportedError(text)

        from_gguf = load_low_bit = from_config = from_pretrained

    Refused.__name__ = Refused.__qualname__ = name
    return Refused


_TORCH = "use transformers itself for such a model"
AutoModelForSpeechSeq2Seq = _refused("AutoModelForSpeechSeq2Seq", "speech models", _TORCH)
AutoModelForSeq2SeqLM = _refused("AutoModelForSeq2SeqLM", "encoder-decoder models", _TORCH)
AutoModelForSequenceClassification = _refused(
    "AutoModelForSequenceClassification", "classifiers",
    "ask a causal model, or classify the vectors of AutoModel",
)
AutoModelForMaskedLM = _refused("AutoModelForMaskedLM", "masked language models", _TORCH)
AutoModelForQuestionAnswering = _refused(
    "AutoModelForQuestionAnswering", "extractive models", "ask a causal model"
)
AutoModelForNextSentencePrediction = _refused(
    "AutoModelForNextSentencePrediction", "sentence pair models", _TORCH
)
AutoModelForMultipleChoice = _refused(
    "AutoModelForMultipleChoice", "multiple choice models", "ask a causal model"
)
AutoModelForTokenClassification = _refused(
    "AutoModelForTokenClassification", "token classifiers", "ask a causal model"
)
AutoModelForImageTextToText = _refused(
    "AutoModelForImageTextToText", "models of images", "the text part of Gemma 3 loads as "
    "AutoModelForCausalLM"
)
