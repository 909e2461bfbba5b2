// SPDX-License-Identifier: Apache-2.0
// Condition, Procedure, MedicationRequest, ServiceRequest.
#include "clinic/record/fhir_import_parts.h"
#include "clinic/record/text_gather.h"

#include <stdio.h>
#include <string.h>

enum { ADMISSION_SECONDS = 48 * 3600 };

static bool add_diagnosis(struct fhir_bundle *bundle, const json_t *condition, const char *stage,
                          int rank, bool is_second) {
    char id[96];
    const char *name = fhir_concept(fhir_find(condition, "code"));
    if (!name) return fhir_fail(bundle, condition, "code", "has no text");
    snprintf(id, sizeof id, "%.64s%s", fhir_id(bundle, condition), is_second ? "-2" : "");
    json_t *row = fhir_add_row(bundle, "diagnoses", id);
    if (!row) return clinic_fail_memory(bundle->error);
    fhir_put_string(bundle, row, "stage", stage);
    fhir_put(bundle, row, "rank", json_integer(rank));
    fhir_put_string(bundle, row, "name", name);
    const json_t *code = fhir_find(condition, "code");
    const char *icd = fhir_code(code, "icd-10");
    fhir_put_string(bundle, row, "icd10", icd ? icd : fhir_code(code, "2.16.156.10011.2.3.3.11"));
    const json_t *extensions = json_object_get(condition, "extension");
    for (size_t i = 0; i < json_array_size(extensions); i++) {
        const json_t *extension = json_array_get(extensions, i);
        const char *url = fhir_string(extension, "url");
        if (url && strcmp(url, "http://hl7.org/fhir/StructureDefinition/condition-outcome") == 0)
            fhir_put_string(bundle, row, "outcome",
                            fhir_concept(fhir_find(extension, "valueCodeableConcept")));
    }
    return fhir_put_time(bundle, row, "time", condition, "recordedDate|onsetDateTime");
}

// Without a use in the Encounter the time decides: recorded within two days of admission or later.
static const char *stage_by_time(const struct fhir_bundle *bundle, const json_t *condition) {
    struct moment admit, recorded;
    char text[32];
    bool is_wrong = false;
    const json_t *value = fhir_find(condition, "recordedDate");
    if (!value) value = fhir_find(condition, "onsetDateTime");
    const json_t *start = fhir_find(bundle->encounter, "period.start");
    if (!moment_parse(fhir_time(bundle, value, text, &is_wrong), &recorded)) return "admission";
    if (!moment_parse(fhir_time(bundle, start, text, &is_wrong), &admit)) return "admission";
    return recorded.seconds <= admit.seconds + ADMISSION_SECONDS ? "admission" : "discharge";
}

// Encounter.diagnosis in its order. `seen` gets the ids of the Conditions.
static bool read_listed(struct fhir_bundle *bundle, json_t *seen, int ranks[2]) {
    const json_t *rows = json_object_get(bundle->encounter, "diagnosis");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const json_t *condition =
            fhir_resolve(bundle, json_object_get(row, "condition"), bundle->encounter);
        const json_t *use = fhir_find(row, "use"), *given = json_object_get(row, "rank");
        bool is_wrong = false;
        if (strcmp(fhir_type(condition), "Condition") != 0 || !fhir_id(bundle, condition)) continue;
        if (!fhir_belongs(bundle, condition, &is_wrong) && is_wrong) return false;
        const char *stage = fhir_has_code(use, "AD")   ? "admission"
                            : fhir_has_code(use, "DD") ? "discharge"
                                                       : stage_by_time(bundle, condition);
        int *rank = &ranks[strcmp(stage, "discharge") == 0];
        json_int_t number = json_integer_value(given);
        *rank = number > 0 && number < 1000 ? (int)number : *rank + 1;
        bool is_second = json_object_get(seen, fhir_id(bundle, condition)) != NULL;
        fhir_put(bundle, seen, fhir_id(bundle, condition), json_true());
        if (!add_diagnosis(bundle, condition, stage, *rank, is_second)) return false;
    }
    return true;
}

static bool read_unlisted(struct fhir_bundle *bundle, const json_t *seen, int ranks[2]) {
    for (size_t i = 0; i < json_array_size(bundle->entries); i++) {
        const json_t *condition = fhir_find(json_array_get(bundle->entries, i), "resource");
        bool is_wrong = false;
        if (strcmp(fhir_type(condition), "Condition") != 0) continue;
        const char *id = fhir_id(bundle, condition);
        const json_t *status = fhir_find(condition, "verificationStatus");
        if (!id || json_object_get(seen, id) || fhir_has_code(status, "refuted") ||
            fhir_has_code(status, "entered-in-error"))
            continue;
        bool belongs = fhir_belongs(bundle, condition, &is_wrong);
        if (is_wrong) return false;
        // Lists of old problems are no diagnoses of this stay.
        if (!belongs || fhir_any_code(json_object_get(condition, "category"), "problem-list-item"))
            continue;
        const char *stage = stage_by_time(bundle, condition);
        int *rank = &ranks[strcmp(stage, "discharge") == 0];
        if (!add_diagnosis(bundle, condition, stage, ++*rank, false)) return false;
    }
    return true;
}

bool fhir_read_diagnoses(struct fhir_bundle *bundle) {
    int ranks[2] = {0, 0};
    json_t *seen = json_object();
    if (!seen) return clinic_fail_memory(bundle->error);
    bool is_read = read_listed(bundle, seen, ranks) && read_unlisted(bundle, seen, ranks);
    json_decref(seen);
    return is_read;
}

static bool add_surgery(struct fhir_bundle *bundle, const json_t *resource, const char *name) {
    json_t *encounter = json_object_get(bundle->episode, "encounter");
    json_t *event = json_pack("{s:s, s:s}", "type", "surgery", "detail", name);
    if (!event || json_array_append_new(json_object_get(encounter, "events"), event) != 0)
        return clinic_fail_memory(bundle->error);
    return fhir_put_time(bundle, event, "time", resource,
                         "performedPeriod.start|performedDateTime");
}

// Surgical procedures; diagnostic and other ones are told in reports and notes.
bool fhir_read_procedure(struct fhir_bundle *bundle, const json_t *resource) {
    const json_t *category = fhir_find(resource, "category"), *code = fhir_find(resource, "code");
    if (category && !fhir_has_code(category, "387713003") && !fhir_has_code(category, "手术"))
        return true;
    const char *name = fhir_concept(code);
    if (!name) return fhir_fail(bundle, resource, "code", "has no text");
    json_t *row = fhir_add_row(bundle, "operations", fhir_id(bundle, resource));
    if (!row) return clinic_fail_memory(bundle->error);
    fhir_put_string(bundle, row, "name", name);
    fhir_put_string(bundle, row, "icd9cm3", fhir_code(code, "icd-9"));
    const json_t *actor = fhir_find(resource, "performer.actor");
    fhir_put_string(bundle, row, "operator", fhir_person(bundle, actor, resource));
    const json_t *record = fhir_resolve(bundle, fhir_find(resource, "report"), resource);
    if (strcmp(fhir_type(record), "DocumentReference") == 0 ||
        strcmp(fhir_type(record), "Composition") == 0)
        fhir_put_string(bundle, row, "record", fhir_id(bundle, record));
    if (!fhir_put_time(bundle, row, "start", resource, "performedPeriod.start|performedDateTime") ||
        !fhir_put_time(bundle, row, "end", resource, "performedPeriod.end"))
        return false;
    if (!json_object_get(row, "start"))
        return fhir_fail(bundle, resource, "performedPeriod.start", "is missing");
    return add_surgery(bundle, resource, name);
}

// A word of ours in a category, or `otherwise`.
static const char *order_kind(const json_t *categories, const char *otherwise) {
    static const char *const kinds[] = {"长期", "临时", "出院带药", NULL};
    for (int i = 0; kinds[i]; i++) {
        if (fhir_any_code(categories, kinds[i])) return kinds[i];
    }
    if (fhir_any_code(categories, "discharge") || fhir_any_code(categories, "community"))
        return "出院带药";
    return otherwise;
}

// "每日3次" of a timing: its own text, or made of its numbers. "": it has none.
static void write_frequency(const json_t *dosage, char words[128]) {
    const json_t *repeat = fhir_find(dosage, "timing.repeat");
    const char *text = fhir_concept(fhir_find(dosage, "timing.code"));
    const char *unit = fhir_string(repeat, "periodUnit");
    json_int_t times = json_integer_value(fhir_find(repeat, "frequency"));
    double period = json_number_value(fhir_find(repeat, "period"));
    words[0] = '\0';
    if (text && strlen(text) < 128) snprintf(words, 128, "%s", text);
    const char *name = !unit                     ? NULL
                       : strcmp(unit, "h") == 0  ? "小时"
                       : strcmp(unit, "d") == 0  ? "日"
                       : strcmp(unit, "wk") == 0 ? "周"
                                                 : NULL;
    if (text || !name || times < 1 || times > 100 || period <= 0 || period > 1000) return;
    if (period == 1 && strcmp(unit, "h") != 0) {
        snprintf(words, 128, "每%s%lld次", name, (long long)times);
    } else {
        snprintf(words, 128, "每%.6g%s%lld次", period, name, (long long)times);
    }
}

static const char *unit_of(const json_t *quantity) {
    const char *unit = fhir_string(quantity, "unit");
    return unit ? unit : fhir_string(quantity, "code");
}

// "2 片", "1-2 片"; "": no dose is given in numbers. False: one that cannot be.
static bool write_dose(struct fhir_bundle *bundle, const json_t *resource, const json_t *dosage,
                       char words[128]) {
    static const char member[] = "dosageInstruction.doseAndRate";
    const json_t *one = fhir_find(dosage, "doseAndRate.doseQuantity");
    const json_t *low = fhir_find(dosage, "doseAndRate.doseRange.low");
    const json_t *high = fhir_find(dosage, "doseAndRate.doseRange.high");
    words[0] = '\0';
    if (!one && !low && !high) return true;
    if (one) low = high = one;
    const json_t *from = fhir_find(low, "value"), *to = fhir_find(high, "value");
    const char *unit = unit_of(high);
    if (!json_is_number(from) || !json_is_number(to) || !unit)
        return fhir_fail(bundle, resource, member, "needs value and unit");
    if (json_number_value(from) <= 0 || json_number_value(to) < json_number_value(from))
        return fhir_fail(bundle, resource, member, "must be above 0");
    if (low == high) {
        snprintf(words, 128, "%.10g %.60s", json_number_value(from), unit);
    } else {
        snprintf(words, 128, "%.10g-%.10g %.60s", json_number_value(from), json_number_value(to),
                 unit);
    }
    return true;
}

// One instruction in words: its own, or dose and frequency.
static bool add_words(struct fhir_bundle *bundle, const json_t *resource, const json_t *dosage,
                      struct text_gather *words) {
    char dose[128], frequency[128];
    const char *text = fhir_string(dosage, "text");
    if (!write_dose(bundle, resource, dosage, dose)) return false;
    write_frequency(dosage, frequency);
    if (words->bytes > 0) text_gather_add(words, "；", strlen("；"));
    if (text) {
        text_gather_add(words, text, strlen(text));
        return true;
    }
    if (dose[0] != '\0') text_gather_add(words, "每次", strlen("每次"));
    text_gather_add(words, dose, strlen(dose));
    if (dose[0] != '\0' && frequency[0] != '\0') text_gather_add(words, " ", 1);
    text_gather_add(words, frequency, strlen(frequency));
    return true;
}

// Instructions that one dose and one frequency cannot say ("早2片晚1片") are kept in words.
static bool put_words(struct fhir_bundle *bundle, json_t *row, const json_t *resource,
                      const json_t *dosages) {
    struct text_gather words = {0};
    bool is_good = true;
    for (size_t i = 0; is_good && i < json_array_size(dosages); i++)
        is_good = add_words(bundle, resource, json_array_get(dosages, i), &words);
    if (words.has_no_memory) bundle->has_no_memory = true;
    if (is_good && words.bytes > 0) fhir_put_string(bundle, row, "frequency", words.text);
    text_gather_deinit(&words);
    return is_good;
}

// Dose and frequency of the instructions; in words where they are several or have no one dose.
static bool put_dosage(struct fhir_bundle *bundle, json_t *row, const json_t *resource) {
    const json_t *dosages = json_object_get(resource, "dosageInstruction");
    if (!dosages || json_is_null(dosages)) return true;
    bool is_good = json_is_array(dosages) && json_array_size(dosages) <= 100;
    for (size_t i = 0; is_good && i < json_array_size(dosages); i++)
        is_good = json_is_object(json_array_get(dosages, i));
    if (!is_good)
        return fhir_fail(bundle, resource, "dosageInstruction", "must be an array of objects");
    const json_t *first = json_array_get(dosages, 0);
    const json_t *quantity = fhir_find(first, "doseAndRate.doseQuantity");
    if (json_array_size(dosages) != 1 || !quantity)
        return put_words(bundle, row, resource, dosages);
    char words[128];
    if (!write_dose(bundle, resource, first, words)) return false;
    fhir_put(
        bundle, row, "dose",
        json_pack("{s:O, s:s}", "value", fhir_find(quantity, "value"), "unit", unit_of(quantity)));
    write_frequency(first, words);
    fhir_put_string(bundle, row, "frequency", words);
    return true;
}

static const char *medication_name(struct fhir_bundle *bundle, const json_t *resource) {
    const char *name = fhir_concept(fhir_find(resource, "medicationCodeableConcept"));
    const json_t *reference = fhir_find(resource, "medicationReference");
    if (!name) name = fhir_concept(fhir_find(fhir_resolve(bundle, reference, resource), "code"));
    return name ? name : fhir_string(reference, "display");
}

bool fhir_read_medication(struct fhir_bundle *bundle, const json_t *resource) {
    const json_t *categories = json_object_get(resource, "category");
    const json_t *dosage = fhir_find(resource, "dosageInstruction");
    const json_t *course = fhir_find(resource, "courseOfTherapyType");
    if (fhir_any_code(categories, "outpatient")) return true; // before the stay
    const char *name = medication_name(bundle, resource);
    if (!name) return fhir_fail(bundle, resource, "medicationCodeableConcept", "has no text");
    json_t *row = fhir_add_row(bundle, "orders", fhir_id(bundle, resource));
    if (!row) return clinic_fail_memory(bundle->error);
    bool is_once = fhir_has_code(course, "acute") || fhir_is(resource, "priority", "stat") ||
                   json_integer_value(fhir_find(dosage, "timing.repeat.count")) == 1;
    fhir_put_string(bundle, row, "kind", order_kind(categories, is_once ? "临时" : "长期"));
    fhir_put_string(bundle, row, "class", "drug");
    fhir_put_string(bundle, row, "name", name);
    const char *atc = fhir_code(fhir_find(resource, "medicationCodeableConcept"), "whocc.no/atc");
    if (atc && strncmp(atc, "J01", 3) == 0) fhir_put(bundle, row, "antibacterial", json_true());
    fhir_put_string(bundle, row, "route", fhir_concept(fhir_find(dosage, "route")));
    fhir_put_string(bundle, row, "purpose", fhir_concept(fhir_find(resource, "reasonCode")));
    fhir_put_string(bundle, row, "prescriber",
                    fhir_person(bundle, fhir_find(resource, "requester"), resource));
    const json_t *supply = fhir_find(resource, "dispenseRequest.expectedSupplyDuration");
    const json_t *days = fhir_find(supply, "value");
    if (json_is_integer(days) && (fhir_is(supply, "code", "d") || fhir_is(supply, "unit", "d")))
        fhir_put(bundle, row, "course_days", json_incref((json_t *)days));
    static const char starts[] = "dosageInstruction.timing.repeat.boundsPeriod.start|authoredOn";
    static const char stops[] = "dosageInstruction.timing.repeat.boundsPeriod.end";
    if (!put_dosage(bundle, row, resource) ||
        !fhir_put_time(bundle, row, "start", resource, starts) ||
        !fhir_put_time(bundle, row, "stop", resource, stops))
        return false;
    return json_object_get(row, "start") || fhir_fail(bundle, resource, "authoredOn", "is missing");
}

static const char *service_class(const json_t *categories) {
    static const struct {
        const char *code, *name;
    } table[] = {
        {"108252007", "lab"},   {"lab", "lab"},      {"检验", "lab"},       {"363679005", "exam"},
        {"103693007", "exam"},  {"exam", "exam"},    {"检查", "exam"},      {"11429006", "consult"},
        {"consult", "consult"}, {"会诊", "consult"}, {"blood", "blood"},    {"116859006", "blood"},
        {"输血", "blood"},      {"imaging", "exam"}, {"laboratory", "lab"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (fhir_any_code(categories, table[i].code)) return table[i].name;
    }
    return "care";
}

bool fhir_read_service(struct fhir_bundle *bundle, const json_t *resource) {
    const json_t *categories = json_object_get(resource, "category");
    const char *name = fhir_concept(fhir_find(resource, "code"));
    if (!name) return fhir_fail(bundle, resource, "code", "has no text");
    json_t *row = fhir_add_row(bundle, "orders", fhir_id(bundle, resource));
    if (!row) return clinic_fail_memory(bundle->error);
    fhir_put_string(bundle, row, "kind", order_kind(categories, "临时"));
    fhir_put_string(bundle, row, "class", service_class(categories));
    fhir_put_string(bundle, row, "name", name);
    fhir_put_string(bundle, row, "purpose", fhir_concept(fhir_find(resource, "reasonCode")));
    fhir_put_string(bundle, row, "prescriber",
                    fhir_person(bundle, fhir_find(resource, "requester"), resource));
    static const char starts[] = "occurrencePeriod.start|occurrenceDateTime|authoredOn";
    if (!fhir_put_time(bundle, row, "start", resource, starts) ||
        !fhir_put_time(bundle, row, "stop", resource, "occurrencePeriod.end"))
        return false;
    return json_object_get(row, "start") || fhir_fail(bundle, resource, "authoredOn", "is missing");
}
