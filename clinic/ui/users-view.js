// SPDX-License-Identifier: Apache-2.0
// Users of the clinic, for administrators: who there is, new ones, changes. A password is only ever
// sent, never shown.
import { make, put, say } from "/clinic/ui/elements.js";
import { get, post } from "/clinic/ui/clinic-server.js";

const roles = ["doctor", "qc", "admin", "auditor"];

export class UsersView {
  constructor(refuse) {
    this.refuse = refuse;
    this.name = make("input", { id: "userName", maxlength: "64", autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
    this.display = make("input", { id: "userDisplay", maxlength: "128", autocomplete: "off" });
    this.role = make("select", { id: "userRole" }, ...roles.map((name) => make("option", { value: name, word: "role_" + name })));
    this.departments = make("input", { id: "userDepartments", maxlength: "1000", hint: "departmentsHint", autocomplete: "off" });
    this.password = make("input", { id: "userPassword", type: "password", maxlength: "256", hint: "passwordHint", autocomplete: "new-password" });
    this.disabled = make("input", { id: "userDisabled", type: "checkbox" });
    this.result = make("p", { class: "notice good", role: "status", hidden: true });
    this.body = make("tbody", {});
    const heads = ["user", "displayName", "role", "departments", "mayLogin", "change"];
    const labelled = (word, input) => make("label", {}, make("span", { word }), input);
    this.element = make("section", { class: "users-view" },
      make("header", { class: "pane-head" }, make("h2", { word: "users" })), this.result,
      make("form", { class: "filters", onsubmit: (event) => event.preventDefault() }, labelled("user", this.name),
        labelled("displayName", this.display), labelled("role", this.role), labelled("departments", this.departments),
        labelled("password", this.password), labelled("disabled", this.disabled),
        make("button", { class: "strong", word: "save", data: { action: "saveUser" }, onclick: () => this.save() })),
      make("div", { class: "table-box", tabindex: "0", role: "region", label: "users" },
        make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((word) => make("th", { scope: "col", word })))), this.body)));
  }

  async load() {
    try {
      const { users } = await get("users");
      put(this.body, ...users.map((user) => this.row(user)));
    } catch (problem) {
      this.refuse(problem);
    }
  }

  row(user) {
    return make("tr", { data: { user: user.name } }, make("th", { scope: "row", text: user.name }),
      make("td", { lang: "zh-CN", text: user.display || "" }), make("td", { word: "role_" + user.role }),
      make("td", { lang: "zh-CN", text: (user.departments || []).join("、") }),
      make("td", { word: user.disabled ? "no" : "yes" }),
      make("td", {}, make("button", { class: "small", word: "change", onclick: () => this.edit(user) })));
  }

  edit(user) {
    this.name.value = user.name;
    this.display.value = user.display || "";
    this.role.value = user.role;
    this.departments.value = (user.departments || []).join("、");
    this.password.value = "";
    this.disabled.checked = Boolean(user.disabled);
    this.display.focus();
  }

  async save() {
    const body = { name: this.name.value.trim(), display: this.display.value.trim(), role: this.role.value,
      departments: this.departments.value.split(/[、,，]/).map((one) => one.trim()).filter(Boolean), disabled: this.disabled.checked };
    if (this.password.value) body.password = this.password.value;
    this.password.value = "";
    try {
      await post("users", body);
      this.result.hidden = false;
      say(this.result, "userSaved", { name: body.name });
      await this.load();
    } catch (problem) {
      this.result.hidden = true;
      this.refuse(problem);
    }
  }

  close() {
    this.element.replaceChildren();
    this.element.remove();
  }
}
