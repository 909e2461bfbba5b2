# SPDX-License-Identifier: Apache-2.0
"""Real servers on free ports, one for each set of flags, and models that are small."""
import signal
import subprocess
import sys

import pytest
from server_process import (  # noqa: F401 (tests import them from here)
    CACHE, INPUTS, JSON, PROGRAM, ROOT, SHARED, Reply, Server, input_model, new_key)

collect_ignore = ["test_page.py"]  # a program of its own: it needs a browser and no server


@pytest.fixture(scope="session")
def stories(tmp_path_factory):
    """stories260K as GGUF: text without a chat template, thousands of tokens a second."""
    source = SHARED / "data/stories260K"
    if not source.is_dir():
        pytest.skip("stories260K is not there")
    out = tmp_path_factory.mktemp("models") / "stories"
    subprocess.run([sys.executable, ROOT / "tests/golden/stories260k.py", source, out], check=True,
                   capture_output=True)
    return out / "stories260K.gguf"


@pytest.fixture(scope="session")
def chat_model():
    return input_model("smollm2-135m-instruct-q4_1.gguf")


@pytest.fixture(scope="session")
def vector_model():
    return input_model("all-minilm-l6-v2")


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts servers; all end with the module."""
    folder, servers = tmp_path_factory.mktemp("server"), []

    def begin(model, *flags, **options):
        servers.append(Server(folder, model, *flags, **options))
        return servers[-1]

    yield begin
    for server in servers:
        server.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def plain(start, stories):
    """Loopback, no keys, stories260K."""
    return start(stories)


@pytest.fixture(scope="module")
def chat(start, chat_model):
    """Loopback, no keys, a chat model."""
    return start(chat_model, "--context", "2048")
