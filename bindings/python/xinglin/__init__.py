# SPDX-License-Identifier: Apache-2.0
"""Xinglin 杏林: large language models on CPUs.

    from xinglin import Engine

    with Engine("model.gguf") as engine:
        print(engine.generate("入院记录：", max_tokens=64).text)

``xinglin.transformers`` offers the names of Hugging Face, ``xinglin.langchain`` those of LangChain.
Nothing here needs torch, transformers or NumPy; their objects are accepted where they are given.
"""

from __future__ import annotations

from . import _native
from .convert import convert_types, families, inspect, llm_convert, machine, optimize_model
from .engine import Engine, EngineInfo, render_template
from .errors import (
    BadInputError,
    CancelledError,
    ClosedError,
    ContextFullError,
    ForkedError,
    NoSpaceError,
    NotFoundError,
    OutOfMemoryError,
    UnsupportedError,
    UsageError,
    VerificationError,
    XinglinError,
)
from .generation import Generation
from .grammar import Grammar
from .session import Session

__version__: str = _native.lib.xl_version().decode()

__all__ = [
    "BadInputError",
    "CancelledError",
    "ClosedError",
    "ContextFullError",
    "Engine",
    "EngineInfo",
    "ForkedError",
    "Generation",
    "Grammar",
    "NoSpaceError",
    "NotFoundError",
    "OutOfMemoryError",
    "Session",
    "UnsupportedError",
    "UsageError",
    "VerificationError",
    "XinglinError",
    "__version__",
    "convert_types",
    "families",
    "inspect",
    "llm_convert",
    "machine",
    "optimize_model",
    "render_template",
]
