# SPDX-License-Identifier: Apache-2.0
"""Runs llama.cpp's own server tests (llama_suite.py); every one of theirs is a line of the log."""
import os
import re
import subprocess
import sys

import pytest
from conftest import INPUTS, PROGRAM, ROOT

SUITE = INPUTS / "llama.cpp/tools/server/tests"


def test_llama_suite(stories, chat_model, vector_model, tmp_path):
    if not (SUITE / "utils.py").is_file():
        pytest.skip("the tests of llama.cpp are not there (scripts/fetch-inputs)")
    environment = {**os.environ, "XINGLIN_BIN": str(PROGRAM.parent), "XINGLIN_STORIES": str(stories),
                   "XINGLIN_CHAT": str(chat_model), "XINGLIN_VECTORS": str(vector_model),
                   "XINGLIN_SCRATCH": str(tmp_path), "PORT": "18089",
                   "PYTHONPATH": f"{ROOT / 'tests/server'}:{SUITE}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-m", "pytest", "-p", "llama_suite", "-p", "no:cacheprovider",
                           "-q", "-rfE", "--tb=short", "-m", "not slow", "--rootdir", SUITE, SUITE / "unit"],
                          env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=1200)
    print(done.stdout[-20000:], done.stderr[-2000:])
    passed = re.search(r"(\d+) passed", done.stdout)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert int(passed.group(1)) >= 60
