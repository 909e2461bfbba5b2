// SPDX-License-Identifier: Apache-2.0
#include "clinic/draft/draft_findings.h"

#include "clinic/draft/draft_form.h"
#include "clinic/facts/conflict.h"
#include "clinic/facts/omission.h"

#include <stdio.h>
#include <string.h>

// The same fact has the same name in every round: its place in the list changes.
static void name_omission(const json_t *omission, char name[24]) {
    static const char *const members[] = {"class", "text", "sentence"};
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const char *text = json_string_value(json_object_get(omission, members[i]));
        for (; text && *text; text++)
            hash = (hash ^ (unsigned char)*text) * 1099511628211u;
        hash = (hash ^ 0xff) * 1099511628211u;
    }
    snprintf(name, 24, "m%016llx", (unsigned long long)hash);
}

static const json_t *find_named(const json_t *list, const char *name) {
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item) {
        const char *id = json_string_value(json_object_get(item, "id"));
        if (id && strcmp(id, name) == 0) return item;
    }
    return NULL;
}

static const char *state_of(const json_t *omission) {
    const char *state = json_string_value(json_object_get(omission, "state"));
    return state ? state : "open";
}

// A field of the template for what belongs to "course" or "discharge_orders" where it has no field
// of that name: one with that value, else the one that a model writes, else the last.
static const char *place_omission(const struct record_template *record, const char *wanted) {
    const struct template_field *model = NULL;
    if (wanted && record_template_field(record, wanted)) return wanted;
    bool is_order = wanted && strncmp(wanted, "discharge_orders", 16) == 0;
    for (int i = 0; i < record->n_fields; i++) {
        const struct template_field *field = &record->fields[i];
        if (wanted && field->value && strcmp(field->value, wanted) == 0) return field->id;
        if (is_order && field->value && strcmp(field->value, "discharge_advice") == 0)
            return field->id;
        if (!model && field->origin == ORIGIN_MODEL) model = field;
    }
    return model ? model->id : record->fields[record->n_fields - 1].id;
}

static bool finish_omission(const struct record_template *record, const json_t *before,
                            json_t *omission) {
    char name[24];
    const char *field = json_string_value(json_object_get(omission, "field"));
    name_omission(omission, name);
    if (!draft_form_put(omission, "id", json_string(name)) ||
        !draft_form_put(omission, "field", json_string(place_omission(record, field))))
        return false;
    const json_t *old = find_named(before, name);
    if (!old || strcmp(state_of(old), "dismissed") != 0) return true;
    return draft_form_put(omission, "state", json_string("dismissed")) &&
           json_object_set(omission, "reason", json_object_get(old, "reason")) == 0;
}

// What was inserted is told now, and stays in the list as done.
static bool keep_inserted(const json_t *before, json_t *now) {
    size_t i;
    json_t *old;
    json_array_foreach((json_t *)before, i, old) {
        const char *id = json_string_value(json_object_get(old, "id"));
        bool is_done = id && strcmp(state_of(old), "inserted") == 0 && !find_named(now, id);
        if (is_done && json_array_append_new(now, json_deep_copy(old)) != 0) return false;
    }
    return true;
}

static bool find_omissions(struct draft_ground *ground, const json_t *draft, json_t **list,
                           struct clinic_error *error) {
    struct omission_list omissions = {0};
    const char *texts[TEMPLATE_FIELDS_MAX];
    int n_texts = 0;
    size_t i;
    json_t *field;
    json_array_foreach(json_object_get(draft, "fields"), i, field) {
        if (n_texts < TEMPLATE_FIELDS_MAX)
            texts[n_texts++] = json_string_value(json_object_get(field, "text"));
    }
    if (!omissions_find(ground->episode, &ground->facts, texts, n_texts, &omissions, error))
        return false;
    *list = omission_list_to_json(ground->episode, &ground->facts, &omissions);
    omission_list_deinit(&omissions);
    return *list || clinic_fail_memory(error);
}

bool draft_findings_omissions(struct draft_ground *ground, const struct record_template *record,
                              json_t *draft, struct clinic_error *error) {
    const json_t *before = json_object_get(draft, "omissions");
    json_t *list, *omission;
    size_t i;
    bool is_done = true;
    if (!find_omissions(ground, draft, &list, error)) return false;
    json_array_foreach(list, i, omission) {
        is_done = is_done && finish_omission(record, before, omission);
    }
    is_done = is_done && keep_inserted(before, list);
    is_done = json_object_set_new(draft, "omissions", list) == 0 && is_done;
    return is_done || clinic_fail_memory(error);
}

json_t *draft_conflicts(struct draft_ground *ground, struct clinic_error *error) {
    struct conflict_list conflicts = {0};
    if (!conflicts_find(ground->episode, &conflicts, error)) return NULL;
    json_t *list = conflict_list_to_json(ground->episode, &conflicts);
    conflict_list_deinit(&conflicts);
    if (!list) clinic_fail_memory(error);
    return list;
}

bool draft_findings_conflicts(struct draft_ground *ground, json_t *draft,
                              struct clinic_error *error) {
    json_t *list = draft_conflicts(ground, error);
    if (!list) return false;
    return json_object_set_new(draft, "conflicts", list) == 0 || clinic_fail_memory(error);
}
