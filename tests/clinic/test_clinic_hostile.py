# SPDX-License-Identifier: Apache-2.0
"""Bodies, paths and headers that nobody with good intentions sends: an answer below 500, soon, and a
server that goes on."""
import json
import random

import pytest
from conftest import JSON, ONE, RECORD

POSTS = ["login", "launch", "logout", "episodes/search", "drafts", f"forms/{ONE}/{RECORD}",
         f"forms/{ONE}/{RECORD}/undo", "audit/search", "audit/verify", "users"]
DRAFT_POSTS = ["stop", "regenerate", "lock", "edit", "accept", "insert", "dismiss", "fill"]
VALUES = [None, True, False, 0, -1, 1e308, 2 ** 63, -2 ** 63, 1.5, "", "x", "长" * 5000, "\u0000",
          "\ud7ff", "../../etc/passwd", "'; DROP TABLE draft; --", "<script>alert(1)</script>",
          "%s%n%s", [], {}, [[]], [None], [1, "x"], {"": {}}, ["x"] * 300]
NAMES = ["user", "password", "token", "text", "department", "state", "limit", "offset", "episode",
         "template", "field", "locked", "revision", "sentence", "reason", "omission", "fields",
         "versions", "version", "name", "role", "departments", "disabled", "display", "action",
         "from", "to", "before", "document", "local_title", "format", "content", "event_time"]


@pytest.fixture(scope="module")
def everybody(clinic):
    return {name: clinic.user(name) for name in ("doctor", "admin", "auditor")}


@pytest.fixture(scope="module")
def draft(everybody):
    return everybody["doctor"].draft()["id"]


def targets(draft):
    paths = [f"/clinic/api/{path}" for path in POSTS]
    paths += [f"/clinic/api/drafts/{draft}/{action}" for action in DRAFT_POSTS]
    return paths + ["/clinic/episodes", "/clinic/documents",
                    "/clinic/cds-services/xinglin-discharge"]


def check(reply, sent):
    assert reply.status < 500 or reply.code in ("busy",), (reply.status, reply.bytes, sent)
    if reply.status >= 400:
        assert set(reply.json["error"]) <= {"message", "type", "param", "code"}, reply.bytes


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b"\"x\"", b"{}x", b"\xff\xfe", b"{\"a\": 1, \"a\": 2}", b"{" * 5000,
    b"[" * 100000, b"{\"episode\": " + b"[" * 200 + b"]" * 200 + b"}", b"{\"x\": \"\\u0000\"}",
    b"{\"x\": 1e999}", b"{\"\": \"\"}", b"{\"x\":" + b"1" * 5000 + b"}"])
def test_what_is_no_body(clinic, everybody, draft, body):
    for path in targets(draft):
        user = everybody["auditor" if "audit" in path else "doctor"]
        if path.endswith(("users", "/clinic/episodes", "/clinic/documents")):
            user = everybody["admin"]
        if path.endswith("logout"):
            continue
        reply = clinic.request("POST", path, body, {**JSON, **user.headers})
        check(reply, (path, body[:40]))
        assert reply.status in (400, 401, 404, 413, 429), (path, reply.status)


def test_values_of_every_kind(clinic, everybody, draft):
    """Objects of known names with senseless values; the same ones in every run."""
    chance = random.Random(6)
    paths = [path for path in targets(draft) if not path.endswith(("logout", "login", "launch",
                                                                   "stop", "verify"))]
    for _ in range(1500):
        path = chance.choice(paths)
        user = everybody["auditor" if "audit" in path else "doctor"]
        if path.endswith(("users", "/clinic/episodes", "/clinic/documents")):
            user = everybody["admin"]
        body = {chance.choice(NAMES): chance.choice(VALUES) for _ in range(chance.randint(0, 5))}
        if chance.random() < 0.5:
            body.update({"field": "course", "episode": ONE, "template": RECORD, "version": 0})
        check(clinic.post(path, body, **user.headers), (path, body))
    assert everybody["doctor"].get("me").status == 200
    good, text = clinic.verify_audit()
    assert good, text


@pytest.mark.parametrize("path", [
    "/clinic/api/episodes/" + "x" * 3000, "/clinic/api/episodes/..%2f..%2fetc%2fpasswd",
    "/clinic/api/episodes/%00", "/clinic/api/episodes/%ff%fe", "/clinic/api/episodes/",
    "/clinic/api/episodes//conflicts", "/clinic/api/episodes/a/b/c/d", "/clinic/api/drafts/x/y/z",
    "/clinic/api/forms/x", "/clinic/api/forms/x/", "/clinic/ui/", "/clinic/ui/../clinic.db",
    "/clinic/ui/%2e%2e%2fapp.js", "/clinic/ui/embed.html", "/clinic/ui/mock-host.html", "/clinicx",
    "/clinic/", "/clinic/mock-host", "/clinic/mock-host/launch", "/clinic/api", "/clinic/api/none",
    "/clinic/ui/" + "a" * 131, "/clinic/ui/" + "a" * 132, "/clinic/ui/" + "a" * 133])
def test_paths(clinic, everybody, path):
    reply = clinic.get(path, **everybody["doctor"].headers)
    assert reply.status in (404, 405, 414, 431), (path, reply.status)


def test_methods_and_types(clinic, everybody):
    headers = everybody["doctor"].headers
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        assert clinic.request(method, "/clinic/api/me", headers=headers).status == 405
    reply = clinic.get("/clinic/api/login")
    assert reply.status == 405 and reply.headers["Allow"] == "POST"
    reply = clinic.request("DELETE", f"/clinic/api/forms/{ONE}/{RECORD}", headers=headers)
    assert reply.headers["Allow"] == "GET, HEAD, POST"
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""):
        reply = clinic.request("POST", "/clinic/api/episodes/search", "{}",
                               {**headers, "Content-Type": kind})
        assert reply.status == 415, kind
    # FHIR's type is for pushes only.
    reply = clinic.request("POST", "/clinic/api/episodes/search", "{}",
                           {**headers, "Content-Type": "application/fhir+json"})
    assert reply.status == 415


def test_large_bodies(clinic, everybody):
    text = json.dumps({"text": "x" * (5 << 20)})
    reply = clinic.request("POST", "/clinic/api/episodes/search", text,
                           {**JSON, **everybody["doctor"].headers})
    assert reply.status == 413
    rows = {"docs": [{}] * 60000}
    assert clinic.post("/clinic/episodes", rows, **everybody["admin"].headers).status == 400


@pytest.mark.parametrize("code", [0x202e, 0x2066, 0x200b, 7, 0x1b, 0xfffe, 0xfeff])
def test_texts_that_are_read_otherwise(everybody, draft, code):
    """"15 mg" between U+202E and U+202C is shown as "51 mg"."""
    doctor, text = everybody["doctor"], f"予{chr(code)}15 mg"
    form = doctor.post(f"forms/{ONE}/{RECORD}", {"field": "course", "text": text, "version": 0})
    field = next(f for f in doctor.get(f"drafts/{draft}").json["fields"] if f["id"] == "course")
    edit = doctor.post(f"drafts/{draft}/edit", {"field": "course", "text": text,
                                                "revision": field["revision"]})
    for reply in (form, edit):
        assert (reply.status, reply.code) == (400, "invalid_value"), reply.bytes
        assert reply.json["error"]["param"] == "text"
    plain = f"第一行\n第二\t行，{ONE}"
    assert doctor.post(f"drafts/{draft}/edit", {"field": "course", "text": plain,
                                                "revision": field["revision"]}).status == 200


def test_a_lock_says_which_way(everybody, draft):
    reply = everybody["doctor"].post(f"drafts/{draft}/lock", {"field": "course"})
    assert (reply.status, reply.code) == (400, "missing_value")


def test_unknown_fields_are_named(clinic, everybody):
    reply = everybody["doctor"].post("episodes/search", {"tekst": "x"})
    assert reply.status == 400 and "tekst" in reply.bytes.decode()


def test_one_session_cannot_keep_the_others_waiting(clinic, everybody):
    """Three hundred requests at once: some are refused, nobody else notices."""
    text = f"GET /clinic/api/episodes/{ONE}/conflicts HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    text += "".join(f"{name}: {value}\r\n" for name, value in everybody["doctor"].headers.items())
    sockets = [clinic.socket((text + "\r\n").encode()) for _ in range(300)]
    assert everybody["admin"].get("me").status == 200
    first = [connection.recv(64).split(b"\r\n")[0] for connection in sockets]
    for connection in sockets:
        connection.close()
    assert {line.split()[1] for line in first} <= {b"200", b"429"}
    assert first.count(b"HTTP/1.1 200 OK") >= 16
    assert everybody["doctor"].get("me").status == 200


def test_answers_are_not_kept(clinic, everybody):
    for path in ("me", f"episodes/{ONE}", f"forms/{ONE}/{RECORD}"):
        headers = everybody["doctor"].get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Type"] == "application/json"
