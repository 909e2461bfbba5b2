// SPDX-License-Identifier: Apache-2.0
// One field of a draft: its text sentence by sentence, what is not supported and why, and what the
// doctor can do about it. Knows no server; what is decided goes out through `actions`.
import { characters, copyText, isComposing, make, once, put, say } from "/clinic/ui/elements.js";
import { sourceButton, sourcesOf, reasonForm } from "/clinic/ui/draft-lists.js";
import { isFillable, unsupported } from "/clinic/ui/draft-state.js";
import { difference } from "/clinic/ui/text-diff.js";

const hover_ms = 120;

// "✓ 12/12", or "⚠ 11/12" where something is not right; in words for screen readers and the pointer.
function showCounts(element, counts) {
  element.hidden = !counts || !counts.all;
  if (element.hidden) return;
  const isRight = counts.ok === counts.all;
  element.classList.toggle("bad", !isRight);
  put(element, make("span", { class: "hidden", word: "verified", values: counts }),
    make("span", { "aria-hidden": "true", text: `${isRight ? "✓" : "⚠"} ${counts.ok}/${counts.all}` }));
  say(element, "verifiedTip", counts, "tip");
}

export class DraftField {
  // actions: {fill, regenerate, lock, edit, accept, beforeCopy, showSources, clearSources, selected,
  // isHeld, formText, isRunning, canChange, canFill, editing}
  constructor(field, actions) {
    this.field = field;
    this.actions = actions;
    this.selected = -1;
    this.hovering = 0;
    this.build();
    this.update(field);
  }

  build() {
    const id = this.field.id, act = (name, run) =>
      [name, make("button", { class: "quiet small", word: name, tip: name + "Tip", data: { action: name }, onclick: once(run) })];
    this.buttons = Object.fromEntries([
      act("edit", () => this.startEdit()),
      act("regenerate", () => this.actions.regenerate(id)),
      act("lock", () => this.actions.lock(id, !this.field.locked)),
      act("diff", () => this.toggleDiff()),
      act("copy", () => this.copy()),
    ]);
    this.buttons.fill = make("button", { class: "strong small", word: "fill", data: { action: "fill" },
      onclick: once(() => this.actions.fill(id)) });
    this.buttons.diff.setAttribute("aria-expanded", "false");
    this.badges = make("span", { class: "badges" });
    this.verified = make("span", { class: "verified", hidden: true });
    this.text = make("div", { class: "draft-text", lang: "zh-CN" });
    this.text.addEventListener("keydown", (event) => this.moveAmongSentences(event));
    this.issues = make("ul", { class: "issues", label: "issues", hidden: true });
    this.detail = make("div", { class: "detail", hidden: true });
    this.diff = make("div", { class: "diff", lang: "zh-CN", hidden: true });
    this.problem = make("p", { class: "alert", hidden: true });
    this.editor = make("div", { hidden: true });
    const more = ["edit", "regenerate", "lock", "diff", "copy"].map((name) => this.buttons[name]);
    this.element = make("article", { class: "draft-field", tabindex: "-1", data: { field: id },
      "aria-labelledby": `draft-${id}` },
    make("header", {}, make("h3", { id: `draft-${id}`, text: this.field.name, lang: "zh-CN" }), this.badges,
      this.verified, make("span", { class: "field-actions" }, ...more, this.buttons.fill)),
    this.text, this.problem, this.editor, this.detail, this.issues, this.diff);
  }

  update(field) {
    const hadFocus = this.element.contains(document.activeElement);
    const isSameText = this.shownText === field.text && !this.stream;
    this.field = field;
    if (!isSameText) this.closeDetail();
    this.element.dataset.state = field.state;
    this.element.toggleAttribute("aria-busy", field.state === "writing");
    this.showText();
    this.showHead();
    this.showIssues();
    if (!this.diff.hidden) this.showDiff();
    if (hadFocus && !this.element.contains(document.activeElement)) this.element.focus();
  }

  append(text) {
    if (!this.stream) this.showText();
    else this.stream.appendData(text);
  }

  showHead() {
    const { field, badges, verified, buttons } = this;
    const marks = [["from_" + field.from, "chip"], ["state_" + field.state, "chip state"]];
    if (field.locked) marks.push(["locked", "chip"]);
    if (field.edited) marks.push(["edited", "chip"]);
    if (field.blocked) marks.push(["blocked", "chip bad"]);
    const form = this.actions.formText(field.id);
    if (form !== null && form !== "" && field.text) {
      const isSame = form.trim() === field.text.trim();
      marks.push([isSame ? "inForm" : "notAsForm", isSame ? "chip good" : "chip wait"]);
    }
    badges.replaceChildren(...marks.filter(([name]) => name !== "state_done")
      .map(([name, style]) => make("span", { class: style, word: name })));
    showCounts(verified, field.state === "done" ? field.verified : null);
    this.problem.hidden = !field.error;
    this.problem.textContent = field.error || "";
    this.showButtons(buttons);
  }

  showButtons(buttons) {
    const { field, actions } = this, isIdle = !actions.isRunning() && !this.isEditing(), isFree = this.isFree() && !this.isEditing();
    buttons.fill.hidden = !actions.canFill;
    buttons.fill.disabled = !isFillable(field) || this.isEditing();
    say(buttons.fill, field.blocked ? "fillBlocked" : this.isEditing() ? "fillEditing" : "fillTip", null, "tip");
    for (const name of ["edit", "regenerate", "lock"]) buttons[name].hidden = !actions.canChange;
    buttons.edit.disabled = !isFree || field.locked;
    buttons.regenerate.disabled = !isIdle || field.locked;
    say(buttons.lock, field.locked ? "unlock" : "lock");
    buttons.lock.setAttribute("aria-pressed", String(Boolean(field.locked)));
    buttons.lock.disabled = !isFree;
    buttons.diff.hidden = actions.formText(field.id) === null;
    buttons.copy.disabled = buttons.fill.disabled; // copying is filling by hand
  }

  showText() {
    const { field } = this;
    this.shownText = field.text;
    this.stream = null;
    if (field.state === "writing" || !(field.sentences || []).length) {
      this.stream = document.createTextNode(field.text);
      this.text.replaceChildren(this.stream);
      return;
    }
    const all = characters(field.text), nodes = [];
    let at = 0;
    field.sentences.forEach((sentence, index) => {
      const start = Math.max(at, sentence.start), end = Math.max(start, sentence.end);
      nodes.push(all.slice(at, start).join(""), this.sentence(sentence, index, all, start, end));
      at = end;
    });
    this.text.replaceChildren(...nodes, all.slice(at).join(""));
  }

  sentence(sentence, index, all, start, end) {
    const parts = [];
    let at = start;
    const isOpen = sentence.verdict === "unsupported", wrong = sentence.claims.filter((one) => !one.ok);
    const hides = (claim) => isOpen && wrong.some((one) => claim.start < one.end && one.start < claim.end);
    const shown = sentence.claims.filter((one) => (one.ok ? !hides(one) : isOpen));
    for (const claim of shown.sort((a, b) => a.start - b.start || b.end - a.end)) {
      if (claim.start < at || claim.end > end) continue;
      parts.push(all.slice(at, claim.start).join(""), make(claim.ok ? "span" : "strong",
        { class: claim.ok ? "claim-ok" : "claim-bad", text: all.slice(claim.start, claim.end).join("") }));
      at = claim.end;
    }
    parts.push(all.slice(at, end).join(""));
    const isFirst = index === Math.max(0, this.selected);
    const element = make("span", { class: "sentence " + sentence.verdict, role: "button",
      tabindex: isFirst ? "0" : "-1", "aria-pressed": String(index === this.selected), data: { index },
      "aria-describedby": sentence.verdict === "unsupported" ? this.issueId(index) : null,
      onclick: () => this.select(index), onfocus: () => this.hover(sentence), onblur: () => this.leave(),
      onmouseenter: () => { if (!this.actions.isHeld()) this.hover(sentence); }, onmouseleave: () => this.leave() }, ...parts);
    return element;
  }

  issueId(index) {
    return `issue-${this.field.id}-${index}`;
  }

  hover(sentence) {
    clearTimeout(this.hovering);
    this.hovering = setTimeout(() => this.actions.showSources(sourcesOf(sentence), { isHeld: false }), hover_ms);
  }

  leave() {
    clearTimeout(this.hovering);
    this.actions.clearSources();
  }

  sentenceElements() {
    return [...this.text.querySelectorAll(".sentence")];
  }

  moveAmongSentences(event) {
    const at = event.target.closest && event.target.closest(".sentence");
    if (!at || isComposing(event) || event.altKey || event.ctrlKey || event.metaKey) return;
    const all = this.sentenceElements(), index = all.indexOf(at);
    const to = { ArrowRight: index + 1, ArrowDown: index + 1, ArrowLeft: index - 1, ArrowUp: index - 1,
      Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Enter" || event.key === " ") this.select(Number(at.dataset.index));
    else if (event.key === "Escape" && this.selected >= 0) this.closeDetail();
    else if (to === undefined) return;
    else if (all[to]) this.focusSentence(to);
    event.preventDefault();
    event.stopPropagation();
  }

  focusSentence(index) {
    this.sentenceElements().forEach((one, i) => { one.tabIndex = i === index ? 0 : -1; });
    const element = this.sentenceElements()[index];
    if (!element) return;
    element.focus();
    element.scrollIntoView({ block: "nearest" });
  }

  select(index) {
    if (this.selected === index) return this.closeDetail();
    this.selected = index;
    this.sentenceElements().forEach((one, i) => one.setAttribute("aria-pressed", String(i === index)));
    const sentence = this.field.sentences[index], sources = sourcesOf(sentence);
    this.actions.selected(this);
    this.actions.showSources(sources, { isHeld: true });
    this.showDetail(sentence, index, sources);
  }

  // The window's lower edge may hide the sentence behind what is said about it.
  keepInSight(index) {
    const box = this.element.parentElement && this.element.parentElement.parentElement, one = this.sentenceElements()[index];
    if (!box || !one || this.detail.hidden) return;
    const over = one.getBoundingClientRect().bottom - this.detail.getBoundingClientRect().top + 4;
    if (over > 0 && this.detail.getBoundingClientRect().top > one.getBoundingClientRect().top) box.scrollTop += over;
  }

  showDetail(sentence, index, sources) {
    const show = (source) => this.actions.showSources([source], { isHeld: true });
    const claims = sentence.claims.slice().sort((a, b) => a.ok - b.ok || a.start - b.start).map((claim) => make("li", { class: claim.ok ? null : "bad" },
      make("span", { "aria-hidden": "true", text: claim.ok ? "✓ " : "✗ " }),
      make("span", { class: "hidden", word: claim.ok ? "claimRight" : "claimWrong" }),
      make("span", { lang: "zh-CN", text: claim.text + (claim.why ? "：" + claim.why : "") })));
    put(this.detail,
      make("p", { class: "detail-head" }, make("strong", { word: "basis", values: { n: index + 1 } }),
        make("button", { class: "quiet small", word: "close", onclick: () => this.closeDetail() })),
      sources.length ? make("ul", { class: "sources", label: "sources" },
        ...sources.map((source) => make("li", {}, sourceButton(source, show))))
        : make("p", { word: "noSource" }),
      claims.length ? make("p", { class: "note", word: "claims" }) : make("p", { class: "note", word: "noClaims" }),
      claims.length ? make("ul", { class: "claims", label: "claims" }, ...claims) : null,
      sentence.reason ? make("p", { lang: "zh-CN" }, make("span", { word: "acceptedBecause" }), sentence.reason) : null);
    this.detail.hidden = false;
    this.detail.scrollTop = 0;
    this.keepInSight(index);
  }

  closeDetail() {
    clearTimeout(this.hovering);
    if (this.selected < 0) return;
    this.selected = -1;
    this.sentenceElements().forEach((one) => one.setAttribute("aria-pressed", "false"));
    this.detail.hidden = true;
    this.actions.clearSources(true);
  }

  showIssues() {
    const list = this.field.state === "writing" ? [] : unsupported(this.field);
    this.issues.replaceChildren(...list.map(({ sentence, index }) => this.issue(sentence, index)));
    this.issues.hidden = list.length === 0;
  }

  issue(sentence, index) {
    const wrong = sentence.claims.filter((claim) => !claim.ok);
    const why = wrong.length ? wrong.map((claim) => `“${claim.text}”${claim.why ? "：" + claim.why : ""}`).join("；") : "";
    const item = make("li", { data: { index } });
    const buttons = make("div", { class: "buttons" });
    const add = (name, run) => buttons.append(make("button", { class: "small", word: name, data: { action: name }, onclick: once(run) }));
    add("showSource", () => {
      if (this.selected !== index) this.select(index);
      this.focusSentence(index);
    });
    if (this.actions.canChange && this.isFree()) {
      add("accept", () => this.askReason(item, sentence, index));
      add("change", () => this.startEdit(sentence));
      if (sentence.suggestion) add("useSource", () => this.replaceSentence(sentence));
    }
    item.append(
      make("p", { id: this.issueId(index) }, make("strong", { class: "bad", word: "unsupported", values: { n: index + 1 } }),
        why ? make("span", { lang: "zh-CN", text: why }) : make("span", { word: "noSource" })),
      ...(sentence.suggestion ? [make("p", { class: "suggestion" }, make("span", { word: "suggestion" }),
        make("q", { lang: "zh-CN", text: sentence.suggestion }))] : []),
      buttons);
    return item;
  }

  askReason(item, sentence, index) {
    const old = item.querySelector(".reason");
    if (old) return old.querySelector("input").focus();
    const form = reasonForm("acceptReason", (reason) => this.actions.accept(this.field.id, index, sentence.text, reason));
    item.append(form);
    form.querySelector("input").focus();
    return undefined;
  }

  replaceSentence(sentence) {
    const all = characters(this.field.text);
    this.actions.edit(this.field.id, all.slice(0, sentence.start).join("") + sentence.suggestion +
      all.slice(sentence.end).join(""));
  }

  // The text in place; with a sentence, that one is chosen. `text`: what was typed before, if not the draft's.
  startEdit(sentence, text = this.field.text) {
    if (this.isEditing()) return this.area.focus();
    if (this.buttons.edit.disabled) return undefined;
    const area = this.area = make("textarea", { rows: Math.min(14, 3 + Math.ceil(text.length / 28)), label: "editText",
      lang: "zh-CN", maxlength: "20000" });
    area.value = text;
    this.editedText = this.field.text;
    area.addEventListener("keydown", (event) => {
      if (isComposing(event)) return;
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.saveEdit();
      else if (event.key === "Escape") this.cancelEdit();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    this.editNote = make("p", { class: "notice", role: "status", hidden: true });
    this.giveUp = make("button", { class: "small", word: "cancel", data: { action: "cancel" }, onclick: () => this.cancelEdit(true) });
    this.editor.replaceChildren(area, this.editNote, make("div", { class: "buttons" },
      make("button", { class: "strong small", word: "save", data: { action: "save" }, onclick: () => this.saveEdit() }), this.giveUp));
    this.editor.hidden = false;
    this.text.hidden = true;
    this.showHead();
    this.actions.editing();
    area.focus();
    if (sentence) {
      const all = characters(this.field.text);
      area.setSelectionRange(all.slice(0, sentence.start).join("").length, all.slice(0, sentence.end).join("").length);
    }
    return undefined;
  }

  // A finished field can be changed while others are still written.
  isFree() {
    return this.field.state === "done" || !this.actions.isRunning();
  }

  isEditing() {
    return !this.editor.hidden;
  }

  // What would be lost with this card.
  unsavedText() {
    return this.isEditing() && this.area.value !== this.editedText ? this.area.value : null;
  }

  tellEditor(name) {
    say(this.editNote, name);
    this.editNote.hidden = false;
  }

  // What the draft says now is overwritten only after the doctor has been told that it is another.
  async saveEdit() {
    const { area } = this;
    if (area.readOnly) return;
    if (this.field.text !== this.editedText) {
      this.editedText = this.field.text;
      this.tellEditor("editedMeanwhile");
      this.diff.hidden = true;
      this.text.hidden = false;
      return;
    }
    area.readOnly = true; // until the answer, so that no word is typed that is not sent
    if (area.value === this.field.text || await this.actions.edit(this.field.id, area.value)) this.endEdit();
    else area.readOnly = false;
  }

  // Escape never throws away what was typed; the button does, when it is pressed again.
  cancelEdit(isButton) {
    if (this.unsavedText() === null || (isButton && this.isGivenUp)) return this.endEdit();
    this.isGivenUp = true;
    this.tellEditor("editUnsaved");
    say(this.giveUp, "giveUp");
    return undefined;
  }

  endEdit() {
    this.isGivenUp = false;
    this.editor.hidden = true;
    this.editor.replaceChildren();
    this.text.hidden = false;
    this.showHead();
    this.actions.editing();
    this.buttons.edit.focus();
  }

  toggleDiff() {
    this.diff.hidden = !this.diff.hidden;
    this.buttons.diff.setAttribute("aria-expanded", String(!this.diff.hidden));
    if (!this.diff.hidden) this.showDiff();
  }

  showDiff() {
    const form = this.actions.formText(this.field.id) || "";
    const parts = difference(form, this.field.text);
    if (!parts.some((part) => part.kind !== "same")) {
      this.diff.replaceChildren(make("p", { word: "noDifference" }));
      return;
    }
    const tags = { same: "span", gone: "del", new: "ins" };
    this.diff.replaceChildren(make("p", { class: "note", word: "diffLegend" }),
      make("p", { class: "draft-text" }, ...parts.map((part) => make(tags[part.kind], { text: part.text }))));
  }

  async copy() {
    if (this.isCopying) return;
    this.isCopying = true;
    const isAllowed = !this.actions.beforeCopy || await this.actions.beforeCopy(this.field.id);
    this.isCopying = false;
    if (!isAllowed) return;
    const isDone = await copyText(this.field.text);
    say(this.buttons.copy, isDone ? "copied" : "copyFailed");
    setTimeout(() => say(this.buttons.copy, "copy"), 1500);
  }
}
