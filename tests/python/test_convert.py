# SPDX-License-Identifier: Apache-2.0
"""llm_convert: the twin of the command, byte for byte, with its errors as exceptions."""

import pathlib

import pytest

import xinglin
from xinglin import Engine, llm_convert


@pytest.mark.parametrize("kind, outtype", [("safetensors", "int4"), ("pth", "int8"), ("pth", "bf16")])
def test_equals_command(stories, command, tmp_path, kind, outtype):
    said = command("llm-convert", "-x", "llama", "-f", "auto", "-t", outtype, "-o", tmp_path / "c",
                   stories / kind).strip()
    mine = llm_convert(str(stories / kind), str(tmp_path / "python"), "llama", outtype)
    assert isinstance(mine, str) and pathlib.Path(mine).name == pathlib.Path(said).name
    assert pathlib.Path(mine).read_bytes() == pathlib.Path(said).read_bytes()
    with Engine(mine) as engine:
        assert engine.generate("Once upon a time", max_tokens=5).tokens


def test_the_names_of_old(stories, tmp_path):
    path = llm_convert(
        model=stories / "pth",
        outfile=tmp_path / "out",
        model_family="llama",
        outtype="int4",
        model_format="pth",
        tmp_path=tmp_path,
        tokenizer_path=None,
    )
    assert path.endswith(".gguf") and xinglin.inspect(path)["family"] == "llama"


def test_progress_and_cancelling(stories, tmp_path):
    seen = []
    llm_convert(stories / "pth", tmp_path, "llama", on_progress=lambda done, name: seen.append(done))
    assert seen and all(0 <= done <= 1 for done in seen) and seen == sorted(seen)
    out = tmp_path / "cancelled"
    with pytest.raises(xinglin.CancelledError):
        llm_convert(stories / "pth", out, "llama", on_progress=lambda done, name: True)

    def fail(done, name):
        raise KeyError(name)

    with pytest.raises(KeyError):
        llm_convert(stories / "pth", out, "llama", on_progress=fail)
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments, kind, words",
    [
        ({"model": "/nonexistent"}, xinglin.NotFoundError, "/nonexistent"),
        ({"model_family": "qwen2"}, xinglin.UsageError, "llama"),
        ({"outtype": "int3"}, xinglin.UsageError, "sym_int4"),
        ({"model_format": "gptq"}, xinglin.UnsupportedError, "original checkpoint"),
        ({"model_format": "exe"}, xinglin.UsageError, "safetensors"),
        ({"outfile": "/nonexistent/a/b"}, xinglin.NotFoundError, "parent"),
        ({"model": 3}, xinglin.UsageError, "path"),
    ],
)
def test_refusals(stories, tmp_path, arguments, kind, words):
    given = {
        "model": stories / "pth",
        "outfile": tmp_path / "out",
        "model_family": "llama",
        **arguments,
    }
    with pytest.raises(kind, match=words):
        llm_convert(**given)
    assert not (tmp_path / "out").exists()


def test_inspect(model):
    found = xinglin.inspect(model)
    assert found["format"] == "gguf" and len(found["tensors"]) > 10
    with pytest.raises(xinglin.NotFoundError):
        xinglin.inspect("/nonexistent.gguf")
