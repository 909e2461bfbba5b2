// SPDX-License-Identifier: Apache-2.0
// The patients that this user may see: search, department, state; pages of fifty.
import { dateOnly, isComposing, make, put, say } from "/clinic/ui/elements.js";
import { post } from "/clinic/ui/clinic-server.js";

const page_rows = 50, search_after_ms = 250;
const states = ["", "admitted", "discharged", "drafted", "filled", "open"];

export class ListView {
  constructor(me, refuse) {
    this.refuse = refuse;
    this.offset = 0;
    this.asked = 0;
    this.text = make("input", { id: "search", type: "search", maxlength: "100", hint: "searchHint", autocomplete: "off" });
    this.department = make("select", { id: "department" }, make("option", { value: "", word: "allDepartments" }),
      ...(me.user.departments || []).map((name) => make("option", { value: name, lang: "zh-CN", text: name })));
    this.state = make("select", { id: "listState" }, ...states.map((name) => make("option", { value: name, word: "list_" + (name || "any") })));
    this.count = make("p", { class: "note", role: "status" });
    this.body = make("tbody", { lang: "zh-CN" });
    this.before = make("button", { word: "previousPage", onclick: () => this.turn(-page_rows) });
    this.after = make("button", { word: "nextPage", onclick: () => this.turn(page_rows) });
    this.element = this.build();
    let timer = 0;
    const later = () => { clearTimeout(timer); timer = setTimeout(() => this.search(), search_after_ms); };
    this.text.addEventListener("input", (event) => { if (!event.isComposing) later(); });
    this.text.addEventListener("compositionend", later);
    this.text.addEventListener("keydown", (event) => { if (event.key === "Enter" && !isComposing(event)) this.search(); });
    for (const one of [this.department, this.state]) one.addEventListener("change", () => this.search());
  }

  build() {
    const heads = ["patient", "sexAge", "department", "bed", "admitted", "discharged", "mainDiagnosis", "draft", "form"];
    const labelled = (word, input) => make("label", {}, make("span", { word }), input);
    return make("section", { class: "list-view" },
      make("header", { class: "pane-head" }, make("h2", { word: "patients" }), this.count),
      make("div", { class: "filters", role: "search" }, labelled("search", this.text),
        labelled("department", this.department), labelled("listState", this.state)),
      make("div", { class: "table-box", tabindex: "0", role: "region", label: "patients" },
        make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((word) => make("th", { scope: "col", word })))), this.body)),
      this.pages = make("div", { class: "buttons", hidden: true }, this.before, this.after));
  }

  turn(rows) {
    this.offset = Math.max(0, this.offset + rows);
    this.load();
  }

  search() {
    this.offset = 0;
    return this.load();
  }

  async load() {
    const asked = ++this.asked, body = { limit: page_rows, offset: this.offset };
    if (this.text.value.trim()) body.text = this.text.value.trim();
    if (this.department.value) body.department = this.department.value;
    if (this.state.value) body.state = this.state.value;
    try {
      const answer = await post("episodes/search", body);
      if (asked === this.asked) this.show(answer);
    } catch (problem) {
      this.refuse(problem);
    }
  }

  show({ episodes, total }) {
    const isPart = total > episodes.length && episodes.length > 0;
    say(this.count, isPart ? "listPart" : "listCount", { n: total, from: this.offset + 1, to: this.offset + episodes.length });
    put(this.body, ...episodes.map((one) => this.row(one)));
    if (episodes.length === 0) put(this.body, make("tr", {}, make("td", { colspan: "9", word: "nobody" })));
    this.before.disabled = this.offset === 0;
    this.after.disabled = this.offset + episodes.length >= total;
    this.pages.hidden = total <= page_rows;
    if (!this.department.dataset.isFilled) this.offerDepartments(episodes);
  }

  // An administrator's list names no departments: offer those that are seen.
  offerDepartments(episodes) {
    this.department.dataset.isFilled = "1";
    const known = new Set([...this.department.options].map((option) => option.value));
    const seen = [...new Set(episodes.map((one) => one.department))].filter((name) => name && !known.has(name));
    this.department.append(...seen.sort().map((name) => make("option", { value: name, lang: "zh-CN", text: name })));
  }

  row(one) {
    const link = make("a", { href: "#/episode/" + encodeURIComponent(one.id), text: one.patient.name });
    const cell = (text) => make("td", { text: text === undefined || text === null ? "" : String(text) });
    const draft = make("td", {}, one.draft ? make("span", { class: "chip state", word: "state_" + one.draft.state }) : null);
    const filled = one.form && one.form.filled ? `${one.form.filled}/${one.form.all}` : "–";
    // A click anywhere in the row opens it; the link is there for the keyboard. Text can still be chosen.
    const open = (event) => { if (!event.target.closest("a") && getSelection().isCollapsed) link.click(); };
    return make("tr", { data: { episode: one.id }, onclick: open }, make("th", { scope: "row" }, link, make("span", { class: "date", text: one.patient.id || "" })),
      cell([one.patient.sex, one.patient.age === undefined ? "" : one.patient.age + "岁"].filter(Boolean).join(" ")),
      cell(one.department), cell(one.bed), cell(dateOnly(one.admit)), cell(one.discharge ? dateOnly(one.discharge) : ""),
      cell(one.main_diagnosis), draft, cell(filled));
  }

  close() {
    this.asked++;
    this.element.replaceChildren();
    this.element.remove();
  }
}
