// SPDX-License-Identifier: Apache-2.0
// The form of the record: what the doctor signs. Typed text is saved field by field with the
// version that it was typed over; a field that changed elsewhere is shown, never overwritten.
import { dateTime, make, once, put, say, tell } from "/clinic/ui/elements.js";
import { dropEdit, keepEdit, takeEdit } from "/clinic/ui/kept-edits.js";
import { path, post } from "/clinic/ui/clinic-server.js";
import { word } from "/clinic/ui/clinic-words.js";

const save_after_ms = 1200, save_again_ms = 4000;

export class RecordForm {
  // options: {episode, template, templateName, canType, label, nameOf(user), changed(), refuse(problem or null)}
  constructor(options) {
    this.options = options;
    this.rows = new Map();
    this.isClosed = false;
    this.resized = () => this.growAll();
    window.addEventListener("resize", this.resized);
    this.leaving = (event) => {
      if (![...this.rows.values()].some((row) => this.isUnsaved(row))) return;
      this.settle();
      event.preventDefault();
    };
    window.addEventListener("beforeunload", this.leaving);
    this.generateButton = make("button", { class: "strong", word: "generate", values: { name: options.templateName },
      data: { action: "generate" }, hidden: !options.canType });
    this.fields = make("div", { class: "form-fields" });
    this.label = make("p", { class: "ai-label", lang: "zh-CN", text: options.label, hidden: true });
    this.element = make("section", { class: "record-form", label: "recordForm", tabindex: "-1" },
      make("header", { class: "pane-head" }, make("h2", { lang: "zh-CN", text: options.templateName }),
        make("div", { class: "buttons" }, this.generateButton,
          make("button", { class: "quiet", word: "print", onclick: () => window.print() }))),
      this.label, this.fields,
      make("p", { class: "print-only signature" }, make("span", { word: "signature" }), make("span", { word: "signedOn" })),
      make("p", { class: "print-only printed-note", word: "printedNote" }));
  }

  text(id) {
    const row = this.rows.get(id);
    return row ? row.area.value : "";
  }

  // Whether the doctor has written this field himself, or over what was filled in.
  isTyped(id) {
    const { field, area } = this.rows.get(id);
    return area.value.trim() !== "" && (field.from === "typed" || area.value !== field.text);
  }

  versions(ids) {
    return Object.fromEntries(ids.map((id) => [id, this.rows.get(id).field.version]));
  }

  show(form) {
    if (this.isClosed) return;
    for (const field of form.fields) {
      if (!this.rows.has(field.id)) this.addRow(field);
      this.showRow(this.rows.get(field.id), field);
    }
    for (const field of form.fields) this.takeKept(this.rows.get(field.id));
    this.label.hidden = !form.fields.some((field) => field.draft && field.text); // also typed over
    this.options.changed();
  }

  addRow(field) {
    const id = "form-" + field.id;
    const area = make("textarea", { id, rows: "1", lang: "zh-CN", maxlength: "20000", readonly: !this.options.canType });
    area.value = field.text;
    const row = { area, timer: 0, field, printed: make("p", { class: "print-only record-text", lang: "zh-CN" }),
      meta: make("p", { class: "note" }), clash: make("div", { class: "notice", role: "alert", hidden: true }),
      undo: make("button", { class: "quiet small", word: "undo", hidden: true, data: { action: "undo" }, onclick: once(() => this.undo(field.id)) }) };
    area.addEventListener("input", (event) => {
      this.grow(area);
      row.printed.textContent = area.value;
      this.options.changed();
      clearTimeout(row.timer);
      if (!event.isComposing) row.timer = setTimeout(() => this.save(row), save_after_ms);
    });
    area.addEventListener("compositionend", () => { row.timer = setTimeout(() => this.save(row), save_after_ms); });
    area.addEventListener("change", () => this.save(row));
    this.rows.set(field.id, row);
    this.fields.append(make("div", { class: "form-row", data: { field: field.id } },
      make("label", { for: id, lang: "zh-CN", text: field.name }), area, row.printed, row.clash,
      make("div", { class: "row-foot" }, row.meta, row.undo)));
  }

  // Typed text that is not saved yet is not thrown away by an answer about another field; where the
  // doctor has to choose between two texts, nothing is changed before he has.
  showRow(row, field) {
    if (row.isClashing) return;
    const { value } = row.area, isTyped = value !== row.field.text && value !== field.text;
    row.field = field;
    if (!isTyped) row.area.value = field.text;
    row.printed.textContent = row.area.value;
    row.undo.hidden = !this.options.canType || !(field.version > 0);
    this.grow(row.area);
    if (isTyped) return;
    row.area.closest(".form-row").dataset.from = field.from || "";
    if (field.from === "draft") say(row.meta, "fromDraft", { by: this.options.nameOf(field.by), at: dateTime(field.at) });
    else if (field.from === "typed") say(row.meta, "typedBy", { by: this.options.nameOf(field.by), at: dateTime(field.at) });
    else tell(row.meta, "");
  }

  place(row) {
    return ["form", this.options.episode, this.options.template, row.field.id].join("|");
  }

  // What was typed here before the view was left, and did not reach the server.
  takeKept(row) {
    const edit = this.options.canType ? takeEdit(this.place(row)) : null;
    if (!edit || edit.text === row.field.text) return;
    const now = row.field;
    row.area.value = edit.text;
    row.field = { ...now, version: edit.version }; // if it was changed meanwhile the server says so
    this.grow(row.area);
    this.save(row);
  }

  grow(area) {
    area.style.height = "auto";
    area.style.height = area.scrollHeight + 2 + "px";
  }

  growAll() {
    for (const { area } of this.rows.values()) this.grow(area);
  }

  isUnsaved(row) {
    return this.options.canType && row.area.value !== row.field.text;
  }

  // One at a time for each field; what is typed meanwhile goes next.
  save(row) {
    clearTimeout(row.timer);
    if (!row.saving && !row.isClashing && !this.isClosed && this.isUnsaved(row))
      row.saving = this.send(row).finally(() => { row.saving = null; });
    return row.saving;
  }

  async send(row) {
    const { field } = row;
    say(row.meta, "saving");
    try {
      do {
        const answer = await this.post("", { field: field.id, text: row.area.value, version: row.field.version });
        if (this.isClosed) {
          row.field = answer.form.fields.find((one) => one.id === field.id); // sendOn() goes on from there
          return;
        }
        if (this.isAway) this.options.refuse(null);
        this.isAway = false;
        this.show(answer.form);
      } while (this.isUnsaved(row));
    } catch (problem) {
      if (!this.isClosed) this.showProblem(row, problem);
    }
  }

  // Before something else changes the form: what was typed is in it. The names of those fields,
  // of the ones asked for, that could not be saved.
  async settle(ids = []) {
    await Promise.all([...this.rows.values()].map((row) => this.save(row)));
    return ids.map((id) => this.rows.get(id)).filter((row) => row && this.isUnsaved(row)).map((row) => row.field.name);
  }

  showProblem(row, problem) {
    const form = problem.body && problem.body.form;
    const other = form && form.fields.find((one) => one.id === row.field.id);
    if (other && other.text === row.area.value) return this.show(form); // our own words had arrived
    say(row.meta, "notSaved");
    if (other) return this.showClash(row, other, form);
    const isAway = problem.status === 0 || problem.status >= 500; // then once more, until it is back
    problem.isTyped = isAway;
    this.options.refuse(problem);
    if (isAway) {
      this.isAway = true;
      row.timer = setTimeout(() => this.save(row), save_again_ms);
    }
    return undefined;
  }

  showClash(row, other, form) {
    const choose = (text) => {
      row.isClashing = false;
      row.clash.hidden = true;
      row.area.value = text;
      row.field = { ...other };
      this.show(form);
      this.grow(row.area);
      row.area.focus();
      this.save(row);
    };
    row.isClashing = true;
    put(row.clash, make("p", { word: "clash" }), make("p", { class: "record-text", lang: "zh-CN", text: other.text }),
      make("div", { class: "buttons" },
        make("button", { class: "small", word: "takeTheirs", onclick: () => choose(other.text) }),
        make("button", { class: "small", word: "keepMine", onclick: () => choose(row.area.value) })));
    row.clash.hidden = false;
  }

  // A double click is one click: the second would take back a step that nobody has seen.
  async undo(id) {
    const row = this.rows.get(id);
    if (row.isUndoing) return;
    row.isUndoing = true;
    try {
      if ((await this.settle([id])).length) return;
      const answer = await this.post("undo", { field: id, version: row.field.version });
      if (this.isClosed) return;
      row.area.value = row.field.text;
      this.show(answer.form);
      document.getElementById("spoken").textContent = word("spokenUndone", { name: row.field.name });
      row.area.focus();
    } catch (problem) {
      if (!this.isClosed) this.options.refuse(problem);
    } finally {
      row.isUndoing = false;
    }
  }

  post(action, body) {
    return post(path.form(this.options.episode, this.options.template, action), body);
  }

  // What was typed a moment ago is sent on; who ends the session waits for it.
  close() {
    const sent = [];
    for (const row of this.rows.values()) {
      clearTimeout(row.timer);
      if (this.isUnsaved(row)) sent.push(this.sendOn(row));
    }
    this.isClosed = true;
    window.removeEventListener("resize", this.resized);
    window.removeEventListener("beforeunload", this.leaving);
    this.rows.clear();
    this.element.replaceChildren();
    this.element.remove();
    return Promise.all(sent);
  }

  async sendOn(row) {
    const { field } = row, place = this.place(row), edit = { text: row.area.value, version: field.version };
    keepEdit(place, edit);
    if (row.isClashing) return;
    try {
      await row.saving;
      if (row.field.text !== edit.text)
        await this.post("", { field: field.id, text: edit.text, version: row.field.version });
      dropEdit(place, edit);
    } catch (problem) {
      // It is kept: who comes back finds it in its field.
    }
  }
}
