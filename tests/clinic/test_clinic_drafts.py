# SPDX-License-Identifier: Apache-2.0
"""Drafts without a model: composing, following, changing, filling back, undoing, and what the audit
says of it."""
import copy

import pytest
from conftest import ONE, RECORD, field_of, read_episode

WRONG = "出院时体温41.7℃，予哌拉西林钠他唑巴坦钠99 g静脉滴注。"


@pytest.fixture(scope="module")
def auditor(clinic):
    return clinic.user("auditor")


def newest(auditor, **query):
    return auditor.post("audit/search", {"limit": 20, **query}).json["rows"]


def test_a_draft_without_a_model(doctor):
    draft = doctor.draft()
    assert (draft["state"], draft["model"], draft["by"], draft["episode"]) == ("done", None,
                                                                               "doctor", ONE)
    assert draft["label"] == "AI辅助生成，须经医师审核"
    encounter = read_episode(1)["encounter"]
    day = encounter["events"][0]["time"][:10].split("-")
    assert field_of(draft, "admit_date")["text"] == f"{day[0]}年{int(day[1])}月{int(day[2])}日"
    assert all(field["state"] == "done" and field["text"] for field in draft["fields"])
    claims = [claim for field in draft["fields"] for s in field["sentences"] for claim in s["claims"]]
    assert draft["verified"] == {"ok": sum(c["ok"] for c in claims), "all": len(claims)}
    course = field_of(draft, "course")
    assert len(course["sentences"]) >= 3
    assert all(s["sources"] for s in course["sentences"])


@pytest.mark.parametrize("template", ["discharge-record", "discharge-summary", "stage-summary"])
def test_every_record_type(doctor, template):
    draft = doctor.draft("E-2025-000008", template)
    assert draft["template"] == template and draft["state"] == "done"


def test_every_episode(doctor):
    for entry in doctor.post("episodes/search", {"limit": 100}).json["episodes"]:
        draft = doctor.draft(entry["id"])
        assert draft["state"] == "done" and draft["verified"]["all"] > 0, entry["id"]


def test_events_tell_the_draft(doctor):
    name = doctor.begin_draft("E-2025-000003")
    events = list(doctor.events(name))
    assert events[0][0] == "snapshot" and events[-1][0] == "done"
    draft = doctor.get(f"drafts/{name}").json
    known = {field["id"]: field for field in events[0][1]["draft"]["fields"]}
    for event, data in events[1:]:
        if event == "checked":
            known[data["field"]["id"]] = data["field"]
        if event == "text":
            known[data["field"]]["text"] += data["append"]
    assert [known[field["id"]] for field in draft["fields"]] == draft["fields"]


def test_followers_of_an_ended_draft(doctor):
    draft = doctor.draft("E-2025-000003")
    events = list(doctor.events(draft["id"]))
    assert [event for event, _ in events] == ["snapshot", "done"]
    assert events[0][1]["draft"] == draft
    assert events[1][1]["state"] == "done"


def fill(user, draft, *names, versions=None):
    form = user.form(draft["episode"], draft["template"])
    seen = {name: form[name]["version"] for name in names} if versions is None else versions
    return user.post(f"drafts/{draft['id']}/fill", {"fields": list(names), "versions": seen})


def test_fill_one_and_undo(doctor, auditor):
    draft = doctor.draft("E-2025-000004")
    text = field_of(draft, "admit_date")["text"]
    reply = fill(doctor, draft, "admit_date")
    assert (reply.status, reply.json["filled"]) == (200, ["admit_date"])
    form = doctor.form("E-2025-000004")
    assert list(form) == [field["id"] for field in draft["fields"]]
    filled = form["admit_date"]
    assert (filled["text"], filled["version"], filled["from"], filled["draft"], filled["by"]) == (
        text, 1, "draft", draft["id"], "doctor")
    assert form["course"]["version"] == 0 and form["course"]["text"] == ""
    line = newest(auditor, episode="E-2025-000004", action="form.fill")[0]
    assert line["user"] == "doctor" and text in str(line["after"])
    undone = doctor.post(f"forms/E-2025-000004/{RECORD}/undo",
                         {"field": "admit_date", "version": 1})
    assert undone.status == 200
    assert doctor.form("E-2025-000004")["admit_date"]["text"] == ""
    assert newest(auditor, episode="E-2025-000004", action="form.undo")[0]["user"] == "doctor"
    again = doctor.post(f"forms/E-2025-000004/{RECORD}/undo", {"field": "admit_date", "version": 1})
    assert again.status == 409 and again.json["form"]["fields"][0]["id"] == "admit_date"


def test_fill_is_all_or_nothing(doctor):
    draft = doctor.draft("E-2025-000005")
    before = doctor.form("E-2025-000005")
    reply = fill(doctor, draft, "admit_date", "discharge_date",
                 versions={"admit_date": 0, "discharge_date": 7})
    assert (reply.status, reply.code) == (409, "conflict")
    assert [f["id"] for f in reply.json["form"]["fields"]] == list(before)
    assert doctor.form("E-2025-000005") == before
    for fields in ([], ["no-such"], ["admit_date", "admit_date"], [1], "admit_date", None):
        bad = doctor.post(f"drafts/{draft['id']}/fill", {"fields": fields, "versions": {}})
        assert bad.status == 400, fields
    bad = doctor.post(f"drafts/{draft['id']}/fill", {"fields": ["admit_date"],
                                                     "versions": {"admit_date": "1"}})
    assert bad.status == 400


def test_typing_has_versions(doctor):
    path = f"forms/E-2025-000006/{RECORD}"
    first = doctor.post(path, {"field": "course", "text": "一", "version": 0})
    assert first.status == 200
    second = doctor.post(path, {"field": "course", "text": "二", "version": 0})
    assert (second.status, second.code) == (409, "conflict")
    assert doctor.form("E-2025-000006")["course"]["text"] == "一"
    assert doctor.post(path, {"field": "nothing", "text": "x", "version": 0}).status == 400
    assert doctor.post(path.replace(RECORD, "no-type"),
                       {"field": "course", "text": "x", "version": 0}).status == 404


@pytest.fixture
def planted(doctor):
    """A draft with an invented sentence in it."""
    draft = doctor.draft()
    field = field_of(draft, "discharge_condition")
    reply = doctor.post(f"drafts/{draft['id']}/edit", {
        "field": field["id"], "text": field["text"] + WRONG, "revision": field["revision"]})
    assert reply.status == 200, reply.bytes
    return reply.json


def unsupported(field):
    return [i for i, s in enumerate(field["sentences"]) if s["verdict"] == "unsupported"]


def test_what_is_invented_cannot_be_filled_back(doctor, auditor, planted):
    field = field_of(planted, "discharge_condition")
    assert field["blocked"] and field["edited"] and unsupported(field)
    before = doctor.form()
    reply = fill(doctor, planted, "admit_date", "discharge_condition")
    assert (reply.status, reply.code) == (409, "blocked")
    assert reply.json["blocked"] == [{"field": "discharge_condition",
                                      "sentences": unsupported(field)}]
    assert doctor.form() == before
    assert newest(auditor, action="form.blocked")[0]["user"] == "doctor"


def test_accepting_needs_the_text_and_a_reason(doctor, auditor, planted):
    path, field = f"drafts/{planted['id']}/accept", field_of(planted, "discharge_condition")
    at = unsupported(field)[-1]
    said = {"field": field["id"], "sentence": at, "text": field["sentences"][at]["text"],
            "reason": "外院资料，已核对"}
    assert doctor.post(path, {**said, "reason": ""}).status == 400
    assert doctor.post(path, {**said, "text": "别的"}).status == 409
    assert doctor.post(path, {**said, "sentence": 99}).status == 404
    assert doctor.post(path, {**said, "field": "none"}).status == 404
    while unsupported(field):
        at = unsupported(field)[-1]
        reply = doctor.post(path, {**said, "sentence": at, "text": field["sentences"][at]["text"]})
        assert reply.status == 200, reply.bytes
        field = field_of(reply.json, "discharge_condition")
        assert field["sentences"][at]["verdict"] == "accepted"
    assert not field["blocked"]
    line = newest(auditor, action="override")[0]
    assert "外院资料" in str(line["after"])
    assert fill(doctor, reply.json, "discharge_condition").status == 200


def test_editing_is_checked_and_versioned(doctor, planted):
    path, field = f"drafts/{planted['id']}/edit", field_of(planted, "discharge_condition")
    stale = doctor.post(path, {"field": field["id"], "text": "好转。", "revision": 0})
    assert (stale.status, stale.code) == (409, "conflict")
    good = doctor.post(path, {"field": field["id"], "text": field["text"].replace(WRONG, ""),
                              "revision": field["revision"]})
    assert good.status == 200
    assert not field_of(good.json, "discharge_condition")["blocked"]
    assert good.json["revision"] == planted["revision"] + 1
    assert doctor.post(path, {"field": "none", "text": "x", "revision": 0}).status == 404
    assert doctor.post(path, {"field": field["id"], "text": "x" * 70000, "revision": 1}).status == 400


def test_omissions(doctor, auditor):
    draft = doctor.draft()
    field = field_of(draft, "course")
    draft = doctor.post(f"drafts/{draft['id']}/edit", {
        "field": "course", "text": "入院后完善相关检查。", "revision": field["revision"]}).json
    left_out = [o for o in draft["omissions"] if o["state"] == "open" and o["sentence"]]
    assert len(left_out) >= 2
    first = left_out[0]
    reply = doctor.post(f"drafts/{draft['id']}/insert", {"omission": first["id"]})
    assert reply.status == 200, reply.bytes
    assert first["sentence"] in field_of(reply.json, first["field"])["text"]
    other = next(o for o in reply.json["omissions"] if o["state"] == "open")
    assert doctor.post(f"drafts/{draft['id']}/dismiss", {"omission": other["id"]}).status == 400
    gone = doctor.post(f"drafts/{draft['id']}/dismiss", {"omission": other["id"],
                                                         "reason": "与本次住院无关"})
    assert gone.status == 200
    assert next(o for o in gone.json["omissions"] if o["id"] == other["id"])["state"] == "dismissed"
    assert "与本次住院无关" in str(newest(auditor, action="override")[0]["after"])
    for action in ("insert", "dismiss"):
        reply = doctor.post(f"drafts/{draft['id']}/{action}", {"omission": "none", "reason": "x"}
                            if action == "dismiss" else {"omission": "none"})
        assert reply.status == 404


def test_locked_fields_stay(doctor):
    draft = doctor.draft("E-2025-000009")
    field = field_of(draft, "course")
    doctor.post(f"drafts/{draft['id']}/edit", {"field": "course", "text": "医师自己的话。",
                                               "revision": field["revision"]})
    locked = doctor.post(f"drafts/{draft['id']}/lock", {"field": "course", "locked": True})
    assert locked.status == 200 and field_of(locked.json, "course")["locked"]
    assert doctor.post(f"drafts/{draft['id']}/regenerate", {"field": "course"}).code == "locked"
    again = doctor.draft("E-2025-000009")
    assert again["id"] != draft["id"]
    assert field_of(again, "course")["text"] == "医师自己的话。"
    open_again = doctor.post(f"drafts/{again['id']}/lock", {"field": "course", "locked": False})
    assert not field_of(open_again.json, "course")["locked"]


def test_one_field_again(doctor):
    draft = doctor.draft("E-2025-000007")
    course = field_of(draft, "course")
    other = field_of(draft, "discharge_condition")
    doctor.post(f"drafts/{draft['id']}/edit", {"field": "course", "text": "短。",
                                               "revision": course["revision"]})
    reply = doctor.post(f"drafts/{draft['id']}/regenerate", {"field": "course"})
    assert reply.status == 200 and reply.json["state"] == "running"
    assert list(doctor.events(draft["id"]))[-1][0] == "done"
    now = doctor.get(f"drafts/{draft['id']}").json
    assert field_of(now, "course")["text"] == course["text"]
    assert field_of(now, "discharge_condition") == other
    assert doctor.post(f"drafts/{draft['id']}/regenerate", {"field": "none"}).status == 404


def day_later(episode):
    for event in episode["encounter"]["events"]:
        if event["type"] == "discharge":
            event["time"] = event["time"].replace("-11T", "-12T")


def discharge_drugs(episode):
    return [order for order in episode["orders"] if order["kind"] == "出院带药"]


def drug_withdrawn(episode):
    episode["orders"].remove(discharge_drugs(episode)[0])


def drug_for_longer(episode):
    next(o for o in discharge_drugs(episode) if o.get("course_days"))["course_days"] += 2


def drug_added(episode):
    added = {**discharge_drugs(episode)[0], "id": "o-added", "name": "阿司匹林肠溶片"}
    episode["orders"].append(added)


def diagnosis_removed(episode):
    at_discharge = [d for d in episode["diagnoses"] if d["stage"] == "discharge"]
    episode["diagnoses"].remove(max(at_discharge, key=lambda d: d["rank"]))


def diagnoses_swapped(episode):
    first, second = sorted((d for d in episode["diagnoses"] if d["stage"] == "discharge"),
                           key=lambda d: d["rank"])[:2]
    first["rank"], second["rank"] = second["rank"], first["rank"]


CHANGES = [(day_later, "discharge_date"), (drug_withdrawn, "discharge_orders"),
           (drug_for_longer, "discharge_orders"), (drug_added, "discharge_orders"),
           (diagnosis_removed, "discharge_diagnoses"), (diagnoses_swapped, "discharge_diagnoses")]


@pytest.mark.parametrize("change,field", CHANGES, ids=lambda item: getattr(item, "__name__", item))
def test_a_changed_record_is_noticed_before_filling(clinic, doctor, change, field):
    """Also where the old words still stand somewhere in the new record."""
    admin, episode = clinic.user("admin"), copy.deepcopy(read_episode(1))
    name = episode["encounter"]["id"] = f"E-{change.__name__}"
    assert admin.push("episodes", episode).json["created"]
    draft = doctor.draft(name)
    before = field_of(draft, field)["text"]
    change(episode)
    pushed = admin.push("episodes", episode)
    assert pushed.status == 200 and pushed.json["version"] == 2, pushed.bytes
    reply = fill(doctor, draft, field)
    assert (reply.status, reply.code) == (409, "record_changed"), reply.bytes
    assert doctor.form(name)[field]["version"] == 0
    now = doctor.get(f"drafts/{draft['id']}").json
    assert now["episode_version"] == 2
    assert field_of(now, field)["text"] not in ("", before)
    assert fill(doctor, now, field).status == 200
    assert doctor.form(name)[field]["text"] == field_of(now, field)["text"]


def test_edited_orders_are_noticed_too(clinic, doctor):
    """The doctor added a word to the list; then a drug is withdrawn."""
    admin, episode = clinic.user("admin"), copy.deepcopy(read_episode(1))
    episode["encounter"]["id"] = "E-EDITED"
    admin.push("episodes", episode)
    draft = doctor.draft("E-EDITED")
    field = field_of(draft, "discharge_orders")
    edited = doctor.post(f"drafts/{draft['id']}/edit", {
        "field": field["id"], "text": field["text"] + "不适随诊。", "revision": field["revision"]})
    assert edited.status == 200
    drug_withdrawn(episode)
    assert admin.push("episodes", episode).json["version"] == 2
    assert fill(doctor, draft, "discharge_orders").code == "record_changed"


def test_only_what_was_seen_is_filled(doctor):
    draft = doctor.draft("E-2025-000003")
    seen = field_of(draft, "discharge_condition")
    doctor.post(f"drafts/{draft['id']}/edit", {"field": seen["id"], "text": "好转。",
                                               "revision": seen["revision"]})
    body = {"fields": [seen["id"]], "versions": {}, "revisions": {seen["id"]: seen["revision"]}}
    reply = doctor.post(f"drafts/{draft['id']}/fill", body)
    assert (reply.status, reply.code) == (409, "conflict")
    assert field_of(reply.json["draft"], seen["id"])["text"] == "好转。"
    now = field_of(reply.json["draft"], seen["id"])["revision"]
    assert doctor.post(f"drafts/{draft['id']}/fill",
                       {**body, "revisions": {seen["id"]: now}}).status == 200
    assert doctor.post(f"drafts/{draft['id']}/fill", {**body, "revisions": 3}).status == 400


def test_locked_words_are_checked_against_the_new_record(clinic, doctor):
    admin, episode = clinic.user("admin"), copy.deepcopy(read_episode(1))
    episode["encounter"]["id"] = "E-LOCKED"
    admin.push("episodes", episode)
    draft = doctor.draft("E-LOCKED")
    words = "患者男性，66岁。"
    field = field_of(draft, "course")
    doctor.post(f"drafts/{draft['id']}/edit", {"field": "course", "text": words,
                                               "revision": field["revision"]})
    locked = doctor.post(f"drafts/{draft['id']}/lock", {"field": "course", "locked": True}).json
    assert not field_of(locked, "course")["blocked"]
    episode["patient"].update(sex="女", birth_date="1990-01-01")
    for doc in episode["docs"]:
        for section in doc["sections"]:
            section["text"] = section["text"].replace("男", "女").replace("66岁", "35岁")
    assert admin.push("episodes", episode).json["version"] == 2
    again = doctor.draft("E-LOCKED")
    assert field_of(again, "course")["text"] == words and field_of(again, "course")["blocked"]
    assert fill(doctor, again, "course").code == "blocked"


@pytest.mark.parametrize("reason", ["  ", "\u3000", "\t\n", "", "\u00a0 ", "对\u202e"])
def test_blanks_are_no_reason(doctor, planted, reason):
    field = field_of(planted, "discharge_condition")
    index = unsupported(field)[0]
    accepted = doctor.post(f"drafts/{planted['id']}/accept", {
        "field": field["id"], "sentence": index, "text": field["sentences"][index]["text"],
        "reason": reason})
    assert accepted.status == 400, accepted.bytes
    for omission in planted["omissions"][:1]:
        assert doctor.post(f"drafts/{planted['id']}/dismiss", {
            "omission": omission["id"], "reason": reason}).status == 400


def test_the_audit_shows_what_was_written(doctor, auditor):
    draft = doctor.draft("E-2025-000002")
    rows = [row for row in newest(auditor, action="draft.write", episode="E-2025-000002")
            if row["object"].endswith(draft["id"]) and row["after"]]
    told = {row["after"]["field"]: row["after"]["text"] for row in rows}
    assert told["course"] == field_of(draft, "course")["text"]
    doctor.post("episodes/search", {"text": "不存在的名", "state": "open"})
    line = newest(auditor, action="read", user="doctor")[0]
    assert line["object"] == "episodes/search"
    assert (line["after"]["text"], line["after"]["state"], line["after"]["shown"]) == ("不存在的名", "open", 0)


def test_refusals_are_in_the_audit(clinic, auditor):
    heart, admin = clinic.user("heart"), clinic.user("admin")
    heart.get(f"episodes/{ONE}")
    admin.get(f"episodes/{ONE}")
    heart.get("episodes/%E5%BC%A0%E7%A4%BA%E5%AE%89")
    lines = newest(auditor, action="denied")[:3]
    assert [(line["user"], line["object"]) for line in lines] == [
        ("heart", "episodes/?"), ("admin", f"episodes/{ONE}"), ("heart", f"episodes/{ONE}")]


def test_everything_is_in_the_audit(clinic, doctor, auditor):
    doctor.get("episodes/E-2025-000002")
    assert doctor.get(f"episodes/E-2025-000002/fhir/{RECORD}").status == 404  # nothing is filled
    draft = doctor.draft("E-2025-000002")
    fill(doctor, draft, "admit_date")
    exported = doctor.get(f"episodes/E-2025-000002/fhir/{RECORD}")
    assert exported.status == 200, exported.bytes
    assert (exported.json["resourceType"], exported.json["status"]) == ("Composition", "preliminary")
    assert field_of(draft, "admit_date")["text"] in exported.bytes.decode()
    lines = newest(auditor, episode="E-2025-000002", limit=100)
    actions = [line["action"] for line in lines]
    for action in ("import", "read", "export", "draft.create", "draft.write", "form.fill"):
        assert action in actions, action
    reads = [line["object"] for line in lines if line["action"] == "read"]
    assert "episodes/E-2025-000002" in reads and f"drafts/{draft['id']}/events" in reads
    assert all(line["user"] in ("doctor", "server") or line["user"].startswith(("system:", "auditor"))
               for line in lines)
    assert auditor.post("audit/verify").json["ok"]
    good, text = clinic.verify_audit()
    assert good, text
    times = newest(auditor, **{"from": "2099-01-01T00:00:00+08:00"})
    assert times == [] and auditor.post("audit/search", {"from": "gestern"}).status == 400
