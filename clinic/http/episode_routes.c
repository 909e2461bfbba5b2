// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/episode_routes.h"

#include "clinic/draft/draft.h"
#include "clinic/draft/record_template.h"
#include "clinic/http/draft_warmer.h"
#include "clinic/http/opened_episode.h"
#include "clinic/record/fhir_export.h"
#include "clinic/store/store_drafts.h"
#include "clinic/store/store_episodes.h"
#include "clinic/store/store_forms.h"

#include <string.h>
#include <time.h>

enum { SEARCH_TEXT_BYTES_MAX = 256, LIST_MAX = 500, DEPARTMENTS_MAX = 256 };

struct search_input {
    const char *text, *department, *state;
    int64_t limit, offset;
};

static const struct json_field search_fields[] = {
    {"text", FIELD_TEXT, offsetof(struct search_input, text), 0, SEARCH_TEXT_BYTES_MAX, NULL,
     "words that all must be in name, ids, bed, ward or main diagnosis", NULL},
    {"department", FIELD_TEXT, offsetof(struct search_input, department), 0, 128, NULL,
     "one of the user's", NULL},
    {"state", FIELD_TEXT, offsetof(struct search_input, state), 0, 16, NULL,
     "admitted, discharged, drafted, filled or open", NULL},
    {"limit", FIELD_INT, offsetof(struct search_input, limit), 1, LIST_MAX, NULL,
     "entries wanted (50)", NULL},
    {"offset", FIELD_INT, offsetof(struct search_input, offset), 0, 1e9, NULL,
     "entries to leave out", NULL},
};
const struct field_table search_tables[] = {{search_fields, 5, 0}};
const size_t search_n_tables = 1;

static bool sees_all(const struct store_session *session) {
    const json_t *each;
    size_t i;
    json_array_foreach(session->departments, i, each) {
        if (json_is_string(each) && strcmp(json_string_value(each), "*") == 0) return true;
    }
    return false;
}

// The departments to look in: the user's, or the one of them that is asked for.
static int choose_departments(const struct store_session *session, const char *wanted,
                              const char *chosen[DEPARTMENTS_MAX]) {
    int n = 0;
    const json_t *each;
    size_t i;
    if (sees_all(session)) {
        chosen[0] = wanted;
        return wanted ? 1 : -1;
    }
    json_array_foreach(session->departments, i, each) {
        const char *name = json_string_value(each);
        if (name && n < DEPARTMENTS_MAX && (!wanted || strcmp(name, wanted) == 0))
            chosen[n++] = name;
    }
    return n;
}

bool search_run(struct clinic_call *call) {
    struct search_input input = {.limit = 50};
    const char *departments[DEPARTMENTS_MAX];
    json_t *list = NULL;
    int64_t total = 0;
    if (!clinic_call_read(call, &input)) return false;
    const char *wanted = input.department && *input.department ? input.department : NULL;
    const struct record_template *record =
        template_set_find(call->context->supply.templates, "discharge-record");
    struct episode_query query = {.departments = departments,
                                  .n_departments =
                                      choose_departments(&call->session, wanted, departments),
                                  .text = input.text,
                                  .state = input.state && *input.state ? input.state : NULL,
                                  .template_fields = record ? record->n_fields : 0,
                                  .limit = (int)input.limit,
                                  .offset = (int)input.offset};
    if (!store_list_episodes(clinic_call_store(call), &query, &list, &total, &call->error))
        return false;
    json_t *asked = json_pack("{s:s?,s:s?,s:s?,s:I,s:I}", "text", input.text, "department", wanted,
                              "state", query.state, "total", (json_int_t)total, "shown",
                              (json_int_t)json_array_size(list));
    call->reply = json_pack("{s:o,s:I}", "episodes", list, "total", (json_int_t)total);
    bool ok = asked && call->reply && clinic_call_audit(call, "read", asked);
    json_decref(asked);
    return ok;
}

bool episode_run(struct clinic_call *call) {
    struct store *store = clinic_call_store(call);
    json_t *canonical = NULL, *drafts = NULL;
    int64_t version = 0;
    if (!store_get_episode(store, call->episode, 0, &canonical, &version, &call->error))
        return false;
    if (!store_list_drafts(store, call->episode, &drafts, &call->error)) {
        json_decref(canonical);
        return false;
    }
    struct episode *episode = episode_read(canonical, &call->error);
    int age_years = episode ? episode_age_years(episode) : -1;
    episode_free(episode);
    struct draft_warmer *warmer = call->context->warmer;
    bool is_warm = draft_warmer_has_read(warmer, call->episode, version);
    call->reply =
        json_pack("{s:o,s:I,s:i,s:b,s:o}", "episode", canonical, "version", (json_int_t)version,
                  "age_years", age_years, "warm", is_warm, "drafts", drafts);
    if (!is_warm) draft_warmer_add(warmer, call->episode);
    return true;
}

bool conflicts_run(struct clinic_call *call) {
    struct opened_episode opened;
    if (!opened_episode_init(&opened, call->context->supply.charts, call->episode, 0, &call->error))
        return false;
    json_t *conflicts = draft_conflicts(opened.ground, &call->error);
    if (conflicts)
        call->reply =
            json_pack("{s:o,s:I}", "conflicts", conflicts, "version", (json_int_t)opened.version);
    opened_episode_deinit(&opened);
    return conflicts != NULL;
}

static const char *form_text(const json_t *form_field, const char *name) {
    return json_string_value(json_object_get(form_field, name));
}

static int list_fields(const struct record_template *record, const json_t *form,
                       struct composition_field fields[TEMPLATE_FIELDS_MAX]) {
    for (int i = 0; i < record->n_fields; i++) {
        const struct template_field *field = &record->fields[i];
        const json_t *filled = store_form_field(form, field->id);
        fields[i] = (struct composition_field){.id = field->id,
                                               .name = field->name,
                                               .text = form_text(filled, "text"),
                                               .by = form_text(filled, "by"),
                                               .loinc = field->loinc,
                                               .element = field->element,
                                               .is_from_draft = form_text(filled, "draft") != NULL};
    }
    return record->n_fields;
}

bool composition_run(struct clinic_call *call) {
    struct store *store = clinic_call_store(call);
    struct composition_field fields[TEMPLATE_FIELDS_MAX];
    struct opened_episode opened;
    json_t *form = NULL;
    const struct record_template *record = clinic_call_template(call, clinic_call_part(call, 1));
    if (!record || !store_get_form(store, call->episode, record->id, &form, &call->error))
        return false;
    if (!opened_episode_init(&opened, call->context->supply.charts, call->episode, 0,
                             &call->error)) {
        json_decref(form);
        return false;
    }
    struct composition_head head = {
        .title = record->name,
        .loinc = record->loinc,
        .c_code = record->c_code,
        .date = {.seconds = (int64_t)time(NULL),
                 .offset_minutes = opened.episode->encounter.admit.offset_minutes}};
    call->reply = composition_from_fields(opened.episode, &head, fields,
                                          list_fields(record, form, fields), &call->error);
    opened_episode_deinit(&opened);
    json_decref(form);
    return call->reply != NULL;
}
