# SPDX-License-Identifier: Apache-2.0
"""What is typed is not lost and what is clicked is done once: sessions that end, servers that go
away and come back, two windows on one form, double clicks. Against the mock of the routes."""
import json

from clinic_visit import PASSWORD, drafted, open_host

ONE = "E-2025-000001"


def sign_in_again(visit):
    """On the page that is shown: going to the address anew would empty its memory."""
    visit.page.wait_for_selector("#user")
    visit.page.fill("#user", "doctor")
    visit.page.fill("#password", PASSWORD)
    visit.page.click("[data-action=login]")
    visit.page.wait_for_selector("#logout:not([hidden])")


def posts(mock, end):
    return [body for path, body in list(mock.posts) if path.endswith(end)]


def type_into(visit, field, text):
    visit.page.focus(f"#form-{field}")
    visit.page.keyboard.insert_text(text)


def open_editor(visit, field, more):
    visit.press(field, "edit")
    area = visit.card(field).locator("textarea")
    area.fill(area.input_value() + more)
    return area


def test_opening_changes_nothing(visit, mock):
    for field in ("stay_days", "course"):
        mock.set_form(ONE, field, "原有的内容", "typed")
    visit.sign_in()
    visit.open_episode()
    visit.until("document.getElementById('form-course').value === '原有的内容'")
    visit.go_to_place("#/patients")
    visit.page.wait_for_selector("tbody a")
    visit.open_episode()
    visit.until("document.getElementById('form-course').value === '原有的内容'")
    assert not [path for path, _ in mock.posts if path.startswith("forms/")]


def test_typed_text_outlives_the_session(visit, mock):
    """In the page's memory, for the same user; in the form and in an open editor."""
    drafted(visit, mock)
    open_editor(visit, "course", "补充一句。")
    mock.signed_in = None
    type_into(visit, "discharge_orders", "出院后一周复诊")
    visit.page.keyboard.press("Tab")
    visit.page.wait_for_selector("#user")
    assert "复诊" not in visit.page.content() and "补充一句" not in visit.page.content()
    sign_in_again(visit)
    visit.wait("what was typed is saved", lambda: mock.text_of("discharge_orders") == "出院后一周复诊")
    area = visit.card("course").locator("textarea")
    area.wait_for()
    assert area.input_value().endswith("补充一句。")
    assert "未保存" in visit.card("course").inner_text()
    visit.page.click("[data-field=course] [data-action=save]")
    visit.until("document.querySelector('[data-field=course] .draft-text').textContent.endsWith('补充一句。')")


def test_typed_text_is_for_its_user_only(visit, mock):
    drafted(visit, mock)
    open_editor(visit, "course", "补充一句。")
    mock.signed_in = None
    type_into(visit, "discharge_orders", "出院后一周复诊")
    visit.page.keyboard.press("Tab")
    visit.page.wait_for_selector("#user")

    def be_somebody_else(route):
        answer = route.fetch()
        body = answer.json()
        body["user"]["name"] = "second"
        route.fulfill(response=answer, body=json.dumps(body))

    visit.page.route("**/clinic/api/me", be_somebody_else)
    sign_in_again(visit)
    visit.page.wait_for_selector(".draft-field[data-field=course] .sentence")
    assert visit.form("discharge_orders") == "" and visit.card("course").locator("textarea").count() == 0
    assert mock.text_of("discharge_orders") == ""


def test_signing_out_saves_and_forgets(visit, mock):
    drafted(visit, mock)
    open_editor(visit, "course", "补充一句。")
    type_into(visit, "discharge_orders", "出院后一周复诊")
    visit.sign_out()
    sign_in_again(visit)
    assert mock.text_of("discharge_orders") == "出院后一周复诊", "saved before the session ended"
    visit.open_episode()
    visit.page.wait_for_selector(".draft-field[data-field=course] .sentence")
    assert visit.card("course").locator("textarea").count() == 0


def test_edit_outlives_another_patient(visit, mock):
    drafted(visit, mock)
    open_editor(visit, "course", "补充一句。")
    visit.page.keyboard.press("Escape")
    assert visit.card("course").locator("textarea").count() == 1, "Escape throws nothing away"
    assert visit.card("course").locator("[data-action=fill]").is_disabled(), "filled without the edit"
    visit.open_episode(next(id_ for id_ in mock.episodes if id_ != ONE))
    visit.until("!document.querySelector('.patient').textContent.includes('张示安')")
    visit.open_episode()
    area = visit.card("course").locator("textarea")
    area.wait_for()
    assert area.input_value().endswith("补充一句。")
    for _ in range(2):  # the first press asks
        assert area.count() == 1
        visit.page.click("[data-field=course] [data-action=cancel]")
    assert area.count() == 0 and not visit.draft_text("course").endswith("补充一句。")


def test_unsaved_row_is_not_overwritten(visit, mock):
    """The save of one field fails, that of another succeeds; the first is saved when it can be."""
    visit.sign_in()
    visit.open_episode()
    visit.page.route("**/clinic/api/forms/**", lambda route: route.abort()
                     if "stay_days" in (route.request.post_data or "") else route.continue_())
    type_into(visit, "stay_days", "八天")
    visit.page.keyboard.press("Tab")
    visit.alert("#alert")
    type_into(visit, "discharge_orders", "随诊")
    visit.page.keyboard.press("Tab")
    visit.until("document.querySelector('.form-row[data-field=discharge_orders]').dataset.from === 'typed'")
    assert visit.form("stay_days") == "八天" and mock.text_of("stay_days") == ""
    visit.page.unroute("**/clinic/api/forms/**")
    visit.wait("it is saved by itself", lambda: mock.text_of("stay_days") == "八天")
    visit.until("document.getElementById('alert').hidden")


def test_clash_stays_until_it_is_decided(visit, mock):
    visit.sign_in()
    visit.open_episode()
    mock.set_form(ONE, "course", "别人写的", "typed")
    type_into(visit, "course", "我写的")
    visit.page.keyboard.press("Tab")
    notice = ".form-row[data-field=course] .notice"
    visit.page.wait_for_selector(notice + ":not([hidden])")
    type_into(visit, "discharge_orders", "随诊")
    visit.page.keyboard.press("Tab")
    visit.until("document.querySelector('.form-row[data-field=discharge_orders]').dataset.from === 'typed'")
    type_into(visit, "course", "这一句")
    type_into(visit, "stay_days", "八天")
    visit.page.keyboard.press("Tab")
    visit.until("document.querySelector('.form-row[data-field=stay_days]').dataset.from === 'typed'")
    assert visit.form("course") == "我写的这一句" and visit.page.is_visible(notice)
    assert mock.text_of("course") == "别人写的", "nobody has decided"
    visit.page.click(notice + " button >> nth=1")
    visit.wait("mine is saved", lambda: mock.text_of("course") == "我写的这一句")
    visit.until(f"document.querySelector('{notice}').hidden")


def test_what_is_typed_during_a_save_is_saved(visit, mock):
    visit.sign_in()
    visit.open_episode()
    held = []
    visit.page.route("**/clinic/api/forms/**", lambda route: held.append(route) if not held else route.continue_())
    type_into(visit, "course", "甲乙丙")
    visit.page.evaluate("document.getElementById('form-course').dispatchEvent(new Event('change', {bubbles: true}))")
    visit.wait("the save has begun", lambda: held)
    type_into(visit, "course", "丁戊己")
    visit.go_to_place("#/patients")
    held[0].continue_()
    visit.wait("all of it is saved", lambda: mock.text_of("course") == "甲乙丙丁戊己")


def test_pasted_text_keeps_only_what_is_seen(visit, mock):
    drafted(visit, mock)
    type_into(visit, "course", "粘贴\u200b的\ufeff文\u00ad字\u202e\n第二行")
    assert visit.form("course") == "粘贴的文字\n第二行"
    visit.page.keyboard.insert_text("。")
    visit.page.keyboard.press("Tab")
    visit.wait("it is saved", lambda: mock.text_of("course") == "粘贴的文字\n第二行。")
    area = open_editor(visit, "discharge_condition", "\u2060补充")
    assert area.input_value().endswith("补充") and "\u2060" not in area.input_value()


def test_stream_is_taken_up_again(visit, mock):
    """The server goes away in the middle of a draft and comes back: no reload is needed."""
    mock.hold = ("course", 24)
    drafted(visit, mock)
    visit.until("document.querySelector('[data-field=course] .draft-text').textContent.length > 20")
    visit.page.route("**/clinic/api/drafts/*", lambda route: route.abort())
    mock.is_broken = True
    assert "重新连接" in visit.alert()
    mock.hold = None
    visit.page.unroute("**/clinic/api/drafts/*")
    visit.wait_done("已停止")
    visit.until("document.querySelector('.draft-window > .alert').textContent.includes('已重新连接')")
    assert visit.draft_text("admit_date") == "2025年11月3日"
    visit.generate()
    visit.wait_done()
    assert "哌拉西林" in visit.draft_text("course")


def test_finished_field_is_edited_while_others_are_written(visit, mock):
    mock.hold = ("course", 24)
    drafted(visit, mock)
    visit.until("document.querySelector('[data-field=course] .draft-text').textContent.length > 20")
    visit.press("stay_days", "edit")
    visit.card("stay_days").locator("textarea").fill("9天")
    visit.page.keyboard.press("Control+Enter")
    visit.until("document.querySelector('[data-field=stay_days] .draft-text').textContent === '9天'")
    assert visit.card("course").locator("[data-action=edit]").is_disabled()
    assert len(visit.draft_text("course")) > 20, "what the stream has brought stays"
    mock.hold = None
    visit.wait_done()
    assert visit.draft_text("stay_days") == "9天" and "哌拉西林" in visit.draft_text("course")


def test_fill_all_leaves_what_was_typed(visit, mock):
    drafted(visit, mock)
    type_into(visit, "discharge_condition", "医师自己写的")
    visit.page.click("[data-action=fillAll]")
    visit.until("document.getElementById('form-discharge_orders').value !== ''")
    text = visit.alert()
    assert "出院情况" in text and "手工填写" in text and "诊疗经过" in text
    assert visit.form("discharge_condition") == mock.text_of("discharge_condition") == "医师自己写的"
    visit.press("discharge_condition", "fill")
    visit.wait("by itself it is filled", lambda: mock.text_of("discharge_condition").startswith("好转"))


def test_new_draft_asks_before_it_drops_edits(visit, mock):
    drafted(visit, mock)
    open_editor(visit, "discharge_condition", "补充一句。")
    visit.page.keyboard.press("Control+Enter")
    visit.until("document.querySelector('[data-field=discharge_condition] .draft-text').textContent.endsWith('补充一句。')")
    for press in (lambda: visit.press("discharge_condition", "regenerate"),
                  lambda: visit.page.click(".record-form [data-action=generate]")):
        press()
        assert "出院情况" in visit.page.inner_text("[data-part=question]")
        visit.page.click("[data-part=question] button >> nth=1")
        assert not visit.page.is_visible("[data-part=question]")
    assert len(mock.drafts) == 1 and not posts(mock, "/regenerate")
    visit.page.click(".record-form [data-action=generate]")
    visit.page.click("[data-action=goOn]")
    visit.until("document.querySelector('.draft-window').dataset.draft === 'd2'")
    visit.wait_done()


def test_double_clicks_are_harmless(visit, mock):
    visit.sign_in()
    visit.open_episode()
    visit.page.dblclick(".record-form [data-action=generate]")
    visit.until("document.querySelector('.draft-window').dataset.draft")
    visit.wait_done()
    assert len(mock.drafts) == 1
    visit.card("stay_days").locator("[data-action=fill]").dblclick()
    visit.until("document.getElementById('form-stay_days').value === '8天'")
    for text in ("一", "一二"):
        visit.page.fill("#form-course", text)
        visit.page.keyboard.press("Tab")
        visit.wait("it is saved", lambda wanted=text: mock.text_of("course") == wanted)
    visit.until("document.querySelector('.form-row[data-field=course]').dataset.from === 'typed'")
    visit.page.dblclick(".form-row[data-field=course] [data-action=undo]")
    visit.until("document.getElementById('form-course').value === '一'")
    visit.page.locator(".omissions [data-action=insert]").first.dblclick()
    visit.page.wait_for_selector(".omissions [data-state=inserted]")
    for selector in (".form-row[data-field=course] [data-action=undo]", "[data-field=stay_days] [data-action=fill]"):
        visit.page.dispatch_event(selector, "click", {"detail": 2})  # the second click, after all was done
    visit.go_to_place("#/patients")  # whatever it began has been sent by now
    visit.page.wait_for_selector("tbody a")
    visit.open_episode()
    assert mock.text_of("course") == "一" and len(posts(mock, "/insert")) == 1 and len(posts(mock, "/undo")) == 1
    assert len(posts(mock, "/fill")) == 1


def test_documents_of_a_sentence_are_marked(visit, mock):
    drafted(visit, mock)
    course = next(iter(mock.drafts.values()))["fields"][6]
    homes = [{source["id"] for source in one["sources"]} for one in course["sentences"]]
    many = next(i for i, one in enumerate(homes) if len(one) > 1)
    visit.card("course").locator(".sentence").nth(many).click()
    visit.page.wait_for_selector("mark.source")
    marked = "all => all.filter(one => one.querySelector('.source')).map(one => one.dataset.id)"
    assert set(visit.page.eval_on_selector_all(".document", marked)) >= homes[many]
    opened = visit.page.eval_on_selector_all(".document[open]", "all => all.map(one => one.dataset.id)")
    other = next(i for i, one in enumerate(homes) if one and not one & (homes[many] | set(opened)))
    visit.card("course").locator(".sentence").nth(other).click()
    visit.until("document.querySelector('.document[open] .source')")
    still = visit.page.eval_on_selector_all(".document[open]", "all => all.map(one => one.dataset.id)")
    first = visit.page.eval_on_selector_all(".document", "all => all[0].dataset.id")
    assert set(still) <= {first} | homes[other], "what a source has opened is closed by the next"


def test_embedded_window_ends_without_use(visit, mock):
    visit.page.clock.install(time="2025-11-11T08:00:00+08:00")
    visit.page.clock.pause_at("2025-11-11T09:00:00+08:00")
    frame = open_host(visit, mock)
    visit.until("document.getElementById('who').textContent.includes('张示安')", frame)
    visit.page.clock.fast_forward(mock.session_seconds * 1000 + 2000)
    visit.until("document.getElementById('alert').textContent.includes('重新打开')", frame)
    assert "张示安" not in frame.content()
    visit.wait("the session is ended at the server", lambda: mock.signed_in is None)
