// SPDX-License-Identifier: Apache-2.0
// Talks to the server that the page came from, and to nobody else. Signed in by cookie (the whole
// site) or by a session that lives in this module's memory only (the embedded draft window).
import { hasWord, word } from "/clinic/ui/clinic-words.js";

let session = "";
let signedOut = () => {};

export function setSession(text) {
  session = text;
}

// Called when the server says that nobody is signed in any more.
export function onSignedOut(listener) {
  signedOut = listener;
}

export class ServerError extends Error {
  constructor(status, message, body) {
    super(message);
    this.status = status;
    this.body = body || {};
  }
}

function options(more) {
  const made = { cache: "no-store", redirect: "error", credentials: session ? "omit" : "same-origin", ...more };
  made.headers = { ...(more && more.headers) };
  if (session) made.headers.Authorization = "Bearer " + session;
  return made;
}

async function refuse(response, path) {
  let message = response.status + " " + response.statusText, body = {};
  try {
    body = await response.json();
    const error = body.error || {}, own = "error_" + error.code;
    if (hasWord(own)) message = word(own, error);
    else if (typeof error.message === "string") message = error.message;
  } catch (problem) {
    // Not JSON: the status has to do.
  }
  if (response.status === 401 && !path.endsWith("/login") && !path.endsWith("/launch")) signedOut();
  throw new ServerError(response.status, message, body);
}

async function request(path, more) {
  let response;
  try {
    response = await fetch("/clinic/api/" + path, options(more));
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new ServerError(0, "");
  }
  if (!response.ok) await refuse(response, path);
  return response;
}

export async function get(path, signal) {
  return (await request(path, { signal })).json();
}

export async function post(path, body, signal) {
  const response = await request(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body || {}), signal,
  });
  return response.json();
}

// Events of a server-sent stream, as {name, data}; ends when the server ends it.
export async function* follow(path, signal) {
  const response = await request(path, { headers: { Accept: "text/event-stream" }, signal });
  const reader = response.body.getReader(), decoder = new TextDecoder();
  let rest = "", name = "", data = "";
  for (;;) {
    const { done, value } = await reader.read();
    rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
    const lines = rest.split(/\r\n|\n/);
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("event:")) name = line.slice(6).trim();
      else if (line.startsWith("data:")) data += line.slice(5).trim();
      else if (line === "" && data) {
        yield { name, data: JSON.parse(data) };
        name = data = "";
      }
    }
    if (done) return;
  }
}

export const path = {
  episode: (id) => `episodes/${encodeURIComponent(id)}`,
  draft: (id, action) => `drafts/${encodeURIComponent(id)}${action ? "/" + action : ""}`,
  form: (episode, template, action) =>
    `forms/${encodeURIComponent(episode)}/${encodeURIComponent(template)}${action ? "/" + action : ""}`,
};
