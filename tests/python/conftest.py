# SPDX-License-Identifier: Apache-2.0
"""Models for the tests: stories260K where it is there, and the random models of tests/golden."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SHARED = pathlib.Path(os.environ.get("XINGLIN_SHARED", ROOT / "../shared"))
BIN = pathlib.Path(os.environ.get("XINGLIN_BIN", ROOT / "build/release/bin"))


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    return ROOT


@pytest.fixture(scope="session")
def stories(tmp_path_factory):
    """A directory with stories260K as GGUF, safetensors and .pth."""
    source = SHARED / "data/stories260K"
    if not source.is_dir():
        pytest.skip("stories260K is not there")
    out = tmp_path_factory.mktemp("models") / "stories"
    subprocess.run(
        [sys.executable, ROOT / "tests/golden/stories260k.py", source, out],
        check=True,
        capture_output=True,
    )
    return out


@pytest.fixture(scope="session")
def model(stories) -> str:
    """A small llama with a tokenizer, as one file."""
    return str(stories / "stories260K.gguf")


@pytest.fixture(scope="session")
def golden() -> pathlib.Path:
    """Random models of every family without a tokenizer, with logits of transformers."""
    return ROOT / "tests/golden/models"


@pytest.fixture(scope="session")
def command():
    """Runs a command of the release build; returns its standard output."""
    if not (BIN / "llm-cli").exists():
        pytest.skip(f"{BIN} has no commands; build them first")

    def run(name: str, *arguments: object) -> str:
        done = subprocess.run(
            [BIN / name, *map(str, arguments)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=600,
            check=True,
        )
        return done.stdout

    return run


@pytest.fixture(scope="session")
def compiler() -> str:
    found = shutil.which("cc")
    if not found:
        pytest.skip("no C compiler")
    return found
