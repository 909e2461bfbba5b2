# SPDX-License-Identifier: Apache-2.0
"""Engine: a loaded model, shared by any number of threads.

It and what is made from it (sessions, grammars) are closed by ``close()``, by ``with``, or when
they are collected, in any order.
"""

from __future__ import annotations

import ctypes
import json
import os
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NoReturn

from . import _native as native
from .batch import generate_batch
from .errors import UsageError
from .generation import Generation, generate_options
from .grammar import Grammar, borrow, schema_text
from .handle import Handle
from .session import Session

_EMBED_TOKENS = 8192  # handed to an encoder at once: between two batches Ctrl-C is seen,
_CAUSAL_TOKENS = 512  # and to a causal model, which is larger and reads texts one by one anyway


@dataclass(frozen=True)
class EngineInfo:
    """What was loaded: names, sizes in bytes, counts, and seconds of loading."""

    family: str
    name: str
    weight_type: str
    isa: str
    kv_type: str
    weight_bytes: int
    kv_bytes: int
    n_vocab: int
    n_layers: int
    n_embd: int
    context: int
    context_train: int
    threads: int
    has_chat_template: bool
    load_s: float
    weights_from: str


def _describe(pointer: int) -> EngineInfo:
    raw = native.EngineInfo(size=ctypes.sizeof(native.EngineInfo))
    native.lib.xl_engine_describe(pointer, ctypes.byref(raw))
    values = {field.name: getattr(raw, field.name) for field in fields(EngineInfo)}
    for name, value in values.items():
        if isinstance(value, bytes):
            values[name] = value.decode("utf-8", "replace")
        elif value is None:
            values[name] = ""
    return EngineInfo(**values)


def _choice(name: str, value: str, values: Mapping[str, int]) -> int:
    if not isinstance(value, str) or value not in values:
        raise UsageError(f"{name} is one of {', '.join(values)}, not {value!r}")
    return values[value]


class Engine:
    """A loaded model.

    ``path``: a GGUF file, a Hugging Face directory or a checkpoint file. ``family``: what the model
    must be (None: what the file says). ``isa``: a kernel level (None: the best of this CPU).
    ``threads`` 0: what CPU affinity and cgroup quota allow; ``threads_batch``: for prompts, 0: as
    many. ``context``: tokens that a session holds, 0: up to 4096. ``chunk``: prompt tokens processed
    at once. ``kv_type``: auto, f32, f16, bf16 or int8. ``tokenizer_only``: reads no weights; such an
    engine also works in forked processes.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        family: str | None = None,
        isa: str | None = None,
        threads: int = 0,
        threads_batch: int = 0,
        context: int = 0,
        chunk: int = 0,
        kv_type: str = "auto",
        tokenizer_only: bool = False,
    ) -> None:
        options = native.lib.xl_engine_options_default()
        options.family = native.text_argument(family)
        options.isa = native.text_argument(isa)
        options.threads = native.integer("threads", threads)
        options.threads_batch = native.integer("threads_batch", threads_batch)
        options.context = native.integer("context", context)
        options.chunk = native.integer("chunk", chunk)
        options.kv_type = _choice("kv_type", kv_type, native.KV_TYPES)
        options.tokenizer_only = bool(tokenizer_only)
        pointer, error = ctypes.c_void_p(), native.Error()
        status = native.lib.xl_engine_open(
            native.path_argument(path),
            ctypes.byref(options),
            ctypes.byref(pointer),
            ctypes.byref(error),
        )
        native.check(status, error)
        assert pointer.value is not None
        self._handle = Handle(
            pointer.value, native.lib.xl_engine_close, "model", may_be_forked=tokenizer_only
        )
        self._finalizer = weakref.finalize(self, self._handle.close)
        self._dependents: weakref.WeakSet[Session | Grammar] = weakref.WeakSet()
        self.path: str = os.fsdecode(path)
        self.info: EngineInfo = _describe(pointer.value)

    def close(self) -> None:
        """Ends running generations, closes all sessions and grammars, then the model. Twice is
        harmless."""
        for dependent in list(self._dependents):
            dependent.close()
        self._finalizer()

    @property
    def is_closed(self) -> bool:
        return self._handle.is_closed

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __copy__(self) -> Engine:
        return self

    def __deepcopy__(self, _memo: Any) -> Engine:  # copies of what uses a model share it
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a loaded model cannot be pickled; open it in the other process")

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else f"{self.info.family} {self.info.weight_type}"
        return f"<xinglin.Engine {self.path!r} {state}>"

    def tokenize(
        self, text: str, *, add_special: bool = True, parse_special: bool = False
    ) -> list[int]:
        """Token ids of ``text``. ``add_special`` puts what the model wants at the ends (BOS …);
        ``parse_special`` lets text like ``<|im_end|>`` become control tokens."""
        if not isinstance(text, str):
            raise UsageError(f"expected text, not {type(text).__name__}")
        data = text.encode("utf-8", "replace")
        ids, n, error = ctypes.c_void_p(), ctypes.c_size_t(), native.Error()
        with self._handle.use() as engine:
            status = native.lib.xl_tokenize(
                engine,
                data,
                len(data),
                add_special,
                parse_special,
                ctypes.byref(ids),
                ctypes.byref(n),
                ctypes.byref(error),
            )
        native.check(status, error)
        return list(memoryview(native.take_bytes(ids, 4 * n.value)).cast("i"))

    def detokenize(self, tokens: Sequence[int], *, with_special: bool = False) -> str:
        """Text of token ids; ``with_special`` shows control tokens."""
        ids, n_ids = native.token_array(tokens)
        text, n, error = ctypes.c_void_p(), ctypes.c_size_t(), native.Error()
        with self._handle.use() as engine:
            status = native.lib.xl_detokenize(
                engine,
                ids,
                n_ids,
                with_special,
                ctypes.byref(text),
                ctypes.byref(n),
                ctypes.byref(error),
            )
        native.check(status, error)
        return native.take_bytes(text, n.value).decode("utf-8", "replace")

    def is_end(self, token: int) -> bool:
        """True for tokens at which generation ends."""
        with self._handle.use() as engine:
            return bool(native.lib.xl_token_is_end(engine, token))

    def format_chat(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        template: str | None = None,
        add_generation_prompt: bool = True,
    ) -> str:
        """Messages of ``role`` and ``content`` as the model's chat template writes them. For tools
        and other variables see :func:`xinglin.render_template`."""
        array = (native.Message * len(messages))()
        for raw, message in zip(array, messages):
            if not isinstance(message, Mapping) or not {"role", "content"} <= set(message):
                raise UsageError('a message is {"role": "user", "content": "…"}')
            raw.role = native.text_argument(message["role"])
            raw.content = native.text_argument(message["content"])
        text, n, error = ctypes.c_void_p(), ctypes.c_size_t(), native.Error()
        with self._handle.use() as engine:
            status = native.lib.xl_chat_format(
                engine,
                native.text_argument(template),
                array,
                len(messages),
                add_generation_prompt,
                ctypes.byref(text),
                ctypes.byref(n),
                ctypes.byref(error),
            )
        native.check(status, error)
        return native.take_bytes(text, n.value).decode("utf-8", "replace")

    def embed(
        self,
        texts: Sequence[str | Sequence[int]],
        *,
        pooling: str = "auto",
        normalize: bool = True,
        truncate: bool | int = False,
    ) -> memoryview[float]:
        """One vector a text (or list of token ids), as floats of shape (n_texts, n_embd): a
        memoryview, which ``numpy.asarray`` takes as it is and ``tolist()`` makes lists of.

        ``pooling``: ``auto`` (what the model was trained for, else the mean), ``mean``, ``cls`` or
        ``last``; ``normalize``: vectors of length 1. A text longer than the model reads is refused,
        or with ``truncate=True`` cut there as sentence-transformers does, keeping the special tokens
        at its end (a number: cut to so many tokens). Ctrl-C is seen between batches of a few
        thousand tokens, within a text never.
        """
        if isinstance(texts, str) or not isinstance(texts, Iterable):
            raise UsageError("embed() takes a list of texts; wrap a single one in a list")
        how = _choice("pooling", pooling, native.POOLINGS)
        most = self._longest_text(truncate)
        arrays = [native.token_array(self._embedded_ids(text, most)) for text in texts]
        n_embd = self.info.n_embd
        row_bytes = 4 * n_embd
        rows = (ctypes.c_float * (len(arrays) * n_embd))()
        # Texts of like length go together, in batches between which Ctrl-C is seen.
        batch_most = _EMBED_TOKENS if self.info.family == "bert" else _CAUSAL_TOKENS
        order = sorted(range(len(arrays)), key=lambda i: arrays[i][1])
        while order:
            batch = [order.pop()]
            n_tokens = arrays[batch[0]][1]
            while order and n_tokens + arrays[order[-1]][1] <= batch_most:
                batch.append(order.pop())
                n_tokens += arrays[batch[-1]][1]
            part = self._embed_batch([arrays[i] for i in batch], how, normalize)
            source, target = ctypes.addressof(part), ctypes.addressof(rows)
            for row, i in enumerate(batch):
                ctypes.memmove(target + i * row_bytes, source + row * row_bytes, row_bytes)
        if not arrays or not n_embd:
            return memoryview(b"").cast("f")
        return memoryview(rows).cast("B").cast("f", (len(arrays), n_embd))

    def _longest_text(self, truncate: bool | int) -> int | None:
        """Tokens at which texts are cut; None: nowhere."""
        if truncate is False:
            return None
        model_most = self.info.context
        if self.info.family == "bert":
            model_most = min(model_most, self.info.context_train)
        if truncate is not True:
            if native.integer("truncate", truncate) < 1:
                raise UsageError(f"truncate is True, False or a number of tokens, not {truncate!r}")
            return min(truncate, model_most)
        try:  # what sentence-transformers goes by
            text = (Path(self.path) / "sentence_bert_config.json").read_text(encoding="utf-8")
            own = json.loads(text)["max_seq_length"]
        except (OSError, ValueError, KeyError, TypeError):
            return model_most
        return min(own, model_most) if isinstance(own, int) and own > 0 else model_most

    def _embedded_ids(self, text: str | Sequence[int], most: int | None) -> Sequence[int]:
        ids = self.tokenize(text) if isinstance(text, str) else text
        if most is None or len(ids) <= most:
            return ids
        if not isinstance(text, str):
            return ids[:most]
        plain = self.tokenize(text, add_special=False)
        n_before = next((k for k in range(3) if ids[k : k + len(plain)] == plain), len(ids))
        behind = ids[n_before + len(plain) :]  # special tokens, which stay
        return [*ids[: max(most - len(behind), 0)], *behind][:most]

    def _embed_batch(
        self, batch: list[tuple[Any, int]], pooling: int, normalize: bool
    ) -> ctypes.Array[ctypes.c_float]:
        n = len(batch)
        pointers = (ctypes.c_void_p * n)(*[ctypes.addressof(ids) for ids, _ in batch])
        lengths = (ctypes.c_size_t * n)(*[length for _, length in batch])
        rows = (ctypes.c_float * (n * self.info.n_embd))()
        error = native.Error()
        with self._handle.use() as engine:
            status = native.lib.xl_embed(
                engine, pointers, lengths, n, pooling, normalize, rows, ctypes.byref(error)
            )
        native.check(status, error)
        return rows

    def grammar_from_json_schema(self, schema: str | bool | Mapping[str, Any]) -> Grammar:
        """For outputs that are JSON of this schema (2020-12, as a dict or as text; docs/SCHEMA.md
        says which keywords). What cannot be enforced is refused by name and place."""
        return self._grammar(native.lib.xl_grammar_from_json_schema, schema_text(schema))

    def grammar_from_gbnf(self, text: str) -> Grammar:
        """For outputs that a GBNF grammar derives from ``root``."""
        if not isinstance(text, str):
            raise UsageError(f"a GBNF grammar is text, not {type(text).__name__}")
        return self._grammar(native.lib.xl_grammar_from_gbnf, text.encode("utf-8", "replace"))

    def _grammar(self, function: Any, source: bytes) -> Grammar:
        grammar = Grammar(self, function, source)
        self._dependents.add(grammar)
        return grammar

    def session(self) -> Session:
        """A new timeline; its KV cache is allocated here."""
        return Session(self)

    def generate(self, prompt: str | Sequence[int], **options: Any) -> Generation:
        """One generation on a session of its own; options as in :meth:`Session.generate`."""
        with self.session() as session:
            return session.generate(prompt, **options)

    def generate_batch(
        self,
        prompts: Sequence[str | Sequence[int]],
        *,
        stop: str | Sequence[str] = (),
        logit_bias: Mapping[int, float] | None = None,
        grammar: Grammar | None = None,
        grammar_begin: str | None = None,
        on_token: Callable[[int, int], Any] | None = None,
        running_max: int = 0,
        **options: Any,
    ) -> list[Generation]:
        """A generation for each prompt, with the same options for all, at once: the weights are
        read once for the next tokens of up to ``running_max`` (0: 32) prompts, and a beginning that
        prompts share is computed once. Each gets what it would get alone.

        ``on_token(index, token)`` that returns something true ends that prompt's generation; it runs
        in another thread. End tokens are not among the tokens. Ctrl-C ends all.
        """
        own = generate_options(options, stop, logit_bias, grammar_begin)
        with borrow(grammar, self) as own.grammar:
            return generate_batch(self, prompts, own, running_max, on_token)


def render_template(template: str, context: Mapping[str, Any]) -> str:
    """A chat template (Jinja) over a JSON-like context: ``messages``, ``tools``, …"""
    text, n, error = ctypes.c_void_p(), ctypes.c_size_t(), native.Error()
    try:
        values = json.dumps(context, ensure_ascii=False).encode("utf-8", "replace")
    except (TypeError, ValueError) as problem:
        raise UsageError(f"what a chat template is given is JSON-like: {problem}") from None
    if rb"\u0000" in values.replace(rb"\\", b""):
        raise UsageError("text for the engine must not contain NUL characters")
    status = native.lib.xl_template_render(
        native.text_argument(template),
        values,
        ctypes.byref(text),
        ctypes.byref(n),
        ctypes.byref(error),
    )
    native.check(status, error)
    return native.take_bytes(text, n.value).decode("utf-8", "replace")
