// SPDX-License-Identifier: Apache-2.0
// The draft window: starts a draft, follows it as it is written, shows its fields, passes on what
// the doctor decides. Bound to one episode for life: after close() nothing that arrives is shown.
import { DraftField } from "/clinic/ui/draft-field.js";
import { listSection, openOmissions, showConflicts, showOmissions } from "/clinic/ui/draft-lists.js";
import { applyEvent, fillableFields, findField, revisionsOf, unsupported } from "/clinic/ui/draft-state.js";
import { dateTime, make, once, put, say, tell } from "/clinic/ui/elements.js";
import { follow, get, path, post } from "/clinic/ui/clinic-server.js";
import { keepEdit, takeEdit } from "/clinic/ui/kept-edits.js";
import { word } from "/clinic/ui/clinic-words.js";

const spoken = document.getElementById("spoken");
const first_wait_ms = 500, longest_wait_ms = 8000; // between two tries to reach a server that is away

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

export class DraftWindow {
  // host: {episode, user, template, templateName, canDraft, canFill, isModelOff, label, isAlone,
  // formText(id), isTyped(id), fill(draft, ids, revisions), beforeCopy?, showSources, clearSources, changed(form),
  // stateChanged?(isRunning)}
  constructor(host) {
    this.host = host;
    this.draft = null;
    this.isFollowing = false;
    this.cards = new Map();
    this.abort = null;
    this.taken = 0;
    this.opening = this.filled = null;
    this.filling = new Set();
    this.changing = new Set();
    this.isStarting = this.isClosed = false;
    this.leaving = (event) => { if (this.unsavedFields().length) event.preventDefault(); };
    window.addEventListener("beforeunload", this.leaving);
    this.build();
    this.showHead();
  }

  build() {
    const { host } = this;
    this.generateButton = make("button", { class: "strong", word: "generate", values: { name: host.templateName },
      data: { action: "generate" }, hidden: !host.isAlone || !host.canDraft, onclick: () => this.generate() });
    this.stopButton = make("button", { word: "stop", hidden: true, data: { action: "stop" }, onclick: () => this.stop() });
    this.fillAllButton = make("button", { class: "strong", word: "fillAll", data: { action: "fillAll" }, disabled: true,
      hidden: !host.canFill, onclick: once(() => this.fillAll()) });
    this.state = make("span", { class: "chip state", data: { part: "state" } });
    this.verified = make("span", { class: "verified", data: { part: "verified" } });
    this.nextButton = make("button", { class: "small bad", hidden: true, data: { action: "next" }, onclick: () => this.nextIssue() });
    this.omittedButton = make("button", { class: "small", hidden: true, data: { action: "omitted" }, onclick: () => this.showOmitted() });
    this.conflictButton = make("button", { class: "small wait", hidden: true, data: { action: "conflicts" }, onclick: () => this.showConflicts() });
    this.note = make("p", { class: "note", data: { part: "times" } });
    this.alert = make("p", { class: "alert", role: "alert", hidden: true });
    this.question = make("div", { class: "notice", role: "alert", hidden: true, data: { part: "question" } });
    this.empty = make("p", { class: "draft-empty", word: "emptyDraft", hidden: !host.canDraft });
    this.owner = make("p", { class: "notice", hidden: true });
    this.fields = make("div", { class: "draft-fields" });
    this.omissions = listSection("omissions");
    this.conflicts = listSection("conflicts");
    this.body = make("div", { class: "draft-body" }, this.empty, this.conflicts, this.fields, this.omissions, this.note);
    this.minimiseButton = make("button", { class: "quiet minimise", label: "minimise", tip: "minimise", text: "−",
      hidden: host.isAlone, data: { action: "minimise" }, onclick: () => this.minimise() });
    this.element = make("section", { class: "draft-window", label: "draftWindow", tabindex: "-1" },
      make("header", { class: "draft-head" }, make("h2", { word: "draftTitle", values: { name: host.templateName } }),
        this.state, this.minimiseButton),
      make("p", { class: "ai-label", text: host.label, lang: "zh-CN" }),
      host.isModelOff ? make("p", { class: "notice", word: "modelOff", data: { part: "modelOff" } }) : null,
      make("div", { class: "toolbar" }, this.generateButton, this.stopButton, this.fillAllButton, this.verified, this.nextButton, this.omittedButton,
        this.conflictButton),
      this.owner, this.question, this.alert,
      this.body);
    for (const name of ["wheel", "pointerdown", "keydown"])
      this.body.addEventListener(name, () => { this.isFollowing = false; }, { passive: true });
    this.launcherState = make("span", { class: "chip state" });
    this.launcher = make("button", { class: "launcher", hidden: true, data: { action: "restore" }, onclick: () => this.restore() },
      make("span", { word: "restore" }), this.launcherState);
  }

  actions() {
    const act = (action, body) => this.change(action, body);
    const window = this;
    return {
      get canChange() { return window.host.canDraft && window.isMine(); },
      get canFill() { return window.host.canFill && window.isMine(); },
      isRunning: () => this.isRunning(),
      formText: (id) => this.host.formText(id),
      showSources: (sources, how) => this.host.showSources(sources, how),
      clearSources: (isHeld) => this.host.clearSources(isHeld),
      isHeld: () => [...this.cards.values()].some((card) => card.selected >= 0), // the pointer then changes nothing
      selected: (card) => { for (const one of this.cards.values()) if (one !== card) one.closeDetail(); },
      fill: (id) => this.fill([id]),
      beforeCopy: this.host.beforeCopy ? (id) => this.act(() => this.host.beforeCopy(this.draft, id)) : null,
      lock: (field, locked) => act("lock", { field, locked }),
      edit: (field, text) => act("edit", { field, text, revision: findField(this.draft, field).revision }),
      accept: (field, sentence, text, reason) => act("accept", { field, sentence, text, reason }),
      insert: (omission) => act("insert", { omission }),
      dismiss: (omission, reason) => act("dismiss", { omission, reason }),
      regenerate: (field) => this.regenerate(field),
      editing: () => this.showHead(),
    };
  }

  // Another doctor's draft is for reading; who wants to change one makes one of his own.
  isMine() {
    return Boolean(this.draft) && this.draft.by === this.host.user;
  }

  isRunning() {
    return Boolean(this.draft) && this.draft.state === "running";
  }

  // Runs something that asks the server; false, with the reason on the page, if it fails.
  async act(run) {
    this.showAlert("");
    try {
      await run();
      return !this.isClosed;
    } catch (problem) {
      if (!this.isClosed && problem.name !== "AbortError") this.refuse(problem);
      return false;
    }
  }

  // What the doctor decided, to the server; the same once more while it is on its way is a double click.
  async change(action, body) {
    const name = action + JSON.stringify(body);
    if (this.changing.has(name)) return false;
    this.changing.add(name);
    try {
      return await this.act(async () => this.takeChange(await post(path.draft(this.draft.id, action), body), body.field));
    } finally {
      this.changing.delete(name);
    }
  }

  refuse(problem) {
    if (problem.status === undefined) throw problem;
    const blocked = problem.body && problem.body.blocked;
    if (blocked) {
      const names = blocked.map((one) => findField(this.draft, one.field).name).join("、");
      this.showAlert(word("blockedFields", { names }));
      this.nextIssue(blocked[0].field);
    } else if (problem.body && problem.body.draft) {
      const isRecord = problem.body.error && problem.body.error.code === "record_changed";
      this.take(problem.body.draft);
      this.showAlert(word(isRecord ? "error_record_changed" : "draftChanged"));
    } else if (problem.body && problem.body.form) {
      this.host.changed(problem.body.form);
      this.showAlert(word("formChanged"));
    } else {
      this.showAlert(problem.status === 0 ? word("lost") : problem.message);
    }
  }

  showAlert(text) {
    this.alert.textContent = text;
    this.alert.hidden = !text;
  }

  // What a doctor has changed is not thrown away before he has been asked.
  ask(name, fields, goOn) {
    const answer = (isYes) => {
      this.question.hidden = true;
      put(this.question);
      if (isYes) goOn();
    };
    const yes = make("button", { class: "strong small", word: "goOn", data: { action: "goOn" }, onclick: () => answer(true) });
    put(this.question, make("p", { word: name, values: { names: fields.map((field) => field.name).join("、") } }),
      make("div", { class: "buttons" }, yes, make("button", { class: "small", word: "cancel", onclick: () => answer(false) })));
    this.question.hidden = false;
    yes.focus();
  }

  unsavedFields() {
    return this.draft ? this.draft.fields.filter((field) => this.cards.get(field.id).unsavedText() !== null) : [];
  }

  // Fields that the doctor has changed, and that a new draft would not have.
  changedFields() {
    const unsaved = this.unsavedFields();
    return this.isMine() ? this.draft.fields.filter((field) => unsaved.includes(field) || (field.edited && !field.locked)) : [];
  }

  async regenerate(id, isSure) {
    const changed = this.changedFields().filter((field) => field.id === id);
    if (changed.length && !isSure) return this.ask("askRewrite", changed, () => this.regenerate(id, true));
    if (await this.change("regenerate", { field: id })) this.run();
    return undefined;
  }

  async generate(isSure) {
    if (!this.host.canDraft || this.isStarting) return undefined;
    const changed = this.isRunning() ? [] : this.changedFields();
    if (changed.length && isSure !== true) {
      this.restore();
      return this.ask("askAgain", changed, () => this.generate(true));
    }
    this.isStarting = true;
    this.restore();
    await this.opening; // or its answer would take the place of the new draft
    const isStarted = !this.isClosed && !(this.isRunning() && this.isMine()) && await this.act(async () => {
      this.take(await post("drafts", { episode: this.host.episode, template: this.host.template }));
    });
    this.isStarting = false;
    if (isStarted) this.run();
    return undefined;
  }

  // Shows a draft that exists, and follows it if it is being written; not in the place of a newer one.
  async open(id) {
    if (this.draft || this.isStarting) return;
    this.opening = this.act(async () => this.take(await get(path.draft(id))));
    if (await this.opening && this.isRunning()) this.run();
  }

  // Never awaited by what must go on: it ends with the run, with stop() or with close().
  async run() {
    if (this.abort) this.abort.abort();
    const abort = this.abort = new AbortController(), id = this.draft.id;
    this.isFollowing = true;
    this.showHead();
    let isLost = false;
    try {
      for await (const event of follow(path.draft(id, "events"), abort.signal)) {
        if (abort.signal.aborted) return;
        this.showChange(applyEvent(this.draft, event.name, event.data));
      }
    } catch (problem) {
      if (abort.signal.aborted) return;
      isLost = !(problem.status > 0);
      this.showAlert(isLost ? word("reconnecting") : problem.message);
    }
    await this.settle(id, abort, isLost);
  }

  // After a run: the draft as the server has it, unless something newer came meanwhile. If the
  // server was away, as soon as it is back; a run that went on without us is followed again.
  async settle(id, abort, isLost) {
    const { taken } = this;
    try {
      const { draft, wasAway } = await this.getAgain(id, abort.signal, isLost);
      if (abort.signal.aborted) return;
      if (taken === this.taken) this.take(draft);
      if (wasAway) this.showAlert(draft.state === "stopped" ? word("reconnected") : "");
      if (this.isRunning() && !wasAway) await pause(first_wait_ms, abort.signal);
      if (this.isRunning() && !abort.signal.aborted) return void this.run();
    } catch (problem) {
      if (!abort.signal.aborted) this.refuse(problem);
    }
    if (abort.signal.aborted) return;
    this.abort = null;
    this.showHead();
  }

  // The draft; while the server is away it is asked again, less and less often.
  async getAgain(id, signal, isLost) {
    for (let wait = first_wait_ms, wasAway = isLost;; wait = Math.min(2 * wait, longest_wait_ms)) {
      if (wasAway) await pause(wait, signal);
      try {
        return { draft: await get(path.draft(id), signal), wasAway };
      } catch (problem) {
        if (problem.status !== 0 && problem.status !== 503) throw problem;
        this.showAlert(word("reconnecting"));
        wasAway = true;
      }
    }
  }

  stop() {
    if (this.isRunning() && this.isMine()) this.act(async () => { await post(path.draft(this.draft.id, "stop")); });
  }

  // The episode is left: the stream is dropped and nothing stays on the page.
  close() {
    for (const field of this.unsavedFields())
      keepEdit(this.place(field), { text: this.cards.get(field.id).unsavedText() });
    this.isClosed = true;
    window.removeEventListener("beforeunload", this.leaving);
    if (this.abort) this.abort.abort();
    this.draft = null;
    this.cards.clear();
    this.element.replaceChildren();
    this.element.remove();
    this.launcher.remove();
    spoken.textContent = "";
  }

  // A draft as the server has it now.
  take(draft) {
    if (this.isClosed) return;
    if (!this.draft || this.draft.id !== draft.id) {
      this.cards.clear();
      this.fields.replaceChildren();
    }
    this.draft = draft;
    this.taken++;
    this.element.dataset.draft = draft.id;
    this.owner.hidden = this.isMine();
    say(this.owner, "draftOf", { by: draft.by || "" });
    this.fillAllButton.hidden = !this.host.canFill || !this.isMine();
    this.empty.hidden = true;
    for (const field of draft.fields) this.showField(field);
    this.showChange({ head: true, omissions: true, conflicts: true });
    this.takeKept();
  }

  // The answer to a change; while another field is written, only the changed one: of that other the
  // stream knows more.
  takeChange(draft, id) {
    if (this.isClosed) return;
    if (!this.isRunning() || draft.state !== "running" || !id) return this.take(draft);
    Object.assign(findField(this.draft, id), findField(draft, id));
    this.showChange({ field: id, head: true });
  }

  place(field) {
    return ["draft", this.draft.id, field.id].join("|");
  }

  // An edit that was not saved when this draft was left is there again.
  takeKept() {
    if (!this.isMine() || this.isRunning() || !this.host.canDraft) return;
    for (const field of this.draft.fields) {
      const card = this.cards.get(field.id), edit = field.locked || card.isEditing() ? null : takeEdit(this.place(field));
      if (!edit || edit.text === field.text) continue;
      card.startEdit(null, edit.text);
      card.tellEditor("editRestored");
    }
  }

  showField(field) {
    const card = this.cards.get(field.id);
    if (card) {
      const seen = JSON.stringify(field);
      if (card.seen !== seen) card.update(field);
      else card.showHead();
      card.seen = seen;
      return;
    }
    const made = new DraftField(field, this.actions());
    made.seen = JSON.stringify(field);
    this.cards.set(field.id, made);
    this.fields.append(made.element);
  }

  showChange(change) {
    if (this.isClosed) return;
    if (change.all) return this.take(this.draft);
    if (change.appended !== undefined) {
      const card = this.cards.get(change.field);
      card.append(change.appended);
      this.keepInView(card);
      return undefined;
    }
    if (change.field) {
      this.showField(findField(this.draft, change.field));
      this.announce(change);
    }
    if (change.omissions) {
      showOmissions(this.omissions, this.draft, this.actions());
      const { must, may } = openOmissions(this.draft);
      this.omittedButton.hidden = must + may === 0;
      this.omittedButton.classList.toggle("wait", must > 0);
      say(this.omittedButton, must ? "omissions" : "mayOmissions", { n: must || may });
    }
    if (change.conflicts) {
      const n = (this.draft.conflicts || []).length;
      showConflicts(this.conflicts, this.draft.conflicts, this.actions());
      this.conflictButton.hidden = n === 0;
      say(this.conflictButton, "inConflict", { n });
    }
    if (change.message) this.showAlert(change.message);
    if (change.isOld) this.showAlert(word("newerVersion"));
    if (change.head) this.showHead();
    if (change.ended) this.cards.forEach((card) => { card.showHead(); card.showIssues(); }); // may be changed now
    return undefined;
  }

  // The window follows what is being written until the reader scrolls or clicks in it.
  keepInView(card) {
    if (!this.isFollowing) return;
    const box = this.body, end = card.element.offsetTop + card.element.offsetHeight;
    if (end > box.scrollTop + box.clientHeight) box.scrollTop = end - box.clientHeight;
  }

  announce({ field: id, checked }) {
    const field = findField(this.draft, id), n = unsupported(field).length;
    if (checked && field.state !== "writing") spoken.textContent = word(n ? "spokenBad" : "spokenDone", { name: field.name, n, ...field.verified });
    else if (field.state === "writing") spoken.textContent = word("spokenWriting", { name: field.name });
  }

  showHead() {
    const { draft } = this, isRunning = this.isRunning();
    this.element.toggleAttribute("data-running", isRunning || Boolean(this.abort));
    say(this.state, "state_" + (draft ? draft.state : "none"));
    this.stopButton.hidden = !isRunning || !this.isMine();
    this.generateButton.disabled = isRunning && this.isMine();
    this.fillAllButton.disabled = !draft || fillableFields(draft).length === 0;
    const n = draft ? draft.fields.reduce((sum, field) => sum + (field.state === "writing" ? 0 : unsupported(field).length), 0) : 0;
    this.nextButton.hidden = n === 0;
    say(this.nextButton, "nextIssue", { n });
    if (draft && !isRunning && draft.verified && draft.verified.all > 0) {
      say(this.verified, "verified", draft.verified);
      say(this.verified, "verifiedTip", draft.verified, "tip");
      this.verified.classList.toggle("bad", draft.verified.ok < draft.verified.all);
    } else {
      tell(this.verified, "");
    }
    this.showTimes();
    say(this.launcherState, "state_" + (draft ? draft.state : "none"));
    if (this.host.stateChanged) this.host.stateChanged(isRunning && this.isMine());
  }

  showTimes() {
    const { draft } = this;
    if (!draft || this.isRunning()) return tell(this.note, "");
    return say(this.note, draft.first_token_ms ? "times" : "timesNoModel", {
      model: draft.model || "–", first: ((draft.first_token_ms || 0) / 1000).toFixed(2),
      total: ((draft.total_ms || 0) / 1000).toFixed(1), at: dateTime(draft.created) });
  }

  // After the form changed: what is in it, and the differences.
  showForm() {
    for (const card of this.cards.values()) {
      card.showHead();
      if (!card.diff.hidden) card.showDiff();
    }
  }

  // Everything that may be filled and is not in the form yet; what the doctor has written there
  // himself stays, and what was left is told.
  fillAll() {
    const { fields } = this.draft, isTyped = (field) => this.host.isTyped(field.id);
    const isSame = (field) => (this.host.formText(field.id) || "").trim() === field.text.trim();
    const isEdited = (field) => this.cards.get(field.id).isEditing(), open = fillableFields(this.draft).filter((field) => !isSame(field));
    const left = [["leftOut", fields.filter((field) => field.blocked)], ["leftEdited", open.filter(isEdited)],
      ["leftTyped", open.filter((field) => !isEdited(field) && isTyped(field))]]
      .filter(([, list]) => list.length).map(([name, list]) => word(name, { names: list.map((field) => field.name).join("、") }));
    const ids = open.filter((field) => !isEdited(field) && !isTyped(field)).map((field) => field.id);
    if (ids.length) return this.fill(ids, left);
    return this.showAlert(left.join(" ") || word("nothingToFill"));
  }

  // One after the other in the order of the clicks, each with what the doctor saw at the click; a
  // field that is on its way already is not filled twice.
  async fill(all, left = []) {
    const ids = all.filter((id) => !this.filling.has(id));
    if (!this.draft || ids.length === 0) return;
    const { draft, filled } = this, revisions = revisionsOf(draft, ids), isFirst = this.filling.size === 0;
    for (const id of ids) this.filling.add(id);
    if (isFirst) this.showAlert("");
    this.filled = (async () => {
      try {
        await filled;
      } catch (problem) {
        // Reported where it happened; this fill is another.
      }
      try {
        if (!this.isClosed && this.draft.id === draft.id) await this.fillNow(ids, revisions, left);
      } finally {
        for (const id of ids) this.filling.delete(id);
      }
    })();
    await this.filled;
  }

  async fillNow(ids, revisions, left) {
    try {
      await this.host.fill(this.draft, ids, revisions);
      if (this.isClosed) return;
      this.showForm();
      spoken.textContent = word("spokenFilled", { n: ids.length });
      if (left.length) this.showAlert(left.join(" "));
    } catch (problem) {
      if (!this.isClosed) this.refuse(problem);
    }
  }

  // The next sentence that is not supported, after the one in focus; of one field if it is named.
  nextIssue(fieldId) {
    const all = [...this.element.querySelectorAll(fieldId ? `[data-field="${fieldId}"] .issues li` : ".issues li")];
    const at = all.findIndex((item) => item.contains(document.activeElement));
    const item = all[(at + 1) % all.length];
    if (!item) return;
    item.querySelector("button").focus();
    item.scrollIntoView({ block: "center" });
  }

  showConflicts() {
    this.conflicts.open = true;
    this.conflicts.scrollIntoView({ block: "start" });
    this.conflicts.querySelector("summary").focus();
  }

  showOmitted() {
    this.omissions.open = true;
    if (openOmissions(this.draft).must === 0) this.omissions.querySelector("details").open = true;
    this.omissions.scrollIntoView({ block: "start" });
    this.omissions.querySelector("summary").focus();
  }

  focusedCard() {
    const element = document.activeElement && document.activeElement.closest(".draft-field");
    return element ? this.cards.get(element.dataset.field) : null;
  }

  minimise() {
    if (this.host.isAlone) return;
    this.element.hidden = true;
    this.launcher.hidden = false;
    this.launcher.focus();
    this.element.dispatchEvent(new CustomEvent("resized", { bubbles: true }));
  }

  restore() {
    if (!this.element.hidden) return;
    this.element.hidden = false;
    this.launcher.hidden = true;
    this.element.focus();
    this.element.dispatchEvent(new CustomEvent("resized", { bubbles: true }));
  }
}
