# SPDX-License-Identifier: Apache-2.0
"""The draft window inside a host, by SMART Web Messaging, across two origins."""
import os
import subprocess

from clinic_visit import PAGES, Missing, node_module, open_host


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


def test_host_gets_what_is_filled(visit, mock):
    frame = open_host(visit, mock)
    visit.until("document.getElementById('hostState').textContent === '已连接病历系统'", frame)
    frame.click("[data-action=generate]")
    visit.wait_done(frame=frame)
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
    # So is what changes between the window's reading and its writing: the bridge sees it.
    visit.page.evaluate("""() => window.addEventListener('message', event => { if (event.data.messageType === 'scratchpad.read')
        document.getElementById('host-discharge_date').value = '医师刚写的'; }, {once: true})""")
    frame.click("[data-field=discharge_date] [data-action=fill]")
    visit.until("document.querySelector('.draft-window > .alert').textContent.includes('拒绝')", frame)
    assert visit.page.input_value("#host-discharge_date") == "医师刚写的"
    # A draft that was changed elsewhere is shown anew; nothing goes out that the doctor has not seen.
    field = next(one for one in mock.drafts["d1"]["fields"] if one["id"] == "discharge_orders")
    field.update(text="别处改过的医嘱。", revision=field["revision"] + 1)
    frame.click("[data-field=discharge_orders] [data-action=fill]")
    visit.until("document.querySelector('.draft-window > .alert').textContent.includes('重新载入')", frame)
    assert frame.locator("[data-field=discharge_orders] .draft-text").text_content() == "别处改过的医嘱。"
    assert visit.page.input_value("#host-discharge_orders") == ""
    assert ("E-2025-000001", "discharge_orders") not in mock.forms
    # What the host refuses is taken back at the server.
    visit.page.evaluate("window.mockHost.refuse = 'admit_date'")
    frame.click("[data-field=admit_date] [data-action=fill]")
    visit.until("document.querySelector('.draft-window > .alert').textContent.includes('锁定')", frame)
    assert mock.forms["E-2025-000001", "admit_date"]["text"] == ""
    frame.click("[data-action=fillAll]")
    visit.until("document.querySelector('.draft-window > .alert').textContent.includes('锁定')", frame)
    assert len(visit.page.evaluate("window.mockHost.received")) == 2, "all or nothing"
    frame.click("#finish")
    visit.until("window.mockHost.isDone && !document.querySelector('iframe')")


def test_host_switches_patient(visit, mock):
    mock.hold = ("admission_condition", 24)
    frame = open_host(visit, mock)
    visit.until("document.getElementById('hostState').textContent === '已连接病历系统'", frame)
    frame.click("[data-action=generate]")
    visit.until("document.querySelector('[data-field=admission_condition] .draft-text').textContent.length > 20", frame)
    visit.page.fill("#episode", next(id_ for id_ in mock.episodes if id_ != "E-2025-000001"))
    visit.page.click("#open")
    visit.until("document.getElementById('who').textContent.includes('示') && !document.getElementById('who').textContent.includes('张示安')", frame)
    visit.wait("the stream is dropped", lambda: mock.disconnects == 1)
    assert "张示安" not in frame.content()
    assert frame.locator(".draft-field").count() == 0
    assert visit.page.evaluate("window.mockHost.received") == []


def test_silent_host_leaves_copying(visit, mock):
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    frame = open_host(visit, mock, "&silent")
    visit.until("document.getElementById('hostState').textContent.includes('没有应答')", frame)
    frame.click("[data-action=generate]")
    visit.wait_done(frame=frame)
    assert not frame.locator("[data-field=stay_days] [data-action=fill]").is_visible()
    assert frame.locator("[data-field=course] [data-action=copy]").is_disabled()
    # The button says so for a moment only: the page itself looks.
    frame.evaluate("""() => { const button = document.querySelector('[data-field=stay_days] [data-action=copy]');
        window.said = []; new MutationObserver(() => window.said.push(button.textContent)).observe(button, {childList: true}); }""")
    frame.click("[data-field=stay_days] [data-action=copy]")
    visit.until("window.said.includes('已复制')", frame)
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
