# SPDX-License-Identifier: Apache-2.0
"""Many streams of /v1/completions at once from one thread, and when each piece of each arrived.

The client shares the CPUs with the server it measures, so it does little: one selector, no JSON
library for what it need not understand."""

import json
import re
import selectors
import socket
import time

USAGE = re.compile(rb'"completion_tokens"\s*:\s*(\d+)')
TOKEN = re.compile(rb'"text"\s*:\s*"([^"\\]|\\.)')


class Failure(Exception):
    """An answer that is none."""


class Stream:
    def __init__(self, port, body):
        text = json.dumps(body).encode()
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request = (f"POST /v1/completions HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: "
                        f"application/json\r\nContent-Length: {len(text)}\r\n\r\n").encode() + text
        self.held, self.times, self.n_tokens, self.start = b"", [], 0, 0.0

    def begin(self):
        self.start = time.monotonic()
        self.connection.sendall(self.request)

    def take(self):
        """Reads what is there; False at the end of the answer."""
        data = self.connection.recv(1 << 16)
        now = time.monotonic()
        *lines, self.held = (self.held + data).split(b"\n")
        for line in lines:
            if line.startswith(b"HTTP/1.1 ") and b" 200 " not in line:
                raise Failure(line.decode() + self.held.decode(errors="replace")[-300:])
            if line.startswith(b"data: {"):
                if TOKEN.search(line):
                    self.times.append(now)
                if usage := USAGE.search(line):
                    self.n_tokens = int(usage.group(1))
            if line.startswith(b"data: [DONE]"):
                return False
        if not data:
            raise Failure("the stream ended early")
        return True


def body_of(prompt, n_tokens, seed):
    return {"prompt": prompt, "max_tokens": n_tokens, "ignore_eos": True, "stream": True,
            "stream_options": {"include_usage": True}, "temperature": 0.8, "top_k": 40, "seed": seed}


def run_streams(port, bodies):
    """[Stream, …], all of them to their end."""
    selector = selectors.DefaultSelector()
    streams = [Stream(port, body) for body in bodies]
    for stream in streams:
        selector.register(stream.connection, selectors.EVENT_READ, stream)
        stream.begin()
    left = len(streams)
    while left:
        for key, _ in selector.select(300):
            if not key.data.take():
                selector.unregister(key.data.connection)
                key.data.connection.close()
                left -= 1
    return streams
