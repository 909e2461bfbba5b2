// SPDX-License-Identifier: Apache-2.0
// Signing in. The password goes to the server once and stays nowhere.
import { isComposing, make } from "/clinic/ui/elements.js";
import { post } from "/clinic/ui/clinic-server.js";
import { word } from "/clinic/ui/clinic-words.js";

export class LoginView {
  constructor(signedIn) {
    this.signedIn = signedIn;
    this.user = make("input", { id: "user", autocomplete: "username", maxlength: "64", autocapitalize: "none", spellcheck: "false" });
    this.password = make("input", { id: "password", type: "password", autocomplete: "current-password", maxlength: "256" });
    this.alert = make("p", { class: "alert", role: "alert", hidden: true });
    this.button = make("button", { class: "strong", word: "login", data: { action: "login" }, onclick: () => this.send() });
    this.element = make("section", { class: "login" }, make("h2", { word: "login" }),
      make("p", { class: "note", word: "loginNote" }),
      make("form", { onsubmit: (event) => event.preventDefault() },
        make("label", { for: "user", word: "user" }), this.user,
        make("label", { for: "password", word: "password" }), this.password, this.button), this.alert);
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || isComposing(event) || event.target === this.button) return;
      event.preventDefault();
      this.send();
    });
  }

  async send() {
    if (this.button.disabled) return;
    this.button.disabled = true;
    this.alert.hidden = true;
    try {
      await this.waitsFor;
      await post("login", { user: this.user.value.trim(), password: this.password.value });
      this.password.value = "";
      await this.signedIn();
    } catch (problem) {
      this.alert.textContent = problem.status === 0 ? word("lost") : problem.status === 401 ? word("loginWrong") : problem.message;
      this.alert.hidden = false;
      this.password.value = "";
      this.password.focus();
    }
    this.button.disabled = false;
  }

  close() {
    this.element.remove();
  }
}
