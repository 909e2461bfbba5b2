// SPDX-License-Identifier: Apache-2.0
// The record as it is: documents with their sections, reports and tables, newest form of the
// canonical episode. Shows where a source stands. Text of the record becomes text nodes only.
import { characters, dateOnly, dateTime, make, put } from "/clinic/ui/elements.js";

const reportSections = [["findings", "检查所见"], ["conclusion", "结论"]];

function amount(order) {
  const dose = order.dose ? `${order.dose.value} ${order.dose.unit}` : "";
  return [dose, order.route, order.frequency].filter(Boolean).join("，");
}

function span(from, to) {
  return [dateTime(from).slice(5), to ? dateTime(to).slice(5) : ""].filter(Boolean).join(" → ");
}

const vitalParts = [["temperature_c", "体温", "℃"], ["pulse_per_min", "脉搏", "次/分"], ["respiration_per_min", "呼吸", "次/分"],
  ["spo2_percent", "血氧饱和度", "%"], ["oxygen_l_per_min", "吸氧", "L/min"], ["weight_kg", "体重", "kg"]];

function vitalText(row) {
  const parts = vitalParts.filter(([key]) => row[key] !== undefined && row[key] !== null)
    .map(([key, name, unit]) => `${name}${row[key]}${unit}`);
  if (row.systolic_mmhg) parts.push(`血压${row.systolic_mmhg}/${row.diastolic_mmhg} mmHg`);
  return parts.join("，");
}

function labText(row) {
  const range = row.low !== undefined && row.low !== null ? `（参考 ${row.low}–${row.high}）` : "";
  return `${row.name} ${row.value} ${row.unit || ""}${range}`;
}

function allergyText(patient) {
  const list = patient.allergies || [];
  return list.length ? "过敏：" + list.map((one) => one.substance + (one.reaction ? `（${one.reaction}）` : "")).join("、") : "";
}

const flags = { H: "↑", L: "↓", A: "异常" };

// Rows of the tables: [kind, word of the heading, rows of the episode, what a row says].
const tables = [
  ["patient", "patientData", (e) => [e.patient], (row) => [row.name,
    [row.sex, row.birth_date, row.blood_type, allergyText(row)].filter(Boolean).join(" · ")]],
  ["diagnosis", "diagnoses", (e) => e.diagnoses, (row) => [`${row.stage === "admission" ? "入院" : "出院"}${row.rank}. ${row.name}`,
    [row.icd10, row.outcome].filter(Boolean).join(" · ")]],
  ["operation", "operations", (e) => e.operations, (row) => [row.name, [row.icd9cm3, span(row.start, row.end), row.anaesthesia].filter(Boolean).join(" · ")]],
  ["event", "events", (e) => e.encounter.events, (row) => [`${row.type} ${row.detail || ""}`, dateTime(row.time)]],
  ["order", "orders", (e) => e.orders, (row) => [row.name, [row.kind, amount(row), span(row.start, row.stop), row.result].filter(Boolean).join(" · ")]],
  ["lab", "labs", (e) => e.labs, (row) => [labText(row), [dateTime(row.collect_time).slice(5), row.panel, flags[row.flag]].filter(Boolean).join(" · "), row.flag]],
  ["vital", "vitals", (e) => e.vitals, (row) => [vitalText(row), dateTime(row.time)]],
];

// Ids of rows that the canonical form does not name: by order, as the server counts them.
function rowId(kind, row, index) {
  if (kind === "vital") return row.time; // the server calls them so, too
  if (kind === "event") return `${row.type}@${row.time}`;
  return row.id || "dx" + (index + 1);
}

function key(kind, id, section) {
  return [kind, id, section || ""].join("|");
}

export class DocumentsPane {
  constructor() {
    this.places = new Map(); // key → {element, text, box}: where a source may point to
    this.held = [];
    this.opened = new Set(); // by a source, not by the reader: closed again when another one is shown
    this.body = make("div", { class: "documents-body" });
    this.back = make("button", { class: "small", word: "backToDraft", hidden: true, data: { action: "back" }, onclick: () => this.goBack() });
    this.body.addEventListener("click", (event) => { // who opens or reads in it wants it open
      const box = event.target.closest("details");
      if (box) this.opened.delete(box);
    });
    this.element = make("section", { class: "documents", label: "documents", tabindex: "-1" },
      make("header", { class: "pane-head" }, make("h2", { word: "documents" }), this.back), this.body);
  }

  clear() {
    this.places.clear();
    this.opened.clear();
    this.held = this.marked = [];
    this.body.replaceChildren();
    this.back.hidden = true;
  }

  show(episode) {
    this.clear();
    const docs = episode.docs.map((doc, index) => this.document(doc, index === 0));
    const reports = (episode.reports || []).map((report) => this.report(report));
    put(this.body, ...docs, reports.length ? make("h3", { word: "reports" }) : null, ...reports,
      make("h3", { word: "tables" }), ...tables.map((table) => this.table(episode, ...table)));
  }

  place(kind, id, section, text, tag = "p") {
    const element = make(tag, { class: "record-text", lang: "zh-CN", text });
    this.places.set(key(kind, id, section), { element, text });
    return element;
  }

  document(doc, isOpen) {
    const inside = make("div", {});
    for (const section of doc.sections)
      inside.append(make("h4", { lang: "zh-CN", text: section.name }), this.place("doc", doc.id, section.name, section.text));
    return make("details", { class: "document", open: isOpen, data: { id: doc.id } },
      make("summary", { lang: "zh-CN" }, make("span", { text: doc.local_title }),
        make("span", { class: "date", text: dateTime(doc.event_time).slice(5) })), inside);
  }

  report(report) {
    const inside = make("div", {});
    for (const [name, title] of reportSections) {
      if (!report[name]) continue;
      const element = this.place("report", report.id, name, report[name]);
      this.places.set(key("report", report.id, title), this.places.get(key("report", report.id, name)));
      inside.append(make("h4", { lang: "zh-CN", text: title }), element);
    }
    return make("details", { class: "document", data: { id: report.id } },
      make("summary", { lang: "zh-CN" }, make("span", { text: report.name }),
        make("span", { class: "date", text: dateTime(report.report_time).slice(5) })), inside);
  }

  table(episode, kind, title, rowsOf, say) {
    const rows = rowsOf(episode) || [];
    if (rows.length === 0) return null;
    const list = make("ul", { class: "rows", lang: "zh-CN" });
    rows.forEach((row, index) => {
      const [text, more, flag] = say(row);
      const element = make("li", { class: flag && flag !== "N" ? "abnormal" : null }, make("span", { text }),
        make("span", { class: "date", text: more }));
      this.places.set(key(kind, rowId(kind, row, index)), { element });
      list.append(element);
    });
    return make("details", { class: "document" }, make("summary", {}, make("span", { word: title }),
      make("span", { class: "date", text: String(rows.length) })), list);
  }

  find(source) {
    return this.places.get(key(source.kind, source.id, source.section)) || this.places.get(key(source.kind, source.id));
  }

  unmark() {
    for (const { element, text } of this.marked || []) {
      if (text !== undefined) element.textContent = text;
      else element.classList.remove("source");
    }
    this.marked = [];
  }

  // Marks the places; several of one section, too. Held ones stay until clearSources(true).
  showSources(sources, { isHeld }) {
    if (isHeld) this.held = sources;
    const before = document.activeElement;
    this.unmark();
    const byPlace = new Map();
    for (const source of sources) {
      const place = this.find(source);
      if (place) byPlace.set(place, [...(byPlace.get(place) || []), source]);
    }
    for (const [place, list] of byPlace) this.mark(place, list);
    const first = this.body.querySelector(".source");
    if (first) this.closeOthers();
    if (first) this.reveal(first, isHeld);
    if (isHeld && first) {
      this.cameFrom = before;
      this.back.hidden = false;
    }
  }

  mark(place, sources) {
    this.marked = [...(this.marked || []), place];
    const { element, text } = place;
    if (text === undefined) return element.classList.add("source");
    const all = characters(text), nodes = [];
    let at = 0;
    for (const { start, end } of sources.slice().sort((a, b) => a.start - b.start)) {
      const from = Math.max(at, start), to = Math.min(end, all.length);
      if (to <= from) continue;
      nodes.push(all.slice(at, from).join(""), make("mark", { class: "source", text: all.slice(from, to).join("") }));
      at = to;
    }
    element.replaceChildren(...nodes, all.slice(at).join(""));
    return undefined;
  }

  // So that the list of documents stays a list, however many sources were looked at.
  closeOthers() {
    for (const box of this.opened) {
      if (box.querySelector(".source")) continue;
      box.open = false;
      this.opened.delete(box);
    }
  }

  // Hovering moves this pane only, never the page under the pointer.
  reveal(element, isHeld) {
    const box = element.closest("details");
    if (box && !box.open) {
      box.open = true;
      this.opened.add(box);
    }
    const isScrolling = this.body.scrollHeight > this.body.clientHeight + 1;
    if (isScrolling) {
      const at = element.getBoundingClientRect(), frame = this.body.getBoundingClientRect();
      const head = box ? box.querySelector("summary").offsetHeight : 0; // it stays at the top
      if (at.top < frame.top + head || at.bottom > frame.bottom) this.body.scrollTop += at.top - frame.top - frame.height / 3;
    } else if (isHeld) {
      element.scrollIntoView({ block: "center" });
    }
  }

  clearSources(isHeld) {
    if (isHeld) {
      this.held = [];
      this.back.hidden = true;
    }
    this.unmark();
    if (this.held.length) this.showSources(this.held, { isHeld: false });
  }

  goBack() {
    if (this.cameFrom && this.cameFrom.isConnected) {
      this.cameFrom.focus();
      this.cameFrom.scrollIntoView({ block: "nearest" });
    }
  }
}

// Who this is: enough to tell two patients of the same name apart.
export function patientLine(episode, ageYears) {
  const { patient, encounter } = episode, day = (type) => dateOnly((encounter.events.find((one) => one.type === type) || {}).time);
  const age = ageYears >= 0 ? `${ageYears}岁` : "";
  return [patient.name, patient.sex, age, patient.birth_date, `患者号 ${patient.id}`, encounter.department,
    encounter.bed ? `${encounter.bed}床` : "", day("admit") && `入院 ${day("admit")}`, day("discharge") && `出院 ${day("discharge")}`]
    .filter(Boolean).join(" · ");
}

export function allergyLine(episode) {
  return allergyText(episode.patient);
}
