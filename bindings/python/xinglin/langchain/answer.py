# SPDX-License-Identifier: Apache-2.0
"""An answer while it comes: pieces of text are told apart as thoughts, calls of tools and what is
said. Text that could be the beginning of a mark waits until it is certain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

THINK_BEGIN, THINK_END = "<think>", "</think>"
FENCE = "```json"  # some models put what should be a bare call into a block of code


@dataclass(frozen=True)
class Marks:
    """``call_begin`` "" with ``has_tools``: calls are JSON from the first character on."""

    thinks: bool = False  # the template knows thoughts
    is_thinking: bool = False  # the prompt ends within one
    has_tools: bool = False
    call_begin: str = ""
    call_end: str = ""
    is_call: bool = False  # the whole answer is a call


def _waiting(text: str, mark: str) -> int:
    """Length of the longest end of the text that is a beginning of the mark."""
    for n in range(min(len(mark) - 1, len(text)), 0, -1):
        if text.endswith(mark[:n]):
            return n
    return 0


class AnswerReader:
    """``feed`` and ``finish`` yield pairs of kind ("text", "thought" or "call") and text; a call
    comes whole, text and thoughts in pieces."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._buffer = ""
        self._strips = False  # white space after a thought or a call means nothing
        self._state = "call" if marks.is_call else "thought" if marks.is_thinking else "start"

    @property
    def is_in_call(self) -> bool:
        """A call has begun between marks."""
        return self._state == "call"

    def feed(self, piece: str) -> Iterator[tuple[str, str]]:
        self._buffer += piece
        while True:
            state, size = self._state, len(self._buffer)
            yield from getattr(self, "_read_" + state)()
            if self._state == state and len(self._buffer) == size:
                return

    def finish(self) -> Iterator[tuple[str, str]]:
        """What still waits. A thought or a call may lack its end."""
        kind = {"call": "call", "bare": "call", "thought": "thought"}.get(self._state, "text")
        if self._buffer:
            yield kind, self._buffer
        self._buffer = ""

    def _read_start(self) -> Iterator[tuple[str, str]]:
        """Before anything but white space: a thought or a bare call may come."""
        said = self._buffer.lstrip()
        if not said:
            return
        if self._marks.thinks and said.startswith(THINK_BEGIN):
            self._state, self._buffer, self._strips = "thought", said[len(THINK_BEGIN) :], True
        elif self._marks.thinks and THINK_BEGIN.startswith(said):
            return
        elif self._marks.has_tools and (said[0] in "[{" or said.startswith(FENCE)):
            self._state, self._buffer = "bare", said
        elif self._marks.has_tools and FENCE.startswith(said):
            return
        else:
            self._state = "text"
        yield from ()

    def _strip(self) -> None:
        if self._strips:
            self._buffer = self._buffer.lstrip()
            self._strips = not self._buffer

    def _read_thought(self) -> Iterator[tuple[str, str]]:
        self._strip()
        thought, mark, rest = self._buffer.partition(THINK_END)
        if mark:
            self._state, self._buffer, self._strips = "start", rest, True
            thought = thought.rstrip()
        else:
            certain = thought[: len(thought) - _waiting(thought, THINK_END)].rstrip()
            thought, self._buffer = certain, thought[len(certain) :]
        if thought:
            yield "thought", thought

    def _read_text(self) -> Iterator[tuple[str, str]]:
        self._strip()
        if not self._marks.has_tools or not self._marks.call_begin:
            text, self._buffer = self._buffer, ""
        else:
            text, mark, rest = self._buffer.partition(self._marks.call_begin)
            if mark:
                self._state, self._buffer = "call", rest
            else:
                n = len(text) - _waiting(text, self._marks.call_begin)
                text, self._buffer = text[:n], text[n:]
        if text:
            yield "text", text

    def _read_call(self) -> Iterator[tuple[str, str]]:
        if self._marks.call_end:
            call, mark, rest = self._buffer.partition(self._marks.call_end)
            if mark:
                self._state, self._buffer, self._strips = "text", rest, True
                yield "call", call

    def _read_bare(self) -> Iterator[tuple[str, str]]:
        yield from ()
