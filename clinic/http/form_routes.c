// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/form_routes.h"

#include "clinic/draft/draft.h"
#include "clinic/draft/record_template.h"
#include "clinic/http/draft_renewal.h"
#include "clinic/store/store_audit.h"
#include "clinic/store/store_drafts.h"
#include "clinic/store/store_forms.h"

#include <string.h>

enum { FIELD_TEXT_BYTES_MAX = 64 << 10 };

// All fields of the template in their order, those that nobody has filled, too. Takes the form.
static json_t *complete(const struct record_template *record, json_t *form) {
    json_t *fields = json_array();
    for (int i = 0; fields && i < record->n_fields; i++) {
        const struct template_field *field = &record->fields[i];
        json_t *filled = store_form_field(form, field->id);
        if (filled)
            json_array_append(fields, filled);
        else
            json_array_append_new(fields, json_pack("{s:s,s:s,s:s,s:i,s:n,s:n,s:n,s:n}", "id",
                                                    field->id, "name", field->name, "text", "",
                                                    "version", 0, "from", "draft", "by", "at"));
    }
    json_object_set_new(form, "fields", fields);
    return form;
}

bool form_get_run(struct clinic_call *call) {
    const struct record_template *record = clinic_call_template(call, clinic_call_part(call, 1));
    json_t *form = NULL;
    if (!record ||
        !store_get_form(clinic_call_store(call), call->episode, record->id, &form, &call->error))
        return false;
    call->reply = complete(record, form);
    return true;
}

// 409 with the form as it is: what the caller saw is not there any more.
static bool tell_conflict(struct clinic_call *call, const struct record_template *record,
                          json_t *form) {
    if (call->error.failure != CLINIC_CONFLICT || !form) {
        json_decref(form);
        return false;
    }
    call->reply = clinic_call_error_json("conflict", call->error.message);
    json_object_set_new(call->reply, "form", complete(record, form));
    call->status = 409;
    return call->reply != NULL;
}

struct form_input {
    const char *field, *text;
    int64_t version;
};

static const struct json_field form_type_fields[] = {
    {"field", FIELD_TEXT, offsetof(struct form_input, field), 0, 64, NULL, "id of the field", NULL},
    {"version", FIELD_INT, offsetof(struct form_input, version), 0, 1e9, NULL,
     "of the field, as it was seen", NULL},
    {"text", FIELD_TEXT, offsetof(struct form_input, text), 0, FIELD_TEXT_BYTES_MAX, NULL,
     "its new text", NULL},
};
const struct field_table form_type_tables[] = {{form_type_fields, 3, 0}};
const size_t form_type_n_tables = 1;
const struct field_table form_undo_tables[] = {{form_type_fields, 2, 0}};
const size_t form_undo_n_tables = 1;

bool form_type_run(struct clinic_call *call) {
    struct form_input input = {.version = -1};
    const struct record_template *record = clinic_call_template(call, clinic_call_part(call, 1));
    if (!record || !clinic_call_read(call, &input) || !clinic_call_need(call, "field", input.field))
        return false;
    const struct template_field *field = record_template_field(record, input.field);
    if (!field || !input.text || input.version < 0)
        return clinic_call_refuse(call, 400, "invalid_value",
                                  "field must be one of the record type, with text and version");
    if (!clinic_call_is_plain(call, "text", input.text)) return false;
    struct form_field one = {.id = field->id,
                             .name = field->name,
                             .text = input.text,
                             .expected_version = input.version};
    struct form_fill fill = {
        .episode = call->episode, .template = record->id, .fields = &one, .n_fields = 1};
    json_t *form = NULL;
    if (!store_fill_form(clinic_call_store(call), &call->actor, &fill, &form, &call->error))
        return tell_conflict(call, record, form);
    call->reply = json_pack("{s:o}", "form", complete(record, form));
    return call->reply != NULL;
}

bool form_undo_run(struct clinic_call *call) {
    struct form_input input = {.version = -1};
    const struct record_template *record = clinic_call_template(call, clinic_call_part(call, 1));
    json_t *form = NULL;
    if (!record || !clinic_call_read(call, &input) || !clinic_call_need(call, "field", input.field))
        return false;
    if (!record_template_field(record, input.field) || input.version < 0)
        return clinic_call_refuse(call, 400, "invalid_value",
                                  "field must be one of the record type, with its version");
    if (!store_undo_form(clinic_call_store(call), &call->actor, call->episode, record->id,
                         input.field, input.version, &form, &call->error)) {
        if (!form) {
            struct clinic_error error;
            store_get_form(clinic_call_store(call), call->episode, record->id, &form, &error);
        }
        return tell_conflict(call, record, form);
    }
    call->reply = json_pack("{s:o}", "form", complete(record, form));
    return call->reply != NULL;
}

// ---- Filling back

struct fill_input {
    const json_t *fields, *versions, *revisions;
};

static const struct json_field fill_fields[] = {
    {"fields", FIELD_JSON, offsetof(struct fill_input, fields), 0, 0, NULL, "ids of fields",
     "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"},
    {"versions", FIELD_JSON, offsetof(struct fill_input, versions), 0, 0, NULL,
     "of the form's fields, as they were seen; a field that is not named was empty",
     "{\"type\":\"object\"}"},
    {"revisions", FIELD_JSON, offsetof(struct fill_input, revisions), 0, 0, NULL,
     "of the draft's fields, as they were seen", "{\"type\":\"object\"}"},
};
const struct field_table draft_fill_tables[] = {{fill_fields, 3, 0}};
const size_t draft_fill_n_tables = 1;

static json_t *unsupported_sentences(const json_t *field) {
    json_t *list = json_array();
    const json_t *each;
    size_t i;
    json_array_foreach(json_object_get(field, "sentences"), i, each) {
        const char *verdict = json_string_value(json_object_get(each, "verdict"));
        if (!verdict || strcmp(verdict, "unsupported") == 0)
            json_array_append_new(list, json_integer((json_int_t)i));
    }
    return list;
}

// One field of the draft as one of the form, or the reason why it cannot be, in `blocked`.
static bool take_field(struct clinic_call *call, const struct record_template *record,
                       const json_t *draft, const char *id, const json_t *versions,
                       struct form_field *out, json_t *blocked) {
    const struct template_field *field = id ? record_template_field(record, id) : NULL;
    const json_t *drafted = field ? draft_field(draft, id) : NULL;
    if (!drafted)
        return clinic_call_refuse(call, 400, "invalid_value",
                                  "fields must be ids of fields that the draft has");
    const char *state = json_string_value(json_object_get(drafted, "state"));
    const json_t *version = json_object_get(versions, id);
    if (version && !json_is_integer(version))
        return clinic_call_refuse(call, 400, "invalid_value", "versions must be numbers");
    if (!state || strcmp(state, "done") != 0)
        return clinic_call_refuse(call, 409, "not_finished",
                                  "a field can be filled back when it is finished");
    if (!json_is_false(json_object_get(drafted, "blocked")))
        json_array_append_new(blocked, json_pack("{s:s,s:o}", "field", id, "sentences",
                                                 unsupported_sentences(drafted)));
    *out = (struct form_field){.id = field->id,
                               .name = field->name,
                               .text = json_string_value(json_object_get(drafted, "text")),
                               .expected_version = json_integer_value(version)};
    return out->text || clinic_call_refuse(call, 409, "not_finished", "the field has no text yet");
}

static bool take_fields(struct clinic_call *call, const struct record_template *record,
                        const json_t *draft, const struct fill_input *input,
                        struct form_field fields[TEMPLATE_FIELDS_MAX], json_t *blocked) {
    size_t n = json_array_size(input->fields), i;
    const json_t *each;
    if (!json_is_array(input->fields) || n == 0 || n > TEMPLATE_FIELDS_MAX ||
        (input->versions && !json_is_object(input->versions)) ||
        (input->revisions && !json_is_object(input->revisions)))
        return clinic_call_refuse(call, 400, "invalid_value",
                                  "fields must be a list of ids, versions an object");
    json_array_foreach((json_t *)input->fields, i, each) {
        const char *id = json_string_value(each);
        for (size_t k = 0; id && k < i; k++)
            if (strcmp(fields[k].id, id) == 0)
                return clinic_call_refuse(call, 400, "invalid_value", "a field is named twice");
        if (!take_field(call, record, draft, id, input->versions, &fields[i], blocked))
            return false;
    }
    return true;
}

// 409 with the draft as it is: a field says something else than what the caller saw.
static bool is_as_seen(const json_t *draft, const json_t *revisions) {
    const char *id;
    json_t *seen;
    json_object_foreach((json_t *)revisions, id, seen) {
        const json_t *field = draft_field(draft, id);
        if (!json_equal(seen, json_object_get(field, "revision"))) return false;
    }
    return true;
}

static bool tell_other_draft(struct clinic_call *call, json_t *draft) {
    call->reply = clinic_call_error_json("conflict", "the draft was changed meanwhile");
    json_object_set(call->reply, "draft", draft);
    call->status = 409;
    return call->reply != NULL;
}

static bool tell_blocked(struct clinic_call *call, json_t *blocked) {
    if (!clinic_call_audit(call, "form.blocked", blocked)) return false;
    call->reply = clinic_call_error_json(
        "blocked", "a sentence that the record does not support must be accepted or edited first");
    json_object_set(call->reply, "blocked", blocked);
    call->status = 409;
    return call->reply != NULL;
}

static bool fill(struct clinic_call *call, const struct record_template *record,
                 const struct form_field *fields, int n_fields) {
    struct form_fill wanted = {.episode = call->episode,
                               .template = record->id,
                               .fields = fields,
                               .n_fields = n_fields,
                               .draft = clinic_call_part(call, 0)};
    json_t *form = NULL;
    if (!store_fill_form(clinic_call_store(call), &call->actor, &wanted, &form, &call->error))
        return tell_conflict(call, record, form);
    json_t *filled = json_array();
    for (int i = 0; i < n_fields; i++)
        json_array_append_new(filled, json_string(fields[i].id));
    call->reply = json_pack("{s:o,s:o}", "form", complete(record, form), "filled", filled);
    return call->reply != NULL;
}

bool draft_fill_run(struct clinic_call *call) {
    struct fill_input input = {0};
    struct form_field fields[TEMPLATE_FIELDS_MAX];
    if (!clinic_call_read(call, &input)) return false;
    json_t *draft = draft_renewed(call), *blocked = json_array();
    const struct record_template *record =
        draft ? clinic_call_template(call, json_string_value(json_object_get(draft, "template")))
              : NULL;
    bool ok = record && blocked && take_fields(call, record, draft, &input, fields, blocked);
    if (ok && !is_as_seen(draft, input.revisions))
        ok = tell_other_draft(call, draft);
    else if (ok && json_array_size(blocked) > 0)
        ok = tell_blocked(call, blocked);
    else if (ok)
        ok = fill(call, record, fields, (int)json_array_size(input.fields));
    json_decref(blocked);
    json_decref(draft);
    return ok;
}
