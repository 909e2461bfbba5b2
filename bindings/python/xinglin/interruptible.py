# SPDX-License-Identifier: Apache-2.0
"""Long calls that Ctrl-C ends at once.

A signal's Python handler runs only between bytecodes of the main thread, never inside a foreign
call. So the main thread waits while another thread makes the call, and cancels it when the wait is
interrupted. Other threads see no signals and make their calls themselves.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

_T = TypeVar("_T")

POLL_S = 0.05  # how late Ctrl-C may be seen on platforms where waiting hides signals


def _cancel_until(done: threading.Event, cancel: Callable[[], None]) -> None:
    while not done.is_set():  # a request that comes before the call began is forgotten
        try:
            cancel()
            done.wait(POLL_S)
        except BaseException:  # a second Ctrl-C: the call is already ending
            continue


def _take(ticket: list[bool]) -> bool:
    try:
        return ticket.pop()
    except IndexError:
        return False


def call_interruptibly(
    call: Callable[[], _T], cancel: Callable[[], None], finish: Callable[[], None]
) -> _T:
    """``call()``, whose end ``cancel()`` brings about; ``finish()`` always runs right after it, in
    the thread that made the call."""
    if threading.current_thread() is not threading.main_thread():
        try:
            return call()
        finally:
            finish()
    outcome: list[Any] = []
    done = threading.Event()
    ticket = [True]  # whoever takes it finishes: an interrupted start() may have started or not

    def work() -> None:
        if not _take(ticket):
            return
        try:
            outcome.append((call(), None))
        except BaseException as error:  # handed to the caller below
            outcome.append((None, error))
        finally:
            finish()
            done.set()

    context = contextvars.copy_context()  # callbacks see the caller's context
    worker = threading.Thread(target=context.run, args=(work,), name="xinglin-call", daemon=True)
    try:
        worker.start()
        while not done.wait(POLL_S):
            pass
    except BaseException:
        if _take(ticket):
            finish()
        else:
            _cancel_until(done, cancel)
        raise
    value, error = outcome[0]
    if error is not None:
        raise error
    return value  # type: ignore[no-any-return]
