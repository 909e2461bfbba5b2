// SPDX-License-Identifier: Apache-2.0
// See store_forms.h. A field's versions make a stack: each remembers in "base" the version whose
// text an undo brings back, so that undoing again goes further back.
#include "clinic/store/store_forms.h"

#include "clinic/record/utf8_text.h"
#include "clinic/store/kept_episode.h"
#include "clinic/store/projection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORM_ID_BYTES_MAX = 64, TEXT_BYTES_MAX = 1 << 20, NAME_BYTES_MAX = 256 };

struct form_change {
    const struct actor *actor;
    const char *episode, *template, *draft, *action;
};

// A field as it is. Version 0: never filled.
struct field_place {
    int64_t version, base; // base: the version that an undo brings back
    char name[NAME_BYTES_MAX + 1], draft[FORM_ID_BYTES_MAX + 1];
    bool has_text;
};

static bool find_field(struct database *database, const struct form_change *change,
                       const char *field, struct field_place *place, struct clinic_error *error) {
    *place = (struct field_place){0};
    sqlite3_stmt *query = database_query(database, error,
                                         "SELECT version, base, name, draft, text<>'' FROM forms"
                                         " WHERE episode=? AND template=? AND field=?",
                                         "ttt", change->episode, change->template, field);
    if (!query) return false;
    enum database_step step = database_step(database, query, error);
    if (step == STEP_ROW) {
        place->version = sqlite3_column_int64(query, 0);
        place->base = sqlite3_column_int64(query, 1);
        snprintf(place->name, sizeof place->name, "%s", column_text(query, 2));
        snprintf(place->draft, sizeof place->draft, "%s", column_text(query, 3));
        place->has_text = sqlite3_column_int(query, 4) != 0;
    }
    sqlite3_finalize(query);
    return step != STEP_FAILED;
}

// What becomes of a field: the text of `put`, and where it comes from.
struct field_step {
    const struct form_field *put;
    const char *from, *draft; // draft NULL: nothing of a draft is in it
    int64_t version, base;
    int64_t restores; // of an undo: the version whose text is back; < 0: no undo
};

static bool put_field(struct store *store, const struct form_change *change,
                      const struct field_step *step, struct clinic_error *error) {
    char at[32];
    const struct form_field *field = step->put;
    time_write(store_now_ms(store), at);
    json_t *restores = step->restores < 0 ? json_null() : json_integer(step->restores);
    json_t *state =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:s, s:I, s:o}", "episode",
                  change->episode, "template", change->template, "id", field->id, "name",
                  field->name ? field->name : field->id, "text", field->text, "from", step->from,
                  "draft", step->draft, "by", change->actor ? change->actor->user : NULL, "at", at,
                  "base", (json_int_t)step->base, "restores", restores);
    struct audit_line line = {.actor = change->actor,
                              .action = change->action,
                              .episode = change->episode,
                              .version = step->version};
    if (!state) return clinic_fail_memory(error);
    bool is_good = projection_put(store, PROJECTION_FORM, state, &line, error);
    json_decref(state);
    return is_good;
}

static bool fill_field(struct store *store, const struct form_change *change,
                       const struct form_field *field, struct clinic_error *error) {
    struct field_place place;
    if (!find_field(&store->writer, change, field->id, &place, error)) return false;
    if (field->expected_version >= 0 && field->expected_version != place.version)
        return clinic_fail(error, CLINIC_CONFLICT,
                           "the field %.64s was changed meanwhile (version %lld, not %lld)",
                           field->id, (long long)place.version, (long long)field->expected_version);
    struct form_field put = *field;
    if (!put.name && place.version > 0) put.name = place.name; // as it was
    struct field_step step = {.put = &put,
                              .from = change->draft ? "draft" : "typed",
                              .draft = change->draft,
                              .version = place.version + 1,
                              .base = place.version,
                              .restores = -1};
    // Who changes a word of a draft's text has not written it: its origin stays, until it is empty.
    if (!step.draft && place.draft[0] && place.has_text && *field->text) step.draft = place.draft;
    return put_field(store, change, &step, error);
}

static bool is_text(const char *text, size_t max_bytes) {
    size_t n_bytes = text ? strlen(text) : 0;
    return text && n_bytes <= max_bytes && utf8_text_is_valid(text, n_bytes);
}

static bool check_fill(const struct form_fill *fill, struct clinic_error *error) {
    if (fill->n_fields < 1 || fill->n_fields > STORE_FIELDS_MAX)
        return clinic_fail(error, CLINIC_BAD_INPUT, "1 to %d fields are filled at once",
                           STORE_FIELDS_MAX);
    if (!id_check(fill->template, FORM_ID_BYTES_MAX, "the template's id", error)) return false;
    for (int i = 0; i < fill->n_fields; i++) {
        const struct form_field *field = &fill->fields[i];
        if (!id_check(field->id, FORM_ID_BYTES_MAX, "a field's id", error)) return false;
        if (!is_text(field->text, TEXT_BYTES_MAX) ||
            !is_text(field->name ? field->name : field->id, NAME_BYTES_MAX))
            return clinic_fail(error, CLINIC_BAD_INPUT,
                               "field %d has no text, one longer than %d bytes or no UTF-8", i + 1,
                               TEXT_BYTES_MAX);
    }
    return true;
}

static bool fill_fields(struct store *store, const struct form_change *change,
                        const struct form_fill *fill, struct clinic_error *error) {
    int64_t version, seq;
    if (!kept_episode_find(&store->writer, fill->episode, &version, &seq, error)) return false;
    for (int i = 0; i < fill->n_fields; i++)
        if (!fill_field(store, change, &fill->fields[i], error)) return false;
    return true;
}

// Of a call that was refused because of a version, too: the caller shows what is there now.
static bool finish(struct store *store, const struct form_change *change, bool is_good,
                   json_t **form, const struct clinic_error *error) {
    bool is_conflict = error && error->failure == CLINIC_CONFLICT;
    if (!form) return is_good;
    *form = NULL;
    if (is_good || is_conflict)
        store_get_form(store, change->episode, change->template, form, NULL);
    return is_good;
}

bool store_fill_form(struct store *store, const struct actor *actor, const struct form_fill *fill,
                     json_t **form, struct clinic_error *error) {
    struct clinic_error own = {0};
    if (!error) error = &own;
    *error = (struct clinic_error){0};
    struct form_change change = {.actor = actor,
                                 .episode = fill->episode,
                                 .template = fill->template,
                                 .draft = fill->draft,
                                 .action = fill->draft ? "form.fill" : "form.type"};
    bool is_good = check_fill(fill, error) && change_begin(store, error) &&
                   change_end(store, fill_fields(store, &change, fill, error), error);
    return finish(store, &change, is_good, form, error);
}

// The state of one version; version 0 is an empty field.
static json_t *read_state(struct store *store, struct database *database,
                          const struct form_change *change, const char *field, int64_t version,
                          struct clinic_error *error) {
    char object[STORE_OBJECT_BYTES];
    if (version == 0) {
        json_t *empty = json_pack("{s:s, s:i}", "text", "", "base", 0);
        if (!empty) clinic_fail_memory(error);
        return empty;
    }
    snprintf(object, sizeof object, "form/%s/%s/%s", change->episode, change->template, field);
    sqlite3_stmt *query =
        database_query(database, error, "SELECT seq FROM audit WHERE object=? AND version=?", "ti",
                       object, version);
    if (!query) return NULL;
    enum database_step step = database_step(database, query, error);
    char *text = NULL;
    if (step == STEP_ROW)
        text = audit_text(store, database, sqlite3_column_int64(query, 0), SIDE_STATE, error);
    else if (step == STEP_DONE)
        clinic_fail(error, CLINIC_STORAGE, "a version of the field is missing: run verify-audit");
    sqlite3_finalize(query);
    json_t *state = text ? kept_value(text, error) : NULL;
    free(text);
    return state;
}

static bool put_back(struct store *store, const struct form_change *change, const char *field,
                     const struct field_place *place, struct clinic_error *error) {
    json_t *state = read_state(store, &store->writer, change, field, place->base, error);
    if (!state) return false;
    const char *text = json_string_value(json_object_get(state, "text"));
    const char *from = json_string_value(json_object_get(state, "from"));
    struct form_field put = {.id = field, .name = place->name, .text = text ? text : ""};
    struct field_step step = {.put = &put,
                              .from = from ? from : "typed",
                              .draft = json_string_value(json_object_get(state, "draft")),
                              .version = place->version + 1,
                              .base = json_integer_value(json_object_get(state, "base")),
                              .restores = place->base};
    bool is_good = put_field(store, change, &step, error);
    json_decref(state);
    return is_good;
}

static bool undo_field(struct store *store, const struct form_change *change, const char *field,
                       int64_t expected_version, struct clinic_error *error) {
    struct field_place place;
    if (!find_field(&store->writer, change, field, &place, error)) return false;
    if (place.version != expected_version)
        return clinic_fail(error, CLINIC_CONFLICT,
                           "the field was changed meanwhile (version %lld, not %lld)",
                           (long long)place.version, (long long)expected_version);
    if (place.version == 0 || (place.base == 0 && !place.has_text))
        return clinic_fail(error, CLINIC_CONFLICT, "there is nothing to undo in this field");
    return put_back(store, change, field, &place, error);
}

bool store_undo_form(struct store *store, const struct actor *actor, const char *episode,
                     const char *template, const char *field, int64_t expected_version,
                     json_t **form, struct clinic_error *error) {
    struct clinic_error own = {0};
    if (!error) error = &own;
    *error = (struct clinic_error){0};
    struct form_change change = {
        .actor = actor, .episode = episode, .template = template, .action = "form.undo"};
    bool is_good =
        id_check(field, FORM_ID_BYTES_MAX, "a field's id", error) && change_begin(store, error) &&
        change_end(store, undo_field(store, &change, field, expected_version, error), error);
    return finish(store, &change, is_good, form, error);
}

static bool read_fields(struct store *store, sqlite3_stmt *rows, json_t *fields,
                        struct clinic_error *error) {
    enum database_step step;
    while ((step = database_step(&store->reader, rows, error)) == STEP_ROW) {
        bool is_empty = !*column_text(rows, 2);
        json_t *field =
            json_pack("{s:s, s:s, s:s, s:I, s:s?, s:s?, s:s?, s:s}", "id", column_text(rows, 0),
                      "name", column_text(rows, 1), "text", column_text(rows, 2), "version",
                      (json_int_t)sqlite3_column_int64(rows, 3), "from",
                      is_empty ? NULL : (const char *)sqlite3_column_text(rows, 4), "draft",
                      (const char *)sqlite3_column_text(rows, 5), "by",
                      (const char *)sqlite3_column_text(rows, 6), "at", column_text(rows, 7));
        if (json_array_append_new(fields, field) != 0) return clinic_fail_memory(error);
    }
    return step == STEP_DONE;
}

bool store_get_form(struct store *store, const char *episode, const char *template, json_t **form,
                    struct clinic_error *error) {
    *form = NULL;
    int64_t version, seq;
    json_t *fields = json_array();
    if (!kept_ready(fields, error)) return false;
    bool is_good = reading_begin(store, error);
    if (is_good) {
        sqlite3_stmt *rows =
            database_query(&store->reader, error,
                           "SELECT field, name, text, version, source, draft, by, at FROM forms"
                           " WHERE episode=? AND template=? ORDER BY field",
                           "tt", episode, template);
        is_good = rows && kept_episode_find(&store->reader, episode, &version, &seq, error) &&
                  read_fields(store, rows, fields, error);
        sqlite3_finalize(rows);
        is_good = reading_end(store, is_good);
    }
    if (is_good) {
        *form = json_pack("{s:s, s:s, s:O}", "episode", episode, "template", template, "fields",
                          fields);
        is_good = kept_ready(*form, error);
    }
    json_decref(fields);
    return is_good;
}

json_t *store_form_field(const json_t *form, const char *id) {
    const json_t *each;
    size_t i;
    json_array_foreach(json_object_get(form, "fields"), i, each) {
        const char *name = json_string_value(json_object_get(each, "id"));
        if (name && strcmp(name, id) == 0) return (json_t *)each;
    }
    return NULL;
}

static bool read_history(struct store *store, sqlite3_stmt *rows, json_t *history,
                         struct clinic_error *error) {
    enum database_step step;
    while ((step = database_step(&store->reader, rows, error)) == STEP_ROW) {
        char *text =
            audit_text(store, &store->reader, sqlite3_column_int64(rows, 0), SIDE_STATE, error);
        json_t *state = text ? kept_value(text, error) : NULL;
        free(text);
        if (!state) return false;
        json_t *entry = json_pack(
            "{s:I, s:O?, s:O?, s:O?, s:O?, s:O?, s:O?, s:s}", "version",
            (json_int_t)sqlite3_column_int64(rows, 1), "text", json_object_get(state, "text"),
            "from", json_object_get(state, "from"), "draft", json_object_get(state, "draft"), "by",
            json_object_get(state, "by"), "at", json_object_get(state, "at"), "restores",
            json_object_get(state, "restores"), "action", column_text(rows, 2));
        json_decref(state);
        if (json_array_append_new(history, entry) != 0) return clinic_fail_memory(error);
    }
    return step == STEP_DONE;
}

static bool history_of_object(struct store *store, const void *object, json_t *list,
                              struct clinic_error *error) {
    sqlite3_stmt *rows =
        database_query(&store->reader, error,
                       "SELECT seq, version, action FROM audit WHERE object=? AND version>0"
                       " ORDER BY version DESC",
                       "t", (const char *)object);
    bool is_good = rows && read_history(store, rows, list, error);
    sqlite3_finalize(rows);
    return is_good;
}

bool store_form_history(struct store *store, const char *episode, const char *template,
                        const char *field, json_t **history, struct clinic_error *error) {
    char object[STORE_OBJECT_BYTES];
    snprintf(object, sizeof object, "form/%s/%s/%s", episode, template, field);
    return reading_list(store, history_of_object, object, history, error);
}
