# SPDX-License-Identifier: Apache-2.0
"""Session: one timeline of tokens on an engine, one caller at a time (others wait). Ctrl-C ends
a running call at once and leaves the session usable."""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import _native as native
from .errors import CancelledError, ClosedError, ForkedError, UsageError
from .generation import Callbacks, Generation, generate_options
from .grammar import Grammar, borrow
from .handle import Handle
from .inbox import Inbox
from .interruptible import POLL_S, call_interruptibly

if TYPE_CHECKING:
    from .engine import Engine

_BRIEF_TOKENS = 4  # calls of so few tokens end by themselves before anybody grows impatient


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
        engine._dependents.add(self)

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
        self._run(native.lib.xl_session_rewind, native.integer("position", position), is_brief=True)

    def snapshot(self) -> bytes:
        """Everything that the session holds; only the same model and options can restore it."""
        data, n = ctypes.c_void_p(), ctypes.c_size_t()
        self._run(
            native.lib.xl_session_snapshot, ctypes.byref(data), ctypes.byref(n), is_brief=True
        )
        return native.take_bytes(data, n.value)

    def restore(self, data: bytes) -> None:
        """Takes a snapshot's place."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise UsageError(f"a snapshot is bytes, not {type(data).__name__}")
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
        grammar: Grammar | None = None,
        grammar_begin: str | None = None,
        **options: Any,
    ) -> Generation:
        """Appends the prompt (text or token ids) and generates after it.

        Options: ``max_tokens`` (128), ``temperature`` (0: greedy), ``top_k``, ``top_p``, ``min_p``,
        ``repetition_penalty``, ``presence_penalty``, ``frequency_penalty``, ``penalty_window``,
        ``seed``, ``ignore_end``, ``add_special``, ``parse_special``, ``draft_max``. ``grammar``:
        only what it derives is chosen, from the end of the text ``grammar_begin`` on if that is
        given (``"</think>"``). A callback that returns something true ends the generation; what it
        raises is raised here. Callbacks may run in another thread, one at a time.
        """
        own = generate_options(options, stop, logit_bias, grammar_begin)
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
            with borrow(grammar, self.engine) as own.grammar:
                self._run(function, *arguments, ctypes.byref(own), ctypes.byref(result))
        except CancelledError:
            error = callbacks.take_error()
            try:
                if error is not None:
                    raise error from None
            finally:
                del error
        return callbacks.result(result)

    def stream(
        self, prompt: str | Sequence[int] = "", **options: Any
    ) -> Generator[str, None, Generation | None]:
        """Pieces of text as they are certain; options as in :meth:`generate`. Leaving the loop
        early ends the generation. The iterator's return value is the :class:`Generation`. What
        comes sooner than 20 ms after the last pieces is handed over with its successors: waking
        the reader for every fast token would cost the engine a core each time."""
        inbox = Inbox()
        left = threading.Event()
        user_on_text = options.pop("on_text", None)

        def on_text(piece: str) -> bool:
            inbox.put(piece)
            return bool(user_on_text and user_on_text(piece)) or left.is_set()

        def work() -> None:
            try:
                inbox.end(self.generate(prompt, on_text=on_text, **options))
            except BaseException as error:  # handed to the consumer
                inbox.end(error)

        worker = threading.Thread(target=work, name="xinglin-stream", daemon=True)
        worker.start()
        try:
            yield from inbox
        finally:
            left.set()
            while worker.is_alive():
                self.cancel()
                worker.join(POLL_S)
        outcome, inbox.outcome = inbox.outcome, None
        try:
            if isinstance(outcome, BaseException):
                raise outcome
            assert isinstance(outcome, Generation)
            return outcome
        finally:
            del outcome
