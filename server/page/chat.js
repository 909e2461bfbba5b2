// SPDX-License-Identifier: Apache-2.0
// The conversation: what is on the page and what is sent are the same list. Text of the model goes
// into text nodes and nowhere else. Screen readers hear whole sentences from #spoken, not tokens.
import { ServerError, stream } from "/page/server.js";
import { word } from "/page/words.js";

const log = document.getElementById("log");
const spoken = document.getElementById("spoken");
const talk = document.getElementById("talk");
let messages = []; // {role, content}
let retell = [];   // what says the numbers of each answer again
let abort = null;  // of the answer that runs

export function isBusy() {
  return abort !== null;
}

export function stop() {
  if (abort) abort.abort();
}

export function reset() {
  stop();
  messages = [];
  retell = [];
  log.replaceChildren();
  spoken.textContent = "";
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function titled(name, wordName, className) {
  const made = element(name, className, word(wordName));
  made.dataset.word = wordName; // follows the language
  return made;
}

function addTurn(isMine) {
  const turn = element("article", isMine ? "turn mine" : "turn");
  const words = element("div", "words");
  turn.append(titled("h3", isMine ? "you" : "model"), words);
  log.append(turn);
  return { turn, words };
}

// The page follows the text unless the reader has scrolled up.
function follow(change) {
  const root = document.scrollingElement;
  const atEnd = root.scrollHeight - root.scrollTop - root.clientHeight < 80;
  change();
  if (atEnd) root.scrollTop = root.scrollHeight;
}

class Speaker {
  constructor() {
    this.held = "";
  }
  add(text) {
    this.held += text;
    const end = Math.max(...["。", "！", "？", "；", "\n", ". ", "! ", "? "].map(
      (mark) => { const at = this.held.lastIndexOf(mark); return at < 0 ? -1 : at + mark.length; }));
    if (end > 0) this.say(end);
  }
  say(end) {
    spoken.textContent = this.held.slice(0, end);
    this.held = this.held.slice(end);
  }
  finish() {
    if (this.held.trim()) this.say(this.held.length);
  }
}

function thinkingBox(turn, words) {
  const box = element("details"), inside = element("div", "words");
  box.append(titled("summary", "thinking"), inside);
  turn.insertBefore(box, words);
  return inside;
}

async function copyText(button, text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch (problem) { // an http:// page of another host has no clipboard
    const area = element("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.textContent = word("copied");
  setTimeout(() => { button.textContent = word("copy"); }, 1500);
}

function footer(turn, text, notes) {
  const foot = element("div", "foot"), button = titled("button", "copy", "small");
  const told = element("span");
  button.type = "button";
  button.addEventListener("click", () => copyText(button, text));
  foot.append(button, told);
  turn.append(foot);
  const tell = () => { told.textContent = notes().join(" · "); };
  tell();
  retell.push(tell);
}

// After a change of language.
export function showAgain() {
  for (const tell of retell) tell();
}

function describe(answer, started, firstAt, ended) {
  const notes = [], usage = answer.usage;
  if (answer.finish === "length") notes.push(word("cutOff"));
  if (answer.finish === "stopped") notes.push(word("stopped"));
  if (firstAt) notes.push(`${word("first")} ${((firstAt - started) / 1000).toFixed(2)} ${word("second")}`);
  if (!usage) return notes;
  const seconds = (ended - firstAt) / 1000, n = usage.completion_tokens;
  const details = usage.prompt_tokens_details;
  const known = details && details.cached_tokens ? ` (${word("cached")} ${details.cached_tokens})` : "";
  notes.push(`${word("prompt")} ${usage.prompt_tokens}${known} + ${n} ${word("tokens")}`);
  if (n > 1 && seconds > 0) notes.push(`${((n - 1) / seconds).toFixed(1)} ${word("perSecond")}`);
  return notes;
}

// Reads the stream into the turn; what came so far stays whatever happens.
async function receive(body, turn, words, answer, onFirst) {
  const node = document.createTextNode("");
  words.append(node);
  let thinking = null;
  const speaker = new Speaker();
  try {
    for await (const event of stream("/v1/chat/completions", body, abort.signal)) {
      if (event.usage) answer.usage = event.usage;
      const choice = event.choices && event.choices[0];
      if (!choice) continue;
      if (choice.finish_reason) answer.finish = choice.finish_reason;
      const delta = choice.delta || {};
      if (delta.reasoning_content) {
        onFirst();
        thinking = thinking || thinkingBox(turn, words);
        follow(() => thinking.append(document.createTextNode(delta.reasoning_content)));
      }
      if (!delta.content) continue;
      onFirst();
      answer.text += delta.content;
      follow(() => node.appendData(delta.content));
      speaker.add(delta.content);
    }
  } finally {
    speaker.finish();
  }
}

// Sends one message. Returns null, or the error to show; then the message can be sent again.
export async function send(text, options) {
  follow(() => { addTurn(true).words.textContent = text; });
  const mine = log.lastElementChild;
  messages.push({ role: "user", content: text });
  const { turn, words } = addTurn(false);
  turn.setAttribute("aria-busy", "true");
  talk.setAttribute("aria-busy", "true");
  const all = options.system ? [{ role: "system", content: options.system }, ...messages] : messages;
  const body = { messages: all, stream: true, stream_options: { include_usage: true }, ...options.fields };
  const answer = { text: "", finish: null, usage: null };
  const sent = messages; // a new chat replaces the list
  const started = performance.now();
  let firstAt = 0, problem = null;
  abort = new AbortController();
  try {
    await receive(body, turn, words, answer, () => { firstAt = firstAt || performance.now(); });
  } catch (error) {
    if (error.name === "AbortError") answer.finish = "stopped";
    else problem = error;
  }
  abort = null;
  turn.removeAttribute("aria-busy");
  talk.removeAttribute("aria-busy");
  if (sent !== messages) return null;
  if (!answer.text && (problem || answer.finish === "stopped")) { // nothing came: as if never asked
    turn.remove();
    mine.remove();
    messages.pop();
    return problem || new ServerError(-1, "");
  }
  messages.push({ role: "assistant", content: answer.text });
  const ended = performance.now();
  follow(() => footer(turn, answer.text, () => describe(answer, started, firstAt, ended)));
  if (problem) return problem;
  return answer.text ? null : new ServerError(-2, word("empty"));
}
