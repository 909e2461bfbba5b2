// SPDX-License-Identifier: Apache-2.0
// The audit: who did what, when, to what, before and after; and whether the chain is whole.
import { dateTime, isComposing, make, put, say } from "/clinic/ui/elements.js";
import { post } from "/clinic/ui/clinic-server.js";

const page_rows = 100, shown_characters = 40;
const actions = ["read", "import", "draft.create", "draft.write", "draft.renew", "draft.stop", "draft.edit", "draft.regenerate", "draft.insert", "form.fill",
  "form.type", "form.undo", "form.blocked", "override", "denied", "login", "login.failed", "logout", "launch", "user.put",
  "export", "cds.feedback"];
const roles = ["doctor", "qc", "admin", "auditor"];

// Of a field that was kept, its text; of anything else, its JSON.
function asText(value) {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  if (typeof value.text === "string") return value.reason ? `${value.text} [${value.reason}]` : value.text;
  return JSON.stringify(value);
}

// "2025-11-03" as this computer's clock has it, and `days` later, for the server.
function startOfDay(text, days) {
  const [year, month, day] = text.split("-").map(Number);
  return new Date(year, month - 1, day + days).toISOString();
}

// Long texts open on demand, so that the list stays a list.
function folded(text) {
  if (text.length <= shown_characters) return make("span", { text });
  return make("details", {}, make("summary", { text: text.slice(0, shown_characters) + "…" }), make("p", { text }));
}

export class AuditView {
  constructor(refuse) {
    this.refuse = refuse;
    this.asked = 0;
    this.episode = make("input", { id: "auditEpisode", maxlength: "128", autocomplete: "off" });
    this.user = make("input", { id: "auditUser", maxlength: "64", autocomplete: "off" });
    this.action = make("select", { id: "auditAction" }, make("option", { value: "", word: "anyAction" }),
      ...actions.map((name) => make("option", { value: name, word: "action_" + name })));
    this.from = make("input", { id: "auditFrom", type: "date" });
    this.to = make("input", { id: "auditTo", type: "date" });
    this.body = make("tbody", {});
    this.result = make("p", { class: "notice", role: "status", hidden: true });
    this.more = make("button", { word: "older", hidden: true, data: { action: "older" }, onclick: () => this.load(this.last) });
    this.element = this.build();
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target.tagName === "INPUT" && !isComposing(event)) this.load();
    });
    for (const one of [this.action, this.from, this.to]) one.addEventListener("change", () => this.load());
  }

  build() {
    const heads = ["seq", "when", "user", "what", "objectOf", "before", "after", "chain"];
    const labelled = (word, input) => make("label", {}, make("span", { word }), input);
    return make("section", { class: "audit-view" },
      make("header", { class: "pane-head" }, make("h2", { word: "audit" }),
        make("button", { class: "strong", word: "verifyAudit", data: { action: "verify" }, onclick: () => this.verify() })),
      this.result,
      make("div", { class: "filters", role: "search" }, labelled("episodeId", this.episode), labelled("user", this.user),
        labelled("what", this.action), labelled("fromDay", this.from), labelled("toDay", this.to), make("button", { word: "searchNow", onclick: () => this.load() })),
      make("div", { class: "table-box", tabindex: "0", role: "region", label: "audit" },
        make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((word) => make("th", { scope: "col", word })))), this.body)),
      make("div", { class: "buttons" }, this.more));
  }

  async load(before) {
    const asked = ++this.asked, body = { limit: page_rows };
    if (this.episode.value.trim()) body.episode = this.episode.value.trim();
    if (this.user.value.trim()) body.user = this.user.value.trim();
    if (this.action.value) body.action = this.action.value;
    if (this.from.value) body.from = startOfDay(this.from.value, 0);
    if (this.to.value) body.to = startOfDay(this.to.value, 1);
    if (before) body.before = before;
    try {
      const { rows } = await post("audit/search", body);
      if (asked !== this.asked) return;
      const shown = rows.map((row) => this.row(row));
      if (before) this.body.append(...shown);
      else put(this.body, ...(shown.length ? shown : [make("tr", {}, make("td", { colspan: "8", word: "nothingFound" }))]));
      this.more.hidden = rows.length < page_rows;
      this.last = rows.length ? rows[rows.length - 1].seq : 0;
    } catch (problem) {
      this.refuse(problem);
    }
  }

  row(row) {
    const action = actions.includes(row.action) ? make("td", { word: "action_" + row.action }) : make("td", { text: row.action });
    const text = (value) => make("td", { class: "audit-text", lang: "zh-CN" }, folded(asText(value)));
    return make("tr", { data: { seq: row.seq } }, make("th", { scope: "row", text: String(row.seq) }),
      make("td", { text: dateTime(String(row.at), true) }),
      make("td", {}, make("span", { text: row.user || "" }),
        roles.includes(row.role) ? make("span", { class: "date", word: "role_" + row.role }) : null), action,
      this.objectCell(row), text(row.before), text(row.after),
      make("td", { class: "hash", text: String(row.hash || "").slice(0, 12) }));
  }

  // What it is about, and below it the stay that it belongs to.
  objectCell(row) {
    const object = row.object || row.episode || "";
    return make("td", { class: "audit-object" }, make("span", { text: object }),
      row.episode && !object.includes(row.episode) ? make("span", { class: "note", text: row.episode }) : null);
  }

  async verify() {
    try {
      const answer = await post("audit/verify", {});
      this.result.hidden = false;
      this.result.className = answer.ok ? "notice good" : "alert";
      say(this.result, answer.ok ? "auditWhole" : "auditBroken", { n: answer.lines, at: answer.first_bad, why: answer.why });
    } catch (problem) {
      this.refuse(problem);
    }
  }

  close() {
    this.asked++;
    this.element.replaceChildren();
    this.element.remove();
  }
}
