# SPDX-License-Identifier: Apache-2.0
"""A server for the page's tests: the page's files as the program serves them, and an API whose
answers the test chooses. Standard library only."""
import http.server
import json
import os
import re
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, "server", "page")
TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
         "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


def security_policy():
    """The policy of page_files.h, so that the page is tested under the one that it gets."""
    with open(os.path.join(ROOT, "server", "page_files.h"), encoding="utf-8") as file:
        text = re.search(r"PAGE_SECURITY_POLICY(.*?)\n#define", file.read(), re.S).group(1)
    return "".join(re.findall(r'"([^"]*)"', text))


class MockServer(http.server.ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128


class Mock:
    """State that tests set and read."""

    def __init__(self):
        self.ready, self.key, self.pieces = True, None, ["Hello", " there."]
        self.hold = None         # a stream waits after so many pieces, until this is None again
        self.refusal = None      # (status, message) for the next chats
        self.cut = False         # the stream ends without [DONE]
        self.requests, self.disconnects = [], 0
        self.metrics = "xinglin_requests_running 1\nxinglin_kv_bytes 1073741824\n" \
                       "xinglin_kv_used_bytes 1048576\nxinglin_generated_tokens_total 5\n"
        mock = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def reply(self, status, body, kind="application/json", headers=()):
                data = body.encode() if isinstance(body, str) else body
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def refuse(self, status, message):
                self.reply(status, json.dumps({"error": {"message": message, "type": "x"}}))

            def is_allowed(self):
                given = self.headers.get("Authorization")
                if mock.key is None or given == "Bearer " + mock.key:
                    return True
                self.refuse(401, "no key or a wrong one")
                return False

            def do_GET(self):
                name = "index.html" if self.path == "/" else self.path.removeprefix("/page/")
                path = os.path.join(PAGE, os.path.basename(name))
                if self.path == "/" or self.path.startswith("/page/"):
                    if not os.path.exists(path):
                        return self.refuse(404, "no such file")
                    with open(path, "rb") as file:
                        return self.reply(200, file.read(), TYPES[path.rsplit(".", 1)[1]],
                                          [("Content-Security-Policy", security_policy())])
                if self.path == "/ready":
                    return self.reply(200 if mock.ready else 503, "{}")
                if not self.is_allowed():
                    return None
                if self.path == "/v1/models":
                    return self.reply(200, json.dumps({"data": [{"id": "mock-model"}]}))
                if self.path == "/metrics":
                    return self.reply(200, mock.metrics, "text/plain; version=0.0.4")
                return self.refuse(404, "no such route")

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if not self.is_allowed():
                    return
                mock.requests.append(json.loads(body))
                if mock.refusal:
                    return self.refuse(*mock.refusal)
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                self.close_connection = True
                try:
                    self.stream()
                except OSError:
                    mock.disconnects += 1

            def event(self, data):
                self.wfile.write(b"data: " + data.encode() + b"\n\n")
                self.wfile.flush()

            def stream(self):
                for n, piece in enumerate(mock.pieces, 1):
                    delta = piece if isinstance(piece, dict) else {"content": piece}
                    self.event(json.dumps({"choices": [{"index": 0, "delta": delta}]}))
                    while n == mock.hold:  # and notices that nobody reads any more
                        self.wfile.write(b": held\n\n")
                        self.wfile.flush()
                        time.sleep(0.02)
                if mock.cut:
                    return
                self.event(json.dumps({"choices": [{"index": 0, "delta": {},
                                                    "finish_reason": "stop"}]}))
                self.event(json.dumps({"choices": [], "usage": {
                    "prompt_tokens": 7, "completion_tokens": len(mock.pieces),
                    "prompt_tokens_details": {"cached_tokens": 3}}}))
                self.event("[DONE]")

        self.server = MockServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
