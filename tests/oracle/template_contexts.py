# SPDX-License-Identifier: Apache-2.0
"""Conversations that chat templates are tried with: all made up here."""
import copy
import itertools

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city <now> & \"later\"",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "城市 name"},
                "days": {"type": "integer", "default": 3, "minimum": 1},
                "unit": {"type": "string", "enum": ["C", "F"], "nullable": True},
                "tags": {"type": "array", "items": {"type": "string"}},
                "area": {"type": "object", "properties": {"lat": {"type": "number"}},
                         "required": ["lat"]},
                "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "typed": {"type": ["string", "null"], "description": "two"},
            },
            "required": ["city"],
        },
        "return": {"type": "string", "description": "a text"},
    },
}
EMPTY_TOOL = {"type": "function", "function": {"name": "ping", "description": "Ping.",
                                              "parameters": {"type": "object", "properties": {}}}}

SYSTEM = {"role": "system", "content": "You write discharge records.\n"}
USER = {"role": "user", "content": "Hello  世界 😀\n<b>&amp;</b>"}
ASSISTANT = {"role": "assistant", "content": " Hi there \n"}
THOUGHT = {"role": "assistant", "content": "<think>\nlet me see\n</think>\n\nThe answer"}
REASONED = {"role": "assistant", "content": "Done.", "reasoning_content": "First, second."}
REASONING = {"role": "assistant", "content": "Done.", "reasoning": "First.", "thinking": "Hm."}
PARTS = {"role": "user", "content": [{"type": "text", "text": "Look:"},
                                     {"type": "text", "text": " here"}]}
IMAGE = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]}


def call(arguments, **more):
    return {"id": "call12345", "type": "function",
            "function": {"name": "get_weather", "arguments": arguments}, **more}


CALLED = {"role": "assistant", "content": None,
          "tool_calls": [call({"city": "上海", "days": 2, "ratio": 0.5, "on": True, "no": None})]}
CALLED_TEXT = {"role": "assistant", "content": "", "tool_calls": [call('{"city": "Paris"}')]}
CALLED_TWO = {"role": "assistant", "content": "Let me look.",
              "tool_calls": [call({"city": "A"}), call({"city": "B", "tags": ["x", {"y": 1}]},
                                                       id="call67890")]}
CALLED_BARE = {"role": "assistant", "tool_calls": [
    {"name": "get_weather", "arguments": {"city": "C"}, "id": "call11111"}]}
RESULT = {"role": "tool", "name": "get_weather", "tool_call_id": "call12345",
          "content": '{"temp": 21.5}'}
RESULT_TWO = {"role": "tool", "name": "get_weather", "tool_call_id": "call67890",
              "content": "rain"}
RESULT_PARTS = {"role": "tool", "name": "get_weather", "tool_call_id": "call12345",
                "content": [{"type": "text", "text": "sun"}]}

CONVERSATIONS = {
    "user": [USER],
    "system": [SYSTEM, USER],
    "turns": [USER, ASSISTANT, USER],
    "system-turns": [SYSTEM, USER, ASSISTANT, USER, ASSISTANT, USER],
    "ends-with-assistant": [SYSTEM, USER, ASSISTANT],
    "thought": [USER, THOUGHT, USER],
    "reasoned": [USER, REASONED, USER, REASONED],
    "reasoning": [USER, REASONING, USER],
    "parts": [USER, ASSISTANT, PARTS],
    "image": [IMAGE],
    "parts-system": [{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}, PARTS],
    "call": [USER, CALLED, RESULT],
    "call-answered": [SYSTEM, USER, CALLED, RESULT, ASSISTANT, USER],
    "call-text": [USER, CALLED_TEXT, RESULT],
    "call-two": [USER, CALLED_TWO, RESULT, RESULT_TWO],
    "call-bare": [USER, CALLED_BARE, RESULT],
    "call-ends": [SYSTEM, USER, CALLED],
    "call-reasoned": [USER, {**CALLED, "reasoning_content": "Need it."}, RESULT],
    "call-no-content": [USER, {"role": "assistant", "tool_calls": CALLED["tool_calls"]}, RESULT],
    "call-empty": [USER, {**ASSISTANT, "tool_calls": []}, USER],
    "result-parts": [USER, CALLED, RESULT_PARTS],
    "developer": [{"role": "developer", "content": "Follow."}, USER],
    "odd-roles": [USER, USER],
    "assistant-first": [ASSISTANT, USER],
    "other-role": [USER, {"role": "critic", "content": "?"}],
    "late-system": [USER, SYSTEM, USER],
    "no-content": [{"role": "user"}],
    "none-content": [{"role": "user", "content": None}],
    "number-content": [{"role": "user", "content": 5}],
    "no-role": [{"content": "x"}],
    "empty": [],
    "document": [SYSTEM, {**USER, "documents": [{"title": "T", "text": "D"}]}],
}

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}

EXTRAS = {
    "plain": {},
    "tools": {"tools": [WEATHER]},
    "tools-two": {"tools": [WEATHER, EMPTY_TOOL]},
    "tools-none": {"tools": None, "documents": None},
    "think": {"enable_thinking": True, "thinking": True, "reasoning_effort": "high"},
    "no-think": {"enable_thinking": False, "thinking": False, "reasoning_effort": "low"},
    "tools-no-think": {"tools": [WEATHER], "enable_thinking": False, "tool_choice": "auto"},
    "documents": {"documents": [{"title": "Doc", "text": "Body", "content": "Body", "doc_id": 1}]},
    "budget": {"thinking_budget": 512, "date_string": "26 Jul 2024", "xml_tools": [WEATHER],
               "python_tools": [WEATHER], "builtin_tools": ["browser", "code_interpreter"],
               "tools_in_user_message": False, "custom_tools": [WEATHER], "model_identity": "Me."},
    "firefunction": {"datetime": "2026-11-23", "functions": "[]", "tools": [WEATHER]},
    "format": {"response_format": {"type": "json_schema", "schema": WEATHER["function"]},
               "json_mode": True, "preserve_thinking": True, "clear_thinking": False},
}


def contexts():
    """(name, context) of every combination."""
    for (name, messages), (extra, more), prompt in itertools.product(
            CONVERSATIONS.items(), EXTRAS.items(), (True, False)):
        context = {"messages": copy.deepcopy(messages), **TOKENS, **copy.deepcopy(more),
                   "add_generation_prompt": prompt}
        yield f"{name}/{extra}/{'prompt' if prompt else 'no-prompt'}", context
    yield "no-tokens", {"messages": [SYSTEM, USER]}
    yield "nothing", {}
