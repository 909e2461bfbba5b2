# SPDX-License-Identifier: Apache-2.0
"""OpenAI's Python SDK against the server: what its types demand, it gets."""
import json
import math

import jsonschema
import openai
import pytest


@pytest.fixture(scope="module")
def client(chat):
    return openai.OpenAI(base_url=f"http://127.0.0.1:{chat.port}/v1", api_key="none", max_retries=0)


@pytest.fixture(scope="module")
def model(client):
    return client.models.list().data[0].id


ASK = [{"role": "system", "content": "You are brief."}, {"role": "user", "content": "Say hello."}]
SCHEMA = {"type": "object", "additionalProperties": False, "required": ["name", "age"],
          "properties": {"name": {"type": "string", "maxLength": 12},
                         "age": {"type": "integer", "minimum": 0, "maximum": 120}}}
TOOLS = [{"type": "function", "function": {
    "name": "lookup", "description": "finds a drug", "parameters": {
        "type": "object", "additionalProperties": False, "required": ["drug"],
        "properties": {"drug": {"enum": ["aspirin", "insulin"]}}}}},
    {"type": "function", "function": {"name": "stop", "parameters": {
        "type": "object", "additionalProperties": False, "properties": {}}}}]


def test_models(client, model):
    assert client.models.retrieve(model).id == model
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4")


def test_chat(client, model):
    answer = client.chat.completions.create(model=model, messages=ASK, max_tokens=12, temperature=0)
    choice = answer.choices[0]
    assert choice.message.role == "assistant" and choice.message.content
    assert choice.finish_reason in ("stop", "length")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.completion_tokens <= 12 and answer.system_fingerprint.startswith("fp_")


def test_stream_is_the_same_text(client, model):
    options = dict(model=model, messages=ASK, max_tokens=24, temperature=0.7, seed=5)
    whole = client.chat.completions.create(**options).choices[0].message.content
    chunks = list(client.chat.completions.create(**options, stream=True,
                                                 stream_options={"include_usage": True}))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0
    assert chunks[-2].choices[0].finish_reason in ("stop", "length")


def test_choices_have_seeds_of_their_own(client, model):
    options = dict(model=model, messages=ASK, max_tokens=12, temperature=1.2)
    four = client.chat.completions.create(**options, n=4, seed=10)
    texts = [c.message.content for c in four.choices]
    assert [c.index for c in four.choices] == [0, 1, 2, 3] and len(set(texts)) > 1
    third = client.chat.completions.create(**options, seed=12)
    assert third.choices[0].message.content == texts[2]


def test_text_parts_and_developer(client, model):
    parts = [{"role": "developer", "content": [{"type": "text", "text": "You are "},
                                               {"type": "text", "text": "brief."}]},
             {"role": "user", "content": [{"type": "text", "text": "Say hello."}]}]
    options = dict(model=model, max_tokens=8, temperature=0)
    assert (client.chat.completions.create(messages=parts, **options).choices[0].message.content
            == client.chat.completions.create(messages=ASK, **options).choices[0].message.content)


def test_stop_is_not_shown(client, model):
    options = dict(model=model, messages=ASK, max_tokens=24, temperature=0)
    text = client.chat.completions.create(**options).choices[0].message.content
    word = text.split()[2]
    cut = client.chat.completions.create(**options, stop=[word, "never"])
    assert cut.choices[0].message.content == text[:text.index(word)]
    assert cut.choices[0].finish_reason == "stop"
    streamed = client.chat.completions.create(**options, stop=word, stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in streamed) == text[:text.index(word)]


def test_logprobs(client, model):
    options = dict(model=model, messages=ASK, max_tokens=6, temperature=0, logprobs=True,
                   top_logprobs=3)
    whole = client.chat.completions.create(**options).choices[0]
    entries = whole.logprobs.content
    assert "".join(e.token for e in entries).startswith(whole.message.content)
    for entry in entries:
        assert entry.logprob <= 0 and len(entry.top_logprobs) == 3
        assert bytes(entry.bytes).decode(errors="replace") == entry.token
        assert math.isclose(entry.top_logprobs[0].logprob, entry.logprob, abs_tol=1e-6)
    chunks = client.chat.completions.create(**options, stream=True)
    streamed = [e for c in chunks if c.choices and c.choices[0].logprobs
                for e in c.choices[0].logprobs.content]
    assert [e.token for e in streamed] == [e.token for e in entries]


def test_logit_bias(client, model, chat):
    ids = chat.post("/tokenize", {"content": "Hello"}).json["tokens"]
    options = dict(model=model, messages=ASK, max_tokens=4, temperature=0)
    plain = client.chat.completions.create(**options).choices[0].message.content
    biased = client.chat.completions.create(**options, logit_bias={str(i): -100 for i in ids})
    assert biased.choices[0].message.content != plain or not plain.startswith("Hello")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("form", [
    {"type": "json_schema", "json_schema": {"name": "p", "strict": True, "schema": SCHEMA}},
    {"type": "json_schema", "schema": SCHEMA}])
def test_schema_binds(client, model, form, stream):
    answer = client.chat.completions.create(model=model, messages=ASK, max_tokens=200, temperature=1,
                                            seed=3, response_format=form, stream=stream)
    text = ("".join(c.choices[0].delta.content or "" for c in answer) if stream
            else answer.choices[0].message.content)
    jsonschema.validate(json.loads(text), SCHEMA)


def test_json_object(client, model):
    answer = client.chat.completions.create(
        model=model, messages=ASK, max_tokens=300, temperature=1, seed=1,
        response_format={"type": "json_object"}, stop=None)
    if answer.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(answer.choices[0].message.content), dict)


def test_schema_that_cannot_be_enforced_is_refused(client, model):
    schema = {"type": "object", "properties": {}, "unevaluatedProperties": {"$dynamicRef": "#a"}}
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=model, messages=ASK, response_format={
            "type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
    assert "unevaluatedProperties" in str(refused.value) or "$dynamicRef" in str(refused.value)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "lookup"}}])
def test_tools_that_must_be_called(client, model, choice):
    options = dict(model=model, messages=ASK, max_tokens=100, temperature=1, seed=2, tools=TOOLS,
                   tool_choice=choice)
    whole = client.chat.completions.create(**options).choices[0]
    call = whole.message.tool_calls[0]
    assert whole.finish_reason == "tool_calls" and call.id.startswith("call_")
    assert whole.message.content is None
    tools = {t["function"]["name"]: t["function"]["parameters"] for t in TOOLS}
    jsonschema.validate(json.loads(call.function.arguments), tools[call.function.name])
    if choice != "required":
        assert call.function.name == "lookup"
    deltas = [c.choices[0].delta for c in client.chat.completions.create(**options, stream=True)
              if c.choices]
    streamed = [t for d in deltas for t in d.tool_calls or []]
    assert streamed[0].function.name == call.function.name
    assert "".join(t.function.arguments for t in streamed) == call.function.arguments


def test_results_of_tools_go_back(client, model):
    messages = [*ASK, {"role": "assistant", "content": None, "tool_calls": [
        {"id": "call_1", "type": "function",
         "function": {"name": "lookup", "arguments": '{"drug": "insulin"}'}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "10 units"}]
    answer = client.chat.completions.create(model=model, messages=messages, tools=TOOLS,
                                            tool_choice="none", max_tokens=8)
    assert answer.choices[0].message.content is not None


def test_completions(client, model):
    options = dict(model=model, max_tokens=6, temperature=0)
    texts = client.completions.create(prompt=["Once upon", "The patient"], **options)
    assert [c.index for c in texts.choices] == [0, 1]
    alone = client.completions.create(prompt="The patient", **options)
    assert alone.choices[0].text == texts.choices[1].text
    echo = client.completions.create(prompt="The patient", echo=True, logprobs=1, **options)
    assert echo.choices[0].text == "The patient" + alone.choices[0].text
    assert len(echo.choices[0].logprobs.tokens) == echo.usage.completion_tokens
    streamed = client.completions.create(prompt="The patient", stream=True, **options)
    assert "".join(c.choices[0].text for c in streamed) == alone.choices[0].text


def test_completions_of_token_ids(client, model, chat):
    ids = chat.post("/tokenize", {"content": "The patient", "add_special": True}).json["tokens"]
    options = dict(model=model, max_tokens=6, temperature=0)
    by_ids = client.completions.create(prompt=ids, **options).choices[0].text
    assert by_ids == client.completions.create(prompt="The patient", **options).choices[0].text
    both = client.completions.create(prompt=[ids, ids], **options)
    assert [c.text for c in both.choices] == [by_ids, by_ids]


def test_responses(client, model):
    options = dict(model=model, input="Say hello.", instructions="You are brief.", temperature=0,
                   max_output_tokens=12)
    answer = client.responses.create(**options)
    assert answer.output_text and answer.status in ("completed", "incomplete")
    assert answer.store is False and answer.usage.input_tokens > 0
    chat = client.chat.completions.create(model=model, messages=ASK, max_tokens=12, temperature=0)
    assert answer.output_text == chat.choices[0].message.content
    events = list(client.responses.create(**options, stream=True))
    assert [e.sequence_number for e in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert events[-1].type in ("response.completed", "response.incomplete")
    deltas = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert deltas == answer.output_text == events[-1].response.output_text


def test_responses_with_tools_and_forms(client, model):
    flat = [{"type": "function", **t["function"]} for t in TOOLS]
    called = client.responses.create(model=model, input="insulin?", tools=flat, temperature=0,
                                     tool_choice={"type": "function", "name": "lookup"},
                                     max_output_tokens=100)
    call = called.output[0]
    assert call.type == "function_call" and json.loads(call.arguments)["drug"]
    again = client.responses.create(model=model, max_output_tokens=8, tools=flat, tool_choice="none",
                                    input=[{"role": "user", "content": "insulin?"},
                                           call.model_dump(exclude_none=True),
                                           {"type": "function_call_output", "call_id": call.call_id,
                                            "output": "10 units"}])
    assert again.output_text is not None
    formed = client.responses.create(model=model, input="Who?", max_output_tokens=200, text={
        "format": {"type": "json_schema", "name": "p", "schema": SCHEMA, "strict": True}})
    jsonschema.validate(json.loads(formed.output_text), SCHEMA)
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model=model, input="x", previous_response_id="resp_1")


def test_same_seed_same_text_among_others(client, model):
    options = dict(model=model, messages=ASK, max_tokens=16, temperature=1, seed=77)
    alone = client.chat.completions.create(**options).choices[0].message.content
    streams = [client.chat.completions.create(**{**options, "seed": s}, stream=True)
               for s in (1, 77, 2, 77)]
    texts = ["".join(c.choices[0].delta.content or "" for c in s) for s in streams]
    assert texts[1] == texts[3] == alone


def test_embeddings(start, vector_model):
    server = start(vector_model)
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="none")
    model = client.models.list().data[0].id
    texts = ["chest pain", "pain in the chest", "invoice of the canteen"]
    three = client.embeddings.create(model=model, input=texts)  # the SDK asks for base64
    floats = client.embeddings.create(model=model, input=texts, encoding_format="float")
    for a, b in zip(three.data, floats.data):
        assert max(abs(x - y) for x, y in zip(a.embedding, b.embedding)) < 1e-6
    dot = lambda a, b: sum(x * y for x, y in zip(a.embedding, b.embedding))
    first, second, third = floats.data
    assert math.isclose(dot(first, first), 1, abs_tol=1e-4)
    assert dot(first, second) > dot(first, third)
    size = len(first.embedding)
    assert client.embeddings.create(model=model, input="a", dimensions=size)
    for wrong in (dict(input="a", dimensions=size - 1), dict(input=[]), dict(input="word " * 600)):
        with pytest.raises(openai.BadRequestError):
            client.embeddings.create(model=model, **wrong)
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=model, messages=ASK)
    ranks = server.post("/rerank", {"query": texts[0], "documents": texts[1:],
                                    "return_documents": True}).json["results"]
    assert [r["index"] for r in ranks] == [0, 1] and ranks[0]["document"]["text"] == texts[1]
