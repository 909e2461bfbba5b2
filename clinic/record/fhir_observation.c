// SPDX-License-Identifier: Apache-2.0
// Observation: results of the laboratory and vital signs. A vital sign is known by its LOINC code;
// measurements of one time become one row.
#include "clinic/record/fhir_import_parts.h"

#include <stdio.h>
#include <string.h>

static const struct vital_code {
    const char *loinc, *member;
} vital_codes[] = {
    {"8310-5", "temperature_c"},       {"8331-1", "temperature_c"}, {"8867-4", "pulse_per_min"},
    {"9279-1", "respiration_per_min"}, {"59408-5", "spo2_percent"}, {"2708-6", "spo2_percent"},
    {"3151-8", "oxygen_l_per_min"},    {"8480-6", "systolic_mmhg"}, {"8462-4", "diastolic_mmhg"},
};

// The member of a vitals row that a code means; NULL: none.
static const char *vital_member(const json_t *code) {
    for (size_t i = 0; i < sizeof vital_codes / sizeof *vital_codes; i++) {
        if (fhir_has_code(code, vital_codes[i].loinc)) return vital_codes[i].member;
    }
    return NULL;
}

// The row of that time; a new one if there is none. bundle->panels keeps them by time.
static json_t *vitals_row(struct fhir_bundle *bundle, const json_t *resource) {
    static const char paths[] = "effectiveDateTime|effectivePeriod.start|effectiveInstant|issued";
    json_t *row = json_object();
    if (!row) {
        clinic_fail_memory(bundle->error);
        return NULL;
    }
    if (!fhir_put_time(bundle, row, "time", resource, paths)) {
        json_decref(row);
        return NULL;
    }
    const char *time = fhir_string(row, "time");
    char key[64];
    snprintf(key, sizeof key, "vitals %s", time ? time : "");
    json_t *known = json_object_get(bundle->panels, key);
    if (!time) fhir_fail(bundle, resource, "effectiveDateTime", "is missing");
    if (time && !known) {
        json_t *rows = json_object_get(bundle->episode, "vitals");
        if (json_array_append(rows, row) != 0 || json_object_set(bundle->panels, key, row) != 0) {
            clinic_fail_memory(bundle->error);
            time = NULL;
        }
        known = row;
    }
    json_decref(row);
    return time ? known : NULL;
}

static bool put_vital(struct fhir_bundle *bundle, const json_t *resource, const char *member,
                      const json_t *quantity) {
    const json_t *value = fhir_find(quantity, "value");
    if (!json_is_number(value)) return true; // nothing was measured
    double number = json_number_value(value);
    if (fhir_is(quantity, "code", "[degF]") || fhir_is(quantity, "unit", "°F"))
        number = (double)(long long)((number - 32) / 1.8 * 10 + 0.5) / 10;
    json_t *row = vitals_row(bundle, resource);
    if (!row) return false;
    bool is_whole = json_is_integer(value) && number == (double)json_integer_value(value);
    fhir_put(bundle, row, member,
             is_whole ? json_integer(json_integer_value(value)) : json_real(number));
    return true;
}

// Weight and blood group belong to the patient. False: it is neither.
static bool put_of_patient(struct fhir_bundle *bundle, const json_t *resource) {
    json_t *patient = json_object_get(bundle->episode, "patient");
    const json_t *code = fhir_find(resource, "code");
    if (fhir_has_code(code, "29463-7")) {
        const json_t *value = fhir_find(resource, "valueQuantity.value");
        if (json_is_number(value)) fhir_put(bundle, patient, "weight_kg", json_deep_copy(value));
        return true;
    }
    if (!fhir_has_code(code, "882-1")) return false;
    const char *text = fhir_concept(fhir_find(resource, "valueCodeableConcept"));
    fhir_put_string(bundle, patient, "blood_type",
                    text ? text : fhir_string(resource, "valueString"));
    return true;
}

// The value as the table has it: a number, or words. NULL: there is none.
static json_t *lab_value(struct fhir_bundle *bundle, const json_t *holder) {
    const json_t *quantity = fhir_find(holder, "valueQuantity"),
                 *value = fhir_find(quantity, "value");
    const char *comparator = fhir_string(quantity, "comparator");
    if (json_is_number(value) && !comparator) return fhir_made(bundle, json_deep_copy(value));
    if (json_is_integer(value))
        return fhir_made(bundle,
                         json_sprintf("%s%lld", comparator, (long long)json_integer_value(value)));
    if (json_is_real(value))
        return fhir_made(bundle, json_sprintf("%s%.10g", comparator, json_real_value(value)));
    value = fhir_find(holder, "valueInteger");
    if (json_is_integer(value)) return fhir_made(bundle, json_deep_copy(value));
    const json_t *above = fhir_find(holder, "valueRatio.numerator.value");
    const json_t *below = fhir_find(holder, "valueRatio.denominator.value");
    if (json_is_number(above) && json_is_number(below))
        return fhir_made(bundle, json_sprintf("%.10g:%.10g", json_number_value(above),
                                              json_number_value(below)));
    const char *text = fhir_string(holder, "valueString");
    if (!text) text = fhir_concept(fhir_find(holder, "valueCodeableConcept"));
    return text ? fhir_made(bundle, json_string(text)) : NULL;
}

static void put_flag(struct fhir_bundle *bundle, json_t *row, const json_t *holder) {
    static const struct {
        const char *code, *flag;
        bool is_critical;
    } table[] = {{"H", "H", false}, {"HH", "H", true},   {"HU", "H", true},  {"L", "L", false},
                 {"LL", "L", true}, {"LU", "L", true},   {"N", "N", false},  {"A", "A", false},
                 {"AA", "A", true}, {"POS", "A", false}, {"NEG", "N", false}};
    const json_t *codes = fhir_find(holder, "interpretation");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (!fhir_has_code(codes, table[i].code)) continue;
        fhir_put_string(bundle, row, "flag", table[i].flag);
        if (table[i].is_critical) fhir_put(bundle, row, "critical", json_true());
        return;
    }
}

static void put_range(struct fhir_bundle *bundle, json_t *row, const json_t *holder) {
    const json_t *low = fhir_find(holder, "referenceRange.low.value");
    const json_t *high = fhir_find(holder, "referenceRange.high.value");
    if (json_is_string(json_object_get(row, "value"))) {
        fhir_put_string(bundle, row, "expected", fhir_string(holder, "referenceRange.text"));
        return;
    }
    if (json_is_number(low)) fhir_put(bundle, row, "low", json_deep_copy(low));
    if (json_is_number(high)) fhir_put(bundle, row, "high", json_deep_copy(high));
}

static const char *panel_name(const struct fhir_bundle *bundle, const json_t *resource) {
    char key[32];
    snprintf(key, sizeof key, "%p", (const void *)resource);
    return json_string_value(json_object_get(bundle->panels, key));
}

static const char *specimen_name(const struct fhir_bundle *bundle, const json_t *resource) {
    const json_t *reference = fhir_find(resource, "specimen");
    const json_t *specimen = fhir_resolve(bundle, reference, resource);
    const char *name = fhir_concept(fhir_find(specimen, "type"));
    return name ? name : fhir_string(reference, "display");
}

// The hospital's own code, if one is given besides LOINC.
static const char *local_code(const json_t *code) {
    const json_t *codings = json_object_get(code, "coding");
    for (size_t i = 0; i < json_array_size(codings); i++) {
        const json_t *coding = json_array_get(codings, i);
        const char *system = fhir_string(coding, "system");
        if (!system || !strstr(system, "loinc.org")) return fhir_string(coding, "code");
    }
    return fhir_string(code, "coding.code");
}

// `holder` has code and value: the Observation itself or one of its components.
static bool add_lab(struct fhir_bundle *bundle, const json_t *resource, const json_t *holder,
                    int number) {
    json_t *value = lab_value(bundle, holder);
    char id[96];
    if (!value) return true; // not there yet, or dataAbsentReason
    const json_t *code = fhir_find(holder, "code");
    const char *panel = panel_name(bundle, resource), *name = fhir_concept(code);
    if (number > 0) {
        snprintf(id, sizeof id, "%.64s-%d", fhir_id(bundle, resource), number);
    } else {
        snprintf(id, sizeof id, "%.64s", fhir_id(bundle, resource));
    }
    json_t *row = name ? fhir_add_row(bundle, "labs", id) : NULL;
    if (!row) {
        json_decref(value);
        return name ? clinic_fail_memory(bundle->error)
                    : fhir_fail(bundle, resource, "code", "has no text");
    }
    if (!panel && number > 0) panel = fhir_concept(fhir_find(resource, "code"));
    fhir_put_string(bundle, row, "panel", panel);
    fhir_put_string(bundle, row, "code", local_code(code));
    fhir_put_string(bundle, row, "name", name);
    fhir_put(bundle, row, "value", value);
    const char *unit = fhir_string(holder, "valueQuantity.unit");
    fhir_put_string(bundle, row, "unit", unit ? unit : fhir_string(holder, "valueQuantity.code"));
    fhir_put_string(bundle, row, "specimen", specimen_name(bundle, resource));
    put_flag(bundle, row, holder);
    put_range(bundle, row, holder);
    static const char collected[] =
        "effectiveDateTime|effectivePeriod.start|effectiveInstant|issued";
    return fhir_put_time(bundle, row, "collect_time", resource, collected) &&
           fhir_put_time(bundle, row, "report_time", resource, "issued") &&
           (json_object_get(row, "collect_time") ||
            fhir_fail(bundle, resource, "effectiveDateTime", "is missing"));
}

static bool is_laboratory(const json_t *resource) {
    const json_t *categories = json_object_get(resource, "category");
    if (json_array_size(categories) == 0) return fhir_find(resource, "specimen") != NULL;
    return fhir_any_code(categories, "laboratory") || fhir_any_code(categories, "LAB");
}

bool fhir_read_observation(struct fhir_bundle *bundle, const json_t *resource) {
    const json_t *parts = json_object_get(resource, "component");
    const char *member = vital_member(fhir_find(resource, "code"));
    if (put_of_patient(bundle, resource)) return true;
    if (member) return put_vital(bundle, resource, member, fhir_find(resource, "valueQuantity"));
    bool is_lab = is_laboratory(resource);
    for (size_t i = 0; i < json_array_size(parts) && i < 1000; i++) {
        const json_t *part = json_array_get(parts, i);
        const char *vital = vital_member(fhir_find(part, "code"));
        if (vital && !put_vital(bundle, resource, vital, fhir_find(part, "valueQuantity")))
            return false;
        if (!vital && is_lab && !add_lab(bundle, resource, part, (int)i + 1)) return false;
    }
    return !is_lab || add_lab(bundle, resource, resource, 0);
}
