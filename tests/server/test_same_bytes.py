# SPDX-License-Identifier: Apache-2.0
"""The same seed gives the same bytes: alone, among others, after a restart, with a known beginning in
memory, on disk or with none."""
import subprocess
import threading

import pytest
from conftest import PROGRAM

TALE = "Once upon a time there was a little girl who lived in a small house near the sea. " * 10
ASKED = {"prompt": TALE, "max_tokens": 60, "temperature": 1, "seed": 77, "ignore_eos": True}


def text_of(server, **fields):
    reply = server.post("/v1/completions", {**ASKED, **fields})
    assert reply.status == 200, reply.bytes
    return reply.json["choices"][0]["text"]


def among_others(server, count):
    """Our request comes while the others are at different places of prompts and answers."""
    def other(i):
        for k in range(2):
            text_of(server, prompt=(TALE[: 30 * i + 7] if i % 2 else "A cat " * (i + 1)), seed=i + k,
                    max_tokens=20 + 7 * i, temperature=[0, .7, 1.5][i % 3])
    threads = [threading.Thread(target=other, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    texts = [text_of(server) for _ in range(3)]
    for thread in threads:
        thread.join()
    return texts


@pytest.mark.parametrize("name", ["stories", "chat_model"])
def test_same_seed_same_bytes(request, start, name, tmp_path):
    model = request.getfixturevalue(name)
    key, folder = tmp_path / "prefix.key", tmp_path / "prefixes"
    subprocess.run([PROGRAM, "serve", "--new-prefix-key", key], check=True, capture_output=True)
    kept = ["--prefix-dir", folder, "--prefix-key", key]
    first = start(model, "--context", 1024, *kept)
    cold = text_of(first, cache_prompt=False)
    assert len(cold) > 30
    assert text_of(first) == cold  # leaves its beginning
    assert text_of(first) == cold and first.metric("prefix_memory_tokens_total") > 0
    assert among_others(first, 15) == [cold] * 3
    assert text_of(first, save_prefix=True) == cold
    whole = first.post("/v1/completions", {**ASKED, "stream": True, "n": 2})
    parts = [event["choices"][0] for event in whole.events if event["choices"]]
    assert "".join(p["text"] for p in parts if p["index"] == 0) == cold
    assert first.stop() == 0
    second = start(model, "--context", 1024, *kept)
    assert text_of(second) == cold and second.metric("prefix_disk_tokens_total") > 0
    assert second.stop() == 0
    for flags in (["--threads", 1, "--chunk", 48], ["--parallel", 2, "--threads", 2]):
        third = start(model, "--context", 1024, *flags)
        assert text_of(third) == cold, flags
        assert third.stop() == 0
