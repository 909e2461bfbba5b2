# SPDX-License-Identifier: Apache-2.0
"""The clinic's routes for tests of the pages that the real server is too quick or too well for: slow
streams, broken streams, refusals. Drafts are the gold records of the examples with one wrong dose
planted. Standard library only."""
import http.server
import json
import os
import re
import threading
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGES = os.path.join(ROOT, "clinic", "ui")
TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
         "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
LABEL = "AI辅助生成，须经医师审核"
FIELDS = [("admit_date", "入院日期"), ("discharge_date", "出院日期"), ("stay_days", "住院天数"),
          ("admission_diagnoses", "入院诊断"), ("discharge_diagnoses", "出院诊断"),
          ("admission_condition", "入院情况"), ("course", "诊疗经过"),
          ("discharge_condition", "出院情况"), ("discharge_orders", "出院医嘱")]
RIGHT, WRONG = "哌拉西林钠他唑巴坦钠4.5 g", "哌拉西林钠他唑巴坦钠2.5 g"
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
          "connect-src 'self'; base-uri 'none'; form-action 'none'; "
          "require-trusted-types-for 'script'; frame-ancestors ")


def read_json(*parts):
    with open(os.path.join(ROOT, *parts), encoding="utf-8") as file:
        return json.load(file)


def find_source(episode, words):
    for doc in episode["docs"]:
        for section in doc["sections"]:
            at = section["text"].find(words)
            if at >= 0:
                return {"kind": "doc", "id": doc["id"], "section": section["name"], "start": at,
                        "end": at + len(words), "quote": words,
                        "label": f"{doc['local_title']} {doc['event_time'][:10]}"}
    return None


def check_sentence(episode, text, start, accepted):
    """Wrong is what was planted; a source is the first part of the sentence that a document has."""
    end, claims, sources = start + len(text), [], []
    for part in re.split("[，。；：、]", text):
        source = find_source(episode, part) if len(part) > 3 else None
        if source and len(sources) < 3:
            sources.append(source)
    for match in re.finditer(r"\d+(?:\.\d+)? ?(?:g|mg|U|℃|次/分)", text):
        words = match.group(0)
        is_right = not text[:match.start()].endswith(WRONG[:-5]) or words != "2.5 g"
        claims.append({"kind": "dose", "start": start + match.start(), "end": start + match.end(), "text": words,
                       "ok": is_right, "why": "" if is_right else "记录中为 4.5 g",
                       "source": find_source(episode, words) if is_right else None})
    is_bad = any(not claim["ok"] for claim in claims)
    verdict = "plain" if not claims else "supported"
    if is_bad:
        verdict = "accepted" if text in accepted else "unsupported"
    return {"start": start, "end": end, "text": text, "verdict": verdict, "claims": claims,
            "sources": sources, "suggestion": text.replace(WRONG, RIGHT) if is_bad else None,
            "reason": accepted.get(text)}


def check_field(episode, field):
    field["sentences"], at = [], 0
    for match in re.finditer("[^。；\n]+[。；\n]?", field["text"]):
        at = match.start()
        field["sentences"].append(check_sentence(episode, match.group(0), at, field["accepted"]))
    claims = [claim for one in field["sentences"] for claim in one["claims"]]
    field["verified"] = {"ok": sum(claim["ok"] for claim in claims), "all": len(claims)}
    field["blocked"] = any(one["verdict"] == "unsupported" for one in field["sentences"])


class MockServer(http.server.ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128


class ClinicMock:
    """State that tests set and read."""

    def __init__(self):
        self.model, self.cut_after, self.chunk = "mock-model", None, 12
        self.hold = None  # (field, characters): a stream waits when it has written so many of it
        self.is_broken = False  # a stream that waits breaks
        self.signed_in, self.role, self.drafts, self.forms, self.episodes = None, "doctor", {}, {}, {}
        self.posts, self.disconnects, self.session_seconds, self.opened = [], 0, 900, []
        self.lock = threading.RLock()
        for folder in ("01-pneumonia", "02-stemi-pci"):
            episode = read_json("examples", "episodes", folder, "episode.json")
            gold = {row["field"]: row for row in read_json("examples", "episodes", folder, "gold.json")["fields"]}
            self.episodes[episode["encounter"]["id"]] = (episode, gold)
        mock = self
        Handler.mock = mock
        handler = type("BoundHandler", (Handler,), {"mock": mock})
        self.server = MockServer(("127.0.0.1", 0), handler)
        self.server.handle_error = lambda *arguments: None  # a browser that leaves is no error
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def whole_form(self, episode):
        return {"episode": episode, "template": "discharge-record", "fields": [
            self.forms.get((episode, id_), {"id": id_, "name": name, "text": "", "version": 0, "from": None,
                                            "draft": None, "by": None, "at": None, "history": []})
            for id_, name in FIELDS]}

    def set_form(self, episode, id_, text, origin, draft=None):
        old = self.forms.get((episode, id_), {"text": "", "version": 0, "history": []})
        self.forms[episode, id_] = {
            "id": id_, "name": dict(FIELDS)[id_], "text": text, "version": old["version"] + 1, "from": origin,
            "draft": draft or (old.get("draft") if text else None), "by": "doctor", "at": "2025-11-11T09:00:00+08:00", "history": [*old["history"], old["text"]]}

    def text_of(self, id_, episode="E-2025-000001"):
        return self.forms.get((episode, id_), {"text": ""})["text"]

    def new_draft(self, episode):
        fields = []
        for id_, name in FIELDS:
            origin = {"admission_condition": "model", "course": "model", "discharge_condition": "model",
                      "discharge_orders": "rule"}.get(id_, "data")
            fields.append({"id": id_, "name": name, "from": origin, "state": "waiting", "text": "", "locked": False,
                           "edited": False, "blocked": False, "revision": 0, "sentences": [], "accepted": {},
                           "verified": {"ok": 0, "all": 0}, "error": None})
        data = self.episodes[episode][0]
        source = find_source(data, "左肺上叶")
        draft = {"id": f"d{len(self.drafts) + 1}", "episode": episode, "episode_version": 1,
                 "template": "discharge-record", "template_name": "出院记录", "state": "running", "model": self.model,
                 "created": "2025-11-11T08:30:00+08:00", "by": "doctor", "revision": 1, "fields": fields, "label": LABEL,
                 "omissions": [], "conflicts": [], "verified": {"ok": 0, "all": 0}, "first_token_ms": 0, "total_ms": 0}
        if source:
            draft["pending"] = ([{"id": "m1", "class": "positive", "need": "must", "text": "左肺上叶微小结节",
                                  "field": "discharge_condition", "sentence": "左肺上叶微小结节需随访。",
                                  "sources": [source], "state": "open"},
                                 {"id": "m2", "class": "event", "need": "may", "text": "外院就诊", "field": "course",
                                  "sentence": "入院前曾在社区就诊。", "sources": [source], "state": "open"}],
                                [{"id": "c1", "kind": "dose", "text": "11月9日病程写2.5 g，医嘱为4.5 g", "severity": "H",
                                  "sources": [source]}])
        self.drafts[draft["id"]] = draft
        return draft

    def finish(self, draft, state):
        draft["state"] = state
        draft["verified"] = {key: sum(field["verified"][key] for field in draft["fields"]) for key in ("ok", "all")}
        draft["first_token_ms"], draft["total_ms"] = 420 if self.model else 0, 5300


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mock = None

    def log_message(self, *arguments):
        pass

    def reply(self, status, body, kind="application/json", headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in [("Content-Type", kind), ("Content-Length", str(len(data))),
                            ("X-Content-Type-Options", "nosniff"), *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status, message, **more):
        self.reply(status, {"error": {"code": str(status), "message": message}, **more})

    def page(self, name):
        path = os.path.join(PAGES, os.path.basename(name))
        if not os.path.exists(path):
            return self.refuse(404, "no such file")
        policy = POLICY + "'none'"
        if name == "embed.html":
            policy = POLICY + f"'self' http://localhost:{self.mock.port}"
        if name == "mock-host.html":
            policy = POLICY + f"'none'; frame-src 'self' http://127.0.0.1:{self.mock.port}"
        with open(path, "rb") as file:
            return self.reply(200, file.read(), TYPES[name.rsplit(".", 1)[1]], [("Content-Security-Policy", policy)])

    def is_signed_in(self):
        return self.mock.signed_in and ("xinglin_clinic=ok" in self.headers.get("Cookie", "") or
                                        self.headers.get("Authorization") == "Bearer s1")

    def do_GET(self):
        path, mock = urllib.parse.urlsplit(self.path).path, self.mock
        special = {"/clinic": "index.html", "/clinic/embed": "embed.html", "/clinic/bridge.js": "bridge.js",
                   "/clinic/mock-host": "mock-host.html"}
        if path in special or path.startswith("/clinic/ui/"):
            return self.page(special.get(path, path.rsplit("/", 1)[1]))
        if not self.is_signed_in():
            return self.refuse(401, "nobody is signed in")
        parts = [urllib.parse.unquote(part) for part in path.removeprefix("/clinic/api/").split("/")]
        if parts == ["me"]:
            return self.reply(200, {
                "user": {"name": "doctor", "display": "李示医", "role": mock.role, "departments": ["呼吸内科", "心血管内科"]},
                "session_seconds": mock.session_seconds, "label": LABEL,
                "model": {"state": "ready" if mock.model else "off", "name": mock.model},
                "templates": [{"id": "discharge-record", "name": "出院记录"}]})
        if parts[0] == "episodes" and len(parts) == 2 and parts[1] in mock.episodes:
            mock.opened.append(parts[1])
            rows = [{key: one[key] for key in ("id", "template", "state", "created", "by")}
                    for one in mock.drafts.values() if one["episode"] == parts[1]]
            return self.reply(200, {"episode": mock.episodes[parts[1]][0], "version": 1, "age_years": 66, "drafts": rows})
        if parts[0] == "forms":
            return self.reply(200, mock.whole_form(parts[1]))
        if parts[0] == "drafts" and parts[1] in mock.drafts:
            if parts[2:] == ["events"]:
                return self.stream(mock.drafts[parts[1]])
            return self.reply(200, mock.drafts[parts[1]])
        return self.refuse(404, "no such route")

    def do_POST(self):
        mock = self.mock
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))) or b"{}")
        path = self.path.removeprefix("/clinic/api/")
        mock.posts.append((path, body))
        if path == "login":
            if body["password"] != "示范医院-口令-2025":
                return self.refuse(401, "wrong")
            mock.signed_in = True
            return self.reply(200, {"user": {}}, headers=[("Set-Cookie", "xinglin_clinic=ok; HttpOnly; SameSite=Strict; Path=/clinic")])
        if self.path == "/clinic/mock-host/launch":
            return self.reply(200, {"token": json.dumps(body)})
        if path == "launch":
            token, mock.signed_in = json.loads(body["token"]), True
            return self.reply(200, {"session": "s1", "user": {"role": mock.role}, "episode": token["episode"],
                                    "template": "discharge-record",
                                    "messaging": {"handle": token["handle"], "origin": token["origin"]}})
        if not self.is_signed_in():
            return self.refuse(401, "nobody is signed in")
        with mock.lock:
            return self.change(path.split("/"), body)

    def change(self, parts, body):
        mock = self.mock
        if parts == ["logout"]:
            mock.signed_in = None
            return self.reply(200, {})
        if parts == ["episodes", "search"]:
            return self.search(body)
        if parts == ["audit", "search"]:
            return self.reply(200, {"rows": [
                {"seq": n, "at": "2025-11-11T09:00:00+08:00", "user": "doctor", "role": "doctor", "action": action,
                 "object": "form/E-2025-000001/course", "hash": "ab" * 32, "before": {"text": "旧"}, "after": {"text": "新"}}
                for n, action in ((3, "form.fill"), (2, "draft.create"), (1, "login"))]})
        if parts == ["audit", "verify"]:
            return self.reply(200, {"ok": True, "lines": 3, "first_bad": None, "why": "", "head": "ab"})
        if parts == ["drafts"]:
            return self.reply(200, mock.new_draft(body["episode"]))
        if parts[0] == "forms":
            return self.change_form(parts, body)
        return self.change_draft(mock.drafts[parts[1]], parts[2], body)

    def search(self, body):
        rows = []
        for id_, (episode, _) in self.mock.episodes.items():
            patient, encounter = episode["patient"], episode["encounter"]
            if body.get("text", "") not in patient["name"] or body.get("department", "") not in encounter["department"]:
                continue
            rows.append({"id": id_, "patient": {"id": patient["id"], "name": patient["name"], "sex": patient["sex"], "age": 66},
                         "department": encounter["department"], "ward": encounter["ward"], "bed": encounter["bed"],
                         "admit": encounter["events"][0]["time"], "discharge": encounter["events"][-1]["time"],
                         "stay_days": 8, "main_diagnosis": episode["diagnoses"][0]["name"], "n_docs": len(episode["docs"]),
                         "draft": None, "form": {"filled": 0, "all": 9}, "changed": ""})
        self.reply(200, {"episodes": rows, "total": len(rows)})

    def change_form(self, parts, body):
        mock, id_ = self.mock, body["field"]
        old = mock.forms.get((parts[1], id_), {"version": 0, "history": []})
        if body["version"] != old["version"]:
            return self.refuse(409, "changed", form=mock.whole_form(parts[1]))
        if parts[3:] == ["undo"]:
            text, history = old["history"][-1], old["history"][:-1]
            mock.set_form(parts[1], id_, text, "typed")
            mock.forms[parts[1], id_]["history"] = history
        else:
            mock.set_form(parts[1], id_, body["text"], "typed")
        return self.reply(200, {"form": mock.whole_form(parts[1])})

    def change_draft(self, draft, action, body):
        mock, episode = self.mock, self.mock.episodes[draft["episode"]][0]
        field = next((one for one in draft["fields"] if one["id"] == body.get("field")), None)
        if action == "fill":
            return self.fill(draft, body)
        if action == "stop":
            draft["stop"] = True
        elif action == "lock":
            field["locked"] = body["locked"]
        elif action == "regenerate":
            field["state"], draft["state"] = "waiting", "running"
        elif action == "edit":
            field.update(text=body["text"], edited=True)
        elif action == "accept":
            field["accepted"][body["text"]] = body["reason"]
        else:
            omission = next(one for one in draft["omissions"] if one["id"] == body["omission"])
            omission["state"] = {"insert": "inserted", "dismiss": "dismissed"}[action]
            field = next(one for one in draft["fields"] if one["id"] == omission["field"])
            field["text"] += omission["sentence"] if action == "insert" else ""
        if field and action != "regenerate":
            field["revision"] += 1
            check_field(episode, field)
        if action not in ("stop", "regenerate"):
            mock.finish(draft, draft["state"])
        return self.reply(200, draft)

    def fill(self, draft, body):
        mock, blocked = self.mock, []
        chosen = [field for field in draft["fields"] if field["id"] in body["fields"]]
        seen = body.get("revisions", {})
        if any(seen.get(field["id"], field["revision"]) != field["revision"] for field in chosen):
            return self.refuse(409, "the draft was changed meanwhile", draft=draft)
        for field in chosen:
            bad = [i for i, one in enumerate(field["sentences"]) if one["verdict"] == "unsupported"]
            blocked += [{"field": field["id"], "sentences": bad}] if bad else []
            version = mock.forms.get((draft["episode"], field["id"]), {"version": 0})["version"]
            if body["versions"].get(field["id"]) != version:
                return self.refuse(409, "the form was changed", form=mock.whole_form(draft["episode"]))
        if blocked:
            return self.refuse(409, "not supported", blocked=blocked)
        for field in chosen:
            mock.set_form(draft["episode"], field["id"], field["text"], "draft", draft["id"])
        return self.reply(200, {"form": mock.whole_form(draft["episode"]), "filled": body["fields"]})

    # The run goes with its only follower, as long as somebody reads.
    def stream(self, draft):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            self.event("snapshot", {"draft": draft})
            self.write_draft(draft)
            self.piece(b"")
        except OSError:
            self.mock.finish(draft, "stopped")
            self.mock.disconnects += 1

    def event(self, name, data):
        self.piece(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())

    # Chunked, so that a stream that breaks is told from one that ends.
    def piece(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    # Notices, too, that nobody reads any more.
    def wait_while_held(self, draft, field):
        while not draft.get("stop") and self.mock.hold and self.mock.hold[0] == field["id"] \
                and len(field["text"]) >= self.mock.hold[1]:
            if self.mock.is_broken:
                raise ConnectionResetError
            self.piece(b": held\n\n")
            time.sleep(0.02)

    def write_draft(self, draft):
        mock, n = self.mock, 0
        episode, gold = mock.episodes[draft["episode"]]
        draft["omissions"], draft["conflicts"] = draft.get("pending", ([], []))
        self.event("conflicts", {"conflicts": draft["conflicts"]})
        for field in draft["fields"]:
            if field["locked"] or field["state"] != "waiting":
                continue
            field["state"], field["text"] = "writing", ""
            self.event("field", {"field": field["id"], "state": "writing"})
            text = gold[field["name"]]["text"].replace(RIGHT, WRONG)
            for at in range(0, len(text), mock.chunk):
                if draft.pop("stop", False):
                    field["state"] = "stopped"
                    return self.end(draft, "stopped")
                n += 1
                if mock.cut_after is not None and n > mock.cut_after:
                    return mock.finish(draft, "failed")
                field["text"] += text[at:at + mock.chunk]
                self.event("text", {"field": field["id"], "append": text[at:at + mock.chunk]})
                self.wait_while_held(draft, field)
            field["state"], field["revision"] = "done", field["revision"] + 1
            check_field(episode, field)
            self.event("checked", {"field": field})
        self.event("omissions", {"omissions": draft["omissions"]})
        return self.end(draft, "done")

    def end(self, draft, state):
        self.mock.finish(draft, state)
        self.event("done", {key: draft[key] for key in ("state", "verified", "first_token_ms", "total_ms")})
