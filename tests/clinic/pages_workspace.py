# SPDX-License-Identifier: Apache-2.0
"""What a doctor does in the record workspace, against the mock of the routes."""
from clinic_mock import RIGHT, WRONG
from clinic_visit import TOTAL, drafted


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
    visit.sign_out()
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
    mock.hold = ("admission_diagnoses", 4)
    drafted(visit, mock)
    visit.until("document.querySelector('[data-field=admission_diagnoses] .draft-text').textContent.length > 3")
    assert visit.page.is_visible("[data-action=stop]") and visit.page.is_disabled(".record-form [data-action=generate]")
    assert visit.card("course").get_attribute("data-state") == "waiting"
    mock.hold = ("course", 36)
    visit.until("document.querySelector('[data-field=course] .draft-text').textContent.length > 30")
    assert visit.card("course").get_attribute("aria-busy") is not None
    assert visit.page.inner_text(".draft-window .ai-label") == "AI辅助生成，须经医师审核"
    assert "诊疗经过" in visit.page.inner_text("#spoken")
    mock.hold = None
    visit.wait_done()
    assert "哌拉西林" in visit.draft_text("course")
    draft = next(iter(mock.drafts.values()))
    assert visit.page.inner_text(TOTAL) == f"已核对 {draft['verified']['ok']}/{draft['verified']['all']}"
    assert draft["verified"]["ok"] == draft["verified"]["all"] - 1


def test_stop_keeps_what_came(visit, mock):
    mock.hold = ("admission_condition", 24)
    for key in ("button", "escape"):
        drafted(visit, mock) if key == "button" else visit.generate()
        visit.until("document.querySelector('[data-field=admission_condition][data-state=writing] .draft-text').textContent.length > 20")
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
    visit.card("admission_condition").locator(".sentence").nth(0).hover()
    visit.page.wait_for_timeout(300)
    assert visit.page.eval_on_selector_all("mark.source", "all => all.map(one => one.textContent)") == quotes
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


def test_skip_link_stays_in_place(visit, mock):
    visit.sign_in()
    visit.open_episode()
    visit.page.evaluate("document.activeElement.blur()")
    visit.page.focus(".skip")
    visit.page.keyboard.press("Enter")
    assert visit.page.evaluate("document.activeElement.id") == "view"
    visit.page.wait_for_timeout(200)
    assert visit.page.is_visible(".record-form")
    visit.sign_out()
    visit.sign_in()
    visit.page.wait_for_selector("tbody a")


def test_fill_undo_minimise(visit, mock):
    drafted(visit, mock)
    visit.press("discharge_condition", "fill")
    visit.until("document.getElementById('form-discharge_condition').value.startsWith('好转')")
    assert mock.posts[-1][1]["fields"] == ["discharge_condition"]
    assert visit.form("course") == ""
    assert "AI辅助生成" in visit.page.inner_text(".record-form > .ai-label")
    assert "来自草稿" in visit.page.inner_text(".form-row[data-field=discharge_condition] .note")
    assert "已在表单" in visit.card("discharge_condition").inner_text()
    visit.page.focus("#form-discharge_condition")
    visit.page.keyboard.insert_text("（核对）")  # at once, so saved at once
    visit.page.keyboard.press("Tab")
    visit.until("document.querySelector('.form-row[data-field=discharge_condition]').dataset.from === 'typed'")
    assert visit.page.is_visible(".record-form > .ai-label"), "changed, and still begun by the model"
    for value in ("one.startsWith('好转') && !one.includes('核对')", "one === ''"):
        visit.page.click(".form-row[data-field=discharge_condition] [data-action=undo]")
        visit.until(f"(one => {value})(document.getElementById('form-discharge_condition').value)")
    assert not visit.page.is_visible(".record-form > .ai-label")
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
    visit.press("course", "showSource")
    assert visit.page.evaluate("document.activeElement.classList.contains('unsupported')")
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
    visit.until("document.querySelector('.draft-field[data-field=discharge_condition] textarea').value === '好转出院。'")
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
    field = mock.drafts["d1"]["fields"][5]
    before = field["revision"]
    visit.press("admission_condition", "regenerate")
    visit.wait("it is written again", lambda: field["revision"] > before)
    visit.wait_done()
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
    assert visit.page.inner_text(".draft-window [data-action=omitted]") == "可能遗漏 1 项"
    assert not visit.page.is_visible(".omissions [data-omission=m2]"), "what may be told hides what must be"
    visit.page.click(".omissions [data-action=dismiss]")
    visit.page.fill(".reason input", "已写在诊断中")
    visit.page.click(".omissions .reason .strong")
    visit.page.wait_for_selector(".omissions [data-state=dismissed]")
    assert "未发现应写的遗漏" in visit.page.inner_text(".omissions")
    visit.page.click(".draft-window [data-action=omitted]")
    assert visit.page.is_visible(".omissions [data-omission=m2]")
    visit.generate()
    visit.wait_done()
    visit.page.click(".omissions [data-action=insert]")
    visit.until("document.querySelector('[data-field=discharge_condition] .draft-text').textContent.includes('左肺上叶微小结节需随访')")


def test_typed_text_is_not_lost(visit, mock):
    """Neither by a fill, nor by leaving the patient a moment after typing."""
    drafted(visit, mock)
    visit.page.focus("#form-stay_days")
    visit.page.keyboard.type("八天")
    visit.press("admit_date", "fill")
    visit.until("document.getElementById('form-admit_date').value === '2025年11月3日'")
    assert mock.forms["E-2025-000001", "stay_days"]["text"] == "八天" and visit.form("stay_days") == "八天"
    visit.page.focus("#form-discharge_orders")
    visit.page.keyboard.type("随诊")
    visit.page.keyboard.press("Alt+P")
    visit.page.wait_for_selector("tbody a")
    visit.wait("what was typed is saved", lambda: mock.text_of("discharge_orders") == "随诊")
    visit.open_episode()
    visit.page.focus("#form-stay_days")
    visit.page.keyboard.type("整")
    visit.press("stay_days", "fill")
    visit.until("document.getElementById('form-stay_days').value === '8天'")
    assert mock.forms["E-2025-000001", "stay_days"]["history"][-1] in ("八天整", "整八天"), "the typed text can be had back"


def test_form_changed_elsewhere(visit, mock):
    drafted(visit, mock)
    mock.set_form("E-2025-000001", "stay_days", "8天（别处）", "typed")
    visit.press("stay_days", "fill")
    assert "修改" in visit.alert()
    assert visit.form("stay_days") == "8天（别处）"
    field = next(one for one in mock.drafts["d1"]["fields"] if one["id"] == "discharge_orders")
    field.update(text="别处改过的医嘱。", revision=field["revision"] + 1)
    visit.press("discharge_orders", "fill")
    visit.until("document.querySelector('.draft-window > .alert').textContent.includes('重新载入')")
    assert visit.draft_text("discharge_orders") == "别处改过的医嘱。"
    assert visit.form("discharge_orders") == "", "nobody has seen this text"
    mock.set_form("E-2025-000001", "admit_date", "又改", "typed")
    visit.page.fill("#form-admit_date", "我的")
    visit.page.keyboard.press("Tab")
    visit.page.wait_for_selector(".form-row[data-field=admit_date] .notice:not([hidden])")
    assert "又改" in visit.page.inner_text(".form-row[data-field=admit_date] .notice")
    visit.page.click(".form-row[data-field=admit_date] .notice button >> nth=1")
    visit.until("document.querySelector('.form-row[data-field=admit_date] .note').textContent.includes('李示医')")
    assert mock.forms["E-2025-000001", "admit_date"]["text"] == "我的"


def test_patient_switch_drops_stream(visit, mock):
    mock.hold = ("admission_condition", 24)
    drafted(visit, mock)
    visit.until("document.querySelector('[data-field=admission_condition] .draft-text').textContent.length > 20")
    visit.page.evaluate("""() => { window.seen = []; new MutationObserver(() => window.seen.push(document.getElementById('view').textContent))
        .observe(document.getElementById('view'), {childList: true, subtree: true, characterData: true}); }""")
    name = mock.episodes["E-2025-000001"][0]["patient"]["name"]
    other = next(id_ for id_ in mock.episodes if id_ != "E-2025-000001")
    visit.open_episode(other)
    other_name = mock.episodes[other][0]["patient"]["name"]
    visit.until(f"document.querySelector('.patient').textContent.includes('{other_name}')")
    visit.wait("the stream is dropped", lambda: mock.disconnects == 1)
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
