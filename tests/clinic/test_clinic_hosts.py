# SPDX-License-Identifier: Apache-2.0
"""What hosts and browsers see besides the data: pages and their policies, the demo's host, CDS
Hooks."""
import re
import subprocess
import uuid

import pytest
from conftest import ONE, PROGRAM, RECORD, new_key, read_episode

UI = "https://his.example.org"


def policy(reply):
    parts = reply.headers["Content-Security-Policy"].split(";")
    return {part.split()[0]: part.split()[1:] for part in parts}


def test_pages_are_there_and_strict(clinic):
    page = clinic.get("/clinic")
    assert page.status == 200 and page.headers["Content-Type"].startswith("text/html")
    for path in ("/clinic", "/clinic/embed"):
        reply = clinic.get(path)
        rules = policy(reply)
        assert rules["default-src"] == ["'none'"]
        for name in ("script-src", "style-src", "img-src", "connect-src"):
            assert rules[name] == ["'self'"], name
        assert rules["frame-ancestors"] == ["'none'"]  # no host is listed here
        assert reply.headers["Referrer-Policy"] == "no-referrer"
    assert clinic.get("/clinic").headers["X-Frame-Options"] == "DENY"
    text = page.bytes.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|https?://(?!www\.w3\.org)", text)
    for name in re.findall(r'(?:src|href)="(/clinic/[^"#?]+)"', text):
        assert clinic.get(name).status == 200, name


def test_etags(clinic):
    first = clinic.get("/clinic/ui/app.js")
    assert first.headers["Content-Type"].startswith("text/javascript")
    again = clinic.get("/clinic/ui/app.js", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.bytes) == (304, b"")


def test_only_listed_hosts_may_frame_the_draft_window(serve):
    clinic = serve("--allowed-origins", f"{UI},https://b.example.org:8443")
    assert policy(clinic.get("/clinic/embed"))["frame-ancestors"] == [UI,
                                                                     "https://b.example.org:8443"]
    assert "X-Frame-Options" not in clinic.get("/clinic/embed").headers
    assert policy(clinic.get("/clinic"))["frame-ancestors"] == ["'none'"]


def test_the_mock_host_is_for_demonstrations(serve, clinic):
    for path in ("/clinic/mock-host", "/clinic/ui/mock-host.html"):
        assert clinic.get(path).status == 404
    assert clinic.post("/clinic/mock-host/launch", {"episode": ONE}).status == 404
    demo = serve("--clinic-demo")
    assert demo.get("/clinic/mock-host").status == 200
    assert "http://localhost:*" in policy(demo.get("/clinic/embed"))["frame-ancestors"]
    token = demo.post("/clinic/mock-host/launch", {"episode": ONE, "origin": "http://localhost:1",
                                                   "handle": "h"}).json["token"]
    reply = demo.post("/clinic/api/launch", {"token": token})
    assert reply.status == 200 and reply.json["messaging"]["origin"] == "http://localhost:1"
    assert demo.post("/clinic/mock-host/launch", {}).status == 400


def test_demonstrations_are_for_one_machine(tmp_path):
    """Off loopback anybody could have a doctor's token."""
    command = [PROGRAM, "serve", "--clinic", tmp_path, "--host", "0.0.0.0", "--api-key-file", "k",
               "--check-config"]
    for flags, words in [(["--clinic-demo", "--tls-cert", "c", "--tls-key", "k"], "loopback"),
                         ([], "--tls-cert")]:
        done = subprocess.run([*command, *flags], capture_output=True, text=True)
        assert done.returncode == 2 and words in done.stderr
    good = subprocess.run([*command, "--tls-cert", "c", "--tls-key", "k"], capture_output=True)
    assert good.returncode == 0


# ---- CDS Hooks


@pytest.fixture(scope="module")
def hooked(serve, tmp_path_factory):
    secret, file = new_key(tmp_path_factory.mktemp("key"), "his", "scopes=clinic")
    clinic = serve("--api-key-file", file)
    clinic.secret = secret
    return clinic


PATIENT = read_episode(1)["patient"]["id"]


def hook(**context):
    return {"hook": "encounter-discharge", "hookInstance": str(uuid.uuid4()),
            "context": {"userId": "Practitioner/1", "patientId": PATIENT, "encounterId": ONE,
                        **context}}


SERVICE = "/clinic/cds-services/xinglin-discharge"


def test_discovery(hooked):
    services = hooked.get("/clinic/cds-services").json["services"]
    assert [(s["hook"], s["id"]) for s in services] == [("encounter-discharge",
                                                         "xinglin-discharge")]
    assert all(s["description"] for s in services)


@pytest.mark.parametrize("encounter", [ONE, f"Encounter/{ONE}"])
def test_card(hooked, encounter):
    reply = hooked.post(SERVICE, hook(encounterId=encounter), key=hooked.secret)
    assert reply.status == 200, reply.bytes
    card, = reply.json["cards"]
    assert len(card["summary"]) < 140 and card["indicator"] in ("info", "warning")
    assert card["source"]["label"] and uuid.UUID(card["uuid"]).version == 4
    link, = card["links"]
    assert link["type"] == "absolute"
    assert link["url"].startswith(f"http://127.0.0.1:{hooked.port}/clinic")
    assert ONE in link["url"] and "张示安" not in reply.bytes.decode()
    lines = hooked.user("auditor").post("audit/search", {"user": "key:his"}).json["rows"]
    assert (lines[0]["action"], lines[0]["episode"]) == ("read", ONE)


def test_the_card_says_how_far_the_form_is(hooked):
    doctor, fields = hooked.user("doctor"), []

    def card():
        made, = hooked.post(SERVICE, hook(), key=hooked.secret).json["cards"]
        return made["summary"], made["indicator"]

    assert "未书写" in card()[0] and card()[1] == "warning"
    fields = list(doctor.form())
    for n, field in enumerate(fields, 1):
        reply = doctor.post(f"forms/{ONE}/{RECORD}", {"field": field, "text": "好", "version": 0})
        assert reply.status == 200, reply.bytes
        is_all = n == len(fields)
        assert ("已回填" if is_all else f"{n}/{len(fields)}") in card()[0]
        assert card()[1] == ("info" if is_all else "warning")
    doctor.post(f"forms/{ONE}/{RECORD}", {"field": fields[0], "text": "", "version": 1})
    assert f"{len(fields) - 1}/{len(fields)}" in card()[0]


@pytest.mark.parametrize("patient,n", [(f"Patient/{PATIENT}", 1), ("SOMEBODY-ELSE", 0),
                                       (PATIENT + "0", 0), ("Patient/", 0)])
def test_the_card_is_for_the_patient_in_view(hooked, patient, n):
    assert len(hooked.post(SERVICE, hook(patientId=patient), key=hooked.secret).json["cards"]) == n


def test_no_card_for_strangers(hooked):
    assert hooked.post(SERVICE, hook(encounterId="E-none"), key=hooked.secret).json == {"cards": []}
    assert hooked.post(SERVICE, hook()).status == 401
    assert hooked.post(SERVICE, {**hook(), "hook": "order-sign"}, key=hooked.secret).status == 400
    for name in ("userId", "patientId", "encounterId"):
        assert hooked.post(SERVICE, hook(**{name: None}), key=hooked.secret).status == 400
    assert hooked.post(SERVICE, {"hook": "encounter-discharge"}, key=hooked.secret).status == 400


def test_feedback_is_kept(hooked):
    card = hooked.post(SERVICE, hook(), key=hooked.secret).json["cards"][0]["uuid"]
    said = {"feedback": [{"card": card, "outcome": "accepted",
                          "outcomeTimestamp": "2025-11-11T10:00:00Z"}]}
    assert hooked.post(SERVICE + "/feedback", said, key=hooked.secret).status == 200
    line = hooked.user("auditor").post("audit/search", {"action": "cds.feedback"}).json["rows"][0]
    assert line["after"] == [{"card": card, "outcome": "accepted"}]
    for bad in ({}, {"feedback": {}}, {"feedback": [{"card": card}]},
                {"feedback": [{"card": card, "outcome": "eaten"}]}, {"feedback": [None]}):
        assert hooked.post(SERVICE + "/feedback", bad, key=hooked.secret).status == 400
