// SPDX-License-Identifier: Apache-2.0
// Words that were typed and not yet saved when a view was closed: the session ended, the patient was
// left, the server was away. They stay in this module's memory only, for the user who typed them,
// until they are shown again; whoever else signs in clears them.
const kept = new Map();
let owner = "";

export function keepEditsFor(user) {
  if (user !== owner) kept.clear();
  owner = user;
}

export function keepEdit(place, edit) {
  kept.set(place, edit);
}

export function dropEdit(place, edit) {
  if (kept.get(place) === edit) kept.delete(place);
}

export function takeEdit(place) {
  const edit = kept.get(place);
  kept.delete(place);
  return edit;
}
