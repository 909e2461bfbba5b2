// SPDX-License-Identifier: Apache-2.0
// Episodes in the store: every version is kept as canonical JSON; lists come from columns, so that
// no episode is parsed for them. Documents have versions of their own, by their content.
#ifndef XL_CLINIC_STORE_EPISODES_H
#define XL_CLINIC_STORE_EPISODES_H

#include "clinic/store/store.h"

struct put_result {
    char id[129];          // of the episode: encounter.id
    int64_t version;       // 1, 2, …
    bool created, changed; // false, false: the same content was there already
};

// Checks the episode (episode_read), then keeps it as the next version if its content is new.
// `source`: "json", "fhir", "document". Audit: import.
bool store_put_episode(struct store *store, const struct actor *actor, json_t *canonical,
                       const char *source, struct put_result *result, struct clinic_error *error);
// Puts one row of docs[] into the newest version: replaces the row with its id or adds it in the
// order of event_time. CLINIC_NOT_FOUND: no such episode.
bool store_put_document(struct store *store, const struct actor *actor, const char *episode,
                        json_t *document, struct put_result *result, struct clinic_error *error);

// version 0: the newest. `version_found` may be NULL. CLINIC_NOT_FOUND.
bool store_get_episode(struct store *store, const char *id, int64_t version, json_t **canonical,
                       int64_t *version_found, struct clinic_error *error);
// The number of the newest version. CLINIC_NOT_FOUND.
bool store_episode_version(struct store *store, const char *id, int64_t *version,
                           struct clinic_error *error);
// Only the patient's id.
bool store_episode_patient(struct store *store, const char *id, char *patient, size_t patient_bytes,
                           struct clinic_error *error);
// Only the department, for the scope of users. "" if the episode has none.
bool store_episode_department(struct store *store, const char *id, char *department,
                              size_t department_bytes, struct clinic_error *error);

struct episode_query {
    const char *const *departments; // only these
    int n_departments;              // < 0: all; 0: none, an empty list
    const char *text;     // NULL or "": any; else words that all must be in name, patient id,
                          // episode id, bed, ward or main diagnosis (ASCII case does not count)
    const char *state;    // NULL: any; "admitted", "discharged", "drafted" (has a draft of the
                          // template), "filled" (something is in the form), "open" (nothing is)
    const char *template; // of draft and form in the entries; NULL: "discharge-record"
    int template_fields;  // how many the template has: "all" of the entries
    int limit, offset;    // limit 1 … 1000
};
// An array of list entries, newest admission first, and the number of all that fit (may be NULL).
bool store_list_episodes(struct store *store, const struct episode_query *query, json_t **list,
                         int64_t *total, struct clinic_error *error);

// [{"id", "version", "signed": bool}] of the newest version's documents, in their order.
bool store_list_documents(struct store *store, const char *episode, json_t **documents,
                          struct clinic_error *error);

#endif
