# SPDX-License-Identifier: Apache-2.0
"""Engine and Session: the two objects of the C interface as Python objects.

An Engine is a loaded model, shared by any number of threads. A Session is one timeline of tokens on
it, used by one caller at a time (others wait). Both are closed by ``close()``, by ``with``, or when
they are collected, in any order. Ctrl-C ends a running call at once and leaves the session usable.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import threading
import weakref
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from . import _native as native
from .errors import CancelledError, ClosedError, ForkedError, UsageError
from .generation import Callbacks, Generation, generate_options
from .handle import Handle
from .interruptible import POLL_S, call_interruptibly

_BRIEF_TOKENS = 4  # calls of so few tokens end by themselves before anybody grows impatient
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
    if value not in values:
        raise UsageError(f"{name} is one of {', '.join(values)}, not {value!r}")
    return values[value]


def _count(name: str, value: int) -> int:
    if not isinstance(value, int) or not -(1 << 31) <= value < 1 << 31:
        raise UsageError(f"{name} is an integer of 32 bits, not {value!r}")
    return value


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
        options.threads = _count("threads", threads)
        options.threads_batch = _count("threads_batch", threads_batch)
        options.context = _count("context", context)
        options.chunk = _count("chunk", chunk)
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
        self._sessions: weakref.WeakSet[Session] = weakref.WeakSet()
        self.path: str = os.fsdecode(path)
        self.info: EngineInfo = _describe(pointer.value)

    def close(self) -> None:
        """Ends running generations, closes all sessions, then the model. Twice is harmless."""
        for session in list(self._sessions):
            session.close()
        self._finalizer()

    @property
    def is_closed(self) -> bool:
        return self._handle.is_closed

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

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
    ) -> memoryview[float]:
        """One vector a text (or list of token ids), as floats of shape (n_texts, n_embd): a
        memoryview, which ``numpy.asarray`` takes as it is and ``tolist()`` makes lists of.

        ``pooling``: ``auto`` (what the model was trained for, else the mean), ``mean``, ``cls`` or
        ``last``; ``normalize``: vectors of length 1. A text longer than the context is refused.
        """
        if isinstance(texts, str):
            raise UsageError("embed() takes a list of texts; wrap a single one in a list")
        how = _choice("pooling", pooling, native.POOLINGS)
        arrays = [
            native.token_array(self.tokenize(text) if isinstance(text, str) else text)
            for text in texts
        ]
        n_embd = self.info.n_embd
        row_bytes = 4 * n_embd
        rows = (ctypes.c_float * (len(arrays) * n_embd))()
        # Texts of like length go together, in batches between which Ctrl-C is seen.
        most = _EMBED_TOKENS if self.info.family == "bert" else _CAUSAL_TOKENS
        order = sorted(range(len(arrays)), key=lambda i: arrays[i][1])
        while order:
            batch = [order.pop()]
            n_tokens = arrays[batch[0]][1]
            while order and n_tokens + arrays[order[-1]][1] <= most:
                batch.append(order.pop())
                n_tokens += arrays[batch[-1]][1]
            part = self._embed_batch([arrays[i] for i in batch], how, normalize)
            source, target = ctypes.addressof(part), ctypes.addressof(rows)
            for row, i in enumerate(batch):
                ctypes.memmove(target + i * row_bytes, source + row * row_bytes, row_bytes)
        if not arrays or not n_embd:
            return memoryview(b"").cast("f")
        return memoryview(rows).cast("B").cast("f", (len(arrays), n_embd))

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

    def session(self) -> Session:
        """A new timeline; its KV cache is allocated here."""
        return Session(self)

    def generate(self, prompt: str | Sequence[int], **options: Any) -> Generation:
        """One generation on a session of its own; options as in :meth:`Session.generate`."""
        with self.session() as session:
            return session.generate(prompt, **options)


def render_template(template: str, context: Mapping[str, Any]) -> str:
    """A chat template (Jinja) over a JSON-like context: ``messages``, ``tools``, …"""
    text, n, error = ctypes.c_void_p(), ctypes.c_size_t(), native.Error()
    status = native.lib.xl_template_render(
        native.text_argument(template),
        json.dumps(context, ensure_ascii=False).encode("utf-8", "replace"),
        ctypes.byref(text),
        ctypes.byref(n),
        ctypes.byref(error),
    )
    native.check(status, error)
    return native.take_bytes(text, n.value).decode("utf-8", "replace")


class Session:
    """One timeline of tokens. Calls from several threads take turns."""

    def __init__(self, engine: Engine) -> None:
        pointer, error = ctypes.c_void_p(), native.Error()
        with engine._handle.use() as owner:
            status = native.lib.xl_session_open(owner, ctypes.byref(pointer), ctypes.byref(error))
            native.check(status, error)
            assert pointer.value is not None
            self._handle = Handle(
                pointer.value, native.lib.xl_session_close, "session", owner=engine._handle
            )
        self._finalizer = weakref.finalize(self, self._handle.close)
        self.engine = engine
        self._lock = threading.Lock()
        self._caller: int | None = None  # the thread whose call is running
        engine._sessions.add(self)

    def close(self) -> None:
        """Wipes what it held. A running call is cancelled first. Twice is harmless."""
        if self._handle.is_forked:
            return
        self._refuse_callbacks()
        while not self._lock.acquire(timeout=POLL_S):
            self.cancel()
        try:
            self._finalizer()
        finally:
            self._lock.release()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def cancel(self) -> None:
        """Ends the call that runs in another thread. Without one it does nothing."""
        try:
            with self._handle.use() as session:
                native.lib.xl_session_cancel(session)
        except (ClosedError, ForkedError):
            pass

    @property
    def position(self) -> int:
        """Tokens held."""
        with self._handle.use() as session:
            return int(native.lib.xl_session_position(session))

    def _refuse_callbacks(self) -> None:
        if self._caller == threading.get_ident():
            raise UsageError(
                "a session cannot be used by the callbacks of its own generation; a callback that "
                "returns True ends it"
            )

    def _run(self, function: Any, *arguments: Any, is_brief: bool = False) -> None:
        """A call of the library with this session, which is one caller's until it ends."""
        error, user = native.Error(), object()
        if self._handle.is_forked:  # the lock may have been forked too
            self._handle.enter(user)
        self._refuse_callbacks()

        def call() -> int:
            self._caller = threading.get_ident()
            return int(function(pointer, *arguments, ctypes.byref(error)))

        def finish() -> None:
            self._caller = None
            self._handle.leave(user)
            self._lock.release()

        self._lock.acquire()
        try:
            pointer = self._handle.enter(user)
        except BaseException:
            self._lock.release()
            raise
        if is_brief:
            try:
                status = call()
            finally:
                finish()
        else:
            status = call_interruptibly(call, self.cancel, finish)
        native.check(status, error)

    def feed(self, tokens: Sequence[int]) -> None:
        """Appends tokens without generating."""
        ids, n = native.token_array(tokens)
        self._run(native.lib.xl_session_feed, ids, n, is_brief=n <= _BRIEF_TOKENS)

    def feed_all(self, tokens: Sequence[int]) -> memoryview[float]:
        """Appends tokens; the logits after each as floats of shape (n_tokens, n_vocab)."""
        ids, n = native.token_array(tokens)
        n_vocab = self.engine.info.n_vocab
        logits = (ctypes.c_float * (n * n_vocab))()
        self._run(native.lib.xl_session_feed_all, ids, n, logits, is_brief=n <= _BRIEF_TOKENS)
        if not n:
            return memoryview(b"").cast("f")
        return memoryview(logits).cast("B").cast("f", (n, n_vocab))

    def logits(self) -> memoryview[float] | None:
        """A copy of the logits (n_vocab floats) after the last token; None if nothing was fed."""
        copied: list[memoryview[float]] = []

        def copy(pointer: int, _error: Any) -> int:
            logits = native.lib.xl_session_logits(pointer)
            if logits:
                copied.append(memoryview(ctypes.string_at(logits, 4 * n_vocab)).cast("f"))
            return native.STATUS_OK

        n_vocab = self.engine.info.n_vocab
        self._run(copy, is_brief=True)
        return copied[0] if copied else None

    def rewind(self, position: int) -> None:
        """Forgets everything from ``position`` on."""
        self._run(native.lib.xl_session_rewind, _count("position", position), is_brief=True)

    def snapshot(self) -> bytes:
        """Everything that the session holds; only the same model and options can restore it."""
        data, n = ctypes.c_void_p(), ctypes.c_size_t()
        self._run(
            native.lib.xl_session_snapshot, ctypes.byref(data), ctypes.byref(n), is_brief=True
        )
        return native.take_bytes(data, n.value)

    def restore(self, data: bytes) -> None:
        """Takes a snapshot's place."""
        data = bytes(data)
        self._run(native.lib.xl_session_restore, data, len(data), is_brief=True)

    def generate(
        self,
        prompt: str | Sequence[int] = "",
        *,
        stop: str | Sequence[str] = (),
        logit_bias: Mapping[int, float] | None = None,
        on_text: Callable[[str], Any] | None = None,
        on_token: Callable[[int], Any] | None = None,
        **options: Any,
    ) -> Generation:
        """Appends the prompt (text or token ids) and generates after it.

        Options: ``max_tokens`` (128), ``temperature`` (0: greedy), ``top_k``, ``top_p``, ``min_p``,
        ``repetition_penalty``, ``presence_penalty``, ``frequency_penalty``, ``penalty_window``,
        ``seed``, ``ignore_end``, ``add_special``, ``parse_special``, ``draft_max``. A callback that
        returns something true ends the generation; what it raises is raised here. Callbacks may
        run in another thread, one at a time.
        """
        own = generate_options(options, stop, logit_bias)
        callbacks = Callbacks(on_text, on_token)
        # The functions hold the callbacks and `own` holds the functions: no circle to collect.
        own.on_text = native.OnText(callbacks.text)
        own.on_token = native.OnToken(callbacks.token)
        result = native.GenerateResult(size=ctypes.sizeof(native.GenerateResult))
        function: Any
        arguments: tuple[Any, ...]
        if isinstance(prompt, str):
            function = native.lib.xl_session_generate
            arguments = (native.text_argument(prompt),)
        else:
            function = native.lib.xl_session_generate_tokens
            arguments = native.token_array(prompt)
        try:
            self._run(function, *arguments, ctypes.byref(own), ctypes.byref(result))
        except CancelledError:
            if callbacks.error is not None:
                raise callbacks.error from None
        return callbacks.result(result)

    def stream(
        self, prompt: str | Sequence[int] = "", **options: Any
    ) -> Generator[str, None, Generation | None]:
        """Pieces of text as they are certain; options as in :meth:`generate`. Leaving the loop
        early ends the generation. The iterator's return value is the :class:`Generation`."""
        pieces: queue.SimpleQueue[Any] = queue.SimpleQueue()
        left = threading.Event()
        user_on_text = options.pop("on_text", None)

        def on_text(piece: str) -> bool:
            pieces.put(piece)
            return bool(user_on_text and user_on_text(piece)) or left.is_set()

        def work() -> None:
            try:
                pieces.put(self.generate(prompt, on_text=on_text, **options))
            except BaseException as error:  # handed to the consumer
                pieces.put(error)

        worker = threading.Thread(target=work, name="xinglin-stream", daemon=True)
        worker.start()
        try:
            while isinstance(piece := pieces.get(), str):
                yield piece
        finally:
            left.set()
            while worker.is_alive():
                self.cancel()
                worker.join(POLL_S)
        if isinstance(piece, BaseException):
            raise piece
        assert isinstance(piece, Generation)
        return piece
