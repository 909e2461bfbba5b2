# SPDX-License-Identifier: Apache-2.0
"""What an operator sees: the page's files and headers, the service manager's messages, the
configuration's flags, the document's table of routes, the dashboard's metrics, prefixes on disk."""
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest
from conftest import JSON, PROGRAM, ROOT, new_key


def tool(*flags, **environment):
    return subprocess.run([PROGRAM, "serve", *map(str, flags)], capture_output=True, text=True,
                          env={**os.environ, **environment}, timeout=300)


def test_page_files(plain):
    page = plain.get("/")
    assert page.status == 200 and page.headers["Content-Type"].startswith("text/html")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    paths = re.findall(r'(?:src|href)="(/[^"]+)"', page.bytes.decode())
    assert len(paths) >= 3
    modules = set()
    for path in paths:
        file = plain.get(path)
        assert file.status == 200 and "Content-Security-Policy" in file.headers, path
        modules |= set(re.findall(r'from "(/page/[^"]+)"', file.bytes.decode()))
    for path in sorted(modules):
        file = plain.get(path)
        assert file.status == 200 and file.headers["Content-Type"].startswith("text/javascript")
        assert file.bytes == (ROOT / "server" / path[1:]).read_bytes()
    tag = page.headers["ETag"]
    again = plain.get("/", **{"If-None-Match": tag})
    assert again.status == 304 and again.bytes == b"" and again.headers["ETag"] == tag
    assert plain.get("/page/nothing.js").status == 404
    head = plain.request("HEAD", "/")
    assert head.status == 200 and head.headers["Content-Length"] == str(len(page.bytes))


def test_page_can_be_turned_off(start, stories):
    server = start(stories, "--no-page", "--no-metrics")
    for path in ("/", "/page/main.js", "/metrics"):
        assert server.get(path).status == 404


def test_document_has_every_route(plain):
    text = (ROOT / "docs/SERVER.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (GET|POST) \| `([^`]+)` \| (\w+) \| (\d+) \|", text, re.M)
    told = {(method, path): key for method, path, key, _ in rows}
    document = plain.get("/openapi.json").json
    made = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            scope = operation["x-scope"]
            made[method.upper(), path.replace("{name}", "*")] = "none" if scope == "public" else scope
    assert told == made


def test_document_tells_what_happens_without_a_model(start, chat_model):
    """While it drains, which is told as while it loads."""
    text = (ROOT / "docs/SERVER.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (GET|POST) \| `([^`]+)` \| \w+ \| (\d+) \|", text, re.M)
    assert len(rows) >= 15
    server = start(chat_model, "--context", "4096", "--drain-seconds", "100")
    body = json.dumps({"prompt": "Once", "max_tokens": 4000, "ignore_eos": True})
    with server.socket(f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                       f"application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()):
        server.wait_metric("requests_running", 1)
        server.process.send_signal(signal.SIGTERM)
        while server.get("/ready").status == 200:
            time.sleep(0.01)
        for method, path, status in rows:
            sent = path.replace("*", "main.js" if "page" in path else "x")
            reply = server.request(method, sent, "{}" if method == "POST" else None, JSON)
            wanted = 404 if path == "/v1/models/*" else int(status)
            assert reply.status == wanted, (method, path, reply.status)


def dashboard_metrics():
    dashboard = json.loads((ROOT / "packaging/grafana/xinglin.json").read_text(encoding="utf-8"))
    return set(re.findall(r"xinglin_\w+", json.dumps(dashboard["panels"])))


def test_dashboard_and_document_name_real_metrics(start, stories, tmp_path):
    key, file = new_key(tmp_path, "all", "scopes=inference,metrics")
    server = start(stories, "--api-key-file", file)
    done = server.post("/v1/completions", {"prompt": "Once", "max_tokens": 4}, key=key)
    assert done.status == 200
    text = server.get("/metrics", Authorization=f"Bearer {key}").bytes.decode()
    made = set(re.findall(r"^(xinglin_\w+)", text, re.M))
    assert dashboard_metrics() <= made, dashboard_metrics() - made
    document = (ROOT / "docs/SERVER.md").read_text(encoding="utf-8")
    bases = {re.sub("_(bucket|sum|count)$", "", name) for name in made}
    told = set(re.findall(r"`(xinglin_\w+)`", document))
    assert told <= bases, told - bases
    page = (ROOT / "server/page/machine.js").read_text(encoding="utf-8")
    read = {"xinglin_" + name for name in re.findall(r'of\("(\w+)"\)', page)}
    assert read <= bases, read - bases


def test_service_manager_is_told(start, stories, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(180)
        server = start(stories, env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
        heard = []
        while heard.count("WATCHDOG=1") < 3 or not any("READY=1" in item for item in heard):
            heard += listener.recv(4096).decode().split("\n")
        assert server.stop() == 0
        while not any("STOPPING=1" in item for item in heard):
            heard += listener.recv(4096).decode().split("\n")


def test_configuration_flags(stories, tmp_path):
    file = tmp_path / "server.conf"
    file.write_text(f"model = {stories}\nport = 9001\nqueue = 7\n")
    shown = tool("--config", file, "--print-config", "--port=9002", XINGLIN_QUEUE="8")
    assert shown.returncode == 0
    assert "# flag\nport = 9002\n" in shown.stdout
    assert "# environment variable XINGLIN_QUEUE\nqueue = 8\n" in shown.stdout
    assert f"line 1\nmodel = {stories}\n" in shown.stdout
    assert tool("--config", file, "--check-config").returncode == 0
    file.write_text("modle = x\n")
    wrong = tool("--config", file, "--check-config")
    assert wrong.returncode == 2 and 'server.conf:1: unknown name "modle"' in wrong.stderr
    assert 'did you mean "model"' in wrong.stderr
    assert tool("--check-config").returncode == 2  # no model
    key = tmp_path / "prefix.key"
    assert tool("--new-prefix-key", key).returncode == 0
    assert key.stat().st_size == 32 and key.stat().st_mode & 0o777 == 0o600
    assert tool("--new-prefix-key", key).returncode == 2  # never replaced


def test_restart_on_the_same_port(start, stories):
    """Connections that the first server closed still wait in the kernel; a second one must not run
    beside the first all the same."""
    first = start(stories)
    assert first.get("/health", Connection="close").status == 200
    assert first.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    beside = tool("-m", stories, "--port", first.port)
    assert beside.returncode != 0 and "cannot listen" in beside.stderr
    assert first.stop() == 0
    second = start(stories, "--port", first.port)
    assert second.port == first.port and second.get("/health").status == 200


TALE = "Once upon a time there was a little girl who lived in a small house near the sea. " * 12


def completion(server, **fields):
    reply = server.post("/v1/completions", {"prompt": TALE, "max_tokens": 12, "temperature": 0.8,
                                            "seed": 7, **fields})
    assert reply.status == 200, reply.bytes
    return reply.json


def cached(answer):
    return (answer["usage"].get("prompt_tokens_details") or {}).get("cached_tokens", 0)


def test_prefixes_outlive_the_server(start, stories, tmp_path):
    key, folder = tmp_path / "prefix.key", tmp_path / "prefixes"
    assert tool("--new-prefix-key", key).returncode == 0
    flags = ["--prefix-dir", folder, "--prefix-key", key, "--context", "512"]
    first = start(stories, *flags)
    cold = completion(first, save_prefix=True)
    assert cached(cold) == 0
    first.wait_metric("prefix_files", 1)
    assert first.stop() == 0
    files = list(folder.iterdir())
    assert len(files) == 1 and files[0].stat().st_mode & 0o777 == 0o600
    assert b"little girl" not in files[0].read_bytes()
    second = start(stories, *flags)
    warm = completion(second)
    assert cached(warm) >= 64 and second.metric("prefix_disk_tokens_total") >= 64
    assert warm["choices"][0]["text"] == cold["choices"][0]["text"]
    assert second.stop() == 0
    data = bytearray(files[0].read_bytes())
    data[len(data) // 2] ^= 1
    files[0].write_bytes(data)
    third = start(stories, *flags)
    again = completion(third)
    assert again["choices"][0]["text"] == cold["choices"][0]["text"]
    assert third.metric("prefix_ignored_total") == 1
    assert third.stop() == 0
    key.chmod(0o644)
    refused = subprocess.run([PROGRAM, "serve", "-m", stories, "--port", "0", *map(str, flags)],
                             capture_output=True, text=True, timeout=300)
    assert refused.returncode not in (0, -11, -6) and "chmod 600" in refused.stderr


def test_full_disk_is_told_and_costs_no_answer(start, stories, tmp_path):
    disk, key = tmp_path / "disk", tmp_path / "prefix.key"
    disk.mkdir()
    small = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk],
                           capture_output=True)
    if small.returncode != 0:
        pytest.skip("only root can mount a small disk")
    try:
        assert tool("--new-prefix-key", key).returncode == 0
        server = start(stories, "--prefix-dir", disk / "prefixes", "--prefix-key", key)
        plain = completion(server)
        only_saving = {"prompt": TALE, "max_tokens": 0, "save_prefix": True}
        refused = server.post("/v1/completions", only_saving)
        assert refused.status >= 500 and "space" in refused.json["error"]["message"]
        saving = completion(server, save_prefix=True)
        assert saving["choices"][0]["text"] == plain["choices"][0]["text"]
        assert list((disk / "prefixes").iterdir()) == [] and server.metric("prefix_files") == 0
        assert server.stop() == 0
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
