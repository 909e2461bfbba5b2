# SPDX-License-Identifier: Apache-2.0
"""Who may do what: every route with every role, wrong sessions, other departments, launches."""
import json
import time

import pytest
from conftest import ONE, PASSWORD, RECORD, USERS, new_key, sign

DRAFT = "d-nobody-has-this"
# Every route under /clinic that is not a page: who may, and a body (None: GET).
ROUTES = [
    ("logout", {}, "doctor qc admin auditor"),
    ("me", None, "doctor qc admin auditor"),
    ("episodes/search", {}, "doctor qc"),
    (f"episodes/{ONE}", None, "doctor qc"),
    (f"episodes/{ONE}/conflicts", None, "doctor qc"),
    (f"episodes/{ONE}/fhir/{RECORD}", None, "doctor qc"),
    ("drafts", {"episode": ONE, "template": RECORD}, "doctor"),
    (f"drafts/{DRAFT}", None, "doctor qc"),
    (f"drafts/{DRAFT}/events", None, "doctor"),
    (f"drafts/{DRAFT}/stop", {}, "doctor"),
    (f"drafts/{DRAFT}/regenerate", {"field": "course"}, "doctor"),
    (f"drafts/{DRAFT}/lock", {"field": "course", "locked": True}, "doctor"),
    (f"drafts/{DRAFT}/edit", {"field": "course", "text": "x", "revision": 1}, "doctor"),
    (f"drafts/{DRAFT}/accept", {"field": "course", "sentence": 0, "text": "x", "reason": "y"},
     "doctor"),
    (f"drafts/{DRAFT}/insert", {"omission": "o1"}, "doctor"),
    (f"drafts/{DRAFT}/dismiss", {"omission": "o1", "reason": "y"}, "doctor"),
    (f"drafts/{DRAFT}/fill", {"fields": ["course"], "versions": {}}, "doctor"),
    (f"forms/{ONE}/{RECORD}", None, "doctor qc"),
    (f"forms/{ONE}/{RECORD}", {"field": "course", "text": "x", "version": 9}, "doctor"),
    (f"forms/{ONE}/{RECORD}/undo", {"field": "course", "version": 9}, "doctor"),
    ("audit/search", {}, "admin auditor"),
    ("audit/verify", {}, "admin auditor"),
    ("users", None, "admin"),
    ("users", {"name": "late", "role": "qc", "departments": [], "password": PASSWORD}, "admin"),
    ("../episodes", {}, "admin"),
    ("../documents", {"episode": ONE, "document": {}}, "admin"),
]
REFUSED = {"role_not_allowed", "no_session"}


def ask(user, path, body):
    if path.startswith("../"):
        return user.push(path[3:], body)
    return user.get(path) if body is None else user.post(path, body)


def code_of(reply):
    return reply.json.get("error", {}).get("code") if reply.status >= 400 else None


@pytest.fixture(scope="module")
def people(clinic):
    """A session for every role, and none."""
    return {name: clinic.user(name) for name in ("doctor", "qc", "admin", "auditor")}


def test_the_table_here_is_the_servers(clinic):
    """A route that is new must be added above."""
    paths = clinic.get("/openapi.json").json["paths"]
    known = {(path, method) for path, methods in paths.items() for method in methods
             if path.startswith("/clinic")}
    tested = set()
    for path, body, _ in ROUTES:
        full = "/clinic/api/" + path if not path.startswith("../") else "/clinic/" + path[3:]
        full = full.replace(ONE, "{id}" if "/forms/" not in full else "{episode}")
        full = full.replace(RECORD, "{template}").replace(DRAFT, "{id}")
        tested.add((full, "get" if body is None else "post"))
    open_ones = {(path, method) for path, method in known
                 if path.startswith(("/clinic/ui/", "/clinic/cds-services"))
                 or path in ("/clinic", "/clinic/embed", "/clinic/bridge.js",
                             "/clinic/api/login", "/clinic/api/launch")}
    assert known - open_ones == tested


@pytest.mark.parametrize("path,body,roles", ROUTES)
@pytest.mark.parametrize("role", ["doctor", "qc", "admin", "auditor"])
def test_role(clinic, path, body, roles, role):
    user = clinic.user(role) if path == "logout" else people_cache(clinic, role)
    reply = ask(user, path, body)
    if role in roles.split():
        assert code_of(reply) not in REFUSED, reply.bytes
        assert reply.status < 500, reply.bytes
    else:
        assert (reply.status, code_of(reply)) == (403, "role_not_allowed"), reply.bytes


CACHE = {}


def people_cache(clinic, role):
    key = (id(clinic), role)
    if key not in CACHE:
        CACHE[key] = clinic.user(role)
    return CACHE[key]


@pytest.mark.parametrize("path,body,roles", ROUTES)
@pytest.mark.parametrize("headers", [
    {}, {"Cookie": "xinglin_clinic="}, {"Cookie": "xinglin_clinic=" + "A" * 43},
    {"Cookie": "other=1"}, {"Authorization": "Bearer " + "A" * 43},
    {"Authorization": "Bearer " + "A" * 5000}, {"Authorization": "Basic eDp5"}])
def test_no_session(clinic, path, body, roles, headers):
    target = "/clinic/api/" + path if not path.startswith("../") else "/clinic/" + path[3:]
    reply = clinic.get(target, **headers) if body is None else clinic.post(target, body, **headers)
    assert (reply.status, code_of(reply)) == (401, "no_session"), reply.bytes


def test_logout_ends_the_session(clinic):
    user = clinic.user("doctor")
    assert user.get("me").status == 200
    reply = user.post("logout")
    assert reply.status == 200 and "Max-Age=0" in reply.headers["Set-Cookie"]
    assert user.get("me").status == 401


def test_cookie_is_for_own_pages(clinic, doctor):
    host = f"http://127.0.0.1:{clinic.port}"
    cookie = clinic.login("doctor").headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/clinic" in cookie
    for headers, status in [({"Origin": host}, 200), ({"Sec-Fetch-Site": "same-origin"}, 200),
                            ({"Sec-Fetch-Site": "none"}, 200), ({"Sec-Fetch-Site": "same-site"}, 403),
                            ({"Sec-Fetch-Site": "cross-site"}, 403),
                            ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403)]:
        reply = clinic.get("/clinic/api/me", **doctor.headers, **headers)
        assert reply.status == status, headers


def test_cookie_is_not_for_listed_origins(serve):
    """They may frame the draft window; the workplace's session is not theirs."""
    clinic = serve("--allowed-origins", "https://his.example.org")
    doctor = clinic.user("doctor")
    reply = clinic.get("/clinic/api/me", Origin="https://his.example.org", **doctor.headers)
    assert reply.status == 403
    token = doctor.headers["Cookie"].split("=", 1)[1]
    reply = clinic.get("/clinic/api/me", Origin="https://his.example.org",
                       Authorization=f"Bearer {token}")
    assert reply.status == 200
    assert "Access-Control-Allow-Credentials" not in reply.headers


@pytest.mark.parametrize("path,body", [
    (f"episodes/{ONE}", None), (f"episodes/{ONE}/conflicts", None),
    (f"episodes/{ONE}/fhir/{RECORD}", None), ("drafts", {"episode": ONE, "template": RECORD}),
    (f"forms/{ONE}/{RECORD}", None), (f"forms/{ONE}/{RECORD}/undo", {"field": "course", "version": 1}),
    (f"forms/{ONE}/{RECORD}", {"field": "course", "text": "x", "version": 0})])
def test_other_department_is_not_there(clinic, path, body):
    """What lies outside looks as if there were nothing: the same answer, byte for byte."""
    user = people_cache(clinic, "heart")
    reply = ask(user, path, body)
    nothing = json.loads(json.dumps(body).replace(ONE, "E-none")) if body else None
    other = ask(user, path.replace(ONE, "E-none"), nothing)
    assert (reply.status, other.status) == (404, 404)
    assert reply.bytes == other.bytes


def test_list_is_of_ones_departments(clinic, doctor):
    everything = doctor.post("episodes/search").json
    assert everything["total"] == len(everything["episodes"]) >= 9
    heart = clinic.user("heart")
    mine = heart.post("episodes/search").json["episodes"]
    assert mine and {entry["department"] for entry in mine} == {"心血管内科"}
    assert heart.post("episodes/search", {"department": "呼吸内科"}).json["total"] == 0
    assert clinic.user("nowhere").post("episodes/search").json == {"episodes": [], "total": 0}


def test_departments_of_auditors(clinic, doctor):
    """Lines about patients elsewhere are not theirs; lines about nobody are."""
    admin = clinic.user("admin")
    for name, role, own in [("aud-other", "auditor", "儿科"), ("aud-own", "auditor", "呼吸内科"),
                            ("adm-other", "admin", "儿科")]:
        assert admin.post("users", {"name": name, "role": role, "departments": [own],
                                    "password": PASSWORD}).status == 200
    doctor.get(f"episodes/{ONE}")
    for name, sees in [("aud-other", False), ("aud-own", True), ("adm-other", False),
                       ("auditor", True)]:
        user = clinic.user(name)
        rows = user.post("audit/search", {"episode": ONE}).json["rows"]
        assert bool(rows) == sees, name
        rows = user.post("audit/search", {"limit": 1000}).json["rows"]
        assert any(row["action"] == "login" for row in rows)
        assert any(row["episode"] == ONE for row in rows) == sees, name


def test_the_last_admin_stays(serve):
    clinic = serve()
    admin = clinic.user("admin")
    for change in ({"disabled": True}, {"role": "doctor"}):
        reply = admin.post("users", {"name": "admin", **change})
        assert (reply.status, reply.code) == (409, "conflict")
    assert admin.post("users", {"name": "second-admin", "role": "admin", "departments": ["*"],
                                "password": PASSWORD}).status == 200
    assert admin.post("users", {"name": "admin", "disabled": True}).status == 200
    assert clinic.user("second-admin").get("users").status == 200


def test_anothers_draft(clinic, doctor):
    draft = doctor.draft()["id"]
    second, heart = clinic.user("second"), clinic.user("heart")
    assert second.get(f"drafts/{draft}").status == 200
    assert clinic.user("qc").get(f"drafts/{draft}").status == 200
    assert heart.get(f"drafts/{draft}").status == 404
    for action, body in [("stop", {}), ("lock", {"field": "course", "locked": True}),
                         ("fill", {"fields": ["admit_date"], "versions": {}})]:
        assert second.post(f"drafts/{draft}/{action}", body).code == "not_your_draft"
        assert heart.post(f"drafts/{draft}/{action}", body).code == "not_found"
    assert second.get(f"drafts/{draft}/events").code == "not_your_draft"


def test_wrong_passwords_lock_the_name(serve):
    clinic = serve()
    for _ in range(5):
        reply = clinic.login("qc", "wrong")
        assert (reply.status, reply.code) == (401, "login_failed")
    locked = clinic.login("qc")  # even the right one, and it says so
    assert (locked.status, locked.code) == (429, "too_many_logins")
    assert 1 <= int(locked.headers["Retry-After"]) <= 300 and "seconds" in locked.json["error"]["message"]
    assert clinic.login("doctor").status == 200
    nobody = "nobody-" + "x" * 40
    assert {clinic.login(nobody).status for _ in range(5)} == {401}
    assert clinic.login(nobody).code == "too_many_logins"  # as a name that exists


def test_one_address_tries_many_names(serve):
    clinic = serve()
    statuses = [401]  # as many as it takes: slow checks give failures time to be forgiven
    while statuses[-1] == 401 and len(statuses) < 300:
        statuses.append(clinic.login(f"name{len(statuses)}", "x").status)
    assert statuses[-1] == 429 and len(statuses) > 20, statuses
    reply = clinic.login("doctor")
    assert reply.status == 429 and int(reply.headers["Retry-After"]) >= 1


def test_idle_sessions_end_and_say_when(clinic, doctor):
    left = doctor.get("me").json["session_seconds"]
    assert 29 * 60 < left <= 30 * 60


# ---- Launches


def test_launch_opens_one_episode(clinic):
    reply = clinic.launch(smart_web_messaging_handle="h-1",
                          smart_web_messaging_origin="https://his.example.org")
    assert reply.status == 200, reply.bytes
    body = reply.json
    assert body["messaging"] == {"handle": "h-1", "origin": "https://his.example.org"}
    assert (body["episode"], body["template"], body["user"]["name"]) == (ONE, RECORD, "his-doctor")
    session = {"Authorization": f"Bearer {body['session']}"}
    assert clinic.get(f"/clinic/api/episodes/{ONE}", **session).status == 200
    assert clinic.get("/clinic/api/me", **session).json["episode"] == ONE
    # Another episode of the same department is not what the host opened.
    other = clinic.user("doctor").post("episodes/search", {"department": "呼吸内科"}).json
    for entry in other["episodes"]:
        if entry["id"] != ONE:
            assert clinic.get(f"/clinic/api/episodes/{entry['id']}", **session).status == 404
    assert clinic.get("/clinic/api/episodes/E-2025-000002", **session).status == 404
    for path in ("episodes/search", "audit/search"):
        assert clinic.post(f"/clinic/api/{path}", {}, **session).status == 403
    made = clinic.post("/clinic/api/drafts", {"episode": ONE, "template": RECORD}, **session)
    assert made.status == 201
    assert clinic.get(f"/clinic/api/drafts/{made.json['id']}/events", **session).status == 200


def test_launch_is_for_its_record_type(clinic):
    doctor = clinic.user("doctor")
    own = {"sub": "doctor", "template": RECORD}
    session = {"Authorization": f"Bearer {clinic.launch(**own).json['session']}"}
    other = "stage-summary"
    draft = doctor.begin_draft(template=other)
    list(doctor.events(draft))
    assert clinic.post("/clinic/api/drafts", {"episode": ONE, "template": other},
                       **session).code == "not_found"
    assert clinic.post(f"/clinic/api/drafts/{draft}/lock", {"field": "course", "locked": True},
                       **session).code == "not_found"
    for path in (f"forms/{ONE}/{other}", f"drafts/{draft}", f"drafts/{draft}/events",
                 f"episodes/{ONE}/fhir/{other}"):
        assert clinic.get(f"/clinic/api/{path}", **session).code == "not_found", path
    assert clinic.get(f"/clinic/api/forms/{ONE}/{RECORD}", **session).status == 200
    assert [t["id"] for t in clinic.get("/clinic/api/me", **session).json["templates"]] == [RECORD]
    every = {"Authorization": f"Bearer {clinic.launch(template=None).json['session']}"}
    assert clinic.get(f"/clinic/api/forms/{ONE}/{other}", **every).status == 200


@pytest.mark.parametrize("change,why", [
    ({"nbf": 2 ** 40}, "nbf"), ({"nbf": "now"}, "nbf"),
    ({"template": "no-such"}, "template"), ({"name": "张\u202e示"}, "name"),
    ({"name": "a\nb"}, "name"), ({"sub": "张示"}, "name is 1 to 64")])
def test_the_audit_says_why_a_launch_failed(clinic, change, why):
    reply = clinic.launch(**change)
    assert (reply.status, reply.code) == (401, "launch_failed")
    line = clinic.user("auditor").post("audit/search", {"action": "login.failed",
                                                        "limit": 1}).json["rows"][0]
    assert why in line["after"]["why"]


def test_launch_without_messaging(clinic):
    assert clinic.launch().json["messaging"] is None


def test_launch_token_is_for_once(clinic):
    token = sign(clinic.claims(), clinic.launch_key)
    assert clinic.post("/clinic/api/launch", {"token": token}).status == 200
    reply = clinic.post("/clinic/api/launch", {"token": token})
    assert (reply.status, reply.code) == (401, "launch_failed")


def bad_claims():
    now = int(time.time())
    return [{"aud": "other"}, {"aud": None}, {"sub": ""}, {"sub": 7}, {"sub": "x" * 65},
            {"role": "admin"}, {"role": "auditor"}, {"role": None}, {"departments": []},
            {"departments": "呼吸内科"}, {"departments": [1]}, {"departments": ["心血管内科"]},
            {"episode": "E-none"}, {"episode": None}, {"episode": "x" * 200}, {"jti": None},
            {"jti": ""}, {"exp": now - 1, "iat": now - 100}, {"exp": now + 400, "iat": now},
            {"exp": now + 4000, "iat": now + 3900}, {"exp": now - 5, "iat": now},
            {"exp": str(now + 60)}, {"exp": 1e300}, {"exp": 2 ** 62, "iat": 2 ** 62 - 1},
            {"iat": -2 ** 62}, {"iat": None}, {"smart_web_messaging_origin": "javascript:alert(1)"},
            {"smart_web_messaging_origin": "https://a b"}, {"smart_web_messaging_origin": "*"}]


@pytest.mark.parametrize("change", bad_claims(), ids=lambda change: json.dumps(change)[:40])
def test_launch_with_bad_claims(serve, shared_launch_clinic, change):
    reply = shared_launch_clinic.launch(**change)
    assert reply.status in (401, 429), reply.bytes


@pytest.fixture(scope="module")
def shared_launch_clinic(serve):
    return serve()


def test_launch_with_bad_signatures(serve):
    clinic = serve()
    key, claims = clinic.launch_key, clinic.claims()
    good = sign(claims, key)
    head, body, mac = good.split(".")
    none = sign(claims, key, {"alg": "none", "typ": "JWT"})
    tokens = [sign(claims, b"\0" * 32), sign(claims, key[:31] + bytes([key[31] ^ 1])), none, none.rsplit(".", 1)[0] + ".",
              sign(claims, key, {"alg": "HS512"}), sign(claims, key, {"alg": "RS256"}),
              sign(claims, key, {"alg": "HS256", "crit": ["exp"]}), sign(claims, key, {}),
              f"{head}.{body}", f"{head}.{body}.", f"{head}.{body}.{mac}.", f"{head}..{mac}",
              f"{head}.{body}.{mac}=", f"{head}.{body} .{mac}", f"{head}.{body}.{mac[:-1]}",
              good[:-1] + ("A" if good[-1] != "A" else "B"), ".", "..", "a.b.c", "x" * 4000]
    for number, token in enumerate(tokens):
        reply = clinic.post("/clinic/api/launch", {"token": token})
        assert reply.status == 401 and reply.code == "launch_failed", number
    assert clinic.post("/clinic/api/launch", {"token": "x" * 5000}).status == 400
    assert clinic.post("/clinic/api/launch", {"token": good}).status == 200


def test_keys_push_and_nothing_else(serve, tmp_path):
    secret, file = new_key(tmp_path, "his", "scopes=clinic")
    wrong, _ = new_key(tmp_path, "ward", "scopes=inference")
    clinic = serve("--api-key-file", file)
    bearer = {"Authorization": f"Bearer {secret}"}
    assert clinic.post("/clinic/episodes", {"format": "x"}, **bearer).status == 400
    assert clinic.post("/clinic/episodes", {}, Authorization=f"Bearer {wrong}").status == 403
    assert clinic.post("/clinic/episodes", {}, Authorization="Bearer xl-" + "a" * 44).status == 401
    for path, body, _ in ROUTES:
        if not path.startswith("../"):
            target = "/clinic/api/" + path
            reply = clinic.get(target, **bearer) if body is None else clinic.post(target, body,
                                                                                  **bearer)
            assert reply.status == 401, path


def test_users_are_what_the_tests_think():
    assert {role for _, role, _ in USERS} == {"doctor", "qc", "admin", "auditor"}
