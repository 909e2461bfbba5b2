// SPDX-License-Identifier: Apache-2.0
// See store_drafts.h.
#include "clinic/store/store_drafts.h"

#include "clinic/store/kept_episode.h"
#include "clinic/store/projection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEMPLATE_BYTES_MAX = 64, STOP_MAX = 10000 };

static bool set(json_t *draft, const char *name, json_t *value, struct clinic_error *error) {
    return json_object_set_new(draft, name, value) == 0 || clinic_fail_memory(error);
}

static bool check_draft(const json_t *draft, struct clinic_error *error) {
    if (!json_is_object(draft) || !json_is_string(json_object_get(draft, "state")))
        return clinic_fail(error, CLINIC_BAD_INPUT, "a draft is an object with a state");
    return true;
}

static bool fill_in(const struct store *store, const struct actor *actor, const char *episode,
                    const char *template, const char *id, json_t *draft,
                    struct clinic_error *error) {
    char created[32];
    time_write(store_now_ms(store), created);
    json_t *by = actor && actor->user ? json_string(actor->user) : json_null();
    return set(draft, "id", json_string(id), error) &&
           set(draft, "episode", json_string(episode), error) &&
           set(draft, "template", json_string(template), error) &&
           set(draft, "created", json_string(created), error) && set(draft, "by", by, error) &&
           set(draft, "revision", json_integer(1), error);
}

bool store_create_draft(struct store *store, const struct actor *actor, const char *episode,
                        const char *template, json_t *draft, char id[STORE_ID_BYTES],
                        struct clinic_error *error) {
    id_make(id, 'd');
    if (!check_draft(draft, error) ||
        !id_check(template, TEMPLATE_BYTES_MAX, "the template's id", error) ||
        !fill_in(store, actor, episode, template, id, draft, error) || !change_begin(store, error))
        return false;
    int64_t version, seq;
    struct audit_line line = {
        .actor = actor, .action = "draft.create", .episode = episode, .version = 1};
    bool is_good = kept_episode_find(&store->writer, episode, &version, &seq, error) &&
                   projection_put(store, PROJECTION_DRAFT, draft, &line, error);
    return change_end(store, is_good, error);
}

struct draft_place {
    int64_t revision, seq;
    char episode[EPISODE_ID_BYTES], template[TEMPLATE_BYTES_MAX + 1];
    char created[32], by[129];
    bool has_by;
};

static bool find_draft(struct database *database, const char *id, struct draft_place *place,
                       struct clinic_error *error) {
    sqlite3_stmt *query = database_query(
        database, error,
        "SELECT revision, seq, episode, template, created, by FROM drafts WHERE id=?", "t", id);
    if (!query) return false;
    enum database_step step = database_step(database, query, error);
    if (step == STEP_ROW) {
        place->revision = sqlite3_column_int64(query, 0);
        place->seq = sqlite3_column_int64(query, 1);
        snprintf(place->episode, sizeof place->episode, "%s", column_text(query, 2));
        snprintf(place->template, sizeof place->template, "%s", column_text(query, 3));
        snprintf(place->created, sizeof place->created, "%s", column_text(query, 4));
        snprintf(place->by, sizeof place->by, "%s", column_text(query, 5));
        place->has_by = sqlite3_column_type(query, 5) != SQLITE_NULL;
    } else if (step == STEP_DONE)
        clinic_fail(error, CLINIC_NOT_FOUND, "there is no such draft");
    sqlite3_finalize(query);
    return step == STEP_ROW;
}

// What a draft belongs to never changes, whatever the caller's copy says.
static bool restore_place(json_t *draft, const char *id, const struct draft_place *place,
                          struct clinic_error *error) {
    return set(draft, "id", json_string(id), error) &&
           set(draft, "episode", json_string(place->episode), error) &&
           set(draft, "template", json_string(place->template), error) &&
           set(draft, "created", json_string(place->created), error) &&
           set(draft, "by", place->has_by ? json_string(place->by) : json_null(), error) &&
           set(draft, "revision", json_integer(place->revision + 1), error);
}

static bool put_revision(struct store *store, const struct actor *actor, const char *id,
                         json_t *draft, const struct draft_place *place,
                         const struct draft_change *change, struct clinic_error *error) {
    if (!restore_place(draft, id, place, error)) return false;
    char *before = change->before ? kept_text(change->before, error) : NULL;
    char *after = change->after ? kept_text(change->after, error) : NULL;
    struct audit_line line = {.actor = actor,
                              .action = change->action,
                              .episode = place->episode,
                              .version = place->revision + 1,
                              .texts = {[SIDE_BEFORE] = before, [SIDE_AFTER] = after}};
    bool is_good = (before || !change->before) && (after || !change->after) &&
                   projection_put(store, PROJECTION_DRAFT, draft, &line, error);
    free(before);
    free(after);
    return is_good;
}

static bool save(struct store *store, const struct actor *actor, const char *id, json_t *draft,
                 int64_t expected_revision, const struct draft_change *change,
                 struct clinic_error *error) {
    struct draft_place place;
    if (!find_draft(&store->writer, id, &place, error)) return false;
    if (place.revision != expected_revision)
        return clinic_fail(error, CLINIC_CONFLICT,
                           "the draft was changed meanwhile (revision %lld, not %lld)",
                           (long long)place.revision, (long long)expected_revision);
    return put_revision(store, actor, id, draft, &place, change, error);
}

bool store_save_draft(struct store *store, const struct actor *actor, const char *id, json_t *draft,
                      int64_t expected_revision, const struct draft_change *change,
                      struct clinic_error *error) {
    return check_draft(draft, error) && change_begin(store, error) &&
           change_end(store, save(store, actor, id, draft, expected_revision, change, error),
                      error);
}

static char *read_draft(struct store *store, struct database *database, const char *id,
                        struct draft_place *place, struct clinic_error *error) {
    if (!find_draft(database, id, place, error)) return NULL;
    return audit_text(store, database, place->seq, SIDE_STATE, error);
}

bool store_get_draft(struct store *store, const char *id, json_t **draft,
                     struct clinic_error *error) {
    struct draft_place place;
    *draft = NULL;
    if (!reading_begin(store, error)) return false;
    char *text = read_draft(store, &store->reader, id, &place, error);
    if (reading_end(store, text != NULL)) *draft = kept_value(text, error);
    free(text);
    return *draft != NULL;
}

static bool read_list(struct store *store, sqlite3_stmt *rows, json_t *list,
                      struct clinic_error *error) {
    enum database_step step;
    while ((step = database_step(&store->reader, rows, error)) == STEP_ROW) {
        json_t *entry =
            json_pack("{s:s, s:s, s:s, s:s, s:s?, s:I}", "id", column_text(rows, 0), "template",
                      column_text(rows, 1), "state", column_text(rows, 2), "created",
                      column_text(rows, 3), "by", (const char *)sqlite3_column_text(rows, 4),
                      "revision", (json_int_t)sqlite3_column_int64(rows, 5));
        if (json_array_append_new(list, entry) != 0) return clinic_fail_memory(error);
    }
    return step == STEP_DONE;
}

static bool list_of_episode(struct store *store, const void *episode, json_t *list,
                            struct clinic_error *error) {
    sqlite3_stmt *rows =
        database_query(&store->reader, error,
                       "SELECT id, template, state, created, by, revision FROM drafts"
                       " WHERE episode=? ORDER BY created DESC, seq DESC",
                       "t", (const char *)episode);
    bool is_good = rows && read_list(store, rows, list, error);
    sqlite3_finalize(rows);
    return is_good;
}

bool store_list_drafts(struct store *store, const char *episode, json_t **drafts,
                       struct clinic_error *error) {
    return reading_list(store, list_of_episode, episode, drafts, error);
}

static bool stop_draft(struct store *store, const struct actor *actor, const char *id,
                       struct clinic_error *error) {
    static const struct draft_change change = {.action = "draft.stop"};
    struct draft_place place;
    char *text = read_draft(store, &store->writer, id, &place, error);
    json_t *draft = text ? kept_value(text, error) : NULL, *field;
    bool is_good = draft && set(draft, "state", json_string("stopped"), error);
    size_t i;
    json_array_foreach(json_object_get(draft, "fields"), i, field) {
        const char *state = json_string_value(json_object_get(field, "state"));
        if (state && (strcmp(state, "waiting") == 0 || strcmp(state, "writing") == 0))
            is_good = is_good && set(field, "state", json_string("stopped"), error);
    }
    is_good = is_good && put_revision(store, actor, id, draft, &place, &change, error);
    json_decref(draft);
    free(text);
    return is_good;
}

// The id of a draft that is still running; false: none, or an error.
static bool find_running(struct store *store, char id[STORE_ID_BYTES], bool *has_failed,
                         struct clinic_error *error) {
    sqlite3_stmt *query = database_query(
        &store->writer, error, "SELECT id FROM drafts WHERE state = 'running' LIMIT 1", "");
    enum database_step step = query ? database_step(&store->writer, query, error) : STEP_FAILED;
    if (step == STEP_ROW) snprintf(id, STORE_ID_BYTES, "%s", column_text(query, 0));
    sqlite3_finalize(query);
    *has_failed = step == STEP_FAILED;
    return step == STEP_ROW;
}

bool store_stop_drafts(struct store *store, const struct actor *actor, int *n_stopped,
                       struct clinic_error *error) {
    char id[STORE_ID_BYTES];
    bool has_failed = false;
    int n = 0;
    if (!change_begin(store, error)) return false;
    while (!has_failed && n < STOP_MAX && find_running(store, id, &has_failed, error)) {
        has_failed = !stop_draft(store, actor, id, error);
        n++;
    }
    if (n_stopped) *n_stopped = n;
    return change_end(store, !has_failed, error);
}
