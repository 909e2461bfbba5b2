# SPDX-License-Identifier: Apache-2.0
"""Engine and Session: what they compute equals llm-cli's, and what they refuse has a reason."""

import array
import json
import math
import os
import threading

import pytest

import xinglin
from xinglin import Engine

PROMPTS = ["Once upon a time", "Lily and Ben", "The dog", "One day, a little girl"]


@pytest.fixture(scope="module")
def engine(model):
    with Engine(model) as opened:
        yield opened


def test_info(engine, model):
    info = engine.info
    assert (info.family, info.weight_type, info.n_vocab, info.n_embd) == ("llama", "f32", 512, 64)
    assert info.context == 512 and info.threads >= 1 and info.weights_from
    assert engine.path == model and "llama" in repr(engine)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_generate_equals_command(engine, model, command, prompt):
    said = json.loads(command("llm-cli", "-m", model, "-p", prompt, "-n", 60, "--json"))
    mine = engine.generate(prompt, max_tokens=60)
    assert mine.text == said["text"]
    assert mine.finish == said["finish"]
    ids = engine.generate(engine.tokenize(prompt), max_tokens=60)
    assert ids.tokens == mine.tokens
    # A prompt of ids has no text before it of which the first space could be judged differently.
    assert ids.text.strip() == mine.text.strip()


def test_sampling_equals_command(engine, model, command):
    flags = ["--temp", 0.9, "--top-k", 20, "--top-p", 0.9, "--repeat-penalty", 1.1, "-s", 7]
    said = json.loads(command("llm-cli", "-m", model, "-p", "Once", "-n", 60, "--json", *flags))
    mine = engine.generate(
        "Once",
        max_tokens=60,
        temperature=0.9,
        top_k=20,
        top_p=0.9,
        repetition_penalty=1.1,
        seed=7,
    )
    assert mine.text == said["text"]


def test_greedy_ids_are_the_largest_logits(engine):
    with engine.session() as session:
        ids = session.generate("Once upon a time", max_tokens=12, draft_max=0).tokens
    with engine.session() as session:
        session.feed(engine.tokenize("Once upon a time"))
        for token in ids:
            logits = session.logits().tolist()
            assert logits.index(max(logits)) == token
            session.feed([token])
        assert session.position == 5 + len(ids)
        session.rewind(5)
        rows = session.feed_all(ids)
        assert rows.shape == (len(ids), engine.info.n_vocab)
        assert rows.tolist()[-1] == session.logits().tolist()


def test_tokenize_and_back(engine):
    text = "Once upon a time, there was a little dog."
    ids = engine.tokenize(text)
    assert ids[0] == 1 and engine.tokenize(text, add_special=False) == ids[1:]
    assert engine.detokenize(ids) == text
    for kind in (tuple, lambda x: array.array("q", x), iter):
        assert engine.detokenize(kind(ids)) == text
    assert engine.tokenize("", add_special=False) == []
    assert engine.is_end(2) and not engine.is_end(5)


def test_stream_and_callbacks(engine):
    whole = engine.generate("Once", max_tokens=40)
    with engine.session() as session:
        stream = session.stream("Once", max_tokens=40)
        pieces = []
        try:
            while True:
                pieces.append(next(stream))
        except StopIteration as end:
            assert end.value.tokens == whole.tokens
        assert "".join(pieces) == whole.text
    with engine.session() as session:
        seen = []
        result = session.generate("Once", max_tokens=40, on_token=lambda t: seen.append(t) or len(seen) == 3)
        assert result.finish == "cancelled" and result.tokens == seen == whole.tokens[:3]
        session.generate(max_tokens=1)  # still usable
    with engine.session() as session:
        for piece in session.stream("Once", max_tokens=-1, ignore_end=True):
            break
        assert session.position < 500
        session.rewind(0)
        assert session.generate("Once", max_tokens=40).text == whole.text


def test_exception_of_a_callback(engine):
    class Mine(Exception):
        pass

    def fail(_piece):
        raise Mine("stop here")

    with engine.session() as session:
        with pytest.raises(Mine, match="stop here"):
            session.generate("Once", on_text=fail)
        with pytest.raises(Mine):
            list(session.stream("Once", on_text=fail))
        with pytest.raises(xinglin.UsageError, match="callbacks of its own"):
            session.generate("Once", on_text=lambda _: session.generate("again"))
        with pytest.raises(xinglin.UsageError, match="callbacks of its own"):
            session.generate("Once", on_text=lambda _: session.close())
        session.rewind(0)
        assert session.generate("Once", max_tokens=3).tokens


def test_stop_bias_options(engine):
    free = engine.generate("Once upon a time", max_tokens=30)
    word = free.text.split()[3]
    stopped = engine.generate("Once upon a time", max_tokens=30, stop=word)
    assert stopped.finish == "stop" and word not in stopped.text
    assert free.text.startswith(stopped.text)
    banned = free.tokens[0]
    other = engine.generate("Once upon a time", max_tokens=5, logit_bias={banned: -math.inf})
    assert other.tokens[0] != banned
    assert engine.generate("Once", max_tokens=0).tokens == []


def test_snapshot(engine):
    with engine.session() as session, engine.session() as other:
        session.feed(engine.tokenize("Once upon a time"))
        other.restore(session.snapshot())
        assert other.generate(max_tokens=9).tokens == session.generate(max_tokens=9).tokens
        with pytest.raises(xinglin.BadInputError):
            other.restore(b"nothing of value")


@pytest.mark.parametrize(
    "call, kind, words",
    [
        (lambda e, p: Engine("/nonexistent.gguf"), xinglin.NotFoundError, "/nonexistent.gguf"),
        (lambda e, p: Engine(__file__), xinglin.XinglinError, "test_engine"),
        (lambda e, p: Engine(3), xinglin.UsageError, "int"),
        (lambda e, p: Engine("a\0b"), xinglin.UsageError, "NUL"),
        (lambda e, p: Engine(p, family="qwen2"), xinglin.UsageError, "llama"),
        (lambda e, p: Engine(p, kv_type="q4"), xinglin.UsageError, "int8"),
        (lambda e, p: Engine(p, threads=-1), xinglin.UsageError, "threads"),
        (lambda e, p: Engine(p, threads="two"), xinglin.UsageError, "threads"),
        (lambda e, p: Engine(p, isa="abacus"), xinglin.UsageError, "abacus"),
        (lambda e, p: e.generate([]), xinglin.UsageError, ""),
        (lambda e, p: e.generate([512]), xinglin.UsageError, "512"),
        (lambda e, p: e.generate([1 << 40]), xinglin.UsageError, "32 bits"),
        (lambda e, p: e.generate(["a"]), xinglin.UsageError, "token ids"),
        (lambda e, p: e.generate(None), xinglin.UsageError, "token ids"),
        (lambda e, p: e.generate("a\0b"), xinglin.UsageError, "NUL"),
        (lambda e, p: e.generate([5] * 513), xinglin.ContextFullError, "513"),
        (lambda e, p: e.generate("a", temperature="hot"), xinglin.UsageError, "temperature"),
        (lambda e, p: e.generate("a", temperature=-1), xinglin.UsageError, ""),
        (lambda e, p: e.generate("a", max_tokens=1 << 40), xinglin.UsageError, "max_tokens"),
        (lambda e, p: e.generate("a", seed=-1), xinglin.UsageError, "seed"),
        (lambda e, p: e.generate("a", beams=4), xinglin.UsageError, "there are"),
        (lambda e, p: e.generate("a", stop=[3]), xinglin.UsageError, "text"),
        (lambda e, p: e.tokenize(b"bytes"), xinglin.UsageError, "bytes"),
        (lambda e, p: e.format_chat([]), xinglin.NotFoundError, "template"),
        (lambda e, p: e.embed("text"), xinglin.UsageError, "list"),
        (lambda e, p: e.embed([[]]), xinglin.UsageError, "no tokens"),
        (lambda e, p: e.embed(["a"], pooling="max"), xinglin.UsageError, "mean"),
        (lambda e, p: e.embed([[1] * 513]), xinglin.ContextFullError, "513"),
        (lambda e, p: e.embed(["a"], truncate=0), xinglin.UsageError, "truncate"),
        (lambda e, p: e.embed(["a"], truncate="yes"), xinglin.UsageError, "truncate"),
        (lambda e, p: xinglin.render_template("{{", {}), xinglin.BadInputError, ""),
        (lambda e, p: xinglin.optimize_model(object()), xinglin.UnsupportedError, "from_pretrained"),
    ],
)
def test_refusals(engine, model, call, kind, words):
    with pytest.raises(kind, match=words):
        call(engine, model)


def test_closed(model):
    engine = Engine(model)
    session = engine.session()
    session.feed([1, 5])
    stream = session.stream("Once")
    session.close()
    session.close()
    for call in (lambda: session.feed([1]), lambda: session.position, lambda: next(stream),
                 session.logits, session.snapshot, lambda: session.generate("a")):
        with pytest.raises(xinglin.ClosedError, match="session is closed"):
            call()
    session.cancel()
    other = engine.session()
    engine.close()
    engine.close()
    for call in (lambda: engine.tokenize("a"), engine.session, lambda: engine.generate("a"),
                 lambda: engine.embed(["a"]), lambda: engine.is_end(1), lambda: engine.detokenize([1])):
        with pytest.raises(xinglin.ClosedError, match="model is closed"):
            call()
    with pytest.raises(xinglin.ClosedError):
        other.generate("a")
    assert engine.is_closed and engine.info.n_vocab == 512
    assert issubclass(xinglin.ClosedError, ValueError)


def test_close_ends_a_generation(model):
    engine = Engine(model, context=1 << 14)
    outcome, started = [], threading.Event()

    def work():
        try:
            outcome.append(engine.session().generate(
                "Once", max_tokens=-1, ignore_end=True, on_token=lambda _: started.set()))
        except xinglin.XinglinError as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    engine.close()
    thread.join()
    assert outcome[0].finish == "cancelled"


def test_forked(model):
    engine, tokenizer = Engine(model), Engine(model, tokenizer_only=True)
    session = engine.session()
    ids = engine.tokenize("Once")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for call in (lambda: session.generate("a"), lambda: engine.tokenize("a"),
                         engine.session, lambda: engine.generate("a")):
                try:
                    call()
                except xinglin.ForkedError as error:
                    assert "spawn" in str(error)
                else:
                    raise AssertionError("no ForkedError")
            assert tokenizer.tokenize("Once") == ids
            session.close()
            engine.close()
            with Engine(model) as own:  # a model of the child's own works
                assert own.generate("Once", max_tokens=4).tokens
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert session.generate("Once", max_tokens=4).tokens  # the parent's goes on
    engine.close()


def test_two_models_in_two_threads(model, stories):
    int4 = xinglin.llm_convert(model, stories / "int4", "llama", "int4")
    engines = [Engine(model), Engine(int4)]
    alone = [[e.generate(p, max_tokens=50).tokens for p in PROMPTS] for e in engines]
    assert alone[0] != alone[1]
    together = [[], []]

    def work(i):
        for prompt in PROMPTS:
            together[i].append(engines[i].generate(prompt, max_tokens=50).tokens)

    threads = [threading.Thread(target=work, args=(i,)) for i in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone
    for engine in engines:
        engine.close()


def test_threads_take_turns(engine):
    """Sessions of one engine side by side, and one session that several threads feed."""
    alone = engine.generate("Once", max_tokens=30).tokens
    results = []
    with engine.session() as shared:

        def work():
            for _ in range(5):
                results.append(engine.generate("Once", max_tokens=30).tokens)
                shared.feed([5])
                shared.feed([5] * 9)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert shared.position == 200
    assert results == [alone] * 20


def test_embed(engine):
    texts = ["Once upon a time", "a dog", "Lily went to the park to play with her friends"]
    rows = engine.embed(texts)
    assert rows.shape == (3, 64) and rows.format == "f"
    for text, row in zip(texts, rows.tolist()):
        assert abs(math.fsum(x * x for x in row) - 1) < 1e-5
        assert engine.embed([text]).tolist()[0] == row
        assert engine.embed([engine.tokenize(text)]).tolist()[0] == row
    plain = engine.embed(texts[:1], normalize=False, pooling="last").tolist()[0]
    assert plain != rows.tolist()[0]
    assert engine.embed([]).tolist() == []
    many = engine.embed([[1] + [5 + i % 200] * (i % 40) for i in range(600)])  # several batches
    assert many.shape == (600, 64)
    assert many.tolist()[41] == engine.embed([[1, 46]]).tolist()[0]
    with Engine(engine.path, kv_type="f16") as other:
        near = other.embed(texts).tolist()
    for a, b in zip(near, rows.tolist()):
        assert math.fsum(x * y for x, y in zip(a, b)) > 0.999


def test_embed_truncated(engine):
    ids = engine.tokenize("Once upon a time there was a dog " * 200)
    text = engine.detokenize(ids)
    with pytest.raises(xinglin.ContextFullError):
        engine.embed([text])
    for truncate, n in ((True, 512), (7, 7), (4000, 512)):
        rows = engine.embed([text, ids, "a"], truncate=truncate).tolist()
        assert rows[0] == rows[1] == engine.embed([ids[:n]]).tolist()[0]
        assert rows[2] == engine.embed(["a"]).tolist()[0]


def test_embed_truncated_as_sentence_transformers():
    """Its own limit, which is below the positions that were learned; [SEP] stays at the end."""
    with Engine(minilm()) as engine:
        text = "The patient has a fever. " * 100
        ids = engine.tokenize(text)
        cut = [*ids[:255], ids[-1]]
        assert engine.embed([text], truncate=True).tolist() == engine.embed([cut]).tolist()
        cut = [*ids[:511], ids[-1]]
        assert engine.embed([text], truncate=512).tolist() == engine.embed([cut]).tolist()
        with pytest.raises(xinglin.ContextFullError, match="512"):
            engine.embed([text])


def minilm():
    cache = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
    path = os.path.join(cache, "xinglin/inputs/models/all-minilm-l6-v2")
    if not os.path.isdir(path):
        pytest.skip("all-MiniLM-L6-v2 is not there (scripts/fetch-inputs)")
    return path


def test_tokenizer_only(engine, model, stories):
    for path in (model, stories / "safetensors"):
        with Engine(path, tokenizer_only=True) as tokenizer:
            ids = tokenizer.tokenize("Once upon a time")
            assert ids == engine.tokenize("Once upon a time")
            assert tokenizer.detokenize(ids) == "Once upon a time"
            with pytest.raises(xinglin.UnsupportedError, match="tokenizer only"):
                tokenizer.session()


def test_templates():
    template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    text = xinglin.render_template(template, {"messages": [{"role": "user", "content": "发热"}]})
    assert text == "<user>发热"


def test_machine_and_families():
    assert "llama" in xinglin.families()
    assert {"int4", "int8", "q4_k_m"} <= set(xinglin.convert_types())
    assert isinstance(xinglin.machine(), dict)
    assert xinglin.__version__.count(".") == 2


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "qwen3", "gemma3"])
def test_embed_equals_transformers(golden, family):
    """Mean, first and last of transformers' hidden states, in float32."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModel.from_pretrained(golden / family, dtype=torch.float32).eval()
    texts = [[1, 7, 3, 9, 2, 30, 11], [5], [4] * 40]
    with Engine(golden / family) as engine:
        for pooling, pick in (
            ("mean", lambda states: states.mean(0)),
            ("cls", lambda states: states[0]),
            ("last", lambda states: states[-1]),
        ):
            rows = engine.embed(texts, pooling=pooling, normalize=False).tolist()
            for ids, row in zip(texts, rows):
                with torch.no_grad():
                    states = model(torch.tensor([ids])).last_hidden_state[0]
                wanted = pick(states)
                mine = torch.tensor(row)
                similarity = torch.nn.functional.cosine_similarity(mine, wanted, dim=0)
                assert similarity > 0.99999, (pooling, len(ids))
                assert (mine - wanted).abs().max() < 1e-3 * wanted.abs().max() + 1e-4
