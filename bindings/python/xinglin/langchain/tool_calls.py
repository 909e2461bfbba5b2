# SPDX-License-Identifier: Apache-2.0
"""Calls of tools in a model's text: how a template expects them, the schema that forces one, and
reading them back. What is not exactly a call stays text; nothing is repaired.

Three spellings are known: ``<tool_call>{"name": …, "arguments": {…}}</tool_call>`` (Qwen, Hermes),
``[TOOL_CALLS] [{…}]`` (Mistral) and bare JSON with ``"parameters"`` (Llama 3). A model whose
template knows no tools, or spells them otherwise, gets the first one explained in its system
message.
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .answer import FENCE

_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Spelling:
    """``begin``, ``end``: what stands around a call; ``arguments``: their key; ``is_native``: the
    template itself writes tools, calls and results."""

    begin: str
    end: str
    arguments: str
    is_native: bool

    def write(self, name: str, arguments: Any) -> str:
        call = json.dumps({"name": name, self.arguments: arguments}, ensure_ascii=False)
        return f"{self.begin}\n{call}\n{self.end}" if self.begin else call


GENERIC = Spelling("<tool_call>", "</tool_call>", "arguments", is_native=False)
_HERMES = Spelling("<tool_call>", "</tool_call>", "arguments", is_native=True)
_MISTRAL = Spelling("", "", "arguments", is_native=True)
_LLAMA = Spelling("", "", "parameters", is_native=True)


def spelling_of(template: str) -> Spelling:
    """How a chat template expects calls."""
    if "tools" not in template or "<function=" in template or "<arg_key>" in template:
        return GENERIC
    if "<tool_call>" in template and "arguments" in template:
        return _HERMES
    if "[TOOL_CALLS]" in template and "[AVAILABLE_TOOLS]" in template:
        return _MISTRAL
    if '"parameters": ' in template and "ipython" in template:
        return _LLAMA
    return GENERIC


def explain(tools: Sequence[Mapping[str, Any]]) -> str:
    """The generic prompt: what the system message says about tools."""
    listed = "\n".join(json.dumps(tool["function"], ensure_ascii=False) for tool in tools)
    return (
        "You can call these functions, each given as JSON with a schema of its parameters:\n"
        f"<tools>\n{listed}\n</tools>\n"
        "To call one, answer with nothing but its name and arguments as JSON, like this:\n"
        '<tool_call>\n{"name": "function_name", "arguments": {"parameter": "value"}}\n</tool_call>'
        "\nResults come back between <tool_response> and </tool_response>. If no function is "
        "needed, answer in plain words."
    )


def new_id() -> str:
    """Nine letters or digits: the strictest template asks for that."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(9))


# -- schemas -------------------------------------------------------------------------------------
def closed(schema: Any) -> Any:
    """The schema without the licence to invent properties where it lists some."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = {
        name: {key: closed(value) for key, value in item.items()}
        if name in ("properties", "$defs", "definitions") and isinstance(item, Mapping)
        else item
        if name in ("enum", "const", "default", "examples")
        else closed(item)
        for name, item in schema.items()
    }
    if isinstance(found.get("properties"), Mapping) and "additionalProperties" not in found:
        found["additionalProperties"] = False
    return found


def _moved(schema: Any, place: str) -> Any:
    """The schema with references into itself that hold at its new place."""
    if isinstance(schema, list):
        return [_moved(item, place) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        name: place + item[1:]
        if name == "$ref" and isinstance(item, str) and item.startswith("#")
        else _moved(item, place)
        for name, item in schema.items()
    }


def call_schema(tools: Sequence[Mapping[str, Any]], spelling: Spelling) -> dict[str, Any]:
    """What a call of one of the tools looks like."""
    calls, definitions = [], {}
    for i, tool in enumerate(tools):
        function = tool["function"]
        arguments = function.get("parameters") or {"type": "object", "properties": {}}
        definitions[f"tool{i}"] = _moved(closed(arguments), f"#/$defs/tool{i}")
        calls.append({
            "type": "object",
            "properties": {
                "name": {"const": function["name"]},
                spelling.arguments: {"$ref": f"#/$defs/tool{i}"},
            },
            "required": ["name", spelling.arguments],
            "additionalProperties": False,
        })
    return {"anyOf": calls, "$defs": definitions} if len(calls) > 1 else {
        **calls[0],
        "$defs": definitions,
    }


# -- reading -------------------------------------------------------------------------------------
def _objects(text: str) -> list[Any] | None:
    """JSON values one after the other; None if there is anything else."""
    decoder, at = json.JSONDecoder(), 0
    found: list[Any] = []
    while True:
        while at < len(text) and (text[at].isspace() or (found and text[at] in ";,")):
            at += 1
        if at == len(text):
            return found or None
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return None
        found += value if isinstance(value, list) else [value]


def _unfenced(text: str) -> str:
    """What is in the block of code, if the text is one and nothing else."""
    if text.startswith(FENCE) and text.endswith("```") and text.count("```") == 2:
        return text[len(FENCE) : -3]
    return text


def _read_call(value: Any, names: set[str]) -> tuple[str, dict[str, Any]] | None:
    if not isinstance(value, dict) or value.get("name") not in names:
        return None
    arguments = value.get("arguments", value.get("parameters", {}))
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return None
    return (value["name"], arguments) if isinstance(arguments, dict) else None


def read_calls(text: str, names: set[str]) -> list[tuple[str, dict[str, Any]]] | None:
    """Names and arguments; None if the text is not calls of these tools and nothing else."""
    values = _objects(_unfenced(text.strip()))
    calls = [_read_call(value, names) for value in values or []]
    found = [call for call in calls if call is not None]
    return found if found and len(found) == len(calls) else None
