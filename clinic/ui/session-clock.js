// SPDX-License-Identifier: Apache-2.0
// How long nobody has used the page. A session that rests too long ends here, whether the server is
// asked or not; and the server, which sees requests only, is told that somebody is still reading.
let lastUse = Date.now(), lastAsked = Date.now(), watched = null;

for (const name of ["pointerdown", "keydown"]) document.addEventListener(name, () => { lastUse = Date.now(); }, true);

// watch({seconds, end(), stay()}) when a session begins; watch(null) when it is over.
export function watchSession(session) {
  watched = session;
  lastUse = lastAsked = Date.now();
}

setInterval(() => {
  if (!watched || !watched.seconds) return;
  const now = Date.now();
  if (now - lastUse > watched.seconds * 1000) {
    watched.end();
  } else if (lastUse > lastAsked && now - lastAsked > watched.seconds * 300) {
    lastAsked = now;
    watched.stay();
  }
}, 1000);
