# SPDX-License-Identifier: Apache-2.0
"""What hospitals push: episodes, FHIR Bundles, documents as text and HTML; and that none of it ever
stands in a log."""
import base64
import copy
import json
import random
import re

import pytest
from conftest import EPISODES, ONE, RECORD, command, make_store, new_key, read_episode


@pytest.fixture(scope="module")
def admin(clinic):
    return clinic.user("admin")


def renamed(number, name):
    episode = copy.deepcopy(read_episode(number))
    episode["encounter"]["id"] = name
    return episode


def test_the_same_twice_is_one_version(admin):
    episode = renamed(1, "E-TWICE")
    assert admin.push("episodes", episode).json == {"id": "E-TWICE", "version": 1, "created": True,
                                                    "changed": True}
    shuffled = dict(reversed(list(episode.items())))
    assert admin.push("episodes", shuffled).json == {"id": "E-TWICE", "version": 1,
                                                     "created": False, "changed": False}
    episode["encounter"]["bed"] = "77"
    assert admin.push("episodes", episode).json["version"] == 2


def test_a_stay_stays_with_its_patient(admin, clinic):
    """What was filled into its forms would become another's."""
    episode = renamed(1, "E-ONE-PATIENT")
    assert admin.push("episodes", episode).status == 200
    form = clinic.user("doctor").post(f"forms/E-ONE-PATIENT/{RECORD}", {
        "field": "course", "text": "好转", "version": 0})
    assert form.status == 200
    episode["patient"] = {**episode["patient"], "id": "P-OTHER", "name": "王示五"}
    reply = admin.push("episodes", episode)
    assert (reply.status, reply.code) == (409, "conflict"), reply.bytes
    assert "王示五" not in reply.bytes.decode() and "张示安" not in reply.bytes.decode()
    assert clinic.user("doctor").get("episodes/E-ONE-PATIENT").json["version"] == 1
    other = bundle()
    other["entry"][1]["resource"]["id"] = "E-ONE-PATIENT"
    text = json.dumps(other).replace("Encounter/E-FHIR-1", "Encounter/E-ONE-PATIENT")
    assert admin.push("episodes", json.loads(text)).code == "conflict"


def test_hourly_vital_signs_of_a_long_stay(admin):
    """A Bundle of more objects than a chat may have."""
    big = bundle()
    big["entry"][1]["resource"]["id"] = "E-HOURLY"
    big = json.loads(json.dumps(big).replace("Encounter/E-FHIR-1", "Encounter/E-HOURLY"))
    for n in range(8640):
        big["entry"].append({"resource": {
            "resourceType": "Observation", "id": f"v{n}", "status": "final",
            "category": [{"coding": [{"code": "vital-signs"}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            "subject": {"reference": "Patient/P1"}, "encounter": {"reference": "Encounter/E-HOURLY"},
            "effectiveDateTime": f"2025-03-{1 + n // 2160:02}T{n // 90 % 24:02}:{n % 60:02}:00+08:00",
            "valueQuantity": {"value": 70 + n % 9, "unit": "/min"}}})
    text = json.dumps(big)
    assert text.count("{") + text.count("[") > 60000 and len(text) < 4 << 20
    reply = admin.push("episodes", big)
    assert reply.status == 200, reply.bytes
    dense = {"resourceType": "Bundle", "type": "collection", "entry": [{}] * 140000}
    assert admin.push("episodes", dense).code == "json_too_large"


HTML = "<h2>首次病程记录</h2><p>患者发热、咳嗽3天，体温39.2 ℃，㐀𠮷。</p>"


def push_bytes(admin, data, **more):
    body = {"episode": ONE, "local_title": "首次病程记录", "format": "html",
            "event_time": "2025-11-03T15:00:00+08:00", "id": "d-bytes",
            "data": base64.b64encode(data).decode(), **more}
    return admin.push("documents", body)


@pytest.mark.parametrize("charset,said,meta", [
    ("gb18030", "GB18030", None), ("gb18030", "gbk", None), ("gb18030", None, "gb2312"),
    ("gb18030", None, "text/html; charset=GBK"), ("utf-8", None, None), ("utf-8", "UTF-8", "gbk"),
    ("utf-8", None, "gb2312")])
def test_documents_in_chinese_encodings(serve_one, charset, said, meta):
    admin, doctor = serve_one
    head = "" if not meta else (f'<meta content="{meta}">' if " " in meta else
                                f"<meta charset='{meta}'>")
    reply = push_bytes(admin, (head + HTML).encode(charset), **({"charset": said} if said else {}))
    assert reply.status == 200, reply.bytes
    docs = doctor.get(f"episodes/{ONE}").json["episode"]["docs"]
    text = next(doc for doc in docs if doc["id"] == "d-bytes")["sections"][-1]["text"]
    assert "患者发热、咳嗽3天，体温39.2 ℃，㐀𠮷。" in text


@pytest.fixture(scope="module")
def serve_one(serve):
    clinic = serve()
    return clinic.user("admin"), clinic.user("doctor")


@pytest.mark.parametrize("data,more,words", [
    (HTML.encode("gb18030"), {}, "no UTF-8"), (HTML.encode("gb18030"), {"charset": "utf-8"}, "no UTF-8"),
    (HTML.encode("gb18030")[:-6] + b"\xff\xff", {"charset": "gbk"}, "no GB18030 text at byte"),
    ("发热。".encode("gb18030") + b"\xb7", {"charset": "gb18030"}, "no GB18030 text at byte"),
    (HTML.encode("big5", "replace"), {"charset": "big5"}, "charset must be"),
    (HTML.encode("utf-16"), {}, "no UTF-8"), (b"a\0b", {"charset": "gb18030"}, "NUL"),
    (b"<meta charset=" + b"x" * 2000, {"charset": ""}, "charset must be"),
    (b"<p>\xb7\xa2<meta charset=", {}, "no UTF-8")])
def test_bytes_that_are_no_text(serve_one, data, more, words):
    reply = push_bytes(serve_one[0], data, **more)
    assert reply.status == 400 and words in reply.bytes.decode(), reply.bytes


def test_data_and_content(serve_one):
    admin = serve_one[0]
    both = push_bytes(admin, b"x", content="x")
    assert both.status == 400 and "not both" in both.bytes.decode()
    for wrong in (b"", b"   "):
        assert push_bytes(admin, wrong).status == 400
    body = {"episode": ONE, "local_title": "首次病程记录", "format": "text",
            "event_time": "2025-11-03T15:00:00+08:00"}
    for wrong in ({}, {"data": None}, {"data": "!!!"}, {"data": ["eA=="]}, {"content": ""}):
        assert admin.push("documents", {**body, **wrong}).status == 400
    chance = random.Random(5)
    for _ in range(60):
        data = chance.randbytes(chance.randrange(1, 60))
        assert push_bytes(admin, data, charset=chance.choice(["gbk", "utf-8"])).status in (200, 400)


def test_attachments_in_chinese_encodings(admin, clinic):
    big = json.loads(json.dumps(bundle()).replace("E-FHIR-1", "E-FHIR-GB"))

    def push(content_type, data):
        big["entry"] = big["entry"][:3] + [{"resource": {
            "resourceType": "DocumentReference", "id": "gb", "status": "current",
            "subject": {"reference": "Patient/P1"}, "date": "2025-03-02T09:00:00+08:00",
            "docStatus": "final", "content": [{"attachment": {
                "contentType": content_type, "title": "首次病程记录",
                "data": base64.b64encode(data).decode()}}]}}]
        return admin.push("episodes", big)

    reply = push('text/html; charset="gb2312"', HTML.encode("gb18030"))
    assert reply.status == 200, reply.bytes
    docs = clinic.user("doctor").get("episodes/E-FHIR-GB").json["episode"]["docs"]
    assert "体温39.2 ℃，㐀𠮷。" in docs[0]["sections"][-1]["text"]
    for kind, data, words in [("text/html; charset=gb18030", b"\xff\xff", "no GB18030"),
                              ("text/html", HTML.encode("gb18030"), "no UTF-8"),
                              ("text/html; charset=big5", b"x", "GB18030; leave others out")]:
        reply = push(kind, data)
        assert reply.status == 400 and words in reply.bytes.decode(), reply.bytes


@pytest.mark.parametrize("name", [".", "..", "..."])
def test_ids_that_no_path_can_hold(admin, name):
    reply = admin.push("episodes", renamed(1, name))
    assert reply.status == 400 and "dots" in reply.bytes.decode()


@pytest.mark.parametrize("change", [
    {"format": "other"}, {"version": 7}, {"patient": None}, {"encounter": []}, {"docs": {}},
    {"labs": [{"id": 1}]}, {"orders": "x"}, {"staff": [None]}])
def test_bad_episodes_name_the_place_and_keep_nothing(admin, clinic, change):
    episode = {**renamed(1, "E-BAD"), **change}
    reply = admin.push("episodes", episode)
    assert reply.status == 400, reply.bytes
    assert clinic.user("doctor").get("episodes/E-BAD").status == 404
    assert "张示安" not in reply.bytes.decode()


def bundle():
    """A small one by the test's own hand."""
    def entry(**resource):
        return {"fullUrl": f"urn:uuid:{resource['resourceType']}-{resource['id']}",
                "resource": resource}

    return {"resourceType": "Bundle", "type": "collection", "entry": [
        entry(resourceType="Patient", id="P1", name=[{"text": "贾示凡"}], gender="male",
              birthDate="1960-02-03"),
        entry(resourceType="Encounter", id="E-FHIR-1", status="finished",
              **{"class": {"code": "IMP"}}, subject={"reference": "Patient/P1"},
              period={"start": "2025-03-01T08:00:00+08:00", "end": "2025-03-05T10:00:00+08:00"},
              serviceProvider={"display": "示范医院"}, serviceType={"text": "呼吸内科"}),
        entry(resourceType="Condition", id="C1", subject={"reference": "Patient/P1"},
              encounter={"reference": "Encounter/E-FHIR-1"}, code={"text": "肺炎"},
              category=[{"coding": [{"code": "encounter-diagnosis"}]}],
              recordedDate="2025-03-01T09:00:00+08:00"),
    ]}


def test_fhir(admin, clinic):
    reply = clinic.request("POST", "/clinic/episodes", json.dumps(bundle()), {
        "Content-Type": "application/fhir+json", **admin.headers})
    assert reply.status == 200, reply.bytes
    name = reply.json["id"]
    assert admin.push("episodes", bundle()).json == {"id": name, "version": 1, "created": False,
                                                     "changed": False}
    read = clinic.user("doctor").get(f"episodes/{name}").json["episode"]
    assert read["patient"]["name"] == "贾示凡" and read["patient"]["sex"] == "男"
    assert admin.push("episodes", {"resourceType": "Patient"}).status == 400
    assert admin.push("episodes", {"resourceType": "Bundle", "entry": [{}]}).status == 400


NOTE = {"local_title": "日常病程记录", "format": "text", "author": "",
        "event_time": "2025-11-08T09:00:00+08:00", "sign_time": "2025-11-08T09:20:00+08:00"}


def test_a_text_becomes_a_document(admin, clinic):
    assert admin.push("episodes", renamed(1, "E-DOC")).status == 200
    said = {"episode": "E-DOC", **NOTE, "content": "患者今日咳嗽减轻，体温36.8℃。继续目前治疗。"}
    reply = admin.push("documents", said)
    assert (reply.status, reply.json["version"]) == (200, 2), reply.bytes
    assert admin.push("documents", said).json["changed"] is False
    newer = admin.push("documents", {**said, "content": "患者今日无咳嗽，体温36.6℃。"})
    assert newer.json["version"] == 3
    docs = clinic.user("doctor").get("episodes/E-DOC").json["episode"]["docs"]
    assert len(docs) == len(read_episode(1)["docs"]) + 1  # replaced, not added again
    mine = next(doc for doc in docs if doc["local_title"] == "日常病程记录"
                and "无咳嗽" in json.dumps(doc, ensure_ascii=False))
    assert mine["c_code"] == "C0038"


@pytest.mark.parametrize("docs", [{}, {"docs": None}])
def test_a_document_after_an_episode_without_any(admin, docs):
    episode = renamed(1, f"E-BARE-{len(docs)}")
    del episode["docs"]
    assert admin.push("episodes", {**episode, **docs}).status == 200
    reply = admin.push("documents", {"episode": episode["encounter"]["id"], **NOTE,
                                     "content": "患者今日咳嗽减轻。"})
    assert (reply.status, reply.json.get("version")) == (200, 2), reply.bytes


def test_what_is_read_is_what_is_checked(admin, clinic):
    """Characters that turn the direction or show nothing leave running text; names are refused."""
    episode = renamed(1, "E-PLAIN")
    section = episode["docs"][0]["sections"][0]
    section["text"] = "\u202e51\u202c mg\u200b每日\r\n一次\u0007"
    episode["reports"][0]["conclusion"] = "未见\ufeff异常"
    assert admin.push("episodes", episode).status == 200
    kept = clinic.user("doctor").get("episodes/E-PLAIN").json["episode"]
    assert kept["docs"][0]["sections"][0]["text"] == "51 mg每日\n一次"
    assert kept["reports"][0]["conclusion"] == "未见异常"
    assert admin.push("episodes", episode).json["changed"] is False
    for name in ("", "   ", "\u3164", "王\u202e示"):
        episode["patient"]["name"] = name
        assert admin.push("episodes", episode).status == 400, ascii(name)


def test_what_a_bundle_loses_is_told(admin):
    sent = bundle()
    sent["entry"].append({"resource": {
        "resourceType": "Observation", "id": "O1", "subject": {"reference": "Patient/P1"},
        "category": [{"coding": [{"code": "social-history"}]}], "code": {"text": "吸烟"},
        "effectiveDateTime": "2025-03-01", "valueBoolean": True}})
    assert admin.push("episodes", sent).json["left_out"] == 1


def test_html_is_text_and_runs_nothing(admin, clinic):
    assert admin.push("episodes", renamed(2, "E-HTML")).status == 200
    html = ("<html><script>alert('x')</script><body onload=alert(1)><p>患者神志清楚，"
            "<b>血压</b>120/80 mmHg。</p><img src=x onerror=alert(2)></body>")
    reply = admin.push("documents", {"episode": "E-HTML", **NOTE, "format": "html",
                                     "event_time": read_episode(2)["docs"][-1]["event_time"],
                                     "sign_time": read_episode(2)["docs"][-1]["sign_time"],
                                     "content": html})
    assert reply.status == 200, reply.bytes
    reply = clinic.user("doctor").get("episodes/E-HTML")
    assert reply.headers["Content-Type"] == "application/json"
    text = json.dumps(reply.json, ensure_ascii=False)
    assert "血压120/80 mmHg" in text and "alert" not in text and "onerror" not in text


@pytest.mark.parametrize("change,status", [
    ({"episode": "E-none"}, 404), ({"episode": ""}, 404), ({"episode": 7}, 404),
    ({"content": None}, 400), ({"content": 7}, 400), ({"format": "pdf"}, 400),
    ({"local_title": ""}, 400), ({"local_title": "长" * 200}, 400), ({"event_time": "gestern"}, 400),
    ({"sign_time": "2020"}, 400), ({"author": "nobody"}, 400), ({"extra": "x"}, 400),
    ({"id": "a/b"}, 400), ({"document": {}}, 400)])
def test_bad_documents(admin, change, status):
    body = {"episode": ONE, **NOTE, "content": "文字。", **change}
    reply = admin.push("documents", {k: v for k, v in body.items() if v is not None})
    assert reply.status == status, reply.bytes


def test_a_key_pushes(serve, tmp_path):
    secret, file = new_key(tmp_path, "his", "scopes=clinic")
    clinic = serve("--api-key-file", file)
    reply = clinic.post("/clinic/episodes", renamed(1, "E-KEY"), key=secret)
    assert reply.status == 200, reply.bytes
    line = clinic.user("auditor").post("audit/search", {"episode": "E-KEY"}).json["rows"][-1]
    assert (line["user"], line["action"]) == ("key:his", "import")


def test_two_hundred_are_listed(serve, tmp_path):
    store = make_store(tmp_path, [])
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(200):
        episode = renamed(1 + n % 9, f"E-MANY-{n:03d}")
        episode["patient"]["name"] = f"示{n:03d}"
        (folder / f"{n}.json").write_text(json.dumps(episode), encoding="utf-8")
    command("import", store, folder)
    clinic = serve(store=store)
    doctor = clinic.user("doctor")
    reply = doctor.post("episodes/search", {"limit": 200})
    assert reply.json["total"] == 200 and len(reply.json["episodes"]) == 200
    names = [entry["id"] for entry in reply.json["episodes"]]
    pages = [doctor.post("episodes/search", {"limit": 30, "offset": at}).json["episodes"]
             for at in range(0, 200, 30)]
    assert [entry["id"] for page in pages for entry in page] == names
    found = doctor.post("episodes/search", {"text": "示017"}).json
    assert [entry["id"] for entry in found["episodes"]] == ["E-MANY-017"]
    assert doctor.post("episodes/search", {"state": "filled"}).json["total"] == 0
    assert doctor.post("episodes/search", {"state": "unheard"}).status == 400
    assert doctor.post("episodes/search", {"limit": 0}).status == 400


def phrases():
    """Names, ids, and stretches of every bundled document."""
    for path in EPISODES:
        episode = json.loads(path.read_text(encoding="utf-8"))
        yield episode["patient"]["name"]
        yield episode["patient"].get("id_card") or episode["patient"]["name"]
        for doc in episode["docs"]:
            for section in doc["sections"]:
                for sentence in re.split("[，。；：\n]", section["text"]):
                    if len(sentence) >= 6:
                        yield sentence


def test_no_patient_text_in_logs(serve, tmp_path):
    access, audit = tmp_path / "access.log", tmp_path / "audit.log"
    clinic = serve("--access-log", access, "--audit-log", audit)
    doctor, admin = clinic.user("doctor"), clinic.user("admin")
    name = read_episode(1)["patient"]["name"]
    doctor.post("episodes/search", {"text": name})
    for number in range(1, len(EPISODES) + 1):
        episode = read_episode(number)
        admin.push("episodes", {**episode, "patient": {**episode["patient"], "sex": name}})
        admin.push("episodes", {**episode, "docs": [{"id": name}]})
        draft = doctor.draft(episode["encounter"]["id"])
        doctor.post(f"drafts/{draft['id']}/fill", {"fields": ["course", "admit_date"],
                                                   "versions": {}})
    clinic.get("/clinic/api/episodes/" + "%E5%BC%A0%E7%A4%BA%E5%AE%89", **doctor.headers)
    clinic.get("/clinic/%E5%BC%A0%E7%A4%BA%E5%AE%89?x=%E5%BC%A0%E7%A4%BA%E5%AE%89")
    clinic.login(name)
    clinic.stop()
    logs = clinic.log + access.read_text() + audit.read_text()
    assert "/clinic/api/episodes/search" in logs
    found = {phrase for phrase in phrases() if phrase in logs}
    assert not found
    exported = command("export-audit", clinic.store).stdout
    assert "draft.create" in exported
    assert not {phrase for phrase in phrases() if phrase in exported}
