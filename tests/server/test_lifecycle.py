# SPDX-License-Identifier: Apache-2.0
"""From start to end: loading, disconnects, slow clients, timeouts, drain, signals, many connections."""
import json
import signal
import socket
import threading
import time

import pytest
from conftest import JSON, PROGRAM

LONG = {"prompt": "Once", "max_tokens": 100_000, "ignore_eos": True, "temperature": 0}


def begin(server, body, path="/v1/completions"):
    """A socket on which the request has been sent and nothing read."""
    text = json.dumps(body).encode()
    return server.socket(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
                         f"\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text)


def slow(chat_model, start, *flags):
    """A model that takes its time, with room for a long answer."""
    return start(chat_model, "--context", "4096", *flags)


def wait_until(true, seconds=180):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("stream", [False, True])
def test_disconnect_cancels(start, chat_model, stream):
    server = slow(chat_model, start)
    connection = begin(server, {**LONG, "stream": stream})
    wait_until(lambda: server.metric("requests_running") == 1)
    connection.close()
    server.wait_metric("requests_running", 0)
    server.wait_metric("exchanges_active", 1)  # the one that asks
    assert server.metric("sequences_cancelled_total") == 1
    assert " cut\n" in server.log


def test_client_that_does_not_read_holds_nothing(start, stories):
    # The answer is larger than the queue and the sockets' buffers.
    server = start(stories, "--queued-kib", 16, "--context", "100000", "--kv-memory-mib", 512)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.connect(("127.0.0.1", server.port))
    text = json.dumps({**LONG, "stream": True, "logprobs": 20}).encode()
    connection.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                       b"application/json\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
    server.wait_metric("sequences_cancelled_total", 1)
    server.wait_metric("requests_running", 0)
    assert server.post("/v1/completions", {"prompt": "Once", "max_tokens": 2}).status == 200
    connection.close()


def test_slow_headers_bodies_and_idle_connections_end(start, stories):
    server = start(stories, "--header-seconds", 2, "--body-seconds", 2, "--idle-seconds", 2)
    head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
    rest = b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    trickle = server.socket(head)
    body = server.socket(head + rest)
    nothing = server.socket()
    idle = server.socket(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"200 OK" in idle.recv(4096)
    begun = time.monotonic()
    for _ in range(10):  # a byte now and then buys no time
        try:
            trickle.sendall(b"X")
        except OSError:
            break
        time.sleep(0.3)
    for connection in (trickle, body, nothing, idle):
        connection.settimeout(100)
        try:
            assert connection.recv(4096) in (b"",) or True
        except ConnectionResetError:
            pass
        connection.close()
    assert time.monotonic() - begun < 100
    server.wait_metric("connections", 1)


def test_drain(start, chat_model):
    server = slow(chat_model, start, "--drain-seconds", 300)
    idle = server.socket(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    connection = begin(server, {"prompt": "Once", "max_tokens": 120, "ignore_eos": True,
                                "stream": True, "temperature": 0})
    wait_until(lambda: server.metric("requests_running") == 1)
    # A body that still comes keeps the server there, however soon the answer above is written.
    late = server.socket(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                         b"application/json\r\nContent-Length: 20\r\n\r\n{")
    server.wait_metric("connections", 4)  # with the idle one and the one that asks
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: server.get("/ready").status == 503)
    assert server.get("/health").status == 200
    refused = server.post("/v1/completions", {"prompt": "a"})
    assert refused.status == 503 and refused.headers["Retry-After"]
    late.close()
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
    assert b"data: [DONE]" in answer and b'"finish_reason":"length"' in answer
    assert server.stop(signal.SIGCONT) == 0
    idle.close()


def test_drain_has_an_end(start, chat_model):
    server = slow(chat_model, start, "--drain-seconds", 1)
    connection = begin(server, {**LONG, "stream": True})
    wait_until(lambda: server.metric("requests_running") == 1)
    assert server.stop() == 0
    connection.close()


def test_second_signal_ends_at_once(start, chat_model):
    server = slow(chat_model, start, "--drain-seconds", 600)
    connection = begin(server, {**LONG, "stream": True})
    wait_until(lambda: server.metric("requests_running") == 1)
    server.process.send_signal(signal.SIGINT)
    wait_until(lambda: server.get("/ready").status == 503)
    assert server.stop(signal.SIGINT) == 1
    connection.close()


def test_a_body_that_still_comes_gets_503(start, stories):
    server = start(stories)
    body = b'{"prompt":"Once"}'
    connection = server.socket(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
                               b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                               % len(body) + body[:5])
    server.wait_metric("connections", 2)
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: server.get("/ready").status == 503)
    connection.sendall(body[5:])
    assert connection.recv(65536).startswith(b"HTTP/1.1 503")
    connection.close()
    assert server.process.wait(180) == 0


def test_idle_server_ends_at_once(start, stories):
    server = start(stories)
    begun = time.monotonic()
    assert server.stop() == 0 and time.monotonic() - begun < 20  # --drain-seconds: 30


def test_bad_starts(start, stories, tmp_path):
    import subprocess
    for flags, status, words in [
            (["-m", tmp_path / "none.gguf"], 3, "none.gguf"), ([], 2, "model"),
            (["-m", stories, "--host", "0.0.0.0"], 2, "key"),
            (["-m", stories, "--host", "example.org"], 2, "address"),
            (["-m", stories, "--api-key-file", tmp_path / "none"], 3, "none"),
            (["-m", stories, "--tls-cert", stories], 2, "tls"),
            (["-m", stories, "--tls-cert", stories, "--tls-key", stories], 3, "PEM"),
            (["-m", stories, "--audit-log", "/nowhere/audit"], 3, "/nowhere/audit"),
            (["-m", stories, "--port", "99999"], 2, "port")]:
        done = subprocess.run([PROGRAM, "serve", "--port", "0", *map(str, flags)], timeout=300,
                              capture_output=True, text=True)
        assert (done.returncode, words.lower() in done.stderr.lower()) == (status, True), done


def test_many_connections_cost_little(start, stories):
    server = start(stories)
    before, count = server.resident_kib(), 500
    connections = [server.socket() for _ in range(count)]
    server.wait_metric("connections", count + 1)
    each = (server.resident_kib() - before) / count
    slowest = 0
    for _ in range(20):
        begun = time.monotonic()
        assert server.get("/health").status == 200
        slowest = max(slowest, time.monotonic() - begun)
    assert each < 24 and slowest < 30
    for connection in connections:
        connection.close()
    server.wait_metric("connections", 1)


def test_storm_of_disconnects_leaves_nothing(start, stories):
    server = start(stories, "--context", 2000)
    server.post("/v1/completions", {"prompt": "Once", "max_tokens": 2})
    server.wait_metric("exchanges_active", 1)
    descriptors, random_state = server.descriptors(), 12345

    def storm(seed):
        for i in range(60):
            seed = (seed * 1103515245 + 12345) % 2 ** 31
            connection = begin(server, {**LONG, "max_tokens": 500, "stream": bool(seed & 64),
                                        "n": 1 + (seed >> 8) % 3})
            time.sleep((seed >> 16) % 30 / 1000)
            connection.close()

    threads = [threading.Thread(target=storm, args=(random_state + i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    quiet = {"prompt": "Once", "max_tokens": 40, "temperature": 1, "seed": 9}
    texts = {server.post("/v1/completions", quiet).json["choices"][0]["text"] for _ in range(10)}
    for thread in threads:
        thread.join()
    server.wait_metric("requests_running", 0)
    server.wait_metric("exchanges_active", 1)
    server.wait_metric("connections", 1)
    assert len(texts) == 1 and server.descriptors() <= descriptors + 2
    assert server.metric("kv_used_bytes") == 0
    assert server.stop() == 0


def test_probes_answer_under_load(start, chat_model):
    server = slow(chat_model, start)
    busy = [begin(server, {**LONG, "prompt": "word " * 2000, "stream": True}) for _ in range(3)]
    wait_until(lambda: server.metric("requests_running") > 0)
    times = []
    for _ in range(50):
        begun = time.monotonic()
        assert server.get("/ready").status == 200
        times.append(time.monotonic() - begun)
    assert sorted(times)[-2] < 10  # far below the seconds that a prompt of this length takes
    for connection in busy:
        connection.close()


def test_full_queue_is_told(start, chat_model):
    server = slow(chat_model, start, "--parallel", 1, "--queue", 1)
    busy = [begin(server, {**LONG, "stream": True})]
    wait_until(lambda: server.metric("requests_running") == 1)
    busy.append(begin(server, {**LONG, "stream": True}))
    wait_until(lambda: server.metric("requests_waiting") == 1)
    refused = server.post("/v1/completions", {"prompt": "a"})
    assert refused.status == 503 and refused.code == "overloaded"
    assert int(refused.headers["Retry-After"]) > 0
    for connection in busy:
        connection.close()


def test_keep_alive_and_pipelining(plain):
    one = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = plain.raw(one * 3 + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert answer.count(b'{"status":"ok"}') == 4
    old = plain.raw(b"GET /health HTTP/1.0\r\n\r\n")
    assert old.endswith(b'{"status":"ok"}')


def test_page_and_its_policy(plain):
    page = plain.get("/")
    assert page.status == 200 and "default-src 'none'" in page.headers["Content-Security-Policy"]
    again = plain.get("/", **{"If-None-Match": page.headers["ETag"]})
    assert again.status == 304 and again.bytes == b""


def test_metrics_form(plain):
    plain.post("/v1/completions", {"prompt": "Once", "max_tokens": 4})
    for line in plain.get("/metrics").bytes.decode().splitlines():
        assert line.startswith("#") or float(line.rsplit(" ", 1)[1]) >= 0
    assert plain.metric("first_token_seconds_count") >= 1
    assert plain.metric('http_requests_total{method="POST",route="/v1/completions",status="200"}') >= 1
