# SPDX-License-Identifier: Apache-2.0
"""What a generation is asked for, calls back and results in."""

from __future__ import annotations

import ctypes
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import _native as native
from .errors import UsageError


@dataclass(frozen=True)
class Generation:
    """One finished generation. ``tokens`` includes the end token if there was one; ``finish`` is
    ``end``, ``stop``, ``length``, ``context`` or ``cancelled``; times are in seconds."""

    text: str
    tokens: list[int]
    finish: str
    prompt_tokens: int
    first_token_s: float
    decode_s: float
    next_token_mean_s: float
    drafted_tokens: int
    accepted_tokens: int


class Callbacks:
    """The C callbacks of one generation. An exception in Python code stops the generation and is
    raised again when the engine has returned; it must not travel through C."""

    def __init__(
        self,
        on_text: Callable[[str], Any] | None,
        on_token: Callable[[int], Any] | None,
    ) -> None:
        self.tokens: list[int] = []
        self.pieces: list[str] = []
        self.error: BaseException | None = None
        for name, function in (("on_text", on_text), ("on_token", on_token)):
            if function is not None and not callable(function):
                raise UsageError(f"{name} is a function, not {type(function).__name__}")
        self._on_text, self._on_token = on_text, on_token

    def text(self, _user: Any, text: int, size: int) -> int:
        try:
            piece = ctypes.string_at(text, size).decode("utf-8", "replace")
            self.pieces.append(piece)
            return 1 if self._on_text is not None and self._on_text(piece) else 0
        except BaseException as error:  # raised again by Session.generate
            self.error = error
            return 1

    def token(self, _user: Any, token: int) -> int:
        try:
            self.tokens.append(token)
            return 1 if self._on_token is not None and self._on_token(token) else 0
        except BaseException as error:  # raised again by Session.generate
            self.error = error
            return 1

    def take_error(self) -> BaseException | None:
        """Once: an error that holds frames that hold ctypes' functions that hold it is a circle
        that no collector sees."""
        error, self.error = self.error, None
        return error

    def result(self, raw: native.GenerateResult) -> Generation:
        return Generation(
            text="".join(self.pieces),
            tokens=self.tokens,
            finish=native.FINISH_NAMES[raw.finish],
            prompt_tokens=raw.prompt_tokens,
            first_token_s=raw.first_token_s,
            decode_s=raw.decode_s,
            next_token_mean_s=raw.next_token_mean_s,
            drafted_tokens=raw.drafted_tokens,
            accepted_tokens=raw.accepted_tokens,
        )


def _integer(lowest: int, highest: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        number = operator.index(value)
        if not lowest <= number <= highest:
            raise ValueError(f"{lowest} to {highest} are allowed")
        return number

    return read


_INT = _integer(-(1 << 31), (1 << 31) - 1)

_OPTIONS: dict[str, Callable[[Any], Any]] = {
    "max_tokens": _INT,
    "add_special": bool,
    "parse_special": bool,
    "ignore_end": bool,
    "temperature": float,
    "top_k": _INT,
    "top_p": float,
    "min_p": float,
    "repetition_penalty": float,
    "presence_penalty": float,
    "frequency_penalty": float,
    "penalty_window": _INT,
    "seed": _integer(0, (1 << 64) - 1),
    "draft_max": _INT,
}


_NAMED = ("stop", "logit_bias", "on_text", "on_token", "grammar", "grammar_begin")


def generate_options(
    values: Mapping[str, Any],
    stop: str | Sequence[str],
    logit_bias: Mapping[int, float] | None,
    grammar_begin: str | None = None,
) -> native.GenerateOptions:
    """The C structure; whatever it points to lives as long as it does."""
    options: native.GenerateOptions = native.lib.xl_generate_options_default()
    for name, value in values.items():
        read = _OPTIONS.get(name)
        if read is None:
            known = ", ".join(sorted([*_OPTIONS, *_NAMED]))
            raise UsageError(f"no generation option {name!r}; there are {known}")
        try:
            setattr(options, name, read(value))
        except (TypeError, ValueError) as problem:
            raise UsageError(f"{name}={value!r}: {problem}") from None
    if not isinstance(stop, Iterable):
        raise UsageError(f"stop is a text or a list of texts, not {type(stop).__name__}")
    stops = [stop] if isinstance(stop, str) else list(stop)
    if stops:
        texts = [native.text_argument(text) for text in stops]
        options.stops, options.n_stops = (ctypes.c_char_p * len(texts))(*texts), len(texts)
    if logit_bias:
        if not isinstance(logit_bias, Mapping):
            raise UsageError("logit_bias is {token: amount}, not " + type(logit_bias).__name__)
        ids, n = native.token_array(logit_bias.keys())
        pairs = (native.LogitBias * n)()
        for pair, token, bias in zip(pairs, ids, logit_bias.values()):
            try:
                pair.token, pair.bias = token, bias
            except TypeError:
                raise UsageError(f"the logit bias of token {token} is {bias!r}") from None
        options.biases, options.n_biases = pairs, n
    options.grammar_begin = native.text_argument(grammar_begin)
    return options
