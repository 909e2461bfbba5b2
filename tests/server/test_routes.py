# SPDX-License-Identifier: Apache-2.0
"""The route table walked: every route without a key, with a wrong one and with a right one, with every
method, and paths that are not in it."""
import json

import pytest
from conftest import JSON, new_key

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"]


@pytest.fixture(scope="module")
def keyed(start, stories, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    server = start(stories, "--api-key-file", new_key_file(folder))
    server.keys = KEYS
    return server


KEYS = {}


def new_key_file(folder):
    KEYS["inference"], file = new_key(folder, "ward-3")
    KEYS["metrics"], _ = new_key(folder, "prometheus", "scopes=metrics")
    KEYS["both"], _ = new_key(folder, "all", "scopes=inference,metrics")
    return file


def table(server):
    """method, path, scope, needs a body: of /openapi.json."""
    document = server.get("/openapi.json", Authorization=f"Bearer {KEYS['both']}").json
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield (method.upper(), path.replace("{name}", "index.html" if "page" in path else "x"),
                   operation["x-scope"], "requestBody" in operation)


def send(server, method, path, key):
    headers = dict(JSON)
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return server.request(method, path, "{}" if method in ("POST", "PUT", "PATCH") else None, headers)


def test_every_route_with_every_key(keyed):
    rows = list(table(keyed))
    assert len(rows) >= 15
    for method, path, scope, _ in rows:
        for name, key in {"none": None, "wrong": "xl-wrong", **KEYS}.items():
            status = send(keyed, method, path, key).status
            may = scope == "public" or name == "both" or name == scope
            if may:
                assert status not in (401, 403), (method, path, name, status)
            else:
                assert status == (401 if name in ("none", "wrong") else 403), (method, path, name)


def test_every_route_with_every_method(keyed):
    for known, path, _, _ in table(keyed):
        allowed = {"GET", "HEAD"} if known == "GET" else {"POST"}
        for method in METHODS:
            reply = send(keyed, method, path, KEYS["both"])
            assert (reply.status == 405) == (method not in allowed), (method, path, reply.status)
            if reply.status == 405:
                assert set(reply.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/chat/completions/", "//health", "/health/",
                                  "/v1/models/a/../../../etc/passwd", "/page/../keys", "/HEALTH",
                                  "/%2e%2e/", "/v1/files", "/slots", "/props", "/admin"])
def test_what_is_not_in_the_table_does_not_exist(keyed, path):
    assert keyed.get(path, Authorization=f"Bearer {KEYS['both']}").status == 404


def test_key_in_the_other_header(keyed):
    assert keyed.get("/v1/models", **{"X-API-Key": KEYS["inference"]}).status == 200
    assert keyed.get("/v1/models", Authorization=KEYS["inference"]).status == 401
    assert keyed.get("/v1/models?api_key=" + KEYS["inference"]).status == 401


def test_errors_have_one_shape(keyed):
    for reply in (keyed.get("/v1/models"), keyed.get("/nothing"),
                  keyed.post("/v1/completions", {}, key=KEYS["inference"])):
        error = reply.json["error"]
        assert set(error) == {"message", "type", "param", "code"} and error["message"]
        assert reply.headers["Content-Type"] == "application/json"
    assert keyed.get("/v1/models").headers["WWW-Authenticate"] == "Bearer"


def test_openapi_names_every_field(keyed):
    document = keyed.get("/openapi.json", Authorization=f"Bearer {KEYS['both']}").json
    body = document["paths"]["/v1/chat/completions"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert schema["additionalProperties"] is False
    assert {"messages", "stream", "tools", "temperature", "logit_bias"} <= set(schema["properties"])
    json.dumps(document)


def test_log_has_no_keys_and_no_queries(keyed):
    keyed.get("/v1/models?patient=Mueller", Authorization=f"Bearer {KEYS['inference']}")
    assert "Mueller" not in keyed.log and KEYS["inference"] not in keyed.log
    assert " ward-3 GET /v1/models 200 " in keyed.log
