// SPDX-License-Identifier: Apache-2.0
#include "clinic/record/fhir_bundle.h"

#include "clinic/record/episode_budget.h"
#include "clinic/record/member_table.h"

#include <stdio.h>
#include <string.h>

enum { KEY_BYTES = 256, CONTAINED_MAX = 100 };

bool fhir_fail(struct fhir_bundle *bundle, const json_t *resource, const char *member,
               const char *what) {
    const char *type = fhir_type(resource), *id = fhir_id(bundle, resource);
    bool is_known = strlen(type) < 40 && id && id_is_valid(id);
    return clinic_fail(bundle->error, CLINIC_BAD_INPUT, "%s%s%s%s%s: %s",
                       is_known ? type : "a resource", is_known ? "/" : "", is_known ? id : "",
                       member ? ": " : "", member ? member : "", what);
}

const char *fhir_id(const struct fhir_bundle *bundle, const json_t *resource) {
    const char *id = fhir_string(resource, "id");
    if (id) return id;
    char key[32];
    snprintf(key, sizeof key, "%p", (const void *)resource);
    return json_string_value(json_object_get(bundle->names, key));
}

// What a resource without an id is called: the end of "urn:uuid:…".
static void name_by_url(struct fhir_bundle *bundle, const json_t *resource, const char *url) {
    char key[32];
    const char *tail = url + strlen(url);
    while (tail > url && tail[-1] != ':' && tail[-1] != '/')
        tail--;
    snprintf(key, sizeof key, "%p", (const void *)resource);
    if (tail[0] != '\0' && json_object_set_new(bundle->names, key, json_string(tail)) != 0)
        bundle->has_no_memory = true;
}

static void index_as(struct fhir_bundle *bundle, const char *key, json_t *resource) {
    if (json_object_set(bundle->index, key, resource) != 0) bundle->has_no_memory = true;
}

static bool index_entries(struct fhir_bundle *bundle) {
    for (size_t i = 0; i < json_array_size(bundle->entries); i++) {
        json_t *entry = json_array_get(bundle->entries, i);
        json_t *resource = json_object_get(entry, "resource");
        const char *url = fhir_string(entry, "fullUrl");
        if (!json_is_object(resource)) continue;
        char key[KEY_BYTES];
        const char *id = fhir_string(resource, "id");
        snprintf(key, sizeof key, "%s/%s", fhir_type(resource), id ? id : "");
        if (id && (strlen(id) > ID_BYTES_MAX || !id_is_valid(id)))
            return clinic_fail(bundle->error, CLINIC_BAD_INPUT, "Bundle.entry[%zu]: bad id", i);
        if (id && json_object_get(bundle->index, key))
            return fhir_fail(bundle, resource, "id", "is there twice");
        if (id) index_as(bundle, key, resource);
        if (url) index_as(bundle, url, resource);
        if (url && !id) name_by_url(bundle, resource, url);
    }
    return true;
}

static const json_t *find_contained(const json_t *holder, const char *id) {
    const json_t *contained = json_object_get(holder, "contained");
    for (size_t i = 0; i < json_array_size(contained) && i < CONTAINED_MAX; i++) {
        const json_t *resource = json_array_get(contained, i);
        if (fhir_is(resource, "id", id)) return resource;
    }
    return NULL;
}

const json_t *fhir_resolve(const struct fhir_bundle *bundle, const json_t *reference,
                           const json_t *holder) {
    const char *target = fhir_string(reference, "reference");
    if (!target) return NULL;
    if (target[0] == '#') return find_contained(holder, target + 1);
    const json_t *found = json_object_get(bundle->index, target);
    if (found) return found;
    // "https://host/fhir/Patient/1/_history/2": type and id are what counts
    char key[KEY_BYTES];
    snprintf(key, sizeof key, "%s", target);
    char *version = strstr(key, "/_history/");
    if (version) *version = '\0';
    const char *id = strrchr(key, '/');
    if (!id) return NULL;
    const char *type = id;
    while (type > key && type[-1] != '/')
        type--;
    return json_object_get(bundle->index, type);
}

static const json_t *subject_of(const json_t *resource) {
    const json_t *subject = fhir_find(resource, "subject");
    return subject ? subject : fhir_find(resource, "patient");
}

static bool is_this_stay(struct fhir_bundle *bundle, const json_t *resource) {
    const json_t *reference = fhir_find(resource, "encounter");
    if (!reference) reference = fhir_find(resource, "context.encounter");
    if (!fhir_string(reference, "reference")) return true;
    const json_t *encounter = fhir_resolve(bundle, reference, resource);
    for (int depth = 0; encounter && depth < 8; depth++) { // a stay on a ward is part of the stay
        if (encounter == bundle->encounter) return true;
        encounter = fhir_resolve(bundle, fhir_find(encounter, "partOf"), encounter);
    }
    return false;
}

bool fhir_belongs(struct fhir_bundle *bundle, const json_t *resource, bool *is_wrong) {
    const json_t *subject = subject_of(resource);
    *is_wrong = false;
    if (fhir_string(subject, "reference") &&
        fhir_resolve(bundle, subject, resource) != bundle->patient) {
        *is_wrong = true;
        return fhir_fail(bundle, resource, "subject", "is not the Patient of this Bundle");
    }
    return is_this_stay(bundle, resource);
}

static bool is_inpatient(const json_t *encounter) {
    static const char *const codes[] = {"IMP", "ACUTE", "NONAC", NULL};
    for (int i = 0; codes[i]; i++) {
        if (fhir_is(encounter, "class.code", codes[i])) return true;
    }
    return false;
}

// Withdrawn, or not begun.
static bool is_no_stay(const json_t *encounter) {
    return fhir_is(encounter, "status", "entered-in-error") ||
           fhir_is(encounter, "status", "cancelled") || fhir_is(encounter, "status", "planned");
}

// The one Patient; the one Encounter, or of several the one inpatient that is part of no other.
static bool find_heads(struct fhir_bundle *bundle) {
    int n_patients = 0, n_encounters = 0, n_stays = 0;
    const json_t *stay = NULL;
    for (size_t i = 0; i < json_array_size(bundle->entries); i++) {
        const json_t *resource = fhir_find(json_array_get(bundle->entries, i), "resource");
        if (strcmp(fhir_type(resource), "Patient") == 0) {
            bundle->patient = resource;
            n_patients++;
        } else if (strcmp(fhir_type(resource), "Encounter") == 0 && !is_no_stay(resource)) {
            bundle->encounter = resource;
            n_encounters++;
            if (!is_inpatient(resource) || fhir_find(resource, "partOf")) continue;
            stay = resource;
            n_stays++;
        }
    }
    if (n_encounters > 1) bundle->encounter = n_stays == 1 ? stay : NULL;
    if (n_patients != 1)
        return clinic_fail(bundle->error, CLINIC_BAD_INPUT,
                           "the Bundle must have exactly one Patient");
    if (!bundle->encounter)
        return clinic_fail(bundle->error, CLINIC_BAD_INPUT,
                           "the Bundle must have one Encounter that was not withdrawn and has "
                           "begun, or one of class IMP among several");
    return true;
}

bool fhir_bundle_open(struct fhir_bundle *bundle, const json_t *root) {
    static const char types[] = "|collection|transaction|batch|document|searchset|message|";
    const char *type = fhir_string(root, "type");
    char word[32];
    snprintf(word, sizeof word, "|%s|", type ? type : "?");
    if (strcmp(fhir_type(root), "Bundle") != 0 || !strstr(types, word))
        return clinic_fail(bundle->error, CLINIC_BAD_INPUT,
                           "resourceType must be Bundle; type collection, transaction, batch, "
                           "document or searchset");
    bundle->entries = json_object_get(root, "entry");
    if (json_array_size(bundle->entries) > 4 * EPISODE_ROWS_MAX)
        return clinic_fail(bundle->error, CLINIC_BAD_INPUT,
                           "the Bundle has more than 400000 entries");
    bundle->index = json_object();
    bundle->names = json_object();
    bundle->orders = json_object();
    bundle->panels = json_object();
    bundle->staff = json_object();
    bundle->episode = json_pack("{s:s, s:i, s:[], s:[], s:[], s:[], s:[], s:[], s:[], s:[]}",
                                "format", "xinglin-episode", "version", 1, "staff", "diagnoses",
                                "operations", "docs", "orders", "labs", "vitals", "reports");
    if (!bundle->index || !bundle->names || !bundle->orders || !bundle->panels || !bundle->staff ||
        !bundle->episode)
        return clinic_fail_memory(bundle->error);
    return index_entries(bundle) && find_heads(bundle);
}

void fhir_bundle_close(struct fhir_bundle *bundle) {
    json_decref(bundle->index);
    json_decref(bundle->names);
    json_decref(bundle->orders);
    json_decref(bundle->panels);
    json_decref(bundle->staff);
    json_decref(bundle->episode);
}
