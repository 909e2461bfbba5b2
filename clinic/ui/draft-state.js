// SPDX-License-Identifier: Apache-2.0
// What the events of a run make of a draft. Knows no page: data in, data out.

export function findField(draft, id) {
  return draft.fields.find((field) => field.id === id);
}

// What the doctor has seen of these fields: the server fills nothing else.
export function revisionsOf(draft, ids) {
  return Object.fromEntries(ids.map((id) => [id, findField(draft, id).revision]));
}

export function isFillable(field) {
  return field.state === "done" && !field.blocked && field.text.trim() !== "";
}

export function fillableFields(draft) {
  return draft.fields.filter(isFillable);
}

// Sentences that block the field, with their places.
export function unsupported(field) {
  return (field.sentences || []).map((sentence, index) => ({ sentence, index }))
    .filter(({ sentence }) => sentence.verdict === "unsupported");
}

const handlers = {
  snapshot(draft, data) { Object.assign(draft, data.draft || data); return { all: true }; },
  state(draft, data) {
    draft.state = data.state || draft.state;
    if ("model" in data) draft.model = data.model;
    return { head: true, isOld: Boolean(data.newer_version) };
  },
  field(draft, data) {
    const field = findField(draft, data.field);
    if (!field) return {};
    if (data.state === "writing" && field.state !== "writing") Object.assign(field, { text: "", sentences: [] });
    field.state = data.state;
    return { field: field.id, head: true };
  },
  text(draft, data) {
    const field = findField(draft, data.field);
    if (!field) return {};
    field.text += data.append;
    return { field: field.id, appended: data.append };
  },
  checked(draft, data) {
    const field = findField(draft, data.field.id);
    if (!field) return {};
    Object.assign(field, data.field);
    return { field: field.id, checked: true, head: true };
  },
  omissions(draft, data) { draft.omissions = data.omissions; return { omissions: true }; },
  conflicts(draft, data) { draft.conflicts = data.conflicts; return { conflicts: true }; },
  done(draft, data) { Object.assign(draft, data); return { head: true, ended: true }; },
  failed(draft, data) { draft.state = "failed"; return { head: true, ended: true, message: data.message }; },
};

// Applies one event; returns what has to be shown again.
export function applyEvent(draft, name, data) {
  return handlers[name] ? handlers[name](draft, data) : {};
}

// Of a list of drafts the one to open: the newest of this user, else the newest of anybody.
export function draftToOpen(drafts, template, user) {
  const rank = (one) => (one.by === user ? "1" : "0") + one.created;
  return (drafts || []).filter((one) => one.template === template).sort((a, b) => rank(b).localeCompare(rank(a)))[0];
}
