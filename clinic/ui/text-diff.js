// SPDX-License-Identifier: Apache-2.0
// What differs between two texts, by characters (Chinese) and by words and numbers (Latin), so that
// "4.5" and "2.5" differ as a whole.

const cells_max = 4000000; // of the table; longer middles are shown as replaced whole

function pieces(text) {
  return text.match(/[0-9]+(?:\.[0-9]+)?|[A-Za-z]+|[\uD800-\uDBFF][\uDC00-\uDFFF]|[^]/g) || [];
}

function longest(a, b) {
  const width = b.length + 1, table = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      table[i * width + j] = a[i] === b[j] ? table[(i + 1) * width + j + 1] + 1
        : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
  return { table, width };
}

function middle(a, b, add) {
  if (a.length * b.length > cells_max) {
    add("gone", a.join(""));
    add("new", b.join(""));
    return;
  }
  const { table, width } = longest(a, b);
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { add("same", a[i]); i++; j++; }
    else if (j >= b.length || (i < a.length && table[(i + 1) * width + j] >= table[i * width + j + 1]))
      add("gone", a[i++]);
    else add("new", b[j++]);
  }
}

// [{kind: "same" | "gone" | "new", text}] that turns `before` into `after`.
export function difference(before, after) {
  const a = pieces(before), b = pieces(after), parts = [];
  const add = (kind, text) => {
    if (!text) return;
    const last = parts[parts.length - 1];
    if (last && last.kind === kind) last.text += text;
    else parts.push({ kind, text });
  };
  let start = 0, end = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  add("same", a.slice(0, start).join(""));
  middle(a.slice(start, a.length - end), b.slice(start, b.length - end), add);
  add("same", a.slice(a.length - end).join(""));
  return parts;
}
