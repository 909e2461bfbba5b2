// SPDX-License-Identifier: Apache-2.0
// The order of the import: people and the stay first, then what refers to them. What is made is
// read by episode_read at the end: nothing comes out that the push API would refuse.
#include "clinic/record/fhir_import.h"

#include "clinic/record/episode_budget.h"
#include "clinic/record/fhir_import_parts.h"

#include <stdlib.h>
#include <string.h>

struct pass {
    const char *type;
    fhir_reader *read;
    bool is_of_patient; // has a subject and an encounter
};

// One after the other; reports name panels before observations become rows.
static const struct pass passes[] = {
    {"Practitioner", fhir_read_practitioner, false},
    {"AllergyIntolerance", fhir_read_allergy, true},
    {"Procedure", fhir_read_procedure, true},
    {"ServiceRequest", fhir_read_service, true},
    {"MedicationRequest", fhir_read_medication, true},
    {"DiagnosticReport", fhir_note_panel, true},
    {"Observation", fhir_read_observation, true},
    {"DiagnosticReport", fhir_read_report, true},
    {"DocumentReference", fhir_read_document, true},
    {"Composition", fhir_read_composition, true},
};

// Withdrawn in the system that wrote it.
static bool is_withdrawn(const json_t *resource) {
    static const char *const words[] = {"entered-in-error", "cancelled",  "draft",
                                        "not-done",         "superseded", NULL};
    for (int i = 0; words[i]; i++) {
        if (fhir_is(resource, "status", words[i]) || fhir_is(resource, "docStatus", words[i]) ||
            fhir_has_code(fhir_find(resource, "verificationStatus"), words[i]))
            return true;
    }
    return fhir_has_code(fhir_find(resource, "verificationStatus"), "refuted");
}

static bool run_pass(struct fhir_bundle *bundle, const struct pass *pass) {
    for (size_t i = 0; i < json_array_size(bundle->entries); i++) {
        const json_t *resource = fhir_find(json_array_get(bundle->entries, i), "resource");
        bool is_wrong = false;
        if (strcmp(fhir_type(resource), pass->type) != 0 || is_withdrawn(resource)) continue;
        bool is_part = !pass->is_of_patient || fhir_belongs(bundle, resource, &is_wrong);
        if (is_wrong) return false;
        if (is_part && !fhir_id(bundle, resource))
            return fhir_fail(bundle, resource, pass->type, "has neither id nor fullUrl");
        if (is_part && !pass->read(bundle, resource)) return false;
    }
    return true;
}

static int compare_times(const void *left, const void *right) {
    const char *a = fhir_string(*(json_t *const *)left, "time");
    const char *b = fhir_string(*(json_t *const *)right, "time");
    return strcmp(a ? a : "", b ? b : ""); // one clock: as text is as time
}

// Rows in the order of their times.
static bool sort_rows(struct fhir_bundle *bundle, json_t *rows) {
    size_t n = json_array_size(rows);
    if (n < 2) return true;
    json_t **sorted = calloc(n, sizeof(json_t *));
    json_t *array = json_array();
    bool is_sorted = sorted && array;
    for (size_t i = 0; is_sorted && i < n; i++)
        sorted[i] = json_array_get(rows, i);
    if (is_sorted) qsort(sorted, n, sizeof(json_t *), compare_times);
    for (size_t i = 0; is_sorted && i < n; i++)
        is_sorted = json_array_append(array, sorted[i]) == 0;
    is_sorted = is_sorted && json_array_clear(rows) == 0 && json_array_extend(rows, array) == 0;
    free(sorted);
    json_decref(array);
    return is_sorted || clinic_fail_memory(bundle->error);
}

static bool read_all(struct fhir_bundle *bundle) {
    if (!fhir_read_patient(bundle) || !fhir_read_encounter(bundle)) return false;
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        if (!run_pass(bundle, &passes[i])) return false;
        if (i == 0 && !fhir_read_diagnoses(bundle)) return false;
    }
    json_t *encounter = json_object_get(bundle->episode, "encounter");
    return sort_rows(bundle, json_object_get(encounter, "events")) &&
           sort_rows(bundle, json_object_get(bundle->episode, "vitals"));
}

json_t *episode_from_fhir(const json_t *root, const struct title_map *map, int *n_left_out,
                          struct clinic_error *error) {
    struct title_map *own = NULL;
    if (!episode_budget_check(root, "the Bundle", error)) return NULL;
    if (!map) map = own = title_map_open(NULL, 0, error);
    if (!map) return NULL;
    struct fhir_bundle bundle = {.map = map, .error = error};
    json_t *result = NULL;
    if (fhir_bundle_open(&bundle, root) && read_all(&bundle)) {
        struct episode *episode = episode_read(bundle.episode, error);
        if (episode && !bundle.has_no_memory) result = json_incref(bundle.episode);
        episode_free(episode);
    }
    // What is missing for want of memory may have been refused as missing.
    if (bundle.has_no_memory) clinic_fail_memory(error);
    if (n_left_out) *n_left_out = bundle.n_left_out;
    fhir_bundle_close(&bundle);
    title_map_close(own);
    return result;
}
