// SPDX-License-Identifier: Apache-2.0
// Ties the page together: buttons, keys, the key dialog, the language.
import * as chat from "/page/chat.js";
import * as machine from "/page/machine.js";
import { hasKey, setKey } from "/page/server.js";
import { fill, otherLanguage, switchLanguage, word } from "/page/words.js";

const by = (id) => document.getElementById(id);
const input = by("input"), sendButton = by("send"), stopButton = by("stop");
const alertBox = by("alert"), dialog = by("keyDialog"), keyInput = by("keyInput");
const system = by("system");

function showAlert(text) {
  alertBox.textContent = text;
  alertBox.hidden = !text;
}

function showWords() {
  fill(document);
  const button = by("language");
  button.textContent = word("other");
  button.lang = otherLanguage();
}

function setBusy(busy) {
  sendButton.disabled = busy;
  stopButton.disabled = !busy;
}

function number(id) {
  const value = by(id).value.trim();
  return value === "" ? undefined : Number(value);
}

// What the form says; fields without a value are left to the server.
function fields() {
  const made = {
    model: machine.modelName(), temperature: number("temperature"),
    max_completion_tokens: number("maxTokens"), seed: number("seed"),
  };
  for (const name of Object.keys(made)) if (made[name] === undefined) delete made[name];
  return made;
}

function askForKey() {
  by("key").hidden = false;
  if (!dialog.open) dialog.showModal();
  keyInput.focus();
}

async function send() {
  const text = input.value;
  if (chat.isBusy() || !text.trim()) return;
  showAlert("");
  by("welcome").hidden = true;
  input.value = "";
  setBusy(true);
  const problem = await chat.send(text, { system: system.value.trim(), fields: fields() });
  setBusy(false);
  if (problem && problem.status !== -2 && !by("log").lastElementChild) by("welcome").hidden = false;
  if (problem && problem.status !== -2 && !input.value) input.value = text; // not lost
  if (problem && (problem.status === 401 || problem.status === 403)) {
    showAlert(hasKey() ? word("badKey") : word("keyText"));
    askForKey();
    return;
  }
  if (problem && problem.status === 0) showAlert(word("lost"));
  else if (problem && problem.status !== -1)
    showAlert(problem.status === -2 ? problem.message : word("noAnswer") + problem.message);
  input.focus();
}

function newChat() {
  chat.reset();
  showAlert("");
  by("welcome").hidden = false;
  input.focus();
}

by("form").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});

// Enter while an input method composes chooses a character; it must never send.
input.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  send();
});

document.addEventListener("keydown", (event) => {
  if (event.isComposing || dialog.open) return;
  if (event.key === "Escape") chat.stop();
  if (event.altKey && event.code === "KeyN") {
    event.preventDefault();
    newChat();
  }
});

stopButton.addEventListener("click", chat.stop);
by("new").addEventListener("click", newChat);
by("key").addEventListener("click", askForKey);
by("language").addEventListener("click", () => {
  switchLanguage();
  showWords();
  chat.showAgain();
  machine.showAgain();
});

dialog.addEventListener("close", async () => {
  if (dialog.returnValue === "use") setKey(keyInput.value);
  if (dialog.returnValue === "forget") setKey("");
  keyInput.value = "";
  dialog.returnValue = "";
  showAlert("");
  await machine.refresh();
  input.focus();
});

showWords();
input.focus();
machine.watch(() => {
  if (!machine.needsKey()) return;
  by("key").hidden = false;
});
