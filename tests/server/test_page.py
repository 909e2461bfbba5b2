#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The built-in page in a headless Chromium, against a mock of the API: streaming, stopping, keys,
errors, input methods, both languages, zoom; and that it loads nothing from elsewhere, runs no
inline script and keeps nothing. Needs chromium (scripts/setup more) and playwright
(fetched into build/venv-page); else it is skipped.
Usage: test_page.py [--screenshots DIR] [NAME ...]
"""
import os
import re
import shutil
import sys
import textwrap
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
from page_mock import Mock, security_policy  # noqa: E402
from python_environment import rerun_with_playwright, skip_all  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
WAIT_S = 60  # for what comes at once on an idle machine; a busy one may need longer


class Visit:
    """One page with everything that went wrong on it."""

    def __init__(self, browser, mock, **options):
        options.setdefault("locale", "en-US")
        self.context = browser.new_context(viewport={"width": 1280, "height": 800}, **options)
        self.page = self.context.new_page()
        self.problems, self.foreign, self.mock, self.may_refuse = [], [], mock, False
        self.page.set_default_timeout(WAIT_S * 1000)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self.take_message)
        self.page.on("request", self.take_request)
        self.page.goto(mock.url + "/")
        self.until("document.getElementById('state').textContent !== ''")

    def take_message(self, message):
        # Chromium notes refused requests there, too; those are what some tests are about.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.problems.append(message.text)

    def take_request(self, request):
        if not request.url.startswith(self.mock.url + "/"):
            self.foreign.append(request.url)

    def until(self, expression):
        """Waits for it; Playwright's own way evaluates strings in the page, which its policy bans."""
        self.wait(expression, lambda: self.page.evaluate(expression))

    def wait(self, name, condition):
        end = time.monotonic() + WAIT_S
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"never came true: {name}")
            self.page.wait_for_timeout(50)

    def send(self, text):
        self.page.fill("#input", text)
        self.page.press("#input", "Enter")

    def wait_answer(self, n=1):
        self.until(
            f"document.querySelectorAll('#log .turn:not(.mine) .foot').length >= {n}")

    def answers(self):
        return self.page.eval_on_selector_all(
            "#log .turn:not(.mine) > .words", "all => all.map(one => one.textContent)")

    def alert(self):
        self.page.wait_for_selector("#alert:not([hidden])")
        return self.page.inner_text("#alert")

    def close(self):
        stored = self.page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]")
        self.context.close()
        assert stored == [0, 0, ""], f"the page keeps something: {stored}"
        assert self.may_refuse or not self.problems, self.problems
        assert not self.foreign, self.foreign


def test_streams_text(visit, mock):
    mock.pieces, mock.hold = ["One.", " Two <b>bold</b>", "<img src=x onerror=alert(1)>"], 1
    visit.send("first line")
    visit.until("document.querySelector('#log').textContent.includes('One.')")
    assert not visit.page.is_enabled("#send") and visit.page.is_enabled("#stop")
    assert visit.page.input_value("#input") == ""
    mock.hold = None
    visit.wait_answer()
    assert visit.answers() == ["One. Two <b>bold</b><img src=x onerror=alert(1)>"]
    assert visit.page.locator("#log img, #log b").count() == 0
    foot = visit.page.inner_text("#log .foot")
    assert "7 (known 3) + 3" in foot, foot
    assert mock.requests[0]["messages"] == [{"role": "user", "content": "first line"}]
    assert mock.requests[0]["stream"] is True and mock.requests[0]["model"] == "mock-model"
    visit.send("second")
    visit.wait_answer(2)
    roles = [m["role"] for m in mock.requests[1]["messages"]]
    assert roles == ["user", "assistant", "user"], roles


def test_options_are_sent(visit, mock):
    visit.page.click("summary >> nth=0")
    visit.page.fill("#system", "Be short.")
    visit.page.fill("#temperature", "0.5")
    visit.page.fill("#maxTokens", "9")
    visit.page.fill("#seed", "42")
    visit.send("x")
    visit.wait_answer()
    request = mock.requests[0]
    assert request["messages"][0] == {"role": "system", "content": "Be short."}
    assert (request["temperature"], request["max_completion_tokens"], request["seed"]) == (0.5, 9, 42)


def test_enter_and_input_methods(visit, mock):
    visit.page.fill("#input", "ni")
    for event in ("{isComposing: true}", "{keyCode: 229}"):
        visit.page.evaluate(f"""document.getElementById('input').dispatchEvent(new KeyboardEvent(
            'keydown', Object.assign({{key: 'Enter', bubbles: true}}, {event})))""")
    visit.page.press("#input", "Shift+Enter")
    visit.page.type("#input", "hao")
    assert visit.page.input_value("#input") == "ni\nhao"
    assert mock.requests == []
    visit.page.press("#input", "Enter")
    visit.wait_answer()
    assert mock.requests[0]["messages"][0]["content"] == "ni\nhao"
    visit.page.fill("#input", "   ")
    visit.page.press("#input", "Enter")
    assert len(mock.requests) == 1 and visit.page.input_value("#input") == "   "


def test_stop(visit, mock):
    mock.pieces, mock.hold = ["word "] * 200, 8
    for how in ("button", "escape"):
        visit.send("long")
        visit.until("document.querySelector('#log .turn[aria-busy] .words').textContent.length > 10")
        if how == "button":
            visit.page.click("#stop")
        else:
            visit.page.keyboard.press("Escape")
        visit.page.wait_for_selector("#send:not([disabled])")
    visit.wait_answer(2)
    texts = visit.answers()
    assert all(text.startswith("word ") and len(text) <= 40 for text in texts), texts
    assert "stopped" in visit.page.inner_text("#log .foot >> nth=0")
    visit.wait("both streams are dropped", lambda: mock.disconnects == 2)


def test_errors(visit, mock):
    mock.refusal = (400, "tokens: 9000 of 4096 <b>")
    visit.send("too long")
    assert "tokens: 9000 of 4096 <b>" in visit.alert()
    assert visit.page.input_value("#input") == "too long"
    assert visit.page.locator("#log .turn").count() == 0
    mock.refusal, mock.cut = None, True
    visit.page.press("#input", "Enter")
    visit.wait_answer()
    assert "incomplete" in visit.alert()
    assert visit.answers() == ["Hello there."]
    mock.cut, mock.pieces = False, []
    visit.send("say nothing")
    visit.until("document.getElementById('alert').textContent.includes('no text')")


def test_key(visit, mock):
    mock.key = "secret-1"
    visit.send("who")
    visit.page.wait_for_selector("#keyDialog[open]")
    visit.page.fill("#keyInput", "wrong")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector("#keyDialog:not([open])", state="attached")
    visit.until("document.getElementById('state').textContent.includes('wrong')")
    visit.page.click("#key")
    visit.page.fill("#keyInput", " secret-1 ")
    visit.page.keyboard.press("Enter")
    visit.until("document.getElementById('state').textContent === 'ready'")
    assert visit.page.input_value("#input") == "who" and visit.page.input_value("#keyInput") == ""
    visit.page.press("#input", "Enter")
    visit.wait_answer()
    assert "secret-1" not in visit.page.content()


def test_states(visit, mock):
    mock.ready = False
    visit.page.reload()
    visit.until("document.getElementById('state').textContent.includes('loading')")
    mock.ready = True
    visit.until("document.getElementById('state').textContent === 'ready'")
    assert visit.page.inner_text("#model") == "mock-model"
    visit.page.click("#machinePanel summary")
    visit.page.wait_for_selector("#machine dd")
    assert "1 MiB / 1.0 GiB" in visit.page.inner_text("#machine")


def test_languages(visit, mock):
    assert visit.page.get_attribute("html", "lang") == "en"
    visit.send("hi")
    visit.wait_answer()
    visit.page.click("#language")
    assert visit.page.get_attribute("html", "lang") == "zh-CN"
    assert visit.page.inner_text("#send") == "发送"
    text = visit.page.inner_text("body")
    left = re.findall(r"[A-Za-z]{3,}", text)
    known = {"Xinglin", "Enter", "Shift", "Esc", "Alt", "English", "mock", "model", "Hello", "there"}
    assert set(left) <= known, set(left) - known
    visit.page.click("#language")
    assert not re.search("[一-鿿]", visit.page.inner_text("main")), "Chinese is left over"


def test_zoom(visit, mock):
    mock.pieces = ["x" * 300 + " 住院医师" * 60]
    visit.send("y" * 300)
    visit.wait_answer()
    for width in (1280, 640, 320):  # 200 % and 400 % of a 1280 pixel window
        visit.page.set_viewport_size({"width": width, "height": 640})
        visit.until(f"innerWidth === {width}")
        wide = visit.page.evaluate("document.scrollingElement.scrollWidth")
        assert wide <= width, f"{wide} pixels of text in {width}"


def test_keyboard_and_labels(visit, mock):
    reached = set()
    visit.page.evaluate("document.activeElement.blur()")
    for _ in range(14):
        visit.page.keyboard.press("Tab")
        reached.add(visit.page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"input", "send", "new", "language"} <= reached, reached
    visit.send("x")
    visit.wait_answer()
    visit.page.keyboard.press("Alt+n")
    assert visit.page.locator("#log .turn").count() == 0
    assert visit.page.evaluate("document.activeElement.id") == "input"
    nameless = visit.page.evaluate("""[...document.querySelectorAll('button, input, textarea')]
        .filter(e => !(e.textContent.trim() || (e.labels && e.labels.length && e.labels[0].textContent.trim())))
        .map(e => e.id)""")
    assert nameless == [], nameless
    assert visit.page.get_attribute("#log", "role") == "log"


def test_reasoning(visit, mock):
    mock.pieces = [{"reasoning_content": "Let me see."}, "Done."]
    visit.send("think")
    visit.wait_answer()
    assert visit.answers() == ["Done."]
    assert "Let me see." in visit.page.text_content("#log details")
    visit.send("again")
    visit.wait_answer(2)
    assert mock.requests[1]["messages"][1] == {"role": "assistant", "content": "Done."}


def test_policy(visit, mock):
    policy = security_policy()
    assert "unsafe" not in policy and "default-src 'none'" in policy
    injected = visit.page.evaluate("""() => { const s = document.createElement('script');
        s.textContent = 'window.injected = 1'; document.body.append(s); return window.injected || 0; }""")
    assert injected == 0
    visit.wait("it is noted", lambda: any("Content Security Policy" in problem for problem in visit.problems))
    visit.may_refuse = True


def screenshots(browser, folder):
    os.makedirs(folder, exist_ok=True)
    for name, locale, scheme, width in [("zh-light", "zh-CN", "light", 1280),
                                        ("en-dark", "en-US", "dark", 1280),
                                        ("zh-narrow", "zh-CN", "light", 420)]:
        mock = Mock()
        mock.pieces = ["患者，男，58 岁，因“反复胸闷 3 天”入院。\n", "1. 完善心电图、心肌酶谱检查；\n",
                       "2. 予阿司匹林 100 mg 口服，每日一次。"]
        visit = Visit(browser, mock, locale=locale, color_scheme=scheme)
        visit.page.set_viewport_size({"width": width, "height": 900})
        visit.send("请写一段入院记录。")
        visit.wait_answer()
        visit.page.click("#machinePanel summary")
        visit.page.wait_for_selector("#machine dd")
        visit.page.screenshot(path=os.path.join(folder, name + ".png"), full_page=True)
        mock.key = "k"
        visit.page.evaluate("document.getElementById('keyDialog').showModal()")
        visit.page.screenshot(path=os.path.join(folder, name + "-key.png"))
        visit.context.close()
        mock.close()


def main():
    arguments = sys.argv[1:]
    if not CHROMIUM:
        return skip_all("page", "no chromium; scripts/setup more")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return rerun_with_playwright("page")
    tests = {name[5:]: run for name, run in sorted(globals().items()) if name.startswith("test_")}
    failed = passed = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        if arguments[:1] == ["--screenshots"]:
            screenshots(browser, arguments[1])
            return 0
        for name, run in tests.items():
            if arguments and name not in arguments:
                continue
            mock = Mock()
            try:
                visit = Visit(browser, mock)
                run(visit, mock)
                visit.close()
                print(f"ok   page.{name}")
                passed += 1
            except Exception:  # noqa: BLE001
                print(f"FAIL page.{name}:\n" + textwrap.indent(traceback.format_exc(limit=-5), "    "))
                failed += 1
            mock.close()
        browser.close()
    print(f"page: {passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
