# SPDX-License-Identifier: Apache-2.0
"""One row after the other through the engine: what ``generate`` does when its arguments are known.

A row's ids do not depend on the rows beside it. A model keeps its last session, so that a prompt
that begins as the last text did (a conversation, a document with another question) is not read
again; the engine promises the same ids with any prefix known.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from ..engine import Engine
from ..session import Session
from .arrays import Kind, streamed
from .generate_arguments import Plan


class SessionShelf:
    """One idle session and the tokens it holds."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._idle: tuple[Session, list[int]] | None = None

    def take(self) -> tuple[Session, list[int]]:
        with self._lock:
            found, self._idle = self._idle, None
        return found if found is not None else (self._engine.session(), [])

    def put(self, session: Session, tokens: list[int]) -> None:
        with self._lock:
            if self._idle is None and not self._engine.is_closed:
                self._idle = (session, tokens)
                return
        session.close()

    def forget(self) -> None:
        """Closes the idle session, which wipes the text it holds."""
        with self._lock:
            found, self._idle = self._idle, None
        if found is not None:
            found[0].close()


def _common(a: list[int], b: list[int]) -> int:
    n = min(len(a), len(b))
    if a[:n] == b[:n]:
        return n
    return next(i for i in range(n) if a[i] != b[i])


def _is_true(answer: Any) -> bool:
    """Of a criterion: a bool, or one value for each row."""
    return bool(answer.all()) if hasattr(answer, "all") else bool(answer)


class _Watch:
    """Sees every token of a row: tells the streamer, asks the criteria, knows the end tokens."""

    def __init__(self, plan: Plan, row: list[int], kind: Kind, deadline: float | None) -> None:
        self._plan, self._kind, self._deadline = plan, kind, deadline
        self._text = list(row)
        self.is_over = False

    def __call__(self, token: int) -> bool:
        plan = self._plan
        self._text.append(token)
        if plan.streamer is not None:
            plan.streamer.put(streamed([token], self._kind))
        self.is_over = plan.ends is not None and token in plan.ends
        if self._deadline is not None and time.monotonic() > self._deadline:
            self.is_over = True
        if plan.criteria and not self.is_over:
            self.is_over = any([_is_true(one(self._ids(one), None)) for one in plan.criteria])
        return self.is_over

    def _ids(self, criterion: Any) -> Any:
        """A batch of one row: of the caller's kind, or a tensor for criteria of transformers."""
        library = self._kind.library
        if library == "list" and "torch" in sys.modules:
            classes = type(criterion).__mro__
            if any(base.__module__.startswith("transformers.") for base in classes):
                library = "torch"
        return Kind(library, self._kind.device).ids([self._text])


def generate_row(
    shelf: SessionShelf,
    plan: Plan,
    row: list[int],
    prompt: list[int],
    kind: Kind,
    seed: int,
    deadline: float | None,
) -> list[int]:
    """The new ids after ``prompt``, which is ``row`` without padding."""
    most, least = plan.new_tokens(len(row))
    watch = _Watch(plan, row, kind, deadline)
    options = {**plan.options, "seed": seed, "stop": plan.stops}
    if plan.ends is not None:
        options["ignore_end"] = True
    session, held = shelf.take()
    try:
        common = min(_common(held, prompt), len(prompt) - 1)
        session.rewind(max(common, 0))
        fresh = prompt[max(common, 0) :]
        made: list[int] = []
        if least > 0:
            engine = session.engine
            ends = plan.ends or frozenset(
                token for token in range(engine.info.n_vocab) if engine.is_end(token)
            )
            bias = {**plan.bias, **{token: float("-inf") for token in ends}}
            made += session.generate(
                fresh, max_tokens=least, logit_bias=bias, on_token=watch, **options
            ).tokens
            session.rewind(len(prompt) + len(made) - 1)
            fresh, options["seed"] = made[-1:], seed + 1
        if most > least and not watch.is_over:
            made += session.generate(
                fresh, max_tokens=most - least, logit_bias=plan.bias, on_token=watch, **options
            ).tokens
        held = (prompt + made)[: session.position]
    except BaseException:
        session.close()
        raise
    shelf.put(session, held)
    return made
