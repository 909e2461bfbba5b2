// SPDX-License-Identifier: Apache-2.0
// A follower's copy of a draft, brought up to date event by event.
#include "clinic/draft/draft.h"
#include "clinic/draft/draft_form.h"

#include <string.h>

static bool fail_unknown(struct clinic_error *error) {
    return clinic_fail(error, CLINIC_NOT_FOUND, "the event is about a field that is not there");
}

static bool copy_members(json_t *draft, const json_t *data, const char *const *members,
                         struct clinic_error *error) {
    for (; *members; members++) {
        json_t *value = json_object_get(data, *members);
        if (value && json_object_set_new(draft, *members, json_deep_copy(value)) != 0)
            return clinic_fail_memory(error);
    }
    return true;
}

static bool append_text(json_t *field, const json_t *data, struct clinic_error *error) {
    const json_t *text = json_object_get(field, "text"), *more = json_object_get(data, "append");
    json_t *joined = json_sprintf("%s%s", json_is_string(text) ? json_string_value(text) : "",
                                  json_is_string(more) ? json_string_value(more) : "");
    return draft_form_put(field, "text", joined) || clinic_fail_memory(error);
}

static bool replace_field(json_t *draft, const json_t *data, struct clinic_error *error) {
    json_t *now = json_object_get(data, "field"), *fields = json_object_get(draft, "fields"), *old;
    const char *id = json_string_value(json_object_get(now, "id"));
    size_t i;
    json_array_foreach(fields, i, old) {
        const char *old_id = json_string_value(json_object_get(old, "id"));
        if (!id || !old_id || strcmp(id, old_id) != 0) continue;
        return (json_array_set_new(fields, i, json_deep_copy(now)) == 0 &&
                draft_form_count(draft)) ||
               clinic_fail_memory(error);
    }
    return fail_unknown(error);
}

static bool end_fields(json_t *draft) {
    size_t i;
    json_t *field;
    json_array_foreach(json_object_get(draft, "fields"), i, field) {
        const char *state = json_string_value(json_object_get(field, "state"));
        bool is_open = state && (strcmp(state, "waiting") == 0 || strcmp(state, "writing") == 0);
        if (is_open && !draft_form_put(field, "state", json_string("stopped"))) return false;
    }
    return true;
}

static bool apply_end(json_t *draft, const json_t *data, bool has_failed,
                      struct clinic_error *error) {
    static const char *const members[] = {"state", "verified", "first_token_ms", "total_ms", NULL};
    if (!end_fields(draft)) return clinic_fail_memory(error);
    if (!has_failed) return copy_members(draft, data, members, error);
    return (draft_form_put(draft, "state", json_string("failed")) &&
            json_object_set(draft, "error", json_object_get(data, "message")) == 0) ||
           clinic_fail_memory(error);
}

bool draft_apply(json_t *draft, const json_t *event, struct clinic_error *error) {
    static const char *const states[] = {"state", "model", NULL};
    static const char *const lists[] = {"omissions", "conflicts", NULL};
    const char *name = json_string_value(json_object_get(event, "event"));
    const json_t *data = json_object_get(event, "data");
    json_t *field = draft_field(draft, json_string_value(json_object_get(data, "field")));
    if (!name) return clinic_fail(error, CLINIC_BAD_INPUT, "an event without a name");
    if (strcmp(name, "state") == 0) return copy_members(draft, data, states, error);
    if (strcmp(name, "checked") == 0) return replace_field(draft, data, error);
    if (strcmp(name, "omissions") == 0 || strcmp(name, "conflicts") == 0)
        return copy_members(draft, data, lists, error);
    if (strcmp(name, "done") == 0 || strcmp(name, "failed") == 0)
        return apply_end(draft, data, *name == 'f', error);
    if (!field) return fail_unknown(error);
    if (strcmp(name, "text") == 0) return append_text(field, data, error);
    return json_object_set(field, "state", json_object_get(data, "state")) == 0 ||
           clinic_fail_memory(error);
}
