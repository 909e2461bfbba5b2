# SPDX-License-Identifier: Apache-2.0
"""Grammars through Python: what is derived, who may use one, and for how long."""

import json

import pytest

import xinglin
from xinglin import Engine

SCHEMA = {
    "type": "object",
    "properties": {"urgent": {"type": "boolean"}, "ward": {"enum": ["surgery", "medicine"]}},
    "required": ["urgent", "ward"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def engine(model):
    with Engine(model) as opened:
        yield opened


@pytest.mark.parametrize("schema", [SCHEMA, json.dumps(SCHEMA)])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_json_schema(engine, schema, temperature):
    with engine.grammar_from_json_schema(schema) as grammar:
        said = engine.generate("Once", grammar=grammar, max_tokens=200, temperature=temperature)
    found = json.loads(said.text)
    assert set(found) == {"urgent", "ward"} and found["ward"] in ("surgery", "medicine")
    assert said.finish == "end"


def test_gbnf_and_streams(engine):
    grammar = engine.grammar_from_gbnf('root ::= "a" [0-9]{3}')
    said = engine.generate("Once", grammar=grammar, max_tokens=50).text
    assert len(said) == 4 and said[0] == "a" and said[1:].isdigit()
    with engine.session() as session:
        assert "".join(session.stream("Once", grammar=grammar, max_tokens=50)) == said


def test_beginning(engine):
    """Before the text that begins it anything goes."""
    free = engine.generate("Once upon a time", max_tokens=40).text
    mark = free.split()[5]
    grammar = engine.grammar_from_gbnf('root ::= "1" "2"')
    said = engine.generate(
        "Once upon a time", max_tokens=200, grammar=grammar, grammar_begin=mark
    ).text
    before, _, after = said.partition(mark)
    assert free.startswith(before + mark) and after.strip() == "12"  # a little white space may come


def test_lifetime(model):
    engine, other = Engine(model), Engine(model)
    grammar = engine.grammar_from_gbnf('root ::= "x"+')
    with pytest.raises(xinglin.UsageError, match="another model"):
        other.generate("a", grammar=grammar)
    with engine.session() as session:  # closed while it is used: goes on to the end
        said = session.generate("a", grammar=grammar, max_tokens=5,
                                on_token=lambda _token: grammar.close())
        assert set(said.text) == {"x"} and grammar.is_closed
        with pytest.raises(xinglin.ClosedError, match="grammar is closed"):
            session.generate("a", grammar=grammar)
    kept = engine.grammar_from_gbnf('root ::= "y"')
    engine.close()
    assert kept.is_closed
    with pytest.raises(xinglin.ClosedError):
        engine.grammar_from_gbnf('root ::= "y"')
    other.close()


@pytest.mark.parametrize(
    "call, kind, words",
    [
        (lambda e: e.grammar_from_gbnf("root ="), xinglin.BadInputError, "1"),
        (lambda e: e.grammar_from_gbnf(b"x"), xinglin.UsageError, "text"),
        (lambda e: e.grammar_from_json_schema("{"), xinglin.BadInputError, ""),
        (lambda e: e.grammar_from_json_schema(3), xinglin.UsageError, "dict"),
        (lambda e: e.grammar_from_json_schema({"enum": [{1}]}), xinglin.UsageError, "JSON"),
        (lambda e: e.generate("a", grammar="root"), xinglin.UsageError, "grammar_from"),
    ],
)
def test_refusals(engine, call, kind, words):
    with pytest.raises(kind, match=words or None):
        call(engine)
