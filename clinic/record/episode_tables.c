// SPDX-License-Identifier: Apache-2.0
// Patient, encounter and documents.
#include "clinic/record/episode_tables.h"

#include "clinic/record/episode_budget.h"
#include "clinic/record/member_table.h"
#include "clinic/record/utf8_text.h"

#include <stdlib.h>
#include <string.h>

#define AT(type, field) offsetof(struct type, field)
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct member patient_members[] = {
    {"id", MEMBER_ID, MEMBER_REQUIRED, AT(patient, id), NULL},
    {"name", MEMBER_TEXT, MEMBER_REQUIRED, AT(patient, name), NULL},
    {"sex", MEMBER_TEXT, MEMBER_REQUIRED, AT(patient, sex), "|男|女|未知|"},
    {"birth_date", MEMBER_DATE, MEMBER_REQUIRED, AT(patient, birth_date), NULL},
    {"id_card", MEMBER_TEXT, MEMBER_NULLABLE, AT(patient, id_card), NULL},
    {"blood_type", MEMBER_TEXT, MEMBER_NULLABLE, AT(patient, blood_type), NULL},
    {"weight_kg", MEMBER_NUMBER, MEMBER_OPTIONAL, AT(patient, weight_kg), NULL},
};

static const struct member allergy_members[] = {
    {"substance", MEMBER_TEXT, MEMBER_REQUIRED, AT(allergy, substance), NULL},
    {"reaction", MEMBER_TEXT, MEMBER_OPTIONAL, AT(allergy, reaction), NULL},
};

static const struct member encounter_members[] = {
    {"id", MEMBER_ID, MEMBER_REQUIRED, AT(encounter, id), NULL},
    {"hospital", MEMBER_TEXT, MEMBER_OPTIONAL, AT(encounter, hospital), NULL},
    {"department", MEMBER_TEXT, MEMBER_REQUIRED, AT(encounter, department), NULL},
    {"ward", MEMBER_TEXT, MEMBER_OPTIONAL, AT(encounter, ward), NULL},
    {"bed", MEMBER_TEXT, MEMBER_OPTIONAL, AT(encounter, bed), NULL},
    {"route", MEMBER_TEXT, MEMBER_OPTIONAL, AT(encounter, route), NULL},
    {"disposition", MEMBER_TEXT, MEMBER_OPTIONAL, AT(encounter, disposition), NULL},
};

static const struct member event_members[] = {
    {"type", MEMBER_ID, MEMBER_REQUIRED, AT(encounter_event, type), NULL},
    {"time", MEMBER_MOMENT, MEMBER_REQUIRED, AT(encounter_event, at), NULL},
    {"detail", MEMBER_TEXT, MEMBER_NULLABLE, AT(encounter_event, detail), NULL},
    {"from", MEMBER_TEXT, MEMBER_NULLABLE, AT(encounter_event, from), NULL},
    {"to", MEMBER_TEXT, MEMBER_NULLABLE, AT(encounter_event, to), NULL},
};

static const struct member document_members[] = {
    {"id", MEMBER_ID, MEMBER_REQUIRED, AT(document, id), NULL},
    {"c_code", MEMBER_ID, MEMBER_REQUIRED, AT(document, c_code), NULL},
    {"type", MEMBER_ID, MEMBER_REQUIRED, AT(document, type), NULL},
    {"local_title", MEMBER_TEXT, MEMBER_REQUIRED, AT(document, local_title), NULL},
    {"author", MEMBER_ID, MEMBER_OPTIONAL, AT(document, author), NULL},
    {"cosigner", MEMBER_ID, MEMBER_NULLABLE, AT(document, cosigner), NULL},
    {"event_time", MEMBER_MOMENT, MEMBER_REQUIRED, AT(document, event), NULL},
    {"create_time", MEMBER_MOMENT, MEMBER_OPTIONAL, AT(document, create), NULL},
    {"sign_time", MEMBER_MOMENT, MEMBER_OPTIONAL, AT(document, sign), NULL},
};

static const struct member section_members[] = {
    {"name", MEMBER_TEXT, MEMBER_REQUIRED, AT(section, name), NULL},
    {"text", MEMBER_PROSE, MEMBER_OPTIONAL, AT(section, text), NULL},
};

bool episode_open_table(const json_t *parent, const char *member, const char *table, size_t most,
                        size_t row_bytes, void **rows, int *n_rows, struct clinic_error *error) {
    const json_t *array = json_object_get(parent, member);
    if (!array || json_is_null(array)) return true;
    if (!json_is_array(array))
        return clinic_fail(error, CLINIC_BAD_INPUT, "%s: must be an array", table);
    size_t n = json_array_size(array);
    if (n > most)
        return clinic_fail(error, CLINIC_BAD_INPUT, "%s: more than %zu rows", table, most);
    if (n == 0) return true;
    *rows = calloc(n, row_bytes);
    if (!*rows) return clinic_fail_memory(error);
    *n_rows = (int)n;
    return true;
}

// Parts of drug names that must not be ordered.
static bool read_avoided(const json_t *row, struct allergy *allergy, const struct place *place,
                         struct clinic_error *error) {
    const json_t *array = json_object_get(row, "avoid");
    if (!array || json_is_null(array)) return true;
    size_t n = json_array_size(array);
    if (!json_is_array(array) || n > 100)
        return place_fail(place, "avoid", error, "must be an array of at most 100 strings");
    allergy->avoid = calloc(n + 1, sizeof *allergy->avoid);
    if (!allergy->avoid) return clinic_fail_memory(error);
    for (size_t i = 0; i < n; i++) {
        const json_t *part = json_array_get(array, i);
        size_t bytes = json_string_length(part);
        if (!json_is_string(part) || bytes == 0 || bytes > TEXT_BYTES_MAX ||
            !utf8_text_is_plain(json_string_value(part), bytes))
            return place_fail(place, "avoid", error, "has a row that is no plain string, or empty");
        allergy->avoid[i] = json_string_value(part);
    }
    allergy->n_avoid = (int)n;
    return true;
}

bool episode_read_patient(struct episode *episode, struct clinic_error *error) {
    const json_t *object = json_object_get(episode->root, "patient");
    struct patient *patient = &episode->patient;
    struct place place = {"patient", SIZE_MAX, NULL};
    if (!member_table_read(object, patient_members, COUNT(patient_members), patient, &place, error))
        return false;
    if (patient->weight_kg < 0 || patient->weight_kg > 1000)
        return place_fail(&place, "weight_kg", error, "must be from 0 to 1000");
    if (!episode_open_table(object, "allergies", "patient.allergies", 1000,
                            sizeof *patient->allergies, (void **)&patient->allergies,
                            &patient->n_allergies, error))
        return false;
    for (int i = 0; i < patient->n_allergies; i++) {
        const json_t *row = json_array_get(json_object_get(object, "allergies"), (size_t)i);
        place = (struct place){"patient.allergies", (size_t)i, NULL};
        if (!member_table_read(row, allergy_members, COUNT(allergy_members), &patient->allergies[i],
                               &place, error) ||
            !read_avoided(row, &patient->allergies[i], &place, error))
            return false;
    }
    return true;
}

// The encounter's own times are those of its events.
static bool note_event(struct encounter *encounter, const struct encounter_event *event,
                       const struct place *place, struct clinic_error *error) {
    struct moment *at = strcmp(event->type, "admit") == 0       ? &encounter->admit
                        : strcmp(event->type, "discharge") == 0 ? &encounter->discharge
                                                                : NULL;
    if (!at) return true;
    if (at->seconds != MOMENT_UNKNOWN)
        return place_fail(place, "type", error, "admit and discharge are once in an episode");
    *at = event->at;
    return true;
}

bool episode_read_encounter(struct episode *episode, struct clinic_error *error) {
    const json_t *object = json_object_get(episode->root, "encounter");
    struct encounter *encounter = &episode->encounter;
    struct place place = {"encounter", SIZE_MAX, NULL};
    if (!member_table_read(object, encounter_members, COUNT(encounter_members), encounter, &place,
                           error))
        return false;
    // The id is part of addresses.
    if (strspn(encounter->id,
               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
        strlen(encounter->id))
        return place_fail(&place, "id", error, "may have letters, digits, '.', '_' and '-' only");
    encounter->admit.seconds = encounter->discharge.seconds = MOMENT_UNKNOWN;
    if (!episode_open_table(object, "events", "encounter.events", EPISODE_ROWS_MAX,
                            sizeof *episode->events, (void **)&episode->events, &episode->n_events,
                            error))
        return false;
    for (int i = 0; i < episode->n_events; i++) {
        const json_t *row = json_array_get(json_object_get(object, "events"), (size_t)i);
        struct place here = {"encounter.events", (size_t)i, NULL};
        if (!member_table_read(row, event_members, COUNT(event_members), &episode->events[i], &here,
                               error) ||
            !note_event(encounter, &episode->events[i], &here, error))
            return false;
    }
    if (encounter->admit.seconds == MOMENT_UNKNOWN)
        return place_fail(&place, "events", error, "has no event of type admit");
    return true;
}

static bool read_sections(const json_t *row, struct document *document, const struct place *place,
                          struct clinic_error *error) {
    const json_t *array = json_object_get(row, "sections");
    if (!json_is_array(array))
        return place_fail(place, "sections", error, "is missing, or no array");
    if (json_array_size(array) > EPISODE_SECTIONS_MAX)
        return place_fail(place, "sections", error, "has more than 200 rows");
    if (!episode_open_table(row, "sections", "sections", EPISODE_SECTIONS_MAX,
                            sizeof *document->sections, (void **)&document->sections,
                            &document->n_sections, error))
        return false;
    for (int i = 0; i < document->n_sections; i++) {
        struct section *section = &document->sections[i];
        if (!member_table_read(json_array_get(array, (size_t)i), section_members,
                               COUNT(section_members), section, place, error))
            return false;
        section->text_bytes = strlen(section->text);
        for (int k = 0; k < i; k++) {
            if (strcmp(document->sections[k].name, section->name) == 0)
                return place_fail(place, "sections", error, "two sections have the same name");
        }
    }
    return true;
}

// Stable order of event time, as the course is told.
static int compare_documents(const void *left, const void *right) {
    const struct document *a = left, *b = right;
    if (a->event.seconds != b->event.seconds) return a->event.seconds < b->event.seconds ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

bool episode_read_docs(struct episode *episode, struct clinic_error *error) {
    if (!episode_open_table(episode->root, "docs", "docs", EPISODE_DOCS_MAX, sizeof *episode->docs,
                            (void **)&episode->docs, &episode->n_docs, error))
        return false;
    for (int i = 0; i < episode->n_docs; i++) {
        const json_t *row = json_array_get(json_object_get(episode->root, "docs"), (size_t)i);
        struct document *document = &episode->docs[i];
        struct place place = {"docs", (size_t)i, NULL};
        if (!member_table_read(row, document_members, COUNT(document_members), document, &place,
                               error))
            return false;
        document->json = row;
        document->row = i;
        place.id = document->id;
        const json_t *format = json_object_get(row, "format");
        if (format && (!json_is_string(format) || strcmp(json_string_value(format), "text") != 0))
            return place_fail(&place, "format", error,
                              "must be \"text\"; HTML is pushed as a document with its content");
        if (!read_sections(row, document, &place, error)) return false;
    }
    if (episode->n_docs > 1) // qsort of nothing is undefined with a null pointer
        qsort(episode->docs, (size_t)episode->n_docs, sizeof *episode->docs, compare_documents);
    return true;
}
