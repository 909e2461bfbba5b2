# SPDX-License-Identifier: Apache-2.0
"""LangChain's ChatOpenAI and OpenAIEmbeddings against the server."""
import pytest

langchain_openai = pytest.importorskip("langchain_openai")
pydantic = pytest.importorskip("pydantic")


class Person(pydantic.BaseModel):
    """A person."""
    model_config = {"extra": "forbid"}
    name: str = pydantic.Field(max_length=12)
    age: int = pydantic.Field(ge=0, le=120)


def lookup(drug: str) -> str:
    """Finds a drug."""
    return drug


@pytest.fixture(scope="module")
def ask(chat):
    name = chat.get("/v1/models").json["data"][0]["id"]

    def make(**fields):
        return langchain_openai.ChatOpenAI(
            base_url=f"http://127.0.0.1:{chat.port}/v1", api_key="none", max_retries=0,
            **{"model": name, "temperature": 0, "max_tokens": 16, "seed": 3, **fields})

    return make


def test_invoke(ask):
    answer = ask().invoke([("system", "You are brief."), ("human", "Say hello.")])
    assert answer.content and answer.usage_metadata["output_tokens"] <= 16
    assert answer.response_metadata["finish_reason"] in ("stop", "length")


def test_stream_is_the_same_text(ask):
    whole = ask().invoke("Say hello.").content
    pieces = list(ask(stream_usage=True).stream("Say hello."))
    assert "".join(piece.content for piece in pieces) == whole
    assert sum(piece.usage_metadata["output_tokens"] for piece in pieces if piece.usage_metadata) > 0


def test_batch(ask):
    questions = [f"What is {i} + {i}?" for i in range(4)]
    model = ask()
    assert [a.content for a in model.batch(questions)] == [model.invoke(q).content for q in questions]


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_structured_output(ask, method):
    model = ask(max_tokens=300, temperature=1)
    if method == "json_mode":
        assert isinstance(model.with_structured_output(None, method=method).invoke(
            "Answer with JSON: who are you?"), (dict, list, type(None)))
        return
    person = model.with_structured_output(Person, method=method).invoke("Who is Ann, 30?")
    assert isinstance(person, Person) and 0 <= person.age <= 120


def test_tools(ask):
    bound = ask(max_tokens=200).bind_tools([lookup], tool_choice="lookup")
    answer = bound.invoke("Find aspirin.")
    [call] = answer.tool_calls
    assert call["name"] == "lookup" and isinstance(call["args"]["drug"], str) and call["id"]
    streamed = None
    for piece in bound.stream("Find aspirin."):
        streamed = piece if streamed is None else streamed + piece
    assert [c["args"] for c in streamed.tool_calls] == [call["args"]]
    after = ask().invoke([("human", "Find aspirin."), answer,
                          {"role": "tool", "content": "found", "tool_call_id": call["id"]}])
    assert isinstance(after.content, str)


def test_logprobs(ask):
    answer = ask(logprobs=True, top_logprobs=2, max_tokens=4).invoke("Say hello.")
    entries = answer.response_metadata["logprobs"]["content"]
    assert len(entries) == 4 and all(len(e["top_logprobs"]) == 2 for e in entries)


def test_errors(ask):
    import openai
    with pytest.raises(openai.BadRequestError, match="temperature"):
        ask(temperature=-1).invoke("x")
    with pytest.raises(openai.NotFoundError):
        ask(model="gpt-4").invoke("x")


def test_embeddings(start, vector_model):
    server = start(vector_model)
    vectors = langchain_openai.OpenAIEmbeddings(
        model=server.get("/v1/models").json["data"][0]["id"], api_key="none", max_retries=0,
        base_url=f"http://127.0.0.1:{server.port}/v1", check_embedding_ctx_length=False)
    rows = vectors.embed_documents(["a cat", "a dog", "a tax form"])
    assert len(rows) == 3 and len(rows[0]) == 384
    assert rows[0] == pytest.approx(vectors.embed_query("a cat"), abs=1e-6)
