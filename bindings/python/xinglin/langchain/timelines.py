# SPDX-License-Identifier: Apache-2.0
"""Sessions that are used again. A prompt that begins as an earlier one did (a chat that goes on, a
second question about the same document) is read only from where it differs; the answer is the same
bytes as on a new session.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..engine import Engine
from ..errors import CancelledError
from ..generation import Generation
from ..session import Session

_POLL_S = 0.05


class Stopper:
    """Ends a call from another thread, or when its time is over."""

    def __init__(self, timeout_s: float | None = None) -> None:
        self._timeout_s = timeout_s
        self._end_s = None if timeout_s is None else time.monotonic() + timeout_s
        self._reason: Exception | None = None
        self._cancel: Callable[[], None] | None = None
        self._lock = threading.Lock()

    def stop(self, reason: Exception | None = None) -> None:
        with self._lock:
            self._reason = self._reason or reason or CancelledError("the answer was cancelled")
            if self._cancel is not None:
                threading.Thread(target=self._insist, args=(self._cancel,), daemon=True).start()

    def _insist(self, cancel: Callable[[], None]) -> None:
        while self._cancel is cancel:  # a request that comes before the call began is forgotten
            cancel()
            time.sleep(_POLL_S)

    def _time_is_over(self) -> None:
        self.stop(TimeoutError(f"no answer within {self._timeout_s} s (timeout=)"))

    def check(self) -> None:
        """Raises what ended the call."""
        if self._end_s is not None and time.monotonic() >= self._end_s:
            self._time_is_over()
        if self._reason is not None:
            raise self._reason

    @contextmanager
    def cancelling(self, cancel: Callable[[], None]) -> Iterator[None]:
        """While the block runs, ``cancel`` is what ends it."""
        with self._lock:
            self._cancel = lambda: cancel()  # one of its own, for _insist
        timer: threading.Timer | None = None
        if self._reason is not None:
            self.stop()
        elif self._end_s is not None:
            timer = threading.Timer(self._end_s - time.monotonic(), self._time_is_over)
            timer.daemon = True
            timer.start()
        try:
            yield
        finally:
            with self._lock:
                self._cancel = None
            if timer is not None:
                timer.cancel()


class Timeline:
    """A session and the tokens that it holds."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.held: list[int] = []

    def n_common(self, tokens: Sequence[int]) -> int:
        """Tokens at the beginning that need not be read again; one is left to read."""
        most = min(len(self.held), len(tokens) - 1)
        return next((i for i in range(most) if self.held[i] != tokens[i]), max(most, 0))

    def stream(
        self, tokens: list[int], stopper: Stopper, options: dict[str, Any]
    ) -> Generator[str, None, tuple[Generation, int]]:
        """Pieces of what follows ``tokens``; returns the generation and how many of them were
        known."""
        common = self.n_common(tokens)
        self.session.rewind(common)
        self.held = self.held[:common]
        stopper.check()
        with stopper.cancelling(self.session.cancel):
            generation = yield from self.session.stream(tokens[common:], **options)
        stopper.check()
        assert generation is not None
        self.held = (tokens + generation.tokens)[: self.session.position]
        return generation, common


class Timelines:
    """The sessions of one LangChain object: ``kept`` wait for the next call, ``most`` are open at
    once; whoever comes then waits."""

    def __init__(self, engine: Engine, kept: int, most: int) -> None:
        self.engine = engine
        self._kept, self._turns = kept, threading.BoundedSemaphore(most)
        self._idle: list[Timeline] = []
        self._lock = threading.Lock()

    @contextmanager
    def take(self, tokens: Sequence[int], stopper: Stopper) -> Iterator[Timeline]:
        """A timeline for this prompt, given back when the block ends; closed if it fails."""
        while not self._turns.acquire(timeout=_POLL_S):
            stopper.check()
        try:
            timeline = self._choose(tokens)
            try:
                yield timeline
            except BaseException:
                timeline.session.close()
                raise
            self._give_back(timeline)
        finally:
            self._turns.release()

    def _choose(self, tokens: Sequence[int]) -> Timeline:
        with self._lock:
            if self.engine.is_closed:
                self._idle.clear()
            if self._idle:
                best = max(self._idle, key=lambda timeline: timeline.n_common(tokens))
                self._idle.remove(best)
                return best
        return Timeline(self.engine.session())

    def _give_back(self, timeline: Timeline) -> None:
        with self._lock:
            self._idle.append(timeline)
            surplus = self._idle.pop(0) if len(self._idle) > self._kept else None
        if surplus is not None:
            surplus.session.close()

    def clear(self) -> None:
        """Wipes what the waiting sessions hold."""
        with self._lock:
            idle, self._idle = self._idle, []
        for timeline in idle:
            timeline.session.close()


async def in_thread(make: Callable[[], Iterator[Any]], stopper: Stopper) -> AsyncIterator[Any]:
    """Items that an iterator gives in a thread; leaving the loop early stops it."""
    loop, items = asyncio.get_running_loop(), asyncio.Queue[tuple[str, Any]]()

    def put(kind: str, value: Any) -> None:
        try:
            loop.call_soon_threadsafe(items.put_nowait, (kind, value))
        except RuntimeError:  # the loop was closed; nobody waits any more
            stopper.stop()

    def work() -> None:
        try:
            for item in make():
                put("item", item)
            put("end", None)
        except BaseException as error:  # raised again below
            put("error", error)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), name="xinglin-chat", daemon=True).start()
    try:
        while True:
            kind, value = await items.get()
            if kind == "error":
                raise value
            if kind == "end":
                return
            yield value
    finally:
        stopper.stop()
