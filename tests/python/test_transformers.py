# SPDX-License-Identifier: Apache-2.0
"""xinglin.transformers: what users of transformers write, with the import changed."""

import json
import pathlib
import shutil
import subprocess
import sys
import threading

import pytest

import xinglin
from xinglin.transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSpeechSeq2Seq,
    AutoTokenizer,
    BaseStreamer,
    GenerationConfig,
    TextIteratorStreamer,
    TextStreamer,
)

PROMPT = "Once upon a time"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Converted files go here, not to the user's cache."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def checkpoint(stories):
    """A Hugging Face directory with weights and tokenizer."""
    return stories / "safetensors"


@pytest.fixture(scope="module")
def lm(model):
    with AutoModelForCausalLM.from_pretrained(model) as opened:
        yield opened


@pytest.fixture(scope="module")
def tokenizer(model):
    return AutoTokenizer.from_pretrained(model)


# -- the seed's snippet --------------------------------------------------------------------------
def test_the_snippet(checkpoint, cache):
    model_path = str(checkpoint)
    model = AutoModelForCausalLM.from_pretrained(model_path, load_in_4bit=True, cache_dir=cache)

    tokenizer = AutoTokenizer.from_pretrained(model_path)
    input_ids = tokenizer.encode(PROMPT)
    output_ids = model.generate([input_ids], max_new_tokens=32)
    output = tokenizer.batch_decode(output_ids)

    assert len(output) == 1 and PROMPT in output[0] and len(output[0]) > 40
    assert model.low_bit == "sym_int4"
    first = xinglin.inspect(next(cache.glob("*.gguf")))
    assert any(tensor["type"] == "q4_0" for tensor in first["tensors"])
    loaded = {"torch", "transformers", "numpy"} & set(
        json.loads(subprocess.run(
            [sys.executable, "-c", "import json, sys, xinglin.transformers; "
             "print(json.dumps(list(sys.modules)))"],
            capture_output=True, text=True, check=True).stdout))
    assert not loaded


@pytest.mark.parametrize("kind", ["sym_int4", "asym_int4", "sym_int8", "bf16", "fp16", "q5_1", "q4_k_m"])
def test_equals_command(checkpoint, cache, command, kind, tmp_path):
    """The same file by the command, the same text from it."""
    made = command("llm-convert", "-t", kind, "-o", tmp_path, checkpoint).strip()
    said = json.loads(command("llm-cli", "-m", made, "-p", PROMPT, "-n", 40, "--json"))
    model = AutoModelForCausalLM.from_pretrained(
        checkpoint, load_in_low_bit=kind, cache_dir=cache / kind
    )
    cached = list((cache / kind).glob("*.gguf"))
    assert len(cached) == 1 and cached[0].read_bytes() == pathlib.Path(made).read_bytes()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    prompt = tokenizer.encode(PROMPT)
    out = model.generate(prompt, max_new_tokens=40)
    text = tokenizer.decode(out[len(prompt):], skip_special_tokens=True)
    assert out[: len(prompt)] == prompt and text.strip() == said["text"].strip()


def test_every_type_of_convert(checkpoint, tmp_path):
    for kind in xinglin.convert_types():
        model = AutoModelForCausalLM.from_pretrained(
            checkpoint, load_in_low_bit=kind.upper(), cache_dir=tmp_path
        )
        assert len(model.generate([1, 5], max_new_tokens=3)) <= 5
        model.close()


# -- loading -------------------------------------------------------------------------------------
def test_the_cache(checkpoint, tmp_path):
    source, cache = tmp_path / "source", tmp_path / "cache"
    shutil.copytree(checkpoint, source)

    def load(**more):
        AutoModelForCausalLM.from_pretrained(source, cache_dir=cache, **more).close()
        return {path.name: path.stat().st_mtime_ns for path in cache.glob("*.gguf")}

    first = load(load_in_4bit=True)
    assert len(first) == 1 and load(load_in_4bit=True) == first
    assert len(load(load_in_low_bit="sym_int8")) == 2
    (source / "generation_config.json").write_text('{"temperature": 0.5}')
    after = load(load_in_4bit=True)
    assert len(after) == 2 and not set(first) & set(after)  # the old one is gone
    assert not [path for path in cache.iterdir() if path.name.startswith(".converting")]


def test_two_at_once(checkpoint, tmp_path):
    failures = []

    def load():
        try:
            model = AutoModelForCausalLM.from_pretrained(
                checkpoint, load_in_4bit=True, cache_dir=tmp_path, threads=1
            )
            assert model.generate([1, 5], max_new_tokens=2)
        except BaseException as problem:
            failures.append(problem)

    code = (
        "import sys; from xinglin.transformers import AutoModelForCausalLM as A; "
        "A.from_pretrained(sys.argv[1], load_in_4bit=True, cache_dir=sys.argv[2], threads=1)"
    )
    other = [
        subprocess.Popen([sys.executable, "-c", code, checkpoint, tmp_path]) for _ in range(2)
    ]
    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and [process.wait() for process in other] == [0, 0]
    assert len(list(tmp_path.glob("*.gguf"))) == 1


def test_whole_or_not_at_all(checkpoint, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(checkpoint, broken)
    weights = next(broken.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(xinglin.BadInputError):
        AutoModelForCausalLM.from_pretrained(
            broken, load_in_4bit=True, cache_dir=tmp_path / "cache"
        )
    assert not list(tmp_path.glob("cache/*.gguf")) and not list(tmp_path.glob("cache/.conv*"))


def test_nothing_is_kept(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("XINGLIN_CACHE", "off")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    model = AutoModelForCausalLM.from_pretrained(checkpoint, load_in_4bit=True)
    assert model.generate([1, 5], max_new_tokens=3)
    model.save_low_bit(tmp_path / "saved")
    del model
    import gc

    gc.collect()
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_save_and_load(checkpoint, cache, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(
        checkpoint, load_in_low_bit="asym_int4", cache_dir=cache
    )
    expected = model.generate([1, 5, 9], max_new_tokens=20)
    model.save_low_bit(tmp_path / "a" / "b")
    saved = tmp_path / "a" / "b"
    assert json.loads((saved / "xinglin.json").read_text())["type"] == "asym_int4"
    for load in (AutoModelForCausalLM.load_low_bit, AutoModelForCausalLM.from_pretrained):
        again = load(saved)
        assert again.low_bit == "asym_int4"
        assert again.generate([1, 5, 9], max_new_tokens=20) == expected
    tokenizer = AutoTokenizer.from_pretrained(saved)
    assert tokenizer.encode(PROMPT) == AutoTokenizer.from_pretrained(checkpoint).encode(PROMPT)
    again.save_low_bit(saved)  # onto itself
    assert again.generate([1, 5, 9], max_new_tokens=20) == expected
    (saved / "model.gguf").unlink()
    with pytest.raises(xinglin.NotFoundError, match="model.gguf"):
        AutoModelForCausalLM.load_low_bit(saved)
    with pytest.raises(xinglin.UsageError, match="save_low_bit"):
        AutoModelForCausalLM.load_low_bit(checkpoint)


def test_a_gguf_file(model, cache, tmp_path):
    lm, tokenizer = AutoModelForCausalLM.from_gguf(model)
    assert lm.low_bit is None and tokenizer.decode(tokenizer.encode(PROMPT)[1:]).strip() == PROMPT
    quantized, _ = AutoModelForCausalLM.from_gguf(model, low_bit="sym_int4", cache_dir=cache)
    assert quantized.low_bit == "sym_int4"
    quantized.save_low_bit(tmp_path)
    file = tmp_path / "model.gguf"
    assert AutoModelForCausalLM.from_pretrained(file, load_in_4bit=True).low_bit == "q4_0"
    assert AutoModelForCausalLM.from_pretrained(file, load_in_low_bit="sym_int4").low_bit == "q4_0"
    assert AutoModelForCausalLM.from_pretrained(file, torch_dtype="float32").low_bit == "q4_0"
    with pytest.raises(xinglin.UsageError, match="quantized already"):
        AutoModelForCausalLM.from_pretrained(file, load_in_low_bit="sym_int8")


def test_modules_to_not_convert(checkpoint, tmp_path):
    AutoModelForCausalLM.from_pretrained(
        checkpoint, load_in_4bit=True, modules_to_not_convert=["q_proj", "lm_head"], cache_dir=tmp_path
    )
    found = xinglin.inspect(next(tmp_path.glob("*.gguf")))
    types = {tensor["name"]: tensor["type"] for tensor in found["tensors"]}
    assert types["blk.0.attn_q.weight"] == types["blk.4.attn_q.weight"] == "f32"
    assert types.get("output.weight", types["token_embd.weight"]) == "f32"
    assert types["blk.0.attn_k.weight"] == "q4_0" and types["blk.0.ffn_down.weight"] != "f32"
    with pytest.raises(xinglin.UsageError, match="nothing_such"):
        AutoModelForCausalLM.from_pretrained(
            checkpoint, load_in_4bit=True, modules_to_not_convert=["nothing_such"], cache_dir=tmp_path
        )


def test_arguments_of_others(checkpoint, cache):
    """What scripts for torch pass along and what has no meaning here."""
    model = AutoModelForCausalLM.from_pretrained(
        str(checkpoint), None, load_in_4bit=True, optimize_model=True, trust_remote_code=True,
        torch_dtype="auto", device_map="cpu", low_cpu_mem_usage=True, use_cache=True,
        cpu_embedding=False, model_hub="modelscope", revision="main", cache_dir=cache,
        attn_implementation="sdpa", threads=2, context=300, temperature=0, max_length=60,
    )
    assert model.info.context == 300 and model.generation_config.max_length == 60
    assert len(model.generate([1, 5])) == 60
    assert model.eval().to("cpu").half().float() is model and str(model.device) == "cpu"
    assert model.config.vocab_size == 512 and model.config.model_type == "llama"
    assert not model.config.is_encoder_decoder and "q4_0" not in repr(model.config)


@pytest.mark.parametrize(
    "arguments, kind, words",
    [
        ({"path": "THUDM/chatglm3-6b"}, xinglin.NotFoundError, "hf download THUDM/chatglm3-6b"),
        ({"path": "/nonexistent/model"}, xinglin.NotFoundError, "no such model"),
        ({"path": 3}, xinglin.UsageError, "int"),
        ({"load_in_low_bit": "nf4"}, xinglin.UnsupportedError, "asym_int4"),
        ({"load_in_low_bit": "int3"}, xinglin.UsageError, "q4_k_m"),
        ({"load_in_low_bit": 4}, xinglin.UsageError, "name of a type"),
        ({"device_map": "cuda:0"}, xinglin.UnsupportedError, "CPU only"),
        ({"torch_dtype": "int8"}, xinglin.UsageError, "float32"),
        ({"quantization_config": object()}, xinglin.UnsupportedError, "load_in_4bit"),
        ({"speculative": True}, xinglin.UnsupportedError, "prompt_lookup"),
        ({"load_in_4bits": True}, xinglin.UsageError, "load_in_4bit,"),
        ({"context": -5}, xinglin.UsageError, "context"),
    ],
)
def test_loading_refusals(model, arguments, kind, words):
    given = dict(arguments)
    with pytest.raises(kind, match=words):
        AutoModelForCausalLM.from_pretrained(given.pop("path", model), **given)


def test_other_classes():
    with pytest.raises(xinglin.UnsupportedError, match="speech"):
        AutoModelForSpeechSeq2Seq.from_pretrained("openai/whisper-tiny")
    with pytest.raises(xinglin.UsageError, match="from_pretrained"):
        AutoModelForCausalLM()
    with pytest.raises(xinglin.NotFoundError, match="hf download"):
        AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B-Instruct")


# -- generate ------------------------------------------------------------------------------------
def test_greedy_ids_are_the_engine_s(lm, tokenizer, model):
    with xinglin.Engine(model) as engine:
        for prompt in (PROMPT, "Lily and Ben", "The dog"):
            ids = tokenizer.encode(prompt)
            said = engine.generate(ids, max_tokens=50).tokens
            assert lm.generate(ids, max_new_tokens=50) == ids + said
            assert lm.generate([ids], max_new_tokens=50) == [ids + said]
            assert lm.generate(inputs=[ids], max_length=len(ids) + 50) == [ids + said]
    assert len(lm.generate(ids)) == len(ids) + 20  # as in transformers


def test_batches_are_one_by_one(lm, tokenizer):
    texts = [PROMPT, "Lily", "The big dog ran to the", "One day, a little girl named Lily"]
    tokenizer.pad_token = "<unk>"
    alone = [lm.generate(tokenizer.encode(text), max_new_tokens=30) for text in texts]
    for side in ("left", "right"):
        tokenizer.padding_side = side
        batch = tokenizer(texts, padding=True)
        width = len(batch["input_ids"][0])
        rows = lm.generate(**batch, max_new_tokens=30)
        assert len({len(row) for row in rows}) == 1
        for i, row in enumerate(rows):
            n = len(tokenizer.encode(texts[i]))
            assert row[:width] == batch["input_ids"][i]
            assert row[width : width + 30] == alone[i][n:]
    tokenizer.padding_side = "right"


def test_what_was_read_before_changes_nothing(lm, tokenizer):
    """Prefixes are remembered between calls; sampled and greedy ids stay the same."""
    ids = tokenizer.encode("One day, a little girl named Lily went to the park and saw")
    lm._shelf.forget()
    first = lm.generate(ids, max_new_tokens=20, do_sample=True, seed=3, repetition_penalty=1.2)
    for _ in range(2):
        assert first == lm.generate(
            ids, max_new_tokens=20, do_sample=True, seed=3, repetition_penalty=1.2
        )
        lm.generate(ids[:4] + [7, 8], max_new_tokens=5)
        lm.generate(ids + [9], max_new_tokens=5)


def test_sampling(lm, tokenizer, model):
    import random

    ids = tokenizer.encode("Once")
    options = dict(temperature=0.9, top_k=20, top_p=0.9, repetition_penalty=1.1)
    with xinglin.Engine(model) as engine:
        said = engine.generate(ids, max_tokens=40, penalty_window=-1, seed=7, **options).tokens
        assert lm.generate(ids, max_new_tokens=40, do_sample=True, seed=7, **options) == ids + said
    random.seed(5)
    one = lm.generate(ids, max_new_tokens=20, do_sample=True)
    random.seed(5)
    if "torch" not in sys.modules:
        assert lm.generate(ids, max_new_tokens=20, do_sample=True) == one
    many = lm.generate([ids, ids], max_new_tokens=20, do_sample=True, num_return_sequences=3, seed=1)
    assert len(many) == 6 and many[:3] == many[3:] and len({tuple(row) for row in many}) == 3
    with pytest.warns(UserWarning, match="do_sample"):
        greedy = lm.generate(ids, max_new_tokens=9, temperature=0.3)
    assert greedy == lm.generate(ids, max_new_tokens=9)
    assert greedy == lm.generate(ids, max_new_tokens=9, do_sample=True, temperature=0)


def test_ends(lm, tokenizer):
    ids = tokenizer.encode(PROMPT)
    free = lm.generate(ids, max_new_tokens=30)[len(ids):]
    end = free[7]
    stopped = lm.generate(ids, max_new_tokens=30, eos_token_id=end)
    assert stopped == ids + free[: free.index(end) + 1]
    assert stopped == lm.generate(ids, max_new_tokens=30, eos_token_id=[end, 511])
    held = lm.generate(ids, max_new_tokens=30, min_new_tokens=12, eos_token_id=end)
    assert len(held) >= len(ids) + 12 and end not in held[len(ids) : len(ids) + 12]
    padded = lm.generate([ids, ids[:2]], max_new_tokens=30, eos_token_id=end, pad_token_id=0)
    assert len(padded[0]) == len(padded[1])
    word = tokenizer.decode(free).split()[3]
    text = tokenizer.decode(
        lm.generate(ids, max_new_tokens=30, stop_strings=[word], tokenizer=tokenizer)
    )
    assert text.rstrip().endswith(word) or word in text.split()[-1]
    assert lm.generate(ids, max_new_tokens=0) == ids
    assert free[0] not in lm.generate(ids, max_new_tokens=9, suppress_tokens=[free[0]])[len(ids):]
    assert len(lm.generate(ids, max_new_tokens=-0, max_length=None)) == len(ids)


def test_stopping_criteria(lm, tokenizer):
    ids = tokenizer.encode(PROMPT)
    seen = []

    def after_five(input_ids, scores, **kwargs):
        seen.append(input_ids)
        return len(input_ids[0]) >= len(ids) + 5

    out = lm.generate(ids, max_new_tokens=30, stopping_criteria=[after_five])
    assert len(out) == len(ids) + 5 and seen[-1] == [out]

    class Mine(Exception):
        pass

    def fail(input_ids, scores):
        raise Mine

    with pytest.raises(Mine):
        lm.generate(ids, stopping_criteria=[fail])
    assert lm.generate(ids, max_new_tokens=5) == out


def test_generation_config(checkpoint, tmp_path, cache):
    source = tmp_path / "model"
    shutil.copytree(checkpoint, source)
    model = AutoModelForCausalLM.from_pretrained(source)
    ids = [1, 5, 9]
    free = model.generate(ids, max_new_tokens=12)
    (source / "generation_config.json").write_text(
        json.dumps({"max_new_tokens": 12, "eos_token_id": [free[6], 2], "do_sample": True,
                    "temperature": 0.0001, "pad_token_id": 0, "transformers_version": "5.0"}))
    model = AutoModelForCausalLM.from_pretrained(source)
    assert model.generate(ids) == free[:7] or free.index(free[6], 3) < 6
    assert model.generate(ids, do_sample=False, eos_token_id=2) == free
    assert model.generate(ids, generation_config=GenerationConfig(max_new_tokens=2, eos_token_id=2)) == free[:5]
    assert model.generate(ids, {"max_new_tokens": 2}, eos_token_id=2, max_new_tokens=3) == free[:6]
    assert model.generation_config.max_new_tokens == 12 and model.generation_config.nothing is None
    out = model.generate([ids], max_new_tokens=4, return_dict_in_generate=True, eos_token_id=2)
    assert out.sequences == out["sequences"] == out[0] == [free[:7]]


@pytest.mark.parametrize(
    "arguments, kind, words",
    [
        ({"num_beams": 4}, xinglin.UnsupportedError, "num_return_sequences"),
        ({"logits_processor": [print]}, xinglin.UnsupportedError, "sequence_bias"),
        ({"no_repeat_ngram_size": 3}, xinglin.UnsupportedError, "repetition_penalty"),
        ({"assistant_model": object()}, xinglin.UnsupportedError, "prompt_lookup_num_tokens"),
        ({"output_scores": True}, xinglin.UnsupportedError, "logits"),
        ({"past_key_values": object()}, xinglin.UnsupportedError, "session"),
        ({"prefix_allowed_tokens_fn": print}, xinglin.UnsupportedError, "grammar"),
        ({"num_return_sequences": 2}, xinglin.UsageError, "do_sample"),
        ({"max_tokens": 3}, xinglin.UsageError, "max_new_tokens"),
        ({"max_length": 3}, xinglin.UsageError, "max_new_tokens"),
        ({"inputs": "text"}, xinglin.UsageError, "tokenizer"),
        ({"inputs": None}, xinglin.UsageError, "nothing was given"),
        ({"inputs": []}, xinglin.UsageError, "input_ids|-1|temperature"),
        ({"inputs": [[]]}, xinglin.UsageError, "without a single token"),
        ({"inputs": [[1.5, 2.5]]}, xinglin.UsageError, "integers"),
        ({"inputs": [[1, 5]], "attention_mask": [[1]]}, xinglin.UsageError, "shape"),
        ({"inputs": [[1, 5]], "attention_mask": [[0, 0]]}, xinglin.UsageError, "without a single"),
        ({"inputs": [1, 700]}, xinglin.UsageError, "700"),
        ({"inputs": [5] * 513, "max_new_tokens": 2}, xinglin.ContextFullError, "context="),
        ({"temperature": -1.0, "do_sample": True}, xinglin.UsageError, "input_ids|-1|temperature"),
        ({"streamer": BaseStreamer(), "inputs": [[1], [5]]}, xinglin.UsageError, "one by one"),
    ],
)
def test_generate_refusals(lm, arguments, kind, words):
    given = {"inputs": [1, 5, 9, 11], **arguments}
    with pytest.raises(kind, match=words):
        lm.generate(**given)


def test_forward(lm, model):
    ids = [1, 5, 9, 11]
    out = lm([ids])
    assert len(out.logits) == 1 and len(out.logits[0]) == 4 and len(out.logits[0][0]) == 512
    with xinglin.Engine(model) as engine, engine.session() as session:
        assert out.logits[0] == session.feed_all(ids).tolist()
    padded = lm([[0, 0] + ids, [1] * 6], attention_mask=[[0, 0, 1, 1, 1, 1], [1] * 6]).logits
    assert padded[0][2:] == out.logits[0] and set(padded[0][0]) == {0.0}
    assert lm(ids).logits == out.logits[0]
    with pytest.raises(xinglin.UnsupportedError, match="loss"):
        lm([ids], labels=[ids])
    with pytest.raises(xinglin.UsageError, match="pad"):
        lm([[1], [1, 5]])


def test_closed(model):
    lm = AutoModelForCausalLM.from_pretrained(model)
    lm.generate([1, 5])
    lm.close()
    lm.close()
    with pytest.raises(xinglin.ClosedError):
        lm.generate([1, 5])


def test_two_models_two_threads(model, checkpoint, cache):
    models = [
        AutoModelForCausalLM.from_pretrained(model),
        AutoModelForCausalLM.from_pretrained(checkpoint, load_in_4bit=True, cache_dir=cache),
    ]
    expected = [one.generate([1, 5], max_new_tokens=40) for one in models]
    found = {}

    def work(i):
        found[i] = [models[i % 2].generate([1, 5], max_new_tokens=40) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[i] == [expected[i % 2]] * 5 for i in range(4))


INTERRUPT = """
import os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job is born deaf to it
from xinglin.transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], threads=1)
print(len(model.generate([1, 5], max_new_tokens=8)))
try:
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    for _ in range(100000):
        model.generate([1, 5], max_new_tokens=500, eos_token_id=-1)
except KeyboardInterrupt:
    print("stopped", len(model.generate([1, 5], max_new_tokens=8)))
"""


def test_keyboard_interrupt(model):
    done = subprocess.run([sys.executable, "-c", INTERRUPT, model], capture_output=True, text=True,
                          timeout=300)
    assert done.stdout.split() == ["10", "stopped", "10"], done.stderr


# -- streamers -----------------------------------------------------------------------------------
def test_streamers(lm, tokenizer, capsys):
    ids = tokenizer.encode(PROMPT)
    out = lm.generate(ids, max_new_tokens=60)
    answer = tokenizer.decode(out[len(ids):], skip_special_tokens=True)
    lm.generate(ids, max_new_tokens=60, streamer=TextStreamer(tokenizer, skip_special_tokens=True))
    assert capsys.readouterr().out.strip() == tokenizer.decode(out, skip_special_tokens=True).strip()
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, timeout=300, skip_special_tokens=True)
    worker = threading.Thread(
        target=lm.generate, args=(ids,), kwargs={"max_new_tokens": 60, "streamer": streamer}
    )
    worker.start()
    pieces = list(streamer)
    worker.join()
    assert "".join(pieces).strip() == answer.strip() and len(pieces) > 20


def test_async_streamer(lm, tokenizer):
    import asyncio

    from xinglin.transformers import AsyncTextIteratorStreamer

    async def talk():
        ids = tokenizer.encode(PROMPT)
        streamer = AsyncTextIteratorStreamer(tokenizer, skip_prompt=True, timeout=300)
        worker = threading.Thread(
            target=lm.generate, args=(ids,), kwargs={"max_new_tokens": 30, "streamer": streamer}
        )
        worker.start()
        return "".join([piece async for piece in streamer])

    ids = tokenizer.encode(PROMPT)
    out = lm.generate(ids, max_new_tokens=30)
    assert asyncio.run(talk()).strip() == tokenizer.decode(out[len(ids):]).strip()


# -- AutoModel -----------------------------------------------------------------------------------
def test_auto_model(model, golden):
    with AutoModel.from_pretrained(model) as hidden, xinglin.Engine(model) as engine:
        states = hidden([[1, 5, 9]]).last_hidden_state
        assert len(states[0]) == 3 and len(states[0][0]) == 64
        last = engine.embed([[1, 5, 9]], pooling="last", normalize=False).tolist()
        assert states[0][2] == last[0]
        assert hidden.encode(["Once", "The dog"]) == engine.embed(["Once", "The dog"]).tolist()
        assert hidden.encode("Once") == engine.embed(["Once"]).tolist()[0]
        assert hidden.generate([1, 5], max_new_tokens=3)
    with AutoModel.from_pretrained(golden / "bert") as encoder:
        states = encoder([[1, 5, 9], [1, 7, 0]], attention_mask=[[1, 1, 1], [1, 1, 0]])
        rows = states.last_hidden_state
        assert len(rows) == 2 and set(rows[1][2]) == {0.0}
        mean = encoder.engine.embed([[1, 5, 9]], pooling="mean", normalize=False).tolist()[0]
        mine = [sum(column) / 3 for column in zip(*rows[0])]
        assert max(abs(a - b) for a, b in zip(mean, mine)) < 1e-5
        with pytest.raises(xinglin.UnsupportedError, match="embedding model"):
            encoder.generate([1, 5])
    with pytest.raises(xinglin.UnsupportedError, match="AutoModel"):
        AutoModelForCausalLM.from_pretrained(golden / "bert")


def test_grammar(lm, tokenizer):
    try:
        grammar = lm.engine.grammar_from_gbnf('root ::= "The " ("dog" | "cat") "."')
    except xinglin.UnsupportedError as problem:
        pytest.skip(str(problem))
    ids = tokenizer.encode(PROMPT)
    out = lm.generate(ids, max_new_tokens=30, grammar=grammar)
    text = tokenizer.decode(out[len(ids):], skip_special_tokens=True).strip()
    assert text in ("The dog.", "The cat.")
    with pytest.raises(xinglin.UsageError, match="min_new_tokens"):
        lm.generate(ids, min_new_tokens=5, grammar=grammar)
