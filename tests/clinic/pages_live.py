# SPDX-License-Identifier: Apache-2.0
"""The pages against the real `xinglin serve --clinic` with the examples in its store: what the mock
promises, the server keeps. Without a model, so a draft takes no time; one test has the demo model."""
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

from clinic_mock import POLICY
from clinic_visit import PASSWORD, ROOT, TOTAL, Missing, axe, open_host

PROGRAM = os.environ.get("XINGLIN_PROGRAM", os.path.join(ROOT, "build", "release", "bin", "xinglin"))
USERS = ("doctor", "qc", "admin", "auditor")


class LiveServer:
    """A store with the examples and a user of every role, and a server on it."""

    def __init__(self, *flags):
        if not os.path.exists(PROGRAM):
            raise Missing("no build/release/bin/xinglin; make")
        self.folder, self.process = tempfile.mkdtemp(prefix="xinglin-pages-"), None
        try:
            self.start(flags)
        except BaseException:
            self.close()
            raise

    def command(self, *arguments):
        done = subprocess.run([PROGRAM, "clinic", *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def start(self, flags):
        store, secret = os.path.join(self.folder, "store"), os.path.join(self.folder, "password")
        with open(secret, "w", encoding="utf-8") as file:
            file.write(PASSWORD + "\n")
        self.command("init", store)
        for name in USERS:
            self.command("user", "add", store, name, "--role", name, "--department", "*", "--display", "李示医",
                         "--password-file", secret)
        self.command("import", store, *sorted(glob.glob(os.path.join(ROOT, "examples", "episodes", "*", "episode.json"))))
        self.log = open(os.path.join(self.folder, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([PROGRAM, "serve", "--clinic", store, "--clinic-demo", "--port", "0", *flags],
                                        stdout=self.log, stderr=self.log)
        for _ in range(2400):
            with open(self.log.name, encoding="utf-8") as file:
                match = re.search(r"listening on \S+:(\d+)\n", file.read())
            if match:
                self.port = int(match.group(1))
                self.url = f"http://127.0.0.1:{self.port}"
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        with open(self.log.name, encoding="utf-8") as file:
            raise AssertionError("it does not listen: " + file.read())

    def close(self):
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=120)
            self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def fetch(visit, path, body=None):
    """What the server says to the signed-in page: [status, JSON]."""
    return visit.page.evaluate("""async ([path, body]) => { const answer = await fetch(path, body === null ? {} : {method: 'POST',
        headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)}); return [answer.status, await answer.json()]; }""",
                               [path, body])


def drafted(visit, episode):
    visit.sign_in()
    visit.page.wait_for_selector("tbody a")
    return drafted_again(visit, episode)


def drafted_again(visit, episode):
    visit.open_episode(episode)
    visit.generate()
    visit.wait_done()
    drafts = fetch(visit, f"/clinic/api/episodes/{episode}")[1]["drafts"]
    return fetch(visit, "/clinic/api/drafts/" + max(drafts, key=lambda one: one["created"])["id"])[1]


def field_of(draft, id_):
    return next(field for field in draft["fields"] if field["id"] == id_)


def test_from_button_to_form(visit, live):
    draft = drafted(visit, "E-2025-000001")
    assert visit.page.inner_text("[data-part=modelOff]").startswith("模型未加载")
    assert visit.draft_text("stay_days") == "8天" and visit.draft_text("admit_date") == "2025年11月3日"
    course = field_of(draft, "course")
    assert visit.draft_text("course") == course["text"] and len(course["text"]) > 100
    assert visit.page.inner_text(TOTAL) == "已核对 {ok}/{all}".format(**draft["verified"]) and draft["verified"]["all"] > 10
    index = next(i for i, one in enumerate(course["sentences"]) if any(s["kind"] == "doc" for s in one["sources"]))
    visit.card("course").locator(".sentence").nth(index).click()
    visit.page.wait_for_selector("mark.source")
    marked = "".join(visit.page.eval_on_selector_all("mark.source", "all => all.map(one => one.textContent)"))
    assert any(source["quote"] in marked for source in course["sentences"][index]["sources"] if source["kind"] == "doc")
    visit.press("discharge_diagnoses", "fill")
    visit.until("document.getElementById('form-discharge_diagnoses').value.includes('肺炎克雷伯菌')")
    visit.page.click(".form-row[data-field=discharge_diagnoses] [data-action=undo]")
    visit.until("document.getElementById('form-discharge_diagnoses').value === ''")
    visit.page.click("[data-action=minimise]")
    assert not visit.page.is_visible(".draft-window")
    visit.page.click(".launcher")
    assert visit.page.is_visible(".draft-window")
    visit.page.fill("#form-stay_days", "8 天")
    visit.page.keyboard.press("Tab")
    visit.until("document.querySelector('.form-row[data-field=stay_days]').dataset.from === 'typed'")
    visit.page.reload()
    visit.page.wait_for_selector(".draft-field[data-field=course] .sentence")
    assert visit.form("stay_days") == "8 天"


def test_every_source_is_found(visit, live):
    """Each source that the server names has a place in the document pane, with the quoted words."""
    draft = drafted(visit, "E-2025-000002")
    n = 0
    for field in draft["fields"]:
        for index, sentence in enumerate(field["sentences"]):
            if not sentence["sources"]:
                continue
            visit.card(field["id"]).locator(".sentence").nth(index).click()
            found = visit.page.evaluate("document.querySelectorAll('.documents .source').length")
            assert found > 0, sentence["sources"]
            n += 1
    assert n > 15


def test_wrong_dose_is_not_filled_unnoticed(visit, live):
    draft = drafted(visit, "E-2025-000004")
    course = field_of(draft, "course")
    claim = next(claim for one in course["sentences"] for claim in one["claims"]
                 if claim["ok"] and claim["kind"] == "dose" and re.match(r"\d", claim["text"]))
    wrong = course["text"][:claim["start"]] + re.sub(r"^\d+(\.\d+)?", "777", claim["text"]) + course["text"][claim["end"]:]
    visit.press("course", "edit")
    visit.card("course").locator("textarea").fill(wrong)
    visit.page.keyboard.press("Control+Enter")
    visit.page.wait_for_selector("[data-field=course] .sentence.unsupported")
    assert visit.card("course").locator("[data-action=fill]").is_disabled()
    assert "777" in visit.card("course").locator(".issues").inner_text()
    status, answer = fetch(visit, f"/clinic/api/drafts/{draft['id']}/fill", {"fields": ["course"], "versions": {"course": 0}})
    assert status == 409 and answer["blocked"][0]["field"] == "course"
    left = visit.card("course").locator(".sentence.unsupported").count()
    for n in range(left, 0, -1):
        visit.press("course", "accept")
        visit.page.fill(".reason input", "按会诊意见")
        visit.page.keyboard.press("Enter")
        visit.until(f"document.querySelectorAll('[data-field=course] .sentence.unsupported').length === {n - 1}")
    visit.press("course", "fill")
    visit.until("document.getElementById('form-course').value.includes('777')")


def test_omission_is_inserted(visit, live):
    drafted(visit, "E-2025-000005")
    visit.press("course", "edit")
    visit.card("course").locator("textarea").fill("患者入院后完善相关检查。")
    visit.page.keyboard.press("Control+Enter")
    visit.until("document.querySelector('[data-field=course] .draft-text').textContent === '患者入院后完善相关检查。'")
    visit.page.click(".draft-window [data-action=omitted]")
    visit.page.evaluate("for (const one of document.querySelectorAll('.omissions details')) one.open = true")
    before = visit.page.locator(".omissions [data-state=open]").count()
    words = visit.page.locator(".omissions [data-state=open] .suggestion q").first.inner_text()
    visit.page.locator(".omissions [data-action=insert]").first.click()
    visit.until(f"document.querySelectorAll('.omissions [data-state=open]').length < {before}")
    assert words[:8] in visit.page.inner_text(".draft-fields")


def test_host_receives_what_is_filled(visit, live):
    frame = open_host(visit, live, "&episode=E-2025-000003")
    visit.until("document.getElementById('hostState').textContent === '已连接病历系统'", frame)
    frame.click("[data-action=generate]")
    visit.wait_done(frame=frame)
    for n, field in enumerate(("stay_days", "discharge_orders"), 1):
        frame.click(f"[data-field={field}] [data-action=fill]")
        visit.until(f"window.mockHost.received.length === {n}")
    shown = {field: frame.locator(f"[data-field={field}] .draft-text").text_content() for field in ("stay_days", "discharge_orders")}
    assert visit.page.evaluate("window.mockHost.received") == [{"field": field, "text": text} for field, text in shown.items()]
    assert visit.page.input_value("#host-course") == ""
    visit.page.evaluate("window.mockHost.refuse = 'admit_date'")
    frame.click("[data-field=admit_date] [data-action=fill]")
    visit.until("document.querySelector('.draft-window > .alert').textContent.includes('锁定')", frame)
    frame.click("#finish")
    visit.until("window.mockHost.isDone")


def test_audit_tells_who_did_what(visit, live):
    drafted(visit, "E-2025-000006")
    visit.press("stay_days", "fill")
    visit.until("document.getElementById('form-stay_days').value !== ''")
    visit.sign_out()
    visit.sign_in("auditor")
    visit.page.wait_for_selector("tr[data-seq]")
    visit.page.select_option("#auditAction", "form.fill")
    visit.page.fill("#auditEpisode", "E-2025-000006")
    visit.page.keyboard.press("Enter")
    visit.until("document.querySelectorAll('tr[data-seq]').length === 1")
    text = visit.page.inner_text("tr[data-seq]")
    assert "doctor" in text and "回填" in text and "6天" in text, text
    visit.page.click("[data-action=verify]")
    visit.until("document.querySelector('.audit-view [role=status]').textContent.includes('完整')")
    assert "不完整" not in visit.page.inner_text(".audit-view [role=status]")
    status, _ = fetch(visit, "/clinic/api/episodes/E-2025-000006")
    assert status in (403, 404), "an auditor reads no records"


def test_quality_control_may_not_write(visit, live):
    visit.sign_in("qc")
    visit.open_episode("E-2025-000007")
    assert not visit.page.is_visible("[data-action=generate]")
    status, _ = fetch(visit, "/clinic/api/drafts", {"episode": "E-2025-000007", "template": "discharge-record"})
    assert status == 403


def test_administrator_makes_a_user(visit, live):
    visit.sign_in("admin")
    visit.page.wait_for_selector("tr[data-user=doctor]")
    assert visit.page.locator("#places a").all_inner_texts() == ["审计", "用户"]
    visit.page.fill("#userName", "resident")
    visit.page.fill("#userDisplay", "周示医")
    visit.page.fill("#userDepartments", "骨科、神经内科")
    visit.page.fill("#userPassword", PASSWORD)
    visit.page.click("[data-action=saveUser]")
    visit.page.wait_for_selector("tr[data-user=resident]")
    assert visit.page.input_value("#userPassword") == ""
    visit.sign_out()
    visit.sign_in("resident")
    visit.page.wait_for_selector("tbody a")
    departments = set(visit.page.eval_on_selector_all("tbody tr", "all => all.map(one => one.children[2].textContent)"))
    assert departments == {"骨科", "神经内科"}, departments
    status, _ = fetch(visit, "/clinic/api/episodes/E-2025-000001")
    assert status == 404, "outside of the departments"


def test_hostile_record_cannot_run(visit, live):
    evil = "<img src=x onerror=\"window.ran=1\"><script>window.ran=2</script>"
    with open(os.path.join(ROOT, "examples", "episodes", "09-lung-cancer-chemo", "episode.json"), encoding="utf-8") as file:
        episode = json.load(file)
    episode["encounter"]["id"] = "E-HOSTILE"
    episode["patient"]["name"] = "示" + evil
    for doc in episode["docs"]:
        doc["local_title"] += evil
        for section in doc["sections"]:
            section["text"] = section["text"] + evil
    visit.sign_in("admin")
    status, answer = fetch(visit, "/clinic/episodes", episode)
    assert status in (200, 201), answer
    visit.sign_out()
    drafted(visit, "E-HOSTILE")
    visit.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert "<script>window.ran=2</script>" in visit.page.inner_text(".documents")
    assert visit.page.locator("main img, main script").count() == 0 and visit.page.evaluate("window.ran") is None


def test_policy_is_the_mock_s(visit, live):
    answers = [visit.page.goto(visit.url + path).headers["content-security-policy"]
               for path in ("/clinic", "/clinic/embed", "/clinic/mock-host")]
    visit.page.wait_for_selector("#open")
    assert answers[0] == POLICY + "'none'"
    assert answers[1].startswith(POLICY) and "*" not in re.sub(r"http://(localhost|127\.0\.0\.1):\*", "", answers[1])
    assert "frame-src" in answers[2]


def test_accessibility_of_real_records(visit, live):
    source = axe()
    drafted(visit, "E-2025-000008")
    visit.card("course").locator(".sentence").nth(1).click()
    faults = visit.serious_faults(source)
    for width, height in ((1366, 768), (683, 384)):
        visit.set_size(width, height)
        assert visit.width_over() <= 0, f"{visit.width_over()} pixels too wide at {width}"
    visit.go_to_place("#/patients")
    visit.page.wait_for_selector("tbody a")
    faults += visit.serious_faults(source)
    assert visit.width_over() <= 0
    visit.sign_out()
    visit.sign_in("admin")
    visit.page.wait_for_selector("tr[data-user=doctor]")
    faults += visit.serious_faults(source)
    visit.go_to_place("#/audit")
    visit.page.wait_for_selector("tr[data-seq]")
    faults += visit.serious_faults(source)
    assert visit.width_over() <= 0
    assert faults == [], "\n".join(faults)


def demo_model():
    """The model of `make demo` as it made it or as it was fetched, if either is there."""
    cache = os.environ.get("XDG_CACHE_HOME", os.path.join(os.path.expanduser("~"), ".cache"))
    inputs = os.environ.get("XINGLIN_INPUTS", os.path.join(cache, "xinglin", "inputs"))
    found = sorted(glob.glob(os.path.join(ROOT, "build", "demo", "qwen*.gguf")))
    found += glob.glob(os.path.join(inputs, "models", "qwen2.5-coder-0.5b-instruct-q4.gguf"))
    return found[0] if found else None


def test_model_streams(visit, live):
    """With the demo model the course grows piece by piece, and stops when it is told to."""
    if not demo_model():
        raise Missing("the demo model could not be had; scripts/fetch-inputs demo")
    with_model = LiveServer("-m", demo_model(), "--context", "16384")
    try:
        visit.go_to(with_model.url)
        visit.sign_in()
        visit.until("document.getElementById('modelState').textContent.startsWith('模型 ')", seconds=300)
        visit.open_episode("E-2025-000009")
        # The page itself presses stop, or the course might be written before this test gets to it.
        visit.page.evaluate("""() => { window.lengths = new Set(); new MutationObserver(() => {
                const text = document.querySelector('.draft-field[data-field=course] .draft-text');
                if (text) window.lengths.add(text.textContent.length);
                if (window.lengths.size === 4) document.querySelector('[data-action=stop]').click();
            }).observe(document.querySelector('.draft-fields'), {childList: true, subtree: true, characterData: true}); }""")
        visit.generate()
        visit.until("window.lengths.size >= 4", seconds=300)
        visit.wait_done("已停止")
        assert visit.page.locator("[data-part=modelOff]").count() == 0
    finally:
        with_model.close()
