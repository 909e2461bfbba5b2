// SPDX-License-Identifier: Apache-2.0
// Sources as buttons, reasons as a small form, and the lists of what a draft may have left out and
// of what the record itself contradicts.
import { isComposing, make, once, say } from "/clinic/ui/elements.js";

function sourceKey(source) {
  return [source.kind, source.id, source.section, source.start, source.end].join("|");
}

// Everything that a sentence rests on: its own sources and those of its right claims, once each.
export function sourcesOf(sentence) {
  const all = [...(sentence.sources || []), ...(sentence.claims || []).map((claim) => claim.source)];
  const seen = new Map(all.filter(Boolean).map((source) => [sourceKey(source), source]));
  return [...seen.values()];
}

export function sourceButton(source, show) {
  return make("button", { class: "source-button", lang: "zh-CN", onclick: () => show(source) },
    make("span", { class: "source-label", text: source.label || source.id }),
    source.quote && source.quote !== source.label ? make("span", { class: "source-quote", text: source.quote }) : null);
}

// Asks why; calls `decide` with the reason. Nothing is decided without one.
export function reasonForm(wordName, decide) {
  const input = make("input", { label: wordName, hint: wordName, maxlength: "200", required: true });
  const form = make("form", { class: "reason" }, input,
    make("button", { class: "strong small", word: "confirm", onclick: () => submit() }),
    make("button", { class: "small", word: "cancel", onclick: () => form.remove() }));
  function submit() {
    const reason = input.value.trim();
    if (reason) decide(reason);
    else input.focus();
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("keydown", (event) => {
    if (isComposing(event)) return;
    if (event.key === "Escape") form.remove();
    else if (event.key === "Enter") submit();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return form;
}

function omissionItem(omission, draft, actions) {
  const field = draft.fields.find((one) => one.id === omission.field);
  const item = make("li", { data: { omission: omission.id, state: omission.state } });
  const isOpen = omission.state === "open";
  item.append(make("p", {},
    make("span", { class: omission.need === "must" ? "chip wait" : "chip", word: "need_" + omission.need }),
    make("span", { class: "chip", word: "class_" + omission.class }),
    make("strong", { lang: "zh-CN", text: omission.text })));
  if (!isOpen) {
    item.append(make("p", { class: "note", word: "omission_" + omission.state }));
    return item;
  }
  item.append(
    make("p", { class: "suggestion" }, make("span", { word: "wouldInsert" }),
      make("strong", { lang: "zh-CN", text: (field ? field.name : omission.field) + " " }),
      make("q", { lang: "zh-CN", text: omission.sentence })),
    make("div", { class: "sources" }, ...(omission.sources || []).map((one) =>
      sourceButton(one, (source) => actions.showSources([source], { isHeld: true })))));
  if (actions.canChange) {
    const dismiss = () => {
      if (item.querySelector(".reason")) return;
      item.append(reasonForm("dismissReason", (reason) => actions.dismiss(omission.id, reason)));
      item.querySelector(".reason input").focus();
    };
    item.append(make("div", { class: "buttons" },
      make("button", { class: "strong small", word: "insert", data: { action: "insert" }, onclick: once(() => actions.insert(omission.id)) }),
      make("button", { class: "small", word: "dismiss", data: { action: "dismiss" }, onclick: dismiss })));
  }
  return item;
}

// How many that must be told, and how many that may be, wait for a decision.
export function openOmissions(draft) {
  const open = (draft.omissions || []).filter((one) => one.state === "open");
  const must = open.filter((one) => one.need === "must").length;
  return { must, may: open.length - must };
}

// A list that is as it was stays as it is, with the reason that is being written in it.
function isShown(section, list, canChange) {
  const now = JSON.stringify([list, canChange]), isSame = section.seen === now;
  section.seen = now;
  return isSame;
}

// What must be told is shown; what may be is folded, so that it does not hide the other.
export function showOmissions(section, draft, actions) {
  if (isShown(section, draft.omissions || [], actions.canChange)) return;
  const list = draft.omissions || [], { must, may } = openOmissions(draft), box = section.querySelector("details");
  const rank = (one) => (one.state === "open" ? 0 : 1);
  const items = (need) => list.filter((one) => (one.need === "must") === need).sort((a, b) => rank(a) - rank(b))
    .map((one) => omissionItem(one, draft, actions));
  section.hidden = list.length === 0;
  say(section.querySelector("summary"), must ? "omissions" : "noOmissions", { n: must });
  section.querySelector("ul").replaceChildren(...items(true));
  say(box.querySelector("summary"), "mayOmissions", { n: may });
  box.querySelector("ul").replaceChildren(...items(false));
  box.hidden = box.querySelector("li") === null;
}

export function showConflicts(section, conflicts, actions) {
  if (isShown(section, conflicts || [], false)) return;
  section.hidden = !conflicts || conflicts.length === 0;
  say(section.querySelector("summary"), "conflicts", { n: (conflicts || []).length });
  section.querySelector("ul").replaceChildren(...(conflicts || []).map((conflict) => make("li", { data: { conflict: conflict.id } },
    make("p", {}, make("span", { class: "chip bad", word: "severity_" + conflict.severity }),
      make("span", { lang: "zh-CN", text: conflict.text })),
    make("div", { class: "sources" }, ...(conflict.sources || []).map((one) =>
      sourceButton(one, (source) => actions.showSources([source], { isHeld: true })))))));
}

export function listSection(name) {
  const folded = name === "omissions" ? make("details", { class: "may" }, make("summary", {}), make("ul", { class: "findings" })) : null;
  return make("details", { class: "list-section " + name, open: true, hidden: true }, make("summary", {}),
    make("ul", { class: "findings" }), folded);
}
