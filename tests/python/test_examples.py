# SPDX-License-Identifier: Apache-2.0
"""The programs of examples/python run and say something sensible."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
MODELS = pathlib.Path(os.environ.get("XINGLIN_INPUTS", CACHE / "xinglin/inputs")) / "models"
CHAT = MODELS / "qwen2.5-coder-0.5b-instruct-q4.gguf"
ENCODER = MODELS / "all-minilm-l6-v2"
DOCUMENTS = ROOT / "examples/documents"


def run(name: str, *arguments: object, stdin: str = "") -> str:
    if not CHAT.exists():
        pytest.skip(f"{CHAT} is absent; scripts/fetch-inputs brings it")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", ROOT / "examples/python" / name, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_chat_in_4_bits():
    pytest.importorskip("xinglin.transformers")
    said = run("chat_in_4_bits.py", CHAT, "What is hypertension? Answer in one sentence.")
    assert "blood pressure" in said.lower() and "im_start" not in said


@pytest.mark.parametrize(
    "document, question, answer",
    [
        ("insulin_storage.txt", "How many days may an opened pen be kept?", "28"),
        ("discharge_summary.txt", "氨氯地平的剂量是多少毫克？", "5"),
    ],
)
def test_document_qa(document, question, answer):
    pytest.importorskip("langchain_classic", reason="langchain-classic is not installed")
    said = run("document_qa.py", CHAT, DOCUMENTS / document, question)
    assert answer in said and len(said) < 300 and "Question" not in said


def test_hospital_rag():
    pytest.importorskip("langchain_core", reason="langchain-core is not installed")
    pytest.importorskip("faiss", reason="faiss-cpu is not installed")
    if not ENCODER.exists():
        pytest.skip(f"{ENCODER} is absent; scripts/fetch-inputs brings it")
    question = "Which extension is called if the temperature rises during a transfusion?"
    said = run("hospital_rag.py", CHAT, ENCODER, DOCUMENTS, question)
    assert said.rstrip().endswith("Source: blood_transfusion.txt") and "6120" in said


def test_streaming_chat():
    pytest.importorskip("langchain_core", reason="langchain-core is not installed")
    said = run("streaming_chat.py", CHAT, stdin="My name is Lin.\nWhat is my name?\n")
    first, second = said.split("> ")[1:3]
    assert first.strip() and "Lin" in second
