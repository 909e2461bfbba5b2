// SPDX-License-Identifier: Apache-2.0
// For the host's page: shows the draft window in a frame and answers its SMART Web Messaging. ES5,
// no dependency. The frame is believed only from its own window, origin and messaging handle.
//   var bridge = XinglinBridge.open({
//     parent: element, url: "https://xinglin.hospital/clinic/embed", token: launchToken,
//     handle: handleInTheToken, read: function () { return {course: "…"}; },
//     fill: function (field, text) { return true; },  // false or a reason: refused
//     done: function () {} });
//   bridge.launch(otherToken, otherHandle);  // another patient
//   bridge.close();
(function (window) {
  "use strict";
  var FIELD = "urn:xinglin:record-field", TEXT = "urn:xinglin:section-text", WAS = "urn:xinglin:section-was";

  function find(list, key, value) {
    for (var i = 0; list && i < list.length; i++) if (list[i][key] === value) return list[i];
    return {};
  }

  function composition(texts) {
    var sections = [];
    for (var field in texts) if (Object.prototype.hasOwnProperty.call(texts, field))
      sections.push({ code: { coding: [{ system: FIELD, code: field }] }, extension: [{ url: TEXT, valueString: texts[field] }] });
    return { resourceType: "Composition", id: "draft", status: "preliminary",
      type: { coding: [{ system: "http://loinc.org", code: "18842-5" }] }, section: sections };
  }

  function refusal(status, why) {
    return { status: status, outcome: { resourceType: "OperationOutcome",
      issue: [{ severity: "error", code: "conflict", diagnostics: why }] } };
  }

  // All sections or none: what went in before one is refused is put back.
  function update(options, resource) {
    var sections = (resource && resource.section) || [], now = options.read(), filled = [], i, part, answer;
    for (i = 0; i < sections.length; i++) {
      part = sections[i];
      part.field = find(part.code && part.code.coding, "system", FIELD).code;
      part.plain = find(part.extension, "url", TEXT).valueString;
      if (typeof now[part.field] !== "string" || typeof part.plain !== "string")
        return refusal("422 Unprocessable Entity", "没有这一栏：" + part.field);
      if (find(part.extension, "url", WAS).valueString !== now[part.field])
        return refusal("409 Conflict", "表单中的这一栏已被修改：" + (part.title || part.field));
    }
    for (i = 0; i < sections.length; i++) {
      part = sections[i];
      answer = options.fill(part.field, part.plain);
      if (answer === true || answer === undefined) { filled.push(part.field); continue; }
      while (filled.length) { part = filled.pop(); options.fill(part, now[part]); }
      return refusal("409 Conflict", answer || "这一栏不能填写");
    }
    return { status: "200 OK", location: "Composition/draft" };
  }

  function answerTo(options, data) {
    if (data.messageType === "status.handshake") return {};
    if (data.messageType === "scratchpad.read") return { scratchpad: [composition(options.read())] };
    if (data.messageType === "scratchpad.update") return update(options, data.payload && data.payload.resource);
    if (data.messageType === "ui.done") { if (options.done) options.done(); return { status: "success" }; }
    return refusal("501 Not Implemented", String(data.messageType));
  }

  function open(options) {
    var frame = window.document.createElement("iframe");
    var origin = /^https?:\/\/[^\/?#]+/.exec(options.url)[0], handle = options.handle, n = 0;
    function listen(event) {
      var data = event.data;
      if (event.source !== frame.contentWindow || event.origin !== origin || !data || data.messagingHandle !== handle) return;
      frame.contentWindow.postMessage({ messageId: "host-" + (++n), responseToMessageId: data.messageId,
        additionalResponsesExpected: false, payload: answerTo(options, data) }, origin);
    }
    frame.title = options.title || "杏林 AI 草稿";
    frame.setAttribute("allow", "clipboard-write");
    frame.src = options.url + "#launch=" + encodeURIComponent(options.token);
    window.addEventListener("message", listen, false);
    options.parent.appendChild(frame);
    return {
      launch: function (token, newHandle) {
        handle = newHandle;
        frame.src = options.url + "#launch=" + encodeURIComponent(token);
      },
      close: function () {
        window.removeEventListener("message", listen, false);
        if (frame.parentNode) frame.parentNode.removeChild(frame);
      }
    };
  }

  window.XinglinBridge = { open: open };
}(window));
