// SPDX-License-Identifier: Apache-2.0
// A host EMR in miniature, for tests and demonstrations: a form, a log of what was filled, and the
// bridge. After #: the episode, "silent" (a host that answers nothing) and the draft server's
// address if it is another.
import { make } from "/clinic/ui/elements.js";

const names = [["admit_date", "入院日期"], ["discharge_date", "出院日期"], ["stay_days", "住院天数"],
  ["admission_diagnoses", "入院诊断"], ["discharge_diagnoses", "出院诊断"], ["admission_condition", "入院情况"],
  ["course", "诊疗经过"], ["discharge_condition", "出院情况"], ["discharge_orders", "出院医嘱"]];
const by = (id) => document.getElementById(id);
const wanted = new URLSearchParams(location.hash.slice(1));
const server = wanted.get("server") || location.origin;
const areas = {};
let bridge = null;

window.mockHost = { received: [], refuse: null, isDone: false };

for (const [id, name] of names) {
  const area = areas[id] = make("textarea", { id: "host-" + id, rows: "2" });
  by("fields").append(make("div", { class: "form-row" }, make("label", { for: area.id, text: name }), area));
}

function read() {
  return Object.fromEntries(Object.entries(areas).map(([id, area]) => [id, area.value]));
}

function fill(field, text) {
  if (window.mockHost.refuse === field) return "这一栏已锁定";
  window.mockHost.received.push({ field, text });
  areas[field].value = text;
  areas[field].style.height = Math.min(areas[field].scrollHeight, 300) + "px";
  by("hostMessage").textContent = "已收到：" + names.find(([id]) => id === field)[1];
  return true;
}

async function token(episode, handle) {
  const response = await fetch("/clinic/mock-host/launch", {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ episode, template: "discharge-record", origin: location.origin, handle }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error.message);
  return answer.token;
}

// Opens the window for a patient, or takes it to another.
async function open() {
  const episode = by("episode").value.trim(), handle = crypto.getRandomValues(new Uint32Array(4)).join("-");
  try {
    const signed = await token(episode, handle);
    for (const area of Object.values(areas)) area.value = "";
    window.mockHost.received = [];
    window.mockHost.isDone = false;
    if (bridge) return bridge.launch(signed, wanted.has("silent") ? "none" : handle);
    bridge = window.XinglinBridge.open({ parent: by("frame"), url: server + "/clinic/embed", token: signed,
      handle: wanted.has("silent") ? "none" : handle, read, fill, done: finish });
  } catch (problem) {
    by("hostMessage").textContent = problem.message;
  }
  return undefined;
}

function finish() {
  window.mockHost.isDone = true;
  by("hostMessage").textContent = "草稿窗口已关闭";
  setTimeout(() => { bridge.close(); bridge = null; });
}

by("episode").value = wanted.get("episode") || "E-2025-000001";
by("open").addEventListener("click", open);
