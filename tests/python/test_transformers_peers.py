# SPDX-License-Identifier: Apache-2.0
"""xinglin.transformers against torch and transformers: the same ids, and their objects work here."""

import json
import os
import pathlib
import shutil
import sys
import threading

import pytest

import xinglin
from xinglin.transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
numpy = pytest.importorskip("numpy")
processors = pytest.importorskip("tokenizers").processors
transformers.logging.set_verbosity_error()

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
FAMILIES = sorted(
    path.name for path in (GOLDEN / "models").iterdir()
    if not path.name.startswith("bert") and not path.name.endswith(("bf16", "multimodal"))
)
PROMPT = "Once upon a time"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A random model and a tokenizer that both libraries read."""
    directory = tmp_path_factory.mktemp("hf")
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=955, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=256, initializer_range=0.3,
        bos_token_id=1, eos_token_id=2, pad_token_id=None)
    transformers.LlamaForCausalLM(config).save_pretrained(directory)
    shutil.copyfile(GOLDEN / "tokenizers/llama_like.json", directory / "tokenizer.json")
    (directory / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>", "bos_token": "<s>",
        "eos_token": "</s>"}))
    return directory


@pytest.fixture(scope="module")
def pair(checkpoint):
    """The same model here and there, in float32."""
    theirs = transformers.AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    with AutoModelForCausalLM.from_pretrained(checkpoint) as mine:
        yield mine, theirs.eval()


@pytest.fixture(scope="module")
def tokenizers(checkpoint):
    return (AutoTokenizer.from_pretrained(checkpoint),
            transformers.AutoTokenizer.from_pretrained(checkpoint))


@pytest.mark.parametrize("name", FAMILIES)
def test_greedy_ids_of_every_family(name):
    """Float32 models with random weights: any error in the network changes the ids."""
    directory = GOLDEN / "models" / name
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    mine = AutoModelForCausalLM.from_pretrained(directory)
    tokens = list(memoryview((directory / "tokens.bin").read_bytes()).cast("i"))
    for prompt in (tokens[:3], tokens[:17], tokens):
        ids = torch.tensor([prompt])
        expected = theirs.generate(ids, max_new_tokens=40, do_sample=False)
        found = mine.generate(ids, max_new_tokens=40, do_sample=False)
        assert found.dtype == torch.int64 and found.tolist() == expected.tolist()
        logits = mine(ids).logits
        with torch.no_grad():
            assert torch.allclose(logits, theirs(ids).logits, rtol=1e-3, atol=2e-3)
    width = 17
    batch = [[0] * (width - 5) + tokens[:5], tokens[:width], [0] * 4 + tokens[4:width]]
    mask = [[0] * (width - 5) + [1] * 5, [1] * width, [0] * 4 + [1] * (width - 4)]
    arguments = dict(attention_mask=torch.tensor(mask), max_new_tokens=12, pad_token_id=0)
    expected = theirs.generate(torch.tensor(batch), do_sample=False, **arguments)
    assert mine.generate(torch.tensor(batch), **arguments).tolist() == expected.tolist()
    mine.close()


def test_kinds_of_arrays(pair):
    mine, _ = pair
    listed = mine.generate([[1, 5, 9]], max_new_tokens=6)
    for dtype in (torch.int64, torch.int32):
        out = mine.generate(torch.tensor([[1, 5, 9]], dtype=dtype), max_new_tokens=6)
        assert torch.is_tensor(out) and out.tolist() == listed
    out = mine.generate(input_ids=numpy.array([[1, 5, 9]]), max_new_tokens=6)
    assert isinstance(out, numpy.ndarray) and out.dtype == numpy.int64 and out.tolist() == listed
    assert mine.generate(numpy.array([1, 5, 9]), max_new_tokens=6).shape == (9,)
    assert torch.is_tensor(mine.generate([torch.tensor([1, 5, 9])], max_new_tokens=6))
    logits = mine([[1, 5, 9]]).logits
    assert torch.equal(mine(torch.tensor([[1, 5, 9]])).logits, torch.tensor(logits))
    assert numpy.array_equal(mine(numpy.array([[1, 5, 9]])).logits, numpy.array(logits, "f"))
    assert mine.device == torch.device("cpu") and mine.dtype == torch.float32
    assert mine.to(torch.bfloat16).to("cpu") is mine
    with pytest.raises(xinglin.UnsupportedError):
        mine.to("cuda")


def test_the_snippet_with_their_tokenizer(checkpoint, tmp_path):
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForCausalLM.from_pretrained(
        str(checkpoint), load_in_4bit=True, cache_dir=tmp_path, torch_dtype=torch.float16
    )
    input_ids = tokenizer.encode(PROMPT, return_tensors="pt")
    output_ids = model.generate(input_ids, max_new_tokens=32)
    output = tokenizer.batch_decode(output_ids, skip_special_tokens=True)
    assert output[0].startswith(PROMPT) and len(output[0]) > 40
    tokenizer.pad_token = tokenizer.unk_token
    batch = tokenizer([PROMPT, "The dog"], return_tensors="pt", padding=True, padding_side="left")
    rows = model.generate(**batch, max_new_tokens=8)
    assert rows.shape == (2, batch["input_ids"].shape[1] + 8) and torch.is_tensor(rows)


def test_their_streamers(pair, tokenizers, capsys):
    mine, theirs = pair
    _, tokenizer = tokenizers
    ids = tokenizer.encode(PROMPT, return_tensors="pt")
    for model in (theirs, mine):
        model.generate(ids, max_new_tokens=40, do_sample=False,
                       streamer=transformers.TextStreamer(tokenizer, skip_prompt=True))
    said = capsys.readouterr().out
    assert said[: len(said) // 2] == said[len(said) // 2 :] and len(said) > 60
    for own in tokenizers:
        streamer = transformers.TextIteratorStreamer(own, skip_prompt=True, timeout=300)
        worker = threading.Thread(
            target=mine.generate, args=(ids,), kwargs={"max_new_tokens": 40, "streamer": streamer}
        )
        worker.start()
        out = mine.generate(ids, max_new_tokens=40)[0, ids.shape[1]:]
        assert "".join(streamer).strip() == own.decode(out).strip()
        worker.join()


def test_their_stopping_criteria(pair, tokenizers):
    mine, theirs = pair
    _, tokenizer = tokenizers
    ids = tokenizer.encode(PROMPT, return_tensors="pt")

    class Odd(transformers.StoppingCriteria):
        def __call__(self, input_ids, scores, **kwargs):
            return torch.tensor([input_ids.shape[1] >= 13] * input_ids.shape[0])

    free = tokenizer.decode(mine.generate(ids, max_new_tokens=40)[0, ids.shape[1]:])
    word = free[15:18]
    for one in (Odd(), transformers.generation.MaxLengthCriteria(11),
                transformers.generation.StopStringCriteria(tokenizer, [word])):
        criteria = transformers.StoppingCriteriaList([one])
        expected = theirs.generate(ids, max_new_tokens=40, do_sample=False, stopping_criteria=criteria)
        found = mine.generate(ids, max_new_tokens=40, stopping_criteria=criteria)
        assert found.tolist() == expected.tolist() and found.shape[1] < ids.shape[1] + 40
        if one.__class__ is Odd:
            assert mine.generate(ids.tolist(), max_new_tokens=40, stopping_criteria=criteria)
    stopped = [model.generate(ids, max_new_tokens=40, do_sample=False, stop_strings=[word],
                              tokenizer=tokenizer).tolist() for model in pair]
    assert stopped[0] == stopped[1]


def test_their_generation_config(pair):
    mine, theirs = pair
    ids = torch.tensor([[1, 5, 9]])
    config = transformers.GenerationConfig(max_new_tokens=7, eos_token_id=2, pad_token_id=0)
    assert mine.generate(ids, config).tolist() == theirs.generate(ids, config).tolist()
    assert mine.generate(ids).tolist() == theirs.generate(ids).tolist()  # 20 new tokens
    for penalty in (1.1, 1.5):
        arguments = dict(max_new_tokens=30, repetition_penalty=penalty, do_sample=False)
        assert mine.generate(ids, **arguments).tolist() == theirs.generate(ids, **arguments).tolist()
    arguments = dict(max_new_tokens=30, min_new_tokens=15, eos_token_id=[13, 403], do_sample=False)
    assert mine.generate(ids, **arguments).tolist() == theirs.generate(ids, **arguments).tolist()
    ban = dict(max_new_tokens=12, do_sample=False, suppress_tokens=[403, 261],
               bad_words_ids=[[263]], sequence_bias={(338,): 2.0})
    assert mine.generate(ids, **ban).tolist() == theirs.generate(ids, **ban).tolist()
    torch.manual_seed(5)
    one = mine.generate(ids, do_sample=True)
    torch.manual_seed(5)
    assert torch.equal(mine.generate(ids, do_sample=True), one)


@pytest.mark.parametrize("name", ["bert", "bert-masked"])
def test_hidden_states(name):
    directory = GOLDEN / "models" / name
    try:
        theirs = transformers.AutoModel.from_pretrained(directory, attn_implementation="eager")
    except Exception as problem:
        pytest.skip(f"transformers does not load it: {problem}")
    mine = AutoModel.from_pretrained(directory)
    ids = torch.tensor([[3, 9, 27, 81, 5], [1, 7, 9, 0, 0]])
    mask = torch.tensor([[1] * 5, [1, 1, 1, 0, 0]])
    with torch.no_grad():
        expected = theirs(ids, attention_mask=mask).last_hidden_state
    found = mine(ids, attention_mask=mask, token_type_ids=torch.zeros_like(ids)).last_hidden_state
    assert found.shape == expected.shape
    assert torch.allclose(found * mask[..., None], expected * mask[..., None], atol=2e-4)


def test_hidden_states_of_a_causal_model(checkpoint):
    theirs = transformers.AutoModel.from_pretrained(checkpoint, dtype=torch.float32)
    mine = AutoModel.from_pretrained(checkpoint)
    ids = torch.tensor([[1, 5, 9, 300]])
    with torch.no_grad():
        expected = theirs(ids).last_hidden_state
    assert torch.allclose(mine(ids).last_hidden_state, expected, atol=2e-4)


# -- tokenizers ----------------------------------------------------------------------------------
INPUTS = pathlib.Path(os.environ.get("XINGLIN_INPUTS", pathlib.Path(
    os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "xinglin/inputs"))
TOKENIZERS = ["qwen3", "llama3_1", "gemma3", "deepseek_v3", "gpt4o"]


def texts():
    sys.path.insert(0, str(GOLDEN.parent / "oracle"))
    from tokenizer_texts import TEXTS

    return list(TEXTS) + ["入院记录：患者，男，65岁。", "  two  spaces\n\n", "a\tb"]


@pytest.fixture(scope="module", params=TOKENIZERS + ["all-minilm-l6-v2"])
def both(request):
    for folder in ("tokenizers", "models"):
        directory = INPUTS / folder / request.param
        if directory.is_dir():
            break
    else:
        pytest.skip(f"{request.param} is not in {INPUTS}")
    theirs = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(directory / "tokenizer.json"), **special(directory))
    theirs.backend_tokenizer.no_truncation()
    theirs.backend_tokenizer.no_padding()
    if json.loads((directory / "tokenizer_config.json").read_text()).get("add_bos_token"):
        theirs.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{theirs.bos_token} $A",
            special_tokens=[(theirs.bos_token, theirs.bos_token_id)])
    return AutoTokenizer.from_pretrained(directory), theirs


def special(directory):
    config = json.loads((directory / "tokenizer_config.json").read_text())
    names = ("bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token")
    found = {name: config.get(name) for name in names}
    return {name: value["content"] if isinstance(value, dict) else value
            for name, value in found.items() if value}


def test_the_same_ids(both):
    mine, theirs = both
    for text in texts():
        assert mine.encode(text) == theirs.encode(text), text
        plain = theirs.encode(text, add_special_tokens=False)
        assert mine.encode(text, add_special_tokens=False) == plain, text
        assert mine.convert_ids_to_tokens(plain) == theirs.convert_ids_to_tokens(plain), text
    found = mine(texts()[:20])
    assert found["input_ids"] == theirs(texts()[:20])["input_ids"]


def test_the_same_text(both):
    mine, theirs = both
    clean = {"clean_up_tokenization_spaces": False}
    for text in texts():
        ids = theirs.encode(text)
        for skip in (False, True):
            expected = theirs.decode(ids, skip_special_tokens=skip, **clean)
            assert mine.decode(ids, skip_special_tokens=skip, **clean).strip() == expected.strip(), text


def test_special_tokens(both):
    mine, theirs = both
    for name in ("bos", "eos", "pad", "unk", "sep", "cls", "mask"):
        expected = getattr(theirs, f"{name}_token_id")
        if expected is not None:
            assert getattr(mine, f"{name}_token_id") == expected, name
            assert getattr(mine, f"{name}_token") == getattr(theirs, f"{name}_token")
    assert mine.convert_tokens_to_ids(theirs.convert_ids_to_tokens([5, 77, 300])) == [5, 77, 300]


def test_padding_and_truncation(both):
    mine, theirs = both
    if mine.pad_token_id is None:
        mine.pad_token = mine.eos_token
        theirs.pad_token = theirs.eos_token
    some = ["a short one", "a text that is quite a bit longer than the first", "入院记录"]
    for side in ("left", "right"):
        mine.padding_side = theirs.padding_side = side
        for options in (
            {"padding": True}, {"padding": "max_length", "max_length": 24},
            {"padding": True, "truncation": True, "max_length": 6},
            {"padding": True, "pad_to_multiple_of": 8},
            {"padding": True, "add_special_tokens": False},
        ):
            for kind in ("pt", "np"):
                one, other = (t(some, return_tensors=kind, **options) for t in both)
                for name in ("input_ids", "attention_mask"):
                    assert one[name].dtype == other[name].dtype
                    assert one[name].tolist() == other[name].tolist(), (side, options)
    with pytest.raises(xinglin.UsageError, match="padding=True"):
        mine(some, return_tensors="pt")


def test_chat_templates(both):
    mine, theirs = both
    if not mine.chat_template:
        pytest.skip("no chat template")
    theirs.chat_template = mine.chat_template
    talk = [{"role": "user", "content": "体温38.5℃，怎么办？"},
            {"role": "assistant", "content": "Rest."}, {"role": "user", "content": "And?"}]
    for options in ({"add_generation_prompt": True}, {"add_generation_prompt": False}):
        expected = theirs.apply_chat_template(talk, tokenize=False, **options)
        assert mine.apply_chat_template(talk, tokenize=False, **options) == expected
        ids = theirs(expected, add_special_tokens=False)["input_ids"]
        assert mine.apply_chat_template(talk, **options) == ids
    tensor = mine.apply_chat_template(talk, return_tensors="pt", return_dict=True)
    assert tensor["input_ids"].shape == (1, len(ids))
