// SPDX-License-Identifier: Apache-2.0
// SMART Web Messaging 1.0, the app's side. Speaks to one window, one origin and one handle, all
// three from the launch; never to "*". Our profile: one draft Composition in the host's scratchpad,
// a section a field. An update carries only the sections that change, each with the text that was
// read before, so that the host can refuse what somebody has changed meanwhile (docs/CLINIC.md).
const answer_ms = 4000;
const field_system = "urn:xinglin:record-field";
const text_url = "urn:xinglin:section-text", was_url = "urn:xinglin:section-was";

export class HostRefusal extends Error {}

function extension(section, url) {
  const found = (section.extension || []).find((one) => one.url === url);
  return found ? found.valueString || "" : null;
}

function narrative(text) {
  const safe = text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/\n/g, "<br/>");
  return { status: "generated", div: `<div xmlns="http://www.w3.org/1999/xhtml">${safe}</div>` };
}

// Of a host that knows only the narrative: its words. The result is text, whatever was in it.
function plainText(section) {
  const own = extension(section, text_url);
  if (own !== null) return own;
  const names = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " };
  return ((section.text && section.text.div) || "").replace(/<br\s*\/?>/g, "\n").replace(/<[^>]*>/g, "")
    .replace(/&(#x?[0-9a-fA-F]+|[a-z]+);/g, (whole, name) => {
      if (name[0] !== "#") return names[name] || whole;
      const code = name[1] === "x" ? parseInt(name.slice(2), 16) : parseInt(name.slice(1), 10);
      return code > 0 && code < 0x110000 ? String.fromCodePoint(code) : "";
    });
}

function fieldOf(section) {
  const coding = ((section.code && section.code.coding) || []).find((one) => one.system === field_system);
  return coding ? coding.code : null;
}

export class HostMessages {
  constructor({ origin, handle }, target = window.parent) {
    if (!origin || origin === "*" || new URL(origin).origin !== origin) throw new Error("origin");
    this.origin = origin;
    this.handle = handle;
    this.target = target;
    this.waiting = new Map();
    this.listener = (event) => this.take(event);
    window.addEventListener("message", this.listener);
  }

  take(event) {
    if (event.source !== this.target || event.origin !== this.origin) return;
    const waiting = event.data && this.waiting.get(event.data.responseToMessageId);
    if (!waiting) return;
    this.waiting.delete(event.data.responseToMessageId);
    clearTimeout(waiting.timer);
    waiting.resolve(event.data.payload || {});
  }

  ask(messageType, payload) {
    const messageId = crypto.getRandomValues(new Uint32Array(4)).join("-");
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(messageId);
        reject(new HostRefusal("silent"));
      }, answer_ms);
      this.waiting.set(messageId, { resolve, timer });
      this.target.postMessage({ messagingHandle: this.handle, messageId, messageType, payload }, this.origin);
    });
  }

  // True if a host answers there.
  async handshake() {
    try {
      await this.ask("status.handshake", {});
      return true;
    } catch (problem) {
      return false;
    }
  }

  // {field: text} of the host's draft Composition; null if it has none.
  async read() {
    const answer = await this.ask("scratchpad.read", {});
    const all = answer.scratchpad || (answer.resource ? [answer.resource] : []);
    this.composition = all.find((one) => one.resourceType === "Composition" && one.status === "preliminary");
    if (!this.composition) return null;
    return Object.fromEntries((this.composition.section || []).map((section) => [fieldOf(section), plainText(section)])
      .filter(([field]) => field));
  }

  // [{id, name, text, was}] → done; throws HostRefusal with what the host said.
  async update(fields) {
    const { id, type, title, status, resourceType } = this.composition;
    const section = fields.map((field) => ({
      title: field.name, code: { coding: [{ system: field_system, code: field.id }] }, text: narrative(field.text),
      extension: [{ url: text_url, valueString: field.text }, { url: was_url, valueString: field.was }],
    }));
    const answer = await this.ask("scratchpad.update", { resource: { resourceType, id, type, title, status, section } });
    if (/^2\d\d/.test(String(answer.status))) return;
    const issues = (answer.outcome && answer.outcome.issue) || [];
    throw new HostRefusal(issues.map((one) => one.diagnostics || (one.details && one.details.text)).filter(Boolean).join("；")
      || String(answer.status));
  }

  done() {
    return this.ask("ui.done", {}).catch(() => {});
  }

  close() {
    window.removeEventListener("message", this.listener);
    for (const { timer } of this.waiting.values()) clearTimeout(timer);
    this.waiting.clear();
  }
}
