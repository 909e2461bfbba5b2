// SPDX-License-Identifier: Apache-2.0
// The whole site: who is signed in, which view is shown. Addresses after # hold opaque ids only.
import { AuditView } from "/clinic/ui/audit-view.js";
import { make, put, say, sayAgain, tell } from "/clinic/ui/elements.js";
import { ListView } from "/clinic/ui/list-view.js";
import { LoginView } from "/clinic/ui/login-view.js";
import { get, onSignedOut, post } from "/clinic/ui/clinic-server.js";
import { keepEditsFor } from "/clinic/ui/kept-edits.js";
import "/clinic/ui/plain-input.js";
import { watchSession } from "/clinic/ui/session-clock.js";
import { listenForShortcuts, setShortcuts, showHelp } from "/clinic/ui/shortcuts.js";
import { switchLanguage, word } from "/clinic/ui/clinic-words.js";
import { UsersView } from "/clinic/ui/users-view.js";
import { Workspace } from "/clinic/ui/workspace.js";

const by = (id) => document.getElementById(id);
const main = by("view"), alertBox = by("alert"), helpDialog = by("helpDialog");
let me = null, view = null, shown = 0;

function showAlert(text) {
  alertBox.textContent = text;
  alertBox.hidden = !text;
}

// With nothing: what was refused is well again.
function refuse(problem) {
  if (!problem) return showAlert("");
  if (problem.name === "AbortError" || problem.status === 401) return undefined;
  if (problem.status === undefined) throw problem;
  return showAlert(problem.status === 0 ? word(problem.isTyped ? "lostTyped" : "lost") : problem.message);
}

const sees = {
  patients: () => ["doctor", "qc"].includes(me.user.role),
  audit: () => ["auditor", "admin"].includes(me.user.role),
  users: () => me.user.role === "admin",
};

// What was shown is taken off the page before anything else is asked for. What was typed there and is
// being saved yet is what the answer waits for.
function leave() {
  shown++;
  const saved = view ? view.close() : null;
  view = null;
  setShortcuts([]);
  main.replaceChildren();
  showAlert("");
  return saved;
}

function enter(next, name) {
  view = next;
  main.dataset.view = name;
  put(main, view.element);
  setShortcuts([...keysOf(name), { keys: "?", word: "keyHelp", run: () => showHelp(helpDialog) }]);
}

function keysOf(name) {
  const focus = (selector) => () => { const element = main.querySelector(selector); if (element) element.focus(); };
  const draft = (run) => () => view.draft && run(view.draft);
  const card = (run) => draft((one) => { const at = one.focusedCard(); if (at) run(at); });
  const press = (action) => card((at) => { if (!at.buttons[action].disabled && !at.buttons[action].hidden) at.buttons[action].click(); });
  const places = [{ keys: "Alt+P", word: "keyPatients", run: () => { location.hash = "#/patients"; } }];
  if (name === "patients") return [{ keys: "Alt+S", word: "keySearch", run: focus("#search") }];
  if (name !== "episode") return places;
  return [...places,
    { keys: "Alt+G", word: "keyGenerate", run: draft((one) => one.generate()) },
    { keys: "Esc", word: "keyStop", run: draft((one) => one.stop()) },
    { keys: "Alt+M", word: "keyMinimise", run: draft((one) => (one.element.hidden ? one.restore() : one.minimise())) },
    { keys: "Alt+1", word: "documents", run: focus(".documents") },
    { keys: "Alt+2", word: "recordForm", run: focus(".record-form") },
    { keys: "Alt+3", word: "draftWindow", run: draft((one) => { one.restore(); one.element.focus(); }) },
    { keys: "Alt+N", word: "keyNext", run: draft((one) => one.nextIssue()) },
    { keys: "Alt+B", word: "keyBack", run: () => view.documents.goBack() },
    { keys: "Alt+H", word: "keyFill", run: press("fill") },
    { keys: "Alt+A", word: "fillAll", run: draft((one) => { if (!one.fillAllButton.disabled) one.fillAllButton.click(); }) },
    { keys: "Alt+E", word: "keyEdit", run: press("edit") },
    { keys: "Alt+R", word: "keyRegenerate", run: press("regenerate") },
    { keys: "Alt+L", word: "keyLock", run: press("lock") },
    { keys: "Alt+C", word: "keyDiff", run: press("diff") }];
}

async function showPlace() {
  if (!me) return undefined;
  leave();
  const mine = shown, match = /^#\/(patients|audit|users|episode)(?:\/(.+))?$/.exec(location.hash);
  const name = match ? match[1] : ["patients", "users", "audit"].find((place) => sees[place]());
  showPlaces(name);
  if (!sees[name === "episode" ? "patients" : name]()) return showAlert(word("notAllowed"));
  if (name === "audit" || name === "users") {
    enter(name === "audit" ? new AuditView(refuse) : new UsersView(refuse), name);
    return view.load();
  }
  if (name !== "episode") {
    enter(new ListView(me, refuse), "patients");
    view.text.focus();
    return view.load();
  }
  enter(new Workspace(me, refuse), "episode");
  try {
    await view.open(decodeURIComponent(match[2]));
  } catch (problem) {
    if (mine === shown) refuse(problem);
  }
  return undefined;
}

function showPlaces(name) {
  const link = (place) => make("a", { href: "#/" + place, word: place, "aria-current": place === name ? "page" : null });
  put(by("places"), ...Object.keys(sees).filter((place) => sees[place]()).map(link));
}

function showLogin(message) {
  const saved = leave();
  watchSession(null);
  me = null;
  put(by("places"));
  by("who").textContent = by("modelState").textContent = "";
  by("logout").hidden = true;
  enter(new LoginView(start), "login");
  view.user.focus();
  if (message) showAlert(word(message));
  return saved;
}

async function start() {
  try {
    me = await get("me");
  } catch (problem) {
    if (problem.status === 401) return showLogin("");
    showLogin("");
    return refuse(problem);
  }
  watchSession({ seconds: me.session_seconds, end: () => signOut("timedOut"), stay: () => get("me").catch(() => {}) });
  keepEditsFor(me.user.name);
  tell(by("who"), me.user.display || me.user.name);
  by("logout").hidden = false;
  showModel(me);
  return showPlace();
}

// A model that is still loading is asked for again until it is there.
function showModel(of) {
  say(by("modelState"), "model_" + of.model.state, { name: of.model.name || "" });
  if (of.model.state !== "loading") return;
  setTimeout(async () => {
    if (me !== of) return;
    try {
      me.model = (await get("me")).model;
      if (me === of) showModel(me);
    } catch (problem) {
      // It says so by itself when it is asked for something.
    }
  }, 2000);
}

function signOut(message) {
  if (!me) return;
  const saved = showLogin(message);
  if (!message) keepEditsFor(""); // who goes on purpose leaves nothing in the page
  view.waitsFor = endSession(saved); // or it would end the session of who signs in next
}

// What was typed last is saved while there is a session.
async function endSession(saved) {
  try {
    await saved;
    await post("logout", {});
  } catch (problem) {
    // The session is over either way; the page shows nothing any more.
  }
}

function showWords() {
  document.title = "杏林 Xinglin";
  sayAgain(document);
  const button = by("language");
  say(button, "otherLanguage");
  button.lang = word("otherLanguageCode");
}

onSignedOut(() => { if (me) showLogin("timedOut"); });
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address stays the place that is shown
  main.focus();
});
by("logout").addEventListener("click", () => {
  history.replaceState(null, "", location.pathname); // whoever is next begins at the beginning
  signOut("");
});
by("help").addEventListener("click", () => showHelp(helpDialog));
by("language").addEventListener("click", () => { switchLanguage(); showWords(); });
window.addEventListener("hashchange", showPlace);
listenForShortcuts();
showWords();
start();
