// SPDX-License-Identifier: Apache-2.0
// Vital signs, weight and blood group. A sign is known by its LOINC code and is kept in the unit of
// its member: a number comes in only with a unit that is known for it, converted if it is another
// one. Measurements of one time become one row.
#include "clinic/record/fhir_import_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum dimension { TEMPERATURE, RATE, SHARE, FLOW, PRESSURE, MASS };

static const struct vital_code {
    const char *loinc, *member;
    enum dimension dimension;
} vital_codes[] = {
    {"8310-5", "temperature_c", TEMPERATURE}, {"8331-1", "temperature_c", TEMPERATURE},
    {"8867-4", "pulse_per_min", RATE},        {"9279-1", "respiration_per_min", RATE},
    {"59408-5", "spo2_percent", SHARE},       {"2708-6", "spo2_percent", SHARE},
    {"3151-8", "oxygen_l_per_min", FLOW},     {"8480-6", "systolic_mmhg", PRESSURE},
    {"8462-4", "diastolic_mmhg", PRESSURE},
};

// (number - offset) * factor is in our unit; a converted number is rounded.
static const struct unit {
    enum dimension dimension;
    const char *words; // UCUM and what is printed, between bars
    double offset, factor, digits;
} units[] = {
    {TEMPERATURE, "|Cel|°C|℃|摄氏度|", 0, 1, 1},
    {TEMPERATURE, "|[degF]|°F|℉|华氏度|", 32, 1 / 1.8, 10},
    {RATE,
     "|/min|1/min|{beats}/min|{Beats}/min|beats/min|{breaths}/min|{Breaths}/min|"
     "breaths/min|bpm|次/分|次/分钟|次/min|",
     0, 1, 1},
    {SHARE, "|%|", 0, 1, 1},
    {FLOW, "|L/min|l/min|升/分|", 0, 1, 1},
    {FLOW, "|mL/min|ml/min|", 0, 0.001, 1000},
    {PRESSURE, "|mm[Hg]|mmHg|mmhg|毫米汞柱|", 0, 1, 1},
    {PRESSURE, "|kPa|", 0, 7.50061683, 1}, // 101.325 kPa = 760 mmHg
    {MASS, "|kg|KG|Kg|公斤|千克|", 0, 1, 1},
    {MASS, "|g|克|", 0, 0.001, 1000},
    {MASS, "|斤|", 0, 0.5, 10},
    {MASS, "|[lb_av]|lb|lbs|磅|", 0, 0.45359237, 10},
};

static const struct unit *find_unit(enum dimension dimension, const char *word) {
    char bars[40];
    if (!word || strchr(word, '|') || strlen(word) > sizeof bars - 3) return NULL;
    snprintf(bars, sizeof bars, "|%s|", word);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (units[i].dimension == dimension && strstr(units[i].words, bars)) return &units[i];
    }
    return NULL;
}

// The number in our unit, a new value. *number is NULL where nothing was measured.
static bool read_quantity(struct fhir_bundle *bundle, const json_t *resource, const json_t *holder,
                          enum dimension dimension, json_t **number) {
    const json_t *quantity = fhir_find(holder, "valueQuantity");
    const json_t *value = fhir_find(quantity, "value");
    const char *code = fhir_string(quantity, "code"), *word = fhir_string(quantity, "unit");
    *number = NULL;
    if (!value) return true;
    if (!json_is_number(value))
        return fhir_fail(bundle, resource, "valueQuantity.value", "must be a number");
    const struct unit *by_code = find_unit(dimension, code), *by_word = find_unit(dimension, word);
    const struct unit *unit = by_code ? by_code : by_word;
    if (!unit)
        return fhir_fail(bundle, resource, "valueQuantity.unit",
                         code || word ? "is not known for this sign (docs/EPISODES.md)"
                                      : "is missing");
    if (by_code && by_word && by_code != by_word)
        return fhir_fail(bundle, resource, "valueQuantity.unit", "is another unit than code says");
    double ours = (json_number_value(value) - unit->offset) * unit->factor;
    bool is_ours = unit->factor == 1 && unit->offset == 0;
    *number = fhir_made(bundle, is_ours ? json_deep_copy(value)
                                        : json_real(round(ours * unit->digits) / unit->digits));
    return true;
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

static bool put_vital(struct fhir_bundle *bundle, const json_t *resource, const json_t *holder,
                      const struct vital_code *code) {
    json_t *number;
    if (!read_quantity(bundle, resource, holder, code->dimension, &number)) return false;
    if (!number) return true; // nothing was measured
    json_t *row = vitals_row(bundle, resource);
    if (row)
        fhir_put(bundle, row, code->member, number);
    else
        json_decref(number);
    return row != NULL;
}

static bool put_weight(struct fhir_bundle *bundle, const json_t *resource) {
    json_t *number;
    if (!read_quantity(bundle, resource, resource, MASS, &number)) return false;
    if (number) fhir_put(bundle, json_object_get(bundle->episode, "patient"), "weight_kg", number);
    return true;
}

static bool put_blood_type(struct fhir_bundle *bundle, const json_t *resource) {
    const char *text = fhir_concept(fhir_find(resource, "valueCodeableConcept"));
    fhir_put_string(bundle, json_object_get(bundle->episode, "patient"), "blood_type",
                    text ? text : fhir_string(resource, "valueString"));
    return true;
}

bool fhir_read_vital(struct fhir_bundle *bundle, const json_t *resource, const json_t *holder,
                     bool *is_vital) {
    const json_t *code = fhir_find(holder, "code");
    *is_vital = true;
    for (size_t i = 0; i < sizeof vital_codes / sizeof *vital_codes; i++) {
        if (fhir_has_code(code, vital_codes[i].loinc))
            return put_vital(bundle, resource, holder, &vital_codes[i]);
    }
    if (holder == resource && fhir_has_code(code, "29463-7")) return put_weight(bundle, resource);
    if (holder == resource && fhir_has_code(code, "882-1")) return put_blood_type(bundle, resource);
    *is_vital = false;
    return true;
}
