// SPDX-License-Identifier: Apache-2.0
// DiagnosticReport: the name of a panel of results, or a report of its own with findings and
// conclusion; one that is not final marks its order as pending.
#include "clinic/record/fhir_attachment.h"
#include "clinic/record/fhir_import_parts.h"

#include <stdio.h>
#include <string.h>

bool fhir_note_panel(struct fhir_bundle *bundle, const json_t *resource) {
    const char *name = fhir_concept(fhir_find(resource, "code"));
    const json_t *results = json_object_get(resource, "result");
    for (size_t i = 0; name && i < json_array_size(results); i++) {
        const json_t *result = fhir_resolve(bundle, json_array_get(results, i), resource);
        char key[32];
        if (!result) continue;
        snprintf(key, sizeof key, "%p", (const void *)result);
        fhir_put_string(bundle, bundle->panels, key, name);
    }
    return true;
}

// Codes of v2 table 0074 and the words that hospitals use.
static const char *report_type(const json_t *resource) {
    static const struct {
        const char *code, *type;
    } table[] = {
        {"EC", "ecg"},
        {"ECG", "ecg"},
        {"EKG", "ecg"},
        {"心电图", "ecg"},
        {"RAD", "imaging"},
        {"CT", "imaging"},
        {"RUS", "imaging"},
        {"NMR", "imaging"},
        {"NMS", "imaging"},
        {"RX", "imaging"},
        {"CUS", "imaging"},
        {"VUS", "imaging"},
        {"OUS", "imaging"},
        {"XRC", "imaging"},
        {"IMG", "imaging"},
        {"影像", "imaging"},
        {"超声", "imaging"},
        {"MB", "microbiology"},
        {"微生物", "microbiology"},
        {"SP", "pathology"},
        {"PAT", "pathology"},
        {"CP", "pathology"},
        {"病理", "pathology"},
        {"END", "endoscopy"},
        {"内镜", "endoscopy"},
        {"LAB", "laboratory"},
    };
    const json_t *categories = json_object_get(resource, "category");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (fhir_any_code(categories, table[i].code)) return table[i].type;
    }
    return "other";
}

// The row of the order that a report answers; NULL: none.
static json_t *find_order(const struct fhir_bundle *bundle, const json_t *resource) {
    const json_t *order = fhir_resolve(bundle, fhir_find(resource, "basedOn"), resource);
    const char *id = order ? fhir_id(bundle, order) : NULL;
    return id ? json_object_get(bundle->orders, id) : NULL;
}

// Not final yet: what waits for it is told by the order.
static bool is_unfinished(const json_t *resource) {
    return fhir_is(resource, "status", "registered") || fhir_is(resource, "status", "partial") ||
           fhir_is(resource, "status", "preliminary");
}

// The bacteria that were identified (LOINC 6463-4), and words that observations of a report have.
static void put_results(struct fhir_bundle *bundle, json_t *row, const json_t *resource) {
    const json_t *results = json_object_get(resource, "result");
    for (size_t i = 0; i < json_array_size(results) && i < 1000; i++) {
        const json_t *result = fhir_resolve(bundle, json_array_get(results, i), resource);
        if (!fhir_has_code(fhir_find(result, "code"), "6463-4")) continue;
        const char *text = fhir_concept(fhir_find(result, "valueCodeableConcept"));
        fhir_put_string(bundle, row, "organism", text ? text : fhir_string(result, "valueString"));
    }
}

bool fhir_read_report(struct fhir_bundle *bundle, const json_t *resource) {
    const char *conclusion = fhir_string(resource, "conclusion");
    const char *name = fhir_concept(fhir_find(resource, "code"));
    bool is_readable;
    const json_t *form =
        fhir_attachment_pick(json_object_get(resource, "presentedForm"), NULL, &is_readable);
    if (conclusion && !is_readable) form = NULL; // the same report as PDF
    json_t *ordered = find_order(bundle, resource);
    if (is_unfinished(resource) && ordered) {
        fhir_put(bundle, ordered, "pending", json_true());
        fhir_put_string(bundle, ordered, "pending_name", name);
    }
    if (!conclusion && !form) return true; // a panel
    if (!name) return fhir_fail(bundle, resource, "code", "has no text");
    json_t *row = fhir_add_row(bundle, "reports", fhir_id(bundle, resource));
    if (!row) return clinic_fail_memory(bundle->error);
    fhir_put_string(bundle, row, "type", report_type(resource));
    fhir_put_string(bundle, row, "name", name);
    if (ordered) fhir_put_string(bundle, row, "order", fhir_string(ordered, "id"));
    fhir_put_string(bundle, row, "conclusion", conclusion);
    put_results(bundle, row, resource);
    if (form) {
        json_t *findings = fhir_attachment_text(bundle, resource, form);
        if (!findings) return false;
        fhir_put(bundle, row, "findings", findings);
    }
    return fhir_put_time(bundle, row, "exam_time", resource,
                         "effectiveDateTime|effectivePeriod.start") &&
           fhir_put_time(bundle, row, "report_time", resource, "issued");
}
