# SPDX-License-Identifier: Apache-2.0
"""Streamers for ``generate(streamer=...)`` that need no torch. They take the place of those of
transformers, which work as well: ``put(prompt ids)``, ``put(ids)`` again and again, ``end()``."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator, Iterator
from typing import Any

from ..errors import UsageError

_END = object()
_WINDOW, _CONTEXT = 48, 8  # ids decoded together, and how many stay when these become too many


class BaseStreamer:
    """What ``generate`` talks to."""

    def put(self, value: Any) -> None:
        """Ids that were added to the text; first those of the prompt."""
        raise NotImplementedError

    def end(self) -> None:
        """Nothing more will come."""
        raise NotImplementedError


class TextStreamer(BaseStreamer):
    """Prints text as soon as it is certain. ``decode_kwargs`` go to the tokenizer's ``decode``."""

    def __init__(self, tokenizer: Any, skip_prompt: bool = False, **decode_kwargs: Any) -> None:
        self.tokenizer = tokenizer
        self.skip_prompt = skip_prompt
        self.decode_kwargs = decode_kwargs
        self._is_prompt = True
        self._ids: list[int] = []
        self._shown = 0

    def put(self, value: Any) -> None:
        ids = value.tolist() if hasattr(value, "tolist") else list(value)
        if ids and isinstance(ids[0], list):
            if len(ids) > 1:
                raise UsageError("a text streamer follows one text, not a batch")
            ids = ids[0]
        is_prompt, self._is_prompt = self._is_prompt, False
        if is_prompt and self.skip_prompt:
            return
        self._ids += ids
        text = self._decode()
        certain = len(text.rstrip("\ufffd"))  # the rest may be half a character
        if certain > self._shown:
            piece, self._shown = text[self._shown : certain], certain
            self.on_finalized_text(piece)
        if certain == len(text) and len(self._ids) > _WINDOW:
            self._ids = self._ids[-_CONTEXT:]
            self._shown = len(self._decode())

    def _decode(self) -> str:
        return str(self.tokenizer.decode(self._ids, **self.decode_kwargs)) if self._ids else ""

    def end(self) -> None:
        piece = self._decode()[self._shown :]
        self._ids, self._shown, self._is_prompt = [], 0, True
        self.on_finalized_text(piece, stream_end=True)

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        """A piece of text that is certain."""
        print(text, flush=True, end="\n" if stream_end else "")


class TextIteratorStreamer(TextStreamer):
    """Text as an iterator, for a generation in another thread. ``timeout``: seconds to wait for a
    piece before ``queue.Empty`` is raised."""

    def __init__(
        self,
        tokenizer: Any,
        skip_prompt: bool = False,
        timeout: float | None = None,
        **decode_kwargs: Any,
    ) -> None:
        super().__init__(tokenizer, skip_prompt, **decode_kwargs)
        self.timeout = timeout
        self.text_queue: queue.Queue[Any] = queue.Queue()

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        if text:
            self.text_queue.put(text)
        if stream_end:
            self.text_queue.put(_END)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        piece = self.text_queue.get(timeout=self.timeout)
        if piece is _END:
            raise StopIteration
        return str(piece)


class AsyncTextIteratorStreamer(TextStreamer):
    """The same for ``async for``; made in the event loop that will read it."""

    def __init__(
        self,
        tokenizer: Any,
        skip_prompt: bool = False,
        timeout: float | None = None,
        **decode_kwargs: Any,
    ) -> None:
        super().__init__(tokenizer, skip_prompt, **decode_kwargs)
        self.timeout = timeout
        self.text_queue: asyncio.Queue[Any] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        if text:
            self._loop.call_soon_threadsafe(self.text_queue.put_nowait, text)
        if stream_end:
            self._loop.call_soon_threadsafe(self.text_queue.put_nowait, _END)

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        piece = await asyncio.wait_for(self.text_queue.get(), self.timeout)
        if piece is _END:
            raise StopAsyncIteration
        return str(piece)
