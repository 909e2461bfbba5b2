# SPDX-License-Identifier: Apache-2.0
"""Drafts while a model writes them: late followers, clients that go away, changes meanwhile, stops,
a server that ends. The model is small and writes nonsense; what is tested does not depend on it."""
import copy
import signal
import threading
import time

import pytest
from conftest import ONE, PASSWORD, RECORD, field_of, make_templates, read_episode
from server_process import WAIT_S


@pytest.fixture(scope="module")
def writing(serve, small_model, tmp_path_factory):
    folder = make_templates(tmp_path_factory.mktemp("templates"))
    return serve("-c", "8192", "--clinic-templates", folder, model=small_model)


@pytest.fixture(scope="module")
def author(writing):
    return writing.user("doctor")


def until_text(events, n=2):
    """Reads on until the model has said something n times; returns what was seen."""
    seen = []
    for event in events:
        seen.append(event)
        assert event[0] not in ("done", "failed"), event
        if sum(name == "text" for name, _ in seen) == n:
            return seen
    raise AssertionError("the stream ended")


def wait_state(user, draft, *states):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        now = user.get(f"drafts/{draft}").json
        if now["state"] in states:
            return now
        time.sleep(0.05)
    raise AssertionError(now["state"])


def replay(events):
    """What a follower knows at the end from the events alone."""
    fields, state = {}, None
    for name, data in events:
        if name == "snapshot":
            fields = {field["id"]: copy.deepcopy(field) for field in data["draft"]["fields"]}
        elif name == "checked":
            fields[data["field"]["id"]] = data["field"]
        elif name == "text":
            fields[data["field"]]["text"] += data["append"]
        elif name == "field":
            fields[data["field"]]["state"] = data["state"]
        elif name in ("done", "failed"):
            state = data.get("state", "failed")
    return fields, state


def test_the_model_is_told(author):
    model = author.get("me").json["model"]
    assert model["state"] == "ready" and "smollm2" in model["name"]


def test_late_followers_see_the_same(author):
    draft = author.begin_draft(template="short")
    first = author.events(draft)
    seen = until_text(first, 1)
    late = author.events(draft)
    others = []
    reader = threading.Thread(target=lambda: others.extend(late))
    reader.start()
    seen += list(first)
    reader.join(WAIT_S)
    assert not reader.is_alive()
    final = author.get(f"drafts/{draft}").json
    assert final["state"] == "done" and final["model"] and final["first_token_ms"] > 0
    for events in (seen, others):
        fields, state = replay(events)
        assert state == "done"
        assert [fields[field["id"]] for field in final["fields"]] == final["fields"]
    assert others[0][0] == "snapshot" and any(field["text"] for field in
                                              others[0][1]["draft"]["fields"])


def test_the_last_follower_goes_away(writing, author):
    """As when the doctor opens another patient: the run stops, what was finished stays."""
    draft = author.begin_draft("E-2025-000004")
    one, two = author.events(draft), author.events(draft)
    until_text(one)
    one.close()
    until_text(two, 4)  # the other still has it
    assert author.get(f"drafts/{draft}").json["state"] == "running"
    two.close()
    final = wait_state(author, draft, "stopped")
    assert field_of(final, "admit_date")["text"] and field_of(final, "admit_date")["state"] == "done"
    assert field_of(final, "course")["state"] in ("stopped", "done")
    assert writing.get("/health").status == 200
    other = author.begin_draft("E-2025-000003")
    assert until_text(author.events(other))[0][1]["draft"]["episode"] == "E-2025-000003"
    author.post(f"drafts/{other}/stop")


@pytest.mark.parametrize("how", ["logout", "disabled", "other role"])
def test_a_stream_ends_with_its_session(writing, author, how):
    """Who may not read any more is told nothing more; who may goes on."""
    admin, name = writing.user("admin"), "out-" + how.replace(" ", "-")
    assert admin.post("users", {"name": name, "role": "doctor", "departments": ["*"],
                                "password": PASSWORD}).status == 200
    leaver = writing.user(name)
    draft = leaver.begin_draft("E-2025-000012")
    events = leaver.events(draft)
    until_text(events)
    if how == "logout":
        assert leaver.post("logout").status == 200
    else:
        change = {"disabled": True} if how == "disabled" else {"role": "qc"}
        assert admin.post("users", {"name": name, **change}).status == 200
    assert all(event[0] not in ("done", "failed") for event in events)  # it ends all the same
    events.close()
    assert wait_state(author, draft, "stopped")["state"] == "stopped"  # nobody was left
    assert writing.get("/health").status == 200


def test_stop(author):
    draft = author.begin_draft("E-2025-000005")
    events = author.events(draft)
    until_text(events)
    reply = author.post(f"drafts/{draft}/stop")
    assert (reply.status, reply.json["state"]) == (200, "stopped")
    assert list(events)[-1][1]["state"] == "stopped"
    assert author.post(f"drafts/{draft}/stop").json["state"] == "stopped"


def test_a_second_press_is_the_first(author):
    draft = author.begin_draft("E-2025-000006")
    again = author.post("drafts", {"episode": "E-2025-000006", "template": RECORD})
    assert (again.status, again.json["id"]) == (200, draft)
    author.post(f"drafts/{draft}/stop")


def test_what_is_finished_can_be_worked_with(author):
    draft = author.begin_draft("E-2025-000007")
    events = author.events(draft)
    seen = until_text(events)
    now = author.get(f"drafts/{draft}").json
    condition = field_of(now, "discharge_condition")
    assert now["state"] == "running" and condition["state"] == "done"
    filled = author.post(f"drafts/{draft}/fill", {"fields": ["admit_date"], "versions": {}})
    assert filled.status == 200, filled.bytes
    edited = author.post(f"drafts/{draft}/edit", {
        "field": condition["id"], "text": "好转。", "revision": condition["revision"]})
    assert edited.status == 200, edited.bytes
    for action, body in [("edit", {"field": "course", "text": "x", "revision": 0}),
                         ("lock", {"field": "course", "locked": True}),
                         ("regenerate", {"field": "course"})]:
        reply = author.post(f"drafts/{draft}/{action}", body)
        assert (reply.status, reply.code) == (409, "still_running"), action
    unfinished = author.post(f"drafts/{draft}/fill", {"fields": ["course"], "versions": {}})
    assert (unfinished.status, unfinished.code) == (409, "not_finished")
    author.post(f"drafts/{draft}/stop")
    seen += list(events)
    final = author.get(f"drafts/{draft}").json
    assert final["state"] == "stopped"
    assert field_of(final, "discharge_condition")["text"] == "好转。"
    assert field_of(final, "discharge_condition")["edited"]
    assert replay(seen)[0]["discharge_condition"]["text"] == "好转。"


def test_changes_meanwhile_are_counted_at_the_end(author):
    """Whether the change comes before the end or after it."""
    draft = author.begin_draft("E-2025-000007", "short")
    events = author.events(draft)
    until_text(events, 1)
    now = field_of(author.get(f"drafts/{draft}").json, "condition")
    edited = author.post(f"drafts/{draft}/edit", {"field": "condition", "text": "好转，体温36.5℃。",
                                                  "revision": now["revision"]})
    assert edited.status == 200, edited.bytes
    list(events)
    final = author.get(f"drafts/{draft}").json
    assert (final["state"], field_of(final, "condition")["text"]) == ("done", "好转，体温36.5℃。")
    claims = [c for f in final["fields"] for s in f["sentences"] for c in s["claims"]]
    assert final["verified"] == {"ok": sum(c["ok"] for c in claims), "all": len(claims)}


def test_a_newer_record_is_told(writing, author):
    admin, episode = writing.user("admin"), copy.deepcopy(read_episode(9))
    draft = author.begin_draft("E-2025-000009")
    events = author.events(draft)
    until_text(events)
    episode["encounter"]["bed"] = "99"
    assert admin.push("episodes", episode).json["version"] == 2
    author.post(f"drafts/{draft}/stop")
    told = [data for name, data in events if name == "state" and "newer_version" in data]
    assert told and told[0]["newer_version"] == 2
    final = wait_state(author, draft, "stopped")
    assert final["episode_version"] == 1
    reply = author.post(f"drafts/{draft}/fill", {"fields": ["admit_date"], "versions": {}})
    assert reply.status == 200, reply.bytes  # what it fills is still so
    assert author.get(f"drafts/{draft}").json["episode_version"] == 2


def test_reading_ahead(author):
    """An opened episode is read in the background, and says when it was."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if author.get("episodes/E-2025-000007").json["warm"]:
            return
        time.sleep(0.1)
    raise AssertionError("it was never read")


def test_many_at_once(writing):
    """More drafts than threads: all end, none waits for ever."""
    users = [writing.user(name) for name in ("doctor", "second")]
    runs = [(user, user.begin_draft(f"E-2025-00000{n}")) for user in users for n in range(1, 6)]
    last = users[1].begin_draft(ONE, "short")
    follow = users[1].events(last)
    for user, draft in runs:
        assert user.post(f"drafts/{draft}/stop").json["state"] in ("stopped", "done")
    assert list(follow)[-1][0] == "done"


def test_the_server_ends_while_it_writes(serve, small_model):
    clinic = serve("-c", "8192", model=small_model)
    doctor = clinic.user("doctor")
    draft = doctor.begin_draft(ONE)
    events = doctor.events(draft)
    until_text(events)
    clinic.process.send_signal(signal.SIGTERM)
    assert list(events)[-1][1]["state"] == "stopped"
    assert clinic.process.wait(WAIT_S) == 0
    good, text = clinic.verify_audit()
    assert good, text
    again = serve(store=clinic.store)
    assert again.user("doctor").get(f"drafts/{draft}").json["state"] == "stopped"


def test_a_model_that_cannot_chat_is_none(serve, tmp_path):
    clinic = serve()
    assert clinic.user("doctor").get("me").json["model"] == {"state": "off", "name": None}
    assert clinic.get("/ready").status == 200
    assert clinic.get("/v1/models").json["data"] == []
    for path in ("chat/completions", "completions", "embeddings", "responses"):
        reply = clinic.post(f"/v1/{path}", {})
        assert (reply.status, reply.code) == (503, "no_model")
