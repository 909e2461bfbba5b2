// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/cds_routes.h"

#include "clinic/draft/record_template.h"
#include "clinic/http/draft_warmer.h"
#include "clinic/store/store_drafts.h"
#include "clinic/store/store_episodes.h"
#include "clinic/store/store_forms.h"
#include "server/random_id.h"

#include <stdio.h>
#include <string.h>

#define HOOK "encounter-discharge"
#define SERVICE "xinglin-discharge"
#define RECORD "discharge-record"

enum { CONTEXT_TEXT_MAX = 128, FEEDBACK_MAX = 64, UUID_BYTES = 37 };

bool cds_discovery_run(struct clinic_call *call) {
    call->reply = json_pack(
        "{s:[{s:s,s:s,s:s,s:s,s:s}]}", "services", "hook", HOOK, "id", SERVICE, "title",
        "Xinglin discharge record", "description",
        "Offers a draft of the discharge record (出院记录) whose every sentence names its sources.",
        "usageRequirements",
        "Needs no prefetch and no FHIR access: the record must have been pushed to "
        "/clinic/episodes "
        "before. Authorization: Bearer, an API key with the scope clinic or a token that a known "
        "client has signed.");
    return call->reply != NULL;
}

static const char *context_text(const json_t *context, const char *name) {
    const json_t *value = json_object_get(context, name);
    const char *text = json_string_value(value);
    return text && *text && json_string_length(value) <= CONTEXT_TEXT_MAX ? text : NULL;
}

// "Encounter/E-1" and "E-1" mean the same.
static const char *without_type(const char *reference, const char *type) {
    size_t n = strlen(type);
    return reference && strncmp(reference, type, n) == 0 ? reference + n : reference;
}

static void make_uuid(char uuid[UUID_BYTES]) {
    unsigned char b[16];
    random_bytes(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
    snprintf(uuid, UUID_BYTES,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
}

static json_t *card(const struct clinic_call *call, const char *summary, const char *indicator) {
    char url[600], uuid[UUID_BYTES];
    make_uuid(uuid);
    snprintf(url, sizeof url, "%s/clinic#/episode/%s", call->base, call->episode);
    return json_pack("{s:s,s:s,s:s,s:s,s:{s:s},s:[{s:s,s:s,s:s}]}", "uuid", uuid, "summary",
                     summary, "detail",
                     "草稿逐句标注来源，须经医师审核后回填。 "
                     "(Every sentence of the draft names its sources; a doctor reviews it.)",
                     "indicator", indicator, "source", "label", "Xinglin 杏林", "links", "label",
                     "打开出院记录草稿 (open the draft)", "url", url, "type", "absolute");
}

static int count_filled(const struct record_template *record, const json_t *form) {
    int n = 0;
    for (int i = 0; i < record->n_fields; i++) {
        const json_t *field = store_form_field(form, record->fields[i].id);
        const char *text = json_string_value(json_object_get(field, "text"));
        n += text && *text;
    }
    return n;
}

// Nothing of the patient stands in the card: who may see it is decided behind the link.
static bool tell_card(struct clinic_call *call) {
    const struct record_template *record = clinic_call_template(call, RECORD);
    json_t *form = NULL;
    char summary[160];
    if (!record ||
        !store_get_form(clinic_call_store(call), call->episode, RECORD, &form, &call->error))
        return false;
    int n_filled = count_filled(record, form);
    json_decref(form);
    if (n_filled == 0)
        snprintf(summary, sizeof summary,
                 "出院记录未书写，可生成草稿 (no discharge record yet; a draft can be made)");
    else if (n_filled < record->n_fields)
        snprintf(summary, sizeof summary,
                 "出院记录书写中：%d/%d 项 (discharge record begun: %d of %d fields)", n_filled,
                 record->n_fields, n_filled, record->n_fields);
    else
        snprintf(summary, sizeof summary,
                 "出院记录已回填，可核对来源 (discharge record filled; review its sources)");
    call->reply = json_pack("{s:[o]}", "cards",
                            card(call, summary, n_filled < record->n_fields ? "warning" : "info"));
    draft_warmer_add(call->context->warmer, call->episode);
    return call->reply != NULL;
}

// A stay that was never pushed, or of another patient than the caller has in view: no card.
static bool find_stay(struct clinic_call *call, const char *encounter, const char *patient,
                      bool *is_found) {
    char known[CONTEXT_TEXT_MAX + 1];
    *is_found = store_episode_patient(clinic_call_store(call), encounter, known, sizeof known,
                                      &call->error);
    if (!*is_found) return call->error.failure == CLINIC_NOT_FOUND;
    *is_found = strcmp(known, patient) == 0;
    return true;
}

bool cds_discharge_run(struct clinic_call *call) {
    const json_t *context = json_object_get(call->body, "context");
    const char *hook = context_text(call->body, "hook"),
               *encounter = without_type(context_text(context, "encounterId"), "Encounter/"),
               *patient = without_type(context_text(context, "patientId"), "Patient/");
    bool is_found = false;
    if (!hook || strcmp(hook, HOOK) != 0)
        return clinic_call_refuse(call, 400, "invalid_value", "hook must be " HOOK);
    if (!context_text(call->body, "hookInstance") || !patient || !encounter ||
        !context_text(context, "userId"))
        return clinic_call_refuse(
            call, 400, "missing_value",
            "hookInstance and context with userId, patientId and encounterId are needed");
    if (!find_stay(call, encounter, patient, &is_found)) return false;
    if (!is_found) {
        call->reply = json_pack("{s:[]}", "cards");
        return call->reply != NULL;
    }
    snprintf(call->episode, sizeof call->episode, "%s", encounter);
    return tell_card(call);
}

static bool is_feedback(const json_t *entry) {
    const char *outcome = context_text(entry, "outcome");
    return context_text(entry, "card") && outcome &&
           (strcmp(outcome, "accepted") == 0 || strcmp(outcome, "overridden") == 0);
}

// Only which card and what became of it is kept: comments could hold anything.
bool cds_feedback_run(struct clinic_call *call) {
    const json_t *list = json_object_get(call->body, "feedback"), *each;
    size_t i;
    json_t *kept = json_array();
    bool ok = json_is_array(list) && json_array_size(list) <= FEEDBACK_MAX;
    json_array_foreach((json_t *)list, i, each) {
        ok = ok && is_feedback(each);
        if (!ok) break;
        json_array_append_new(kept, json_pack("{s:s,s:s}", "card", context_text(each, "card"),
                                              "outcome", context_text(each, "outcome")));
    }
    if (ok) {
        ok = clinic_call_audit(call, "cds.feedback", kept);
        call->reply = json_object();
    } else {
        clinic_call_refuse(call, 400, "invalid_value",
                           "feedback must be a list of at most %d objects with card and outcome",
                           FEEDBACK_MAX);
    }
    json_decref(kept);
    return ok;
}
