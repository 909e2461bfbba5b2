// SPDX-License-Identifier: Apache-2.0
// Patient, Encounter, Practitioner, AllergyIntolerance.
#include "clinic/record/fhir_import_parts.h"
#include "clinic/record/member_table.h"

#include <stdio.h>
#include <string.h>

enum { CHINA_OFFSET_MINUTES = 8 * 60 };

// 居民身份证号: by the type of the identifier or by its system.
static const char *find_id_card(const json_t *patient) {
    const json_t *rows = json_object_get(patient, "identifier");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i), *type = json_object_get(row, "type");
        const char *system = fhir_string(row, "system");
        if (fhir_has_code(type, "NI") || fhir_has_code(type, "NNCHN") ||
            (system && strstr(system, "2.16.156.10011.1.3")))
            return fhir_string(row, "value");
    }
    return NULL;
}

bool fhir_read_patient(struct fhir_bundle *bundle) {
    const json_t *resource = bundle->patient;
    json_t *patient = json_pack("{s:[]}", "allergies");
    if (!patient || json_object_set_new(bundle->episode, "patient", patient) != 0)
        return clinic_fail_memory(bundle->error);
    const char *gender = fhir_string(resource, "gender");
    const char *sex = !gender                         ? "未知"
                      : strcmp(gender, "male") == 0   ? "男"
                      : strcmp(gender, "female") == 0 ? "女"
                                                      : "未知";
    json_t *name = fhir_name(bundle, json_object_get(resource, "name"));
    if (!name) return fhir_fail(bundle, resource, "name", "is missing");
    fhir_put(bundle, patient, "name", name);
    fhir_put_string(bundle, patient, "id", fhir_id(bundle, resource));
    fhir_put_string(bundle, patient, "sex", sex);
    fhir_put_string(bundle, patient, "birth_date", fhir_string(resource, "birthDate"));
    fhir_put_string(bundle, patient, "id_card", find_id_card(resource));
    return true;
}

static bool add_event(struct fhir_bundle *bundle, const char *type, const char *from,
                      const char *to, const json_t *holder, const char *path) {
    json_t *encounter = json_object_get(bundle->episode, "encounter");
    json_t *events = json_object_get(encounter, "events");
    json_t *event = json_pack("{s:s}", "type", type);
    if (!event) return clinic_fail_memory(bundle->error);
    fhir_put_string(bundle, event, "from", from);
    fhir_put_string(bundle, event, "to", to);
    bool is_right = fhir_put_time(bundle, event, "time", holder, path);
    if (!is_right || !json_object_get(event, "time")) {
        json_decref(event);
        return is_right;
    }
    if (json_array_append_new(events, event) != 0) return clinic_fail_memory(bundle->error);
    return true;
}

static const char *location_name(const struct fhir_bundle *bundle, const json_t *row) {
    const json_t *reference = json_object_get(row, "location");
    const char *name = fhir_string(reference, "display");
    return name ? name : fhir_string(fhir_resolve(bundle, reference, bundle->encounter), "name");
}

// Wards and beds in their order: the last ones are where the patient is.
static void read_locations(struct fhir_bundle *bundle, json_t *encounter) {
    const json_t *rows = json_object_get(bundle->encounter, "location");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        bool is_bed = fhir_has_code(fhir_find(row, "physicalType"), "bd");
        fhir_put_string(bundle, encounter, is_bed ? "bed" : "ward", location_name(bundle, row));
    }
}

// Parts of the stay that begin in another department than the one before are transfers. The parts
// are taken in the order of the Bundle.
static bool read_transfers(struct fhir_bundle *bundle) {
    const char *department = NULL;
    for (size_t i = 0; i < json_array_size(bundle->entries); i++) {
        const json_t *part = fhir_find(json_array_get(bundle->entries, i), "resource");
        if (strcmp(fhir_type(part), "Encounter") != 0 || part == bundle->encounter ||
            fhir_resolve(bundle, fhir_find(part, "partOf"), part) != bundle->encounter)
            continue;
        const char *name = fhir_concept(fhir_find(part, "serviceType"));
        if (!name) continue;
        if (department && strcmp(department, name) != 0 &&
            !add_event(bundle, "transfer", department, name, part, "period.start"))
            return false;
        department = name;
    }
    return true;
}

static void set_offset(struct fhir_bundle *bundle, const json_t *start) {
    struct moment moment;
    bundle->offset_minutes = CHINA_OFFSET_MINUTES;
    if (!moment_parse(json_string_value(start), &moment)) return;
    // "Z" is a server's clock, not a hospital's.
    if (moment.offset_minutes != 0) bundle->offset_minutes = moment.offset_minutes;
}

static void read_names(struct fhir_bundle *bundle, const json_t *resource, json_t *encounter) {
    const json_t *provider = fhir_find(resource, "serviceProvider");
    const char *hospital = fhir_string(provider, "display");
    if (!hospital) hospital = fhir_string(fhir_resolve(bundle, provider, resource), "name");
    fhir_put_string(bundle, encounter, "hospital", hospital);
    fhir_put_string(bundle, encounter, "department",
                    fhir_concept(fhir_find(resource, "serviceType")));
    fhir_put_string(bundle, encounter, "route",
                    fhir_concept(fhir_find(resource, "hospitalization.admitSource")));
    fhir_put_string(bundle, encounter, "disposition",
                    fhir_concept(fhir_find(resource, "hospitalization.dischargeDisposition")));
}

bool fhir_read_encounter(struct fhir_bundle *bundle) {
    const json_t *resource = bundle->encounter;
    json_t *encounter = json_pack("{s:[]}", "events");
    if (!encounter || json_object_set_new(bundle->episode, "encounter", encounter) != 0)
        return clinic_fail_memory(bundle->error);
    bool is_wrong = false;
    if (!fhir_belongs(bundle, resource, &is_wrong) && is_wrong) return false;
    set_offset(bundle, fhir_find(resource, "period.start"));
    fhir_put_string(bundle, encounter, "id", fhir_id(bundle, resource));
    read_names(bundle, resource, encounter);
    if (!json_object_get(encounter, "department"))
        return fhir_fail(bundle, resource, "serviceType", "is missing: it names the department");
    if (!fhir_find(resource, "period.start"))
        return fhir_fail(bundle, resource, "period.start", "is missing");
    read_locations(bundle, encounter);
    return add_event(bundle, "admit", NULL, NULL, resource, "period.start") &&
           read_transfers(bundle) &&
           add_event(bundle, "discharge", NULL, NULL, resource, "period.end");
}

bool fhir_read_practitioner(struct fhir_bundle *bundle, const json_t *resource) {
    json_t *name = fhir_name(bundle, json_object_get(resource, "name"));
    if (!name) return true; // nobody that a reader would know
    json_t *row = fhir_add_row(bundle, "staff", fhir_id(bundle, resource));
    fhir_put(bundle, row, "name", name);
    fhir_put_string(bundle, row, "title", fhir_concept(fhir_find(resource, "qualification.code")));
    fhir_put(bundle, bundle->staff, fhir_id(bundle, resource), json_true());
    return true;
}

// A person who has a name in the reference only becomes a row of staff once.
static const char *add_person(struct fhir_bundle *bundle, const char *name) {
    char key[300], id[32];
    snprintf(key, sizeof key, "name %.280s", name);
    const json_t *known = json_object_get(bundle->staff, key);
    if (known) return json_string_value(known);
    snprintf(id, sizeof id, "staff-%zu",
             json_array_size(json_object_get(bundle->episode, "staff")) + 1);
    json_t *row = fhir_add_row(bundle, "staff", id);
    fhir_put_string(bundle, row, "name", name);
    fhir_put_string(bundle, bundle->staff, key, id);
    return json_string_value(json_object_get(bundle->staff, key));
}

const char *fhir_person(struct fhir_bundle *bundle, const json_t *reference, const json_t *holder) {
    const json_t *person = fhir_resolve(bundle, reference, holder);
    const char *name = fhir_string(reference, "display");
    if (strcmp(fhir_type(person), "PractitionerRole") == 0) {
        reference = fhir_find(person, "practitioner");
        if (!name) name = fhir_string(reference, "display");
        person = fhir_resolve(bundle, reference, person);
    }
    const char *id = person ? fhir_id(bundle, person) : NULL;
    if (id && strcmp(fhir_type(person), "Practitioner") == 0 && json_object_get(bundle->staff, id))
        return id;
    return name ? add_person(bundle, name) : NULL;
}

static json_t *join_reactions(struct fhir_bundle *bundle, const json_t *resource) {
    json_t *joined = json_string("");
    const json_t *rows = json_object_get(resource, "reaction");
    for (size_t i = 0; i < json_array_size(rows) && i < 20; i++) {
        const json_t *signs = json_object_get(json_array_get(rows, i), "manifestation");
        for (size_t k = 0; k < json_array_size(signs) && k < 20; k++) {
            const char *sign = fhir_concept(json_array_get(signs, k));
            const char *before = json_string_value(joined);
            if (!sign || !before || strlen(before) > TEXT_BYTES_MAX || strstr(before, sign))
                continue;
            json_t *longer = json_sprintf("%s%s%s", before, before[0] ? "、" : "", sign);
            json_decref(joined);
            joined = fhir_made(bundle, longer);
        }
    }
    return joined;
}

static void add_avoided(struct fhir_bundle *bundle, json_t *avoid, json_t *name) {
    if (!name || json_array_append_new(avoid, name) != 0) bundle->has_no_memory = true;
}

// Parts of drug names that may not be ordered: the reactions' substances, else the substance.
static json_t *list_avoided(struct fhir_bundle *bundle, const json_t *resource,
                            const char *substance) {
    json_t *avoid = json_array();
    const json_t *rows = json_object_get(resource, "reaction");
    for (size_t i = 0; i < json_array_size(rows) && i < 20; i++) {
        const char *name = fhir_concept(fhir_find(json_array_get(rows, i), "substance"));
        if (name) add_avoided(bundle, avoid, json_string(name));
    }
    if (json_array_size(avoid) > 0) return avoid;
    static const char *const ends[] = {"类药物", "类药", "类", NULL};
    size_t bytes = strlen(substance);
    for (int i = 0; ends[i]; i++) {
        size_t end = strlen(ends[i]);
        if (bytes <= end || strcmp(substance + bytes - end, ends[i]) != 0) continue;
        bytes -= end;
        break;
    }
    add_avoided(bundle, avoid, json_stringn(substance, bytes));
    return avoid;
}

bool fhir_read_allergy(struct fhir_bundle *bundle, const json_t *resource) {
    const json_t *code = fhir_find(resource, "code");
    const char *substance = fhir_concept(code);
    // "No known allergy" is an empty list.
    if (!substance || fhir_has_code(code, "716186003") || fhir_has_code(code, "409137002"))
        return true;
    json_t *rows = json_object_get(json_object_get(bundle->episode, "patient"), "allergies");
    json_t *row = json_object();
    if (!row || json_array_append_new(rows, row) != 0) return clinic_fail_memory(bundle->error);
    fhir_put_string(bundle, row, "substance", substance);
    fhir_put(bundle, row, "reaction", join_reactions(bundle, resource));
    fhir_put(bundle, row, "avoid", list_avoided(bundle, resource, substance));
    return true;
}
