// SPDX-License-Identifier: Apache-2.0
// Keys of the pages. All but ? and Escape need Alt, so that none is pressed while writing; none
// acts while an input method composes or a dialog is open.
import { isComposing, make, put } from "/clinic/ui/elements.js";

let current = [];

// [{keys: "Alt+G", word, run}]; of the view that is shown.
export function setShortcuts(list) {
  current = list;
}

function isWriting(element) {
  return Boolean(element && element.closest("input, textarea, select"));
}

function pressed(event) {
  if (event.key === "Escape") return "Esc";
  if (event.key === "?" && !isWriting(event.target)) return "?";
  if (!event.altKey || event.ctrlKey || event.metaKey) return "";
  const name = /^(Key|Digit)(.)$/.exec(event.code);
  return name ? "Alt+" + name[2] : "";
}

export function listenForShortcuts() {
  document.addEventListener("keydown", (event) => {
    if (isComposing(event) || document.querySelector("dialog[open]")) return;
    const keys = pressed(event);
    const found = keys && current.find((one) => one.keys === keys);
    if (!found) return;
    event.preventDefault();
    found.run();
  });
}

function legend() {
  const row = (style, meaning) => make("div", {}, make("dt", {}, make("span", { class: style, word: "sampleText" })), make("dd", { word: meaning }));
  return make("dl", { class: "keys legend" }, row("sentence unsupported", "legendUnsupported"), row("sentence accepted", "legendAccepted"),
    row("claim-ok shown", "legendClaim"));
}

export function showHelp(dialog) {
  const fixed = [["← →", "keySentences"], ["Enter", "keySource"], ["Ctrl+Enter", "keySave"]];
  const row = ([keys, word]) => make("div", {}, make("dt", {}, make("kbd", { text: keys })), make("dd", { word }));
  const hasDraft = current.some((one) => one.word === "keyNext");
  put(dialog, make("h2", { id: "helpTitle", word: "helpTitle" }),
    make("dl", { class: "keys" }, ...[...current.map((one) => [one.keys, one.word]), ...(hasDraft ? fixed : [])].map(row)),
    hasDraft ? make("h3", { word: "legend" }) : null, hasDraft ? legend() : null,
    make("div", { class: "buttons" }, make("button", { class: "strong", word: "close", onclick: () => dialog.close() })));
  dialog.showModal();
}
