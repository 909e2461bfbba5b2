// SPDX-License-Identifier: Apache-2.0
// The state of the model and of the machine: a probe every few seconds, and numbers of /metrics
// while their panel is open.
import { get, hasKey } from "/page/server.js";
import { word } from "/page/words.js";

const dot = document.getElementById("dot");
const state = document.getElementById("state");
const model = document.getElementById("model");
const panel = document.getElementById("machinePanel");
const list = document.getElementById("machine");
const PERIOD_MS = 5000;
let now = { name: "", colour: "" };
let models = null;
let before = null; // the numbers of the last look, for speeds

function show(name, colour) {
  if (now.name === name && state.textContent === word(name)) return;
  now = { name, colour };
  state.textContent = word(name);
  dot.className = "dot " + colour;
}

export function showAgain() {
  state.textContent = word(now.name);
  if (panel.open) look();
}

// Sums of every metric by name, whatever its labels.
export function parseMetrics(text) {
  const sums = new Map();
  for (const line of text.split("\n")) {
    const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? ([^ ]+)/.exec(line);
    if (!match) continue;
    const value = Number(match[3]);
    if (Number.isFinite(value)) sums.set(match[1], (sums.get(match[1]) || 0) + value);
  }
  return sums;
}

function mib(bytes) {
  return bytes >= 2 ** 30 ? (bytes / 2 ** 30).toFixed(1) + " GiB" : Math.round(bytes / 2 ** 20) + " MiB";
}

function duration(seconds) {
  const hours = Math.floor(seconds / 3600), minutes = Math.floor(seconds / 60) % 60;
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${Math.floor(seconds) % 60} s`;
}

function row(name, value) {
  const box = document.createElement("div"), title = document.createElement("dt");
  const text = document.createElement("dd");
  title.textContent = word(name);
  text.textContent = value;
  box.append(title, text);
  return box;
}

function rows(sums) {
  const at = performance.now(), of = (name) => sums.get("xinglin_" + name);
  const made = [], add = (name, value, text) => { if (value !== undefined) made.push(row(name, text)); };
  const running = of("requests_running"), waiting = of("requests_waiting");
  const used = of("kv_used_bytes"), kept = of("kv_kept_bytes"), all = of("kv_bytes");
  const prompt = of("prompt_tokens_total"), generated = of("generated_tokens_total");
  add("running", running, String(running));
  add("waiting", waiting, String(waiting));
  if (all) add("kv", used, `${mib(used + (kept || 0))} / ${mib(all)}`);
  add("prompts", prompt, String(prompt));
  add("answers", generated, String(generated));
  if (before && generated !== undefined && generated >= before.generated)
    add("speed", generated, ((generated - before.generated) / (at - before.at) * 1000).toFixed(1) +
      " " + word("perSecond"));
  before = { generated, at };
  return made;
}

async function look() {
  const made = [];
  const meta = models && models.meta;
  if (meta) {
    made.push(row("weights", `${meta.family} ${meta.weight_type}, ${mib(meta.weight_bytes)}`));
    made.push(row("kernels", `${meta.isa}, ${meta.threads} ${word("threads")}`));
    made.push(row("uptime", duration(Math.max(0, Date.now() / 1000 - models.created))));
    made.push(row("context", `${meta.context} ${word("tokens")}, ${meta.kv_type}`));
  }
  try {
    made.push(...rows(parseMetrics(await get("/metrics", true))));
  } catch (error) {
    const note = document.createElement("div");
    note.textContent = word("noMetrics");
    made.push(note);
  }
  list.replaceChildren(...made);
}

async function probe() {
  try {
    await get("/ready", true);
  } catch (error) {
    models = null;
    if (error.status !== 503) show("unreachable", "bad");
    else show(/drain|stop|shut/i.test(error.message) ? "draining" : "loading", "wait");
    return;
  }
  if (models) {
    show("ready", "good");
    return;
  }
  try {
    const answer = await get("/v1/models");
    models = answer.data && answer.data[0] || {};
    model.textContent = models.id || "";
    show("ready", "good");
  } catch (error) {
    if (error.status === 401 || error.status === 403) show(hasKey() ? "badKey" : "needsKey", "wait");
    else show("unreachable", "bad");
  }
}

export function modelName() {
  return models && models.id || undefined;
}

export function needsKey() {
  return now.name === "needsKey" || now.name === "badKey";
}

export async function refresh() {
  models = null;
  await probe();
}

export async function watch(onChange) {
  for (;;) {
    if (!document.hidden) {
      await probe();
      onChange();
      if (panel.open) await look();
    }
    await new Promise((resume) => setTimeout(resume, PERIOD_MS));
  }
}

panel.addEventListener("toggle", () => { if (panel.open) look(); });
