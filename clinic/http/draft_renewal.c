// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/draft_renewal.h"

#include "clinic/draft/draft_findings.h"
#include "clinic/draft/draft_form.h"
#include "clinic/draft/record_template.h"
#include "clinic/http/draft_runs.h"
#include "clinic/http/opened_episode.h"
#include "clinic/store/store_drafts.h"
#include "clinic/store/store_episodes.h"

#include <string.h>

static const char *text_of(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

static bool is_word(const json_t *object, const char *name, const char *word) {
    const char *text = text_of(object, name);
    return text && strcmp(text, word) == 0;
}

json_t *draft_now(struct clinic_call *call) {
    const char *id = clinic_call_part(call, 0);
    json_t *draft = draft_runs_get(call->context->runs, id);
    if (draft) return draft;
    // What was read at the gate may be older than the end of its run.
    if (!store_get_draft(clinic_call_store(call), id, &draft, &call->error)) return NULL;
    if (is_word(draft, "state", "running"))
        json_object_set_new(draft, "state", json_string("stopped"));
    return draft;
}

// What a doctor must look at: blocked fields and omissions that must not be.
static int count_worries(const json_t *draft) {
    const json_t *each;
    size_t i;
    int n = 0;
    json_array_foreach(json_object_get(draft, "fields"), i, each) {
        n += json_is_true(json_object_get(each, "blocked"));
    }
    json_array_foreach(json_object_get(draft, "omissions"), i, each) {
        n += is_word(each, "need", "must") && is_word(each, "state", "open");
    }
    return n;
}

bool draft_field_is_made(const json_t *field) {
    return !is_word(field, "by", "model") && !json_is_true(json_object_get(field, "edited"));
}

// What the rules make of one version of the episode: a new reference.
static json_t *made_of(struct draft_ground *ground, const struct record_template *record,
                       struct clinic_error *error) {
    struct draft_request request = {.ground = ground, .record = record};
    json_t *made = NULL;
    return draft_compose(&request, NULL, &made, error) ? made : NULL;
}

static const char *made_text(const json_t *made, const json_t *field) {
    const char *text = text_of(draft_field(made, text_of(field, "id")), "text");
    return text ? text : "";
}

// Sets the text and raises the field's revision if the text or what is known of it is another now.
static bool renew_field(struct draft_ground *ground, json_t *field, const char *text,
                        json_t *renewed, struct clinic_error *error) {
    json_t *before = json_deep_copy(field);
    bool ok = before && draft_form_set(ground, field, text, NULL, 0, error);
    bool is_same =
        ok && json_equal(json_object_get(before, "sentences"), json_object_get(field, "sentences"));
    json_int_t revision = json_integer_value(json_object_get(before, "revision"));
    if (ok && !is_same) {
        json_object_set_new(field, "revision", json_integer(revision + 1));
        json_array_append_new(renewed,
                              json_pack("{s:s,s:s?,s:s}", "field", text_of(field, "id"), "before",
                                        text_of(before, "text"), "after", text_of(field, "text")));
    }
    json_decref(before);
    return ok;
}

// Fields that the tables and rules make are made anew, since old words may well stand somewhere in
// the new record; what a model or a doctor wrote is checked. *is_other: the rules say something
// else now, also of a field that a doctor then edited.
static bool renew_fields(struct draft_ground *ground, json_t *draft, const json_t *then,
                         const json_t *now, json_t *renewed, bool *is_other,
                         struct clinic_error *error) {
    json_t *each;
    size_t i;
    json_array_foreach(json_object_get(draft, "fields"), i, each) {
        const char *text = text_of(each, "text"), *made = made_text(now, each);
        if (!text || !*text) continue;
        bool is_made = *made && draft_field_is_made(each);
        if (is_made ? strcmp(made, text) != 0
                    : !is_word(each, "from", "model") && strcmp(made, made_text(then, each)) != 0)
            *is_other = true;
        if (!renew_field(ground, each, is_made ? made : text, renewed, error)) return false;
    }
    return true;
}

// What the draft had to be looked at for before, by the record that it was made of. A draft that
// was stopped has no list of omissions yet.
static bool count_old_worries(struct draft_ground *ground, const struct record_template *record,
                              const json_t *draft, int *worries, struct clinic_error *error) {
    json_t *copy = json_deep_copy(draft);
    bool ok = copy && draft_findings_omissions(ground, record, copy, error);
    if (ok) *worries = count_worries(copy);
    json_decref(copy);
    return ok;
}

static bool renew_texts(struct clinic_call *call, const struct record_template *record,
                        json_t *draft, const struct opened_episode *opened, json_t *renewed,
                        bool *is_other, int *worries) {
    int64_t version = json_integer_value(json_object_get(draft, "episode_version"));
    struct opened_episode old;
    if (!opened_episode_init(&old, call->context->supply.charts, call->episode, version,
                             &call->error))
        return false;
    json_t *then = made_of(old.ground, record, &call->error),
           *now = then ? made_of(opened->ground, record, &call->error) : NULL;
    bool ok = now && count_old_worries(old.ground, record, draft, worries, &call->error) &&
              renew_fields(opened->ground, draft, then, now, renewed, is_other, &call->error);
    json_decref(then);
    json_decref(now);
    opened_episode_deinit(&old);
    return ok;
}

static bool renew(struct clinic_call *call, json_t *draft, const struct opened_episode *opened,
                  bool *is_other, int *worries) {
    json_t *renewed = json_array();
    struct draft_change change = {.action = "draft.renew", .after = renewed};
    int64_t revision = json_integer_value(json_object_get(draft, "revision"));
    const struct record_template *record = clinic_call_template(call, text_of(draft, "template"));
    bool ok = record && renewed &&
              renew_texts(call, record, draft, opened, renewed, is_other, worries) &&
              draft_findings_omissions(opened->ground, record, draft, &call->error) &&
              draft_findings_conflicts(opened->ground, draft, &call->error) &&
              (draft_form_count(draft) || clinic_fail_memory(&call->error)) &&
              json_object_set_new(draft, "episode_version", json_integer(opened->version)) == 0 &&
              store_save_draft(clinic_call_store(call), &call->actor, clinic_call_part(call, 0),
                               draft, revision, &change, &call->error);
    json_decref(renewed);
    return ok;
}

static bool renew_if_older(struct clinic_call *call, json_t *draft) {
    struct store *store = clinic_call_store(call);
    int64_t version = 0;
    if (!store_episode_version(store, call->episode, &version, &call->error)) return false;
    if (json_integer_value(json_object_get(draft, "episode_version")) == version) return true;
    if (is_word(draft, "state", "running"))
        return clinic_call_refuse(call, 409, "record_changed",
                                  "the record has changed while this draft is being written; wait "
                                  "until it is finished");
    struct opened_episode opened;
    if (!opened_episode_init(&opened, call->context->supply.charts, call->episode, version,
                             &call->error))
        return false;
    int before = 0;
    bool is_other = false, ok = renew(call, draft, &opened, &is_other, &before);
    opened_episode_deinit(&opened);
    if (!ok || (!is_other && count_worries(draft) <= before)) return ok;
    return clinic_call_refuse(call, 409, "record_changed",
                              "the record has changed, and this draft with it; look at it again");
}

json_t *draft_renewed(struct clinic_call *call) {
    json_t *draft = draft_now(call);
    if (!draft || renew_if_older(call, draft)) return draft;
    json_decref(draft);
    return NULL;
}
