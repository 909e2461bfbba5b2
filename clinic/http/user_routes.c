// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/user_routes.h"

#include <string.h>

enum { DEPARTMENTS_MAX = 64 };

struct user_input {
    const char *name, *display, *role, *password;
    const json_t *departments, *disabled;
};

#define AT(member) offsetof(struct user_input, member)

static const struct json_field user_put_fields[] = {
    {"name", FIELD_TEXT, AT(name), 0, 64, NULL, "letters, digits, . _ - @", NULL},
    {"display", FIELD_TEXT, AT(display), 0, 128, NULL, "the name that people read", NULL},
    {"role", FIELD_TEXT, AT(role), 0, 16, NULL, "doctor, qc, admin or auditor", NULL},
    {"password", FIELD_TEXT, AT(password), 0, 1024, NULL, "a new one", NULL},
    {"departments", FIELD_JSON, AT(departments), 0, 0, NULL, "names; \"*\" stands for all",
     "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"},
    {"disabled", FIELD_JSON, AT(disabled), 0, 0, NULL, "true: may not log in",
     "{\"type\":\"boolean\"}"},
};

#undef AT

const struct field_table user_put_tables[] = {{user_put_fields, 6, 0}};
const size_t user_put_n_tables = 1;

bool user_list_run(struct clinic_call *call) {
    json_t *users = NULL;
    if (!store_list_users(clinic_call_store(call), &users, &call->error)) return false;
    call->reply = json_pack("{s:o}", "users", users);
    return call->reply != NULL;
}

// Absent members are NULL: the user keeps what is there.
static bool read_departments(struct clinic_call *call, const json_t *list,
                             const char *names[DEPARTMENTS_MAX], int *n_names) {
    const json_t *each;
    size_t i;
    *n_names = -1;
    if (!list) return true;
    if (!json_is_array(list) || json_array_size(list) > DEPARTMENTS_MAX)
        return clinic_call_refuse(call, 400, "invalid_value",
                                  "departments must be a list of at most %d names",
                                  DEPARTMENTS_MAX);
    *n_names = 0;
    json_array_foreach((json_t *)list, i, each) {
        const char *name = json_string_value(each);
        if (!name || !*name || strlen(name) > 128)
            return clinic_call_refuse(call, 400, "invalid_value",
                                      "departments must be names of at most 128 bytes");
        names[(*n_names)++] = name;
    }
    return true;
}

bool user_put_run(struct clinic_call *call) {
    struct user_input input = {0};
    const char *names[DEPARTMENTS_MAX];
    struct user_data user = {.is_disabled = -1};
    if (!clinic_call_read(call, &input) || !clinic_call_need(call, "name", input.name) ||
        !read_departments(call, input.departments, names, &user.n_departments))
        return false;
    if (input.disabled && !json_is_boolean(input.disabled))
        return clinic_call_refuse(call, 400, "invalid_value", "disabled must be true or false");
    user.name = input.name;
    user.display = input.display;
    user.role = input.role;
    user.password = input.password;
    user.departments = names;
    if (input.disabled) user.is_disabled = json_is_true(input.disabled);
    return store_put_user(clinic_call_store(call), &call->actor, &user, &call->error) &&
           user_list_run(call);
}
