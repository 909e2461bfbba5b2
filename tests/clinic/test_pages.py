#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The clinic's pages in a headless Chromium, against a mock of the routes where a test needs slow or
broken streams, and against the real `xinglin serve --clinic` where it does not (test_clinic_pages_live
beside this file). Nothing is loaded from elsewhere, no inline script runs, nothing is kept.
Needs chromium (scripts/setup more) and playwright (fetched into build/venv-page); else skipped.
Usage: test_pages.py [--screenshots DIR] [NAME ...]
"""
import os
import re
import subprocess
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clinic_mock import ClinicMock, RIGHT, WRONG  # noqa: E402
from clinic_visit import CHROMIUM, ROOT, Visit, node_module, run_in_environment, skip  # noqa: E402

PAGES = os.path.join(ROOT, "clinic", "ui")
TOTAL = "[data-part=verified]"


class Missing(Exception):
    """What a test needs and this machine has not; the test is skipped."""


def axe():
    path = node_module("axe-core", "axe.min.js")
    if not path:
        raise Missing("axe-core could not be installed (npm, network?)")
    with open(path, encoding="utf-8") as file:
        return file.read()


def drafted(visit, mock, delay_s=0.0):
    mock.delay_s = delay_s
    visit.sign_in()
    visit.open_episode()
    visit.generate()
    if not delay_s:
        visit.wait_done()


def test_login(visit, mock):
    visit.page.goto(visit.url + "/clinic")
    visit.page.fill("#user", "doctor")
    visit.page.fill("#password", "falsch")
    visit.page.click("[data-action=login]")
    assert "不正确" in visit.alert(".login .alert")
    assert visit.page.input_value("#password") == ""
    visit.sign_in()
    visit.page.wait_for_selector("tbody a")
    assert visit.page.inner_text("#who") == "李示医"
    visit.page.click("#logout")
    visit.page.wait_for_selector("#user")
    assert visit.page.locator("tbody").count() == 0


def test_list_searches(visit, mock):
    visit.sign_in()
    visit.page.wait_for_selector("tbody a")
    assert visit.page.locator("tbody tr").count() == 2
    visit.page.fill("#search", "张示安")
    visit.until("document.querySelectorAll('tbody tr').length === 1")
    visit.page.select_option("#department", "心血管内科")
    visit.until("document.querySelector('tbody').textContent.includes('没有')")
    assert mock.posts[-1][1] == {"limit": 50, "offset": 0, "text": "张示安", "department": "心血管内科"}
    assert "张示安" not in visit.page.url and all("示" not in path for path, _ in mock.posts)


def test_streams_into_fields(visit, mock):
    drafted(visit, mock, 0.05)
    visit.until("document.querySelector('[data-field=admission_diagnoses] .draft-text').textContent.length > 3")
    assert visit.page.is_visible("[data-action=stop]") and visit.page.is_disabled(".record-form [data-action=generate]")
    assert visit.card("course").get_attribute("data-state") == "waiting"
    visit.until("document.querySelector('[data-field=course] .draft-text').textContent.length > 30", seconds=15)
    assert visit.card("course").get_attribute("aria-busy") is not None
    assert visit.page.inner_text(".draft-window .ai-label") == "AI辅助生成，须经医师审核"
    assert "诊疗经过" in visit.page.inner_text("#spoken")
    mock.delay_s = 0
    visit.wait_done()
    assert "哌拉西林" in visit.draft_text("course")
    draft = next(iter(mock.drafts.values()))
    assert visit.page.inner_text(TOTAL) == f"已核对 {draft['verified']['ok']}/{draft['verified']['all']}"
    assert draft["verified"]["ok"] == draft["verified"]["all"] - 1


def test_stop_keeps_what_came(visit, mock):
    for key in ("button", "escape"):
        drafted(visit, mock, 0.05) if key == "button" else visit.generate()
        visit.until("document.querySelector('[data-field=admission_condition] .draft-text').textContent.length > 20")
        if key == "button":
            visit.page.click("[data-action=stop]")
        else:
            visit.page.keyboard.press("Escape")
        visit.wait_done("已停止")
        assert visit.draft_text("admit_date") == "2025年11月3日"
        assert visit.card("course").locator("[data-action=fill]").is_disabled()
        assert not visit.card("admit_date").locator("[data-action=fill]").is_disabled()


def test_sentence_shows_its_source(visit, mock):
    drafted(visit, mock)
    sentence = visit.card("course").locator(".sentence").nth(0)
    sentence.click()
    visit.page.wait_for_selector("mark.source")
    assert sentence.get_attribute("aria-pressed") == "true"
    quotes = visit.page.eval_on_selector_all("mark.source", "all => all.map(one => one.textContent)")
    known = [source["quote"] for source in next(iter(mock.drafts.values()))["fields"][6]["sentences"][0]["sources"]]
    assert set(quotes) & set(known), (quotes, known)
    is_seen = """() => { const a = document.querySelector('mark.source').getBoundingClientRect(),
        b = document.querySelector('.documents-body').getBoundingClientRect();
        return a.top >= b.top - 1 && a.bottom <= b.bottom + 1; }"""
    assert visit.page.evaluate(is_seen)
    sentence.click()
    visit.until("document.querySelectorAll('mark.source').length === 0")
    visit.card("admission_condition").locator(".sentence").nth(0).hover()
    visit.page.wait_for_selector("mark.source")
    visit.page.mouse.move(5, 5)
    visit.until("document.querySelectorAll('mark.source').length === 0")


def test_keyboard_alone(visit, mock):
    drafted(visit, mock)
    visit.page.keyboard.press("Alt+3")
    for _ in range(60):
        visit.page.keyboard.press("Tab")
        if visit.page.evaluate("document.activeElement.closest('[data-field=course] .sentence') !== null"):
            break
    visit.page.keyboard.press("ArrowRight")
    assert visit.page.evaluate("document.activeElement.dataset.index") == "1"
    visit.page.wait_for_selector("mark.source")
    visit.page.keyboard.press("Enter")
    assert visit.page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    visit.page.keyboard.press("Alt+N")
    assert visit.page.evaluate("document.activeElement.closest('.issues li') !== null")
    visit.page.focus(".draft-field[data-field=admit_date]")
    visit.page.keyboard.press("Alt+H")
    visit.until("document.getElementById('form-admit_date').value === '2025年11月3日'")
    visit.page.keyboard.press("Alt+M")
    assert visit.page.is_visible(".launcher") and not visit.page.is_visible(".draft-window")
    visit.page.keyboard.press("Enter")
    assert visit.page.is_visible(".draft-window")
    visit.page.keyboard.press("?")
    visit.page.wait_for_selector("#helpDialog[open]")
    assert "Alt+G" in visit.page.inner_text("#helpDialog")
    visit.page.keyboard.press("Escape")
    visit.page.wait_for_selector("#helpDialog:not([open])", state="attached")


def test_fill_undo_minimise(visit, mock):
    drafted(visit, mock)
    visit.press("discharge_condition", "fill")
    visit.until("document.getElementById('form-discharge_condition').value.startsWith('好转')")
    assert mock.posts[-1][1]["fields"] == ["discharge_condition"]
    assert visit.form("course") == ""
    assert "AI辅助生成" in visit.page.inner_text(".form-row[data-field=discharge_condition] .note")
    assert "已在表单" in visit.card("discharge_condition").inner_text()
    visit.page.click(".form-row[data-field=discharge_condition] [data-action=undo]")
    visit.until("document.getElementById('form-discharge_condition').value === ''")
    visit.page.click("[data-action=minimise]")
    assert visit.page.is_visible(".launcher") and not visit.page.is_visible(".draft-window")
    visit.page.click(".launcher")
    assert visit.page.is_visible(".draft-window")
    assert "好转" in visit.draft_text("discharge_condition")


def test_wrong_dose_is_not_filled(visit, mock):
    drafted(visit, mock)
    card = visit.card("course")
    assert card.locator("[data-action=fill]").is_disabled() and card.locator("[data-action=copy]").is_disabled()
    assert card.locator(".sentence.unsupported").count() == 1
    assert card.locator(".claim-bad").inner_text() == "2.5 g"
    assert "记录中为 4.5 g" in card.locator(".issues").inner_text()
    mark = card.locator(".sentence.unsupported").evaluate("one => getComputedStyle(one, '::before').content")
    assert "⚠" in mark, "marked by more than colour"
    visit.page.click("[data-action=fillAll]")
    visit.until("document.getElementById('form-discharge_orders').value !== ''")
    assert visit.form("course") == "" and "诊疗经过" in visit.alert()
    refused = visit.page.evaluate("""async () => { const answer = await fetch('/clinic/api/drafts/d1/fill', {method: 'POST',
        headers: {'Content-Type': 'application/json'}, body: JSON.stringify({fields: ['course'], versions: {course: 0}})});
        return answer.status; }""")
    assert refused == 409


def test_accept_with_reason(visit, mock):
    drafted(visit, mock)
    visit.press("course", "accept")
    visit.page.click(".reason .strong")
    assert not any(path.endswith("/accept") for path, _ in mock.posts), "accepted without a reason"
    visit.page.fill(".reason input", "按药学部意见")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector("[data-field=course] .sentence.accepted")
    sent = next(body for path, body in mock.posts if path.endswith("/accept"))
    assert sent["reason"] == "按药学部意见" and WRONG in sent["text"]
    visit.press("course", "fill")
    visit.until("document.getElementById('form-course').value.length > 20")


def test_use_source_and_edit(visit, mock):
    drafted(visit, mock)
    visit.press("course", "useSource")
    visit.until(f"document.querySelector('[data-field=course] .draft-text').textContent.includes('{RIGHT}')")
    assert visit.card("course").locator(".issues li").count() == 0
    assert not visit.card("course").locator("[data-action=fill]").is_disabled()
    visit.press("course", "edit")
    area = visit.card("course").locator("textarea")
    area.fill(area.input_value().replace(RIGHT, WRONG))
    visit.page.keyboard.press("Control+Enter")
    visit.page.wait_for_selector("[data-field=course] .sentence.unsupported")
    visit.press("course", "change")
    chosen = visit.page.evaluate("document.activeElement.value.slice(document.activeElement.selectionStart, document.activeElement.selectionEnd)")
    assert WRONG in chosen, chosen
    visit.page.keyboard.press("Escape")
    assert visit.card("course").locator("textarea").count() == 0


def test_input_methods(visit, mock):
    """Enter and Escape that choose or drop a character must not save, send, close or stop."""
    drafted(visit, mock)
    fire = """(selector) => { const element = document.querySelector(selector);
        for (const key of ['Enter', 'Escape']) for (const more of [{isComposing: true}, {keyCode: 229}])
            element.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, ctrlKey: true, ...more})); }"""
    visit.press("discharge_condition", "edit")
    before = len(mock.posts)
    visit.page.evaluate(fire, "[data-field=discharge_condition] textarea")
    assert visit.card("discharge_condition").locator("textarea").count() == 1
    visit.press("course", "accept")
    visit.page.fill(".reason input", "理由")
    visit.page.evaluate(fire, ".reason input")
    assert visit.page.locator(".reason").count() == 1 and len(mock.posts) == before
    client = visit.context.new_cdp_session(visit.page)
    area = visit.card("discharge_condition").locator("textarea")
    area.fill("")
    client.send("Input.imeSetComposition", {"text": "haozhuan", "selectionStart": 8, "selectionEnd": 8})
    client.send("Input.insertText", {"text": "好转出院。"})
    assert area.input_value() == "好转出院。"
    visit.page.keyboard.press("Control+Enter")
    visit.until("document.querySelector('[data-field=discharge_condition] .draft-text').textContent === '好转出院。'")
    visit.page.focus("#form-stay_days")
    client.send("Input.imeSetComposition", {"text": "ba", "selectionStart": 2, "selectionEnd": 2})
    visit.page.wait_for_timeout(1500)
    assert not any(path.startswith("forms/") for path, _ in mock.posts), "saved while composing"
    client.send("Input.insertText", {"text": "八天"})
    visit.until("document.querySelector('.form-row[data-field=stay_days]').dataset.from === 'typed'")
    assert mock.posts[-1][1] == {"field": "stay_days", "text": "八天", "version": 0}


def test_regenerate_lock_diff(visit, mock):
    drafted(visit, mock)
    visit.press("discharge_condition", "lock")
    visit.until("document.querySelector('[data-field=discharge_condition] [data-action=lock]').textContent === '解锁'")
    assert visit.card("discharge_condition").locator("[data-action=edit]").is_disabled()
    assert visit.card("discharge_condition").locator("[data-action=regenerate]").is_disabled()
    visit.press("admission_condition", "regenerate")
    visit.until("document.querySelector('[data-part=state]').textContent === '已完成'")
    assert mock.posts[-1] == ("drafts/d1/regenerate", {"field": "admission_condition"})
    visit.page.fill("#form-stay_days", "9天")
    visit.press("stay_days", "diff")
    assert visit.card("stay_days").locator("del").inner_text() == "9"
    assert visit.card("stay_days").locator("ins").inner_text() == "8"


def test_omissions_and_conflicts(visit, mock):
    drafted(visit, mock)
    assert "4.5 g" in visit.page.inner_text(".conflicts") and "高" in visit.page.inner_text(".conflicts")
    visit.page.click(".conflicts .source-button")
    assert visit.page.inner_text("mark.source") == "左肺上叶"
    assert "应写" in visit.page.inner_text(".omissions")
    visit.page.click(".omissions [data-action=dismiss]")
    visit.page.fill(".reason input", "已写在诊断中")
    visit.page.click(".omissions .reason .strong")
    visit.page.wait_for_selector(".omissions [data-state=dismissed]")
    visit.generate()
    visit.wait_done()
    visit.page.click(".omissions [data-action=insert]")
    visit.until("document.querySelector('[data-field=discharge_condition] .draft-text').textContent.includes('左肺上叶微小结节需随访')")


def test_form_changed_elsewhere(visit, mock):
    drafted(visit, mock)
    mock.set_form("E-2025-000001", "stay_days", "8天（别处）", "typed")
    visit.press("stay_days", "fill")
    assert "修改" in visit.alert()
    assert visit.form("stay_days") == "8天（别处）"
    mock.set_form("E-2025-000001", "admit_date", "又改", "typed")
    visit.page.fill("#form-admit_date", "我的")
    visit.page.keyboard.press("Tab")
    visit.page.wait_for_selector(".form-row[data-field=admit_date] .notice:not([hidden])")
    assert "又改" in visit.page.inner_text(".form-row[data-field=admit_date] .notice")
    visit.page.click(".form-row[data-field=admit_date] .notice button >> nth=1")
    visit.until("document.querySelector('.form-row[data-field=admit_date] .note').textContent.includes('doctor')")
    assert mock.forms["E-2025-000001", "admit_date"]["text"] == "我的"


def test_patient_switch_drops_stream(visit, mock):
    drafted(visit, mock, 0.05)
    visit.until("document.querySelector('[data-field=admission_condition] .draft-text').textContent.length > 20")
    visit.page.evaluate("""() => { window.seen = []; new MutationObserver(() => window.seen.push(document.getElementById('view').textContent))
        .observe(document.getElementById('view'), {childList: true, subtree: true, characterData: true}); }""")
    name = mock.episodes["E-2025-000001"][0]["patient"]["name"]
    other = next(id_ for id_ in mock.episodes if id_ != "E-2025-000001")
    visit.open_episode(other)
    other_name = mock.episodes[other][0]["patient"]["name"]
    visit.until(f"document.querySelector('.patient').textContent.includes('{other_name}')")
    visit.page.wait_for_timeout(500)
    assert mock.disconnects == 1
    mixed = visit.page.evaluate("([a, b]) => window.seen.filter(text => text.includes(a) && text.includes(b)).length", [name, other_name])
    assert mixed == 0
    text = visit.page.inner_text("body")
    assert name not in text and "胸闷" in visit.page.content() and visit.page.locator(".draft-field").count() == 0
    assert mock.drafts["d1"]["state"] == "stopped"


def test_broken_stream(visit, mock):
    mock.cut_after = 12
    visit.sign_in()
    visit.open_episode()
    visit.generate()
    visit.wait_done("失败")
    assert visit.draft_text("admit_date") == "2025年11月3日"
    mock.cut_after = None
    visit.generate()
    visit.wait_done()


def test_session_ends(visit, mock):
    drafted(visit, mock)
    mock.signed_in = None
    visit.press("stay_days", "fill")
    visit.page.wait_for_selector("#user")
    assert "重新登录" in visit.page.inner_text("#alert")
    assert "张示安" not in visit.page.content() and visit.page.locator(".draft-field").count() == 0
    mock.session_seconds = 1
    visit.sign_in()
    visit.page.wait_for_selector("#user", timeout=6000)
    assert mock.posts[-1][0] == "logout"


def test_model_off(visit, mock):
    mock.model = None
    drafted(visit, mock)
    assert "模型未加载" in visit.page.inner_text("[data-part=modelOff]")
    assert "模型未加载" in visit.page.inner_text("#modelState")


def test_quality_control_reads(visit, mock):
    mock.role = "qc"
    mock.finish(mock.new_draft("E-2025-000001"), "done")
    visit.sign_in()
    visit.open_episode()
    visit.page.wait_for_selector(".draft-field")
    assert not visit.page.is_visible("[data-action=generate]")
    for action in ("fill", "edit", "regenerate", "lock"):
        assert not visit.card("course").locator(f"[data-action={action}]").is_visible()
    assert visit.page.get_attribute("#form-course", "readonly") is not None


def test_audit(visit, mock):
    mock.role = "auditor"
    visit.sign_in()
    visit.page.wait_for_selector("tr[data-seq='3']")
    assert "回填" in visit.page.inner_text("tr[data-seq='3']") and "新" in visit.page.inner_text("tr[data-seq='3']")
    visit.page.click("[data-action=verify]")
    visit.until("document.querySelector('.audit-view .notice').textContent.includes('3 条')")
    visit.page.evaluate("location.hash = '#/patients'")
    assert "没有查看权限" in visit.alert("#alert")


def test_html_cannot_run(visit, mock):
    evil = "<img src=x onerror=\"window.ran=1\"><script>window.ran=2</script><a href=javascript:window.ran=3>x</a>"
    episode, gold = mock.episodes["E-2025-000001"]
    episode["patient"]["name"] = "示" + evil
    for doc in episode["docs"]:
        doc["local_title"] += evil
        for section in doc["sections"]:
            section["name"] += evil
            section["text"] = evil + section["text"]
    for table in ("orders", "labs", "diagnoses"):
        for row in episode[table]:
            row["name"] += evil
    for row in gold.values():
        row["text"] = evil + row["text"]
    drafted(visit, mock)
    visit.card("course").locator(".sentence").nth(0).click()
    visit.press("stay_days", "fill")
    visit.until("document.getElementById('form-stay_days').value.includes('onerror')")
    visit.press("stay_days", "diff")
    visit.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert "<script>window.ran=2</script>" in visit.draft_text("course")
    assert visit.page.locator("main img, main script, main a[href^=javascript]").count() == 0
    assert visit.page.evaluate("window.ran") is None


def test_policy(visit, mock):
    visit.sign_in()
    visit.page.evaluate("""() => { const one = document.createElement('div');
        try { one.innerHTML = '<b>x</b>'; } catch (problem) { window.wrote = 'refused'; }
        const script = document.createElement('script');
        try { script.textContent = 'window.ran = 1'; document.body.append(script); } catch (problem) { script.remove(); } }""")
    assert visit.page.evaluate("window.ran") is None and visit.page.evaluate("window.wrote") == "refused"
    assert visit.page.evaluate("window.refused.length") > 0
    visit.page.evaluate("window.refused = []")
    visit.problems.clear()


def test_languages(visit, mock):
    drafted(visit, mock)
    visit.page.click("#language")
    assert visit.page.get_attribute("html", "lang") == "en"
    left = visit.page.evaluate("""() => [...document.querySelectorAll('body *')]
        .filter(one => !one.closest('[lang=zh-CN], #spoken, noscript') && one.childElementCount === 0 && /[一-鿿]/.test(one.textContent))
        .filter(one => !['H1', 'TITLE', 'BUTTON'].includes(one.tagName) || one.dataset.word)
        .map(one => one.textContent)""")
    names = {"中文", "李示医"}
    left = [text for text in left if text not in names and not re.match(r"(AI draft · |Draft )?出院记录$", text)]
    assert left == [], left
    assert visit.page.inner_text(TOTAL).startswith("verified ")
    visit.page.click("#language")
    assert visit.page.inner_text(TOTAL).startswith("已核对")


def test_words_are_complete(visit, mock):
    visit.page.goto(visit.url + "/clinic")
    with open(os.path.join(PAGES, "clinic-words.js"), encoding="utf-8") as file:
        text = file.read()
    halves = text.split("\n  en: {")
    both = [set(re.findall(r'(?:[{,]\s*|\n\s+)"?([a-zA-Z_.]+)"?: "', half)) for half in halves]
    assert both[0] == both[1], both[0] ^ both[1]
    used = set()
    for name in os.listdir(PAGES):
        with open(os.path.join(PAGES, name), encoding="utf-8") as file:
            content = file.read()
        used |= set(re.findall(r'\b(?:word|label|hint|tip): "([A-Za-z_]+)"', content))
        used |= set(re.findall(r'data-(?:word|label)="([A-Za-z_]+)"', content))
        used |= set(re.findall(r'\bword\("([A-Za-z_]+)"', content))
    missing = {name for name in used if not (any(one.startswith(name) for one in both[0]) if name.endswith("_") else name in both[0])}
    assert not missing, missing


def test_bridge_is_old_javascript(visit, mock):
    acorn = node_module("acorn", "bin", "acorn")
    if not acorn:
        raise Missing("acorn could not be installed (npm, network?)")
    visit.page.goto(visit.url + "/clinic")
    path = os.path.join(PAGES, "bridge.js")
    done = subprocess.run(["node", acorn, "--ecma5", "--silent", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    again = subprocess.run(["node", acorn, "--ecma5", "--silent", os.path.join(PAGES, "mock-host.js")], capture_output=True)
    assert again.returncode != 0, "the parser takes anything"
    assert os.path.getsize(path) < 5000


def open_host(visit, mock, more=""):
    visit.page.goto(f"http://localhost:{mock.port}/clinic/mock-host#server={mock.url}{more}")
    visit.page.click("#open")
    visit.page.wait_for_selector("iframe")
    for _ in range(100):
        frame = next((one for one in visit.page.frames if one.url.startswith(mock.url + "/clinic/embed")), None)
        if frame and frame.query_selector("[data-action=generate]"):
            return frame
        visit.page.wait_for_timeout(50)
    raise AssertionError("no draft window in the host")


def test_host_gets_what_is_filled(visit, mock):
    frame = open_host(visit, mock)
    visit.until("document.getElementById('hostState').textContent === '已连接病历系统'", frame)
    frame.click("[data-action=generate]")
    visit.until("document.querySelector('[data-part=state]').textContent === '已完成'", frame, 20)
    assert frame.locator("[data-field=course] [data-action=fill]").is_disabled()
    frame.click("[data-field=stay_days] [data-action=fill]")
    visit.until("window.mockHost.received.length === 1")
    frame.click("[data-field=discharge_condition] [data-action=fill]")
    visit.until("window.mockHost.received.length === 2")
    received = visit.page.evaluate("window.mockHost.received")
    gold = mock.episodes["E-2025-000001"][1]
    assert received == [{"field": "stay_days", "text": "8天"},
                        {"field": "discharge_condition", "text": gold["出院情况"]["text"]}]
    assert visit.page.input_value("#host-course") == "" and visit.page.input_value("#host-stay_days") == "8天"
    # What the doctor has changed in the host since is shown, not overwritten.
    visit.page.fill("#host-stay_days", "8天（核对）")
    frame.click("[data-field=stay_days] [data-action=fill]")
    visit.until("document.querySelector('.draft-window > .alert').textContent.includes('修改')", frame)
    assert visit.page.input_value("#host-stay_days") == "8天（核对）"
    # What the host refuses is taken back at the server.
    visit.page.evaluate("window.mockHost.refuse = 'admit_date'")
    frame.click("[data-field=admit_date] [data-action=fill]")
    visit.until("document.querySelector('.draft-window > .alert').textContent.includes('锁定')", frame)
    assert mock.forms["E-2025-000001", "admit_date"]["text"] == ""
    frame.click("[data-action=fillAll]")
    visit.until("document.querySelector('.draft-window > .alert').textContent.includes('锁定')", frame)
    assert len(visit.page.evaluate("window.mockHost.received")) == 2, "all or nothing"
    frame.click("#finish")
    visit.until("window.mockHost.isDone")
    assert visit.page.locator("iframe").count() == 0


def test_host_switches_patient(visit, mock):
    mock.delay_s = 0.05
    frame = open_host(visit, mock)
    visit.until("document.getElementById('hostState').textContent === '已连接病历系统'", frame)
    frame.click("[data-action=generate]")
    visit.until("document.querySelector('[data-field=admission_condition] .draft-text').textContent.length > 20", frame)
    visit.page.fill("#episode", next(id_ for id_ in mock.episodes if id_ != "E-2025-000001"))
    visit.page.click("#open")
    visit.until("document.getElementById('who').textContent.includes('示') && !document.getElementById('who').textContent.includes('张示安')", frame)
    visit.page.wait_for_timeout(300)
    assert mock.disconnects == 1 and "张示安" not in frame.content()
    assert frame.locator(".draft-field").count() == 0
    assert visit.page.evaluate("window.mockHost.received") == []


def test_silent_host_leaves_copying(visit, mock):
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    frame = open_host(visit, mock, "&silent")
    visit.until("document.getElementById('hostState').textContent.includes('没有应答')", frame, 10)
    frame.click("[data-action=generate]")
    visit.until("document.querySelector('[data-part=state]').textContent === '已完成'", frame, 20)
    assert not frame.locator("[data-field=stay_days] [data-action=fill]").is_visible()
    assert frame.locator("[data-field=course] [data-action=copy]").is_disabled()
    frame.click("[data-field=stay_days] [data-action=copy]")
    visit.until("document.querySelector('[data-field=stay_days] [data-action=copy]').textContent === '已复制'", frame)
    assert mock.forms["E-2025-000001", "stay_days"]["text"] == "8天", "copied and not written down"


def test_strangers_are_not_answered(visit, mock):
    """A frame that is not ours, or a wrong handle, gets nothing from the bridge."""
    frame = open_host(visit, mock)
    visit.until("document.getElementById('hostState').textContent === '已连接病历系统'", frame)
    answers = """() => new Promise(done => { let n = 0; window.addEventListener('message', () => n++);
        parent.postMessage({messagingHandle: 'wrong', messageId: '1', messageType: 'scratchpad.read', payload: {}}, '*');
        setTimeout(() => done(n), 400); })"""
    assert frame.evaluate(answers) == 0
    visit.page.evaluate("""() => window.postMessage({messagingHandle: 'wrong', messageId: '1', messageType: 'scratchpad.update',
        payload: {resource: {section: []}}}, location.origin)""")
    assert visit.page.evaluate("window.mockHost.received") == []


def test_zoom_and_small_windows(visit, mock):
    drafted(visit, mock)
    visit.card("course").locator(".sentence").nth(0).click()
    for width, height in ((1366, 768), (1280, 720), (683, 384), (640, 800), (400, 700)):
        visit.page.set_viewport_size({"width": width, "height": height})
        assert visit.width_over() <= 0, f"{visit.width_over()} pixels too wide at {width}"
    visit.page.set_viewport_size({"width": 683, "height": 384})
    visit.page.evaluate("location.hash = '#/patients'")
    visit.page.wait_for_selector("tbody a")
    assert visit.width_over() <= 0


def test_accessibility(visit, mock):
    source, faults = axe(), []
    visit.page.goto(visit.url + "/clinic")
    visit.page.wait_for_selector("#user")
    faults += visit.serious_faults(source)
    for scheme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=scheme)
        visit.sign_in()
        visit.page.wait_for_selector("tbody a")
        faults += visit.serious_faults(source)
        visit.open_episode()
        faults += visit.serious_faults(source)
        visit.generate()
        visit.wait_done()
        visit.card("course").locator(".sentence").nth(1).click()
        visit.press("course", "accept")
        visit.press("discharge_condition", "edit")
        visit.press("stay_days", "diff")
        faults += visit.serious_faults(source)
        visit.page.click("#help")
        faults += visit.serious_faults(source)
        visit.page.keyboard.press("Escape")
        visit.page.click("#logout")
        visit.page.wait_for_selector("#user")
    mock.role = "auditor"
    visit.sign_in()
    visit.page.wait_for_selector("tr[data-seq='3']")
    faults += visit.serious_faults(source)
    frame = open_host(visit, mock)
    frame.evaluate("() => {" + source + "}")
    faults += frame.evaluate("""async () => (await axe.run(document)).violations
        .filter(one => ['serious', 'critical'].includes(one.impact)).map(one => 'embed ' + one.id)""")
    assert faults == [], "\n".join(faults)


def test_print_shows_the_form(visit, mock):
    drafted(visit, mock)
    visit.press("discharge_condition", "fill")
    visit.until("document.getElementById('form-discharge_condition').value !== ''")
    visit.page.emulate_media(media="print")
    text = visit.page.inner_text("body")
    assert "AI辅助生成，须经医师审核" in text and "好转" in text and "张示安" in text
    assert "病历文书" not in text and not visit.page.is_visible(".draft-window")


def run_tests(browser, wanted):
    tests = {name[5:]: run for name, run in sorted(globals().items()) if name.startswith("test_")}
    counts = {"ok  ": 0, "FAIL": 0, "skip": 0}
    for name, run in tests.items():
        if wanted and name not in wanted:
            continue
        mock, how, why = ClinicMock(), "ok  ", ""
        visit = Visit(browser, mock.url)
        try:
            run(visit, mock)
            visit.close()
        except Missing as reason:
            how, why = "skip", f" ({reason})"
        except Exception:  # noqa: BLE001
            how, why = "FAIL", ": " + traceback.format_exc(limit=-2) + str(visit.problems[:3])
        counts[how] += 1
        print(f"{how} clinic-pages.{name}{why}", flush=True)
        visit.context.close()
        mock.close()
    return counts


def main():
    arguments = sys.argv[1:]
    if not CHROMIUM:
        return skip("no chromium; scripts/setup more")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return run_in_environment()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        counts = run_tests(browser, arguments)
        browser.close()
    print(f"clinic-pages: {counts['ok  ']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
