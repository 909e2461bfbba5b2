# SPDX-License-Identifier: Apache-2.0
"""Pieces from the thread that computes to the one that reads, without waking the reader for each.

The reader sleeps a moment after it got something, so fast pieces gather; then it takes them all, or
says that it waits and is woken by the very next one. The writer never looks at a clock.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

GATHER_S = 0.02


class Inbox:
    """One writer, one reader. ``outcome`` is what the writer ended with."""

    def __init__(self) -> None:
        self.outcome: Any = None
        self._pieces: deque[str] = deque()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._is_waiting = True
        self._has_ended = False

    def put(self, piece: str) -> None:
        self._pieces.append(piece)
        if self._is_waiting:
            self._is_waiting = False
            self._bell.put(None)

    def end(self, outcome: Any) -> None:
        self.outcome = outcome
        self._has_ended = True
        self._bell.put(None)

    def __iter__(self) -> Iterator[str]:
        self._bell.get()  # the first piece, or the end
        while True:
            taken = time.monotonic()
            has_ended = self._has_ended  # before the last look at the pieces
            while self._pieces:
                yield self._pieces.popleft()
            if has_ended:
                return
            self._wait(taken + GATHER_S)

    def _wait(self, until: float) -> None:
        rest = until - time.monotonic()
        if rest > 0:
            try:
                self._bell.get(timeout=rest)
            except queue.Empty:
                pass
            if self._pieces or self._has_ended:
                return
        self._is_waiting = True  # whoever puts something after this rings
        if not self._pieces and not self._has_ended:
            self._bell.get()
        self._is_waiting = False
