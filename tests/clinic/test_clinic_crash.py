# SPDX-License-Identifier: Apache-2.0
"""A server that is killed while it imports, drafts and fills: what it had acknowledged is there, the
chain is whole, and the next server goes on."""
import copy
import http.client
import random
import signal
import sqlite3
import subprocess
import threading

import pytest
from conftest import ONE, PROGRAM, RECORD, command, make_store, read_episode


class Acknowledged:
    """What clients were told before the end."""

    def __init__(self):
        self.imports, self.fills, self.drafts, self.fields = {}, {}, set(), {}
        self.changes = threading.Event()


def until_cut(act):
    def run():
        try:
            while True:
                act()
        except (OSError, http.client.HTTPException, ValueError):
            return
    thread = threading.Thread(target=run)
    thread.start()
    return thread


def importing(clinic, known, count):
    admin, episode = clinic.user("admin"), copy.deepcopy(read_episode(5))

    def act():
        episode["encounter"]["id"] = f"E-CRASH-{len(known.imports)}"
        reply = admin.push("episodes", episode)
        if reply.status == 200:
            known.imports[reply.json["id"]] = reply.json["version"]
            count()
    return act


def filling(clinic, known, count):
    doctor, version = clinic.user("doctor"), [0]

    def act():
        text = f"第{version[0] + 1}次。"
        reply = doctor.post(f"forms/E-2025-000002/{RECORD}",
                            {"field": "course", "text": text, "version": version[0]})
        if reply.status == 200:
            version[0] += 1
            known.fills["course"] = (version[0], text)
            count()
    return act


def drafting(clinic, known, count):
    doctor = clinic.user("second")

    def act():
        reply = doctor.post("drafts", {"episode": "E-2025-000003", "template": RECORD})
        if reply.status not in (200, 201):
            return
        name = reply.json["id"]
        known.drafts.add(name)
        for event, data in doctor.events(name):
            if event == "checked" and data["field"]["state"] == "done":
                known.fields[name, data["field"]["id"]] = data["field"]["text"]
                count()
    return act


def check(store, known, serve):
    done = command("verify-audit", store, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    clinic = serve(store=store)
    doctor = clinic.user("doctor")
    for name, version in known.imports.items():
        assert doctor.get(f"episodes/{name}").json["version"] == version
    if known.fills:
        version, text = known.fills["course"]
        now = doctor.form("E-2025-000002")["course"]
        # One more may have been kept than was acknowledged, never one less.
        assert (now["version"], now["text"]) in ((version, text),
                                                 (version + 1, f"第{version + 1}次。"))
    for name in known.drafts:
        draft = doctor.get(f"drafts/{name}").json
        assert draft["state"] in ("done", "stopped"), draft["state"]
        texts = {field["id"]: field["text"] for field in draft["fields"]}
        for (of, field), text in known.fields.items():
            assert of != name or texts[field] == text
    assert clinic.user("auditor").post("audit/verify").json["ok"]
    assert doctor.draft(ONE)["state"] == "done"
    clinic.stop()
    done = command("verify-audit", store, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_point(serve, tmp_path, seed):
    clinic, known = serve(store=make_store(tmp_path)), Acknowledged()
    lock, left, enough = threading.Lock(), [random.Random(seed).randint(3, 60)], threading.Event()

    def count():
        with lock:
            left[0] -= 1
            if left[0] <= 0:
                enough.set()

    threads = [until_cut(kind(clinic, known, count)) for kind in (importing, filling, drafting)]
    assert enough.wait(180)
    clinic.process.send_signal(signal.SIGKILL)
    for thread in threads:
        thread.join(180)
        assert not thread.is_alive()
    clinic.process.wait(180)
    assert known.imports or known.fills or known.drafts
    check(clinic.store, known, serve)


def test_a_changed_byte_is_found(serve, tmp_path):
    store = make_store(tmp_path)
    clinic = serve(store=store)
    doctor = clinic.user("doctor")
    draft = doctor.draft()
    doctor.post(f"drafts/{draft['id']}/fill", {"fields": ["admit_date"], "versions": {}})
    clinic.stop()
    path = store / "clinic.db"
    data = path.read_bytes()
    text = "2025年11月3日".encode()
    assert text in data
    path.write_bytes(data.replace(text, "2025年11月4日".encode()))
    done = command("verify-audit", store, check=False)
    assert done.returncode != 0 and "broken" in done.stdout


def test_one_server_a_store(serve):
    """A second one would stop the first one's drafts. What a killed one left holds nobody up."""
    clinic = serve()
    done = subprocess.run([PROGRAM, "serve", "--port", "0", "--clinic", clinic.store],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode != 0 and "another server serves this store" in done.stderr
    assert clinic.user("doctor").get("me").status == 200
    assert command("list", clinic.store).stdout  # commands go on
    clinic.stop(signal.SIGKILL)
    again = serve(store=clinic.store)
    assert again.user("doctor").get("me").status == 200


def test_no_audit_no_work(serve, tmp_path):
    """A store that cannot be written any more answers nothing about patients."""
    clinic = serve(store=make_store(tmp_path))
    doctor = clinic.user("doctor")
    assert doctor.get(f"episodes/{ONE}").status == 200
    lock = sqlite3.connect(clinic.store / "clinic.db", timeout=180, isolation_level=None)
    tables = [row[0] for row in lock.execute("SELECT name FROM sqlite_master WHERE type='table'")]
    audit = next(name for name in tables if name.startswith("audit"))
    lock.execute(f"CREATE TRIGGER full BEFORE INSERT ON {audit} BEGIN "
                 "SELECT RAISE(ABORT, 'full'); END")
    try:
        for reply in (doctor.get(f"episodes/{ONE}"), doctor.post("episodes/search"),
                      doctor.get(f"forms/{ONE}/{RECORD}")):
            assert reply.status in (500, 503), reply.status
            assert "示" not in reply.bytes.decode()
        assert doctor.post("drafts", {"episode": ONE, "template": RECORD}).status >= 400
        typed = doctor.post(f"forms/{ONE}/{RECORD}", {"field": "course", "text": "x", "version": 0})
        assert typed.status >= 400
    finally:
        lock.execute("DROP TRIGGER full")
        lock.close()
    assert doctor.get(f"episodes/{ONE}").json["drafts"] == []
    assert doctor.form()["course"]["version"] == 0
