// SPDX-License-Identifier: Apache-2.0
// The draft window alone, inside a host. Launched by a signed token after #; a new token there is
// another patient: everything of the one before leaves the page first. The session lives in memory.
import { draftToOpen, revisionsOf } from "/clinic/ui/draft-state.js";
import { DraftWindow } from "/clinic/ui/draft-window.js";
import { make, put, say, sayAgain, tell } from "/clinic/ui/elements.js";
import { HostMessages, HostRefusal } from "/clinic/ui/messaging.js";
import { ServerError, get, onSignedOut, path, post, setSession } from "/clinic/ui/clinic-server.js";
import { keepEditsFor } from "/clinic/ui/kept-edits.js";
import "/clinic/ui/plain-input.js";
import { watchSession } from "/clinic/ui/session-clock.js";
import { listenForShortcuts, setShortcuts } from "/clinic/ui/shortcuts.js";
import { switchLanguage, word } from "/clinic/ui/clinic-words.js";

const by = (id) => document.getElementById(id);
const main = by("view"), alertBox = by("alert");
let visit = null; // of one launch: {draft, host, form, seen, sources}

function showAlert(text) {
  alertBox.textContent = text;
  alertBox.hidden = !text;
}

function leave() {
  if (!visit) return;
  if (visit.draft) visit.draft.close();
  if (visit.host) visit.host.close();
  visit = null;
  watchSession(null);
  setSession("");
  put(main);
  by("who").textContent = "杏林";
  by("finish").hidden = true;
  tell(by("hostState"), "");
}

// Nobody has used the window for too long: the patient does not stay on the screen.
function endSession() {
  post("logout", {}).catch(() => {});
  leave();
  showAlert(word("launchOver"));
}

async function findHost(one, messaging) {
  if (!messaging || !messaging.origin || window.parent === window) return;
  const host = new HostMessages(messaging);
  one.host = host;
  if (await host.handshake()) one.seen = await host.read().catch(() => null);
  if (!one.seen) {
    host.close();
    one.host = null;
  }
}

// What the host's form has now; false if the doctor has changed one of the fields since it was shown.
async function readAgain(one, ids) {
  const now = await one.host.read();
  const isChanged = ids.some((id) => now && now[id] !== one.seen[id]);
  one.seen = now || one.seen;
  return !isChanged;
}

function versions(one, ids) {
  return Object.fromEntries(ids.map((id) => [id, (one.form.fields.find((field) => field.id === id) || { version: 0 }).version]));
}

// Whether the host's form holds something else than what was filled in from here.
function isTyped(one, id) {
  const inHost = (one.seen && one.seen[id]) || "", field = one.form && one.form.fields.find((each) => each.id === id);
  return inHost.trim() !== "" && !(field && field.from === "draft" && field.text === inHost);
}

async function takeBack(one, ids) {
  for (const id of ids) {
    const answer = await post(path.form(one.episode, one.template, "undo"), { field: id, version: versions(one, [id])[id] });
    one.form = answer.form || answer;
  }
}

// The server checks and writes it down first; what the host then refuses is taken back there.
async function fill(one, draft, ids, revisions = revisionsOf(draft, ids)) {
  if (one.host && !(await readAgain(one, ids))) {
    one.draft.showForm();
    throw new ServerError(409, word("formChanged"));
  }
  one.form = await get(path.form(one.episode, one.template));
  const answer = await post(path.draft(draft.id, "fill"), { fields: ids, versions: versions(one, ids), revisions });
  one.form = answer.form;
  const fields = one.form.fields.filter((field) => ids.includes(field.id))
    .map(({ id, name, text }) => ({ id, name, text, was: (one.seen && one.seen[id]) || "" }));
  if (!one.host) return;
  try {
    await one.host.update(fields);
  } catch (problem) {
    await takeBack(one, ids);
    if (!(problem instanceof HostRefusal)) throw problem;
    throw new ServerError(409, problem.message === "silent" ? word("hostSilent") : word("hostRefused", { why: problem.message }));
  }
  for (const field of fields) one.seen[field.id] = field.text;
}

function showSources(one, sources) {
  put(one.sources, ...sources.filter((source) => source.quote).map((source) => make("p", { lang: "zh-CN" },
    make("strong", { text: source.label }), " ", make("q", { text: source.quote }))));
}

async function launch() {
  leave();
  showAlert("");
  const token = new URLSearchParams(location.hash.slice(1)).get("launch");
  if (!token) return showAlert(word("noLaunch"));
  const one = visit = { sources: make("div", { class: "embed-sources", "aria-live": "polite" }), seen: null };
  try {
    const answer = await post("launch", { token });
    if (visit !== one) return undefined;
    setSession(answer.session);
    one.episode = answer.episode;
    one.template = answer.template || "discharge-record";
    one.me = await get("me");
    keepEditsFor(one.me.user.name);
    watchSession({ seconds: one.me.session_seconds, end: endSession, stay: () => get("me").catch(() => {}) });
    await findHost(one, answer.messaging);
    if (visit !== one) return one.host && one.host.close();
    await show(one, answer);
  } catch (problem) {
    if (visit !== one || problem.name === "AbortError") return undefined;
    if (problem.status === undefined) throw problem;
    showAlert(problem.status === 0 ? word("lost") : problem.message);
  }
  return undefined;
}

async function show(one, answer) {
  const { me } = one, template = me.templates.find((each) => each.id === one.template) || { name: one.template };
  const isDoctor = answer.user.role === "doctor";
  one.draft = new DraftWindow({
    episode: one.episode, user: me.user.name, template: one.template, templateName: template.name, label: me.label, isAlone: true,
    canDraft: isDoctor, canFill: isDoctor && Boolean(one.host), isModelOff: me.model.state === "off",
    formText: (id) => (one.seen ? one.seen[id] || "" : null),
    isTyped: (id) => isTyped(one, id),
    fill: (draft, ids, revisions) => fill(one, draft, ids, revisions),
    beforeCopy: one.host || !isDoctor ? null : (draft, id) => fill(one, draft, [id]),
    changed: () => {}, showSources: (sources) => showSources(one, sources), clearSources: () => put(one.sources),
  });
  say(by("hostState"), one.host ? "hostFound" : "hostMissing");
  by("finish").hidden = !one.host;
  put(main, one.draft.element, one.sources);
  const [{ episode, drafts, age_years: age }, form] = await Promise.all([get(path.episode(one.episode)), get(path.form(one.episode, one.template))]);
  if (visit !== one) return;
  one.form = one.form || form;
  by("who").textContent = [episode.patient.name, episode.patient.sex, age >= 0 && age + "岁",
    episode.encounter.bed && episode.encounter.bed + "床"]
    .filter(Boolean).join(" · ");
  setShortcuts([{ keys: "Alt+G", word: "keyGenerate", run: () => one.draft.generate() },
    { keys: "Esc", word: "stop", run: () => one.draft.stop() },
    { keys: "Alt+N", word: "keyNext", run: () => one.draft.nextIssue() }]);
  const last = draftToOpen(drafts, one.template, me.user.name);
  if (last) await one.draft.open(last.id);
}

function showWords() {
  sayAgain(document);
  say(by("language"), "otherLanguage");
  by("language").lang = word("otherLanguageCode");
}

by("language").addEventListener("click", () => { switchLanguage(); showWords(); });
by("finish").addEventListener("click", async () => {
  const host = visit && visit.host;
  if (!host) return;
  await host.done();
  leave();
});
onSignedOut(() => { leave(); showAlert(word("launchOver")); });
window.addEventListener("hashchange", launch);
listenForShortcuts();
showWords();
launch();
