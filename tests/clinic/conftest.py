# SPDX-License-Identifier: Apache-2.0
"""Clinics with users and the bundled episodes, served by real processes."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import signal
import subprocess
import time
import uuid

import pytest
from server_process import INPUTS, JSON, PROGRAM, ROOT, Server, new_key  # noqa: F401

collect_ignore = ["test_pages.py"]  # a program of its own: it needs a browser
EPISODES = sorted((ROOT / "examples/episodes").glob("*/episode.json"))
PASSWORD = "示范-password-1"
USERS = [("doctor", "doctor", ["*"]), ("second", "doctor", ["*"]), ("heart", "doctor", ["心血管内科"]),
         ("qc", "qc", ["*"]), ("admin", "admin", ["*"]), ("auditor", "auditor", ["*"]),
         ("nowhere", "doctor", ["没有的科"])]
ONE = "E-2025-000001"  # 呼吸内科
RECORD = "discharge-record"


def read_episode(number):
    return json.loads(EPISODES[number - 1].read_text(encoding="utf-8"))


def command(*arguments, text=None, check=True):
    return subprocess.run([PROGRAM, "clinic", *map(str, arguments)], input=text, text=True,
                          capture_output=True, check=check, timeout=600)


def make_store(folder, episodes=EPISODES):
    store = folder / "store"
    command("init", store)
    for name, role, departments in USERS:
        flags = [flag for each in departments for flag in ("--department", each)]
        command("user", "add", store, name, "--display", f"{name}示", "--role", role, *flags,
                "--password-file", "-", text=PASSWORD + "\n")
    if episodes:
        command("import", store, *episodes)
    return store


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(claims, key, header=None):
    """A JSON Web Token, written by the test's own hand."""
    head = {"alg": "HS256", "typ": "JWT"} if header is None else header
    text = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
    return text + "." + base64url(hmac.new(key, text.encode(), hashlib.sha256).digest())


class Events:
    """A draft's stream, event by event."""

    def __init__(self, server, draft, headers):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
        self.connection.request("GET", f"/clinic/api/drafts/{draft}/events", headers=headers)
        self.response = self.connection.getresponse()

    def __iter__(self):
        name = None
        for line in self.response:
            if line.startswith(b"event: "):
                name = line[7:].decode().strip()
            elif line.startswith(b"data: "):
                yield name, json.loads(line[6:])

    def close(self):
        self.response.close()
        self.connection.close()


class Clinic(Server):
    """A served clinic; what a user does goes through `user(name)`."""

    def __init__(self, folder, store, *flags, model=None, **options):
        self.store = store
        super().__init__(folder, model, "--clinic", store, *flags, **options)

    def login(self, name, password=PASSWORD):
        return self.post("/clinic/api/login", {"user": name, "password": password})

    def user(self, name):
        reply = self.login(name)
        assert reply.status == 200, reply.bytes
        return User(self, {"Cookie": reply.headers["Set-Cookie"].split(";")[0]})

    @property
    def launch_key(self):
        return bytes.fromhex((self.store / "launch.key").read_text().strip())

    def claims(self, **other):
        now = int(time.time())
        return {"aud": "xinglin-clinic", "sub": "his-doctor", "name": "示院医师", "role": "doctor",
                "departments": ["呼吸内科"], "episode": ONE, "template": RECORD, "iat": now,
                "exp": now + 120, "jti": uuid.uuid4().hex, **other}

    def launch(self, **other):
        return self.post("/clinic/api/launch", {"token": sign(self.claims(**other),
                                                              self.launch_key)})

    def verify_audit(self):
        done = command("verify-audit", self.store, check=False)
        return done.returncode == 0, done.stdout + done.stderr


class User:
    def __init__(self, server, headers):
        self.server, self.headers = server, headers

    def get(self, path):
        return self.server.get("/clinic/api/" + path, **self.headers)

    def post(self, path, body=None):
        return self.server.post("/clinic/api/" + path, body or {}, **self.headers)

    def push(self, path, body):
        return self.server.post("/clinic/" + path, body, **self.headers)

    def begin_draft(self, episode=ONE, template=RECORD):
        reply = self.post("drafts", {"episode": episode, "template": template})
        assert reply.status == 201, reply.bytes
        return reply.json["id"]

    def events(self, draft):
        return Events(self.server, draft, self.headers)

    def draft(self, episode=ONE, template=RECORD):
        """A finished draft."""
        name = self.begin_draft(episode, template)
        assert list(self.events(name))[-1][0] == "done"
        return self.get(f"drafts/{name}").json

    def form(self, episode=ONE, template=RECORD):
        fields = self.get(f"forms/{episode}/{template}").json["fields"]
        return {field["id"]: field for field in fields}


def make_templates(folder):
    """A record type whose only field of the model is short, so that a whole run is."""
    fields = [("admit_date", "入院日期", "data", "admit_date"),
              ("condition", "出院情况", "rule", "discharge_condition"),
              ("summary", "小结", "model", "discharge_diagnoses")]
    rows = [{"id": name, "name": title, "from": origin, "value": value, "max_characters": 400,
             **({"context": "none", "prompt": "改写："} if origin == "model" else {})}
            for name, title, origin, value in fields]
    (folder / "short.json").write_text(json.dumps(
        {"format": "xinglin-record-template", "version": 1, "id": "short", "name": "短记录",
         "system": "你是医师。", "fields": rows}, ensure_ascii=False), encoding="utf-8")
    return folder


def field_of(draft, name):
    return next(field for field in draft["fields"] if field["id"] == name)


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """Starts clinics; all end with the module."""
    folder, clinics = tmp_path_factory.mktemp("clinic"), []

    def begin(*flags, store=None, **options):
        if store is None:
            own = folder / f"n{len(clinics)}"
            own.mkdir()
            store = make_store(own)
        clinics.append(Clinic(folder, store, *flags, **options))
        return clinics[-1]

    yield begin
    for clinic in clinics:
        clinic.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def clinic(serve):
    """All bundled episodes, all users, no model."""
    return serve()


@pytest.fixture(scope="module")
def doctor(clinic):
    return clinic.user("doctor")


@pytest.fixture(scope="session")
def small_model():
    """It writes nonsense, but piece by piece."""
    path = INPUTS / "bench/gguf/smollm2-135m-instruct-sym_int4.gguf"
    if not path.exists():
        path = pathlib.Path(os.environ.get("XINGLIN_DEMO", ROOT / "build/demo"))
        path /= "smollm2-135m-instruct-sym_int8.gguf"
    if not path.exists():
        pytest.skip("no small model is there (scripts/fetch-inputs or make demo)")
    return path
