// SPDX-License-Identifier: Apache-2.0
// One patient's record: documents left, form in the middle, draft window right. All of it belongs to
// one episode; close() empties the page before another patient is asked for.
import { DocumentsPane, allergyLine, patientLine } from "/clinic/ui/documents-pane.js";
import { draftToOpen } from "/clinic/ui/draft-state.js";
import { DraftWindow } from "/clinic/ui/draft-window.js";
import { make, put } from "/clinic/ui/elements.js";
import { RecordForm } from "/clinic/ui/record-form.js";
import { ServerError, get, path, post } from "/clinic/ui/clinic-server.js";
import { word } from "/clinic/ui/clinic-words.js";

export class Workspace {
  // me: answer of /me; refuse(problem): shows what the server said
  constructor(me, refuse) {
    this.me = me;
    this.refuse = refuse;
    this.isClosed = false;
    this.documents = new DocumentsPane();
    this.patient = make("p", { class: "patient", lang: "zh-CN" });
    this.allergies = make("strong", { class: "allergies", lang: "zh-CN" });
    this.templates = make("select", { label: "template", onchange: () => this.openTemplate(this.templates.value) },
      ...me.templates.map((one) => make("option", { value: one.id, lang: "zh-CN", text: one.name })));
    this.panes = make("div", { class: "panes" });
    this.element = make("div", { class: "workspace" },
      make("div", { class: "patient-bar" }, this.patient, this.allergies, this.templates), this.panes);
    this.element.addEventListener("resized", () => this.form && this.form.growAll());
  }

  async open(id) {
    this.id = id;
    const answer = await get(path.episode(id));
    if (this.isClosed) return;
    this.episode = answer.episode;
    this.drafts = answer.drafts || [];
    this.patient.textContent = patientLine(this.episode, answer.age_years);
    this.allergies.textContent = allergyLine(this.episode);
    document.title = `杏林 · ${this.episode.patient.name}`;
    this.documents.show(this.episode);
    await this.openTemplate(this.me.templates[0].id);
  }

  get isDoctor() {
    return this.me.user.role === "doctor";
  }

  async openTemplate(template) {
    this.closeTemplate();
    const name = this.me.templates.find((one) => one.id === template).name;
    const form = this.form = new RecordForm({ episode: this.id, template, templateName: name, canType: this.isDoctor,
      label: this.me.label, refuse: this.refuse,
      nameOf: (user) => (user === this.me.user.name && this.me.user.display) || user || "", changed: () => this.draft && this.draft.showForm() });
    const draft = this.draft = this.draftWindow(template, name, form);
    form.generateButton.addEventListener("click", () => draft.generate());
    put(this.panes, this.documents.element, form.element, draft.element, draft.launcher);
    draft.element.hidden = true;
    draft.launcher.hidden = false;
    const current = await get(path.form(this.id, template));
    if (this.draft !== draft) return;
    form.show(current);
    const last = draftToOpen(this.drafts, template, this.me.user.name);
    if (!last) return;
    draft.restore();
    await draft.open(last.id);
  }

  draftWindow(template, templateName, form) {
    const { me } = this;
    return new DraftWindow({
      episode: this.id, user: me.user.name, template, templateName, label: me.label, canDraft: this.isDoctor, canFill: this.isDoctor,
      isModelOff: me.model.state === "off", isAlone: false,
      formText: (id) => form.text(id),
      isTyped: (id) => form.isTyped(id),
      fill: async (draft, ids, revisions) => {
        const unsaved = await form.settle(ids);
        if (unsaved.length) throw new ServerError(409, word("notSavedYet", { names: unsaved.join("、") }));
        const answer = await post(path.draft(draft.id, "fill"), { fields: ids, versions: form.versions(ids), revisions });
        form.show(answer.form);
        const first = form.rows.get(ids[0]);
        if (first) first.area.scrollIntoView({ block: "nearest" });
      },
      changed: (whole) => form.show(whole),
      showSources: (sources, how) => this.documents.showSources(sources, how),
      clearSources: (isHeld) => this.documents.clearSources(isHeld),
      stateChanged: (isRunning) => { form.generateButton.disabled = isRunning; },
    });
  }

  closeTemplate() {
    if (this.draft) this.draft.close();
    const saved = this.form ? this.form.close() : null;
    this.draft = this.form = null;
    this.panes.replaceChildren();
    return saved;
  }

  close() {
    this.isClosed = true;
    const saved = this.closeTemplate();
    this.documents.clear();
    this.patient.textContent = this.allergies.textContent = "";
    this.element.replaceChildren();
    this.element.remove();
    document.title = "杏林 Xinglin";
    return saved;
  }
}
