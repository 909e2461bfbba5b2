# SPDX-License-Identifier: Apache-2.0
"""Many prompts at once: the next tokens of all are computed together, in pages of memory that prompts
with a common beginning share. What each gets is the same as alone."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from . import _native as native
from .convert import machine
from .errors import UsageError, error_class
from .generation import Generation
from .interruptible import POLL_S

if TYPE_CHECKING:
    from .engine import Engine

RUNNING_MAX = 32


class _Row:
    """One prompt: what has come of it. Its callback runs in the worker's thread."""

    def __init__(
        self, index: int, done: threading.Semaphore, on_token: Callable[[int, int], Any] | None
    ) -> None:
        self.index, self.request = index, ctypes.c_void_p()
        self.tokens: list[int] = []
        self.pieces: list[str] = []
        self.error: BaseException | None = None
        self.result: Generation | None = None
        self.status = native.STATUS_OK
        self._done, self._on_token, self._is_over = done, on_token, False

    def cancel(self) -> None:
        if self.request:
            native.lib.xl_request_cancel(self.request)

    def event(self, _user: Any, pointer: int) -> None:
        event = native.RequestEvent.from_address(pointer)
        try:
            if not self._is_over:
                self._take(event)
        except BaseException as error:  # raised again by generate_batch
            self.error, self._is_over = error, True
            self.cancel()
        if event.is_last:
            self._end(event)

    def _take(self, event: native.RequestEvent) -> None:
        if event.text_bytes:
            text = ctypes.string_at(event.text, event.text_bytes)
            self.pieces.append(text.decode("utf-8", "replace"))
        if event.token < 0 or (event.is_last and event.finish != _FINISH_END):
            return
        self.tokens.append(event.token)
        if self._on_token is not None and self._on_token(self.index, event.token):
            self._is_over = True
            self.cancel()

    def _end(self, event: native.RequestEvent) -> None:
        decode_s = max(event.total_s - event.first_token_s, 0.0)
        if event.status not in (native.STATUS_OK, native.STATUS_CANCELLED):
            self.status = event.status
            text = (event.error_message or b"").decode("utf-8", "replace")
            self.error = self.error or error_class(event.status)(text)
        self.result = Generation(
            text="".join(self.pieces),
            tokens=self.tokens,
            finish="cancelled" if self._is_over else native.FINISH_NAMES[event.finish],
            prompt_tokens=event.prompt_tokens,
            first_token_s=event.first_token_s,
            decode_s=decode_s,
            next_token_mean_s=decode_s / max(len(self.tokens) - 1, 1),
            drafted_tokens=event.drafted_tokens,
            accepted_tokens=event.accepted_tokens,
        )
        self._done.release()


_FINISH_END = native.FINISH_NAMES.index("end")


def _kv_bytes(engine: Engine, n_running: int) -> int:
    """A context for each that runs, but no more than half of what is free."""
    free: int = machine()["memory"]["available_bytes"]
    return max(min(n_running * engine.info.kv_bytes, free // 2), engine.info.kv_bytes)


def _wait(engine: Engine, rows: list[_Row], done: threading.Semaphore) -> None:
    """Until every row has ended. Whatever interrupts the wait ends them first."""
    n_left, problem = len(rows), None
    while n_left > 0:
        try:
            if done.acquire(timeout=POLL_S):
                n_left -= 1
            if problem or engine.is_closed or any(row.error is not None for row in rows):
                for row in rows:
                    row.cancel()
        except BaseException as error:  # Ctrl-C, perhaps several times
            problem = problem or error
    if problem is not None:
        raise problem


def generate_batch(
    engine: Engine,
    prompts: Sequence[str | Sequence[int]],
    options: native.GenerateOptions,
    running_max: int,
    on_token: Callable[[int, int], Any] | None,
) -> list[Generation]:
    """See :meth:`Engine.generate_batch`. ``options`` and what they point to must outlive the call."""
    if isinstance(prompts, str) or not isinstance(prompts, Iterable):
        raise UsageError("generate_batch() takes a list of prompts; wrap a single one in a list")
    if on_token is not None and not callable(on_token):
        raise UsageError(f"on_token is a function, not {type(on_token).__name__}")
    arrays = [
        native.token_array(
            engine.tokenize(
                prompt, add_special=options.add_special, parse_special=options.parse_special
            )
            if isinstance(prompt, str)
            else prompt
        )
        for prompt in prompts
    ]
    if not arrays:
        return []
    n_running = min(len(arrays), native.integer("running_max", running_max) or RUNNING_MAX)
    done = threading.Semaphore(0)
    rows = [_Row(i, done, on_token) for i in range(len(arrays))]
    with ExitStack() as stack:
        pointer = stack.enter_context(engine._handle.use())
        own = native.lib.xl_worker_options_default()
        own.running_max, own.waiting_max = n_running, max(len(arrays), 1)
        own.kv_bytes = _kv_bytes(engine, n_running)
        worker, error = ctypes.c_void_p(), native.Error()
        status = native.lib.xl_worker_open(
            pointer, ctypes.byref(own), ctypes.byref(worker), ctypes.byref(error)
        )
        native.check(status, error)
        stack.callback(native.lib.xl_worker_close, worker)
        functions: list[Any] = []  # alive as long as the worker may call them
        started: list[_Row] = []
        try:
            for row, (ids, n) in zip(rows, arrays):
                _submit(worker, row, ids, n, options, functions)
                started.append(row)
        except BaseException:
            for row in started:
                row.cancel()
            _wait(engine, started, done)
            raise
        finally:
            for row in started:
                stack.callback(native.lib.xl_request_release, row.request)
        _wait(engine, rows, done)
    return _results(rows)


def _submit(
    worker: ctypes.c_void_p,
    row: _Row,
    ids: Any,
    n: int,
    options: native.GenerateOptions,
    functions: list[Any],
) -> None:
    request = native.lib.xl_request_options_default()
    request.prompt, request.n_prompt = ctypes.addressof(ids), n
    request.generate = ctypes.pointer(options)
    request.on_event = native.OnEvent(row.event)
    functions.append(request.on_event)
    error = native.Error()
    status = native.lib.xl_request_submit(
        worker, ctypes.byref(request), ctypes.byref(row.request), ctypes.byref(error)
    )
    native.check(status, error)


def _results(rows: list[_Row]) -> list[Generation]:
    results = []
    for row in rows:
        error, row.error = row.error, None
        try:
            if error is not None:
                raise error
        finally:
            del error
        assert row.result is not None
        results.append(row.result)
    return results
