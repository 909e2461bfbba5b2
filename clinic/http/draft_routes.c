// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/draft_routes.h"

#include "clinic/draft/draft.h"
#include "clinic/draft/draft_form.h"
#include "clinic/draft/record_template.h"
#include "clinic/http/draft_renewal.h"
#include "clinic/http/draft_runs.h"
#include "clinic/http/event_stream.h"
#include "clinic/http/host_writer.h"
#include "clinic/http/opened_episode.h"
#include "clinic/record/utf8_text.h"
#include "clinic/store/store_drafts.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 64 << 10, REASON_BYTES_MAX = 1024, ID_BYTES_MAX = 128 };

// All bodies of this file: each table names what its route takes.
struct draft_input {
    const char *episode, *template, *field, *text, *reason, *omission;
    int64_t revision, sentence;
    bool locked;
};

#define AT(member) offsetof(struct draft_input, member)

static const struct json_field create_fields[] = {
    {"episode", FIELD_TEXT, AT(episode), 0, ID_BYTES_MAX, NULL, "id of the episode", NULL},
    {"template", FIELD_TEXT, AT(template), 0, 64, NULL, "id of the record type", NULL},
};
static const struct json_field field_field[] = {
    {"field", FIELD_TEXT, AT(field), 0, 64, NULL, "id of the field", NULL},
};
static const struct json_field lock_fields[] = {
    {"locked", FIELD_BOOL, AT(locked), 0, 0, NULL, "true: no later run changes it", NULL},
};
static const struct json_field edit_fields[] = {
    {"text", FIELD_TEXT, AT(text), 0, TEXT_BYTES_MAX, NULL, "the field's new text", NULL},
    {"revision", FIELD_INT, AT(revision), 0, 1e9, NULL, "of the field, as it was seen", NULL},
};
static const struct json_field accept_fields[] = {
    {"sentence", FIELD_INT, AT(sentence), 0, 10000, NULL, "its place in sentences[]", NULL},
    {"text", FIELD_TEXT, AT(text), 0, TEXT_BYTES_MAX, NULL, "the sentence, as it was seen", NULL},
    {"reason", FIELD_TEXT, AT(reason), 0, REASON_BYTES_MAX, NULL, "why it is right", NULL},
};
static const struct json_field omission_fields[] = {
    {"omission", FIELD_TEXT, AT(omission), 0, ID_BYTES_MAX, NULL, "id of the omission", NULL},
    {"reason", FIELD_TEXT, AT(reason), 0, REASON_BYTES_MAX, NULL, "why it may be left out", NULL},
};

#undef AT

const struct field_table draft_create_tables[] = {{create_fields, 2, 0}};
const size_t draft_create_n_tables = 1;
const struct field_table draft_regenerate_tables[] = {{field_field, 1, 0}};
const size_t draft_regenerate_n_tables = 1;
const struct field_table draft_lock_tables[] = {{field_field, 1, 0}, {lock_fields, 1, 0}};
const size_t draft_lock_n_tables = 2;
const struct field_table draft_edit_tables[] = {{field_field, 1, 0}, {edit_fields, 2, 0}};
const size_t draft_edit_n_tables = 2;
const struct field_table draft_accept_tables[] = {{field_field, 1, 0}, {accept_fields, 3, 0}};
const size_t draft_accept_n_tables = 2;
const struct field_table draft_insert_tables[] = {{omission_fields, 1, 0}};
const size_t draft_insert_n_tables = 1;
const struct field_table draft_dismiss_tables[] = {{omission_fields, 2, 0}};
const size_t draft_dismiss_n_tables = 1;

static const char *text_of(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

bool draft_get_run(struct clinic_call *call) {
    call->reply = draft_now(call);
    return call->reply != NULL;
}

// ---- Beginning and following

// A lock keeps words; what the tables and rules say is asked of them again.
static bool has_locked_words(json_t *draft) {
    json_t *each;
    size_t i;
    bool is_found = false;
    json_array_foreach(json_object_get(draft, "fields"), i, each) {
        if (!json_is_true(json_object_get(each, "locked"))) continue;
        if (draft_field_is_made(each))
            json_object_set_new(each, "locked", json_false());
        else
            is_found = true;
    }
    return is_found;
}

// Locked words may come from a draft of an older record: they are checked against this one.
static bool check_locked(struct clinic_call *call, struct draft_ground *ground, json_t *draft) {
    json_t *each;
    size_t i;
    json_array_foreach(json_object_get(draft, "fields"), i, each) {
        const char *text = text_of(each, "text");
        if (json_is_true(json_object_get(each, "locked")) && text && *text &&
            !draft_form_set(ground, each, text, NULL, 0, &call->error))
            return false;
    }
    return draft_form_count(draft) || clinic_fail_memory(&call->error);
}

// The doctor's newest draft of this kind, if something in it is locked: that stays. NULL: none.
static json_t *locked_draft(struct clinic_call *call, const char *template) {
    struct clinic_error error;
    json_t *list = NULL, *draft = NULL;
    const json_t *each;
    size_t i;
    if (!store_list_drafts(clinic_call_store(call), call->episode, &list, &error)) return NULL;
    json_array_foreach(list, i, each) {
        const char *by = text_of(each, "by"), *kind = text_of(each, "template");
        if (!by || !kind || strcmp(by, call->session.user) != 0 || strcmp(kind, template) != 0)
            continue;
        if (!store_get_draft(clinic_call_store(call), text_of(each, "id"), &draft, &error))
            draft = NULL;
        break;
    }
    json_decref(list);
    if (has_locked_words(draft)) return draft;
    json_decref(draft);
    return NULL;
}

static json_t *new_draft(struct clinic_call *call, const struct record_template *record) {
    struct opened_episode opened;
    if (!opened_episode_init(&opened, call->context->supply.charts, call->episode, 0, &call->error))
        return NULL;
    json_t *kept = locked_draft(call, record->id);
    struct draft_request request = {.ground = opened.ground,
                                    .record = record,
                                    .writer = host_writer_interface(call->context->supply.writer),
                                    .kept = kept,
                                    .user = call->session.user};
    json_t *draft = draft_begin(&request, &call->error);
    json_decref(kept);
    if (draft && !check_locked(call, opened.ground, draft)) {
        json_decref(draft);
        draft = NULL;
    }
    if (draft) json_object_set_new(draft, "episode_version", json_integer(opened.version));
    opened_episode_deinit(&opened);
    return draft;
}

// Nothing writes it: the store must not say that something does.
static bool start_or_stop(struct clinic_call *call, json_t *draft, const char *field) {
    struct draft_change change = {.action = "draft.stop"};
    struct clinic_error error;
    if (draft_runs_start(call->context->runs, &call->actor, draft, field, &call->error))
        return true;
    json_t *each;
    size_t i;
    json_array_foreach(json_object_get(draft, "fields"), i, each) {
        const char *state = text_of(each, "state");
        if (state && strcmp(state, "waiting") == 0)
            json_object_set_new(each, "state", json_string("stopped"));
    }
    json_object_set_new(draft, "state", json_string("stopped"));
    store_save_draft(clinic_call_store(call), &call->actor, text_of(draft, "id"), draft,
                     json_integer_value(json_object_get(draft, "revision")), &change, &error);
    return false;
}

bool draft_create_run(struct clinic_call *call) {
    struct draft_input input = {0};
    struct draft_runs *runs = call->context->runs;
    char id[STORE_ID_BYTES];
    if (!clinic_call_read(call, &input) || !clinic_call_need(call, "template", input.template))
        return false;
    const struct record_template *record = clinic_call_template(call, input.template);
    if (!record) return false;
    // A second press is the first one.
    call->reply = draft_runs_find(runs, call->session.user, call->episode, record->id);
    if (call->reply) return true;
    json_t *draft = new_draft(call, record);
    bool ok = draft &&
              store_create_draft(clinic_call_store(call), &call->actor, call->episode, record->id,
                                 draft, id, &call->error) &&
              start_or_stop(call, draft, NULL);
    if (ok) call->reply = json_deep_copy(draft);
    if (ok) call->status = 201;
    json_decref(draft);
    return ok;
}

// A draft that is not being written any more, as a stream that ends at once.
static bool follow_ended(struct clinic_call *call) {
    struct event_feed *feed = event_feed_create(NULL, NULL);
    json_t *draft = draft_now(call);
    json_t *snapshot = draft ? json_pack("{s:O}", "draft", draft) : NULL;
    json_t *done = draft ? json_pack("{s:O,s:O}", "state", json_object_get(draft, "state"),
                                     "verified", json_object_get(draft, "verified"))
                         : NULL;
    if (feed && snapshot && done)
        call->follower = event_stream_follow(feed, call->exchange, call->token, snapshot);
    if (call->follower) {
        event_feed_add(feed, "done", done);
        event_feed_end(feed);
    }
    event_feed_release(feed);
    json_decref(done);
    json_decref(snapshot);
    json_decref(draft);
    return call->follower || (draft && clinic_fail_memory(&call->error));
}

bool draft_events_run(struct clinic_call *call) {
    call->follower = draft_runs_follow(call->context->runs, clinic_call_part(call, 0),
                                       call->exchange, call->token, &call->error);
    if (call->follower) return true;
    return call->error.failure == CLINIC_NOT_FOUND ? follow_ended(call) : false;
}

bool draft_stop_run(struct clinic_call *call) {
    draft_runs_stop(call->context->runs, clinic_call_part(call, 0));
    return draft_get_run(call);
}

// ---- Changing

struct draft_work {
    struct live_draft *run; // held; NULL: the draft is not being written
    json_t *draft;
    const struct record_template *record;
    struct opened_episode opened;
    int64_t revision; // in the store
};

static bool refuse_running(struct clinic_call *call) {
    return clinic_call_refuse(call, 409, "still_running",
                              "this is still being written; wait or stop it");
}

// While the rest is written, what is finished may be changed.
static bool is_finished(const json_t *draft, const char *field) {
    const char *state = field ? text_of(draft_field(draft, field), "state") : NULL;
    return !state || (strcmp(state, "waiting") != 0 && strcmp(state, "writing") != 0);
}

static bool work_init(struct clinic_call *call, struct draft_work *work,
                      const struct draft_input *input, bool needs_ground) {
    *work = (struct draft_work){0};
    work->run = draft_runs_hold(call->context->runs, clinic_call_part(call, 0), &work->draft);
    if (!work->run) work->draft = draft_now(call);
    if (!work->draft) return false;
    if (!is_finished(work->draft, input->field)) return refuse_running(call);
    work->revision = json_integer_value(json_object_get(work->draft, "revision"));
    work->record = clinic_call_template(call, text_of(work->draft, "template"));
    if (!work->record) return false;
    int64_t version = json_integer_value(json_object_get(work->draft, "episode_version"));
    return !needs_ground || opened_episode_init(&work->opened, call->context->supply.charts,
                                                call->episode, version, &call->error);
}

static void work_deinit(struct draft_work *work) {
    if (work->run) draft_runs_let_go(work->run);
    opened_episode_deinit(&work->opened);
    json_decref(work->draft);
}

// Keeps the changed draft and answers with it. Takes before and after.
static bool work_keep(struct clinic_call *call, struct draft_work *work, const char *field,
                      const char *action, json_t *before, json_t *after) {
    struct draft_change change = {.action = action, .before = before, .after = after};
    bool ok = store_save_draft(clinic_call_store(call), &call->actor, clinic_call_part(call, 0),
                               work->draft, work->revision, &change, &call->error);
    if (ok && work->run) draft_runs_change(work->run, work->draft, field);
    if (ok) call->reply = json_deep_copy(work->draft);
    json_decref(before);
    json_decref(after);
    return ok;
}

static json_t *field_text(const struct draft_work *work, const char *id) {
    const json_t *field = draft_field(work->draft, id);
    return json_pack("{s:s,s:s?}", "field", id, "text", text_of(field, "text"));
}

static bool change_lock(struct clinic_call *call, struct draft_work *work,
                        const struct draft_input *input) {
    return draft_lock(work->draft, input->field, input->locked, &call->error) &&
           work_keep(call, work, input->field, "draft.edit", NULL,
                     json_pack("{s:s,s:b}", "field", input->field, "locked", input->locked));
}

static bool change_edit(struct clinic_call *call, struct draft_work *work,
                        const struct draft_input *input) {
    const json_t *field = draft_field(work->draft, input->field);
    if (field && json_integer_value(json_object_get(field, "revision")) != input->revision)
        return clinic_fail(&call->error, CLINIC_CONFLICT, "the field was changed meanwhile");
    json_t *before = field_text(work, input->field);
    if (!draft_edit(work->opened.ground, work->record, work->draft, input->field, input->text,
                    &call->error)) {
        json_decref(before);
        return false;
    }
    return work_keep(call, work, input->field, "draft.edit", before,
                     field_text(work, input->field));
}

static bool change_accept(struct clinic_call *call, struct draft_work *work,
                          const struct draft_input *input) {
    return draft_accept(work->draft, input->field, (size_t)input->sentence, input->text,
                        input->reason, &call->error) &&
           work_keep(call, work, input->field, "override", NULL,
                     json_pack("{s:s,s:I,s:s,s:s}", "field", input->field, "sentence",
                               (json_int_t)input->sentence, "text", input->text, "reason",
                               input->reason));
}

static const json_t *find_omission(const json_t *draft, const char *omission) {
    const json_t *each;
    size_t i;
    json_array_foreach(json_object_get(draft, "omissions"), i, each) {
        const char *id = text_of(each, "id");
        if (id && strcmp(id, omission) == 0) return each;
    }
    return NULL;
}

static bool change_insert(struct clinic_call *call, struct draft_work *work,
                          const struct draft_input *input) {
    char field[65];
    const char *found = text_of(find_omission(work->draft, input->omission), "field");
    snprintf(field, sizeof field, "%s", found ? found : "");
    if (!is_finished(work->draft, field)) return refuse_running(call);
    json_t *before = field_text(work, field);
    if (!draft_insert(work->opened.ground, work->record, work->draft, input->omission,
                      &call->error)) {
        json_decref(before);
        return false;
    }
    return work_keep(call, work, field, "draft.insert", before, field_text(work, field));
}

static bool change_dismiss(struct clinic_call *call, struct draft_work *work,
                           const struct draft_input *input) {
    json_t *told =
        json_pack("{s:s?}", "text", text_of(find_omission(work->draft, input->omission), "text"));
    if (!draft_dismiss(work->draft, input->omission, input->reason, &call->error)) {
        json_decref(told);
        return false;
    }
    return work_keep(call, work, NULL, "override", told,
                     json_pack("{s:s,s:s}", "omission", input->omission, "reason", input->reason));
}

typedef bool change_function(struct clinic_call *, struct draft_work *, const struct draft_input *);

static bool change(struct clinic_call *call, const struct draft_input *input, bool needs_ground,
                   change_function *function) {
    struct draft_work work;
    bool ok = work_init(call, &work, input, needs_ground) && function(call, &work, input);
    work_deinit(&work);
    return ok;
}

bool draft_lock_run(struct clinic_call *call) {
    struct draft_input input = {0};
    if (!clinic_call_read(call, &input) || !clinic_call_need(call, "field", input.field))
        return false;
    if (!json_object_get(call->body, "locked"))
        return clinic_call_refuse(call, 400, "missing_value", "locked is missing");
    return change(call, &input, false, change_lock);
}

bool draft_edit_run(struct clinic_call *call) {
    struct draft_input input = {.revision = -1};
    if (!clinic_call_read(call, &input) || !clinic_call_need(call, "field", input.field))
        return false;
    if (!input.text || input.revision < 0)
        return clinic_call_refuse(call, 400, "missing_value", "text or revision is missing");
    if (!clinic_call_is_plain(call, "text", input.text)) return false;
    return change(call, &input, true, change_edit);
}

// An override is the doctor's own answer: blanks are none.
static bool has_reason(struct clinic_call *call, const char *reason) {
    const char *words = reason ? reason : "";
    size_t n = 0;
    while (*words) {
        uint32_t character = utf8_text_read(words, strlen(words), &n);
        if (character > ' ' && character != 0xA0 && character != 0x3000)
            return clinic_call_is_plain(call, "reason", reason);
        words += n;
    }
    return clinic_call_need(call, "reason", NULL);
}

bool draft_accept_run(struct clinic_call *call) {
    struct draft_input input = {.sentence = -1};
    if (!clinic_call_read(call, &input) || !clinic_call_need(call, "field", input.field) ||
        !clinic_call_need(call, "text", input.text) || !has_reason(call, input.reason))
        return false;
    if (input.sentence < 0)
        return clinic_call_refuse(call, 400, "missing_value", "sentence is missing");
    return change(call, &input, false, change_accept);
}

bool draft_insert_run(struct clinic_call *call) {
    struct draft_input input = {0};
    return clinic_call_read(call, &input) && clinic_call_need(call, "omission", input.omission) &&
           change(call, &input, true, change_insert);
}

bool draft_dismiss_run(struct clinic_call *call) {
    struct draft_input input = {0};
    return clinic_call_read(call, &input) && clinic_call_need(call, "omission", input.omission) &&
           has_reason(call, input.reason) && change(call, &input, false, change_dismiss);
}

// The field is waiting again in the store before its run begins, so that a killed server leaves a
// draft that says so.
static bool change_regenerate(struct clinic_call *call, struct draft_work *work,
                              const struct draft_input *input) {
    const json_t *field = draft_field(work->draft, input->field);
    if (work->run) return refuse_running(call);
    if (!field) return clinic_fail(&call->error, CLINIC_NOT_FOUND, "there is no such field");
    if (json_is_true(json_object_get(field, "locked")))
        return clinic_call_refuse(call, 409, "locked", "the field is locked");
    json_t *before = field_text(work, input->field);
    struct draft_request request = {.ground = work->opened.ground,
                                    .record = work->record,
                                    .writer = host_writer_interface(call->context->supply.writer),
                                    .kept = work->draft,
                                    .only_field = input->field,
                                    .user = call->session.user};
    json_t *next = draft_begin(&request, &call->error);
    if (!next) {
        json_decref(before);
        return false;
    }
    json_decref(work->draft);
    work->draft = next;
    return work_keep(call, work, NULL, "draft.regenerate", before, NULL) &&
           start_or_stop(call, work->draft, input->field);
}

bool draft_regenerate_run(struct clinic_call *call) {
    struct draft_input input = {0};
    return clinic_call_read(call, &input) && clinic_call_need(call, "field", input.field) &&
           change(call, &input, true, change_regenerate);
}
