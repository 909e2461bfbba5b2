# SPDX-License-Identifier: Apache-2.0
"""A visit to the clinic's pages in a headless Chromium, with everything that went wrong on it: errors,
requests to elsewhere, what the page's policy refused, what it keeps. And what these tests need."""
import importlib.util
import os
import shutil
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
AXE = "axe-playwright-python==0.1.4"  # for the older axe.min.js in it, where there is no npm
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
NODE_FOLDER = os.path.join(ROOT, "build", "node-clinic-pages")
PAGES = os.path.join(ROOT, "clinic", "ui")
TOTAL = "[data-part=verified]"
PASSWORD = "示范医院-口令-2025"
WAIT_S = 60  # for what comes at once on an idle machine; a busy one may need longer
WATCH_POLICY = """window.refused = []; document.addEventListener('securitypolicyviolation',
    event => window.refused.push(event.violatedDirective + ' ' + event.blockedURI));"""


def node_module(*path):
    """A file of a module of pages/package-lock.json, or None where they cannot be had."""
    wanted = os.path.join(NODE_FOLDER, "node_modules", *path)
    if not os.path.exists(wanted) and shutil.which("npm"):
        os.makedirs(NODE_FOLDER, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(os.path.join(ROOT, "tests", "clinic", "pages", name), NODE_FOLDER)
        subprocess.run(["npm", "ci", "--silent", "--ignore-scripts"], cwd=NODE_FOLDER, capture_output=True)
    return wanted if os.path.exists(wanted) else None


class Missing(Exception):
    """What a test needs and this machine has not; the test is skipped."""


def axe():
    path = node_module("axe-core", "axe.min.js")
    found = importlib.util.find_spec("axe_playwright_python")
    if not path and found:
        path = os.path.join(found.submodule_search_locations[0], "axe.min.js")
    if not path:
        raise Missing("axe-core could not be installed (no network?)")
    with open(path, encoding="utf-8") as file:
        return file.read()


class Visit:
    """One browser context with one page. Its close() is part of every test."""

    def __init__(self, browser, url, **options):
        options.setdefault("locale", "zh-CN")
        options.setdefault("viewport", {"width": 1366, "height": 768})
        options.setdefault("reduced_motion", "reduce")
        self.context = browser.new_context(**options)
        self.context.add_init_script(WATCH_POLICY)
        self.page = self.context.new_page()
        self.problems, self.foreign, self.may_refuse = [], [], False
        self.go_to(url)
        self.page.set_default_timeout(WAIT_S * 1000)
        slower = float(os.environ.get("XINGLIN_PAGES_SLOWER", "1"))
        if slower > 1:
            self.context.new_cdp_session(self.page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self.take_message)
        self.context.on("request", self.take_request)

    def go_to(self, url):
        """The only server that the pages may ask, by both its names."""
        self.url, self.own = url, (url, url.replace("127.0.0.1", "localhost"))

    def take_message(self, message):
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.problems.append(message.text)

    def take_request(self, request):
        if not request.url.startswith(tuple(own + "/" for own in self.own)):
            self.foreign.append(request.url)

    def until(self, expression, frame=None, seconds=WAIT_S):
        """Waits for it; Playwright's own way evaluates strings in the page, which its policy bans."""
        safe = f"(() => {{ try {{ return Boolean({expression}); }} catch (problem) {{ return false; }} }})()"
        self.wait(expression, lambda: (frame or self.page).evaluate(safe), seconds)

    def wait(self, name, condition, seconds=WAIT_S):
        """Waits for something that the page does not show, such as what the mock has received."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"never came true: {name}")
            self.page.wait_for_timeout(50)

    def sign_in(self, user="doctor", password=PASSWORD):
        self.page.goto(self.url + "/clinic")
        self.page.fill("#user", user)
        self.page.fill("#password", password)
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector("#logout:not([hidden])")

    def sign_out(self):
        """Until the server has answered: the next one to sign in must not be signed out by it."""
        with self.page.expect_response("**/clinic/api/logout"):
            self.page.click("#logout")
        self.page.wait_for_selector("#user")

    def go_to_place(self, place):
        """Until the page has left what it showed before."""
        self.page.evaluate("""place => new Promise(done => {
            if (location.hash === place) return done();
            window.addEventListener('hashchange', () => done(), {once: true});
            location.hash = place; })""", place)

    def open_episode(self, episode="E-2025-000001"):
        self.go_to_place("#/episode/" + episode)
        self.page.wait_for_selector(".document .record-text", state="attached")
        self.page.wait_for_selector(".form-row textarea")

    def generate(self):
        """Until the draft window has the new draft."""
        before = self.page.evaluate("(document.querySelector('.draft-window') || {dataset: {}}).dataset.draft || ''")
        self.page.click(".record-form [data-action=generate]")
        self.until(f"(document.querySelector('.draft-window').dataset.draft || '{before}') !== '{before}'")

    def wait_done(self, state="已完成", frame=None, seconds=2 * WAIT_S):
        """Until the run is over and the page has the draft as the server has it then."""
        self.until(f"document.querySelector('[data-part=state]').textContent === '{state}' && "
                   "!document.querySelector('.draft-window').hasAttribute('data-running')", frame, seconds)

    def card(self, field):
        return self.page.locator(f".draft-field[data-field={field}]")

    def form(self, field):
        return self.page.input_value(f"#form-{field}")

    def draft_text(self, field):
        return self.card(field).locator(".draft-text").first.text_content()

    def press(self, field, action):
        self.card(field).locator(f"[data-action={action}]").first.click()

    def alert(self, selector=".draft-window > .alert"):
        self.page.wait_for_selector(selector + ":not([hidden])")
        return self.page.inner_text(selector)

    def set_size(self, width, height):
        self.page.set_viewport_size({"width": width, "height": height})
        self.until(f"innerWidth === {width} && innerHeight === {height}")

    def width_over(self):
        """Pixels by which something is wider than the window, scrolled to or cut off; tables that scroll
        by themselves and what is hidden for screen readers are not meant."""
        return self.page.evaluate("""() => Math.max(document.scrollingElement.scrollWidth - innerWidth,
            ...[...document.querySelectorAll('body *')].filter(one => !one.closest('.table-box, .hidden, .skip'))
                .map(one => Math.ceil(one.getBoundingClientRect().right) - innerWidth))""")

    def serious_faults(self, source):
        """What axe-core calls serious or critical. The test's own file, put in past the policy."""
        self.page.evaluate("() => {" + source + "}")
        found = self.page.evaluate("""async () => (await axe.run(document, {resultTypes: ['violations']})).violations
            .filter(one => ['serious', 'critical'].includes(one.impact))
            .map(one => one.id + ': ' + one.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(' | '))""")
        return found

    def told(self, server):
        """What helps to understand a failure that is seen once."""
        posts = [path for path, _ in getattr(server, "posts", [])][-8:]
        return f"at {self.page.url}; last posts: {posts}; problems: {self.problems[:3]}"

    def close(self):
        kept = self.page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]")
        refused = self.page.evaluate("window.refused")
        self.context.close()
        assert kept == [0, 0, ""], f"the page keeps something: {kept}"
        assert not self.foreign, f"asked elsewhere: {self.foreign}"
        if not self.may_refuse:
            assert not refused, f"against the policy: {refused}"
            assert not self.problems, self.problems


def drafted(visit, mock):
    """With a draft; still being written if the mock holds it."""
    visit.sign_in()
    visit.open_episode()
    visit.generate()
    if not mock.hold:
        visit.wait_done()


def open_host(visit, mock, more=""):
    visit.page.goto(f"http://localhost:{mock.port}/clinic/mock-host#server={mock.url}{more}")
    visit.page.click("#open")
    visit.page.frame_locator("iframe").locator("[data-action=generate]").wait_for()
    return visit.page.query_selector("iframe").content_frame()
