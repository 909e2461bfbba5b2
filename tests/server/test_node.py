# SPDX-License-Identifier: Apache-2.0
"""OpenAI's Node SDK, pinned in node/package-lock.json; run_server_tests.py installs it."""
import os
import shutil
import subprocess

import pytest
from conftest import ROOT

FOLDER = ROOT / "build/node-server"


def test_openai_node(start, chat, vector_model):
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    if not (FOLDER / "node_modules/openai").is_dir():
        pytest.skip("the SDK could not be installed (npm, network?)")
    vectors = start(vector_model)
    shutil.copy(ROOT / "tests/server/node/check.mjs", FOLDER)
    done = subprocess.run(["node", "check.mjs"], cwd=FOLDER, capture_output=True, text=True, timeout=900,
                          env={**os.environ, "CHAT_URL": f"http://127.0.0.1:{chat.port}/v1",
                               "VECTOR_URL": f"http://127.0.0.1:{vectors.port}/v1"})
    print(done.stdout)
    assert done.returncode == 0 and done.stdout.count("ok ") >= 12, done.stdout + done.stderr
    chat.wait_metric("requests_running", 0)
