# SPDX-License-Identifier: Apache-2.0
"""A pointer into the library that is closed once, by the process that opened it, and never while
somebody uses it.

Users announce themselves before they look whether the handle is closing, and ``close`` says that it
is closing before it looks for users; so one of both sees the other, and the last one out closes.
Nothing here takes a lock: it also runs in finalizers, which may interrupt any thread anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .errors import ClosedError, ForkedError


class Handle:
    """``owner``: the handle that must stay open as long as this one (an engine's, of a session)."""

    def __init__(
        self,
        pointer: int,
        close: Callable[[Any], None],
        what: str,
        *,
        owner: Handle | None = None,
        may_be_forked: bool = False,
    ) -> None:
        self._pointers = [pointer]  # list.pop() lets one thread win
        self._close, self._what, self._owner = close, what, owner
        self._users: set[object] = set()
        self._closing = False
        self._pid = os.getpid()
        self._may_be_forked = may_be_forked
        if owner is not None:
            owner.enter(self)

    @property
    def is_closed(self) -> bool:
        return self._closing

    @property
    def is_forked(self) -> bool:
        """True in a child process, in which the pointer must not be used."""
        return not self._may_be_forked and os.getpid() != self._pid

    def enter(self, user: object) -> int:
        """The pointer, which stays valid until ``leave(user)``."""
        if self.is_forked:
            raise ForkedError(
                f"the process was forked after the {self._what} was opened, and its threads stayed "
                "behind; open the model in the child, or start workers with the 'spawn' method"
            )
        self._users.add(user)
        if self._closing:
            self.leave(user)
            raise ClosedError(f"the {self._what} is closed")
        return self._pointers[0]

    def leave(self, user: object) -> None:
        self._users.discard(user)
        if self._closing:
            self._close_if_unused()

    @contextmanager
    def use(self) -> Iterator[int]:
        user = object()
        pointer = self.enter(user)
        try:
            yield pointer
        finally:
            self.leave(user)

    def close(self) -> None:
        """Refuses new users; the last one that is still there closes. Twice is harmless."""
        self._closing = True
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self._users:
            return
        try:
            pointer = self._pointers.pop()
        except IndexError:
            return
        if os.getpid() == self._pid:
            self._close(pointer)
        if self._owner is not None:
            self._owner.leave(self)
