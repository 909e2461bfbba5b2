// SPDX-License-Identifier: Apache-2.0
// Makes elements. Text becomes text nodes and nothing else, so nothing in a record can run. Words
// of the page are named, not written: the language can change under everything that is shown.
import { currentLanguage, word } from "/clinic/ui/clinic-words.js";

// What a named word may be put into, by the data attribute that remembers it.
const places = {
  word: (element, text) => { element.textContent = text; },
  label: (element, text) => { element.setAttribute("aria-label", text); },
  hint: (element, text) => { element.placeholder = text; },
  tip: (element, text) => { element.title = text; },
};

function show(element, place) {
  const values = element.dataset[place + "Values"];
  places[place](element, word(element.dataset[place], values ? JSON.parse(values) : {}));
}

// Puts a named word into an element; values replace its {names}.
export function say(element, name, values, place = "word") {
  element.dataset[place] = name;
  if (values) element.dataset[place + "Values"] = JSON.stringify(values);
  else delete element.dataset[place + "Values"];
  show(element, place);
}

// Text that is data: it stays as it is when the language changes.
export function tell(element, text) {
  delete element.dataset.word;
  element.textContent = text;
}

// After a change of language, and once for what index.html itself holds.
export function sayAgain(root) {
  document.documentElement.lang = currentLanguage() === "zh" ? "zh-CN" : "en";
  for (const place of Object.keys(places))
    for (const element of root.querySelectorAll(`[data-${place}]`)) show(element, place);
}

function setOption(element, name, value, values) {
  if (value === undefined || value === null || value === false) return;
  if (name in places) say(element, value, values, name);
  else if (name === "text") element.textContent = value;
  else if (name === "class") element.className = value;
  else if (name === "data") Object.assign(element.dataset, value);
  else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else element.setAttribute(name, value === true ? "" : String(value));
}

// make("button", {class, word, values, label, hint, tip, text, data, onclick, …attributes}, …children)
export function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  if (tag === "button") element.type = "button";
  for (const [name, value] of Object.entries(options))
    if (name !== "values") setOption(element, name, value, options.values);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// A listener for which a double click is one click: the second one may meet what the first has moved.
export function once(run) {
  return (event) => { if (event.detail < 2) run(event); };
}

// In place of what an element holds; what is null is left out.
export function put(element, ...children) {
  element.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
}

// Enter, Escape and shortcuts must do nothing while an input method composes.
export function isComposing(event) {
  return event.isComposing || event.keyCode === 229;
}

// Offsets from the server count Unicode characters; JavaScript's count halves of some of them.
export function characters(text) {
  return Array.from(text);
}

// "2025-11-03T09:40:00+08:00" as the hospital's clock says it, not as this computer's would; times
// of the server itself ("…Z") as this computer's clock says them.
export function dateTime(text, hasSeconds = false) {
  if (!text) return "";
  if (!text.endsWith("Z")) return text.slice(0, hasSeconds ? 19 : 16).replace("T", " ");
  const at = new Date(text), two = (n) => String(n).padStart(2, "0"), seconds = hasSeconds ? ":" + two(at.getSeconds()) : "";
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}${seconds}`;
}

export function dateOnly(text) {
  return text ? text.slice(0, 10) : "";
}

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch (problem) { // http:// of another host has no clipboard
    const before = document.activeElement;
    const area = make("textarea", { class: "hidden", label: "copy" });
    area.value = text;
    document.body.append(area);
    area.select();
    const isDone = document.execCommand("copy");
    area.remove();
    if (before) before.focus();
    return isDone;
  }
}
