# SPDX-License-Identifier: Apache-2.0
"""Models that think: their thoughts apart from their answers, and forms that bind behind them. The
model is a small one with such a template; logit_bias makes it write the mark </think> by chance."""
import json

import jsonschema
import pytest
from gguf_template import set_template

TEMPLATE = """{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking is defined and not enable_thinking %}<think>

</think>

{% endif %}{% endif %}"""
SCHEMA = {"type": "object", "properties": {"age": {"enum": [1, 2, 3]}, "ok": {"type": "boolean"}},
          "required": ["age", "ok"], "additionalProperties": False}
FORM = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
TOOLS = [{"type": "function", "function": {"name": "weigh", "parameters": SCHEMA}}]


@pytest.fixture(scope="module")
def thinker(start, chat_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("thinker") / "thinker.gguf"
    set_template(chat_model, path, TEMPLATE)
    yield start(path, "--context", "2048")
    path.unlink()


@pytest.fixture(scope="module")
def biased(thinker):
    """Fields that make "</think>" likely within some hundred tokens, the same for each seed."""
    ids = thinker.post("/tokenize", {"content": "</think>"}).json["tokens"]
    assert 2 <= len(ids) <= 4
    return {"logit_bias": {str(i): 100 for i in ids}, "temperature": 5, "seed": 1, "max_tokens": 1500}


def text_of(reply, stream):
    if not stream:
        message = reply.json["choices"][0]["message"]
        return message.get("reasoning_content", ""), message["content"], message.get("tool_calls")
    deltas = [c["delta"] for e in reply.events for c in e["choices"]]
    return ("".join(d.get("reasoning_content") or "" for d in deltas),
            "".join(d.get("content") or "" for d in deltas),
            [t for d in deltas for t in d.get("tool_calls") or []] or None)


@pytest.mark.parametrize("stream", [False, True])
def test_form_binds_behind_the_thoughts(thinker, biased, stream):
    reply = thinker.chat("?", **biased, response_format=FORM, stream=stream)
    reasoning, content, _ = text_of(reply, stream)
    assert "</think>" not in reasoning
    jsonschema.validate(json.loads(content), SCHEMA)


@pytest.mark.parametrize("stream", [False, True])
def test_call_behind_the_thoughts(thinker, biased, stream):
    reply = thinker.chat("?", **biased, tools=TOOLS, tool_choice="required", stream=stream)
    reasoning, content, calls = text_of(reply, stream)
    assert not content and calls[0]["function"]["name"] == "weigh"
    jsonschema.validate(json.loads(calls[0]["function"]["arguments"]), SCHEMA)


def test_thoughts_are_counted(thinker, biased):
    usage = thinker.chat("?", **biased, response_format=FORM).json["usage"]
    assert 0 < usage["completion_tokens_details"]["reasoning_tokens"] < usage["completion_tokens"]


def test_without_thinking_the_form_binds_at_once(thinker):
    for fields in ({"chat_template_kwargs": {"enable_thinking": False}}, {"reasoning_effort": "none"}):
        reply = thinker.chat("?", temperature=1, max_tokens=60, seed=4, response_format=FORM, **fields)
        message = reply.json["choices"][0]["message"]
        assert "reasoning_content" not in message
        jsonschema.validate(json.loads(message["content"]), SCHEMA)


@pytest.mark.parametrize("stream", [False, True])
def test_thoughts_that_never_end_are_no_answer(thinker, stream):
    """However it goes on, no text in the wrong form comes out as content."""
    for seed in range(4):
        reply = thinker.chat("Hello", temperature=1, seed=seed, max_tokens=40, response_format=FORM,
                             stream=stream)
        if reply.status == 200 and not (stream and any("error" in e for e in reply.events)):
            reasoning, content, _ = text_of(reply, stream)
            assert reasoning and not content
        elif not stream:
            assert reply.status == 500 and reply.code == "structured_output_failed"


def test_responses_have_an_item_of_reasoning(thinker, biased):
    body = {"input": "?", **{k: v for k, v in biased.items() if k != "max_tokens"}, "text": {
        "format": {"type": "json_schema", "name": "a", "schema": SCHEMA}}}
    output = thinker.post("/v1/responses", {**body, "max_output_tokens": 1500}).json["output"]
    assert [item["type"] for item in output] == ["reasoning", "message"]
    jsonschema.validate(json.loads(output[1]["content"][0]["text"]), SCHEMA)
