# SPDX-License-Identifier: Apache-2.0
"""A process of `xinglin serve` and what a client sees of it; for tests/server and tests/clinic."""
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SHARED = pathlib.Path(os.environ.get("XINGLIN_SHARED", ROOT / "../shared"))
PROGRAM = pathlib.Path(os.environ.get("XINGLIN_BIN", ROOT / "build/release/bin")) / "xinglin"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
INPUTS = pathlib.Path(os.environ.get("XINGLIN_INPUTS", CACHE / "xinglin/inputs"))
JSON = {"Content-Type": "application/json"}
WAIT_S = 180  # for what takes moments on an idle machine; a busy one may need longer


class Reply:
    def __init__(self, response):
        self.status, self.headers = response.status, dict(response.getheaders())
        self.bytes = response.read()

    @property
    def json(self):
        return json.loads(self.bytes)

    @property
    def code(self):
        return self.json["error"]["code"]

    @property
    def events(self):
        """The data of server-sent events, [DONE] left out; checks their form."""
        text = self.bytes.decode()
        assert text.endswith("\n\n")
        lines = [line for block in text.split("\n\n") for line in block.split("\n") if line]
        data = [line[6:] for line in lines if line.startswith("data: ")]
        assert all(line.startswith(("data: ", "event: ", ":")) for line in lines)
        return [json.loads(item) for item in data if item != "[DONE]"]


class Server:
    """A process of `xinglin serve`; its log is in `log`."""

    def __init__(self, folder, model, *flags, wait=True, env=None):
        self.log_path = folder / f"log-{time.monotonic_ns()}"
        model_flags = ["-m", str(model), "--kv-memory-mib", "256"] if model else []
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "--port", "0", *model_flags, *map(str, flags)], stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, **(env or {})})
        self.port = self._port()
        if wait:
            self.wait_ready()

    def _port(self):
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            match = re.search(r"listening on \S+:(\d+)\n", self.log)
            if match:
                return int(match.group(1))
            if self.process.poll() is not None:
                raise RuntimeError(self.log)
            time.sleep(0.02)
        raise RuntimeError("it does not listen: " + self.log)

    def wait_ready(self):
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if self.get("/ready").status == 200:
                return
            time.sleep(0.02)
        raise RuntimeError("it is not ready: " + self.log)

    @property
    def log(self):
        return self.log_path.read_text(encoding="utf-8")

    def request(self, method, path, body=None, headers=None, timeout=600):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.request("GET", path, headers=headers)

    def post(self, path, body, key=None, **headers):
        sent = {**JSON, **headers}
        if key:
            sent["Authorization"] = f"Bearer {key}"
        return self.request("POST", path, json.dumps(body), sent)

    def chat(self, text="Hello", **fields):
        return self.post("/v1/chat/completions", {
            "messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": 8,
            **fields})

    def socket(self, text=b""):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=300)
        connection.sendall(text)
        return connection

    def raw(self, text):
        """Everything that comes back for these bytes until the connection closes."""
        with self.socket(text) as connection:
            answer = b""
            try:
                while chunk := connection.recv(65536):
                    answer += chunk
            except ConnectionResetError:
                pass
            return answer

    def metric(self, name):
        text = self.get("/metrics").bytes.decode()
        found = re.search(rf"^xinglin_{re.escape(name)} (\S+)$", text, re.M)
        return float(found.group(1)) if found else None

    def wait_metric(self, name, wanted, seconds=WAIT_S):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            now = self.metric(name)
            if wanted(now) if callable(wanted) else now == wanted:
                return
            time.sleep(0.02)
        raise AssertionError(f"{name} is {now}, not {wanted}")

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self, number=signal.SIGTERM, timeout=WAIT_S):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout)


def input_model(name):
    path = INPUTS / "models" / name
    if not path.exists():
        pytest.skip(f"{name} is not there (scripts/fetch-inputs)")
    return path


def new_key(folder, name, limits=None):
    """A key and the file it is in."""
    file = folder / "keys"
    flags = ["--key-limits", limits] if limits else []
    made = subprocess.run([PROGRAM, "serve", "--new-key", name, "--api-key-file", file, *flags],
                          capture_output=True, text=True, check=True)
    return made.stdout.strip(), file
