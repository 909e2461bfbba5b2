// SPDX-License-Identifier: Apache-2.0
// See store_episodes.h: versions of episodes and of their documents.
#include "clinic/store/store_episodes.h"

#include "clinic/store/episode_documents.h"
#include "clinic/store/kept_episode.h"
#include "clinic/store/projection.h"

#include "clinic/record/episode.h"
#include "clinic/record/plain_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EPISODE_TEXT_BYTES_MAX = 32 << 20 };

// Whether the newest version has exactly this text.
static bool is_same(struct store *store, int64_t seq, const char *text) {
    unsigned char digest[SHA256_BYTES];
    if (!hmac_of(store->digest_key, text, strlen(text), digest)) return false;
    sqlite3_stmt *query =
        database_query(&store->writer, NULL, "SELECT 1 FROM audit WHERE seq=? AND state=?", "ib",
                       seq, (const void *)digest, SHA256_BYTES);
    bool is_equal = query && database_step(&store->writer, query, NULL) == STEP_ROW;
    sqlite3_finalize(query);
    return is_equal;
}

// What was filled into the forms of a stay is of its patient: it must not become another's.
static bool check_patient(struct store *store, const char *id, const json_t *canonical,
                          struct clinic_error *error) {
    const char *patient =
        json_string_value(json_object_get(json_object_get(canonical, "patient"), "id"));
    sqlite3_stmt *query =
        database_query(&store->writer, error, "SELECT 1 FROM episodes WHERE id=? AND patient_id=?",
                       "tt", id, patient);
    enum database_step step = query ? database_step(&store->writer, query, error) : STEP_FAILED;
    sqlite3_finalize(query);
    if (step == STEP_DONE)
        clinic_fail(error, CLINIC_CONFLICT,
                    "this encounter.id is kept of another patient.id: nothing was changed");
    return step == STEP_ROW;
}

static bool add_version(struct store *store, const struct actor *actor, const json_t *canonical,
                        const char *source, int64_t version, struct clinic_error *error) {
    char after[64];
    snprintf(after, sizeof after, "{\"source\":\"%.32s\"}", source);
    struct audit_line line = {
        .actor = actor, .action = "import", .version = version, .texts = {[SIDE_AFTER] = after}};
    return projection_put(store, PROJECTION_EPISODE, canonical, &line, error) &&
           documents_put(store, canonical, error);
}

static bool put_checked(struct store *store, const struct actor *actor, const json_t *canonical,
                        const char *source, struct put_result *result, struct clinic_error *error) {
    struct clinic_error missing = {0};
    int64_t version = 0, seq = 0;
    bool is_there = kept_episode_find(&store->writer, result->id, &version, &seq, &missing);
    if (!is_there && missing.failure != CLINIC_NOT_FOUND) {
        if (error) *error = missing;
        return false;
    }
    if (is_there && !check_patient(store, result->id, canonical, error)) return false;
    char *text = kept_text(canonical, error);
    if (!text) return false;
    bool is_changed = !is_there || !is_same(store, seq, text);
    bool is_short = strlen(text) <= EPISODE_TEXT_BYTES_MAX;
    free(text);
    result->created = !is_there;
    result->changed = is_changed;
    result->version = version + is_changed;
    if (!is_changed) return true;
    if (!is_short)
        return clinic_fail(error, CLINIC_BAD_INPUT, "the episode is longer than %d MiB",
                           EPISODE_TEXT_BYTES_MAX >> 20);
    return add_version(store, actor, canonical, source, result->version, error);
}

// The id of an episode that is as it should be; its running text is made plain.
static bool check_episode(json_t *canonical, struct put_result *result,
                          struct clinic_error *error) {
    *result = (struct put_result){0};
    if (!plain_text_clean_episode(canonical, error)) return false;
    struct episode *episode = episode_read(canonical, error);
    if (!episode) return false;
    bool is_good = id_check(episode->encounter.id, EPISODE_ID_BYTES - 1, "encounter.id", error);
    if (is_good) snprintf(result->id, sizeof result->id, "%s", episode->encounter.id);
    episode_free(episode);
    return is_good;
}

bool store_put_episode(struct store *store, const struct actor *actor, json_t *canonical,
                       const char *source, struct put_result *result, struct clinic_error *error) {
    return check_episode(canonical, result, error) && change_begin(store, error) &&
           change_end(store, put_checked(store, actor, canonical, source, result, error), error);
}

// Replaces the row with the document's id or adds it behind all that are not later.
static bool place_document(json_t *canonical, json_t *document, struct clinic_error *error) {
    json_t *docs = json_object_get(canonical, "docs"), *row;
    if (!json_is_array(docs)) { // it was pushed without documents
        docs = json_array();
        if (json_object_set_new(canonical, "docs", docs) != 0) return clinic_fail_memory(error);
    }
    const char *id = json_string_value(json_object_get(document, "id"));
    const char *text = json_string_value(json_object_get(document, "event_time"));
    struct moment at, other;
    if (!id || !text || !moment_parse(text, &at))
        return clinic_fail(error, CLINIC_BAD_INPUT, "the document needs an id and an event_time");
    size_t i, place = json_array_size(docs), same = place;
    json_array_foreach(docs, i, row) {
        const char *row_id = json_string_value(json_object_get(row, "id"));
        if (row_id && strcmp(row_id, id) == 0) same = i;
    }
    if (same < json_array_size(docs)) json_array_remove(docs, same);
    place = json_array_size(docs);
    while (place > 0) {
        row = json_array_get(docs, place - 1);
        const char *row_time = json_string_value(json_object_get(row, "event_time"));
        if (!row_time || !moment_parse(row_time, &other) || other.seconds <= at.seconds) break;
        place--;
    }
    return json_array_insert(docs, place, document) == 0 || clinic_fail_memory(error);
}

static bool put_document(struct store *store, const struct actor *actor, const char *id,
                         json_t *document, struct put_result *result, struct clinic_error *error) {
    int64_t version;
    json_t *canonical = kept_episode_read(store, &store->writer, id, &version, error);
    bool is_good = canonical && place_document(canonical, document, error) &&
                   check_episode(canonical, result, error) &&
                   put_checked(store, actor, canonical, "document", result, error);
    json_decref(canonical);
    return is_good;
}

bool store_put_document(struct store *store, const struct actor *actor, const char *episode,
                        json_t *document, struct put_result *result, struct clinic_error *error) {
    *result = (struct put_result){0};
    return change_begin(store, error) &&
           change_end(store, put_document(store, actor, episode, document, result, error), error);
}

static bool find_version(struct database *database, const char *id, int64_t version, int64_t *seq,
                         struct clinic_error *error) {
    char object[STORE_OBJECT_BYTES];
    snprintf(object, sizeof object, "%s%s", projections[PROJECTION_EPISODE].prefix, id);
    sqlite3_stmt *query =
        database_query(database, error, "SELECT seq FROM audit WHERE object=? AND version=?", "ti",
                       object, version);
    if (!query) return false;
    enum database_step step = database_step(database, query, error);
    if (step == STEP_ROW) *seq = sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    if (step == STEP_DONE) clinic_fail(error, CLINIC_NOT_FOUND, "there is no such version");
    return step == STEP_ROW;
}

static char *read_version(struct store *store, const char *id, int64_t wanted, int64_t *version,
                          struct clinic_error *error) {
    int64_t seq;
    if (!kept_episode_find(&store->reader, id, version, &seq, error)) return NULL;
    if (wanted != 0 && wanted != *version) {
        if (!find_version(&store->reader, id, wanted, &seq, error)) return NULL;
        *version = wanted;
    }
    return audit_text(store, &store->reader, seq, SIDE_STATE, error);
}

bool store_get_episode(struct store *store, const char *id, int64_t version, json_t **canonical,
                       int64_t *version_found, struct clinic_error *error) {
    int64_t found = 0;
    *canonical = NULL;
    if (!reading_begin(store, error)) return false;
    char *text = read_version(store, id, version, &found, error);
    if (reading_end(store, text != NULL)) *canonical = kept_value(text, error);
    free(text);
    if (version_found) *version_found = found;
    return *canonical != NULL;
}

bool store_episode_version(struct store *store, const char *id, int64_t *version,
                           struct clinic_error *error) {
    int64_t seq;
    return reading_begin(store, error) &&
           reading_end(store, kept_episode_find(&store->reader, id, version, &seq, error));
}

static bool read_column(struct store *store, const char *sql, const char *id, char *text,
                        size_t text_bytes, struct clinic_error *error) {
    if (!reading_begin(store, error)) return false;
    sqlite3_stmt *query = database_query(&store->reader, error, sql, "t", id);
    enum database_step step = query ? database_step(&store->reader, query, error) : STEP_FAILED;
    if (step == STEP_ROW) snprintf(text, text_bytes, "%s", column_text(query, 0));
    if (step == STEP_DONE) clinic_fail(error, CLINIC_NOT_FOUND, "there is no such episode");
    sqlite3_finalize(query);
    return reading_end(store, step == STEP_ROW);
}

bool store_episode_patient(struct store *store, const char *id, char *patient, size_t patient_bytes,
                           struct clinic_error *error) {
    return read_column(store, "SELECT patient_id FROM episodes WHERE id=?", id, patient,
                       patient_bytes, error);
}

bool store_episode_department(struct store *store, const char *id, char *department,
                              size_t department_bytes, struct clinic_error *error) {
    return read_column(store, "SELECT department FROM episodes WHERE id=?", id, department,
                       department_bytes, error);
}

static json_t *read_documents(struct store *store, const char *episode,
                              struct clinic_error *error) {
    int64_t version;
    json_t *canonical = kept_episode_read(store, &store->reader, episode, &version, error);
    json_t *list = canonical ? documents_list(store, canonical, error) : NULL;
    json_decref(canonical);
    return list;
}

bool store_list_documents(struct store *store, const char *episode, json_t **documents,
                          struct clinic_error *error) {
    *documents = NULL;
    if (!reading_begin(store, error)) return false;
    *documents = read_documents(store, episode, error);
    return reading_end(store, *documents != NULL);
}
