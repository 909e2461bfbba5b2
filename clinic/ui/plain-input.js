// SPDX-License-Identifier: Apache-2.0
// What is pasted may hold characters that show nothing or turn the direction of others; the server
// takes none of them into a record, and nobody could find them to delete them. They are left out as
// soon as they are put in, in every field but passwords; what is still being composed is left alone.
const unseen = new RegExp("[\\u0000-\\u0008\\u000B-\\u001F\\u007F-\\u009F\\u00AD\\u061C\\u180E\\u200B-\\u200F\\u202A-\\u202E" +
  "\\u2060-\\u206F\\uFEFF\\uFFF9-\\uFFFB\\u{E0000}-\\u{E007F}\\p{Cs}\\p{Noncharacter_Code_Point}]", "gu");
const line_ends = /[\u2028\u2029]/g;

export function plainText(text) {
  return text.replace(line_ends, "\n").replace(unseen, "");
}

function clean(event) {
  const field = event.target;
  if (!field.matches("textarea, input:not([type]), input[type=search], input[type=text]")) return;
  if (event.isComposing) return;
  const plain = plainText(field.value);
  if (plain === field.value) return;
  const at = plainText(field.value.slice(0, field.selectionEnd)).length;
  field.value = plain;
  field.setSelectionRange(at, at);
}

// Before any listener of the field itself.
for (const name of ["input", "compositionend"]) document.addEventListener(name, clean, true);
