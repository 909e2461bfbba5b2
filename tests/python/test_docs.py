# SPDX-License-Identifier: Apache-2.0
"""Every Python block of docs/PYTHON.md runs, each in a process of its own."""

import ast
import builtins
import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import pytest

import xinglin

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
MODELS = pathlib.Path(os.environ.get("XINGLIN_INPUTS", CACHE / "xinglin/inputs")) / "models"
NAMES = {"model.gguf": "qwen2.5-coder-0.5b-instruct-q4.gguf", "encoder": "all-minilm-l6-v2"}


def blocks():
    """(name of the section, number in it, text)"""
    found, section, n = [], "", 0
    text = (ROOT / "docs/PYTHON.md").read_text(encoding="utf-8")
    for match in re.finditer(r"^## ([^\n]+)$|^```python\n(.*?)^```$", text, re.M | re.S):
        if match.group(1):
            section, n = match.group(1).split()[0].lower().strip(","), 0
        else:
            n += 1
            found.append(pytest.param(match.group(2), id=f"{section}-{n}"))
    return found


def modules_of(text):
    """What it imports from outside."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.split(".")[0])
            if node.module.startswith("xinglin.langchain"):
                names.add("langchain_core")
    return names - {"xinglin"}


@pytest.mark.parametrize("text", blocks())
def test_block(text, stories, tmp_path):
    missing = [name for name in modules_of(text) if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(sorted(missing))} is not installed")
    (tmp_path / "checkpoint").symlink_to(stories / "safetensors")
    for name, model in NAMES.items():
        if f'"{name}"' not in text:
            continue
        if not (MODELS / model).exists():
            pytest.skip(f"{MODELS / model} is absent; scripts/fetch-inputs brings it")
        (tmp_path / name).symlink_to(MODELS / model)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_tables_name_what_exists():
    """Exceptions that the page names are there."""
    text = (ROOT / "docs/PYTHON.md").read_text(encoding="utf-8")
    for name in re.findall(r"`(\w+Error)`", text):
        assert hasattr(xinglin, name) or hasattr(builtins, name), name
    assert len(blocks()) >= 13
