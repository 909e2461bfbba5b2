# SPDX-License-Identifier: Apache-2.0
# The files of the clinic's pages, for the program that carries them.
set(clinic_ui_names index.html embed.html mock-host.html clinic.css icon.svg
  app.js elements.js clinic-words.js clinic-server.js login-view.js
  list-view.js workspace.js documents-pane.js record-form.js draft-window.js draft-field.js
  draft-state.js draft-lists.js kept-edits.js session-clock.js plain-input.js text-diff.js audit-view.js users-view.js shortcuts.js embed.js messaging.js
  bridge.js mock-host.js)
