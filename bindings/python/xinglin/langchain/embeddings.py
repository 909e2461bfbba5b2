# SPDX-License-Identifier: Apache-2.0
"""Texts to vectors for LangChain: XinglinEmbeddings, and TransformersEmbeddings with the names and
arguments of BigDL-LLM.

Many texts go to the engine at once. A text longer than the model can read is an error that says so,
unless it may be cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from langchain_core.embeddings import Embeddings
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from ..engine import Engine
from ..errors import ContextFullError, UsageError
from .llms import loading_arguments
from .model_loading import ENCODERS, chosen_engine, low_bit_arguments, shared_engine


def _is_encoder(engine: Engine) -> bool:
    return engine.info.family in ENCODERS


def _input(engine: Engine, text: str) -> str | list[int]:
    """An empty text is a space where the tokenizer adds nothing to it."""
    return text if text or engine.tokenize(text) else engine.tokenize(" ")


def _vectors(
    engine: Engine, texts: Sequence[str], pooling: str, normalize: bool, truncate: bool
) -> list[list[float]]:
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise UsageError("embed_documents() takes a list of texts, embed_query() one text")
    inputs = [_input(engine, text) for text in texts]
    try:
        rows: Any = engine.embed(inputs, pooling=pooling, normalize=normalize, truncate=truncate)
    except ContextFullError as problem:
        raise ContextFullError(f"{problem}; truncate=True cuts what is too long") from None
    found: list[list[float]] = rows.tolist()
    return found


class XinglinEmbeddings(BaseModel, Embeddings):
    """``XinglinEmbeddings(model="all-MiniLM-L6-v2")``; the directory of an embedding model, a GGUF
    file, or an open engine."""

    model: str = ""
    engine: Engine | None = Field(default=None, exclude=True, repr=False)
    load_in_low_bit: str | None = None
    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """More arguments of ``from_pretrained``: threads, context, isa, …"""
    pooling: Literal["auto", "mean", "cls", "last"] = "auto"
    """auto: what the model was trained for; of models that say nothing, the mean."""
    normalize: bool = True
    """Vectors of length 1."""
    query_instruction: str = ""
    """Put before queries: ``query: `` for e5, ``为这个句子生成表示以用于检索相关文章：`` for bge-zh."""
    embed_instruction: str = ""
    """Put before documents: ``passage: `` for e5."""
    truncate: bool = False
    """Cut texts that are too long, instead of raising."""

    model_config = ConfigDict(
        arbitrary_types_allowed=True, extra="forbid", protected_namespaces=()
    )

    _engine: Engine = PrivateAttr()

    @model_validator(mode="after")
    def _load(self) -> XinglinEmbeddings:
        self._engine = chosen_engine(
            type(self).__name__, self.model, self.engine, self.model_kwargs, self.load_in_low_bit
        )
        self.model = self.model or self._engine.path
        return self

    def _embed(self, texts: Sequence[str]) -> list[list[float]]:
        if not texts:
            return []
        return _vectors(self._engine, texts, self.pooling, self.normalize, self.truncate)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text."""
        if self.embed_instruction:
            texts = [self.embed_instruction + text for text in texts]
        return self._embed(texts)

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question."""
        if self.query_instruction:
            text = self.query_instruction + text
        return self._embed([text])[0]


class TransformersEmbeddings(BaseModel, Embeddings):
    """``TransformersEmbeddings.from_model_id(model_id=path)``

    Embedding models are pooled and normalized as they were trained; of causal models it is the mean
    of all tokens' last hidden states, as it is. ``encode_kwargs``: ``normalize_embeddings``,
    ``pooling``, ``truncate``.
    """

    model_id: str
    model_kwargs: dict[str, Any] | None = None
    encode_kwargs: dict[str, Any] = Field(default_factory=dict)
    model: Any = Field(default=None, exclude=True, repr=False)
    """The open :class:`xinglin.Engine`."""
    tokenizer: Any = Field(default=None, exclude=True, repr=False)
    """Accepted; the engine's own is used."""

    model_config = ConfigDict(
        arbitrary_types_allowed=True, extra="forbid", protected_namespaces=()
    )

    def model_post_init(self, context: Any) -> None:
        for name in self.encode_kwargs:
            if name not in ("normalize_embeddings", "pooling", "truncate", "batch_size"):
                raise UsageError(
                    f"no option {name!r} in encode_kwargs; there are normalize_embeddings, "
                    "pooling and truncate"
                )
        if self.model is None:
            loading = low_bit_arguments(self.model_id, loading_arguments(self.model_kwargs))
            self.model = shared_engine(self.model_id, loading)
        if not isinstance(self.model, Engine):
            raise UsageError(
                f"model is an open xinglin.Engine, not {type(self.model).__name__}; "
                "from_model_id(model_id=path) makes one"
            )

    @classmethod
    def from_model_id(
        cls,
        model_id: str,
        model_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> TransformersEmbeddings:
        """A causal checkpoint with float weights is quantized to ``sym_int4`` as by
        TransformersLLM, with which it shares the loaded model; encoders stay as they are."""
        return cls(model_id=str(model_id), model_kwargs=model_kwargs, **kwargs)

    def _embed(self, texts: Sequence[str]) -> list[list[float]]:
        if not texts:
            return []
        chosen = self.encode_kwargs
        return _vectors(
            self.model,
            texts,
            chosen.get("pooling", "auto"),
            bool(chosen.get("normalize_embeddings", _is_encoder(self.model))),
            bool(chosen.get("truncate", False)),
        )

    def embed(self, text: str) -> list[float]:
        """The vector of one text."""
        return self._embed([text])[0]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text."""
        return self._embed(texts)

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question."""
        return self._embed([text])[0]
