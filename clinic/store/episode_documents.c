// SPDX-License-Identifier: Apache-2.0
// See episode_documents.h.
#include "clinic/store/episode_documents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct document_state {
    const char *episode, *id;
    unsigned char digest[SHA256_BYTES];
    int64_t version; // newest that is kept; 0: none
    bool is_kept;    // with this digest
};

static bool look_up(struct store *store, struct database *database, const char *episode,
                    const json_t *document, struct document_state *state,
                    struct clinic_error *error) {
    *state = (struct document_state){.episode = episode,
                                     .id = json_string_value(json_object_get(document, "id"))};
    char *text = kept_text(document, error);
    bool is_hashed = text && hmac_of(store->digest_key, text, strlen(text), state->digest);
    free(text);
    if (!is_hashed) return text ? clinic_fail_memory(error) : false;
    sqlite3_stmt *query =
        database_query(database, error,
                       "SELECT version, digest=? FROM documents WHERE episode=? AND document=?"
                       " ORDER BY version DESC LIMIT 1",
                       "btt", (const void *)state->digest, SHA256_BYTES, episode, state->id);
    if (!query) return false;
    enum database_step step = database_step(database, query, error);
    if (step == STEP_ROW) {
        state->version = sqlite3_column_int64(query, 0);
        state->is_kept = sqlite3_column_int(query, 1) == 1;
    }
    sqlite3_finalize(query);
    return step != STEP_FAILED;
}

static const char *episode_id(const json_t *canonical) {
    return json_string_value(json_object_get(json_object_get(canonical, "encounter"), "id"));
}

bool documents_put(struct store *store, const json_t *canonical, struct clinic_error *error) {
    struct document_state state;
    size_t i;
    json_t *document;
    json_array_foreach(json_object_get(canonical, "docs"), i, document) {
        if (!look_up(store, &store->writer, episode_id(canonical), document, &state, error))
            return false;
        if (state.is_kept) continue;
        if (!database_run(&store->writer, error,
                          "INSERT INTO documents(episode, document, version, digest)"
                          " VALUES(?,?,?,?)",
                          "ttib", state.episode, state.id, state.version + 1,
                          (const void *)state.digest, SHA256_BYTES))
            return false;
    }
    return true;
}

bool documents_check(struct store *store, struct database *database, const json_t *canonical,
                     char *why, size_t why_bytes) {
    struct document_state state;
    size_t i;
    json_t *document;
    json_array_foreach(json_object_get(canonical, "docs"), i, document) {
        if (look_up(store, database, episode_id(canonical), document, &state, NULL) &&
            state.is_kept)
            continue;
        snprintf(why, why_bytes, "table documents does not know the newest content of a document");
        return false;
    }
    return true;
}

json_t *documents_list(struct store *store, const json_t *canonical, struct clinic_error *error) {
    json_t *list = json_array(), *document;
    struct document_state state;
    size_t i;
    json_array_foreach(json_object_get(canonical, "docs"), i, document) {
        bool is_signed = json_is_string(json_object_get(document, "sign_time"));
        json_t *row = NULL;
        if (look_up(store, &store->reader, episode_id(canonical), document, &state, error))
            row = json_pack("{s:s, s:I, s:b}", "id", state.id, "version", (json_int_t)state.version,
                            "signed", is_signed);
        if (json_array_append_new(list, row) == 0) continue;
        json_decref(list);
        return NULL;
    }
    if (!list) clinic_fail_memory(error);
    return list;
}
