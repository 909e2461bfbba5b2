# SPDX-License-Identifier: Apache-2.0
"""Engine.generate_batch: what each prompt gets is what it gets alone."""

import subprocess
import sys
import threading

import pytest

import xinglin
from xinglin import Engine

PROMPTS = ["Once upon a time", "Lily and Ben", "The dog", "One day, a little girl", "Once upon a"]


@pytest.fixture(scope="module")
def engine(model):
    with Engine(model) as opened:
        yield opened


@pytest.mark.parametrize(
    "options",
    [
        {"max_tokens": 40},
        {"max_tokens": 40, "temperature": 0.9, "top_p": 0.9, "seed": 5},
        {"max_tokens": 30, "stop": ["dog", "park"], "repetition_penalty": 1.2},
        {"max_tokens": 5, "ignore_end": True, "logit_bias": {410: -5.0}},
    ],
)
def test_equals_one_by_one(engine, options):
    alone = [engine.generate(prompt, **options) for prompt in PROMPTS]
    for running_max in (0, 2):
        together = engine.generate_batch(PROMPTS, running_max=running_max, **options)
        for one, other in zip(alone, together):
            assert one.text == other.text and one.finish == other.finish
            plain = [token for token in one.tokens if not engine.is_end(token)]
            assert plain == [token for token in other.tokens if not engine.is_end(token)]
            assert one.prompt_tokens == other.prompt_tokens
    ids = [engine.tokenize(prompt) for prompt in PROMPTS]
    assert [r.tokens for r in engine.generate_batch(ids, **options)] == [r.tokens for r in together]


def test_grammars_and_callbacks(engine):
    grammar = engine.grammar_from_gbnf('root ::= "a" [0-9]{3}')
    for said in engine.generate_batch(PROMPTS, grammar=grammar, max_tokens=20):
        assert said.text[0] == "a" and said.text[1:].isdigit() and len(said.text) == 4
    seen = {i: [] for i in range(len(PROMPTS))}

    def on_token(index, token):
        seen[index].append(token)
        return len(seen[index]) == 3 and index % 2 == 0

    found = engine.generate_batch(PROMPTS, on_token=on_token, max_tokens=9, ignore_end=True)
    assert [len(one.tokens) for one in found] == [3, 9, 3, 9, 3]
    assert [one.tokens for one in found] == list(seen.values())
    assert [one.finish for one in found] == ["cancelled", "length"] * 2 + ["cancelled"]


def test_errors(engine):
    class Mine(Exception):
        pass

    def fail(_index, _token):
        raise Mine("stop here")

    with pytest.raises(Mine, match="stop here"):
        engine.generate_batch(PROMPTS, on_token=fail)
    for prompts, kind in (
        ("Once", xinglin.UsageError),
        ([[5] * 5000, "Once"], xinglin.ContextFullError),
        ([[1], [512]], xinglin.UsageError),
        ([[1], []], xinglin.UsageError),
    ):
        with pytest.raises(kind):
            engine.generate_batch(prompts)
    with pytest.raises(xinglin.UsageError, match="there are"):
        engine.generate_batch(PROMPTS, beams=4)
    assert engine.generate_batch([]) == []
    assert engine.generate_batch(["Once"], max_tokens=4)[0].text


def test_closing_ends_it(model):
    engine = Engine(model, context=1 << 14)
    started, outcome = threading.Event(), []

    def work():
        outcome.extend(
            engine.generate_batch(PROMPTS, max_tokens=-1, ignore_end=True,
                                  on_token=lambda *_: started.set())
        )

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    engine.close()
    thread.join()
    assert {one.finish for one in outcome} == {"cancelled"}
    with pytest.raises(xinglin.ClosedError):
        engine.generate_batch(PROMPTS)


INTERRUPTED = """
import os, signal, sys, threading, xinglin
signal.signal(signal.SIGINT, signal.default_int_handler)
engine = xinglin.Engine(sys.argv[1], context=16384)
sent = []
def on_token(index, token):
    if not sent:
        sent.append(1)
        os.kill(os.getpid(), signal.SIGINT)
try:
    engine.generate_batch(["Once", "The dog"], max_tokens=-1, ignore_end=True, on_token=on_token)
except KeyboardInterrupt:
    print("interrupted")
print(len(engine.generate_batch(["Once"], max_tokens=3)[0].tokens))
"""


def test_keyboard_interrupt(model):
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", INTERRUPTED, model],
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0 and done.stdout == "interrupted\n3\n", done.stderr[-2000:]
