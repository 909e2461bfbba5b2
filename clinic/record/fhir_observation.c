// SPDX-License-Identifier: Apache-2.0
// Observation: results of the laboratory; vital signs are fhir_vital.c's. What says nothing that
// the episode has a place for is counted, so that whoever pushed it hears of it.
#include "clinic/record/fhir_import_parts.h"

#include <stdio.h>
#include <string.h>

static json_t *quantity_value(struct fhir_bundle *bundle, const json_t *quantity) {
    const json_t *value = fhir_find(quantity, "value");
    const char *comparator = fhir_string(quantity, "comparator");
    if (!comparator) return fhir_made(bundle, json_deep_copy(value));
    if (json_is_integer(value))
        return fhir_made(bundle,
                         json_sprintf("%s%lld", comparator, (long long)json_integer_value(value)));
    return fhir_made(bundle, json_sprintf("%s%.10g", comparator, json_real_value(value)));
}

// Two numbers in one text; with one of them missing, a bound if `is_range`. NULL: neither is there.
static json_t *pair_value(struct fhir_bundle *bundle, const json_t *first, const json_t *second,
                          const char *between, bool is_range) {
    double low = json_number_value(first), high = json_number_value(second);
    if (json_is_number(first) && json_is_number(second))
        return fhir_made(bundle, json_sprintf("%.10g%s%.10g", low, between, high));
    if (is_range && json_is_number(first)) return fhir_made(bundle, json_sprintf("≥%.10g", low));
    if (is_range && json_is_number(second)) return fhir_made(bundle, json_sprintf("≤%.10g", high));
    return NULL;
}

// Words of a result; NULL: none.
static json_t *word_value(struct fhir_bundle *bundle, const json_t *holder) {
    const char *text = fhir_string(holder, "valueString");
    if (!text) text = fhir_concept(fhir_find(holder, "valueCodeableConcept"));
    if (!text) text = fhir_string(holder, "valueDateTime");
    if (!text) text = fhir_string(holder, "valueTime");
    const json_t *truth = fhir_find(holder, "valueBoolean");
    if (json_is_boolean(truth)) text = json_is_true(truth) ? "是" : "否";
    if (text) return fhir_made(bundle, json_string(text));
    const json_t *reason = fhir_find(holder, "dataAbsentReason");
    const char *why = fhir_string(reason, "text");
    if (!why) why = fhir_string(reason, "coding.display");
    return why ? fhir_made(bundle, json_sprintf("无结果：%s", why)) : NULL;
}

// The value as the table has it: a number, or words; *value NULL: there is none yet.
static bool read_value(struct fhir_bundle *bundle, const json_t *resource, const json_t *holder,
                       json_t **value) {
    const json_t *quantity = fhir_find(holder, "valueQuantity");
    const json_t *number = fhir_find(quantity, "value"), *plain = fhir_find(holder, "valueInteger");
    const json_t *ratio = fhir_find(holder, "valueRatio"), *range = fhir_find(holder, "valueRange");
    *value = NULL;
    if (number && !json_is_number(number))
        return fhir_fail(bundle, resource, "valueQuantity.value", "must be a number");
    if (number) *value = quantity_value(bundle, quantity);
    if (!*value && json_is_integer(plain)) *value = fhir_made(bundle, json_deep_copy(plain));
    if (!*value)
        *value = pair_value(bundle, fhir_find(ratio, "numerator.value"),
                            fhir_find(ratio, "denominator.value"), ":", false);
    if (!*value)
        *value = pair_value(bundle, fhir_find(range, "low.value"), fhir_find(range, "high.value"),
                            "-", true);
    if (!*value) *value = word_value(bundle, holder);
    return true;
}

// As it is printed, else its code; NULL: none.
static const char *unit_of(const json_t *holder) {
    static const char *const quantities[] = {"valueQuantity", "valueRange.low", "valueRange.high"};
    for (size_t i = 0; i < sizeof quantities / sizeof *quantities; i++) {
        const json_t *quantity = fhir_find(holder, quantities[i]);
        const char *unit = fhir_string(quantity, "unit");
        if (!unit) unit = fhir_string(quantity, "code");
        if (unit) return unit;
    }
    return NULL;
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
    json_t *value;
    char id[96];
    if (!read_value(bundle, resource, holder, &value)) return false;
    if (!value) { // not there yet; what has its values in components or other Observations is whole
        bundle->n_left_out += !fhir_find(holder, "component") && !fhir_find(holder, "hasMember");
        return true;
    }
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
    fhir_put_string(bundle, row, "unit", unit_of(holder));
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

// By its category; without one, by what only a result of the laboratory has.
static bool is_laboratory(const struct fhir_bundle *bundle, const json_t *resource) {
    const json_t *categories = json_object_get(resource, "category");
    if (json_array_size(categories) == 0)
        return fhir_find(resource, "specimen") || fhir_find(resource, "referenceRange") ||
               fhir_find(resource, "interpretation") || panel_name(bundle, resource);
    return fhir_any_code(categories, "laboratory") || fhir_any_code(categories, "LAB");
}

bool fhir_read_observation(struct fhir_bundle *bundle, const json_t *resource) {
    const json_t *parts = json_object_get(resource, "component");
    bool is_vital, is_lab = is_laboratory(bundle, resource), has_vital = false;
    if (!fhir_read_vital(bundle, resource, resource, &is_vital)) return false;
    if (is_vital) return true;
    // Bacteria identified: the word of a report (fhir_report.c), unless it is sent as a result.
    bool has_category = json_array_size(json_object_get(resource, "category")) > 0;
    if (!has_category && fhir_has_code(fhir_find(resource, "code"), "6463-4")) return true;
    for (size_t i = 0; i < json_array_size(parts) && i < 1000; i++) {
        const json_t *part = json_array_get(parts, i);
        if (!fhir_read_vital(bundle, resource, part, &is_vital)) return false;
        has_vital = has_vital || is_vital;
        if (!is_vital && is_lab && !add_lab(bundle, resource, part, (int)i + 1)) return false;
    }
    bundle->n_left_out += !is_lab && !has_vital;
    return !is_lab || add_lab(bundle, resource, resource, 0);
}
