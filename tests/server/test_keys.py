# SPDX-License-Identifier: Apache-2.0
"""Keys and their limits, TLS, access log and audit log."""
import hashlib
import json
import shutil
import ssl
import subprocess
import time
import urllib.request

import pytest
from conftest import PROGRAM, new_key

ASK = {"prompt": "Once", "max_tokens": 8, "temperature": 0}


def test_a_key_is_shown_once(tmp_path):
    secret, file = new_key(tmp_path, "ward-3", "rate=5")
    text = file.read_text()
    assert secret.startswith("xl-") and len(secret) >= 40 and secret not in text
    assert text.startswith("ward-3 ") and text.endswith(" rate=5\n")
    assert file.stat().st_mode & 0o777 == 0o600
    for name, limits in [("ward-3", ""), ("a b", ""), ("", ""), ("x" * 50, ""), ("b", "rate=0"),
                         ("b", "speed=5"), ("b", "rate=5\nroot 1 2"), ("b", "scopes=all")]:
        done = subprocess.run([PROGRAM, "serve", "--new-key", name, "--api-key-file", file,
                               "--key-limits", limits], capture_output=True)
        assert done.returncode != 0 and file.read_text() == text, (name, limits)


@pytest.mark.parametrize("line", ["ward", "ward 00 11", "ward {s} {h} rate=", "a/b {s} {h}",
                                  "ward {s} {h} x=1", "a {s} {h}\na {s} {h}", "w {s} {h} " + "y" * 600])
def test_bad_key_files(tmp_path, stories, line):
    file = tmp_path / "keys"
    file.write_text(line.format(s="0" * 64, h="1" * 64) + "\n")
    done = subprocess.run([PROGRAM, "serve", "-m", stories, "--port", "0", "--api-key-file", file],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 3 and "keys:" in done.stderr


def test_limits(start, stories, tmp_path):
    few, file = new_key(tmp_path, "few", "rate=3")
    tokens, _ = new_key(tmp_path, "tokens", "tokens=10")
    free, _ = new_key(tmp_path, "free", "scopes=inference,metrics")
    server = start(stories, "--api-key-file", file)
    replies = [server.post("/v1/completions", ASK, key=few) for _ in range(5)]
    assert [r.status for r in replies] == [200, 200, 200, 429, 429]
    assert replies[-1].json["error"]["type"] == "rate_limit_error"
    assert int(replies[-1].headers["Retry-After"]) >= 1
    statuses = [server.post("/v1/completions", ASK, key=tokens).status for _ in range(3)]
    assert statuses[0] == 200 and statuses[-1] == 429
    assert all(server.post("/v1/completions", ASK, key=free).status == 200 for _ in range(8))
    metrics = server.get("/metrics", Authorization=f"Bearer {free}").bytes.decode()
    assert 'xinglin_key_requests_total{key="few"} 3' in metrics
    assert 'xinglin_key_refused_total{key="few"} 2' in metrics
    assert 'xinglin_key_generated_tokens_total{key="few"} 24' in metrics


def test_concurrency_of_a_key(start, chat_model, tmp_path):
    key, file = new_key(tmp_path, "one", "concurrent=1")
    server = start(chat_model, "--api-key-file", file)
    body = json.dumps({"prompt": "Once", "max_tokens": 2000, "ignore_eos": True, "stream": True})
    first = server.socket(f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
                          f"{key}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
                          f"\r\n\r\n{body}".encode())
    assert b"200 OK" in first.recv(65536)
    assert server.post("/v1/completions", ASK, key=key).status == 429
    first.close()
    for _ in range(1500):
        if server.post("/v1/completions", {**ASK, "max_tokens": 1}, key=key).status == 200:
            return
        time.sleep(0.05)
    raise AssertionError("the place was not given back")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("no openssl program")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   check=True, capture_output=True)
    return folder


def test_tls(start, stories, certificate):
    server = start(stories, "--tls-cert", certificate / "cert.pem", "--tls-key",
                   certificate / "key.pem", wait=False)
    context = ssl.create_default_context(cafile=certificate / "cert.pem")
    url = f"https://localhost:{server.port}"

    def fetch(path, body=None):
        request = urllib.request.Request(url + path, body and json.dumps(body).encode(),
                                         {"Content-Type": "application/json"} if body else {})
        return urllib.request.urlopen(request, context=context, timeout=300).read()

    for _ in range(3000):
        try:
            fetch("/ready")
            break
        except urllib.error.HTTPError:
            time.sleep(0.05)
    assert json.loads(fetch("/v1/completions", ASK))["choices"]
    assert b"[DONE]" in fetch("/v1/completions", {**ASK, "stream": True})
    assert not server.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(b"HTTP/1.1 200")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)), server.socket() as plain:
        old.wrap_socket(plain)


def test_audit_log(start, stories, tmp_path):
    secret, keys = new_key(tmp_path, "ward-3")
    log, audit_key = tmp_path / "audit.jsonl", tmp_path / "audit.key"
    audit_key.write_bytes(bytes(range(32)))
    audit_key.chmod(0o600)
    flags = ["--audit-log", log, "--audit-key", audit_key, "--api-key-file", keys]
    for _ in range(2):  # the second server goes on with the chain of the first
        server = start(stories, *flags)
        assert server.post("/v1/completions", ASK, key=secret).status == 200
        assert server.post("/v1/completions", {**ASK, "temperature": -1}, key=secret).status == 400
        assert server.post("/v1/embeddings", {"input": "Once"}, key=secret).status == 200
        assert server.stop() == 0
    lines = log.read_text().splitlines(keepends=True)
    assert len(lines) == 10 and "Once" not in log.read_text()
    entries = [json.loads(line) for line in lines]
    for before, entry in zip([None, *lines], entries):
        assert entry["chain"] == (hashlib.sha256(before.encode()).hexdigest() if before else "")
    events = ["begun", "ended", "ended", "begun", "ended"]  # what is refused never begins
    assert [entry["event"] for entry in entries] == events * 2
    first = entries[1]
    assert first["request"] == entries[0]["request"]
    assert first["prompt_hmac_sha256"] == entries[0]["prompt_hmac_sha256"]
    assert first["key"] == "ward-3" and first["route"] == "/v1/completions" and first["status"] == 200
    assert first["model_sha256"] == hashlib.sha256(stories.read_bytes()).hexdigest()
    assert first["generated_tokens"] == 8 and first["finish"] == "length"
    assert len(first["prompt_hmac_sha256"]) == 64
    assert first["prompt_hmac_sha256"] == entries[6]["prompt_hmac_sha256"]
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_killed_server_leaves_a_trace(start, stories, tmp_path):
    log = tmp_path / "audit"
    server = start(stories, "--audit-log", log, "--context", 2048)
    body = json.dumps({**ASK, "max_tokens": 2000, "ignore_eos": True}).encode()
    connection = server.socket(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
                               b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                               % len(body) + body)
    for _ in range(5000):
        if log.read_text():
            break
        time.sleep(0.02)
    server.process.kill()
    server.process.wait()
    connection.close()
    entry = json.loads(log.read_text().splitlines()[0])
    assert entry["event"] == "begun" and len(entry["prompt_sha256"]) == 64


def test_refused_keys_are_on_record(start, stories, tmp_path):
    secret, keys = new_key(tmp_path, "ward-3")
    log = tmp_path / "audit"
    server = start(stories, "--audit-log", log, "--api-key-file", keys)
    for _ in range(100):
        assert server.post("/v1/completions", ASK, key="x" * 40).status == 401
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert 20 <= len(entries) < 100 and secret not in log.read_text()
    assert {entry["event"] for entry in entries} == {"refused"}
    assert entries[0]["status"] == 401 and entries[0]["address"] == "127.0.0.1"
    assert server.post("/v1/completions", ASK, key=secret).status == 200  # after a flood, too


def test_no_work_without_a_record(start, stories):
    server = start(stories, "--audit-log", "/dev/full", wait=False)
    for _ in range(3000):
        if server.get("/ready").json["status"] != "loading the model":
            break
        time.sleep(0.05)
    assert server.post("/v1/completions", ASK).code == "audit_unavailable"  # it cannot be recorded
    refused = server.post("/v1/completions", ASK)
    assert refused.status == 503 and refused.code == "audit_unavailable"
    assert server.get("/ready").status == 503 and server.get("/health").status == 200


def test_who_may_write_keys_is_checked(start, stories, tmp_path):
    _, file = new_key(tmp_path, "ward-3")
    file.chmod(0o660)
    done = subprocess.run([PROGRAM, "serve", "-m", stories, "--port", "0", "--api-key-file", file],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 3 and "written by others" in done.stderr


def test_an_audit_log_has_one_writer(start, stories, tmp_path):
    log = tmp_path / "audit"
    start(stories, "--audit-log", log)
    done = subprocess.run([PROGRAM, "serve", "-m", stories, "--port", "0", "--audit-log", log],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 3 and "another process" in done.stderr


def test_vectors_are_charged_to_the_key(start, vector_model, tmp_path):
    key, file = new_key(tmp_path, "few", "tokens=4")
    server = start(vector_model, "--api-key-file", file)
    body = {"input": "Once upon a time there was a ward"}
    assert server.post("/v1/embeddings", body, key=key).status == 200
    assert server.post("/v1/embeddings", body, key=key).status == 429


@pytest.mark.parametrize("which", ["audit", "tls"])
def test_secrets_that_everybody_may_read_are_refused(stories, tmp_path, which):
    secret, log = tmp_path / "secret", tmp_path / "log"
    secret.write_bytes(b"-" * 64)
    secret.chmod(0o644)
    flags = {"audit": ["--audit-log", log, "--audit-key", secret],
             "tls": ["--tls-cert", secret, "--tls-key", secret]}[which]
    done = subprocess.run([PROGRAM, "serve", "-m", stories, "--port", "0", *flags],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 3 and "verybody may read" in done.stderr
