# SPDX-License-Identifier: Apache-2.0
"""From LangChain's messages to the tokens of a prompt, through the model's own chat template.

What people and tools write can never become control tokens: text like ``<|im_end|>`` in a message
is read as the characters that it is made of.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from ..engine import Engine, render_template
from ..errors import BadInputError, NotFoundError
from ..transformers.tokenizer import Tokenizer
from .answer import THINK_BEGIN, THINK_END
from .tool_calls import GENERIC, Spelling, explain, spelling_of

Message = dict[str, Any]


def _text(message: BaseMessage) -> str:
    """All text of a message; calls and thoughts are elsewhere, anything else is refused."""
    if isinstance(message.content, str):
        return message.content
    parts = []
    for block in message.content:
        if isinstance(block, str):
            parts.append(block)
            continue
        kind = block.get("type")
        if kind in ("text", "text-plain"):
            parts.append(str(block.get("text", "")))
        elif kind == "json":
            parts.append(json.dumps(block.get("json"), ensure_ascii=False))
        elif kind not in ("tool_use", "tool_call", "tool_call_chunk", "reasoning", "thinking",
                          "invalid_tool_call", "input_json_delta", "redacted_thinking"):
            raise ValueError(
                f"a {message.type} message holds a block of type {kind!r}; the models that run "
                "here read text only"
            )
    return "".join(parts)


def _role(message: BaseMessage) -> str:
    if isinstance(message, ChatMessage):
        return message.role
    for kind, role in ((SystemMessage, "system"), (HumanMessage, "user"), (AIMessage, "assistant"),
                       (ToolMessage, "tool")):
        if isinstance(message, kind):
            return role
    raise ValueError(f"messages of type {message.type!r} cannot be given to a chat model")


class ChatPrompt:
    """One model's template. ``variables`` go into its context (``enable_thinking=False``)."""

    def __init__(self, engine: Engine, template: str | None, variables: Mapping[str, Any]) -> None:
        self._engine = engine
        self._tokenizer = Tokenizer(engine, engine.path)
        chosen = template or self._tokenizer.chat_template
        if not chosen:
            raise NotFoundError(
                f"{engine.path}: the model has no chat template; give one "
                "(ChatXinglin(chat_template=…), Jinja), or use TransformersLLM for plain prompts"
            )
        self._template = chosen
        self._context = {
            f"{name}_token": getattr(self._tokenizer, f"{name}_token")
            for name in ("bos", "eos", "unk", "pad")
            if getattr(self._tokenizer, f"{name}_token") is not None
        }
        self._context.update(variables)
        self.spelling: Spelling = spelling_of(self._template)
        self.has_thoughts = THINK_END in self._template

    def render(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[Mapping[str, Any]] = (),
        instruction: str = "",
    ) -> str:
        """``instruction`` joins the system message."""
        return self._render(self._convert(messages, tools, instruction), tools)

    def tokens(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[Mapping[str, Any]] = (),
        instruction: str = "",
    ) -> list[int]:
        """The prompt with the opening of the answer."""
        found = self._convert(messages, tools, instruction)
        hidden = self._hide_control(found)
        pieces = [self._render(found, tools)]
        for mark, text in hidden.items():
            pieces = [
                part
                for i, piece in enumerate(pieces)
                for part in (self._split(piece, mark, text) if i % 2 == 0 else [piece])
            ]
        ids: list[int] = []
        for i, piece in enumerate(pieces):
            ids += self._engine.tokenize(piece, add_special=False, parse_special=i % 2 == 0)
        return ids

    def is_thinking(self, tokens: Sequence[int]) -> bool:
        """The template has opened a thought that the answer begins with."""
        if not self.has_thoughts:
            return False
        end = self._engine.detokenize(tokens[-16:], with_special=True).rstrip()
        return end.endswith(THINK_BEGIN)

    @staticmethod
    def _split(piece: str, mark: str, text: str) -> list[str]:
        parts = piece.split(mark)
        found = [parts[0]]
        for part in parts[1:]:
            found += [text, part]
        return found

    def _hide_control(self, messages: list[Message]) -> dict[str, str]:
        """Puts marks in place of contents that spell control tokens; what each stands for."""
        hidden: dict[str, str] = {}

        def hide(value: Any, in_json: bool) -> Any:
            if isinstance(value, list):
                return [hide(item, in_json) for item in value]
            if isinstance(value, dict):
                return {hide(name, in_json): hide(item, in_json) for name, item in value.items()}
            if not isinstance(value, str) or not self._has_control(value):
                return value
            mark = f"text{secrets.token_hex(16)}"
            # Most templates strip contents, and all write arguments as JSON.
            hidden[mark] = json.dumps(value, ensure_ascii=False)[1:-1] if in_json else value.strip()
            return mark

        for message in messages:
            message["content"] = hide(message["content"], False)
            if "name" in message:
                message["name"] = hide(message["name"], False)
            for call in message.get("tool_calls", ()):
                call["function"] = hide(call["function"], True)
        return hidden

    def _has_control(self, text: str) -> bool:
        plain = self._engine.tokenize(text, add_special=False)
        return plain != self._engine.tokenize(text, add_special=False, parse_special=True)

    def _render(self, messages: list[Message], tools: Sequence[Mapping[str, Any]]) -> str:
        native = list(tools) if tools and self.spelling.is_native else None
        context = {**self._context, "tools": native, "documents": None,
                   "add_generation_prompt": True}  # fmt: skip
        try:
            return render_template(self._template, {**context, "messages": messages})
        except BadInputError:
            merged = _merge(messages)
            if merged == messages:
                raise
        return render_template(self._template, {**context, "messages": merged})

    def _convert(self, messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]],
                 instruction: str) -> list[Message]:
        if not messages:
            raise ValueError("a chat needs at least one message")
        spelling = self.spelling
        found: list[Message] = []
        ids: dict[str, str] = {}  # of calls, as the strictest template wants them
        for message in messages:
            one: Message = {"role": _role(message), "content": _text(message)}
            if message.name:
                one["name"] = message.name
            if isinstance(message, AIMessage) and message.tool_calls:
                self._add_calls(one, message, ids)
            elif isinstance(message, ToolMessage):
                known = ids.setdefault(message.tool_call_id, f"{len(ids):09d}")
                if spelling.is_native:
                    one["tool_call_id"] = known
                else:
                    one = {"role": "user", "content":
                           f"<tool_response>\n{one['content']}\n</tool_response>"}
            found.append(one)
        system = [explain(tools)] if tools and not spelling.is_native else []
        return _with_system(found, "\n\n".join(filter(None, [*system, instruction])))

    def _add_calls(self, one: Message, message: AIMessage, ids: dict[str, str]) -> None:
        spelling = self.spelling
        if not spelling.is_native:
            calls = [GENERIC.write(call["name"], call["args"]) for call in message.tool_calls]
            one["content"] = "\n".join(filter(None, [one["content"], *calls]))
            return
        one["tool_calls"] = [
            {
                "id": ids.setdefault(call["id"] or f"call {i}", f"{len(ids):09d}"),
                "type": "function",
                "function": {"name": call["name"], "arguments": call["args"]},
            }
            for i, call in enumerate(message.tool_calls)
        ]


def _with_system(messages: list[Message], text: str) -> list[Message]:
    if not text:
        return messages
    if messages[0]["role"] == "system":
        first = {**messages[0], "content": f"{messages[0]['content']}\n\n{text}"}
        return [first, *messages[1:]]
    return [{"role": "system", "content": text}, *messages]


def _merge(messages: list[Message]) -> list[Message]:
    """For templates that refuse system messages or two of a role in a row: what the system says
    begins the next user's message, neighbours of one role become one."""
    found: list[Message] = []
    for message in messages:
        role = "user" if message["role"] == "system" else message["role"]
        plain = "tool_calls" not in message and role != "tool"
        if plain and found and found[-1]["role"] == role and "tool_calls" not in found[-1]:
            found[-1]["content"] += "\n\n" + message["content"]
        else:
            found.append({**message, "role": role})
    return found
