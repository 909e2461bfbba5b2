# SPDX-License-Identifier: Apache-2.0
"""Grammars: what an output may look like. Compiled once for a model, used by any number of
generations; what is derived and what is refused is the engine's business (docs/SCHEMA.md)."""

from __future__ import annotations

import ctypes
import json
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from . import _native as native
from .errors import UsageError
from .handle import Handle

if TYPE_CHECKING:
    from .engine import Engine


class Grammar:
    """Made by :meth:`Engine.grammar_from_json_schema` and :meth:`Engine.grammar_from_gbnf`."""

    def __init__(self, engine: Engine, function: Any, source: bytes) -> None:
        pointer, error = ctypes.c_void_p(), native.Error()
        with engine._handle.use() as owner:
            status = function(
                owner, source, len(source), ctypes.byref(pointer), ctypes.byref(error)
            )
            native.check(status, error)
            assert pointer.value is not None
            self._handle = Handle(
                pointer.value, native.lib.xl_grammar_close, "grammar", owner=engine._handle
            )
        self._finalizer = weakref.finalize(self, self._handle.close)
        self.engine = engine

    def close(self) -> None:
        """Frees it as soon as no generation uses it any more. Twice is harmless."""
        self._finalizer()

    @property
    def is_closed(self) -> bool:
        return self._handle.is_closed

    def __enter__(self) -> Grammar:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@contextmanager
def borrow(grammar: Grammar | None, engine: Engine) -> Iterator[int | None]:
    """The grammar's pointer for generations of ``engine``, open until they have ended."""
    if grammar is None:
        yield None
        return
    if not isinstance(grammar, Grammar):
        raise UsageError(
            "grammar is one of Engine.grammar_from_json_schema() or grammar_from_gbnf(), not "
            f"{type(grammar).__name__}"
        )
    if grammar.engine is not engine:
        raise UsageError("the grammar was compiled for another model's tokens")
    with grammar._handle.use() as pointer:
        yield pointer


def schema_text(schema: str | bool | Mapping[str, Any]) -> bytes:
    """A JSON Schema as text; the order of its properties is kept."""
    if isinstance(schema, str):
        return schema.encode("utf-8", "replace")
    if not isinstance(schema, (Mapping, bool)):
        raise UsageError(
            f"a JSON Schema is a dict or JSON text, not {type(schema).__name__}; of a pydantic "
            "class it is Class.model_json_schema()"
        )
    try:
        plain = schema if isinstance(schema, bool) else dict(schema)
        return json.dumps(plain, ensure_ascii=False).encode("utf-8", "replace")
    except (TypeError, ValueError) as problem:
        raise UsageError(f"the schema cannot be written as JSON: {problem}") from None
