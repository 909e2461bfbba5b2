# SPDX-License-Identifier: Apache-2.0
"""What happens to the others when something gives out: a kill in the middle of writing, a full disk,
memory. XINGLIN_LOAD=long takes every allocation instead of some."""
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import threading
import time

import pytest
from conftest import PROGRAM, new_key

LONG = os.environ.get("XINGLIN_LOAD") == "long"
HERE = pathlib.Path(__file__).resolve().parent
QUIET = {"prompt": "Once upon", "max_tokens": 24, "temperature": 1, "seed": 9}


def quiet_text(server):
    reply = server.post("/v1/completions", QUIET)
    assert reply.status == 200, reply.bytes
    return reply.json["choices"][0]["text"]


def prefix_flags(folder):
    key = folder / "prefix.key"
    subprocess.run([PROGRAM, "serve", "--new-prefix-key", key], check=True, capture_output=True)
    return ["--prefix-dir", folder / "prefixes", "--prefix-key", key, "--context", 1024]


def save(server, number, **fields):
    return server.post("/v1/completions", {"prompt": f"{number} little cats went to the sea. " * 30,
                                           "max_tokens": 0, "save_prefix": True, **fields})


def test_kill_while_beginnings_are_written(start, stories, tmp_path):
    flags, chooser, number = prefix_flags(tmp_path), random.Random(5), 0
    for _ in range(20 if LONG else 6):
        server = start(stories, *flags)
        assert server.metric("prefix_ignored_total") == 0

        def write(first):
            try:
                for i in range(first, first + 1000):
                    save(server, i)
            except (OSError, http.client.HTTPException):
                pass

        writers = [threading.Thread(target=write, args=(number + 1000 * i,), daemon=True) for i in range(3)]
        for writer in writers:
            writer.start()
        number += 3000
        time.sleep(chooser.uniform(0.02, 0.5))
        if number == 3000:  # one round at least that got to the disk
            server.wait_metric("prefix_files", lambda n: n > 0)
        server.stop(signal.SIGKILL)
        for writer in writers:
            writer.join()
    last = start(stories, *flags)
    assert last.metric("prefix_ignored_total") == 0 and last.metric("prefix_files") > 0
    files = list((tmp_path / "prefixes").iterdir())
    assert len([f for f in files if f.stat().st_size]) <= last.metric("prefix_files") + 1, files
    known = save(last, number - 3000, max_tokens=8, seed=1)
    fresh = save(last, number - 3000, max_tokens=8, seed=1, save_prefix=False, cache_prompt=False)
    assert known.json["choices"][0]["text"] == fresh.json["choices"][0]["text"]
    assert last.stop() == 0


@pytest.fixture
def tiny_disk(tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", folder],
                          capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("a small file system cannot be mounted here: " + done.stderr.strip())
    yield folder
    subprocess.run(["umount", "-l", folder])


def test_full_disk(start, stories, tiny_disk):
    flags = prefix_flags(tiny_disk)
    server = start(stories, *flags)
    text = quiet_text(server)
    statuses = [save(server, i).status for i in range(12)]
    assert statuses[0] == 200 and statuses[-1] >= 500, statuses
    assert quiet_text(server) == text
    stored = server.metric("prefix_files")
    assert stored >= 1 and server.stop() == 0
    again = start(stories, *flags)
    assert again.metric("prefix_files") == stored and again.metric("prefix_ignored_total") == 0
    again.stop()


def test_full_disk_under_the_audit_log(start, stories, tiny_disk):
    server = start(stories, "--audit-log", tiny_disk / "audit")
    assert quiet_text(server)
    filler = os.open(tiny_disk / "filler", os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(filler, bytes(512)):
            pass
    except OSError:
        os.close(filler)
    statuses = [server.post("/v1/completions", QUIET).status for _ in range(60)]
    assert statuses[-1] == 503 and set(statuses) <= {200, 503}
    assert server.get("/health").status == 200
    for line in (tiny_disk / "audit").read_text().splitlines():
        json.loads(line)
    assert server.stop() == 0


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("there is no C compiler")
    out = tmp_path_factory.mktemp("shim") / "fail_allocations.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", out, HERE / "fail_allocations.c"],
                   check=True)
    return out


class Allocations:
    """The plan that a preloaded server follows."""

    def __init__(self, file):
        self.file = file
        self.file.write_bytes(bytes(16))

    def set(self, fail_at):
        with open(self.file, "r+b") as out:
            out.write(struct.pack("qq", 0, fail_at))

    def count(self):
        return struct.unpack("qq", self.file.read_bytes())[0]


REQUESTS = {
    "completion": ("/v1/completions", {**QUIET, "stream": True}),
    "schema": ("/v1/completions", {**QUIET, "response_format": {"type": "json_schema", "schema": {
        "type": "object", "properties": {"a": {"enum": ["x", "y"]}}, "required": ["a"],
        "additionalProperties": False}}}),
    "tokenize": ("/tokenize", {"content": "Once upon a time"}),
}


def same_answer(kind, reply, good):
    """None if it is the right answer or one that says how it ended, else what is wrong."""
    if kind == "tokenize":
        return None if reply.json == good.json else reply.json
    if kind == "schema":
        same = reply.json["choices"] == good.json["choices"]
        return None if same else reply.json
    text, right = ("".join(event["choices"][0]["text"] for event in r.events if event.get("choices"))
                   for r in (reply, good))
    assert reply.bytes, reply.headers
    told = any("error" in event for event in reply.events)
    return None if text == right or told and right.startswith(text) else reply.bytes


@pytest.mark.parametrize("kind", REQUESTS)
def test_failing_allocations(start, stories, shim, tmp_path, kind):
    plan = Allocations(tmp_path / "plan")
    key, keys = new_key(tmp_path, "ward")
    other = dict(key=key) if key else {}
    server = start(stories, "--context", 512, "--api-key-file", keys, "--audit-log",
                   tmp_path / "audit", "--no-metrics",
                   env={"LD_PRELOAD": str(shim), "XINGLIN_FAIL_FILE": str(plan.file)})
    path, body = REQUESTS[kind]
    good = server.post(path, body, **other)
    assert good.status == 200, good.bytes
    right = server.post("/v1/completions", QUIET, **other).json["choices"][0]["text"]
    plan.set(1 << 40)
    server.post(path, body, **other)
    total = plan.count()
    plan.set(0)
    points = range(1, total + 1) if LONG else sorted(
        {*range(1, min(total, 40) + 1), *random.Random(3).sample(range(1, total + 1), min(total, 60))})
    outcomes = {}
    for point in points:
        plan.set(point)
        try:
            reply = server.post(path, body, **other)
            outcome = reply.status
            if reply.status == 200:
                wrong = same_answer(kind, reply, good)
                assert not wrong, (point, wrong)
            elif reply.status != 500 and reply.bytes:
                assert reply.code in ("out_of_memory", "overloaded"), (point, reply.bytes)
        except (OSError, http.client.HTTPException):
            outcome = "cut"
        plan.set(0)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        assert server.process.poll() is None, (point, server.log[-2000:])
        if point % 7 == 0:
            check = server.post("/v1/completions", QUIET, **other)
            assert check.status == 200 and check.json["choices"][0]["text"] == right, point
    print(f"{kind}: {total} allocations, outcomes {outcomes}")
    assert set(outcomes) <= {200, 500, 503, "cut"}, outcomes
    assert server.post("/v1/completions", QUIET, **other).json["choices"][0]["text"] == right
    assert server.stop() == 0


def test_failing_allocations_spare_the_others(start, stories, shim, tmp_path):
    """Streams under way while requests fail: each is right to its end, or says that it failed."""
    plan = Allocations(tmp_path / "plan")
    server = start(stories, "--context", 2048,
                   env={"LD_PRELOAD": str(shim), "XINGLIN_FAIL_FILE": str(plan.file)})
    long = {**QUIET, "max_tokens": 1200, "ignore_eos": True}
    right = server.post("/v1/completions", long).json["choices"][0]["text"]
    texts = []

    def stream():
        try:
            reply = server.post("/v1/completions", long)
            texts.append(reply.json["choices"][0]["text"] if reply.status == 200 else reply.status)
        except (OSError, http.client.HTTPException):
            texts.append("cut")

    threads = [threading.Thread(target=stream, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    while server.metric("requests_running") < 4 and not texts:
        time.sleep(0.01)
    for point in range(1, 60):
        plan.set(point)
        try:
            server.post("/v1/completions", QUIET)
        except (OSError, http.client.HTTPException):
            pass
        plan.set(0)
    for thread in threads:
        thread.join()
    assert all(text in (right, 500, 503, "cut") for text in texts)
    assert texts.count(right) >= 1
    assert server.post("/v1/completions", long).json["choices"][0]["text"] == right
    assert server.stop() == 0
