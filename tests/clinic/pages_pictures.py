# SPDX-License-Identifier: Apache-2.0
"""Pictures of the pages for docs/images, of the real server with the examples: a draft while it is
written (with the demo model, if it was made), a marked sentence, the list, the audit, the draft
window in the mock host."""
import os
import subprocess
import sys

from clinic_visit import Visit, open_host
from pages_live import LiveServer, demo_model, drafted_again, field_of


PILLOW = "pillow==11.1.0"


def picture(visit, folder, name):
    visit.page.mouse.move(5, 5)
    visit.page.wait_for_timeout(400)
    path = os.path.join(folder, name + ".png")
    visit.page.screenshot(path=path)
    make_small(path)


def make_small(path):
    """With 128 colours a picture of text looks the same and is a third of the size."""
    try:
        from PIL import Image
    except ImportError:
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", PILLOW], check=True)
        from PIL import Image
    image = Image.open(path).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    image.save(path, optimize=True)


def show_streaming(visit, folder):
    visit.sign_in()
    visit.page.wait_for_selector("tbody a")
    visit.until("!document.getElementById('modelState').textContent.includes('加载中')", seconds=600)
    visit.open_episode("E-2025-000009")
    visit.generate()
    visit.until("document.querySelector('.draft-field[data-field=course] .draft-text').textContent.length > 150", seconds=600)
    picture(visit, folder, "clinic-streaming")
    visit.wait_done(seconds=600)


def show_marked(visit, folder):
    draft = drafted_again(visit, "E-2025-000001")
    text = field_of(draft, "course")["text"]
    wrong = text.replace("他唑巴坦钠4.5 g", "他唑巴坦钠2.5 g", 1)
    assert wrong != text
    visit.press("course", "edit")
    visit.card("course").locator("textarea").fill(wrong)
    visit.page.keyboard.press("Control+Enter")
    visit.page.wait_for_selector("[data-field=course] .sentence.unsupported")
    visit.page.click("[data-action=fillAll]")
    visit.until("document.getElementById('form-discharge_orders').value !== ''")
    visit.page.click(".draft-window [data-action=next]")
    visit.card("course").locator("[data-action=showSource]").first.click()
    picture(visit, folder, "clinic-marked")


def show_rest(visit, folder):
    visit.go_to_place("#/patients")
    visit.page.wait_for_selector("tbody a")
    picture(visit, folder, "clinic-list")
    visit.sign_out()
    visit.sign_in("auditor")
    visit.page.wait_for_selector("tr[data-seq]")
    visit.page.click("[data-action=verify]")
    visit.until("document.querySelector('.audit-view [role=status]').textContent.includes('完整')")
    picture(visit, folder, "clinic-audit")


def show_embedded(visit, live, folder):
    frame = open_host(visit, live, "&episode=E-2025-000003")
    visit.until("document.getElementById('hostState').textContent === '已连接病历系统'", frame)
    frame.click("[data-action=generate]")
    visit.wait_done(frame=frame)
    frame.click("[data-action=fillAll]")
    visit.until("window.mockHost.received.length > 5")
    frame.locator("[data-field=course] .sentence").nth(1).click()
    picture(visit, folder, "clinic-embedded")


def take_pictures(browser, folder):
    os.makedirs(folder, exist_ok=True)
    model = demo_model()
    live = LiveServer(*(("-m", model, "--context", "16384") if model else ()))
    try:
        visit = Visit(browser, live.url)
        show_streaming(visit, folder)
        show_marked(visit, folder)
        show_rest(visit, folder)
        visit.close()
        visit = Visit(browser, live.url)
        show_embedded(visit, live, folder)
        visit.close()
    finally:
        live.close()
