# SPDX-License-Identifier: Apache-2.0
"""xinglin.qat: what training computes with is what llm-convert stores, bit for bit."""

import copy
import json
import math

import pytest

import xinglin
from gguf_tensors import read_tensors, values_of
from xinglin import Engine, llm_convert

torch = pytest.importorskip("torch")

from xinglin import qat  # noqa: E402  (needs torch)

LINEAR_TYPES = {"sym_int4": "q4_0", "asym_int4": "q4_1", "sym_int8": "q8_0"}
ALL_TYPES = ["sym_int4", "asym_int4", "sym_int5", "asym_int5", "sym_int8", "fp16", "bf16"]


@pytest.fixture(autouse=True)
def one_thread():
    """The matrices are too small for torch's threads to help."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def awkward_rows():
    """Rows on which searches for scales disagree most easily."""
    generator = torch.Generator().manual_seed(3)
    rows = torch.randn(96, 256, generator=generator)
    rows[10:20] *= 10.0 ** torch.arange(-8, 2).unsqueeze(1)
    rows[20] = 0
    rows[21] = 0.1
    rows[22] = torch.arange(256) % 32 - 16
    rows[23] = (torch.arange(256) % 3).float() * 0.013671875
    rows[24] = 1000 + 1e-3 * rows[24]
    rows[25, 7] = 1e4
    rows[26] = torch.where(torch.arange(256) % 32 == 0, 1.0, 0.0)
    rows[27] = 2.0**-24 * (torch.arange(256) % 50)
    rows[28] = 30000 * rows[28].sign()
    rows[29:60] = rows[29:60].bfloat16().float()
    rows[60:80] *= 0.02
    return rows


@pytest.mark.parametrize("is_output", [False, True])
@pytest.mark.parametrize("low_bit", ALL_TYPES)
def test_twice_is_once(low_bit, is_output):
    rows = awkward_rows()
    once = qat.quantized_values(rows, low_bit, is_output=is_output)
    assert once.dtype == torch.float32 and once.shape == rows.shape
    assert torch.equal(qat.quantized_values(once, low_bit, is_output=is_output), once)
    assert not torch.equal(once, rows) and (once[30:60] - rows[30:60]).abs().max() < 0.5
    many = rows.repeat(40, 1)  # by several threads
    assert torch.equal(qat.quantized_values(many, low_bit, is_output=is_output), once.repeat(40, 1))


def test_straight_through():
    torch.manual_seed(1)
    layer = qat.FakeQuantLinear(64, 5, low_bit="sym_int4")
    inputs = torch.randn(7, 64)
    values = qat.quantized_values(layer.weight)
    plain = torch.nn.Linear(64, 5)
    plain.weight.data, plain.bias.data = values.clone(), layer.bias.data.clone()
    for one in (layer, plain):
        one(inputs).square().sum().backward()
    assert torch.equal(layer(inputs), plain(inputs))
    assert torch.equal(layer.weight.grad, plain.weight.grad)
    assert torch.equal(layer.bias.grad, plain.bias.grad)
    weight = layer.weight.detach().clone().requires_grad_()
    qat.fake_quantize(weight).sum().backward()
    assert torch.equal(weight.grad, torch.ones_like(weight))


def test_changes_are_seen():
    """Whatever way weights change, the next pass rounds the new ones."""
    layer = qat.FakeQuantLinear(32, 4, bias=False)
    for change in (
        lambda: layer.weight.data.mul_(-1.5),
        lambda: layer.weight.data.copy_(torch.randn(4, 32)),
        lambda: setattr(layer.weight, "data", torch.randn(4, 32)),
        lambda: layer.load_state_dict({"weight": torch.randn(4, 32)}),
    ):
        layer(torch.ones(1, 32))
        change()
        assert torch.equal(layer.quantized_weight(), qat.quantized_values(layer.weight))
    other = copy.deepcopy(layer)
    other.weight.data.zero_()
    assert other.quantized_weight().abs().max() == 0 < layer.quantized_weight().abs().max()


def train(model, inputs, wanted, rate, n_steps):
    """The loss after a training of so many steps."""
    optimizer = torch.optim.Adam(model.parameters(), rate)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    for _ in range(n_steps):
        optimizer.zero_grad()
        (model(inputs) - wanted).square().mean().backward()
        optimizer.step()
        slower.step()
    return (model(inputs) - wanted).square().mean().item()


def test_training_on_the_grid_beats_rounding_afterwards():
    torch.manual_seed(5)
    inputs = torch.randn(256, 32)
    wanted = torch.sin(inputs @ torch.randn(32, 4))
    model = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.Tanh(), torch.nn.Linear(64, 4))
    train(model, inputs, wanted, 1e-2, 300)
    afterwards = qat.convert(qat.prepare(copy.deepcopy(model), "sym_int4"))
    assert type(afterwards[0]) is torch.nn.Linear
    rounded = (afterwards(inputs) - wanted).square().mean().item()
    trained = train(qat.prepare(model, "sym_int4"), inputs, wanted, 3e-4, 150)
    assert trained < 0.7 * rounded, (trained, rounded)


def step(model, vocabulary):
    """One step of training on random tokens."""
    ids = torch.randint(0, vocabulary, (2, 9), generator=torch.Generator().manual_seed(2))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    model.train()
    model(input_ids=ids, labels=ids).loss.backward()
    optimizer.step()
    return model.eval()


def make_model(family, tied):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(7)
    sizes = {
        "vocab_size": 512,
        "hidden_size": 256,
        "intermediate_size": 288,  # no multiple of 256
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 64,
        "max_position_embeddings": 64,
        "tie_word_embeddings": tied,
    }
    names = {"llama": "Llama", "qwen2": "Qwen2", "gemma3": "Gemma3Text"}
    config = getattr(transformers, names[family] + "Config")(**sizes)
    if family == "gemma3":
        config.architectures = ["Gemma3ForCausalLM"]
        return transformers.Gemma3ForCausalLM(config)
    return getattr(transformers, names[family] + "ForCausalLM")(config)


@pytest.mark.parametrize(
    "family, tied, low_bit",
    [("llama", False, kind) for kind in LINEAR_TYPES]
    + [("qwen2", True, "sym_int4"), ("gemma3", True, "asym_int4")],
)
def test_export_converts_without_loss(stories, tmp_path, family, tied, low_bit):
    model = make_model(family, tied)
    names = list(model.state_dict())
    n_linear = sum(type(module) is torch.nn.Linear for module in model.modules())
    assert qat.prepare(model, low_bit) is model and list(model.state_dict()) == names
    prepared = [m for m in model.modules() if hasattr(m, "quantized_weight")]
    assert len(prepared) == n_linear + 1  # and the embedding
    step(model, 512)
    qat.export(model, tmp_path / "trained")
    full = {name: value for name, value in model.state_dict().items()}
    model.save_pretrained(tmp_path / "full", state_dict=full)  # what training keeps underneath
    files = [
        llm_convert(tmp_path / name, tmp_path / f"{name}-gguf", None, low_bit,
                    tokenizer_path=stories / "safetensors")
        for name in ("trained", "full")
    ]
    trained, kept = map(read_tensors, files)
    assert trained == kept  # types, shapes and every byte
    quantized = [name for name, found in trained.items() if found[0] == LINEAR_TYPES[low_bit]]
    assert len(quantized) >= 14 and not [n for n in trained if "rounding" in n]
    layers = model.model.layers if hasattr(model.model, "layers") else model.model.model.layers
    for i, layer in enumerate(layers):
        for name, module in (("ffn_down", layer.mlp.down_proj), ("attn_v", layer.self_attn.v_proj)):
            said = values_of(*trained[f"blk.{i}.{name}.weight"])
            assert torch.equal(torch.from_numpy(said), module.quantized_weight())
    norms = [name for name, found in trained.items() if "norm" in name]
    assert norms and all(trained[name][0] == "f32" for name in norms)


def test_engine_computes_what_training_computed(tmp_path):
    """The exported checkpoint in the engine, in float32, against the prepared model in torch."""
    model = qat.prepare(make_model("llama", False), "sym_int4")
    step(model, 512)
    ids = [5, 17, 80, 3, 44, 9]
    qat.export(model, tmp_path)
    with torch.no_grad():
        wanted = model(input_ids=torch.tensor([ids])).logits[0]
    with Engine(tmp_path) as engine, engine.session() as session:
        mine = torch.tensor(session.feed_all(ids).tolist())
    assert (mine - wanted).abs().max() < 2e-4 * wanted.abs().max()
    qat.convert(model)
    with torch.no_grad():
        assert torch.equal(model(input_ids=torch.tensor([ids])).logits[0], wanted)


def test_modules_left_alone(stories, tmp_path):
    model = make_model("llama", False)
    qat.prepare(model, "sym_int4", modules_to_not_convert=["q_proj"], embeddings=False)
    layer = model.model.layers[0]
    assert type(layer.self_attn.q_proj) is torch.nn.Linear
    assert type(model.model.embed_tokens) is torch.nn.Embedding
    assert isinstance(layer.self_attn.k_proj, qat.FakeQuantLinear)
    assert "low_bit='sym_int4'" in repr(layer.self_attn.k_proj)
    before = layer.self_attn.q_proj.weight.detach().clone()
    qat.export(model, tmp_path / "out")
    path = llm_convert(tmp_path / "out", tmp_path / "gguf", None, "sym_int4", keep=["q_proj"],
                       tokenizer_path=stories / "safetensors")
    tensors = read_tensors(path)
    assert tensors["blk.0.attn_q.weight"][0] == "f32" and tensors["blk.0.attn_k.weight"][0] == "q4_0"
    assert torch.equal(layer.self_attn.q_proj.weight, before)


def test_modules_of_ones_own(stories, tmp_path):
    """No transformers: names of a checkpoint, its config.json beside it."""

    class Mine(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.one = torch.nn.Linear(64, 32, bias=False)
            self.other = torch.nn.Linear(64, 32, bias=False)
            self.other.weight = self.one.weight
            self.scale = torch.nn.Parameter(torch.ones(3, dtype=torch.bfloat16))

    model = qat.prepare(Mine(), "sym_int8")
    qat.export(model, tmp_path / "out", source=stories / "safetensors")
    data = (tmp_path / "out/model.safetensors").read_bytes()
    n = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + n])
    assert header.pop("__metadata__") == {"format": "pt"}
    assert header["scale"]["dtype"] == "BF16" and set(header) == {"one.weight", "scale"}
    first, last = header["one.weight"]["data_offsets"]
    stored = torch.frombuffer(bytearray(data[8 + n + first : 8 + n + last]), dtype=torch.float32)
    assert torch.equal(stored.view(32, 64), model.one.quantized_weight())
    assert (tmp_path / "out/config.json").is_file()
    tensors = xinglin.inspect(tmp_path / "out")["tensors"]
    assert [t["shape"] for t in tensors if t["name"] == "one.weight"]


@pytest.mark.parametrize(
    "call, kind, words",
    [
        (lambda m, p: qat.prepare(m, "q4_k_m"), xinglin.UnsupportedError, "sym_int4"),
        (lambda m, p: qat.prepare(m, "int3"), xinglin.UsageError, "int3"),
        (lambda m, p: qat.prepare(torch.nn.ReLU()), xinglin.UsageError, "no linear layers"),
        (lambda m, p: qat.prepare(qat.prepare(m)), xinglin.UsageError, "already"),
        (lambda m, p: qat.export(m, p), xinglin.UsageError, "prepare"),
        (lambda m, p: qat.export(qat.prepare(m), p), xinglin.UsageError, "source="),
        (lambda m, p: qat.export(qat.prepare(m), p, source=p), xinglin.UsageError, "config.json"),
        (lambda m, p: qat.quantized_values(torch.ones(32)), xinglin.UsageError, "two dimensions"),
        (
            lambda m, p: qat.quantized_values(torch.full((2, 32), math.nan)),
            xinglin.BadInputError,
            "NaN",
        ),
        (
            lambda m, p: qat.quantized_values(torch.full((2, 32), 1e30)),
            xinglin.BadInputError,
            "q4_0 ends at",
        ),
    ],
)
def test_refusals(tmp_path, call, kind, words):
    model = torch.nn.Sequential(torch.nn.Linear(32, 32))
    with pytest.raises(kind, match=words):
        call(model, tmp_path)


def test_widths_that_blocks_do_not_divide():
    """The converter stores half floats then, and so does the grid."""
    weight = torch.randn(4, 20)
    assert torch.equal(qat.quantized_values(weight), weight.half().float())
    assert qat.quantized_values(torch.empty(0, 32)).shape == (0, 32)
