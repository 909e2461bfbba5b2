// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/draft_renewal.h"

#include "clinic/draft/draft_findings.h"
#include "clinic/draft/draft_form.h"
#include "clinic/http/draft_routes.h"
#include "clinic/http/episode_routes.h"
#include "clinic/http/form_routes.h"
#include "clinic/store/store_drafts.h"
#include "clinic/store/store_episodes.h"

#include <string.h>

static bool is_running(const json_t *draft) {
    const char *state = json_string_value(json_object_get(draft, "state"));
    return state && strcmp(state, "running") == 0;
}

static int count_blocked(const json_t *draft) {
    const json_t *each;
    size_t i;
    int n = 0;
    json_array_foreach(json_object_get(draft, "fields"), i, each) {
        n += json_is_true(json_object_get(each, "blocked"));
    }
    return n;
}

static bool check_fields(struct clinic_call *call, struct draft_ground *ground, json_t *draft) {
    json_t *each;
    size_t i;
    json_array_foreach(json_object_get(draft, "fields"), i, each) {
        const char *text = json_string_value(json_object_get(each, "text"));
        if (text && *text && !draft_form_set(ground, each, text, NULL, 0, &call->error))
            return false;
    }
    return true;
}

static bool renew(struct clinic_call *call, json_t *draft, const struct opened_episode *opened) {
    struct draft_change change = {.action = "draft.renew"};
    int64_t revision = json_integer_value(json_object_get(draft, "revision"));
    const struct record_template *record =
        form_template(call, json_string_value(json_object_get(draft, "template")));
    if (!record) return false;
    return check_fields(call, opened->ground, draft) &&
           draft_findings_omissions(opened->ground, record, draft, &call->error) &&
           (draft_form_count(draft) || clinic_fail_memory(&call->error)) &&
           json_object_set_new(draft, "episode_version", json_integer(opened->version)) == 0 &&
           store_save_draft(clinic_call_store(call), &call->actor, clinic_call_part(call, 0), draft,
                            revision, &change, &call->error);
}

static bool renew_if_older(struct clinic_call *call, json_t *draft) {
    struct store *store = clinic_call_store(call);
    json_t *canonical = NULL;
    int64_t version = 0;
    if (!store_get_episode(store, call->episode, 0, &canonical, &version, &call->error))
        return false;
    json_decref(canonical);
    if (json_integer_value(json_object_get(draft, "episode_version")) == version) return true;
    if (is_running(draft))
        return clinic_call_refuse(call, 409, "record_changed",
                                  "the record has changed while this draft is being written; wait "
                                  "until it is finished");
    struct opened_episode opened;
    if (!opened_episode_init(&opened, store, call->episode, version, &call->error)) return false;
    int before = count_blocked(draft);
    bool ok = renew(call, draft, &opened);
    opened_episode_deinit(&opened);
    if (!ok || count_blocked(draft) <= before) return ok;
    return clinic_call_refuse(call, 409, "record_changed",
                              "the record has changed and does not support everything in this "
                              "draft any more; look at it again");
}

json_t *draft_renewed(struct clinic_call *call) {
    json_t *draft = draft_now(call);
    if (!draft || renew_if_older(call, draft)) return draft;
    json_decref(draft);
    return NULL;
}
