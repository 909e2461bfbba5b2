// SPDX-License-Identifier: Apache-2.0
// Talks to the server that the page came from, and to nobody else. The key lives in this module's
// memory only.
let key = "";

export function setKey(text) {
  key = text.trim();
}

export function hasKey() {
  return key !== "";
}

export class ServerError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

function headers(more) {
  return key ? { ...more, Authorization: "Bearer " + key } : { ...more };
}

async function refuse(response) {
  let message = response.status + " " + response.statusText;
  try {
    const body = await response.json();
    if (body && body.error && typeof body.error.message === "string") message = body.error.message;
    else if (body && typeof body.status === "string") message = body.status; // of a probe
  } catch (problem) {
    // Not JSON: the status has to do.
  }
  throw new ServerError(response.status, message);
}

export async function get(path, asText) {
  const response = await fetch(path, {
    headers: headers({}), cache: "no-store", credentials: "omit", redirect: "error",
  });
  if (!response.ok) await refuse(response);
  return asText ? response.text() : response.json();
}

// Yields the JSON of every event of a streamed answer, as they arrive; ends at [DONE] and throws if
// the stream ends before.
export async function* stream(path, body, signal) {
  const response = await fetch(path, {
    method: "POST", headers: headers({ "Content-Type": "application/json" }),
    body: JSON.stringify(body), cache: "no-store", credentials: "omit", redirect: "error", signal,
  });
  if (!response.ok) await refuse(response);
  const reader = response.body.getReader(), decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
    const lines = rest.split(/\r\n|\n/);
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data:")) continue; // comments keep the connection alive
      const data = line.slice(5).trim();
      if (data === "[DONE]") {
        reader.cancel().catch(() => {});
        return;
      }
      const event = JSON.parse(data);
      if (event.error) throw new ServerError(500, String(event.error.message || "error"));
      yield event;
    }
    if (done) throw new ServerError(0, "");
  }
}
