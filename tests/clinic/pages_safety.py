# SPDX-License-Identifier: Apache-2.0
"""Sessions, roles, hostile text, policy, languages, accessibility, small windows, print."""
import os
import re

from clinic_visit import PAGES, TOTAL, axe, drafted, open_host


def test_session_ends_at_the_server(visit, mock):
    drafted(visit, mock)
    mock.signed_in = None
    visit.press("stay_days", "fill")
    visit.page.wait_for_selector("#user")
    assert "重新登录" in visit.page.inner_text("#alert")
    assert "张示安" not in visit.page.content() and visit.page.locator(".draft-field").count() == 0


def test_session_ends_without_use(visit, mock):
    """By the page's own clock, which goes only as the test tells it to."""
    visit.page.clock.install(time="2025-11-11T08:00:00+08:00")
    visit.page.clock.pause_at("2025-11-11T09:00:00+08:00")
    visit.sign_in()
    visit.page.wait_for_selector("tbody a")
    visit.page.keyboard.press("Shift")  # the page is used now
    visit.page.clock.fast_forward(mock.session_seconds * 1000)
    assert visit.page.is_visible("tbody a")
    visit.page.keyboard.press("Shift")
    visit.page.clock.fast_forward(mock.session_seconds * 1000)
    assert visit.page.is_visible("tbody a") and mock.signed_in, "it was used meanwhile"
    visit.page.clock.fast_forward(2000)
    visit.page.wait_for_selector("#user")
    assert "重新登录" in visit.page.inner_text("#alert") and visit.page.locator("tbody").count() == 0
    visit.wait("the session is ended at the server", lambda: mock.signed_in is None)
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


def test_another_doctor_s_draft_is_for_reading(visit, mock):
    draft = mock.new_draft("E-2025-000001")
    draft["by"] = "other"
    mock.finish(draft, "done")
    visit.sign_in()
    visit.open_episode()
    visit.page.wait_for_selector(".draft-field")
    assert "other 的草稿" in visit.page.inner_text(".draft-window")
    for action in ("fill", "edit", "regenerate", "lock"):
        assert not visit.card("course").locator(f"[data-action={action}]").is_visible()
    assert not visit.page.is_visible("[data-action=fillAll]")
    visit.generate()
    visit.wait_done()
    assert visit.card("stay_days").locator("[data-action=fill]").is_visible()
    assert "other 的草稿" not in visit.page.inner_text(".draft-window")


def test_audit(visit, mock):
    mock.role = "auditor"
    visit.sign_in()
    visit.page.wait_for_selector("tr[data-seq='3']")
    assert "回填" in visit.page.inner_text("tr[data-seq='3']") and "新" in visit.page.inner_text("tr[data-seq='3']")
    visit.page.click("[data-action=verify]")
    visit.until("document.querySelector('.audit-view .notice').textContent.includes('3 条')")
    visit.go_to_place("#/patients")
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
    visit.until("window.refused.length > 0")
    visit.may_refuse = True


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


def test_zoom_and_small_windows(visit, mock):
    drafted(visit, mock)
    visit.card("course").locator(".sentence").nth(0).click()
    for width, height in ((1366, 768), (1280, 720), (683, 384), (640, 800), (400, 700)):
        visit.set_size(width, height)
        assert visit.width_over() <= 0, f"{visit.width_over()} pixels too wide at {width}"
    visit.set_size(683, 384)
    visit.go_to_place("#/patients")
    visit.page.wait_for_selector("tbody a")
    assert visit.width_over() <= 0


def test_accessibility(visit, mock):
    source, faults = axe(), []
    visit.page.goto(visit.url + "/clinic")
    visit.page.wait_for_selector("#user")
    faults += visit.serious_faults(source)
    for look in ({"color_scheme": "light"}, {"color_scheme": "dark"}, {"contrast": "more", "color_scheme": "light"},
                 {"forced_colors": "active", "contrast": "no-preference"}):
        visit.page.emulate_media(**look)
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
        visit.sign_out()
    mock.role = "auditor"
    visit.sign_in()
    visit.page.wait_for_selector("tr[data-seq='3']")
    faults += visit.serious_faults(source)
    visit.page.emulate_media(forced_colors="none")
    mock.role = "doctor"
    frame = open_host(visit, mock)
    frame.click("[data-action=generate]")
    visit.wait_done(frame=frame)
    frame.evaluate("() => {" + source + "}")
    faults += frame.evaluate("""async () => (await axe.run(document)).violations
        .filter(one => ['serious', 'critical'].includes(one.impact)).map(one => 'embed ' + one.id)""")
    faults += visit.serious_faults(source)
    assert faults == [], "\n".join(faults)
    visit.page.evaluate("document.body.append(document.createElement('button'))")
    assert any(fault.startswith("button-name") for fault in visit.serious_faults(source)), "axe finds nothing at all"


def test_print_shows_the_form(visit, mock):
    drafted(visit, mock)
    visit.press("discharge_condition", "fill")
    visit.until("document.getElementById('form-discharge_condition').value !== ''")
    visit.page.emulate_media(media="print")
    text = visit.page.inner_text("body")
    assert "AI辅助生成，须经医师审核" in text and "好转" in text and "张示安" in text
    assert "病历文书" not in text and not visit.page.is_visible(".draft-window")
