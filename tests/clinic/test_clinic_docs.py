# SPDX-License-Identifier: Apache-2.0
"""docs/CLINIC.md says what is so: its code runs, its template is one, its routes are the server's."""
import json
import re

from conftest import ONE, ROOT

TEXT = (ROOT / "docs/CLINIC.md").read_text(encoding="utf-8")


def block(language, words):
    return next(body for body in re.findall(rf"```{language}\n(.*?)```", TEXT, re.S) if words in body)


def test_the_launch_token(clinic):
    names = {}
    exec(block("python", "def launch_token"), names)  # what an integrator would copy
    token = names["launch_token"](clinic.launch_key.hex(), "li", ["呼吸内科"], ONE)
    reply = clinic.post("/clinic/api/launch", {"token": token})
    assert (reply.status, reply.json["user"]["name"]) == (200, "li"), reply.bytes


def test_the_template(serve, tmp_path):
    record = json.loads(block("json", "xinglin-record-template"))
    (tmp_path / "short.json").write_text(json.dumps(record), encoding="utf-8")
    titles = (ROOT / "clinic/templates/document-titles.json").read_text(encoding="utf-8")
    (tmp_path / "document-titles.json").write_text(titles, encoding="utf-8")
    clinic = serve("--clinic-templates", tmp_path)
    doctor = clinic.user("doctor")
    assert {"id": "short", "name": "短记录"} in doctor.get("me").json["templates"]
    draft = doctor.draft(ONE, "short")
    assert draft["state"] == "done" and all(field["text"] for field in draft["fields"])


def test_every_route_is_told(clinic):
    paths = [path for path in clinic.get("/openapi.json").json["paths"]
             if path.startswith("/clinic/")]
    for path in paths:
        last = [part for part in path.split("/") if not part.startswith("{")][-1]
        assert last in TEXT, path


def test_every_action_is_told(clinic):
    doctor = clinic.user("doctor")
    doctor.draft()
    rows = clinic.user("auditor").post("audit/search", {"limit": 1000}).json["rows"]
    assert {row["action"] for row in rows} >= {"import", "login", "draft.create"}
    for action in {row["action"] for row in rows}:
        assert f"`{action}`" in TEXT, action
