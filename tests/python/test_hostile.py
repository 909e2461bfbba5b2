# SPDX-License-Identifier: Apache-2.0
"""Arguments that make no sense are refused by name before anything is computed; a generation that
fails tells whoever follows it; several may save at once."""

import copy
import os
import pickle
import queue
import threading

import pytest

import xinglin
from xinglin import Engine
from xinglin.transformers import AutoModelForCausalLM, AutoTokenizer, TextIteratorStreamer

NAN = float("nan")


@pytest.fixture(scope="module")
def lm(model):
    with AutoModelForCausalLM.from_pretrained(model, context=64) as opened:
        yield opened


@pytest.fixture(scope="module")
def engine(lm):
    return lm.engine


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", NAN), ("temperature", -1), ("temperature", "hot"), ("top_p", NAN),
        ("top_p", 2), ("top_p", []), ("min_p", -1), ("top_k", "x"), ("top_k", 1.5),
        ("top_k", 1 << 40), ("repetition_penalty", 0), ("repetition_penalty", "x"),
        ("max_new_tokens", -1), ("max_new_tokens", 2.5), ("max_new_tokens", "5"),
        ("max_new_tokens", NAN), ("max_new_tokens", 1 << 40), ("max_length", 0),
        ("eos_token_id", "x"), ("eos_token_id", [None]), ("pad_token_id", "x"), ("max_time", NAN),
        ("max_time", "x"), ("stop_strings", 5), ("stop_strings", [""]), ("stop_strings", [5]),
        ("stopping_criteria", 5), ("stopping_criteria", [5]), ("streamer", object()), ("seed", -1),
        ("seed", 1 << 64), ("seed", "x"), ("bad_words_ids", [5.5]), ("bad_words_ids", 5),
        ("bad_words_ids", [["x"]]), ("bad_words_ids", [[-1]]), ("suppress_tokens", "x"),
        ("suppress_tokens", [1 << 30]), ("sequence_bias", 5), ("sequence_bias", {(5,): "x"}),
        ("sequence_bias", {(1,): NAN}), ("sequence_bias", [[5]]), ("generation_config", 5),
        ("prompt_lookup_num_tokens", "x"), ("grammar", 5), ("attention_mask", [1]),
        ("attention_mask", [0, 0, 0]), ("attention_mask", "xxx"),
    ],
)  # fmt: skip
def test_arguments_of_generate(lm, name, value):
    arguments = {"do_sample": True, name: value}
    if name != "max_length":
        arguments.setdefault("max_new_tokens", 2)
    with pytest.raises(xinglin.XinglinError) as caught:
        lm.generate([1, 403, 407], **arguments)
    text = str(caught.value).replace("-", "_").replace(" ", "_")
    family = {"bad_words_ids": "bias", "suppress_tokens": "bias", "sequence_bias": "bias",
              "max_new_tokens": "max_tokens", "stop_strings": "text", "attention_mask": "input_ids"}
    assert name in text or family.get(name, name) in text or "stop_string" in text


@pytest.mark.parametrize(
    "ids",
    [None, "text", b"\1\0\0\0", [], [[]], [[1], []], 5, [5.5], ["a"], [None], [1 << 40], [-1],
     [512], [[[1]]], {1, 2}, {"a": 1}, [1] * 65],
)  # fmt: skip
def test_ids(lm, engine, ids):
    with pytest.raises(xinglin.XinglinError):
        lm.generate(ids, max_new_tokens=1)
    if not isinstance(ids, (str, int, dict, set)):
        with pytest.raises(xinglin.XinglinError):
            engine.generate(ids, max_tokens=1)


@pytest.mark.parametrize(
    "arguments",
    [{"stop": 5}, {"stop": None}, {"logit_bias": [1]}, {"logit_bias": {1: "x"}}, {"on_text": 5},
     {"on_token": 5}, {"max_tokens": 1.5}, {"max_tokens": None}, {"temperature": "x"}],
)  # fmt: skip
def test_arguments_of_sessions(engine, arguments):
    with pytest.raises(xinglin.UsageError, match=next(iter(arguments)).replace("_", ".")):
        engine.generate("Once", **arguments)


def test_other_calls(engine):
    for prompts in (5, None, "abc"):
        with pytest.raises(xinglin.UsageError, match="list of prompts"):
            engine.generate_batch(prompts)
    with pytest.raises(xinglin.UsageError, match="on_token"):
        engine.generate_batch(["a"], on_token=5)
    with engine.session() as session:
        for snapshot in (5, "x", [1]):
            with pytest.raises(xinglin.UsageError, match="snapshot"):
                session.restore(snapshot)
    for messages in ([{"content": "x"}], "abc", [5]):
        with pytest.raises(xinglin.UsageError, match="message"):
            engine.format_chat(messages)
    for texts in (None, 5, "abc"):
        with pytest.raises(xinglin.UsageError, match="list"):
            engine.embed(texts)
    with pytest.raises(xinglin.UsageError, match="pooling"):
        engine.embed(["a"], pooling=["mean"])


def test_paths(tmp_path):
    for load in (AutoModelForCausalLM.from_pretrained, AutoTokenizer.from_pretrained):
        for path, kind in ((5, ValueError), ("", ValueError), ("a\0b", ValueError),
                           ("a" * 10000, FileNotFoundError), (tmp_path / "no", FileNotFoundError)):
            with pytest.raises(kind) as caught:
                load(path)
            assert isinstance(caught.value, xinglin.XinglinError)


def test_copies_share_the_model(engine):
    assert copy.copy(engine) is engine and copy.deepcopy([engine])[0] is engine
    with pytest.raises(TypeError, match="open it in the other process"):
        pickle.dumps(engine)


def test_nul_in_messages(engine):
    context = {"messages": [{"role": "user", "content": "a\0b"}]}
    with pytest.raises(xinglin.UsageError, match="NUL"):
        xinglin.render_template("{{ messages[0].content }}", context)
    context = {"messages": [{"role": "user", "content": "a\\u0000b"}]}  # a backslash, spelled out
    assert xinglin.render_template("{{ messages[0].content }}", context) == "a\\u0000b"
    with pytest.raises(xinglin.UsageError, match="JSON"):
        xinglin.render_template("x", {"messages": object()})


def test_a_failure_ends_the_stream(lm, model):
    """Whoever waits for a streamer in another thread is not left waiting."""
    streamer = TextIteratorStreamer(AutoTokenizer.from_pretrained(model), timeout=300)

    def fail(_ids, _scores):
        raise RuntimeError("of the criterion")

    with pytest.raises(RuntimeError, match="of the criterion"):
        lm.generate([1, 403], max_new_tokens=4, streamer=streamer, stopping_criteria=[fail])
    try:
        assert len(list(streamer)) >= 1
    except queue.Empty:
        pytest.fail("the stream has no end")
    assert len(lm.generate([1, 403], max_new_tokens=4)) == 6  # and nothing else is lost


def test_saved_by_several_at_once(model, tmp_path):
    lm = AutoModelForCausalLM.from_pretrained(model, load_in_4bit=True, cache_dir=tmp_path / "c")
    place, problems = tmp_path / "病区 1", []

    def save():
        try:
            lm.save_low_bit(place)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=save) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems and not [name for name in os.listdir(place) if ".new" in name]
    again = AutoModelForCausalLM.load_low_bit(place)
    assert again.generate([1, 403], max_new_tokens=4) == lm.generate([1, 403], max_new_tokens=4)


def test_a_cache_that_cannot_be_written(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(xinglin.UsageError, match="cache_dir"):
        AutoModelForCausalLM.from_pretrained(
            model, load_in_4bit=True, cache_dir=tmp_path / "file" / "c"
        )


def test_ids_without_a_token_decode_to_nothing(model):
    """As in transformers: a model may have more rows than its tokenizer has tokens."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    ids = tokenizer.encode("Once upon")
    assert tokenizer.decode([*ids, 512, 1 << 30]) == tokenizer.decode(ids)
    with pytest.raises(xinglin.UsageError):
        Engine(model, tokenizer_only=True).detokenize([512])
