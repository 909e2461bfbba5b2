// SPDX-License-Identifier: Apache-2.0
// The order of a draft: what data and rules give at once, then what the model writes, then what is
// left out and what contradicts itself.
#include "clinic/draft/draft.h"
#include "clinic/draft/draft_findings.h"
#include "clinic/draft/draft_form.h"
#include "clinic/draft/draft_piece_writer.h"
#include "clinic/draft/draft_prompt.h"
#include "clinic/draft/text_buffer.h"

#include <string.h>

// ---- Fields without a model --------------------------------------------------------------------

static bool compose_plain(struct draft_run *run, const struct template_field *field, json_t *json,
                          struct clinic_error *error) {
    struct draft_ground *ground = run->request->ground;
    struct draft_material material = {0};
    struct text_buffer text = {0};
    if (!draft_material_make(ground, field, &material, error)) return false;
    for (int i = 0; i < material.n_pieces; i++)
        text_buffer_add(&text, material.pieces[i].text);
    draft_material_deinit(&material);
    const char *by = field->origin == ORIGIN_DATA || field->origin == ORIGIN_COPY ? "data" : "rule";
    bool is_done =
        (!text.has_failed || clinic_fail_memory(error)) &&
        draft_form_set(ground, json, text_buffer_text(&text), NULL, 0, error) &&
        ((draft_run_set_state(json, "done") && draft_form_put(json, "by", json_string(by))) ||
         clinic_fail_memory(error)) &&
        draft_run_tell_field(run, json, error);
    text_buffer_deinit(&text);
    return is_done;
}

// A field that the rules cannot make is failed by itself; the others are still of use.
static bool compose_field(struct draft_run *run, const struct template_field *field, json_t *json,
                          struct clinic_error *error) {
    struct clinic_error own = {CLINIC_OK, ""};
    bool needs_model = field->origin == ORIGIN_MODEL && run->request->writer && !run->is_model_lost;
    json_int_t revision = json_integer_value(json_object_get(json, "revision"));
    if (!draft_form_put(json, "revision", json_integer(revision + 1)))
        return clinic_fail_memory(error);
    bool is_done = needs_model ? draft_piece_writer_run(run, field, json, &own)
                               : compose_plain(run, field, json, &own);
    if (is_done) return true;
    if (own.failure == CLINIC_NO_MEMORY) return clinic_fail_memory(error);
    return (draft_run_set_state(json, "failed") &&
            draft_form_put(json, "error", json_string(own.message)) &&
            draft_run_tell_field(run, json, error)) ||
           clinic_fail_memory(error);
}

static bool is_to_do(const struct draft_run *run, const json_t *field) {
    const char *state = json_string_value(json_object_get(field, "state"));
    return state && strcmp(state, "waiting") == 0 &&
           !draft_form_is_kept(field, run->request->only_field);
}

// Locked fields of a draft that is made anew are left alone even if nothing was ever in them.
static bool compose_fields(struct draft_run *run, bool by_model, struct clinic_error *error) {
    const struct record_template *record = run->request->record;
    for (int i = 0; i < record->n_fields; i++) {
        const struct template_field *field = &record->fields[i];
        json_t *json = draft_field(run->draft, field->id);
        if ((field->origin == ORIGIN_MODEL) != by_model || !json || !is_to_do(run, json)) continue;
        if (draft_run_is_stopped(run)) return true;
        if (!compose_field(run, field, json, error)) return false;
    }
    return true;
}

// ---- The whole ---------------------------------------------------------------------------------

static bool tell_findings(struct draft_run *run, struct clinic_error *error) {
    struct draft_ground *ground = run->request->ground;
    if (!draft_findings_omissions(ground, run->request->record, run->draft, error)) return false;
    json_t *omissions = json_object_get(run->draft, "omissions");
    if (!draft_run_tell(run, "omissions", json_pack("{s:O}", "omissions", omissions), error))
        return false;
    if (!draft_findings_conflicts(ground, run->draft, error)) return false;
    json_t *conflicts = json_object_get(run->draft, "conflicts");
    return draft_run_tell(run, "conflicts", json_pack("{s:O}", "conflicts", conflicts), error);
}

static bool stop_fields(struct draft_run *run) {
    size_t i;
    json_t *field;
    json_array_foreach(json_object_get(run->draft, "fields"), i, field) {
        const char *state = json_string_value(json_object_get(field, "state"));
        bool is_open = state && (strcmp(state, "waiting") == 0 || strcmp(state, "writing") == 0);
        if (is_open && !draft_run_set_state(field, "stopped")) return false;
    }
    return true;
}

static json_t *milliseconds(double seconds) {
    return json_integer((json_int_t)(seconds * 1e3 + 0.5));
}

static bool finish(struct draft_run *run, struct clinic_error *error) {
    json_t *draft = run->draft;
    const char *state = run->is_stopped ? "stopped" : "done";
    double first_s = run->first_token_s - run->begun_s;
    bool is_done =
        (!run->is_stopped || stop_fields(run)) && draft_form_count(draft) &&
        draft_form_put(draft, "state", json_string(state)) &&
        draft_form_put(draft, "first_token_ms",
                       run->first_token_s > 0 ? milliseconds(first_s) : json_null()) &&
        draft_form_put(draft, "total_ms", milliseconds(draft_run_seconds() - run->begun_s));
    if (!is_done) return clinic_fail_memory(error);
    return draft_run_tell(run, "done",
                          json_pack("{s:s,s:O,s:O,s:O}", "state", state, "verified",
                                    json_object_get(draft, "verified"), "first_token_ms",
                                    json_object_get(draft, "first_token_ms"), "total_ms",
                                    json_object_get(draft, "total_ms")),
                          error);
}

static bool compose(struct draft_run *run, struct clinic_error *error) {
    json_t *draft = run->draft;
    json_t *state = json_pack("{s:O,s:s,s:O}", "draft", json_object_get(draft, "id"), "state",
                              "running", "model", json_object_get(draft, "model"));
    return draft_run_tell(run, "state", state, error) && compose_fields(run, false, error) &&
           compose_fields(run, true, error) && (run->is_stopped || tell_findings(run, error)) &&
           finish(run, error);
}

// What made no sense is told to whoever follows, too.
static void fail_draft(struct draft_run *run, const struct clinic_error *why) {
    struct clinic_error ignored;
    draft_form_put(run->draft, "state", json_string("failed"));
    draft_form_put(run->draft, "error", json_string(why->message));
    draft_run_tell(run, "failed", json_pack("{s:s}", "message", why->message), &ignored);
}

static bool check_request(const struct draft_request *request, struct clinic_error *error) {
    const char *only = request->only_field;
    if (only && !record_template_field(request->record, only))
        return clinic_fail(error, CLINIC_NOT_FOUND, "the template has no such field");
    json_t *field = only && request->kept ? draft_field(request->kept, only) : NULL;
    if (field && json_is_true(json_object_get(field, "locked")))
        return clinic_fail(error, CLINIC_CONFLICT, "the field is locked; unlock it first");
    return true;
}

// What is kept is checked against the episode as it is now: that may be newer than the draft was.
static bool check_kept(const struct draft_request *request, json_t *draft,
                       struct clinic_error *error) {
    size_t i;
    json_t *field;
    json_array_foreach(json_object_get(draft, "fields"), i, field) {
        const char *text = json_string_value(json_object_get(field, "text"));
        if (!text || !*text) continue;
        json_t *own = json_string(text); // the field's is replaced meanwhile
        bool is_set =
            own && draft_form_set(request->ground, field, json_string_value(own), NULL, 0, error);
        json_decref(own);
        if (!is_set) return own ? false : clinic_fail_memory(error);
    }
    return true;
}

json_t *draft_begin(const struct draft_request *request, struct clinic_error *error) {
    if (!check_request(request, error)) return NULL;
    json_t *draft = draft_form_create(request->record, request->kept, request->only_field,
                                      request->writer ? request->writer->name : NULL, error);
    const char *episode = request->ground->episode->encounter.id;
    if (draft && !check_kept(request, draft, error)) {
        json_decref(draft);
        return NULL;
    }
    if (draft && draft_form_put(draft, "episode", json_string(episode)) && draft_form_count(draft))
        return draft;
    if (draft) clinic_fail_memory(error);
    json_decref(draft);
    return NULL;
}

bool draft_compose(const struct draft_request *request, const struct draft_events *events,
                   json_t **draft, struct clinic_error *error) {
    static const struct draft_events nobody = {.user = NULL};
    struct clinic_error own = {CLINIC_OK, ""};
    struct draft_run run = {
        .request = request, .events = events ? events : &nobody, .begun_s = draft_run_seconds()};
    *draft = NULL;
    run.draft = draft_begin(request, error);
    if (!run.draft) return false;
    if (!compose(&run, &own)) fail_draft(&run, &own);
    *draft = run.draft;
    return true;
}

bool draft_warm(const struct draft_request *request, struct clinic_error *error) {
    const struct text_writer *writer = request->writer;
    bool is_done = true;
    for (int i = 0; is_done && writer && i < request->record->n_fields; i++) {
        const struct template_field *field = &request->record->fields[i];
        struct draft_material material = {0};
        if (field->origin != ORIGIN_MODEL) continue;
        is_done = draft_material_make(request->ground, field, &material, error);
        for (int k = 0; is_done && k < material.n_pieces; k++) {
            struct draft_prompt prompt = {0};
            is_done = draft_prompt_make(request->ground, request->record, field,
                                        &material.pieces[k], NULL, writer, &prompt, error);
            if (is_done && prompt.fits) writer->warm(writer->user, &prompt.task);
            draft_prompt_deinit(&prompt);
        }
        draft_material_deinit(&material);
    }
    return is_done;
}
